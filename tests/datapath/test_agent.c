// SPDX-License-Identifier: GPL-2.0-only
/*
 * The role of a backend: outer headers of every kind and family are taken off packets from the
 * balancers that were named, and from nobody else; whole frames are compared.
 */
#include <string.h>

#include <linux/bpf.h>

#include "world.h"
#include "wrap.h"

static const char *const balancers[2] = { "192.0.2.70", "2001:db8:64::7" };
static const char *const strangers[2] = { "192.0.2.7", "2001:db8:65::7" };
static const char *const from[] = { "192.0.2.64/26", "2001:db8:64::/64" };
static const char *const own[2] = { "198.51.100.1", "2001:db8:c::1" };
static const char *const others[2] = { "198.51.100.55", "2001:db8:c::55" };

static bool is_seen[LB_R_COUNT];
static char at_case[128];

struct way {
	enum wrap_kind kind;
	bool is_outer_v6, is_v6;
	__u8 proto, tags;
};

static void for_each_way(void (*fn)(const struct way *way))
{
	for (int i = 0; i < 3 * 2 * 2 * 2 * 3; i++) {
		const struct way way = {
			.kind = i % 3,
			.tags = i / 3 % 3,
			.is_outer_v6 = i / 9 % 2,
			.is_v6 = i / 18 % 2,
			.proto = i / 36 ? IPPROTO_UDP : IPPROTO_TCP,
		};

		snprintf(at_case, sizeof(at_case), "kind %d, IPv%d in IPv%d, %s, %u tags", way.kind,
			 way.is_v6 ? 6 : 4, way.is_outer_v6 ? 6 : 4, lb_proto_name(way.proto),
			 way.tags);
		fn(&way);
	}
	at_case[0] = '\0';
}

static void build_inner(const struct way *way, __u16 payload, struct frame *out)
{
	struct spec spec = {
		.is_v6 = way->is_v6,
		.proto = way->proto,
		.tcp_flags = TCP_ACK,
		.ttl = 60,
		.tags = way->tags,
		.src = world_addr(way->is_v6 ? "2001:db8:77::7" : "203.0.113.7"),
		.dst = world_addr(way->is_v6 ? "2001:db8::10" : "203.0.113.10"),
		.src_port = 40000,
		.dst_port = 80,
		.payload = payload,
	};

	memcpy(spec.eth_dst, world.client.mac, 6);
	memcpy(spec.eth_src, world_client_mac, 6);
	frame_build(&spec, out);
}

static struct wrap describe(const struct way *way)
{
	return (struct wrap){
		.kind = way->kind,
		.is_v6 = way->is_outer_v6,
		.src = world_addr(balancers[way->is_outer_v6]),
		.dst = world_addr(own[way->is_outer_v6]),
		.src_port = 50000,
		.dst_port = LB_GUE_PORT,
		.flow_label = 0x12345,
		.ttl = 64,
	};
}

static int run(const struct frame *in, struct frame *out, enum lb_reason *reason)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT];
	int action;

	world_reasons(before);
	action = world_run(&world.client, in, out);
	world_reasons(after);
	for (int i = 1; i < LB_R_COUNT; i++)
		if (after[i] != before[i])
			*reason = i;
	is_seen[*reason] = true;
	return action;
}

static void expect(const struct frame *in, enum lb_reason wanted, const struct frame *becomes)
{
	enum lb_reason reason = LB_R_NONE;
	struct frame out;
	const int action = run(in, &out, &reason);

	if (reason != wanted)
		fail_msg("%s, wanted %s", lb_reason_name(reason), lb_reason_name(wanted));
	assert_int_equal(action, lb_reason_verdict(wanted) == LB_PASSED ? XDP_PASS : XDP_DROP);
	if (out.length == becomes->length && !memcmp(out.data, becomes->data, out.length))
		return;
	frame_print_difference(&out, becomes);
	fail_msg("the frame is not the one that must come out");
}

static void unwrap(const struct way *way)
{
	static const __u16 payloads[] = { 0, 1, 700, 1300 };

	for (int i = 0; i < 4; i++) {
		struct wrap wrap = describe(way);
		struct frame inner, in;

		build_inner(way, payloads[i], &inner);
		wrap.is_unchecked = i & 1;
		wrap_frame(&wrap, &inner, way->is_v6, &in);
		expect(&in, LB_R_UNWRAPPED, &inner);
	}
}

static void test_unwrap(void **state)
{
	(void)state;
	for_each_way(unwrap);
}

static void refuse(const struct way *way)
{
	struct wrap wrap = describe(way);
	struct frame inner, in;

	build_inner(way, 20, &inner);
	wrap.src = world_addr(strangers[way->is_outer_v6]);
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	expect(&in, LB_R_TUNNEL_SOURCE, &in);
	/* For somebody else: not looked into, whoever it is from. */
	wrap.dst = world_addr(others[way->is_outer_v6]);
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	expect(&in, LB_R_NOT_OURS, &in);
	if (way->kind == WRAP_IPIP)
		return;
	wrap = describe(way);
	wrap.dst_port++;
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	expect(&in, LB_R_NOT_OURS, &in);
}

static void test_refusals(void **state)
{
	(void)state;
	for_each_way(refuse);
}

/* Options that nobody agreed on, and what is no IP packet. */
static void refuse_inside(const struct way *way)
{
	const struct wrap wrap = describe(way);
	struct frame inner, in;
	__u8 *at;

	build_inner(way, 20, &inner);
	for (int i = 0; i < 4 && way->kind == WRAP_GUE_0; i++) {
		wrap_frame(&wrap, &inner, way->is_v6, &in);
		at = in.data + in.l4 + 8;
		at[i] ^= i ? 1 : 0x20;
		expect(&in, LB_R_TUNNEL_INNER, &in);
	}
	/* The other version, a header too short, and more than there is. */
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	at = in.data + in.l3 + wrap_size(&wrap);
	at[0] ^= way->kind == WRAP_GUE ? 0x80 : 0x20;
	expect(&in, LB_R_TUNNEL_INNER, &in);
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	at[way->is_v6 ? 5 : 3]++;
	expect(&in, LB_R_TUNNEL_INNER, &in);
	/* What lies behind the outer packet's end is the link's. */
	in.data[in.length++] = 0;
	expect(&in, LB_R_TUNNEL_INNER, &in);
	if (way->is_v6)
		return;
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	at[0] = 0x44;
	expect(&in, LB_R_TUNNEL_INNER, &in);
}

static void test_inside(void **state)
{
	(void)state;
	for_each_way(refuse_inside);
}

/* No length short of the whole lets anything through. */
static void cut(const struct way *way)
{
	const struct wrap wrap = describe(way);
	struct frame inner, in, out;
	__u32 whole;

	build_inner(way, 3, &inner);
	wrap_frame(&wrap, &inner, way->is_v6, &in);
	whole = in.length;
	for (in.length = 14; in.length < whole; in.length++) {
		enum lb_reason reason = LB_R_NONE;
		const int action = run(&in, &out, &reason);

		assert_true(reason != LB_R_NONE && reason != LB_R_UNWRAPPED &&
			    reason != LB_R_INTERNAL);
		assert_int_equal(action,
				 lb_reason_verdict(reason) == LB_PASSED ? XDP_PASS : XDP_DROP);
		assert_int_equal(out.length, in.length);
		assert_memory_equal(out.data, in.data, in.length);
	}
}

static void test_cuts(void **state)
{
	(void)state;
	for_each_way(cut);
}

static __u8 get_tos(const struct frame *frame, bool is_v6)
{
	const __u8 *ip = frame->data + frame->l3;

	return is_v6 ? ip[0] << 4 | ip[1] >> 4 : ip[1];
}

static void set_tos(struct frame *frame, bool is_v6, __u8 tos)
{
	__u8 *ip = frame->data + frame->l3;
	__u32 sum = 0;

	if (is_v6) {
		ip[0] = 0x60 | tos >> 4;
		ip[1] = (ip[1] & 0xf) | tos << 4;
		return;
	}
	ip[1] = tos;
	ip[10] = ip[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = sum >> 8;
	ip[11] = sum;
}

/* RFC 6040, figure 4: by the inner packet's ECN, then by the outer one's. */
static void meet_congestion(const struct way *way)
{
	static const int table[4][4] = {
		{ 0, 0, 0, -1 },
		{ 1, 1, 1, 3 },
		{ 2, 1, 2, 3 },
		{ 3, 3, 3, 3 },
	};

	for (int i = 0; i < 16; i++) {
		const int becomes = table[i / 4][i % 4];
		struct wrap wrap = describe(way);
		struct frame inner, in;

		build_inner(way, 9, &inner);
		set_tos(&inner, way->is_v6, 0xb8 | i / 4);
		wrap.tos = 0x28 | i % 4;
		wrap_frame(&wrap, &inner, way->is_v6, &in);
		if (becomes < 0) {
			expect(&in, LB_R_TUNNEL_ECN, &in);
			continue;
		}
		set_tos(&inner, way->is_v6, 0xb8 | becomes);
		assert_int_equal(get_tos(&inner, way->is_v6), 0xb8 | becomes);
		expect(&in, LB_R_UNWRAPPED, &inner);
	}
}

static void test_congestion(void **state)
{
	(void)state;
	for_each_way(meet_congestion);
}

/* What is no tunnel's goes on untouched; pieces are the stack's. */
static void test_others(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		const struct way way = { .is_v6 = is_v6, .proto = IPPROTO_TCP };
		struct wrap wrap = describe(&way);
		struct frame inner, in;

		build_inner(&way, 20, &inner);
		expect(&inner, LB_R_NOT_OURS, &inner);
		wrap_frame(&wrap, &inner, is_v6, &in);
		in.data[in.l3 + 6] |= 0x20;
		expect(&in, LB_R_FRAGMENT, &in);
		in.data[in.l3 + 6] = 0;
		in.data[in.l3 + 7] = 0x10;
		expect(&in, LB_R_FRAGMENT, &in);
	}
}

/* The prefixes are exchanged as a whole. */
static void test_other_prefixes(void **state)
{
	static const char *const other[] = { "192.0.2.7" };
	const struct way way = { .kind = WRAP_GUE, .proto = IPPROTO_UDP };
	struct wrap wrap = describe(&way);
	struct frame inner, in;

	(void)state;
	build_inner(&way, 20, &inner);
	world_attach_backend(other, 1);
	wrap_frame(&wrap, &inner, false, &in);
	expect(&in, LB_R_TUNNEL_SOURCE, &in);
	wrap.src = world_addr(strangers[0]);
	wrap_frame(&wrap, &inner, false, &in);
	expect(&in, LB_R_UNWRAPPED, &inner);
	world_attach_backend(from, 2);
	expect(&in, LB_R_TUNNEL_SOURCE, &in);
}

static void test_reasons_were_met(void **state)
{
	(void)state;
	assert_true(is_seen[LB_R_UNWRAPPED] && is_seen[LB_R_TUNNEL_SOURCE] &&
		    is_seen[LB_R_TUNNEL_INNER] && is_seen[LB_R_TUNNEL_ECN]);
}

static int tell_case(void **state)
{
	(void)state;
	if (at_case[0])
		printf("in case: %s\n", at_case);
	return 0;
}

static int open_world(void **state)
{
	struct lb_config *config = lb_config_new();

	(void)state;
	assert_non_null(config);
	/* So that packets for others are the kernel's to forward. */
	world_sysctl("/proc/sys/net/ipv4/conf/c0/forwarding", "1");
	world_sysctl("/proc/sys/net/ipv6/conf/c0/forwarding", "1");
	world_open_backend(config, from, 2);
	lb_config_free(config);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close();
	return 0;
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_unwrap, tell_case),
		cmocka_unit_test_teardown(test_refusals, tell_case),
		cmocka_unit_test_teardown(test_inside, tell_case),
		cmocka_unit_test_teardown(test_cuts, tell_case),
		cmocka_unit_test_teardown(test_congestion, tell_case),
		cmocka_unit_test_teardown(test_others, tell_case),
		cmocka_unit_test(test_other_prefixes),
		cmocka_unit_test(test_reasons_were_met),
	};

	return cmocka_run_group_tests_name("agent", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
