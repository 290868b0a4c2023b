/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow table: find and end flows. Entries are claimed by compare-and-swap of their tag, so
 * that no helper and no lock is needed; a flow may be in either of two buckets (Azar et al., "Balanced
 * allocations", 1994), which fills the table to over nine tenths before a flow finds no room. Old
 * entries are not swept: whoever needs the room looks whether they have expired.
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
	if (state == LB_FLOW_ESTABLISHED)
		return service->timeout_established;
	return state <= LB_FLOW_ANSWERED ? service->timeout_syn : service->timeout_fin;
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
	idle = now - flow->seen;
	partner = lb_flow_partner(flow);
	if (partner && now - partner->seen < idle)
		idle = now - partner->seen;
	return idle;
}

/* Frees the flow's entries. */
__noinline int lb_flow_end(__u32 index)
{
	struct lb_flow *flow = lb_flow_at(index), *partner;

	if (!flow || flow->tag == LB_FLOW_BUSY)
		return 0;
	partner = lb_flow_partner(flow);
	if (partner)
		partner->tag = 0;
	flow->tag = 0;
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

	return now - flow->seen > timeout && lb_flow_idle(index, now) > timeout;
}

/* One direction of a flow: the client at a service, or full NAT's source at an endpoint. */
struct lb_flow_key {
	union lb_addr addr;
	__be16 port;
	__u16 number; /* of the service, or of the endpoint */
	__u32 is_reply;
};

LB_INLINE bool lb_flow_is(const struct lb_flow *flow, const struct lb_flow_key *key)
{
	if (key->is_reply)
		return flow->kind == LB_FLOW_REPLY && flow->source_port == key->port &&
		       flow->endpoint == key->number && lb_addr_is_equal(&flow->source, &key->addr);
	return flow->kind != LB_FLOW_REPLY && flow->client_port == key->port &&
	       flow->service == key->number && lb_addr_is_equal(&flow->client, &key->addr);
}

/* The index of the flow's entry, or -1. */
__noinline long lb_flow_seek(const struct lb_flow_key *key, __u64 hash)
{
	const __u32 tag = lb_flow_tag(hash);

	if (!key)
		return -1;
	for (int choice = 0; choice < 2; choice++) {
		__u32 number = lb_flow_bucket_of(hash, choice, lb_flow_mask);
		struct lb_flow_bucket *bucket = bpf_map_lookup_elem(&lb_flows, &number);

		if (!bucket)
			return -1;
#pragma unroll
		for (int i = 0; i < LB_FLOWS_PER_BUCKET; i++) {
			if (bucket->flow[i].tag == tag && lb_flow_is(&bucket->flow[i], key))
				return number * LB_FLOWS_PER_BUCKET + i;
		}
	}
	return -1;
}

/* What the client's packets find: the entry and its index, or NULL. */
LB_INLINE struct lb_flow *lb_flow_find_forward(const struct lb_ctx *ctx, __u32 *index)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	const struct lb_flow_key key = {
		.addr = ctx->pkt.src,
		.port = ctx->pkt.src_port,
		.number = ctx->service_number,
	};
	const long at = lb_flow_seek(&key, lb_hash_forward(&secret, &key.addr, key.port, key.number));

	*index = (__u32)at;
	return at < 0 ? NULL : lb_flow_at(at);
}

/* What a backend's packets find. */
LB_INLINE struct lb_flow *lb_flow_find_reply(const struct lb_ctx *ctx, __u32 *index)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	const struct lb_flow_key key = {
		.addr = ctx->pkt.dst,
		.port = ctx->pkt.dst_port,
		.number = ctx->endpoint,
		.is_reply = 1,
	};
	const long at = lb_flow_seek(&key, lb_hash_reply(&secret, &key.addr, key.port, key.number));

	*index = (__u32)at;
	return at < 0 ? NULL : lb_flow_at(at);
}

#endif
