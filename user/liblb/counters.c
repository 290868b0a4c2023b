// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of backends, which the datapath keeps on each CPU apart, as sums. The kernel hands out
 * whole blocks of them, so who wants many reads each block once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

#define WORDS (sizeof(struct lb_totals) / sizeof(__u64))

_Static_assert(sizeof(struct lb_totals) == offsetof(struct lb_backend_cpu, reserved) -
						   offsetof(struct lb_backend_cpu, packets_in),
	       "struct lb_totals is what struct lb_backend_cpu counts");

void lb_totals_add(struct lb_totals *sum, const struct lb_totals *part)
{
	for (size_t i = 0; i < WORDS; i++)
		((__u64 *)sum)[i] += ((const __u64 *)part)[i];
}

void lb_totals_subtract(struct lb_totals *sum, const struct lb_totals *part)
{
	for (size_t i = 0; i < WORDS; i++)
		((__u64 *)sum)[i] -= ((const __u64 *)part)[i];
}

/* each: room for all CPUs; sums: of LB_CPU_BLOCK backends. */
static int read_block(const struct lb *lb, __u32 block, struct lb_backend_cpu_block *each,
		      struct lb_totals *sums)
{
	if (bpf_map_lookup_elem(lb->maps[LB_MAP_BACKEND_CPU].fd, &block, each))
		return -errno;
	memset(sums, 0, LB_CPU_BLOCK * sizeof(*sums));
	for (int cpu = 0; cpu < lb->cpus; cpu++)
		for (__u32 i = 0; i < LB_CPU_BLOCK; i++) /* the counters follow the next hop */
			lb_totals_add(&sums[i], (const void *)&each[cpu].backend[i].packets_in);
	return 0;
}

int lb_read_counters(const struct lb *lb, const __u32 *numbers, unsigned int count,
		     struct lb_totals *out)
{
	struct lb_backend_cpu_block *each = calloc(lb->cpus, sizeof(*each));
	struct lb_totals sums[LB_CPU_BLOCK];
	__u32 at = ~0u;
	int ret = each ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < count && !ret; i++) {
		if (numbers[i] / LB_CPU_BLOCK != at) {
			at = numbers[i] / LB_CPU_BLOCK;
			ret = read_block(lb, at, each, sums);
		}
		if (!ret)
			out[i] = sums[numbers[i] % LB_CPU_BLOCK];
	}
	free(each);
	return ret;
}

int lb_get_fates(const struct lb *lb, const __u32 *hints, unsigned int count, struct lb_fate *out)
{
	struct lb_totals *totals = calloc(count + 1, sizeof(*totals));
	int ret = totals ? lb_read_counters(lb, hints, count, totals) : -ENOMEM;

	for (unsigned int i = 0; i < count && !ret; i++)
		out[i] = (struct lb_fate){ .attempts = totals[i].connections,
					   .answered = totals[i].answered,
					   .refused = totals[i].refused,
					   .unreachable = totals[i].unreachable,
					   .fetches = lb->cache_fates[hints[i]] };
	free(totals);
	return ret;
}

int lb_read_backend_cpu(struct lb *lb, __u32 number, struct lb_totals *out)
{
	struct lb_totals sum;
	int ret = lb_read_counters(lb, &number, 1, &sum);

	if (!ret)
		*out = sum;
	return ret;
}
