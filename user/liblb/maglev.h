/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Incremental weighted Maglev: which slot of a service's table belongs to which owner.
 * The hash table of Eisenbud et al., "Maglev", NSDI 2016, section 3.4, made from the table in force
 * instead of from nothing, so that a change moves no slot that it need not move.
 */
#ifndef LB_MAGLEV_H
#define LB_MAGLEV_H

#include "lb_abi.h"

/* A backend's largest weight in parts of LB_CUT_WHOLE. */
#define LB_MAGLEV_WEIGHT_MAX 65535000u
/* A backend with this many slots is within 1 % of its share (Maglev, section 5.3). */
#define LB_MAGLEV_SLOTS_PER_BACKEND 100u

/* One candidate. */
struct lb_maglev_owner {
	__u16 owner;	/* 0 ... LB_OWNER_NONE - 1, each number once */
	__u32 weight;	/* 0 ... LB_MAGLEV_WEIGHT_MAX; 0 owns nothing */
	__u64 identity; /* stable hash of address and port: the order in which it wants slots */
};

/* What a build did to the slots; the others stayed as they were. */
struct lb_maglev_change {
	__u32 moved;   /* from one owner to another */
	__u32 filled;  /* free before, owned now */
	__u32 emptied; /* owned before, free now: nobody has weight */
};

bool lb_is_prime(__u32 number);
/* The smallest prime that is at least number; 0 if no 32-bit one is. */
__u32 lb_next_prime(__u32 number);

/*
 * The smallest table size that spreads so many backends of equal weight within 1 %; 0 if even
 * LB_SLOTS_MAX is too small. With unequal weights, count the sum of weights over the least of them.
 */
__u32 lb_maglev_slots_for(unsigned int backends);

/*
 * Turns table, the one in force, into the one for these owners. In: slots of nobody are
 * LB_OWNER_NONE, owners that are no longer listed lose theirs, history bits are ignored. Out: no
 * history bits. change may be NULL.
 *
 * Every owner gets its exact share, rounded up or down; the number of moved slots is the least that
 * such a rounding allows, and a second build moves nothing. The order of the list does not matter.
 * -EINVAL: slots is no prime from LB_SLOTS_MIN to LB_SLOTS_MAX, an owner is out of range or listed
 * twice, a weight is out of range. -ENOMEM. On failure the table is as it was.
 */
int lb_maglev_build(__u16 *table, __u32 slots, const struct lb_maglev_owner *owners,
		    unsigned int count, struct lb_maglev_change *change);

#endif
