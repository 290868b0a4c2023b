// SPDX-License-Identifier: GPL-2.0-only
/*
 * The modes that leave the client's packet as it is: dsr, ipip and gue, for services and backends
 * of either family, with and without a tunnel source. Whole frames are compared; what each flow
 * chooses for itself (outer source, flow label, UDP port) is read from the frame, and must stay
 * within its range, stay the same for a flow, and differ between flows.
 */
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "world.h"
#include "wrap.h"

#define SERVICE_PORT 80
#define CLIENT_PORT 40000
#define MTU 1500
#define LOST_PORT 81 /* backend whose link address nobody knows */

static const enum lb_mode modes[] = { LB_MODE_DSR, LB_MODE_IPIP, LB_MODE_GUE };
#define MODES 3

static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static const char *const own[2] = { "192.0.2.1", "2001:db8:b::1" };
static const char *const prefixes[2] = { "192.0.2.64/27", "2001:db8:64::/64" };

static char at_case[160];

/* One service and its one backend. */
struct way {
	enum lb_mode mode;
	bool is_v6, is_outer_v6, has_source;
	__u8 proto;
};

static int number_of(const struct way *way)
{
	return way->mode << 3 | way->is_v6 << 2 | way->is_outer_v6 << 1 | way->has_source;
}

static union lb_addr vip_of(const struct way *way)
{
	char text[LB_ADDR_TEXT_SIZE];

	snprintf(text, sizeof(text), way->is_v6 ? "2001:db8::%x" : "203.0.113.%u",
		 100 + number_of(way));
	return world_addr(text);
}

static void backend_text(bool is_v6, int host, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, is_v6 ? "2001:db8:b::%x" : "192.0.2.%u", host);
}

static void for_each_way(void (*fn)(const struct way *way))
{
	for (int i = 0; i < MODES * 2 * 2 * 2 * 2; i++) {
		const struct way way = {
			.mode = modes[i / 16],
			.is_v6 = i & 1,
			.is_outer_v6 = i & 2,
			.has_source = i & 4,
			.proto = i & 8 ? IPPROTO_UDP : IPPROTO_TCP,
		};

		snprintf(at_case, sizeof(at_case), "%s, IPv%d by IPv%d, %s%s",
			 lb_mode_name(way.mode), way.is_v6 ? 6 : 4, way.is_outer_v6 ? 6 : 4,
			 lb_proto_name(way.proto), way.has_source ? ", tunnel source" : "");
		fn(&way);
	}
	at_case[0] = '\0';
}

static struct lb_config *config;

static void add_service(const struct way *way, __u16 port, int host)
{
	char name[LB_NAME_SIZE], vip[LB_ADDR_TEXT_SIZE], backend[LB_ADDR_TEXT_SIZE];
	const union lb_addr addr = vip_of(way);
	struct lb_service_config *service;

	snprintf(name, sizeof(name), "s%d-%s-%u", number_of(way), lb_proto_name(way->proto), port);
	lb_addr_format(&addr, vip);
	service = world_add_service(config, name, way->proto, vip, port, way->mode);
	service->slots = LB_SLOTS_MIN;
	for (int i = 0; i < 2 && way->has_source; i++)
		assert_int_equal(lb_prefix_parse(prefixes[i], &service->tunnel_sources[i]), 0);
	service->tunnel_source_count = way->has_source ? 2 : 0;
	backend_text(way->is_outer_v6, host, backend);
	world_add_backend(config, name, backend, 0, 1);
}

static void add_services(const struct way *way)
{
	add_service(way, SERVICE_PORT, 11);
	if (way->proto == IPPROTO_TCP)
		add_service(way, LOST_PORT, 12);
}

static void describe(const struct way *way, struct spec *spec)
{
	spec->is_v6 = way->is_v6;
	spec->proto = way->proto;
	spec->ttl = spec->ttl ?: 61;
	spec->src = world_addr(clients[way->is_v6]);
	spec->dst = vip_of(way);
	spec->src_port = spec->src_port ?: CLIENT_PORT;
	spec->dst_port = spec->dst_port ?: SERVICE_PORT;
	memcpy(spec->eth_dst, world.client.mac, 6);
	memcpy(spec->eth_src, world_client_mac, 6);
}

static int run(const struct frame *in, struct frame *out, enum lb_reason reason)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT];
	int action;

	world_reasons(before);
	action = world_run(&world.client, in, out);
	world_reasons(after);
	for (int i = 1; i < LB_R_COUNT; i++)
		if (after[i] != before[i] + (i == (int)reason))
			fail_msg("counted %s by %lld, wanted %s", lb_reason_name(i),
				 (long long)(after[i] - before[i]), lb_reason_name(reason));
	return action;
}

/* Is checksum 0 what the outer datagram must have? */
static bool is_unchecked(const struct way *way, const struct spec *spec)
{
	return !way->is_outer_v6 || spec->is_unchecked || spec->chain_length ||
	       spec->fragment & 0x3fff || spec->icmp;
}

static void assert_in_prefix(const union lb_addr *addr, const char *text)
{
	struct lb_prefix prefix;
	union lb_addr masked = *addr;

	assert_int_equal(lb_prefix_parse(text, &prefix), 0);
	masked.words[3] &= ~lb_prefix_spread(&prefix);
	assert_memory_equal(&masked, &prefix.addr, sizeof(masked));
}

/* What must come out around the inner frame; the flow's own choices are taken from out. */
static void describe_outer(const struct way *way, const struct spec *spec, const struct frame *out,
			   struct wrap *wrap)
{
	const __u8 *ip = out->data + out->l3, *udp = ip + (way->is_outer_v6 ? 40 : 20);
	char text[LB_ADDR_TEXT_SIZE];
	__be32 v4;

	*wrap = (struct wrap){
		.kind = way->mode == LB_MODE_GUE ? WRAP_GUE : WRAP_IPIP,
		.is_v6 = way->is_outer_v6,
		.tos = way->is_v6 ? 0x01 : 0x10, /* as frame.c has it */
		.ttl = 64,
		.dst_port = LB_GUE_PORT,
		.is_unchecked = is_unchecked(way, spec),
	};
	backend_text(way->is_outer_v6, 11, text);
	wrap->dst = world_addr(text);
	wrap->src = world_addr(own[way->is_outer_v6]);
	if (way->has_source) {
		if (way->is_outer_v6) {
			memcpy(&wrap->src, ip + 8, 16);
		} else {
			memcpy(&v4, ip + 12, 4);
			lb_addr_from_v4(&wrap->src, v4);
		}
		assert_in_prefix(&wrap->src, prefixes[way->is_outer_v6]);
	}
	if (way->is_outer_v6)
		wrap->flow_label = (__u32)(ip[1] & 0xf) << 16 | ip[2] << 8 | ip[3];
	wrap->src_port = udp[0] << 8 | udp[1];
	if (wrap->kind == WRAP_GUE)
		assert_true(wrap->src_port >= 49152);
}

static void describe_inner(const struct spec *in, struct spec *inner)
{
	*inner = *in;
	inner->ttl--;
	memcpy(inner->eth_dst, world_backend_mac, 6);
	memcpy(inner->eth_src, world.backend.mac, 6);
}

static void expect(const struct way *way, const struct spec *in, const struct frame *inner,
		   const struct frame *out)
{
	struct frame wanted = *inner;
	struct wrap wrap;

	if (way->mode != LB_MODE_DSR) {
		describe_outer(way, in, out, &wrap);
		wrap_frame(&wrap, inner, way->is_v6, &wanted);
	}
	if (out->length == wanted.length && !memcmp(out->data, wanted.data, out->length))
		return;
	frame_print_difference(out, &wanted);
	fail_msg("the frame is not the one that must come out");
}

static void forward(const struct way *way, struct spec spec, struct frame *out)
{
	struct frame in, inner;
	struct spec output;

	describe(way, &spec);
	frame_build(&spec, &in);
	assert_int_equal(run(&in, out, LB_R_FORWARDED), XDP_REDIRECT);
	describe_inner(&spec, &output);
	frame_build(&output, &inner);
	expect(way, &spec, &inner, out);
}

static void stop(const struct way *way, struct spec spec, enum lb_reason reason)
{
	struct frame in, out;

	describe(way, &spec);
	frame_build(&spec, &in);
	assert_int_equal(run(&in, &out, reason), XDP_DROP);
	assert_int_equal(out.length, in.length);
	assert_memory_equal(out.data, in.data, in.length);
}

/* The sender is told why, in an error whose whole bytes test_packets checks. */
static void tell(const struct way *way, struct spec spec, enum lb_reason reason, __u32 mtu)
{
	struct frame in, out;
	const __u8 *icmp;

	usleep(2000); /* so many are told a second */
	describe(way, &spec);
	frame_build(&spec, &in);
	assert_int_equal(run(&in, &out, reason), XDP_TX);
	icmp = out.data + out.l3 + (way->is_v6 ? 40 : 20);
	assert_int_equal(icmp[6] << 8 | icmp[7], mtu);
	/* What it quotes is the packet as it came, without an outer header. */
	assert_memory_equal(icmp + 8, in.data + in.l3, 40);
}

static void forward_kinds(const struct way *way)
{
	struct frame out;

	for (__u16 payload = 0; payload < 9; payload++)
		forward(way, (struct spec){ .tcp_flags = TCP_ACK, .payload = payload }, &out);
	for (__u8 tags = 0; tags < 3; tags++) {
		forward(way, (struct spec){ .tcp_flags = TCP_SYN, .tags = tags }, &out);
		forward(way, (struct spec){ .payload = 701, .tags = tags, .ttl = 2 }, &out);
	}
	if (way->is_v6) {
		forward(way,
			(struct spec){ .payload = 8,
				       .chain = { IPPROTO_HOPOPTS, IPPROTO_DSTOPTS },
				       .chain_length = 2 },
			&out);
		forward(way,
			(struct spec){ .payload = 800,
				       .fragment = 1,
				       .chain = { IPPROTO_FRAGMENT },
				       .chain_length = 1 },
			&out);
		return;
	}
	forward(way, (struct spec){ .payload = 8, .option_bytes = 24, .tags = 1 }, &out);
	forward(way, (struct spec){ .payload = 800, .fragment = 0x2000 }, &out);
	if (way->proto == IPPROTO_UDP)
		forward(way, (struct spec){ .payload = 33, .is_unchecked = true }, &out);
}

static void test_forward(void **state)
{
	(void)state;
	for_each_way(forward_kinds);
}

/* Random payloads, so that every sum is met; also the one that is 0 and must not be sent as such.
 */
static void forward_sums(const struct way *way)
{
	struct frame out;

	if (way->mode != LB_MODE_GUE || !way->is_outer_v6)
		return;
	for (int i = 0; i < 300; i++) {
		struct spec spec = { .payload = 2 + test_random() % 60, .word = test_random() };

		spec.src_port = 1024 + test_random() % 60000;
		spec.ttl = 2 + test_random() % 200;
		forward(way, spec, &out);
	}
}

static void test_sums(void **state)
{
	(void)state;
	test_random_seed(7);
	for_each_way(forward_sums);
}

static __u32 overhead_of(const struct way *way)
{
	const struct wrap wrap = { .kind = way->mode == LB_MODE_GUE ? WRAP_GUE : WRAP_IPIP,
				   .is_v6 = way->is_outer_v6 };

	return way->mode == LB_MODE_DSR ? 0 : wrap_size(&wrap);
}

/* The largest packet that fits goes, one byte more does not. */
static void meet_mtu(const struct way *way)
{
	const __u32 headers = (way->is_v6 ? 40 : 20) + (way->proto == IPPROTO_TCP ? 20 : 8);
	const __u16 most = MTU - overhead_of(way) - headers;
	struct frame out;

	for (__u8 tags = 0; tags < 3; tags += 2) {
		forward(way, (struct spec){ .payload = most, .tags = tags }, &out);
		tell(way, (struct spec){ .payload = most + 1, .tags = tags }, LB_R_MTU_TOLD,
		     MTU - overhead_of(way));
	}
	tell(way, (struct spec){ .payload = MTU - headers + 1 }, LB_R_MTU_TOLD,
	     MTU - overhead_of(way));
}

static void test_mtu(void **state)
{
	(void)state;
	for_each_way(meet_mtu);
}

static void meet_refusals(const struct way *way)
{
	tell(way, (struct spec){ .tcp_flags = TCP_SYN, .payload = 32, .ttl = 1 }, LB_R_TTL_TOLD, 0);
	/* The kernel could not send these on: the packet is not for the backend's address, or comes
	 * from the host's own. */
	if (way->proto == IPPROTO_TCP)
		stop(way, (struct spec){ .dst_port = LOST_PORT }, LB_R_NO_NEIGHBOUR);
}

static void test_refusals(void **state)
{
	(void)state;
	for_each_way(meet_refusals);
}

/* Every length short of the transport header's end is malformed, and left as it is. */
static void cut_frames(const struct way *way)
{
	for (__u8 tags = 0; tags < 3; tags++) {
		struct spec spec = { .tcp_flags = TCP_ACK, .payload = 12, .tags = tags };
		struct frame in, out;
		__u32 full;

		describe(way, &spec);
		frame_build(&spec, &in);
		full = in.l4 + (way->proto == IPPROTO_TCP ? 20 : 8);
		for (in.length = 14; in.length < full; in.length++) {
			assert_int_equal(run(&in, &out, LB_R_MALFORMED), XDP_PASS);
			assert_memory_equal(out.data, in.data, in.length);
		}
	}
}

static void test_cuts(void **state)
{
	(void)state;
	for_each_way(cut_frames);
}

/* Where the flow must show: the outer source's host bits, the flow label, the UDP port. */
static __u64 choice_of(const struct way *way, const struct frame *out, int what)
{
	const __u8 *ip = out->data + out->l3;

	if (what == 0 && way->has_source)
		return way->is_outer_v6 ? ip[23] : ip[15];
	if (what == 1 && way->is_outer_v6)
		return (__u64)ip[2] << 8 | ip[3];
	if (what == 2 && way->mode == LB_MODE_GUE)
		return ip[way->is_outer_v6 ? 41 : 21];
	return ~0ull;
}

static void assert_same_way(const struct way *way, const struct frame *one,
			    const struct frame *other)
{
	for (int what = 0; what < 3 && way->mode != LB_MODE_DSR; what++)
		assert_int_equal(choice_of(way, one, what), choice_of(way, other, what));
}

/*
 * A router on the clients' side says of what the backend has answered that it is too large: the
 * backend must hear of it, by the way of the flow's other packets.
 */
static void forward_error(const struct way *way, __u8 tags, __u32 length)
{
	struct spec flow = { .tcp_flags = TCP_ACK, .payload = 64 }, answer, error, output;
	struct frame quoted, in, inner, out, packet;

	describe(way, &flow);
	answer = flow;
	answer.src = flow.dst;
	answer.dst = flow.src;
	answer.src_port = flow.dst_port;
	answer.dst_port = flow.src_port;
	frame_build(&answer, &quoted);
	error = (struct spec){ .icmp = way->is_v6 ? 0x0200 : 0x0304, .tags = tags };
	describe(way, &error);
	error.proto = way->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	error.src = world_addr(way->is_v6 ? "2001:db8:c::254" : "198.51.100.254");
	describe_inner(&error, &output);
	frame_build_quote(&error, &quoted, length, 0, &in);
	frame_build_quote(&output, &quoted, length, 0, &inner);
	forward(way, (struct spec){ .tcp_flags = TCP_ACK, .payload = 64, .tags = tags }, &packet);
	assert_int_equal(run(&in, &out, LB_R_ICMP_FORWARDED), XDP_REDIRECT);
	expect(way, &error, &inner, &out);
	assert_same_way(way, &packet, &out);
}

static void forward_errors(const struct way *way)
{
	for (__u8 tags = 0; tags < 3; tags++) {
		forward_error(way, tags, 84);
		forward_error(way, tags, way->is_v6 ? 48 : 28);
	}
}

static void test_errors(void **state)
{
	(void)state;
	for_each_way(forward_errors);
}

/* Later fragments, which have no ports, after their first one; one that is too large is dropped. */
static void forward_pieces(const struct way *way)
{
	const __u16 most = MTU - overhead_of(way) - (way->is_v6 ? 48 : 20) -
			   (way->proto == IPPROTO_TCP ? 20 : 8);
	struct frame first, in, inner, out;

	for (__u8 tags = 0; tags < 3; tags++) {
		struct spec spec = { .payload = 800, .tags = tags }, output;

		spec.chain[0] = IPPROTO_FRAGMENT;
		spec.chain_length = way->is_v6;
		spec.fragment = way->is_v6 ? 1 : 0x2000;
		forward(way, spec, &first);
		describe(way, &spec);
		spec.fragment = way->is_v6 ? 824 : 103;
		spec.payload = 600;
		frame_build(&spec, &in);
		describe_inner(&spec, &output);
		frame_build(&output, &inner);
		/* All of it is data. */
		memcpy(inner.data + inner.l4, in.data + in.l4, in.length - in.l4);
		assert_int_equal(run(&in, &out, LB_R_FRAGMENT_FORWARDED), XDP_REDIRECT);
		expect(way, &spec, &inner, &out);
		assert_same_way(way, &first, &out);
		spec.payload = most;
		frame_build(&spec, &in);
		assert_int_equal(run(&in, &out, LB_R_FRAGMENT_FORWARDED), XDP_REDIRECT);
		spec.payload = most + 1;
		frame_build(&spec, &in);
		assert_int_equal(run(&in, &out, LB_R_MTU_EXCEEDED), XDP_DROP);
	}
}

static void test_pieces(void **state)
{
	(void)state;
	for_each_way(forward_pieces);
}

static void spread_flows(const struct way *way)
{
	bool seen[3][65536] = {};
	int distinct[3] = {};

	if (way->mode == LB_MODE_DSR)
		return;
	for (int i = 0; i < 256; i++) {
		const struct spec spec = { .payload = 5, .src_port = 30000 + i };
		struct frame out, again;

		forward(way, spec, &out);
		forward(way, spec, &again);
		for (int what = 0; what < 3; what++) {
			const __u64 choice = choice_of(way, &out, what);

			assert_int_equal(choice, choice_of(way, &again, what));
			if (choice == ~0ull)
				continue;
			distinct[what] += !seen[what][choice];
			seen[what][choice] = true;
		}
	}
	if (way->has_source) /* five host bits of IPv4, a byte of IPv6's */
		assert_true(distinct[0] >= (way->is_outer_v6 ? 120 : 30));
	if (way->is_outer_v6)
		assert_true(distinct[1] >= 240);
	if (way->mode == LB_MODE_GUE)
		assert_true(distinct[2] >= 120);
}

static void test_spread(void **state)
{
	(void)state;
	for_each_way(spread_flows);
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
	char lines[1024] = "", text[LB_ADDR_TEXT_SIZE];

	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		backend_text(is_v6, 11, text);
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines),
			 "neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n", text);
	}
	world_ip(lines);
	config = lb_config_new();
	assert_non_null(config);
	config->limits.services = 128;
	config->limits.backends = 128;
	config->limits.slots = 65536;
	config->limits.flows = 65536;
	for_each_way(add_services);
	world_open(config);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close();
	lb_config_free(config);
	return 0;
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_forward, tell_case),
		cmocka_unit_test_teardown(test_sums, tell_case),
		cmocka_unit_test_teardown(test_mtu, tell_case),
		cmocka_unit_test_teardown(test_refusals, tell_case),
		cmocka_unit_test_teardown(test_cuts, tell_case),
		cmocka_unit_test_teardown(test_spread, tell_case),
		cmocka_unit_test_teardown(test_errors, tell_case),
		cmocka_unit_test_teardown(test_pieces, tell_case),
	};

	return cmocka_run_group_tests_name("tunnels", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
