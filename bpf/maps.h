/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps. Sizes of one entry are placeholders: user space sets them from the limits before
 * loading. Keys and values are in lb_abi.h.
 */
#ifndef LB_MAPS_H
#define LB_MAPS_H

#include "ctx.h"

#define LB_MMAP_ARRAY(NAME, TYPE)                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, TYPE);                                                               \
	} NAME SEC(".maps")

#define LB_PERCPU_ARRAY(NAME, TYPE)                                                                \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, TYPE);                                                               \
	} NAME SEC(".maps")

LB_MMAP_ARRAY(lb_meta, struct lb_meta);
LB_MMAP_ARRAY(lb_control, struct lb_control);
LB_MMAP_ARRAY(lb_service_hash, struct lb_bucket);
LB_MMAP_ARRAY(lb_backend_hash, struct lb_bucket);
LB_MMAP_ARRAY(lb_zones, struct lb_zone);
LB_MMAP_ARRAY(lb_ranges, struct lb_range);
LB_MMAP_ARRAY(lb_services, struct lb_service);
LB_MMAP_ARRAY(lb_backends, struct lb_backend);
LB_MMAP_ARRAY(lb_endpoints, struct lb_endpoint);
LB_MMAP_ARRAY(lb_sources, struct lb_sources);
LB_MMAP_ARRAY(lb_slots, struct lb_line);
LB_MMAP_ARRAY(lb_totals, struct lb_totals);
LB_MMAP_ARRAY(lb_bases, struct lb_totals);
LB_MMAP_ARRAY(lb_health, struct lb_backend_health);
LB_MMAP_ARRAY(lb_flows, struct lb_flow_bucket);
LB_MMAP_ARRAY(lb_ports, struct lb_port);
LB_MMAP_ARRAY(lb_cache, struct lb_cache);
LB_MMAP_ARRAY(lb_cache_fates, struct lb_cache_fate); /* of lbcache, for lbd */
LB_MMAP_ARRAY(lb_probes, struct lb_probe_port);
LB_PERCPU_ARRAY(lb_backend_cpu, struct lb_backend_cpu_block);
LB_PERCPU_ARRAY(lb_service_cpu, struct lb_service_cpu);
LB_PERCPU_ARRAY(lb_counters, struct lb_counters);
LB_PERCPU_ARRAY(lb_routes, struct lb_route);
LB_PERCPU_ARRAY(lb_seed, struct lb_flow); /* a new flow in the making: too large for the stack */
LB_PERCPU_ARRAY(lb_trace, struct lb_trace);
LB_PERCPU_ARRAY(lb_icmp_budget, struct lb_icmp_budget);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_history);
} lb_history SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lb_server_key);
	__type(value, __u32);
} lb_servers SEC(".maps");

/* Bounded, and the oldest give way: a flood costs fragments of others, never packets that are
 * whole. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LB_FRAGMENTS);
	__type(key, struct lb_fragment_key);
	__type(value, struct lb_fragment);
} lb_fragments SEC(".maps");

/* By LB_CACHE_SOCK(); what closes leaves by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2 * LB_CACHE_THREADS);
	__type(key, __u32);
	__type(value, __u64);
} lb_cache_socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LB_FROM_MAX);
	__type(key, struct lb_from);
	__type(value, __u32);
} lb_from SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, LB_PORTS_MAX + 1);
	__type(key, __u32);
	__type(value, __u32);
} lb_egress SEC(".maps");

#endif
