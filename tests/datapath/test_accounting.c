// SPDX-License-Identifier: GPL-2.0-only
/*
 * A million random frames: each is counted once, received = sent + passed + dropped, the kernel's
 * actions agree with the counters, and what is passed is left as it came unless it was rewritten on
 * purpose.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "cast.h"

#define FRAMES 1000000
#define BASES 1024

static struct frame bases[BASES];

static __u32 below(__u32 limit)
{
	return (__u32)(test_random() >> 33) % limit;
}

/* Ours in one of two, so that mutations happen on every way through the program. */
static void describe(struct spec *spec)
{
	static const __u8 headers[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
					IPPROTO_FRAGMENT };
	const enum part part = below(PARTS);
	const bool is_v6 = below(2), is_back = below(3) == 0 && cast_backend(part, is_v6);
	const union lb_addr client = world_addr((below(4) ? cast_client : cast_stranger)[is_v6]);

	*spec = (struct spec){
		.is_v6 = is_v6,
		.tags = below(3),
		.proto = below(3) ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = (__u8)(below(2) ? TCP_SYN : below(32)),
		.ttl = below(16) ? 64 : below(3),
		.option_bytes = below(4) ? 0 : 4 * below(11),
		.chain_length = below(4) ? 0 : below(FRAME_CHAIN),
		.fragment = below(8) ? 0 : below(0x4000),
		.is_unchecked = !below(8),
		.payload = below(4) ? below(64) : below(1400),
	};
	memcpy(spec->eth_dst, world.client.mac, 6);
	memcpy(spec->eth_src, world_client_mac, 6);
	for (int i = 0; i < spec->chain_length; i++)
		spec->chain[i] = headers[below(4)];
	spec->src = is_back ? world_addr(cast_backend(part, is_v6)) : client;
	spec->dst = is_back ? client : world_addr(cast_vip(part, is_v6));
	spec->src_port = is_back ? CAST_BACKEND_PORT : 1024 + below(64);
	spec->dst_port = is_back ? 1024 + below(64) : CAST_SERVICE_PORT;
}

/* Half of the frames stay whole; the others lose their end, get random bytes, or both. */
static void mutate(const struct frame *base, struct frame *frame)
{
	const __u32 kind = below(8);

	frame->length = base->length;
	frame->l3 = base->l3;
	frame->l4 = base->l4;
	memcpy(frame->data, base->data, base->length);
	if (kind == 0 || kind == 1)
		frame->length = 14 + below(base->length - 13);
	for (__u32 i = kind == 1 || kind == 2 ? 1 + below(4) : 0; i; i--)
		frame->data[below(frame->length < 80 ? frame->length : 80)] = (__u8)test_random();
	if (kind == 3) /* of random bytes altogether */
		for (__u32 i = 0; i < frame->length; i++)
			frame->data[i] = (__u8)test_random();
	if (kind > 3)
		frame->data[frame->l4 + 1] = (__u8)test_random();
}

static void test_million_frames(void **state)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT], by_verdict[3] = {}, by_action[5] = {};
	__u64 received, rewritten = 0;
	struct frame in, out;

	(void)state;
	received = world_reasons(before);
	for (int i = 0; i < FRAMES; i++) {
		const struct world_port *port = below(2) ? &world.client : &world.backend;
		int action;

		mutate(&bases[below(BASES)], &in);
		action = world_run(port, &in, &out);
		assert_in_range(action, XDP_DROP, XDP_REDIRECT);
		by_action[action]++;
		/* An ICMP error goes back as it came, and is no longer than IPv6's least MTU. */
		if (action == XDP_TX)
			assert_in_range(out.length, 14, in.length < 1302 ? 1302 : in.length);
		else
			assert_int_equal(out.length, in.length);
		if (action == XDP_PASS)
			rewritten += memcmp(in.data, out.data, in.length) != 0;
	}
	assert_int_equal(world_reasons(after), received + FRAMES);
	for (int reason = 1; reason < LB_R_COUNT; reason++) {
		by_verdict[lb_reason_verdict(reason)] += after[reason] - before[reason];
		if (after[reason] != before[reason])
			printf("  %-16s %8llu\n", lb_reason_name(reason),
			       (unsigned long long)(after[reason] - before[reason]));
	}
	assert_int_equal(by_verdict[LB_SENT], by_action[XDP_TX] + by_action[XDP_REDIRECT]);
	assert_int_equal(by_verdict[LB_PASSED], by_action[XDP_PASS]);
	assert_int_equal(by_verdict[LB_DROPPED], by_action[XDP_DROP]);
	assert_int_equal(by_verdict[0] + by_verdict[1] + by_verdict[2], FRAMES);
	/* A packet that is passed is changed only if it is left to the kernel, and then it is. */
	assert_int_equal(rewritten, after[LB_R_LEFT_TO_KERNEL] - before[LB_R_LEFT_TO_KERNEL]);
	assert_true(rewritten > 0);
	assert_int_equal(after[LB_R_INTERNAL], 0);
}

/* What services and backends count agrees with the reasons. */
static void test_sums_agree(void **state)
{
	__u64 in = 0, out = 0, ended[LB_R_COUNT] = {};
	struct lb_stats *stats;

	(void)state;
	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	for (unsigned int i = 0; i < stats->service_count; i++) {
		in += stats->services[i].traffic.packets_in;
		out += stats->services[i].traffic.packets_out;
		for (int reason = 1; reason < LB_R_COUNT; reason++)
			ended[reason] += stats->services[i].reasons[reason];
	}
	assert_int_equal(in, stats->reasons[LB_R_FORWARDED] + stats->reasons[LB_R_LOCAL]);
	assert_int_equal(out, stats->reasons[LB_R_REPLIED]);
	assert_int_equal(ended[LB_R_NO_BACKEND], stats->reasons[LB_R_NO_BACKEND]);
	assert_int_equal(ended[LB_R_NO_FLOW], stats->reasons[LB_R_NO_FLOW]);
	assert_int_equal(ended[LB_R_NOT_ATTACHED], stats->reasons[LB_R_NOT_ATTACHED]);
	lb_stats_free(stats);
}

static int open_world(void **state)
{
	struct lb_config *config = cast_config(false);
	struct spec spec;

	(void)state;
	cast_make_routes();
	world_open(config);
	lb_config_free(config);
	test_random_seed(20);
	for (int i = 0; i < BASES; i++) {
		describe(&spec);
		frame_build(&spec, &bases[i]);
	}
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
		cmocka_unit_test(test_million_frames),
		cmocka_unit_test(test_sums_agree),
	};

	return cmocka_run_group_tests_name("accounting", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
