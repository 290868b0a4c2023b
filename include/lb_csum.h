/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3) inline, since a
 * helper call costs more than the sum. Differences are added up first and folded once.
 */
#ifndef LB_CSUM_H
#define LB_CSUM_H

#include "lb_addr.h"

/* Adds up 32-bit words as they stand in memory; the 64-bit sum cannot overflow here. */
static inline __u64 lb_csum_addr(const union lb_addr *addr)
{
	return (__u64)addr->words[0] + addr->words[1] + addr->words[2] + addr->words[3];
}

static inline __u16 lb_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The two halves of a word: a sum of 17 bits that needs no folding yet. */
static inline __u32 lb_csum_word(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

/* For sums of a few halves, below 2^32: what is left to do when a late term has come. */
static inline __u16 lb_csum_fold_short(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* An address's part in a checksum, 16 bits: of IPv4 only what stands in the packet. */
static inline __u16 lb_csum_of(const union lb_addr *addr)
{
	return lb_csum_fold(lb_addr_is_v4(addr) ? addr->words[3] : lb_csum_addr(addr));
}

/* What replacing a by b adds to a sum: b + ~a, for 32-bit words, without borrowing. */
static inline __u64 lb_csum_diff(__u32 from, __u32 to)
{
	return (__u64)to + (__u32)~from;
}

static inline __u64 lb_csum_diff_addr(const union lb_addr *from, const union lb_addr *to)
{
	return lb_csum_diff(from->words[0], to->words[0]) +
	       lb_csum_diff(from->words[1], to->words[1]) +
	       lb_csum_diff(from->words[2], to->words[2]) +
	       lb_csum_diff(from->words[3], to->words[3]);
}

/* The checksum field after a change; both as on the wire. */
static inline __u16 lb_csum_update(__u16 check, __u64 diff)
{
	return (__u16)~lb_csum_fold((__u16)~check + diff);
}

#endif
