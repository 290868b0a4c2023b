/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the contract that is about services of several ports or addresses. Included by
 * lb_abi.h, whose rules hold here too. A zone is a prefix of addresses and a protocol; user space
 * has resolved which service each of its ports belongs to, so the longest zone's answer is final.
 */
#ifndef LB_ZONE_ABI_H
#define LB_ZONE_ABI_H

#include "lb_addr.h"
#include "lb_assert.h"

/*
 * Zones stand in the services' look-up table too: under their address, their length in the place of
 * the port and this bit beside the protocol; the value is the number in lb_zones and one more.
 */
#define LB_ZONE_PROTO 0x80
#define LB_ZONE_LENGTHS 12	  /* different ones in one instance, IPv4's counted from 96 on */
#define LB_ZONE_ANY_PORT 0x10000u /* asks a zone, in the place of a port, for its first service */
#define LB_RANGES_PER_SERVICE 4
#define LB_RANGE_STEPS 14 /* of the search; LB_RANGES_MAX is 2 to that */
#define LB_RANGES_MAX (1u << LB_RANGE_STEPS)

/* lb_zones, in two halves as the look-up table. */
struct lb_zone {
	union lb_addr addr;
	__u32 first; /* of its ranges in lb_ranges */
	__u16 count; /* of them */
	__u8 length; /* of 128 bits */
	__u8 proto;
	__u32 hidden; /* LB_IS_HIDDEN or 0 */
	__u32 zero;   /* for lb_find_range(): a number that the verifier does not know */
};

/* Of a zone's ports, in order and apart from one another. */
struct lb_range {
	__u16 low, high;
	__u32 service;
};

LB_ASSERT(sizeof(struct lb_zone) == 32, "struct lb_zone");
LB_ASSERT(sizeof(struct lb_range) == 8, "struct lb_range");

#endif
