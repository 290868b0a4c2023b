/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bench's user space: the loaded programs, the feeds (which packets), the rows (what stands
 * beside what, and the goal), and what was measured.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lb_abi.h"

#include "feed.h"
#include "modes.h"

#define BENCH_ROUNDS_MAX 99
#define BENCH_TEXT 256

/* Index in the feeder's PROG_ARRAY. A yardstick has one copy, with tables of its own, for each set.
 */
enum bench_target {
	TARGET_NULL,
	TARGET_MOVE,
	TARGET_LB,
	TARGET_PARSE,
	TARGET_INSERT,
	TARGET_LRU, /* + enum bench_set */
	TARGET_COUNT = TARGET_LRU + 3,
};

/* Sets of flows that the LRU yardstick's tables are filled with. */
enum bench_set {
	SET_V4,
	SET_V6,
	SET_SERVICES,
	SET_COUNT,
};

/* One kind of traffic. */
struct feed {
	const char *name;
	struct feed_config config;
	uint8_t frame[FEED_FRAME];
	uint32_t next;	       /* number of the flow to go on with, where flows must be new */
	uint32_t repeat;       /* packets of one measurement */
	enum lb_reason reason; /* what lbctl must do with every one of them */
	bool is_moved;	       /* it moves the head of the packet for that */
};

struct bench;

/* Loading and feeding: machine.c */
int bench_open(struct bench **out, const char *netns, const char *ifname);
void bench_close(struct bench *bench);
/* Feeds repeat packets to a target; ns: CPU time for each. Fails when not every packet was fed. */
int bench_feed(struct bench *bench, struct feed *feed, enum bench_target target, uint32_t repeat,
	       double *ns);
/* Puts every flow of the feed into the tables of a yardstick. */
int bench_fill(struct bench *bench, enum bench_set set, struct feed *feed);
/* CPU time of a program that returns at once, without feeding. */
int bench_loop(struct bench *bench, uint32_t repeat, double *ns);
/* One packet through lbctl itself; the frame is replaced by what comes out. Answers the action or
 * -errno. */
int bench_pass_one(struct bench *bench, uint8_t *frame, uint32_t *length);
/* Empties lbctl's flow table. */
int bench_forget_flows(struct bench *bench);
/* lbctl's own counters, all CPUs together. */
int bench_read_counters(struct bench *bench, struct lb_counters *out);
int bench_count_connections(struct bench *bench, uint64_t *out);
struct feed_tuple *bench_tuples(struct bench *bench);
uint64_t bench_misses(struct bench *bench);
int bench_enter(const char *netns);
void bench_pin(void); /* to one CPU */

/* Which packets: packets.c */
#define FEED_IDS(id, ...) FEED_##id##_ONE, FEED_##id##_MANY,
#define FEED_SERVICES_ID(id, ...) FEED_SERVICES_##id,
enum feed_number {
	FEED_NOT_OURS,
	FEED_NOT_OURS_RANDOM,
	FEED_NAT4_ONE,
	FEED_NAT4_MANY,
	FEED_NAT6_ONE,
	FEED_NAT6_MANY,
	FEED_NAT4_OUT, /* by another interface */
	FEED_NAT4_REPLY_ONE,
	FEED_NAT4_REPLY_FEW,
	FEED_NAT4_REPLY_MANY,
	FEED_NAT6_REPLY_ONE,
	FEED_NAT6_REPLY_MANY,
	FEED_UDP,
	FEED_SERVICES,
	FEED_FLOOD,
	FEED_FULL4_ONE,
	FEED_FULL4_MANY,
	FEED_FULL6_ONE,
	FEED_FULL6_MANY,
	FEED_FULL4_REPLY_ONE,
	FEED_FULL4_REPLY_MANY,
	FEED_FULL6_REPLY_ONE,
	FEED_FULL6_REPLY_MANY,
	FEED_NEW4,
	FEED_NEW6,
	BENCH_MODES(FEED_IDS) BENCH_SERVICES(FEED_SERVICES_ID) FEED_FLOOD_IPIP,
	FEED_LIVE, /* live frames; live.c puts in whom they are for */
	FEED_COUNT,
};

extern struct feed feeds[FEED_COUNT];
void feeds_init(uint32_t flows);
/* Opens every flow of a full-NAT feed through lbctl, and notes what its replies look like. */
int establish(struct bench *bench, enum feed_number forward, enum feed_number reply);

/*
 * What the flow table holds while a row is measured: IPv4's flows, IPv6's, or, since they push out
 * one another, new ones alone. Then, without flows: what kind the many services are of.
 */
#define PHASE_ID(id, ...) PHASE_##id,
enum phase {
	PHASE_V4,
	PHASE_V6,
	PHASE_NEW,
	BENCH_SERVICES(PHASE_ID) PHASE_COUNT,
};

/* What stands beside what: rows.c */
struct contender {
	enum feed_number feed;
	enum bench_target target;
};

enum compare {
	COMPARE_RATIO, /* ours / beside */
	COMPARE_MORE,  /* ours - beside, ns */
};

struct row {
	const char *name;
	struct contender ours;
	struct contender beside;
	const char *beside_name;
	enum compare compare;
	double goal; /* at most this; 0: none */
	enum phase phase;
	bool is_extra; /* left out unless it is asked for */
};

#define BENCH_ROWS_MAX 128
extern const struct row rows[];
extern const unsigned int row_count;

/* What a row has measured: measure.c */
struct figure {
	bool is_measured;
	double ours_ns, beside_ns; /* best of the rounds, net */
	double middle, low, high;  /* of the rounds' ratios, or differences */
	char refusal[BENCH_TEXT];  /* why the figure does not count; empty if it does */
};

extern struct figure figures[BENCH_ROWS_MAX]; /* as rows[] */
extern double loop_ns, feeding_ns;	      /* what is subtracted: the loop, and with feeding */

struct measure_options {
	unsigned int rounds;
	const char *only;      /* rows whose name begins with it, extra ones too; NULL: all */
	bool has_extra;	       /* also without only */
	const char *configure; /* command that, with a phase's word, makes the many services so */
};

int measure_rows(struct bench *bench, const struct measure_options *options);
double middle_of(double *values, unsigned int count);

/* Packets per second through namespaces: live.c */
struct live_result {
	const char *name;
	double rate, low, high;		     /* packets per second: median, min, max */
	double ratio, ratio_low, ratio_high; /* to the last contender, in the same round */
	double limit;			     /* the ratio's goal; 0: none */
	char refusal[BENCH_TEXT];
};

#define LIVE_CONTENDERS 5
/* Between the namespaces PREFIXgen and PREFIXsink, as scripts/bench makes them. */
int measure_live(const char *prefix, unsigned int rounds, uint32_t packets,
		 struct live_result results[LIVE_CONTENDERS]);

/* report.c */
void report_rows_text(FILE *out, unsigned int rounds);
void report_live_text(FILE *out, const struct live_result *results);
int report_json(FILE *out, unsigned int rounds, const struct live_result *live);

#endif
