/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a hash to the numbers that may have it: open addressing, made for one plan and thrown away,
 * so that thousands of backends are not compared with one another.
 */
#ifndef LB_INDEX_H
#define LB_INDEX_H

#include "lb_abi.h"

struct lb_index {
	__u32 *cells; /* number + 1, 0 for empty */
	__u32 mask;
};

/* Room for so many numbers; -ENOMEM. */
int lb_index_init(struct lb_index *index, __u32 count);
void lb_index_free(struct lb_index *index);
void lb_index_add(struct lb_index *index, __u64 hash, __u32 number);
/*
 * The candidates of a hash, one a call: *at is 0 before the first. False when there is no more. The
 * caller compares, since others may share the hash's place.
 */
bool lb_index_next(const struct lb_index *index, __u64 hash, __u32 *at, __u32 *number);

/* The hash under which an address, a port (wire order) and something else are kept. */
__u64 lb_index_hash(const union lb_addr *addr, __be16 port, __u32 other);

#endif
