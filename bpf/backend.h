/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which backend a client's packet goes to: the one its flow is recorded with, where the service
 * records flows, else its slot's.
 */
#ifndef LB_BACKEND_H
#define LB_BACKEND_H

#include "cache.h"
#include "fate.h"
#include "flow_state.h"
#include "server.h"
#include "slot.h"

LB_INLINE int lb_find_backend(struct lb_ctx *ctx)
{
	__u32 number = ctx->service->backend_base + ctx->owner;
	__u32 block_number = number / LB_CPU_BLOCK;
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &number);
	struct lb_backend_cpu_block *block = bpf_map_lookup_elem(&lb_backend_cpu, &block_number);

	if (!backend || !block || !(backend->flags & LB_B_IN_USE))
		return -LB_R_BACKEND_GONE;
	asm volatile("" : "+r"(block)); /* as in lb_flow_at */
	ctx->backend = backend;
	ctx->local = &block->backend[number % LB_CPU_BLOCK];
	return 0;
}

/* The flow's new state, or 0 if it stays as it is. */
LB_INLINE __u8 lb_flow_advance(struct lb_flow *flow, __u32 index, const struct lb_packet *pkt,
			       bool is_reply, __u32 now)
{
	const __u8 next = lb_flow_next_state(flow->state, pkt, is_reply);

	if (flow->seen != now)
		flow->seen = now;
	if (next == flow->state)
		return 0;
	lb_flow_mark(index, next);
	return next;
}

/*
 * Of a flow whose client asks again: if its slot has another owner by now it ends, so that the SYN
 * is scheduled anew. Answers whether it did.
 */
__noinline int lb_flow_give_up(__u32 index)
{
	const struct lb_hash_key key = lb_key_copy(&lb_tuple_key);
	struct lb_flow *flow = lb_flow_at(index);
	struct lb_backend_cpu_block *block;
	struct lb_service *service;
	__u32 number, slot;
	int owner;

	if (!flow)
		return 0;
	number = flow->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!service)
		return 0;
	slot = lb_hash_slot(lb_hash_tuple(&key, &flow->client, &service->vip, flow->client_port,
					  service->port, service->proto),
			    service->slots);
	owner = lb_slot_owner(service, slot);
	if (owner < 0 || (owner & LB_OWNER_MASK) == flow->backend)
		return 0;
	number = service->backend_base + flow->backend;
	slot = number / LB_CPU_BLOCK;
	block = bpf_map_lookup_elem(&lb_backend_cpu, &slot);
	if (block && flow->state == LB_FLOW_SYN) {
		asm volatile("" : "+r"(block)); /* as in lb_flow_at */
		block->backend[number % LB_CPU_BLOCK].unanswered++;
	}
	lb_flow_end(index);
	return 1;
}

/* The flow of a client's packet, if it is known, alive, and not about to be opened anew. */
LB_INLINE struct lb_flow *lb_find_flow(struct lb_ctx *ctx)
{
	__u32 index = 0;
	struct lb_flow *flow = lb_flow_find_forward(ctx, &index);

	ctx->flow_index = index;
	if (!flow)
		return NULL;
	/* In a service of mixed modes a TCP record's slot has its say. */
	if (flow->kind == LB_FLOW_RECORD && ctx->pkt.proto == IPPROTO_TCP)
		return NULL;
	if (lb_flow_is_expired(flow, ctx->flow_index, ctx->service, ctx->now) ||
	    (lb_is_opening(&ctx->pkt) && flow->state == LB_FLOW_CLOSED)) {
		lb_flow_end(ctx->flow_index);
		return NULL;
	}
	return flow;
}

/* A backend that was removed takes its flows with it; a client that opens anew gets another. */
LB_INLINE int lb_pick_recorded(struct lb_ctx *ctx, struct lb_flow *flow)
{
	int err;

	ctx->owner = flow->backend;
	err = lb_find_backend(ctx);
	if (!err && ctx->backend->endpoint == flow->endpoint) {
		ctx->flow = flow;
		return 0;
	}
	lb_flow_end(ctx->flow_index);
	return -LB_R_BACKEND_GONE;
}

/*
 * For modes without a flow of their own: counts a connection, and records which backend a flow of
 * UDP has. room: as in lb_clamp_syn().
 */
LB_INLINE int lb_record_backend(struct lb_ctx *ctx, __u32 room)
{
	const struct lb_packet *pkt = &ctx->pkt;
	struct lb_flow *seed;

	if (pkt->proto == IPPROTO_TCP) {
		if (lb_is_opening(pkt)) {
			ctx->local->connections++;
			if (ctx->xdp)
				lb_clamp_syn(ctx, room);
		}
		return 0;
	}
	if (ctx->flow) {
		lb_flow_advance(ctx->flow, ctx->flow_index, pkt, false, ctx->now);
		return 0;
	}
	if (ctx->service->flags & LB_S_STATELESS)
		return 0;
	/* Without room the flow goes by the hash, as a stateless one does. */
	seed = lb_flow_seed(ctx);
	if (!seed)
		return -LB_R_INTERNAL;
	seed->endpoint = ctx->backend->endpoint;
	lb_flow_record(seed);
	ctx->local->connections++;
	return 0;
}

/*
 * has_openings: whether packets may come that open a TCP connection; a constant. What a connection
 * id names wins over what is recorded of the client's address, which is then recorded anew.
 */
LB_INLINE int lb_pick_backend(struct lb_ctx *ctx, bool has_openings)
{
	int server = LB_NO_SERVER, err;

	/* One test, since most services are neither; none is both, none by three-tuple is local. */
	if (ctx->service->flags & (LB_S_QUIC | LB_S_THREE_TUPLE)) {
		if (ctx->service->flags & LB_S_QUIC)
			server = lb_find_server(ctx->service, ctx->service_number, ctx->pkt.l4,
						ctx->pkt.end);
		else if (ctx->xdp)
			ctx->pkt.ports = lb_no_ports(ctx->service);
	}
	if (ctx->service->flags & LB_S_TRACKED) {
		struct lb_flow *flow = lb_find_flow(ctx);

		if (has_openings && flow && flow->state < LB_FLOW_ANSWERED &&
		    lb_is_opening(&ctx->pkt) && lb_flow_give_up(ctx->flow_index))
			flow = NULL;
		if (flow && (server == LB_NO_SERVER || server == flow->backend)) {
			err = lb_pick_recorded(ctx, flow);
			if (!err || (ctx->pkt.proto == IPPROTO_TCP && !lb_is_opening(&ctx->pkt)))
				return err;
		}
	}
	if (server != LB_NO_SERVER) {
		ctx->owner = server;
	} else {
		/* Behind XDP, local.bpf.c finds what was decided there. */
		if (ctx->xdp && ctx->service->flags & LB_S_CACHED && lb_is_for_cache(ctx))
			return -LB_R_CACHED;
		err = lb_pick_owner(ctx);
		if (err)
			return err;
	}
	return lb_find_backend(ctx);
}

#endif
