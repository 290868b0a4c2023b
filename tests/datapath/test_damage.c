// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds the maps without rights, as lbd's worker does, may write anything there: commands that
 * run as root go on, and the next change makes it right again.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "world.h"

#define BACKENDS 4
#define TUPLES 2000
#define PORT 8080

static union lb_addr vip;
static struct lb_config *config;

static struct lb_config *make_config(void)
{
	struct lb_config *made = lb_config_new();
	char text[LB_ADDR_TEXT_SIZE];

	assert_non_null(made);
	made->limits.services = 4;
	made->limits.backends = 64;
	made->limits.slots = 65536;
	made->limits.flows = 65536;
	vip = world_addr("203.0.113.10");
	world_add_service(made, "web", IPPROTO_TCP, "203.0.113.10", 80, LB_MODE_NAT);
	world_add_service(made, "beside", IPPROTO_TCP, "203.0.113.20", 80, LB_MODE_FULLNAT);
	for (unsigned int i = 0; i < BACKENDS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 10 + i);
		world_add_backend(made, "web", text, PORT, 1);
		world_add_backend(made, "beside", text, PORT + 1, 1);
	}
	made->services[0].health.type = LB_CHECK_TCP;
	return made;
}

static int open_all(void **state)
{
	char lines[BACKENDS * 96];
	size_t used = 0;

	(void)state;
	for (unsigned int i = 0; i < BACKENDS; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour replace 192.0.2.%u lladdr 02:00:00:00:0b:11 nud "
			"permanent dev b0\n",
			10 + i);
	world_ip(lines);
	config = make_config();
	world_open(config);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	world_close();
	lb_config_free(config);
	return 0;
}

/* ---- damage, as the worker would do it, by the map --------------------------------------------
 */

static void damage(enum lb_map_id map, __u32 key, size_t offset, const void *bytes, size_t size)
{
	const int fd = world.lb->maps[map].fd;
	char value[4096];

	assert_int_equal(bpf_map_lookup_elem(fd, &key, value), 0);
	memcpy(value + offset, bytes, size);
	assert_int_equal(bpf_map_update_elem(fd, &key, value, 0), 0);
}

#define DAMAGE(map, key, type, field, to)                                                          \
	do {                                                                                       \
		const __typeof__(((type *)0)->field) bad = (to);                                   \
		damage(map, key, offsetof(type, field), &bad, sizeof(bad));                        \
	} while (0)

static __u32 number_of(const char *name)
{
	for (__u32 i = 0; i < world.lb->meta->services; i++)
		if (world.lb->services[i].flags & LB_S_IN_USE &&
		    !strcmp(world.lb->services[i].name, name))
			return i;
	fail_msg("no service %s", name);
	return 0;
}

/* ---- what commands do then --------------------------------------------------------------------
 */

/* Reads all that is read, and moves a weight by health; what it says does not matter. */
static void look_around(void)
{
	static __u16 cut;
	struct lb_health_change change = { .service = "web",
					   .addr = world_addr("192.0.2.10"),
					   .port = PORT,
					   .hint = ~0u,
					   .value = { .health = LB_HEALTH_UP } };
	struct lb_limit_usage usage[LB_LIMITS];
	struct lb_backend_config found;
	struct lb_status *status;
	struct lb_stats *stats;
	struct lb_plan *plan;

	if (!lb_get_stats(world.lb, &stats, NULL))
		lb_stats_free(stats);
	if (!lb_get_status(world.lb, &status, NULL))
		lb_status_free(status);
	if (!lb_make_plan(world.lb, config, &plan, NULL))
		lb_plan_free(plan);
	(void)lb_get_limits(world.lb, &config->limits, usage, NULL);
	for (__u16 port = 1024; port < 1024 + 64; port++)
		(void)lb_schedule(world.lb, IPPROTO_TCP, &vip, port, &vip, 80, &found, NULL, NULL);
	cut = cut ? 0 : 500;
	change.value.cut = cut;
	(void)lb_set_health(world.lb, &change, 1, NULL);
}

/* Every opening is sent where the library says, and each backend has its part. */
static void assert_right(void)
{
	unsigned int had[BACKENDS] = { 0 };
	struct lb_service service;
	struct lb_stats *stats;

	assert_true(lb_service_get(world.lb, number_of("web"), &service));
	for (unsigned int i = 0; i < TUPLES; i++) {
		struct spec spec = { .src = world_addr("198.51.100.7"),
				     .dst = vip,
				     .src_port = (__u16)(1024 + i),
				     .dst_port = 80,
				     .ttl = 64,
				     .proto = IPPROTO_TCP,
				     .tcp_flags = TCP_SYN };
		struct lb_backend_config wanted;
		struct frame in, out;

		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		assert_int_equal(lb_schedule(world.lb, IPPROTO_TCP, &spec.src, spec.src_port, &vip,
					     80, &wanted, NULL, NULL),
				 0);
		assert_int_equal(frame_dst(&out, false).bytes[15], wanted.addr.bytes[15]);
		had[wanted.addr.bytes[15] - 10]++;
	}
	for (unsigned int i = 0; i < BACKENDS; i++)
		assert_in_range(had[i], TUPLES / BACKENDS * 8 / 10, TUPLES / BACKENDS * 12 / 10);
	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	assert_int_equal(stats->service_count, 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(stats->services[i].backend_count, BACKENDS);
	lb_stats_free(stats);
}

static void mend(void)
{
	struct lb_health_change change = {
		.service = "web", .port = PORT, .hint = ~0u, .value = { .health = LB_HEALTH_UP }
	};

	look_around();
	world_commit(config);
	for (unsigned int i = 0; i < BACKENDS; i++) {
		change.addr = config->services[0].backends[i].addr;
		assert_int_equal(lb_set_health(world.lb, &change, 1, NULL), 0);
	}
	assert_right();
}

/* ---- by entry ---------------------------------------------------------------------------------
 */

static void test_service(void **state)
{
	static const __u32 far[] = { 0x0fffffff, 0xffffffff, 0x7fffffff };

	(void)state;
	assert_right();
	for (int i = 0; i < 3; i++) {
		DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, line, far[i]);
		mend();
		DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, slots, far[i]);
		mend();
		DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, first_line, far[i]);
		mend();
		DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, backend_base, far[i]);
		mend();
	}
	DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, slots, 0);
	mend();
	DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, vip_length, 255);
	look_around();
	world_commit(config);
	assert_right();
}

/* Neither is measured by where the other says it is. */
static void test_both_services(void **state)
{
	(void)state;
	DAMAGE(LB_MAP_SERVICES, number_of("web"), struct lb_service, line, 0x0fffffff);
	DAMAGE(LB_MAP_SERVICES, number_of("beside"), struct lb_service, first_line, 0xfffffff0);
	mend();
}

static void test_backend(void **state)
{
	__u32 number = 0;

	(void)state;
	while (world.lb->backends[number].service != number_of("web"))
		number++;
	DAMAGE(LB_MAP_BACKENDS, number, struct lb_backend, service, 0xffff);
	mend();
	number = 0;
	while (!(world.lb->backends[number].flags & LB_B_IN_USE))
		number++;
	DAMAGE(LB_MAP_BACKENDS, number, struct lb_backend, endpoint, 0xffff);
	mend();
	assert_in_range(world.lb->backends[number].endpoint, 0, config->limits.backends - 1);
	DAMAGE(LB_MAP_HEALTH, number, struct lb_backend_health, cut, 0xffff);
	mend();
}

static void test_meta_and_control(void **state)
{
	const __u32 wide = 0x0fffffff;

	(void)state;
	DAMAGE(LB_MAP_CONTROL, 0, struct lb_control, hz, 0);
	look_around();
	DAMAGE(LB_MAP_CONTROL, 0, struct lb_control, hz, 250);
	DAMAGE(LB_MAP_CONTROL, 0, struct lb_control, lookup[0], ~0ull);
	DAMAGE(LB_MAP_CONTROL, 0, struct lb_control, lookup[1], ~0ull);
	mend();
	/* The sizes are the kernel's. */
	DAMAGE(LB_MAP_META, 0, struct lb_meta, services, wide);
	DAMAGE(LB_MAP_META, 0, struct lb_meta, backends, wide);
	DAMAGE(LB_MAP_META, 0, struct lb_meta, lines, wide);
	DAMAGE(LB_MAP_META, 0, struct lb_meta, flows, wide);
	mend();
	lb_meta_take(world.lb);
	assert_int_equal(world.lb->meta->services, config->limits.services);
	assert_int_equal(world.lb->meta->backends, config->limits.backends);
	mend();
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_service, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_both_services, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_backend, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_meta_and_control, open_all, close_all),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}

int main(void)
{
	return world_guard(run_group);
}
