/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the contract that is about lbcache beside the datapath. Included by lb_abi.h, whose
 * rules hold here too.
 */
#ifndef LB_CACHE_ABI_H
#define LB_CACHE_ABI_H

#include "lb_addr.h"

/*
 * What lbcache and the datapath tell one another. A thread writes the time each turn of its loop;
 * one that has not for LB_CACHE_DEAD_NS gets no new connections.
 */
#define LB_CACHE_THREADS 64u
#define LB_CACHE_DEAD_NS 50000000ll
#define LB_CACHE_LINGER_S 900u	 /* after the last packet nobody has a connection there */
#define LB_CACHE_BYPASS_ALL 256u /* a thread's whole share */
#define LB_CACHE_SOCK(thread, is_v6) (2u * (__u32)(thread) + ((is_v6) ? 1u : 0u))

struct lb_cache_thread {
	__u64 seen_ns; /* CLOCK_MONOTONIC_COARSE */
	__u32 bypass;  /* of LB_CACHE_BYPASS_ALL new connections, so many go to the backends */
	__u32 reserved[13];
};

/* What lbcache has counted since it began, and holds; written some times a second. */
struct lb_cache_counts {
	__u64 requests, hits, stale, misses;
	__u64 bytes, limit; /* memory of pages */
};

struct lb_cache {
	__u32 threads; /* 0: lbcache does not run */
	__u32 used;    /* jiffies, about: when a packet went there last; the datapath's */
	struct lb_cache_counts counts;
	__u64 reserved;
	struct lb_cache_thread thread[LB_CACHE_THREADS];
};

/* What became of lbcache's requests to a backend; all its threads count. */
struct lb_cache_fate {
	__u64 asked, heads, whole; /* requests, heads of answers, answers that came whole */
	__u64 unconnected, late, cut, malformed; /* how the others failed */
	__u64 reserved;
};

#endif
