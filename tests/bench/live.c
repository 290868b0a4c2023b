// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets per second of whole chains: generator, balancer, sink, in network namespaces and on one
 * CPU. The generator is BPF_PROG_TEST_RUN with live frames; the sink counts and drops. A round in
 * which not every frame was delivered refuses its contender.
 */
#include "bench.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "feed.skel.h"

#define SERVER 0xcb007101u  /* 203.0.113.1 */
#define BACKEND 0xc633648cu /* 198.51.100.140 */
#define DRAIN_NS 200000000.0
#define WARM_UP 20000

struct live_contender {
	const char *name;
	const char *link; /* of the generator, and of the sink */
	uint32_t server;
	uint16_t port;
	double limit;
};

static const struct live_contender contenders[LIVE_CONTENDERS] = {
	{ "lbctl nat, stateless", "lb", SERVER, 54, 3.3 },
	{ "lbctl nat, flows recorded", "lb", SERVER, 55, 0 },
	{ "lbctl fullnat", "lb", SERVER, 56, 3.0 },
	{ "kernel routing, no NAT", "plain", BACKEND, 5354, 0 },
	{ "nftables DNAT with masquerade", "nft", SERVER, 54, 0 },
};

struct live {
	struct feed_bpf *feeder;
	struct bpf_link *sinks[LIVE_CONTENDERS];
	uint32_t sink_ifindex[LIVE_CONTENDERS];
	uint32_t out_ifindex[LIVE_CONTENDERS];
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int read_delivered(struct live *live, int which, uint64_t *out)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	uint64_t *values = calloc(cpus, sizeof(*values)), sum = 0;
	uint32_t key = live->sink_ifindex[which] % 64;
	int err = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(live->feeder->maps.delivered), &key, values))
		err = -errno;
	for (size_t cpu = 0; !err && cpu < cpus; cpu++)
		sum += values[cpu];
	if (!err)
		*out = sum;
	free(values);
	return err;
}

/* Several contenders may end at the same interface: it gets one program. */
static int attach_sinks(struct live *live)
{
	for (int i = 0; i < LIVE_CONTENDERS; i++) {
		bool is_attached = false;

		live->sink_ifindex[i] = if_nametoindex(contenders[i].link);
		if (!live->sink_ifindex[i])
			return -errno;
		for (int j = 0; j < i; j++)
			is_attached |= live->sink_ifindex[j] == live->sink_ifindex[i];
		if (is_attached)
			continue;
		live->sinks[i] = bpf_program__attach_xdp(live->feeder->progs.bench_sink,
							 (int)live->sink_ifindex[i]);
		if (!live->sinks[i])
			return -errno;
	}
	return 0;
}

static int live_open(struct live *live, const char *prefix)
{
	char netns[128];
	int err;

	live->feeder = feed_bpf__open_and_load();
	if (!live->feeder)
		return -errno;
	snprintf(netns, sizeof(netns), "%ssink", prefix);
	err = bench_enter(netns);
	if (!err)
		err = attach_sinks(live);
	snprintf(netns, sizeof(netns), "%sgen", prefix);
	if (!err)
		err = bench_enter(netns);
	for (int i = 0; !err && i < LIVE_CONTENDERS; i++) {
		live->out_ifindex[i] = if_nametoindex(contenders[i].link);
		if (!live->out_ifindex[i])
			err = -errno;
	}
	return err;
}

static void live_close(struct live *live)
{
	for (int i = 0; i < LIVE_CONTENDERS; i++)
		bpf_link__destroy(live->sinks[i]);
	feed_bpf__destroy(live->feeder);
}

/* Sends packets and waits for the last one; what is missing after a while is lost. */
static int send_packets(struct live *live, int which, uint32_t packets, double *rate,
			uint64_t *lost)
{
	struct feed *feed = &feeds[FEED_LIVE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = feed->frame, .data_size_in = FEED_FRAME,
		    .repeat = (int)packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	uint64_t before = 0, after = 0;
	double start, end;
	int err;

	feed->config.base.dst = contenders[which].server;
	feed->config.base.dst_port = contenders[which].port;
	feed->config.out_ifindex = live->out_ifindex[which];
	live->feeder->bss->feed = feed->config;
	err = read_delivered(live, which, &before);
	if (err)
		return err;
	start = now_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(live->feeder->progs.bench_send), &opts))
		return -errno;
	do {
		end = now_ns();
		err = read_delivered(live, which, &after);
	} while (!err && after - before < packets && end - start < DRAIN_NS + packets * 1e4);
	*rate = packets / (end - start) * 1e9;
	*lost = packets - (after - before);
	return err;
}

static int send_round(struct live *live, uint32_t packets, double rates[LIVE_CONTENDERS],
		      struct live_result *results)
{
	int order[LIVE_CONTENDERS];

	for (int i = 0; i < LIVE_CONTENDERS; i++)
		order[i] = i;
	for (int i = LIVE_CONTENDERS - 1; i > 0; i--) {
		int j = (int)(random() % (i + 1)), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	for (int i = 0; i < LIVE_CONTENDERS; i++) {
		struct live_result *result = &results[order[i]];
		uint64_t lost;
		int err;

		err = send_packets(live, order[i], WARM_UP, &rates[order[i]], &lost);
		if (!err)
			err = send_packets(live, order[i], packets, &rates[order[i]], &lost);
		if (err)
			return err;
		if (lost)
			snprintf(result->refusal, BENCH_TEXT,
				 "%llu of %u packets were not delivered", (unsigned long long)lost,
				 packets);
	}
	return 0;
}

static void conclude(struct live_result *result, int which, unsigned int rounds,
		     double rates[][LIVE_CONTENDERS])
{
	double values[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];

	for (unsigned int round = 0; round < rounds; round++) {
		values[round] = rates[round][which];
		ratios[round] = rates[round][which] / rates[round][LIVE_CONTENDERS - 1];
	}
	result->rate = middle_of(values, rounds);
	result->low = values[0];
	result->high = values[rounds - 1];
	result->ratio = middle_of(ratios, rounds);
	result->ratio_low = ratios[0];
	result->ratio_high = ratios[rounds - 1];
}

int measure_live(const char *prefix, unsigned int rounds, uint32_t packets,
		 struct live_result results[LIVE_CONTENDERS])
{
	double rates[BENCH_ROUNDS_MAX][LIVE_CONTENDERS];
	struct live live = {};
	int err;

	for (int i = 0; i < LIVE_CONTENDERS; i++) {
		memset(&results[i], 0, sizeof(results[i]));
		results[i].name = contenders[i].name;
		results[i].limit = contenders[i].limit;
	}
	err = live_open(&live, prefix);
	for (unsigned int round = 0; !err && round < rounds; round++) {
		fprintf(stderr, "\rbench: live frames, round %u of %u ", round + 1, rounds);
		err = send_round(&live, packets, rates[round], results);
	}
	fprintf(stderr, "\n");
	for (int i = 0; !err && i < LIVE_CONTENDERS; i++)
		conclude(&results[i], i, rounds, rates);
	live_close(&live);
	return err;
}
