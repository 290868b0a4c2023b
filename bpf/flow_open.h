/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes room for new flows and writes them: the record of a flow in a slot with history, and full
 * NAT's two entries with a source port that no other flow to the same backend has. All of it is off
 * the hot path, and in global functions (see flow.h).
 */
#ifndef LB_FLOW_OPEN_H
#define LB_FLOW_OPEN_H

#include "flow.h"

#define LB_PORT_PROBES 16
#define LB_BUCKET_NO_ROOM 0xffu
#define LB_FLOW_RANK_EXPIRED 0x80000000u
/*
 * A place is an entry's index and, in the high half, the tag that it had when it was judged: it is
 * taken only while it still has that, since another CPU may have shown a flow in it meanwhile.
 */
#define LB_FLOW_NO_PLACE ((__u64)LB_FLOW_BUSY << 32)

LB_INLINE __u32 lb_flow_tag_now(const struct lb_flow *flow)
{
	return *(const volatile __u32 *)&flow->tag;
}

/* Free, or closed or never answered for so long that nobody asks for it any more. */
LB_INLINE bool lb_flow_is_spent(const struct lb_flow *flow, __u32 tag, __u32 index, __u32 now)
{
	const struct lb_service *service;
	__u32 number, timeout;

	if (tag <= LB_FLOW_BUSY)
		return tag == 0;
	if (!lb_flow_is_evictable(flow->state))
		return false;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!service)
		return false;
	timeout = lb_flow_timeout(service, flow->state);
	return lb_flow_age(now, flow->seen) > timeout && lb_flow_idle(index, now) > timeout;
}

/* How many of a bucket's flows live (low byte), which entry is free (next byte), and its tag. */
__noinline __u64 lb_bucket_room(__u32 number, __u32 now)
{
	struct lb_flow_bucket *bucket = bpf_map_lookup_elem(&lb_flows, &number);
	__u32 live = 0, at = LB_BUCKET_NO_ROOM, free_tag = LB_FLOW_BUSY;

	if (!bucket)
		return LB_FLOWS_PER_BUCKET | at << 8;
	for (__u32 i = 0; i < LB_FLOWS_PER_BUCKET; i++) {
		const struct lb_flow *flow = &bucket->flow[i];
		const __u32 tag = lb_flow_tag_now(flow);

		if (lb_flow_is_spent(flow, tag, number * LB_FLOWS_PER_BUCKET + i, now)) {
			at = i;
			free_tag = tag;
		} else {
			live++;
		}
	}
	return (__u64)free_tag << 32 | live | at << 8;
}

/*
 * High half: how good an entry is to take by force, expired, then the oldest that may be evicted; 0
 * never. Low half: the tag that was judged.
 */
__noinline __u64 lb_flow_rank(__u32 index, __u32 now)
{
	const struct lb_flow *flow = lb_flow_at(index);
	const __u32 tag = flow ? lb_flow_tag_now(flow) : LB_FLOW_BUSY;
	struct lb_service *service;
	__u32 number, idle, rank = 0;

	if (!flow || tag == LB_FLOW_BUSY)
		return 0;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!service || !(service->flags & LB_S_IN_USE))
		return ~0ull << 32 | tag;
	idle = lb_flow_idle(index, now);
	if (idle > lb_flow_timeout(service, flow->state))
		rank = LB_FLOW_RANK_EXPIRED | idle >> 2;
	else if (lb_flow_is_evictable(flow->state))
		rank = (idle >> 2) + 1;
	return (__u64)rank << 32 | tag;
}

/* The n-th entry that a flow of this hash may take. */
LB_INLINE __u32 lb_flow_choice(__u64 hash, __u32 n)
{
	__u32 number = lb_flow_bucket_of(hash, n / LB_FLOWS_PER_BUCKET, lb_flow_mask);

	return number * LB_FLOWS_PER_BUCKET + n % LB_FLOWS_PER_BUCKET;
}

/* Both buckets are full: the place of what gives way, if anything does. */
__noinline __u64 lb_flow_victim(__u64 hash, __u32 now)
{
	__u64 best = 0;
	__u32 at = 0;

	for (__u32 n = 0; n < 2 * LB_FLOWS_PER_BUCKET; n++) {
		const __u64 rank = lb_flow_rank(lb_flow_choice(hash, n), now);

		if (rank >> 32 <= best >> 32)
			continue;
		best = rank;
		at = n;
	}
	return best >> 32 ? best << 32 | lb_flow_choice(hash, at) : LB_FLOW_NO_PLACE;
}

LB_INLINE __u64 lb_place_in(__u32 bucket, __u64 room)
{
	return (room >> 32) << 32 | (bucket * LB_FLOWS_PER_BUCKET + (room >> 8 & 7));
}

/*
 * Where a new flow goes: into the first bucket while it is half empty, so that it is found there at
 * once, else into the emptier one, so that the table fills evenly.
 */
__noinline __u64 lb_flow_place(__u64 hash, __u32 now)
{
	const __u32 first = lb_flow_bucket_of(hash, 0, lb_flow_mask);
	const __u32 second = lb_flow_bucket_of(hash, 1, lb_flow_mask);
	const __u64 room = lb_bucket_room(first, now);
	__u64 other;

	if ((room & 0xff) < LB_FLOWS_PER_BUCKET / 2)
		return lb_place_in(first, room);
	other = lb_bucket_room(second, now);
	if ((other & 0xff) < (room & 0xff))
		return lb_place_in(second, other);
	if ((room & 0xff) < LB_FLOWS_PER_BUCKET)
		return lb_place_in(first, room);
	return lb_flow_victim(hash, now);
}

/* Makes an entry BUSY, and ends the flow that it held: its index, or -1 if another CPU was faster.
 */
__noinline long lb_flow_take(__u64 place)
{
	struct lb_flow *flow = lb_flow_at((__u32)place), *partner;
	__u32 tag = place >> 32;

	if (!flow || tag == LB_FLOW_BUSY ||
	    __sync_val_compare_and_swap(&flow->tag, tag, LB_FLOW_BUSY) != tag)
		return -1;
	partner = tag ? lb_flow_partner(flow) : NULL;
	if (partner) {
		tag = partner->tag;
		if (tag > LB_FLOW_BUSY)
			__sync_val_compare_and_swap(&partner->tag, tag, 0);
	}
	return (__u32)place;
}

/* Not one function: on 6.1 each frame of a chain of calls counts at least 32 of 512 bytes. */
LB_INLINE long lb_flow_claim(__u64 hash, __u32 now)
{
	long index = lb_flow_take(lb_flow_place(hash, now));

	/* Another CPU may have been faster; it was not the room that lacked. */
	return index < 0 ? lb_flow_take(lb_flow_place(hash, now)) : index;
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
	struct lb_flow *flow;
	__u64 hash;
	long index;

	if (!seed)
		return -LB_R_INTERNAL;
	hash = lb_record_hash(&secret, seed);
	index = lb_flow_seek_forward(seed, hash);
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
 * Whether full NAT may use seed's source port. Of a flow that has expired, or of one that may be
 * evicted if force says so, the port is taken back.
 */
__noinline int lb_port_is_free(const struct lb_flow *seed, __u64 hash, __u32 force)
{
	struct lb_service *service;
	struct lb_flow *flow;
	__u32 number;
	long index;

	if (!seed)
		return 0;
	index = lb_flow_seek_reply(seed, hash, -1);
	if (index < 0)
		return 1;
	flow = lb_flow_at(index);
	if (!flow)
		return 0;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (service && !lb_flow_is_expired(flow, index, service, seed->seen) &&
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
 * Gives seed a source address and port that no live flow to the backend has: keyed hash, then
 * probes. In the second half of the probes a half-open or closed flow gives way.
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
	if (!ports)
		return -LB_R_PORTS_FULL;
	for (int i = 0; i < LB_PORT_PROBES; i++) {
		__u32 chosen;
		__u64 hash;

		random = lb_hash_mix(random + 0x9e3779b97f4a7c15ull);
		chosen = lb_hash_scale((__u32)random, ports * count);
		seed->source = sources->addr[chosen / ports % LB_SOURCES_MAX];
		seed->source_port = lb_port_at(chosen % ports);
		hash = lb_hash_reply(&secret, &seed->source, seed->source_port, seed->endpoint);
		if (lb_port_is_free(seed, hash, i >= LB_PORT_PROBES / 2))
			return 0;
	}
	return -LB_R_PORTS_FULL;
}

/*
 * Opens a full-NAT flow whose port was picked: both entries are claimed, written, then shown. A CPU
 * that took the same port at the same time sees it afterwards and gives way (both may; the client
 * tries again). Answers the forward entry's index or a reason.
 */
__noinline long lb_flow_open(const struct lb_flow *seed)
{
	struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow *forward, *reply;
	long forward_index, reply_index;
	__u64 hash, reply_hash;

	if (!seed)
		return -LB_R_INTERNAL;
	hash = lb_hash_forward(&secret, &seed->client, seed->client_port, seed->service);
	/* A record of the same client, from a slot with history, would be found instead. */
	forward_index = lb_flow_seek_forward(seed, hash);
	if (forward_index >= 0)
		lb_flow_end(forward_index);
	secret = lb_key_copy(&lb_flow_key); /* anew, or it would take stack over the calls */
	reply_hash = lb_hash_reply(&secret, &seed->source, seed->source_port, seed->endpoint);
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
	if (lb_flow_seek_reply(seed, reply_hash, reply_index) >= 0) {
		lb_flow_end(forward_index);
		return -LB_R_PORTS_FULL;
	}
	return forward_index;
}

/* What a new flow of this packet is made of; NULL never happens. */
LB_INLINE struct lb_flow *lb_flow_seed(const struct lb_ctx *ctx)
{
	struct lb_flow *seed = lb_flow_scratch();

	if (!seed)
		return NULL;
	__builtin_memset(seed, 0, sizeof(*seed));
	seed->seen = ctx->now;
	seed->client = ctx->pkt.src;
	seed->client_port = lb_src_port(ctx->pkt.ports);
	seed->service = ctx->service_number;
	seed->backend = ctx->owner;
	seed->port = lb_port_number;
	__builtin_memcpy(seed->client_mac, ctx->pkt.eth->h_source, ETH_ALEN);
	if (ctx->service->flags & LB_S_WIDE) {
		seed->source = ctx->pkt.dst;
		seed->source_port = lb_dst_port(ctx->pkt.ports);
	}
	return seed;
}

#endif
