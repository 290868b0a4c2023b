// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a change of backends takes until packets go by it: a table of 65,537 slots and 100
 * backends, one of which comes, goes or changes its weight. One CPU commits, another one sends a
 * packet whose slot moves without a pause and notes when it first arrives at its new backend.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include <linux/bpf.h>

#include "config.h"
#include "world.h"

#define SLOTS 65537
#define BACKENDS 100
#define FIRST_HOST 20
#define ROUNDS 40
#define VIP "203.0.113.10"
#define CLIENT "198.51.100.7"

enum step { BUILD, WRITE, FORCE, SETTLE, STEPS };

static const char *const titles[STEPS] = {
	[BUILD] = "plan and table built",
	[WRITE] = "document written",
	[FORCE] = "built -> first packet by the new table",
	[SETTLE] = "the whole command's work, with its grace period",
};

static struct lb_config *config;
static double us[STEPS][ROUNDS];

/* What the sender looks out for. */
static struct frame packet;
static bool is_over;
static __u32 old_host, seen_host;
static double seen_at;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void pin_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static __u32 host_of(const struct frame *frame)
{
	return frame_dst(frame, false).bytes[15];
}

static void *send_all(void *arg)
{
	(void)arg;
	pin_to(1);
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		const __u32 old = __atomic_load_n(&old_host, __ATOMIC_SEQ_CST);
		struct frame out;

		if (!old || world_try(&world.client, &packet, &out) < 0 || host_of(&out) == old)
			continue;
		seen_at = now_us();
		seen_host = host_of(&out);
		__atomic_store_n(&old_host, 0, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* The packet of a connection whose slot the plan moves from one backend to another. */
static bool find_packet(const struct lb_service_change *service)
{
	struct spec spec = { .src = world_addr(CLIENT),
			     .dst = world_addr(VIP),
			     .dst_port = 80,
			     .ttl = 64,
			     .proto = IPPROTO_TCP,
			     .tcp_flags = TCP_SYN };

	for (spec.src_port = 1024; spec.src_port < 65000; spec.src_port++) {
		struct lb_backend_config chosen;
		struct frame out;
		__u32 slot;

		if (lb_schedule(world.lb, IPPROTO_TCP, &spec.src, spec.src_port, &spec.dst, 80,
				&chosen, &slot, NULL) ||
		    ((service->owners[slot] ^ service->current[slot]) & LB_OWNER_MASK) == 0)
			continue;
		frame_build(&spec, &packet);
		if (world_run(&world.client, &packet, &out) != XDP_REDIRECT)
			return false;
		__atomic_store_n(&old_host, host_of(&out), __ATOMIC_SEQ_CST);
		return true;
	}
	return false;
}

/* The steps of lb_commit(), one by one. False if no packet told. */
static bool change(int round)
{
	struct lb_change *plan = NULL;
	struct lb_error err;
	double begin = now_us(), built, written, end = begin + 1e6;

	if (lb_change_make(world.lb, config, &plan, &err))
		fail_msg("%s", err.text);
	built = now_us();
	us[BUILD][round] = built - begin;
	if (!find_packet(&plan->services[0]))
		return false;
	begin = now_us();
	if (lb_config_store(config, lb_state_path(world.lb), &err))
		fail_msg("%s", err.text);
	written = now_us();
	if (lb_change_apply(world.lb, plan, &err))
		fail_msg("%s", err.text);
	us[SETTLE][round] = us[BUILD][round] + now_us() - begin;
	us[WRITE][round] = written - begin;
	while (__atomic_load_n(&old_host, __ATOMIC_SEQ_CST) && now_us() < end)
		;
	if (__atomic_load_n(&old_host, __ATOMIC_SEQ_CST))
		return false;
	us[FORCE][round] = seen_at - begin;
	lb_change_free(plan);
	return true;
}

/* In turn: a backend is halved, made whole, removed, added. */
static void edit(int round)
{
	struct lb_service_config *service = &config->services[0];
	struct lb_backend_config *last = &service->backends[service->backend_count - 1];
	char text[LB_ADDR_TEXT_SIZE];

	switch (round % 4) {
	case 0:
		last->weight = 5;
		return;
	case 1:
		last->weight = 10;
		return;
	case 2:
		lb_config_del_backend(service, last);
		return;
	default:
		snprintf(text, sizeof(text), "192.0.2.%u", FIRST_HOST + BACKENDS - 1);
		world_add_backend(config, "web", text, 8080, 10);
	}
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void report(void)
{
	printf("table change, %d slots, %d backends, %d changes: microseconds, median (best - "
	       "worst)\n",
	       SLOTS, BACKENDS, ROUNDS);
	for (int step = 0; step < STEPS; step++) {
		qsort(us[step], ROUNDS, sizeof(double), compare_doubles);
		printf("  %-48s %7.0f  (%.0f - %.0f)\n", titles[step], us[step][ROUNDS / 2],
		       us[step][0], us[step][ROUNDS - 1]);
	}
	printf("  goals: built within 1500, in force within 1000 after that\n");
}

static void open_world(void)
{
	static char lines[BACKENDS * 128];
	char text[LB_ADDR_TEXT_SIZE];
	size_t used = 0;

	for (unsigned int i = 0; i < BACKENDS; i++)
		used += (size_t)snprintf(lines + used, sizeof(lines) - used,
					 "neighbour add 192.0.2.%u lladdr 02:00:00:00:0b:11 nud "
					 "permanent dev b0\n",
					 FIRST_HOST + i);
	world_ip(lines);
	config = lb_config_new();
	assert_non_null(config);
	world_add_service(config, "web", IPPROTO_TCP, VIP, 80, LB_MODE_NAT)->slots = SLOTS;
	for (unsigned int i = 0; i < BACKENDS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", FIRST_HOST + i);
		world_add_backend(config, "web", text, 8080, 10);
	}
	world_open(config);
}

static int run(void)
{
	pthread_t sender;
	int ret = 0;

	open_world();
	pin_to(0);
	assert_int_equal(pthread_create(&sender, NULL, send_all, NULL), 0);
	for (int round = 0; round < ROUNDS && !ret; round++) {
		edit(round);
		if (!change(round)) {
			(void)fprintf(stderr, "commit_bench: no packet went by the new table\n");
			ret = 1;
		}
	}
	__atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
	(void)pthread_join(sender, NULL);
	if (!ret)
		report();
	world_close();
	lb_config_free(config);
	return ret;
}

/* On a host /run is a tmpfs; in a container it may be a disk, which would be measured instead. */
static int use_tmpfs(void)
{
	if (mkdir(LB_RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", LB_RUN_DIR, "tmpfs", 0, "mode=0755"))
		return -errno;
	return 0;
}

int main(void)
{
	if (use_tmpfs()) {
		perror("commit_bench: a tmpfs of its own (needs root)");
		return 1;
	}
	return world_guard(run);
}
