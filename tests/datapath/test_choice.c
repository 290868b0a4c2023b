// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 random five-tuples a family: the loaded program sends each to the backend that the
 * library names, and when a backend is added, removed or re-weighted, few more change than the
 * weights demand.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "world.h"

#define TUPLES 100000
#define BACKENDS 101
#define WEIGHT 10
#define ALLOWANCE 0.001 /* 0.1 percentage points */
#define FIRST_HOST 10

struct tuple {
	union lb_addr client;
	__u16 port;
	__u8 choice; /* number of the backend */
};

static const char *const vips[2] = { "203.0.113.10", "2001:db8::10" };
static struct tuple tuples[2][TUPLES];
static unsigned int weights[BACKENDS];

static const char *backend_text(unsigned int number, bool is_v6, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, is_v6 ? "2001:db8:b::%x" : "192.0.2.%u",
		 FIRST_HOST + number);
	return text;
}

static struct lb_config *make_config(void)
{
	struct lb_config *config = lb_config_new();
	char text[LB_ADDR_TEXT_SIZE];

	assert_non_null(config);
	config->limits.services = 4;
	config->limits.slots = 65536;
	config->limits.flows = 131072;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		const char *name = is_v6 ? "six" : "four";

		world_add_service(config, name, IPPROTO_TCP, vips[is_v6], 80, LB_MODE_NAT);
		for (unsigned int i = 0; i < BACKENDS; i++)
			if (weights[i])
				world_add_backend(config, name, backend_text(i, is_v6, text), 8080,
						  weights[i]);
	}
	return config;
}

/* Sends the opening of each connection, compares with the library, counts those that changed. */
static unsigned int choose_all(bool is_v6)
{
	const union lb_addr vip = world_addr(vips[is_v6]);
	struct spec spec = { .is_v6 = is_v6,
			     .dst = vip,
			     .dst_port = 80,
			     .ttl = 64,
			     .proto = IPPROTO_TCP,
			     .tcp_flags = TCP_SYN };
	unsigned int changed = 0;

	for (int i = 0; i < TUPLES; i++) {
		struct tuple *tuple = &tuples[is_v6][i];
		struct lb_backend_config wanted;
		struct frame in, out;
		union lb_addr dst;

		spec.src = tuple->client;
		spec.src_port = tuple->port;
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		dst = frame_dst(&out, is_v6);
		assert_int_equal(lb_schedule(world.lb, IPPROTO_TCP, &tuple->client, tuple->port,
					     &vip, 80, &wanted, NULL, NULL),
				 0);
		assert_memory_equal(&dst, &wanted.addr, sizeof(dst));
		changed += tuple->choice != dst.bytes[15] - FIRST_HOST;
		tuple->choice = dst.bytes[15] - FIRST_HOST;
	}
	return changed;
}

static double ideal_share(const unsigned int before[BACKENDS])
{
	double old_sum = 0, new_sum = 0, ideal = 0;

	for (int i = 0; i < BACKENDS; i++) {
		old_sum += before[i];
		new_sum += weights[i];
	}
	for (int i = 0; i < BACKENDS; i++)
		ideal += fabs(weights[i] / new_sum - before[i] / old_sum) / 2;
	return ideal;
}

/* Commits a new weight (0: no such backend) and measures what moves. */
static void change(unsigned int number, unsigned int weight, const char *what)
{
	unsigned int before[BACKENDS], changed;
	struct lb_config *config;
	struct lb_plan *plan;
	double ideal;

	memcpy(before, weights, sizeof(before));
	weights[number] = weight;
	ideal = ideal_share(before);
	config = make_config();
	assert_int_equal(lb_make_plan(world.lb, config, &plan, NULL), 0);
	for (unsigned int i = 0; i < plan->service_count; i++)
		assert_true(plan->services[i].moved <=
			    (ideal + ALLOWANCE) * plan->services[i].slots);
	world_commit(config);
	changed = choose_all(false) + choose_all(true);
	printf("  %-22s ideal %.4f %%, slots %.4f %%, connections %.4f %%\n", what, ideal * 100,
	       100.0 * plan->services[0].moved / plan->services[0].slots,
	       100.0 * changed / (2 * TUPLES));
	assert_true(changed <= (ideal + ALLOWANCE) * 2 * TUPLES);
	assert_true(changed >= (ideal - ALLOWANCE) * 2 * TUPLES);
	lb_plan_free(plan);
	lb_config_free(config);
}

static void test_library_agrees(void **state)
{
	unsigned int count[BACKENDS] = {};

	(void)state;
	choose_all(false);
	choose_all(true);
	for (int i = 0; i < 2 * TUPLES; i++)
		count[tuples[i / TUPLES][i % TUPLES].choice]++;
	/* 100 of equal weight: 2,000 each, five standard deviations allowed. */
	for (int i = 0; i < BACKENDS - 1; i++)
		assert_in_range(count[i], 2000 - 225, 2000 + 225);
}

static void test_changes_move_little(void **state)
{
	(void)state;
	change(BACKENDS - 1, WEIGHT, "one added");
	change(3, 0, "one removed");
	change(7, WEIGHT / 2, "a weight halved");
	change(8, 3 * WEIGHT, "a weight tripled");
	change(3, WEIGHT, "the removed one back");
	change(7, WEIGHT, "the halved one whole");
}

static int open_world(void **state)
{
	char text[LB_ADDR_TEXT_SIZE];
	static char lines[BACKENDS * 2 * 128];
	size_t used = 0;
	struct lb_config *config;

	(void)state;
	test_random_seed(3);
	for (int i = 0; i < 2 * TUPLES; i++) {
		struct tuple *tuple = &tuples[i / TUPLES][i % TUPLES];

		if (i < TUPLES) {
			lb_addr_from_v4(&tuple->client, (__be32)test_random());
		} else {
			tuple->client.quads[0] = test_random();
			tuple->client.quads[1] = test_random();
		}
		tuple->port = (__u16)test_random();
	}
	for (unsigned int i = 0; i < 2 * BACKENDS; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			backend_text(i / 2, i % 2, text));
	world_ip(lines);
	for (int i = 0; i < BACKENDS - 1; i++)
		weights[i] = WEIGHT;
	config = make_config();
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
		cmocka_unit_test(test_library_agrees),
		cmocka_unit_test(test_changes_move_little),
	};

	return cmocka_run_group_tests_name("choice", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
