/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table: find and end flows. Entries are claimed by compare-and-swap of their tag, so
 * that no helper and no lock is needed; a flow may be in either of two buckets (Azar et al.,
 * "Balanced allocations", 1994), which fills the table to over nine tenths before a flow finds no
 * room. Old entries are not swept: whoever needs the room looks whether they have expired.
 */
#ifndef LB_FLOW_H
#define LB_FLOW_H

#include "maps.h"

LB_INLINE bool lb_flow_is_evictable(__u8 state)
{
	return state <= LB_FLOW_ANSWERED || state == LB_FLOW_CLOSED;
}

LB_INLINE __u32 lb_flow_timeout(const struct lb_service *service, __u8 state)
{
	if (service->proto == IPPROTO_UDP)
		return service->timeout_udp;
	if (state <= LB_FLOW_ANSWERED)
		return service->timeout_syn;
	/* Half closed is alive: the other side may think for long. */
	return state == LB_FLOW_CLOSED ? service->timeout_fin : service->timeout_established;
}

LB_INLINE struct lb_flow *lb_flow_at(__u32 index)
{
	__u32 number = index / LB_FLOWS_PER_BUCKET;
	struct lb_flow_bucket *bucket = bpf_map_lookup_elem(&lb_flows, &number);

	if (!bucket)
		return NULL;
	/* clang 14 would add the offset before the test, which the verifier refuses. */
	asm volatile("" : "+r"(bucket));
	return &bucket->flow[index % LB_FLOWS_PER_BUCKET];
}

/* The other direction of a full-NAT flow, if it still is. */
LB_INLINE struct lb_flow *lb_flow_partner(const struct lb_flow *flow)
{
	struct lb_flow *partner;

	if (flow->kind == LB_FLOW_RECORD)
		return NULL;
	partner = lb_flow_at(flow->partner);
	if (!partner || partner->tag <= LB_FLOW_BUSY || partner->kind == flow->kind ||
	    partner->service != flow->service || partner->client_port != flow->client_port ||
	    partner->source_port != flow->source_port || partner->endpoint != flow->endpoint ||
	    !lb_addr_is_equal(&partner->client, &flow->client) ||
	    !lb_addr_is_equal(&partner->source, &flow->source))
		return NULL;
	return partner;
}

/*
 * Jiffies since either direction was seen. This and the functions below are global ones, which the
 * verifier walks once and not at every call: inlined, their paths multiply past its limit.
 */
__noinline __u32 lb_flow_idle(__u32 index, __u32 now)
{
	const struct lb_flow *flow = lb_flow_at(index), *partner;
	__u32 idle;

	if (!flow)
		return 0;
	idle = lb_flow_age(now, flow->seen);
	partner = lb_flow_partner(flow);
	if (partner && lb_flow_age(now, partner->seen) < idle)
		idle = lb_flow_age(now, partner->seen);
	return idle;
}

/* Frees the flow's entries. */
__noinline int lb_flow_end(__u32 index)
{
	struct lb_flow *flow = lb_flow_at(index), *partner;
	__u32 tag, partner_tag;

	if (!flow)
		return 0;
	tag = flow->tag;
	if (tag <= LB_FLOW_BUSY)
		return 0;
	partner = lb_flow_partner(flow);
	if (partner) {
		/* Whoever has taken the entry meanwhile keeps it. */
		partner_tag = partner->tag;
		if (partner_tag > LB_FLOW_BUSY)
			__sync_val_compare_and_swap(&partner->tag, partner_tag, 0);
	}
	__sync_val_compare_and_swap(&flow->tag, tag, 0);
	return 0;
}

/* Sets the state of both directions. */
__noinline int lb_flow_mark(__u32 index, __u32 state)
{
	struct lb_flow *flow = lb_flow_at(index), *partner;

	if (!flow)
		return 0;
	partner = lb_flow_partner(flow);
	if (partner)
		partner->state = state;
	flow->state = state;
	return 0;
}

/* A packet's own entry: only when its direction was quiet is the other one asked. */
LB_INLINE bool lb_flow_is_expired(const struct lb_flow *flow, __u32 index,
				  const struct lb_service *service, __u32 now)
{
	const __u32 timeout = lb_flow_timeout(service, flow->state);

	return lb_flow_age(now, flow->seen) > timeout && lb_flow_idle(index, now) > timeout;
}

/*
 * The index of the flow whose direction like describes, or -1: the client at a service, or, of a
 * reply, full NAT's source at an endpoint. Only those fields of like are read.
 */
LB_INLINE long lb_flow_seek(const struct lb_flow *like, __u64 hash, bool is_reply, long except)
{
	const __u32 tag = lb_flow_tag(hash);

	for (int choice = 0; choice < 2; choice++) {
		__u32 number = lb_flow_bucket_of(hash, choice, lb_flow_mask);
		struct lb_flow_bucket *bucket = bpf_map_lookup_elem(&lb_flows, &number);

		if (!bucket)
			return -1;
#pragma unroll
		for (int i = 0; i < LB_FLOWS_PER_BUCKET; i++) {
			const struct lb_flow *flow = &bucket->flow[i];

			if (flow->tag != tag || is_reply != (flow->kind == LB_FLOW_REPLY) ||
			    (is_reply && (long)number * LB_FLOWS_PER_BUCKET + i == except))
				continue;
			if (is_reply ? flow->source_port == like->source_port &&
					       flow->endpoint == like->endpoint &&
					       lb_addr_is_equal(&flow->source, &like->source)
				     : flow->client_port == like->client_port &&
					       flow->service == like->service &&
					       lb_addr_is_equal(&flow->client, &like->client))
				return number * LB_FLOWS_PER_BUCKET + i;
		}
	}
	return -1;
}

__noinline long lb_flow_seek_forward(const struct lb_flow *like, __u64 hash)
{
	return like ? lb_flow_seek(like, hash, false, -1) : -1;
}

/* except: an entry that does not count, or -1. */
__noinline long lb_flow_seek_reply(const struct lb_flow *like, __u64 hash, long except)
{
	return like ? lb_flow_seek(like, hash, true, except) : -1;
}

/* This CPU's scratch: a flow is too large for the stack. */
LB_INLINE struct lb_flow *lb_flow_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_seed, &zero);
}

/*
 * Of a service of several ports or addresses a client may have two flows by one port of its own, so
 * its records say, where a full-NAT flow has its source, what the client asked for.
 */
LB_INLINE __u64 lb_record_hash(const struct lb_hash_key *secret, const struct lb_flow *like)
{
	const __u64 hash = lb_hash_forward(secret, &like->client, like->client_port, like->service);

	return like->source_port ? lb_hash_addr(secret, &like->source, hash + like->source_port)
				 : hash;
}

LB_INLINE bool lb_is_asked_for(const struct lb_flow *flow, const struct lb_flow *like)
{
	return flow->source_port == like->source_port &&
	       lb_addr_is_equal(&flow->source, &like->source);
}

/* The same for a packet of such a service; like is the scratch. */
LB_INLINE struct lb_flow *lb_flow_find_wide(const struct lb_ctx *ctx, struct lb_flow *like,
					    __u32 *index)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow *flow;
	long at;

	like->source = ctx->pkt.dst;
	like->source_port = lb_dst_port(ctx->pkt.ports);
	at = lb_flow_seek_forward(like, lb_record_hash(&secret, like));
	*index = (__u32)at;
	flow = at < 0 ? NULL : lb_flow_at(at);
	return flow && lb_is_asked_for(flow, like) ? flow : NULL;
}

/* What the client's packets find: the entry and its index, or NULL. */
LB_INLINE struct lb_flow *lb_flow_find_forward(const struct lb_ctx *ctx, __u32 *index)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow *like = lb_flow_scratch();
	long at;

	if (!like)
		return NULL;
	like->client = ctx->pkt.src;
	like->client_port = lb_src_port(ctx->pkt.ports);
	like->service = ctx->service_number;
	if (ctx->service->flags & LB_S_WIDE)
		return lb_flow_find_wide(ctx, like, index);
	at = lb_flow_seek_forward(
		like, lb_hash_forward(&secret, &ctx->pkt.src, like->client_port, like->service));
	*index = (__u32)at;
	return at < 0 ? NULL : lb_flow_at(at);
}

/* What a backend's packets find. */
LB_INLINE struct lb_flow *lb_flow_find_reply(const struct lb_ctx *ctx, __u32 *index)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	struct lb_flow *like = lb_flow_scratch();
	long at;

	if (!like)
		return NULL;
	like->source = ctx->pkt.dst;
	like->source_port = lb_dst_port(ctx->pkt.ports);
	like->endpoint = ctx->endpoint;
	at = lb_flow_seek_reply(
		like, lb_hash_reply(&secret, &ctx->pkt.dst, like->source_port, like->endpoint), -1);
	*index = (__u32)at;
	return at < 0 ? NULL : lb_flow_at(at);
}

#endif
