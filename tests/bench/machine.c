// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs packets through programs: loads the feeder and the yardsticks, finds lbctl's program and
 * maps by the interface it is attached to, and takes the time of BPF_PROG_TEST_RUN. Knows no rows.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "feed.skel.h"
#include "floor.skel.h"

#define BENCH_TUPLES (2u << 20)
#define BENCH_OUT_SIZE 2048

struct bench {
	struct feed_bpf *feeder;
	struct floor_bpf *yardstick[SET_COUNT];
	struct floor_bpf *insert;
	struct feed_tuple *tuples;
	int lb_fd;
	int counters_fd;
	int backends_fd;
	int flows_fd;
	uint32_t block_count;
	uint32_t bucket_count;
	uint32_t ifindex;
};

int bench_enter(const char *netns)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	return err;
}

void bench_pin(void)
{
	cpu_set_t cpus;

	/* The last CPU: the first one takes most interrupts. */
	CPU_ZERO(&cpus);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fprintf(stderr, "bench: not pinned to a CPU: %s\n", strerror(errno));
}

/* The program's map of that name; its size goes to entries unless that is NULL. */
static int find_map(int program_fd, const char *name, uint32_t *entries)
{
	uint32_t ids[64] = {};
	struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (uintptr_t)ids };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size))
		return -errno;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++) {
		struct bpf_map_info map = {};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		size = sizeof(map);
		if (fd < 0)
			return -errno;
		if (!bpf_obj_get_info_by_fd(fd, &map, &size) && !strcmp(map.name, name)) {
			if (entries)
				*entries = map.max_entries;
			return fd;
		}
		close(fd);
	}
	return -ENOENT;
}

static int find_program(struct bench *bench, const char *ifname)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err;

	bench->ifindex = if_nametoindex(ifname);
	if (!bench->ifindex)
		return -errno;
	err = bpf_xdp_query((int)bench->ifindex, 0, &query);
	if (err)
		return err;
	bench->lb_fd = bpf_prog_get_fd_by_id(query.prog_id);
	if (bench->lb_fd < 0)
		return -errno;
	bench->counters_fd = find_map(bench->lb_fd, "lb_counters", NULL);
	bench->backends_fd = find_map(bench->lb_fd, "lb_backend_cpu", &bench->block_count);
	bench->flows_fd = find_map(bench->lb_fd, "lb_flows", &bench->bucket_count);
	if (bench->counters_fd < 0 || bench->backends_fd < 0 || bench->flows_fd < 0) {
		fprintf(stderr,
			"bench: the program on %s is not lbctl's alone; "
			"was it attached through a dispatcher?\n",
			ifname);
		return -ENOENT;
	}
	return 0;
}

/* Tail calls need caller and callee to agree about multi-buffer frames. */
static void set_frags(struct bpf_object *object, bool has_frags)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		bpf_program__set_flags(program, has_frags ? BPF_F_XDP_HAS_FRAGS : 0);
}

static int set_target(struct bench *bench, enum bench_target target, int fd)
{
	uint32_t key = target;

	return bpf_map_update_elem(bpf_map__fd(bench->feeder->maps.targets), &key, &fd, BPF_ANY)
		       ? -errno
		       : 0;
}

static int load_feeder(struct bench *bench, bool has_frags)
{
	int err;

	bench->feeder = feed_bpf__open();
	if (!bench->feeder)
		return -errno;
	set_frags(bench->feeder->obj, has_frags);
	bpf_map__set_max_entries(bench->feeder->maps.tuples, BENCH_TUPLES);
	err = feed_bpf__load(bench->feeder);
	if (!err)
		err = set_target(bench, TARGET_LB, bench->lb_fd);
	if (err) {
		feed_bpf__destroy(bench->feeder);
		bench->feeder = NULL;
	}
	return err;
}

static int load_floor(struct floor_bpf **out, bool has_frags)
{
	struct floor_bpf *floor_programs = floor_bpf__open();
	int err;

	if (!floor_programs)
		return -errno;
	set_frags(floor_programs->obj, has_frags);
	err = floor_bpf__load(floor_programs);
	if (err)
		floor_bpf__destroy(floor_programs);
	else
		*out = floor_programs;
	return err;
}

static int load_all(struct bench *bench)
{
	bool has_frags = true;
	int err = load_feeder(bench, has_frags);

	if (err) {
		has_frags = false;
		err = load_feeder(bench, has_frags);
	}
	for (int set = 0; !err && set < SET_COUNT; set++) {
		err = load_floor(&bench->yardstick[set], has_frags);
		if (!err)
			err = set_target(bench, TARGET_LRU + (unsigned int)set,
					 bpf_program__fd(bench->yardstick[set]->progs.floor_lru));
	}
	if (!err)
		err = load_floor(&bench->insert, has_frags);
	if (!err)
		err = set_target(bench, TARGET_INSERT,
				 bpf_program__fd(bench->insert->progs.floor_insert));
	if (!err)
		err = set_target(bench, TARGET_PARSE,
				 bpf_program__fd(bench->insert->progs.floor_parse));
	if (!err)
		err = set_target(bench, TARGET_NULL,
				 bpf_program__fd(bench->feeder->progs.bench_null));
	if (!err)
		err = set_target(bench, TARGET_MOVE,
				 bpf_program__fd(bench->feeder->progs.bench_move));
	return err;
}

int bench_open(struct bench **out, const char *netns, const char *ifname)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	int err;

	if (!bench)
		return -ENOMEM;
	bench->lb_fd = bench->counters_fd = bench->backends_fd = bench->flows_fd = -1;
	err = bench_enter(netns);
	if (!err)
		err = find_program(bench, ifname);
	if (!err)
		err = load_all(bench);
	if (!err) {
		bench->tuples =
			mmap(NULL, BENCH_TUPLES * sizeof(struct feed_tuple), PROT_READ | PROT_WRITE,
			     MAP_SHARED, bpf_map__fd(bench->feeder->maps.tuples), 0);
		if (bench->tuples == MAP_FAILED)
			err = -errno;
	}
	if (err)
		bench_close(bench);
	else
		*out = bench;
	return err;
}

void bench_close(struct bench *bench)
{
	if (!bench)
		return;
	for (int set = 0; set < SET_COUNT; set++)
		floor_bpf__destroy(bench->yardstick[set]);
	floor_bpf__destroy(bench->insert);
	feed_bpf__destroy(bench->feeder);
	if (bench->lb_fd >= 0)
		close(bench->lb_fd);
	if (bench->counters_fd >= 0)
		close(bench->counters_fd);
	if (bench->backends_fd >= 0)
		close(bench->backends_fd);
	if (bench->flows_fd >= 0)
		close(bench->flows_fd);
	free(bench);
}

struct feed_tuple *bench_tuples(struct bench *bench)
{
	return bench->tuples;
}

uint64_t bench_misses(struct bench *bench)
{
	uint64_t sum = bench->insert->bss->misses;

	for (int set = 0; set < SET_COUNT; set++)
		sum += bench->yardstick[set]->bss->misses;
	return sum;
}

static double thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int bench_feed(struct bench *bench, struct feed *feed, enum bench_target target, uint32_t repeat,
	       double *ns)
{
	struct xdp_md ctx = { .data_end = FEED_FRAME, .ingress_ifindex = bench->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = feed->frame, .data_size_in = FEED_FRAME,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)repeat);
	uint64_t runs = bench->feeder->bss->runs;
	double start;

	bench->feeder->bss->feed = feed->config;
	bench->feeder->bss->feed.target = target;
	bench->feeder->bss->flow = feed->next;
	start = thread_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(bench->feeder->progs.bench_feed), &opts))
		return -errno;
	*ns = (thread_ns() - start) / repeat;
	feed->next = bench->feeder->bss->flow;
	if (bench->feeder->bss->runs - runs != repeat)
		return -EIO;
	return opts.retval == XDP_ABORTED ? -EPROTO : 0;
}

int bench_loop(struct bench *bench, uint32_t repeat, double *ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = feeds[0].frame, .data_size_in = FEED_FRAME,
		    .repeat = (int)repeat);
	double start = thread_ns();

	if (bpf_prog_test_run_opts(bpf_program__fd(bench->feeder->progs.bench_null), &opts))
		return -errno;
	*ns = (thread_ns() - start) / repeat;
	return 0;
}

int bench_pass_one(struct bench *bench, uint8_t *frame, uint32_t *length)
{
	struct xdp_md ctx = { .data_end = *length, .ingress_ifindex = bench->ifindex };
	uint8_t out[BENCH_OUT_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = *length,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (bpf_prog_test_run_opts(bench->lb_fd, &opts))
		return -errno;
	memcpy(frame, out, opts.data_size_out < *length ? opts.data_size_out : *length);
	*length = opts.data_size_out;
	return (int)opts.retval;
}

int bench_fill(struct bench *bench, enum bench_set set, struct feed *feed)
{
	double ns;
	int err;

	/* The place of a target that is not used while tables are filled. */
	err = set_target(bench, TARGET_MOVE,
			 bpf_program__fd(bench->yardstick[set]->progs.floor_fill));
	if (!err)
		err = bench_feed(bench, feed, TARGET_MOVE, feed->config.flows, &ns);
	if (!err)
		err = set_target(bench, TARGET_MOVE,
				 bpf_program__fd(bench->feeder->progs.bench_move));
	return err;
}

int bench_forget_flows(struct bench *bench)
{
	size_t size = (size_t)bench->bucket_count * sizeof(struct lb_flow_bucket);
	void *flows = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bench->flows_fd, 0);

	if (flows == MAP_FAILED)
		return -errno;
	memset(flows, 0, size);
	munmap(flows, size);
	return 0;
}

int bench_read_counters(struct bench *bench, struct lb_counters *out)
{
	int cpus = libbpf_num_possible_cpus();
	struct lb_counters *values = calloc((size_t)cpus, sizeof(*values));
	uint32_t key = 0;
	int err = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bench->counters_fd, &key, values))
		err = -errno;
	memset(out, 0, sizeof(*out));
	for (int cpu = 0; !err && cpu < cpus; cpu++) {
		out->received += values[cpu].received;
		for (int i = 0; i < LB_R_COUNT; i++)
			out->reason[i] += values[cpu].reason[i];
	}
	free(values);
	return err;
}

int bench_count_connections(struct bench *bench, uint64_t *out)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	struct lb_backend_cpu_block *blocks = calloc(cpus, sizeof(*blocks));
	const size_t backends = cpus * sizeof(*blocks) / sizeof(struct lb_backend_cpu);
	const struct lb_backend_cpu *backend = (const struct lb_backend_cpu *)blocks;
	uint64_t sum = 0;
	int err = 0;

	if (!blocks)
		return -ENOMEM;
	for (uint32_t key = 0; !err && key < bench->block_count; key++) {
		if (bpf_map_lookup_elem(bench->backends_fd, &key, blocks))
			err = -errno;
		for (size_t i = 0; !err && i < backends; i++)
			sum += backend[i].connections;
	}
	if (!err)
		*out = sum;
	free(blocks);
	return err;
}
