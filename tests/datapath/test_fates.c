// SPDX-License-Identifier: GPL-2.0-only
/*
 * How attempts to open a connection end, as it is counted for their backend: answered, refused,
 * unreachable, unanswered, or open and reset later. In nat and full NAT, in both families.
 */
#include <string.h>

#include <linux/bpf.h>

#include "cast.h"

#define SEQUENCE 4 /* offset in a TCP header */

static enum part part;
static bool is_v6;
static __u8 proto;

static struct lb_traffic traffic(void)
{
	const union lb_addr vip = world_addr(cast_vip(part, is_v6));
	struct lb_traffic found = { .connections = LB_UNKNOWN };
	struct lb_stats *stats;

	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	for (unsigned int i = 0; i < stats->service_count; i++)
		if (lb_addr_is_equal(&stats->services[i].config.vip, &vip) &&
		    stats->services[i].config.proto == proto)
			found = stats->services[i].backends[0].traffic;
	lb_stats_free(stats);
	assert_true(found.connections != LB_UNKNOWN);
	return found;
}

/* From the client; out is what the backend gets. */
static void client_sends(__u16 port, __u8 flags, struct frame *out)
{
	struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(cast_client[is_v6]),
		.dst = world_addr(cast_vip(part, is_v6)),
		.src_port = port,
		.dst_port = CAST_SERVICE_PORT,
		.ttl = 64,
		.proto = proto,
		.tcp_flags = flags,
		.payload = 8,
	};
	struct frame in;

	memcpy(spec.eth_dst, world.client.mac, 6);
	memcpy(spec.eth_src, world_client_mac, 6);
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, out), XDP_REDIRECT);
}

/* From the backend, back along what it got. */
static struct spec back(const struct frame *got, __u8 flags)
{
	struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(cast_backend(part, is_v6)),
		.dst_port = frame_src_port(got),
		.src_port = CAST_BACKEND_PORT,
		.ttl = 64,
		.proto = proto,
		.tcp_flags = flags,
		.payload = 8,
	};

	if (is_v6)
		memcpy(&spec.dst, got->data + got->l3 + 8, 16);
	else
		lb_addr_from_v4(&spec.dst, *(const __be32 *)(got->data + got->l3 + 12));
	memcpy(spec.eth_dst, world.backend.mac, 6);
	memcpy(spec.eth_src, world_backend_mac, 6);
	return spec;
}

static void answer(const struct frame *got, __u8 flags, __u8 sequence)
{
	const struct spec spec = back(got, flags);
	struct frame in, out;

	frame_build(&spec, &in);
	if (proto == IPPROTO_TCP)
		memset(in.data + in.l4 + SEQUENCE, sequence, 4);
	assert_int_equal(world_run(&world.backend, &in, &out), XDP_REDIRECT);
}

static void complain(const struct frame *got, __u16 type_and_code)
{
	struct spec spec = back(got, 0);
	struct frame in, out;

	spec.proto = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	spec.icmp = type_and_code;
	frame_build_quote(&spec, got, is_v6 ? 48 : 28, 0, &in);
	assert_int_equal(world_run(&world.backend, &in, &out), XDP_REDIRECT);
}

struct change {
	__u64 connections, answered, refused, unreachable, unanswered, resets;
};

static void assert_change(const struct lb_traffic *before, struct change wanted)
{
	const struct lb_traffic now = traffic();

	assert_int_equal(now.connections - before->connections, wanted.connections);
	assert_int_equal(now.answered - before->answered, wanted.answered);
	assert_int_equal(now.refused - before->refused, wanted.refused);
	assert_int_equal(now.unreachable - before->unreachable, wanted.unreachable);
	assert_int_equal(now.unanswered - before->unanswered, wanted.unanswered);
	assert_int_equal(now.resets - before->resets, wanted.resets);
	assert_int_equal(now.failed - before->failed,
			 wanted.refused + wanted.unreachable + wanted.unanswered);
}

static void each(void (*body)(void))
{
	static const enum part parts[] = { NAT, FULL };

	for (int i = 0; i < 4; i++) {
		part = parts[i / 2];
		is_v6 = i & 1;
		body();
	}
}

static void opens(void)
{
	struct change wanted = { .connections = 1, .answered = 1 };
	const struct lb_traffic before = traffic();
	struct frame got;

	client_sends(6000, TCP_SYN, &got);
	answer(&got, TCP_SYN | TCP_ACK, 1);
	client_sends(6000, TCP_ACK, &got);
	answer(&got, TCP_ACK, 2);
	assert_change(&before, wanted);
	/* Said again, since the backend has no room for it: full NAT knows that it is old. */
	answer(&got, TCP_SYN | TCP_ACK, 1);
	wanted.answered += part == NAT;
	assert_change(&before, wanted);
	/* Its end is no failure to connect. */
	answer(&got, TCP_RST, 2);
	wanted.resets++;
	assert_change(&before, wanted);
}

static void test_opens(void **state)
{
	(void)state;
	proto = IPPROTO_TCP;
	each(opens);
}

static void refuses(void)
{
	const struct lb_traffic before = traffic();
	struct frame got;

	client_sends(6001, TCP_SYN, &got);
	answer(&got, TCP_RST | TCP_ACK, 0);
	assert_change(&before, (struct change){ .connections = 1, .refused = 1 });
	/* What the client resets is not the backend's doing. */
	client_sends(6002, TCP_SYN, &got);
	answer(&got, TCP_SYN | TCP_ACK, 1);
	client_sends(6002, TCP_RST, &got);
	assert_change(&before, (struct change){ .connections = 2, .refused = 1, .answered = 1 });
}

static void test_is_refused(void **state)
{
	(void)state;
	proto = IPPROTO_TCP;
	each(refuses);
}

static void reports(void)
{
	const struct lb_traffic before = traffic();
	struct frame got;

	client_sends(6003, proto == IPPROTO_TCP ? TCP_SYN : 0, &got);
	complain(&got, is_v6 ? 0x0100 : 0x0301);
	assert_change(&before, (struct change){ .connections = 1, .unreachable = 1 });
	/* Of its size: not of where it got to. */
	complain(&got, is_v6 ? 0x0200 : 0x0304);
	assert_change(&before, (struct change){ .connections = 1, .unreachable = 1 });
}

static void test_is_unreachable(void **state)
{
	(void)state;
	proto = IPPROTO_TCP;
	each(reports);
	proto = IPPROTO_UDP;
	each(reports);
}

/* Full NAT knows a SYN that comes again, and counts it once; nat does not. */
static void stays_silent(void)
{
	const struct lb_traffic before = traffic();
	struct frame got;

	for (int i = 0; i < 3; i++)
		client_sends(6004, TCP_SYN, &got);
	if (part == FULL)
		assert_change(&before, (struct change){ .connections = 1, .unanswered = 1 });
	else
		assert_change(&before, (struct change){ .connections = 3 });
}

static void test_is_unanswered(void **state)
{
	(void)state;
	proto = IPPROTO_TCP;
	each(stays_silent);
}

/* Of UDP a reply is known as the first one only where there is a flow. */
static void talks(void)
{
	const struct lb_traffic before = traffic();
	struct frame got;

	for (int i = 0; i < 3; i++) {
		client_sends(6005, 0, &got);
		answer(&got, 0, 0);
	}
	assert_change(&before, (struct change){ .connections = 1, .answered = part == FULL });
}

static void test_udp(void **state)
{
	(void)state;
	proto = IPPROTO_UDP;
	each(talks);
}

/* A client whose SYN was not answered asks again: if its slot has moved, the new owner gets it. */
static void test_asks_the_new_owner(void **state)
{
	struct lb_service_config *service;
	struct lb_config *config;
	struct lb_traffic before;
	struct frame got;

	(void)state;
	part = FULL;
	proto = IPPROTO_TCP;
	for (int family = 0; family < 2; family++) {
		const union lb_addr other = world_addr(cast_backend(BARE, family));

		union lb_addr to;

		is_v6 = family;
		before = traffic();
		client_sends(6006, TCP_SYN, &got);
		client_sends(6007, TCP_SYN, &got);
		answer(&got, TCP_SYN | TCP_ACK, 1);
		config = cast_config(false);
		service = lb_config_find_service(config, is_v6 ? "full-tcp-6" : "full-tcp-4");
		service->backends[0].weight = 0;
		world_add_backend(config, service->name, cast_backend(BARE, is_v6),
				  CAST_BACKEND_PORT + 1, 1);
		world_commit(config);
		lb_config_free(config);
		client_sends(6006, TCP_SYN, &got);
		to = frame_dst(&got, is_v6);
		assert_true(lb_addr_is_equal(&to, &other));
		/* One that was answered stays where it is. */
		client_sends(6007, TCP_SYN, &got);
		to = frame_dst(&got, is_v6);
		assert_false(lb_addr_is_equal(&to, &other));
		assert_change(&before,
			      (struct change){ .connections = 2, .answered = 1, .unanswered = 1 });
		config = cast_config(false);
		world_commit(config);
		lb_config_free(config);
	}
}

static int open_world(void **state)
{
	struct lb_config *config = cast_config(false);

	(void)state;
	cast_make_routes();
	world_open(config);
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
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_is_refused),
		cmocka_unit_test(test_is_unreachable),
		cmocka_unit_test(test_is_unanswered),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_asks_the_new_owner),
	};

	return cmocka_run_group_tests_name("fates", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
