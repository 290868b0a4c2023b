// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backend's number that is given to another one: histories of slots that still name its earlier
 * holder must not send packets to the new one.
 */
#include <linux/bpf.h>

#include "world.h"

#define TUPLES 4000
#define MINE 8000 /* ports of backends, by service */
#define OTHERS 9000

static const char *const vips[2][2] = { { "203.0.113.10", "2001:db8::10" },
					{ "203.0.113.20", "2001:db8::20" } };
static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static const char *const hosts[2][4] = {
	{ "192.0.2.20", "192.0.2.21", "192.0.2.22", "192.0.2.23" },
	{ "2001:db8:b::20", "2001:db8:b::21", "2001:db8:b::22", "2001:db8:b::23" },
};

static bool is_v6;

/* Weights of three backends by nat, -1 for one that is not there; and how many by full NAT beside
 * them. There are numbers for four. */
static void commit(int first, int second, int third, unsigned int others)
{
	const int weights[] = { first, second, third };
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 2;
	config->limits.backends = 4;
	config->limits.slots = 2 * 16384;
	config->limits.flows = 65536;
	world_add_service(config, "mine", IPPROTO_TCP, vips[0][is_v6], 80, LB_MODE_NAT);
	for (int i = 0; i < 3; i++)
		if (weights[i] >= 0)
			world_add_backend(config, "mine", hosts[is_v6][i], MINE, weights[i]);
	world_add_service(config, "others", IPPROTO_TCP, vips[1][is_v6], 80, LB_MODE_FULLNAT);
	for (unsigned int i = 0; i < others; i++)
		world_add_backend(config, "others", hosts[is_v6][2 + i], OTHERS, 1);
	if (world.lb)
		world_commit(config);
	else
		world_open(config);
	lb_config_free(config);
}

/* Sends a packet of each connection: all must reach a backend of their service. */
static void send_all(__u8 flags)
{
	struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(vips[0][is_v6]),
		.dst_port = 80,
		.ttl = 64,
		.proto = IPPROTO_TCP,
		.tcp_flags = flags,
	};

	for (int i = 0; i < TUPLES; i++) {
		struct frame in, out;

		spec.src_port = 1024 + i;
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		assert_int_equal(out.data[out.l4 + 2] << 8 | out.data[out.l4 + 3], MINE);
	}
}

static void test_history_of_a_number_given_again(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		is_v6 = i;
		commit(1, 1, 1, 0);
		send_all(TCP_SYN);
		/* Drained, its slots name it as the owner before; gone, they do so still. */
		commit(1, 0, 1, 1);
		commit(1, -1, 1, 1);
		send_all(TCP_ACK);
		/* The only number left is its own. Some slots with history move in the same step.
		 */
		commit(1, -1, 2, 2);
		send_all(TCP_ACK);
		world_close();
	}
}

static int make_neighbours(void **state)
{
	char lines[8 * 128];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			hosts[i / 4][i % 4]);
	world_ip(lines);
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
		cmocka_unit_test(test_history_of_a_number_given_again),
	};

	return cmocka_run_group_tests_name("reuse", tests, make_neighbours, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
