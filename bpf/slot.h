/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a five-tuple to its slot's owner, and, in a slot with history, to the backend that the flow
 * began with: recorded flows have theirs, all others belong to the owner before the first change.
 */
#ifndef LB_SLOT_H
#define LB_SLOT_H

#include "flow_open.h"

#define LB_RESOLVE_OPENING 0x10000u /* beside the owner: the packet opens a connection */

LB_INLINE bool lb_owner_is_alive(const struct lb_service *service, __u16 owner)
{
	__u32 number = service->backend_base + owner;
	const struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &number);

	return owner != LB_OWNER_NONE && backend && backend->flags & LB_B_IN_USE;
}

/* Of every mode but full NAT, which has a flow of its own for each connection. */
LB_INLINE bool lb_owner_is_recorded(const struct lb_service *service, __u16 owner)
{
	__u32 number = service->backend_base + owner;
	const struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &number);

	return owner != LB_OWNER_NONE && backend && backend->mode != LB_MODE_FULLNAT;
}

/* The backend that a recorded flow of this history began with, or else the owner before it. */
LB_INLINE __u16 lb_owner_in_history(const struct lb_flow *seed, const struct lb_history *history,
				    const struct lb_service *service)
{
	const struct lb_hash_key secret = lb_key_copy(&lb_flow_key);
	const long index = lb_flow_seek_forward(seed, lb_record_hash(&secret, seed));
	struct lb_flow *flow = index < 0 ? NULL : lb_flow_at(index);

	if (!flow || flow->kind != LB_FLOW_RECORD || flow->partner != history->epoch ||
	    !lb_is_asked_for(flow, seed) || lb_flow_is_expired(flow, index, service, seed->seen))
		return history->before;
	flow->seen = seed->seen;
	flow->state = LB_FLOW_ESTABLISHED;
	return flow->backend;
}

/*
 * seed: the packet's flow; owner: of its slot, and LB_RESOLVE_OPENING. Answers the owner to use. A
 * new flow goes to the owner and is recorded; if it cannot be, it goes where unrecorded flows go.
 */
__noinline __u32 lb_resolve_history(struct lb_flow *seed, __u32 slot, __u32 owner)
{
	struct lb_service *service;
	struct lb_history *history;
	__u32 number, key;
	__u16 to;

	if (!seed)
		return owner & LB_OWNER_MASK;
	number = seed->service;
	key = lb_history_key(number, slot);
	service = bpf_map_lookup_elem(&lb_services, &number);
	history = bpf_map_lookup_elem(&lb_history, &key);
	/* Signed: another CPU may have stamped it in a tick that this one has not seen. */
	if (!service || !history ||
	    (__s64)(bpf_jiffies64() - history->stamp) > (__s64)service->timeout_established)
		return owner & LB_OWNER_MASK;
	if (owner & LB_RESOLVE_OPENING) {
		/* Full NAT remembers its flows by itself; nobody has none to remember. */
		if (!lb_owner_is_recorded(service, owner & LB_OWNER_MASK))
			return owner & LB_OWNER_MASK;
		seed->partner = history->epoch;
		if (lb_flow_record(seed) >= 0)
			return owner & LB_OWNER_MASK;
		to = history->before;
	} else {
		to = lb_owner_in_history(seed, history, service);
	}
	if (to == (owner & LB_OWNER_MASK) || !lb_owner_is_alive(service, to))
		return owner & LB_OWNER_MASK;
	history->stamp = bpf_jiffies64();
	return to;
}

/*
 * What stands in the place of the ports where those do not count: of all packets of the service the
 * same. Its own port and not 0, by which records know a service of several addresses.
 */
LB_INLINE __be32 lb_no_ports(const struct lb_service *service)
{
	return lb_join_ports(0, service->port);
}

LB_INLINE __u64 lb_packet_hash(const struct lb_packet *pkt)
{
	const struct lb_hash_key key = lb_key_copy(&lb_tuple_key);

	return lb_hash_tuple(&key, &pkt->src, &pkt->dst, lb_src_port(pkt->ports),
			     lb_dst_port(pkt->ports), pkt->proto);
}

/* The slot's owner, with its history bit; -LB_R_INTERNAL. */
LB_INLINE int lb_slot_owner(const struct lb_service *service, __u32 slot)
{
	/* Read once: user space flips to the other table with one store. */
	__u32 index = *(const volatile __u32 *)&service->line + slot / LB_OWNERS_PER_LINE;
	const struct lb_line *line = bpf_map_lookup_elem(&lb_slots, &index);

	return line ? line->owner[slot % LB_OWNERS_PER_LINE] : -LB_R_INTERNAL;
}

LB_INLINE int lb_pick_owner(struct lb_ctx *ctx)
{
	const struct lb_packet *pkt = &ctx->pkt;
	const __u32 slot = lb_hash_slot(lb_packet_hash(pkt), ctx->service->slots);
	const int owner = lb_slot_owner(ctx->service, slot);

	if (owner < 0)
		return owner;
	ctx->owner = owner & LB_OWNER_MASK;
	if (owner & LB_OWNER_HISTORY && pkt->proto == IPPROTO_TCP) {
		struct lb_flow *seed = lb_flow_seed(ctx);

		ctx->owner = lb_resolve_history(
			seed, slot, ctx->owner | (lb_is_opening(pkt) ? LB_RESOLVE_OPENING : 0));
	}
	return ctx->owner == LB_OWNER_NONE ? -LB_R_NO_BACKEND : 0;
}

#endif
