// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health moves the slots of the backend that it is about, and no others: down, back by steps, all
 * down. What the library says is compared with where the loaded program sends openings.
 */
#include <errno.h>
#include <string.h>

#include <linux/bpf.h>

#include "world.h"

#define BACKENDS 5
#define TUPLES 4000
#define PORT 8080
#define NOBODY 0xff

static __u8 owner[TUPLES];
static union lb_addr vip;

static struct lb_config *make_config(enum lb_all_down on_all_down)
{
	struct lb_config *config = lb_config_new();
	struct lb_service_config *service;
	char text[LB_ADDR_TEXT_SIZE];

	assert_non_null(config);
	config->limits.services = 4;
	config->limits.slots = 65536;
	config->limits.flows = 65536;
	vip = world_addr("203.0.113.10");
	service = world_add_service(config, "web", IPPROTO_TCP, "203.0.113.10", 80, LB_MODE_NAT);
	service->health.type = LB_CHECK_TCP;
	service->health.on_all_down = on_all_down;
	for (unsigned int i = 0; i < BACKENDS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 10 + i);
		world_add_backend(config, "web", text, PORT, 1);
	}
	return config;
}

/* The neighbours that the kernel would have found. */
static int prepare(void **state)
{
	char lines[BACKENDS * 96];
	size_t used = 0;

	(void)state;
	for (unsigned int i = 0; i < BACKENDS; i++)
		used += (size_t)snprintf(lines + used, sizeof(lines) - used,
					 "neighbour add 192.0.2.%u lladdr 02:00:00:00:0b:11 nud "
					 "permanent dev b0\n",
					 10 + i);
	world_ip(lines);
	return 0;
}

static struct lb_health_change change_of(unsigned int backend, __u8 health, __u16 cut)
{
	struct lb_health_change change = { .service = "web",
					   .port = PORT,
					   .hint = ~0u,
					   .value = {
						   .health = health, .cut = cut, .since_ns = 1 } };
	char text[LB_ADDR_TEXT_SIZE];

	snprintf(text, sizeof(text), "192.0.2.%u", 10 + backend);
	change.addr = world_addr(text);
	return change;
}

static void set_health(unsigned int backend, __u8 health, __u16 cut)
{
	const struct lb_health_change change = change_of(backend, health, cut);
	struct lb_error err = { "" };

	if (lb_set_health(world.lb, &change, 1, &err))
		fail_msg("%s", err.text);
}

/* Opens a connection through the program; the number of the backend, or NOBODY. */
static __u8 open_one(unsigned int number, __u8 flags)
{
	struct spec spec = { .src = world_addr("198.51.100.7"),
			     .dst = vip,
			     .src_port = (__u16)(1024 + number),
			     .dst_port = 80,
			     .ttl = 64,
			     .proto = IPPROTO_TCP,
			     .tcp_flags = flags };
	struct lb_backend_config wanted;
	struct frame in, out;
	int action, ret;

	frame_build(&spec, &in);
	action = world_run(&world.client, &in, &out);
	ret = lb_schedule(world.lb, IPPROTO_TCP, &spec.src, spec.src_port, &vip, 80, &wanted, NULL,
			  NULL);
	if (ret == -EHOSTUNREACH) {
		assert_int_equal(action, XDP_DROP);
		return NOBODY;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(action, XDP_REDIRECT);
	if (flags == TCP_SYN)
		assert_int_equal(frame_dst(&out, false).bytes[15], wanted.addr.bytes[15]);
	return frame_dst(&out, false).bytes[15] - 10;
}

struct moves {
	unsigned int from[BACKENDS], to[BACKENDS], all;
};

/* Opens all of them; what changed since the last time. */
static struct moves open_all(void)
{
	struct moves moves = { 0 };

	for (unsigned int i = 0; i < TUPLES; i++) {
		const __u8 now = open_one(i, TCP_SYN);

		if (now != owner[i]) {
			moves.all++;
			if (owner[i] != NOBODY)
				moves.from[owner[i]]++;
			if (now != NOBODY)
				moves.to[now]++;
		}
		owner[i] = now;
	}
	return moves;
}

static unsigned int count_of(__u8 backend)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < TUPLES; i++)
		count += owner[i] == backend;
	return count;
}

static void test_the_dead_ones_slots_only(void **state)
{
	struct lb_config *config = make_config(LB_ALL_DOWN_ANY);
	struct lb_backend_health found;
	struct moves moves;
	__u32 hint = ~0u;
	unsigned int had;

	(void)state;
	world_open(config);
	memset(owner, NOBODY, sizeof(owner));
	(void)open_all();
	had = count_of(2);
	assert_in_range(had, TUPLES / BACKENDS * 8 / 10, TUPLES / BACKENDS * 12 / 10);
	set_health(2, LB_HEALTH_DOWN, LB_CUT_WHOLE);
	/* By nat it had connections, and nobody can keep them: no history for its slots. */
	assert_int_equal(world.lb->control->histories, 0);
	moves = open_all();
	assert_int_equal(moves.all, had);
	assert_int_equal(moves.from[2], had);
	assert_int_equal(count_of(2), 0);
	/* The weight stays, and other changes leave the dead one dead. */
	assert_int_equal(lb_get_health(world.lb, "web", &config->services[0].backends[2].addr, PORT,
				       &hint, &found),
			 0);
	assert_int_equal(found.health, LB_HEALTH_DOWN);
	world_commit(config);
	assert_int_equal(open_all().all, 0);
	config->services[0].backends[0].weight = 2;
	world_commit(config);
	moves = open_all();
	assert_int_equal(moves.to[0], moves.all);
	assert_int_equal(count_of(2), 0);
	/* Without checks nobody's verdict counts. */
	config->services[0].health.type = LB_CHECK_NONE;
	world_commit(config);
	(void)open_all();
	assert_in_range(count_of(2), TUPLES / 6 * 8 / 10, TUPLES / 6 * 12 / 10);
	world_close();
	lb_config_free(config);
}

static void test_back_by_steps(void **state)
{
	struct lb_config *config = make_config(LB_ALL_DOWN_ANY);
	unsigned int moved = 0, due;

	(void)state;
	world_open(config);
	set_health(3, LB_HEALTH_DOWN, LB_CUT_WHOLE);
	memset(owner, NOBODY, sizeof(owner));
	(void)open_all();
	for (int cut = 900; cut >= 0; cut -= 100) {
		struct moves moves;

		set_health(3, LB_HEALTH_UP, (__u16)cut);
		/* The others' connections live on in what they lose. */
		assert_true(world.lb->control->histories > 0);
		moves = open_all();
		/* Only towards it, so no slot moves twice. */
		assert_int_equal(moves.to[3], moves.all);
		moved += moves.all;
		due = TUPLES * (LB_CUT_WHOLE - (unsigned int)cut) /
		      ((BACKENDS - 1) * LB_CUT_WHOLE + LB_CUT_WHOLE - (unsigned int)cut);
		assert_in_range(count_of(3), due * 8 / 10, due * 12 / 10 + 5);
	}
	assert_int_equal(moved, count_of(3));
	world_close();
	lb_config_free(config);
}

/* Connections that live on the others survive that slots go to one that has recovered. */
static void test_recovery_cuts_nothing(void **state)
{
	struct lb_config *config = make_config(LB_ALL_DOWN_ANY);

	(void)state;
	world_open(config);
	set_health(1, LB_HEALTH_DOWN, LB_CUT_WHOLE);
	memset(owner, NOBODY, sizeof(owner));
	(void)open_all();
	set_health(1, LB_HEALTH_UP, 0);
	for (unsigned int i = 0; i < TUPLES; i++)
		assert_int_equal(open_one(i, TCP_ACK), owner[i]);
	world_close();
	lb_config_free(config);
}

static void take_all_down(void)
{
	for (unsigned int i = 0; i < BACKENDS; i++)
		set_health(i, LB_HEALTH_DOWN, LB_CUT_WHOLE);
}

static void test_all_down(void **state)
{
	struct lb_config *config = make_config(LB_ALL_DOWN_ANY);

	(void)state;
	world_open(config);
	take_all_down();
	memset(owner, NOBODY, sizeof(owner));
	(void)open_all();
	for (__u8 i = 0; i < BACKENDS; i++)
		assert_in_range(count_of(i), TUPLES / BACKENDS * 8 / 10,
				TUPLES / BACKENDS * 12 / 10);
	/* The first one that is back takes all. */
	set_health(4, LB_HEALTH_UP, 0);
	(void)open_all();
	assert_int_equal(count_of(4), TUPLES);
	world_close();
	lb_config_free(config);

	config = make_config(LB_ALL_DOWN_DROP);
	world_open(config);
	take_all_down();
	(void)open_all();
	assert_int_equal(count_of(NOBODY), TUPLES);
	set_health(0, LB_HEALTH_UP, 0);
	(void)open_all();
	assert_int_equal(count_of(0), TUPLES);
	world_close();
	lb_config_free(config);
}

static void test_refusals(void **state)
{
	struct lb_config *config = make_config(LB_ALL_DOWN_ANY);
	struct lb_health_change change = change_of(0, LB_HEALTH_DOWN, LB_CUT_WHOLE);
	struct lb_error err;
	__u64 before;

	(void)state;
	world_open(config);
	/* Whom the maps do not have is left out, and the others are not. */
	before = world.lb->services[0].line;
	change.port++;
	assert_int_equal(lb_set_health(world.lb, &change, 1, &err), 0);
	assert_int_equal(world.lb->services[0].line, before);
	change.port--;
	world.lb->control->is_gone = 1;
	assert_int_equal(lb_set_health(world.lb, &change, 1, &err), -ESTALE);
	world.lb->control->is_gone = 0;
	/* The same again moves nothing. */
	assert_int_equal(lb_set_health(world.lb, &change, 1, &err), 0);
	before = world.lb->services[0].line;
	assert_int_equal(lb_set_health(world.lb, &change, 1, &err), 0);
	assert_int_equal(world.lb->services[0].line, before);
	world_close();
	lb_config_free(config);
}

static int body(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_dead_ones_slots_only),
		cmocka_unit_test(test_back_by_steps),
		cmocka_unit_test(test_recovery_cuts_nothing),
		cmocka_unit_test(test_all_down),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}

int main(void)
{
	return world_guard(body);
}
