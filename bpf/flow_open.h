/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes room for new flows and writes them: the record of a flow in a slot with history, and full NAT's
 * two entries with a source port that no other flow to the same backend has. All of it is off the hot
 * path, and in global functions (see flow.h).
 */
#ifndef LB_FLOW_OPEN_H
#define LB_FLOW_OPEN_H

#include "flow.h"

#define LB_PORT_PROBES 16
#define LB_FLOW_RANK_FREE 0xffffffffu
#define LB_FLOW_RANK_EXPIRED 0x80000000u

/* How good an entry is to take: free, then expired, then the oldest that may be evicted; 0 never. */
__noinline __u32 lb_flow_rank(__u32 index, __u32 now)
{
	const struct lb_flow *flow = lb_flow_at(index);
	struct lb_service *service;
	__u32 number, idle;

	if (!flow || flow->tag == LB_FLOW_BUSY)
		return 0;
	if (flow->tag == 0)
		return LB_FLOW_RANK_FREE;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!service || !(service->flags & LB_S_IN_USE))
		return LB_FLOW_RANK_FREE - 1;
	idle = lb_flow_idle(index, now);
	if (idle > lb_flow_timeout(service, flow->state))
		return LB_FLOW_RANK_EXPIRED | idle >> 2;
	return lb_flow_is_evictable(flow->state) ? (idle >> 2) + 1 : 0;
}

/* Claims the best entry of the hash's two buckets: its index, or -1. The entry is BUSY then. */
__noinline long lb_flow_claim(__u64 hash, __u32 now)
{
	__u32 best_rank = 0, best = 0, tag;
	struct lb_flow *flow, *partner;

	for (__u32 i = 0; i < 2 * LB_FLOWS_PER_BUCKET; i++) {
		__u32 number = lb_flow_bucket_of(hash, i / LB_FLOWS_PER_BUCKET, lb_flow_mask);
		__u32 index = number * LB_FLOWS_PER_BUCKET + i % LB_FLOWS_PER_BUCKET;
		__u32 rank = lb_flow_rank(index, now);

		if (rank > best_rank) {
			best_rank = rank;
			best = index;
		}
		if (rank == LB_FLOW_RANK_FREE)
			break;
	}
	flow = lb_flow_at(best);
	if (!best_rank || !flow)
		return -1;
	tag = flow->tag;
	if (tag == LB_FLOW_BUSY || __sync_val_compare_and_swap(&flow->tag, tag, LB_FLOW_BUSY) != tag)
		return -1;
	partner = tag ? lb_flow_partner(flow) : NULL;
	if (partner)
		partner->tag = 0;
	return best;
}

/* Copies what a flow is made of into a claimed entry, and shows it. */
LB_INLINE void lb_flow_show(struct lb_flow *flow, const struct lb_flow *seed, __u8 kind,
			    __u32 partner, __u64 hash)
{
	flow->seen = seed->seen;
	flow->client = seed->client;
	flow->source = seed->source;
	flow->client_port = seed->client_port;
	flow->source_port = seed->source_port;
	flow->service = seed->service;
	flow->backend = seed->backend;
	flow->endpoint = seed->endpoint;
	flow->kind = kind;
	flow->state = LB_FLOW_SYN;
	__builtin_memcpy(flow->client_mac, seed->client_mac, sizeof(flow->client_mac));
	flow->port = seed->port;
	flow->partner = partner;
	__sync_lock_test_and_set(&flow->tag, lb_flow_tag(hash));
}

/* Notes which backend a flow has: seed->partner is the slot's epoch, 0 without history. */
__noinline long lb_flow_record(const struct lb_flow *seed)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow_key key = {};
	struct lb_flow *flow;
	__u64 hash;
	long index;

	if (!seed)
		return -LB_R_INTERNAL;
	key.addr = seed->client;
	key.port = seed->client_port;
	key.number = seed->service;
	hash = lb_hash_forward(&secret, &key.addr, key.port, key.number);
	index = lb_flow_seek(&key, hash);
	if (index >= 0)
		lb_flow_end(index);
	index = lb_flow_claim(hash, seed->seen);
	flow = index < 0 ? NULL : lb_flow_at(index);
	if (!flow)
		return -LB_R_FLOWS_FULL;
	lb_flow_show(flow, seed, LB_FLOW_RECORD, seed->partner, hash);
	return index;
}

/*
 * Whether full NAT may use a source port (wire order, in the low half of where; the endpoint is in the
 * high half). Of a flow that has expired, or of one that may be evicted if force says so, the port is
 * taken back.
 */
__noinline int lb_port_is_free(const union lb_addr *source, __u64 hash, __u32 where, __u32 now,
			       __u32 force)
{
	struct lb_flow_key key = { .is_reply = 1 };
	struct lb_service *service;
	struct lb_flow *flow;
	__u32 number;
	long index;

	if (!source)
		return 0;
	key.addr = *source;
	key.port = (__u16)where;
	key.number = where >> 16;
	index = lb_flow_seek(&key, hash);
	if (index < 0)
		return 1;
	flow = lb_flow_at(index);
	if (!flow)
		return 0;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (service && !lb_flow_is_expired(flow, index, service, now) &&
	    !(force && lb_flow_is_evictable(flow->state)))
		return 0;
	lb_flow_end(index);
	return 1;
}

/* The n-th source port, on the wire; all of them lie outside the host's own ephemeral range. */
__noinline __u32 lb_port_at(__u32 index)
{
	__u32 zero = 0, first;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	if (!control)
		return 0;
	first = control->port_count[0];
	return bpf_htons(index < first ? control->port_low[0] + index
				       : control->port_low[1] + index - first);
}

/*
 * Gives seed a source address and port that no live flow to the backend has: keyed hash, then probes.
 * In the second half of the probes a half-open or closed flow gives way.
 */
__noinline int lb_pick_port(struct lb_flow *seed, __u32 backend_number)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	const struct lb_control *control;
	const struct lb_sources *sources;
	const struct lb_backend *backend;
	__u32 zero = 0, ports, count;
	__u64 random;

	if (!seed)
		return -LB_R_INTERNAL;
	random = lb_hash_forward(&secret, &seed->client, seed->client_port, seed->endpoint);
	control = bpf_map_lookup_elem(&lb_control, &zero);
	sources = bpf_map_lookup_elem(&lb_sources, &backend_number);
	backend = bpf_map_lookup_elem(&lb_backends, &backend_number);
	if (!control || !sources || !backend)
		return -LB_R_INTERNAL;
	ports = control->port_count[0] + control->port_count[1];
	count = backend->source_count;
	if (!count)
		return -LB_R_NO_SOURCE;
	for (int i = 0; i < LB_PORT_PROBES; i++) {
		__u32 chosen;
		__u64 hash;

		random = lb_hash_mix(random + 0x9e3779b97f4a7c15ull);
		chosen = lb_hash_scale((__u32)random, ports * count);
		seed->source = sources->addr[chosen / ports % LB_SOURCES_MAX];
		seed->source_port = lb_port_at(chosen % ports);
		hash = lb_hash_reply(&secret, &seed->source, seed->source_port, seed->endpoint);
		if (lb_port_is_free(&seed->source, hash,
				    (__u32)seed->endpoint << 16 | seed->source_port, seed->seen,
				    i >= LB_PORT_PROBES / 2))
			return 0;
	}
	return -LB_R_PORTS_FULL;
}

/*
 * Opens a full-NAT flow whose port was picked: both entries are claimed, written, then shown. A CPU that took the same port
 * at the same time sees it afterwards and gives way. Answers the forward entry's index or a reason.
 */
__noinline long lb_flow_open(const struct lb_flow *seed)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow_key key = { .is_reply = 1 };
	struct lb_flow *forward, *reply;
	long forward_index, reply_index;
	__u64 hash, reply_hash;

	if (!seed)
		return -LB_R_INTERNAL;
	hash = lb_hash_forward(&secret, &seed->client, seed->client_port, seed->service);
	key.addr = seed->source;
	key.port = seed->source_port;
	key.number = seed->endpoint;
	reply_hash = lb_hash_reply(&secret, &key.addr, key.port, key.number);
	reply_index = lb_flow_claim(reply_hash, seed->seen);
	reply = reply_index < 0 ? NULL : lb_flow_at(reply_index);
	if (!reply)
		return -LB_R_FLOWS_FULL;
	forward_index = lb_flow_claim(hash, seed->seen);
	forward = forward_index < 0 ? NULL : lb_flow_at(forward_index);
	if (!forward) {
		reply->tag = 0;
		return -LB_R_FLOWS_FULL;
	}
	lb_flow_show(reply, seed, LB_FLOW_REPLY, forward_index, reply_hash);
	lb_flow_show(forward, seed, LB_FLOW_FORWARD, reply_index, hash);
	if (lb_flow_seek(&key, reply_hash) != reply_index) {
		lb_flow_end(forward_index);
		return -LB_R_PORTS_FULL;
	}
	return forward_index;
}

/* What a new flow of this packet is made of. */
LB_INLINE void lb_flow_seed(const struct lb_ctx *ctx, struct lb_flow *seed)
{
	__builtin_memset(seed, 0, sizeof(*seed));
	seed->seen = ctx->now;
	seed->client = ctx->pkt.src;
	seed->client_port = ctx->pkt.src_port;
	seed->service = ctx->service_number;
	seed->backend = ctx->owner;
	seed->port = lb_port_number;
	__builtin_memcpy(seed->client_mac, ctx->pkt.eth->h_source, ETH_ALEN);
}

#endif
