// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times the Maglev builds that a change of backends costs: median of many, best and worst beside
 * it. Each build starts from a fresh copy of the table in force; the copy is not timed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maglev.h"

#define RUNS 51

static __u16 before[LB_SLOTS_MAX], table[LB_SLOTS_MAX];
static struct lb_maglev_owner owners[LB_OWNER_NONE];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Times building from before[]; owners[from ... from + count - 1] are the candidates. */
static void measure(const char *name, __u32 slots, unsigned int from, unsigned int count)
{
	struct lb_maglev_change change = { 0 };
	double us[RUNS];

	for (int run = 0; run < RUNS; run++) {
		memcpy(table, before, slots * sizeof(*table));
		us[run] = now_us();
		if (lb_maglev_build(table, slots, owners + from, count, &change)) {
			(void)fprintf(stderr, "maglev_bench: %s of %u slots failed\n", name, slots);
			exit(1);
		}
		us[run] = now_us() - us[run];
	}
	qsort(us, RUNS, sizeof(*us), compare_doubles);
	printf("%7u slots %6u owners  %-14s %8.0f us  (%.0f - %.0f)  %u slots changed\n", slots,
	       count, name, us[RUNS / 2], us[0], us[RUNS - 1],
	       change.moved + change.filled + change.emptied);
}

static void measure_table(__u32 slots, unsigned int count)
{
	for (unsigned int i = 0; i <= count; i++)
		owners[i] = (struct lb_maglev_owner){ (__u16)i, 100, lb_hash_mix(i + 1) };
	for (__u32 slot = 0; slot < slots; slot++)
		before[slot] = LB_OWNER_NONE;
	measure("first build", slots, 0, count);
	memcpy(before, table, slots * sizeof(*before));
	measure("no change", slots, 0, count);
	measure("one added", slots, 0, count + 1);
	measure("one removed", slots, 1, count - 1);
	owners[0].weight = 50;
	measure("one halved", slots, 0, count);
}

int main(void)
{
	measure_table(16381, 10);
	measure_table(16381, 150);
	measure_table(65537, 100);
	measure_table(655373, 6000);
	measure_table(655373, 32766);
	return 0;
}
