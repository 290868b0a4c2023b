/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a packet would go that has no ports of its own: an ICMP error about a flow, or a later
 * fragment. The same flows, tables and next hops decide as for any packet, but nothing is opened,
 * recorded or counted for it. Off the hot path; what is asked and answered stands in lb_trace,
 * since the stack has no room for it beside the hot path's.
 */
#ifndef LB_FOLLOW_H
#define LB_FOLLOW_H

#include "backend.h"
#include "encap.h"
#include "fwd_nat.h"
#include "service.h"

LB_INLINE struct lb_trace *lb_trace_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_trace, &zero);
}

/* Notes the service of several ports or addresses; apart, since lb_follow() has no stack for it. */
__noinline int lb_trace_wide(void)
{
	struct lb_trace *trace = lb_trace_here();
	__u32 zero = 0, found = 0;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	if (!trace || !control)
		return 0;
	if (lb_has_zones(control))
		found = lb_find_zone(trace->dst.quads[0], trace->dst.quads[1], trace->proto,
				     bpf_ntohs(lb_dst_port(trace->ports)));
	trace->has_wide = found;
	trace->wide = found & ~LB_IS_MASK;
	return 0;
}

LB_INLINE int lb_find_traced(struct lb_ctx *ctx, const struct lb_trace *trace,
			     struct lb_endpoint **endpoint)
{
	__u32 zero = 0, number = trace->wide;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	if (!control)
		return -LB_R_INTERNAL;
	if (!lb_find_exact_owner(ctx, control, endpoint))
		return 0;
	if (!trace->has_wide)
		return -LB_R_NOT_OURS;
	ctx->service_number = number;
	ctx->service = bpf_map_lookup_elem(&lb_services, &number);
	return ctx->service && ctx->service->flags & LB_S_IN_USE ? 0 : -LB_R_NOT_OURS;
}

/* As lb_pick_owner() for a packet mid-stream, but no history is stamped. */
LB_INLINE int lb_follow_slot(struct lb_ctx *ctx)
{
	const __u32 slot = lb_hash_slot(lb_packet_hash(&ctx->pkt), ctx->service->slots);
	const int owner = lb_slot_owner(ctx->service, slot);
	__u32 key = lb_history_key(ctx->service_number, slot);
	const struct lb_history *history;
	struct lb_flow *seed;

	if (owner < 0)
		return owner;
	ctx->owner = owner & LB_OWNER_MASK;
	if (owner & LB_OWNER_HISTORY && ctx->pkt.proto == IPPROTO_TCP) {
		history = bpf_map_lookup_elem(&lb_history, &key);
		seed = lb_flow_seed(ctx);
		if (history && seed &&
		    (__s64)(bpf_jiffies64() - history->stamp) <=
			    (__s64)ctx->service->timeout_established) {
			const __u16 to = lb_owner_in_history(seed, history, ctx->service);

			if (lb_owner_is_alive(ctx->service, to))
				ctx->owner = to;
		}
	}
	return ctx->owner == LB_OWNER_NONE ? -LB_R_NO_BACKEND : 0;
}

/* In the modes that leave the packet as it is; an outer header is lb_wrap_followed()'s. */
LB_INLINE int lb_follow_kept(struct lb_ctx *ctx)
{
	const struct lb_backend *backend = ctx->backend;
	const __u32 bytes = lb_outer_bytes(backend->mode, !lb_addr_is_v4(&backend->addr));

	ctx->new_dst = NULL;
	return lb_hop_find_kept(ctx, bytes) ?: -LB_R_FORWARDED;
}

LB_INLINE int lb_follow_forward(struct lb_ctx *ctx)
{
	struct lb_flow *flow = ctx->service->flags & LB_S_TRACKED ? lb_find_flow(ctx) : NULL;
	int err;

	if (flow)
		err = lb_pick_recorded(ctx, flow);
	else
		err = lb_follow_slot(ctx) ?: lb_find_backend(ctx);
	if (err)
		return err;
	ctx->new_dst = &ctx->backend->addr;
	if (ctx->backend->mode == LB_MODE_FULLNAT) {
		if (!flow)
			return -LB_R_NO_FLOW;
		ctx->new_src = &flow->source;
		ctx->new_ports = lb_join_ports(flow->source_port, ctx->backend->port);
	} else if (ctx->backend->mode == LB_MODE_NAT) {
		ctx->new_ports = lb_join_ports(lb_src_port(ctx->pkt.ports), ctx->backend->port);
	} else {
		return ctx->backend->mode == LB_MODE_LOCAL ? -LB_R_OTHER_PROTOCOL
							   : lb_follow_kept(ctx);
	}
	err = lb_hop_find(ctx, &ctx->local->hop, ctx->backend->version, ctx->new_src,
			  &ctx->backend->addr);
	if (err == -LB_R_NO_NEIGHBOUR && !ctx->new_src)
		return -LB_R_LEFT_TO_KERNEL;
	if (err == -LB_R_LEFT_TO_KERNEL && ctx->new_src)
		return -LB_R_MTU_EXCEEDED;
	if (err == -LB_R_HOST_REPLY)
		return -LB_R_NO_ROUTE;
	return err ?: -LB_R_FORWARDED;
}

LB_INLINE int lb_follow_fullnat_reply(struct lb_ctx *ctx)
{
	__u32 index = 0, number;
	struct lb_flow *flow = lb_flow_find_reply(ctx, &index);
	const struct lb_port *port;

	if (!flow)
		return -LB_R_HOST_REPLY;
	number = flow->port;
	port = bpf_map_lookup_elem(&lb_ports, &number);
	number = flow->service;
	ctx->service_number = number;
	ctx->service = bpf_map_lookup_elem(&lb_services, &number);
	if (!port || !ctx->service)
		return -LB_R_INTERNAL;
	if (lb_flow_is_expired(flow, index, ctx->service, ctx->now))
		return -LB_R_HOST_REPLY;
	if (!port->ifindex)
		return -LB_R_NOT_ATTACHED;
	ctx->owner = flow->backend;
	/* Of TCP only what was to open a connection: the kernel behind an open one tries on. */
	if ((flow->state < LB_FLOW_ANSWERED || ctx->pkt.proto == IPPROTO_UDP) &&
	    lb_find_backend(ctx))
		return -LB_R_BACKEND_GONE;
	ctx->new_src = &ctx->service->vip;
	ctx->new_ports = lb_join_ports(ctx->service->port, flow->client_port);
	ctx->new_dst = &flow->client;
	ctx->egress = port->ifindex;
	ctx->dst_mac = flow->client_mac;
	ctx->src_mac = port->mac;
	if (!lb_is_generic && lb_length(&ctx->pkt) > port->mtu)
		return lb_too_large(ctx, port->mtu);
	return -LB_R_REPLIED;
}

LB_INLINE void lb_note_answer(struct lb_trace *trace, const struct lb_ctx *ctx)
{
	trace->service = ctx->service_number;
	trace->has_service = ctx->service;
	trace->has_new_src = ctx->new_src;
	if (ctx->new_src)
		trace->new_src = *ctx->new_src;
	trace->has_new_dst = ctx->new_dst;
	if (ctx->new_dst)
		trace->new_dst = *ctx->new_dst;
	trace->new_ports = ctx->new_ports;
	trace->egress = ctx->egress;
	trace->mode = ctx->backend ? ctx->backend->mode : LB_MODE_INHERIT;
	trace->backend = ctx->service ? ctx->service->backend_base + ctx->owner : 0;
	trace->is_left = !ctx->dst_mac;
	if (ctx->dst_mac) {
		__builtin_memcpy(trace->dst_mac, ctx->dst_mac, ETH_ALEN);
		__builtin_memcpy(trace->src_mac, ctx->src_mac, ETH_ALEN);
	}
}

/* What ends without being sent is counted for the service as well. */
LB_INLINE void lb_name_service(struct lb_ctx *ctx, const struct lb_trace *trace)
{
	__u32 number = trace->service;

	if (!trace->has_service)
		return;
	ctx->service_number = number;
	ctx->service = bpf_map_lookup_elem(&lb_services, &number);
}

/*
 * Completes lb_trace. -LB_R_FORWARDED, -LB_R_REPLIED or -LB_R_LEFT_TO_KERNEL if there is a way, or
 * why not.
 */
__noinline int lb_follow(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	struct lb_trace *trace = lb_trace_here();
	struct lb_endpoint *endpoint = NULL;
	struct lb_ctx ctx = { .xdp = xdp };
	int err;

	if (!trace || data + sizeof(struct ethhdr) > data_end)
		return -LB_R_INTERNAL;
	ctx.pkt.eth = data;
	ctx.pkt.l3 = data + (trace->l3 & 0xff);
	ctx.pkt.end = data_end;
	ctx.pkt.is_v6 = trace->is_v6;
	ctx.pkt.src = trace->src;
	ctx.pkt.dst = trace->dst;
	ctx.pkt.ports = trace->ports;
	ctx.new_ports = trace->ports;
	ctx.pkt.proto = trace->proto;
	ctx.pkt.tcp_flags = LB_TCP_ACK;
	trace->has_service = false;
	err = lb_find_traced(&ctx, trace, &endpoint);
	if (err)
		return err;
	if (ctx.service && ctx.service->flags & LB_S_THREE_TUPLE)
		ctx.pkt.ports = trace->ports = lb_no_ports(ctx.service);
	ctx.now = (__u32)bpf_jiffies64();
	trace->is_reply = endpoint;
	if (!endpoint)
		err = lb_follow_forward(&ctx);
	else if (endpoint->has_nat)
		err = lb_find_nat_reply(&ctx, endpoint);
	else
		err = lb_follow_fullnat_reply(&ctx);
	if (endpoint && trace->is_unreachable && ctx.local)
		ctx.local->unreachable++;
	lb_note_answer(trace, &ctx);
	/* What is for the host itself needs no hop. */
	if ((err == -LB_R_FORWARDED || err == -LB_R_REPLIED || err == -LB_R_LEFT_TO_KERNEL) &&
	    !lb_has_hops_left(&ctx.pkt))
		return -LB_R_TTL_EXCEEDED;
	return err;
}

#endif
