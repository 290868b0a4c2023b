// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the rows' figures: rounds in shuffled order, what stands beside one another run back to
 * back, the cost of feeding subtracted. A row whose packets did not all go the way they should is
 * refused.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLICES 5
#define LOOP_REPEAT 1000000

struct figure figures[BENCH_ROWS_MAX];
double loop_ns, feeding_ns;

/* One contender of a round. */
struct run {
	enum feed_number feed;
	enum bench_target target;
	double ns; /* best of the slices */
};

enum {
	OURS,
	BESIDE,
	OURS_NULL,
	BESIDE_NULL,
	OURS_MOVE,
	BESIDE_MOVE,
	RUNS,
};

struct samples {
	double best[RUNS]; /* of all rounds */
	double compared[BENCH_ROUNDS_MAX];
};

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double middle_of(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void shuffle(unsigned int *order, unsigned int count)
{
	for (unsigned int i = count; i > 1; i--) {
		unsigned int j = (unsigned int)random() % i, kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

static void refuse(struct figure *figure, const struct feed *feed, const struct lb_counters *before,
		   const struct lb_counters *after, uint32_t repeat)
{
	static const char *const names[] = { [LB_R_NONE] = "none",
#define REASON_NAME(id, name, verdict, text) [LB_R_##id] = #name,
					     LB_REASONS(REASON_NAME)
#undef REASON_NAME
	};
	size_t used = (size_t)snprintf(figure->refusal, BENCH_TEXT, "%s: of %u packets", feed->name,
				       repeat);

	for (int i = 0; i < LB_R_COUNT && used < BENCH_TEXT; i++) {
		uint64_t count = after->reason[i] - before->reason[i];

		if (count)
			used += (size_t)snprintf(figure->refusal + used, BENCH_TEXT - used,
						 " %llu %s", (unsigned long long)count, names[i]);
	}
	if (used < BENCH_TEXT)
		snprintf(figure->refusal + used, BENCH_TEXT - used, ", should be %s",
			 names[feed->reason]);
}

static int run_slice(struct bench *bench, struct figure *figure, struct run *run)
{
	struct feed *feed = &feeds[run->feed];
	struct lb_counters before, after;
	uint64_t misses = bench_misses(bench);
	uint32_t repeat = feed->repeat / SLICES;
	double ns;
	int err;

	err = bench_read_counters(bench, &before);
	if (!err)
		err = bench_feed(bench, feed, run->target, repeat, &ns);
	if (!err)
		err = bench_read_counters(bench, &after);
	if (err) {
		snprintf(figure->refusal, BENCH_TEXT, "%s: %s", feed->name, strerror(-err));
		return err;
	}
	if (!run->ns || ns < run->ns)
		run->ns = ns;
	if (run->target == TARGET_LB &&
	    after.reason[feed->reason] - before.reason[feed->reason] != repeat)
		refuse(figure, feed, &before, &after, repeat);
	misses = bench_misses(bench) - misses;
	if (misses)
		snprintf(figure->refusal, BENCH_TEXT, "%s: the yardstick missed %llu look-ups",
			 feed->name, (unsigned long long)misses);
	return 0;
}

static bool is_moving(const struct contender *contender)
{
	return contender->target >= TARGET_LRU ||
	       (contender->target == TARGET_LB && feeds[contender->feed].is_moved);
}

/*
 * What feeding cost: a program that does nothing. Of one that moves the head, moving it back is the
 * feeder's work too, and costs half of what moving there and back does.
 */
static double net(double ns, double null, double move, const struct contender *contender)
{
	return ns - (is_moving(contender) ? null + (move - null) / 2 : null);
}

/*
 * A round is cut into slices, in each of which every contender runs once; the best of its slices is
 * the contender's figure for the round, so that what else the machine does disturbs none of them
 * more.
 */
static int measure_round(struct bench *bench, const struct row *row, struct samples *samples,
			 unsigned int round)
{
	struct run runs[RUNS] = {
		[OURS] = { row->ours.feed, row->ours.target, 0 },
		[BESIDE] = { row->beside.feed, row->beside.target, 0 },
		[OURS_NULL] = { row->ours.feed, TARGET_NULL, 0 },
		[BESIDE_NULL] = { row->beside.feed, TARGET_NULL, 0 },
		[OURS_MOVE] = { row->ours.feed, TARGET_MOVE, 0 },
		[BESIDE_MOVE] = { row->beside.feed, TARGET_MOVE, 0 },
	};
	unsigned int order[RUNS], count = 0;
	double ours, beside;

	for (unsigned int i = 0; i < RUNS; i++) {
		if ((i != OURS_MOVE || is_moving(&row->ours)) &&
		    (i != BESIDE_MOVE || is_moving(&row->beside)))
			order[count++] = i;
	}
	for (int slice = 0; slice < SLICES; slice++) {
		shuffle(order, count);
		for (unsigned int i = 0; i < count; i++) {
			int err = run_slice(bench, &figures[row - rows], &runs[order[i]]);

			if (err)
				return err;
		}
	}
	for (unsigned int i = 0; i < RUNS; i++) {
		if (!round || runs[i].ns < samples->best[i])
			samples->best[i] = runs[i].ns;
	}
	ours = net(runs[OURS].ns, runs[OURS_NULL].ns, runs[OURS_MOVE].ns, &row->ours);
	beside = net(runs[BESIDE].ns, runs[BESIDE_NULL].ns, runs[BESIDE_MOVE].ns, &row->beside);
	samples->compared[round] = row->compare == COMPARE_MORE ? ours - beside : ours / beside;
	return 0;
}

/* New flows must be new, and all others must have been opened before. */
static int check_connections(struct bench *bench, const struct row *row)
{
	struct feed *feed = &feeds[row->ours.feed];
	bool is_new = row->phase == PHASE_NEW;
	uint64_t before = 0, after = 0;
	double ns;
	int err;

	if (row->ours.target != TARGET_LB || row->ours.feed == FEED_FLOOD ||
	    row->ours.feed == FEED_FLOOD_IPIP)
		return 0;
	err = bench_count_connections(bench, &before);
	if (!err)
		err = bench_feed(bench, feed, TARGET_LB, feed->repeat, &ns);
	if (!err)
		err = bench_count_connections(bench, &after);
	if (!err && after - before != (is_new ? feed->repeat : 0))
		snprintf(figures[row - rows].refusal, BENCH_TEXT,
			 "%s: %llu connections opened by %u packets", feed->name,
			 (unsigned long long)(after - before), feed->repeat);
	return err;
}

static void conclude(const struct row *row, struct samples *samples, unsigned int rounds)
{
	struct figure *figure = &figures[row - rows];
	const double *best = samples->best;

	figure->is_measured = true;
	figure->ours_ns = net(best[OURS], best[OURS_NULL], best[OURS_MOVE], &row->ours);
	figure->beside_ns = net(best[BESIDE], best[BESIDE_NULL], best[BESIDE_MOVE], &row->beside);
	figure->middle = middle_of(samples->compared, rounds);
	figure->low = samples->compared[0];
	figure->high = samples->compared[rounds - 1];
}

static int fill_yardsticks(struct bench *bench)
{
	static const enum feed_number filled[SET_COUNT] = {
		[SET_V4] = FEED_NAT4_MANY,
		[SET_V6] = FEED_NAT6_MANY,
		[SET_SERVICES] = FEED_SERVICES,
	};

	for (int set = 0; set < SET_COUNT; set++) {
		int err = bench_fill(bench, (enum bench_set)set, &feeds[filled[set]]);

		if (err)
			return err;
	}
	return 0;
}

struct phase_plan {
	const char *title;
	const char *word; /* for the command that configures; NULL: as it is */
};

#define SERVICES_PLAN(id, word, name, kinds, is_extra) [PHASE_##id] = { "services of " word, word },
static const struct phase_plan plans[PHASE_COUNT] = { [PHASE_V4] = { "IPv4 flows", NULL },
						      [PHASE_V6] = { "IPv6 flows", NULL },
						      [PHASE_NEW] = { "new flows", NULL },
						      BENCH_SERVICES(SERVICES_PLAN) };

static int configure(const char *command, const char *word)
{
	char line[BENCH_TEXT];

	if (snprintf(line, sizeof(line), "%s %s", command, word) >= (int)sizeof(line))
		return -ENAMETOOLONG;
	return system(line) ? -EIO : 0;
}

/* Makes the flow table and the services what the phase needs. */
static int prepare(struct bench *bench, enum phase phase, bool has_flows, const char *command)
{
	int err = bench_forget_flows(bench);

	if (!err && plans[phase].word)
		err = configure(command, plans[phase].word);
	if (err || !has_flows || phase == PHASE_NEW)
		return err;
	return phase == PHASE_V4 ? establish(bench, FEED_FULL4_MANY, FEED_FULL4_REPLY_MANY)
				 : establish(bench, FEED_FULL6_MANY, FEED_FULL6_REPLY_MANY);
}

static bool is_chosen(const struct row *row, const struct measure_options *options)
{
	const char *only = options->only;

	return only ? !strncmp(row->name, only, strlen(only))
		    : options->has_extra || !row->is_extra;
}

static unsigned int choose_rows(unsigned int *order, enum phase phase,
				const struct measure_options *options, bool *has_flows)
{
	unsigned int count = 0;

	*has_flows = false;
	for (unsigned int i = 0; i < row_count; i++) {
		if (rows[i].phase != phase || !is_chosen(&rows[i], options))
			continue;
		*has_flows |= !!strstr(rows[i].name, "fullnat");
		order[count++] = i;
	}
	return count;
}

static int measure_phase(struct bench *bench, enum phase phase,
			 const struct measure_options *options, struct samples *samples)
{
	const unsigned int rounds = options->rounds;
	unsigned int order[BENCH_ROWS_MAX], count;
	bool has_flows;
	int err = 0;

	count = choose_rows(order, phase, options, &has_flows);
	if (count)
		err = prepare(bench, phase, has_flows, options->configure);
	for (unsigned int i = 0; !err && i < count; i++)
		err = check_connections(bench, &rows[order[i]]);
	for (unsigned int round = 0; !err && count && round < rounds; round++) {
		fprintf(stderr, "\rbench: %s, round %u of %u ", plans[phase].title, round + 1,
			rounds);
		shuffle(order, count);
		for (unsigned int i = 0; !err && i < count; i++)
			err = measure_round(bench, &rows[order[i]], &samples[order[i]], round);
		if (round + 1 == rounds)
			fprintf(stderr, "\n");
	}
	for (unsigned int i = 0; !err && i < count; i++)
		conclude(&rows[order[i]], &samples[order[i]], rounds);
	return err;
}

int measure_rows(struct bench *bench, const struct measure_options *options)
{
	struct samples *samples = calloc(BENCH_ROWS_MAX, sizeof(*samples));
	int err;

	if (!samples)
		return -ENOMEM;
	err = bench_loop(bench, LOOP_REPEAT, &loop_ns);
	if (!err)
		err = bench_feed(bench, &feeds[FEED_NAT4_ONE], TARGET_NULL, LOOP_REPEAT,
				 &feeding_ns);
	if (!err)
		err = fill_yardsticks(bench);
	for (int phase = 0; !err && phase < PHASE_COUNT; phase++)
		err = measure_phase(bench, (enum phase)phase, options, samples);
	free(samples);
	return err;
}
