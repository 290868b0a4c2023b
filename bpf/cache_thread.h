/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread of lbcache a new connection belongs to: its five-tuple says so. If that one is not
 * alive, or wants no more, nobody takes it.
 */
#ifndef LB_CACHE_THREAD_H
#define LB_CACHE_THREAD_H

#include "ctx.h"

#define LB_CACHE_NOBODY (-1)

/* Which thread takes a new connection, or LB_CACHE_NOBODY. */
LB_INLINE int lb_cache_thread(const struct lb_cache *cache, const union lb_addr *src,
			      const union lb_addr *dst, __be32 ports)
{
	const struct lb_hash_key key = lb_key_copy(&lb_tuple_key);
	const __u64 hash =
		lb_hash_tuple(&key, src, dst, lb_src_port(ports), lb_dst_port(ports), IPPROTO_TCP);
	const struct lb_cache_thread *thread;
	const __u32 threads = cache->threads;
	__u32 index = hash >> 32;

	if (!threads)
		return LB_CACHE_NOBODY;
	index = index % threads & (LB_CACHE_THREADS - 1);
	thread = &cache->thread[index];
	/* Signed: the thread may have read the clock after this CPU did. */
	if ((__s64)(bpf_ktime_get_coarse_ns() - thread->seen_ns) > LB_CACHE_DEAD_NS ||
	    (hash & (LB_CACHE_BYPASS_ALL - 1)) < thread->bypass)
		return LB_CACHE_NOBODY;
	return (int)index;
}

#endif
