// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic mode: a checksum that is left to the device, or that GRO took out, holds the sum of the
 * pseudo-header alone; that of the rewritten packet comes out. One that is finished and happens to
 * look the same comes out finished.
 */
#include <linux/bpf.h>

#include "world.h"

static const char *const vips[2] = { "203.0.113.10", "2001:db8::10" };
static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static const char *const backends[2] = { "192.0.2.11", "2001:db8:b::11" };
static const __u8 protos[2] = { IPPROTO_TCP, IPPROTO_UDP };
static const __u16 payloads[] = { 2, 3, 4, 5, 6, 7, 8, 9, 500, 1399, 1400 };

#define PAYLOADS (sizeof(payloads) / sizeof(*payloads))

static __u32 fold(__u32 sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __u8 *check_of(struct frame *frame, __u8 proto)
{
	return frame->data + frame->l4 + (proto == IPPROTO_TCP ? 16 : 6);
}

static __u16 read_check(struct frame *frame, __u8 proto)
{
	const __u8 *check = check_of(frame, proto);

	return check[0] << 8 | check[1];
}

/* By RFC 9293, 3.1 and RFC 8200, 8.1, over the bytes as they are. */
static __u16 pseudo_sum(const struct frame *frame, bool is_v6, __u8 proto)
{
	const __u8 *ip = frame->data + frame->l3;
	const int from = is_v6 ? 8 : 12, to = is_v6 ? 40 : 20;
	__u32 sum = proto + (is_v6 ? ip[4] << 8 | ip[5] : (ip[2] << 8 | ip[3]) - 20);

	for (int i = from; i < to; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	return fold(sum);
}

static struct spec make_spec(bool is_v6, __u8 proto, __u16 payload)
{
	const struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(vips[is_v6]),
		.src_port = 20000,
		.dst_port = 80,
		.proto = proto,
		.tcp_flags = proto == IPPROTO_TCP ? TCP_SYN : 0,
		.tcp_options = { 2, 4, 0x05, 0xb4 },
		.tcp_option_bytes = proto == IPPROTO_TCP ? 4 : 0,
		.ttl = 64,
		.payload = payload,
	};

	return spec;
}

static void run(const struct frame *in, struct frame *out)
{
	assert_int_equal(world_run(&world.client, in, out), XDP_REDIRECT);
	out->l3 = in->l3;
	out->l4 = in->l4;
}

typedef void each_fn(bool is_v6, __u8 proto, __u16 payload);

static void for_each_kind(each_fn *each)
{
	for (unsigned int i = 0; i < 4 * PAYLOADS; i++)
		each(i & 1, protos[i >> 1 & 1], payloads[i / 4]);
}

static void send_unfinished(bool is_v6, __u8 proto, __u16 payload)
{
	const struct spec spec = make_spec(is_v6, proto, payload);
	struct frame in, out;
	__u16 sum;

	frame_build(&spec, &in);
	sum = pseudo_sum(&in, is_v6, proto);
	check_of(&in, proto)[0] = sum >> 8;
	check_of(&in, proto)[1] = sum;
	run(&in, &out);
	assert_int_equal(read_check(&out, proto), pseudo_sum(&out, is_v6, proto));
}

static void send_finished(bool is_v6, __u8 proto, __u16 payload)
{
	struct spec spec = make_spec(is_v6, proto, payload);
	struct frame in, out;
	__u16 sum;

	frame_build(&spec, &in);
	run(&in, &out);
	assert_true(frame_is_sound(&out, is_v6, proto));
	/* The payload makes up for the difference. */
	sum = pseudo_sum(&in, is_v6, proto);
	spec.word = fold(read_check(&in, proto) + (__u16)~sum);
	frame_build(&spec, &in);
	assert_int_equal(read_check(&in, proto), sum);
	run(&in, &out);
	assert_true(frame_is_sound(&out, is_v6, proto));
}

static void test_unfinished(void **state)
{
	(void)state;
	for_each_kind(send_unfinished);
}

static void test_finished(void **state)
{
	(void)state;
	for_each_kind(send_finished);
}

static int open_world(void **state)
{
	struct lb_config *config = lb_config_new();
	char lines[256];

	(void)state;
	assert_non_null(config);
	config->limits.services = 8;
	config->limits.slots = 131072;
	config->limits.flows = 8192;
	for (int i = 0; i < 4; i++) {
		struct lb_service_config *service;
		char name[LB_NAME_SIZE];

		snprintf(name, sizeof(name), "service%d", i);
		service = world_add_service(config, name, protos[i / 2], vips[i % 2], 80,
					    LB_MODE_NAT);
		if (service->proto == IPPROTO_TCP)
			service->mss = 1000; /* which changes the sum too */
		world_add_backend(config, name, backends[i % 2], 80, 1);
	}
	snprintf(lines, sizeof(lines),
		 "neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n"
		 "neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
		 backends[0], backends[1]);
	world_ip(lines);
	world_open_generic(config);
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
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_finished),
	};

	return cmocka_run_group_tests_name("generic", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
