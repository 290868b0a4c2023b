// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP by nat when backends change: a flow stays where it began as long as it is recorded, and one
 * of a stateless service goes by the hash alone, without an entry in the flow table.
 */
#include <linux/bpf.h>

#include "world.h"

#define FLOWS 500
#define BACKENDS 4
#define TIMEOUT_S 120

enum kind { RECORDED, STATELESS, KINDS };

static const char *const names[KINDS] = { "recorded", "stateless" };
static const char *const vips[2] = { "203.0.113.10", "2001:db8::10" };
static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static const char *const backends[2][BACKENDS] = {
	{ "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14" },
	{ "2001:db8:b::11", "2001:db8:b::12", "2001:db8:b::13", "2001:db8:b::14" },
};

static struct lb_config *make_config(unsigned int backend_count, bool is_first_drained)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 8;
	config->limits.slots = 131072;
	config->limits.flows = 8192;
	for (int i = 0; i < 2 * KINDS; i++) {
		struct lb_service_config *service;
		char name[LB_NAME_SIZE];

		snprintf(name, sizeof(name), "%s-%d", names[i / 2], i % 2);
		service = world_add_service(config, name, IPPROTO_UDP, vips[i % 2], 1000 + i / 2,
					    LB_MODE_NAT);
		service->is_stateless = i / 2 == STATELESS;
		service->timeouts.udp = TIMEOUT_S;
		for (unsigned int b = 0; b < backend_count; b++) {
			world_add_backend(config, name, backends[i % 2][b], 8000 + i / 2, 1);
			service->backends[b].is_drained = is_first_drained && b == 0;
		}
	}
	return config;
}

static void commit(unsigned int backend_count, bool is_first_drained)
{
	struct lb_config *config = make_config(backend_count, is_first_drained);

	world_commit(config);
	lb_config_free(config);
}

/* The last byte of the backend's address. */
static int send_packet(enum kind kind, bool is_v6, int flow)
{
	const struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(vips[is_v6]),
		.src_port = 20000 + flow,
		.dst_port = 1000 + kind,
		.proto = IPPROTO_UDP,
		.ttl = 64,
		.payload = 10,
	};
	struct frame in, out;

	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
	return frame_dst(&out, is_v6).bytes[15];
}

static __u64 count_flows(void)
{
	struct lb_stats *stats;
	__u64 flows;

	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	flows = stats->flows;
	lb_stats_free(stats);
	return flows;
}

static void send_all(int to[KINDS][2][FLOWS])
{
	for (int i = 0; i < KINDS * 2 * FLOWS; i++)
		to[i / FLOWS / 2][i / FLOWS % 2][i % FLOWS] =
			send_packet(i / FLOWS / 2, i / FLOWS % 2, i % FLOWS);
}

static unsigned int count_moved(int a[2][FLOWS], int b[2][FLOWS])
{
	unsigned int moved = 0;

	for (int i = 0; i < 2 * FLOWS; i++)
		moved += a[i / FLOWS][i % FLOWS] != b[i / FLOWS][i % FLOWS];
	return moved;
}

static void test_recorded_flows_stay(void **state)
{
	static int first[KINDS][2][FLOWS], second[KINDS][2][FLOWS];

	(void)state;
	send_all(first);
	assert_int_equal(count_flows(), 2 * FLOWS); /* those of the stateless service have none */
	commit(BACKENDS, false);
	send_all(second);
	assert_int_equal(count_moved(first[RECORDED], second[RECORDED]), 0);
	assert_in_range(count_moved(first[STATELESS], second[STATELESS]), 2 * FLOWS / 6,
			2 * FLOWS / 3); /* a quarter */
	commit(BACKENDS, true);
	send_all(second);
	assert_int_equal(count_moved(first[RECORDED], second[RECORDED]), 0);
	assert_int_equal(count_flows(), 2 * FLOWS);
}

/* Idle past the timeout, a flow is scheduled anew: nobody stays with the drained backend. */
static void test_idle_flows_are_scheduled_anew(void **state)
{
	static int to[KINDS][2][FLOWS];
	unsigned int left = 0;

	(void)state;
	world_age((TIMEOUT_S + 10) * world.lb->control->hz);
	send_all(to);
	for (int i = 0; i < KINDS * 2 * FLOWS; i++)
		left += to[i / FLOWS / 2][i / FLOWS % 2][i % FLOWS] == 0x11 ||
			to[i / FLOWS / 2][i / FLOWS % 2][i % FLOWS] == 11;
	assert_int_equal(left, 0);
}

static int open_world(void **state)
{
	struct lb_config *config = make_config(BACKENDS - 1, false);
	char lines[2048];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < 2 * BACKENDS; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			backends[i % 2][i / 2]);
	world_ip(lines);
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
		cmocka_unit_test(test_recorded_flows_stay),
		cmocka_unit_test(test_idle_flows_are_scheduled_anew),
	};

	return cmocka_run_group_tests_name("udp", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
