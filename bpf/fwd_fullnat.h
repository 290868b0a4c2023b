/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode fullnat: the source becomes the balancer's address and a port of its own, so that the reply
 * comes back by itself. Two flow entries, one for each direction; the reply goes out by the
 * interface and to the link address that the client's packets came from.
 */
#ifndef LB_FWD_FULLNAT_H
#define LB_FWD_FULLNAT_H

#include "backend.h"
#include "nexthop.h"
#include "rewrite.h"

struct lb_origin {
	__u8 mac[6];
	__u16 port; /* the interface's number */
};

__noinline int lb_flow_move(__u32 index, const struct lb_origin *origin)
{
	struct lb_flow *flow = lb_flow_at(index), *partner;

	if (!flow || !origin)
		return 0;
	__builtin_memcpy(flow->client_mac, origin->mac, ETH_ALEN);
	flow->port = origin->port;
	partner = lb_flow_partner(flow);
	if (partner) {
		__builtin_memcpy(partner->client_mac, origin->mac, ETH_ALEN);
		partner->port = origin->port;
	}
	return 0;
}

/* The client's packets may begin to come another way; the replies follow. */
LB_INLINE void lb_follow_client(struct lb_ctx *ctx)
{
	const __u16 *mac = (const __u16 *)ctx->pkt.eth->h_source;
	const __u16 *known = (const __u16 *)ctx->flow->client_mac;
	struct lb_origin origin = { .port = lb_port_number };

	if (known[0] == mac[0] && known[1] == mac[1] && known[2] == mac[2] &&
	    ctx->flow->port == lb_port_number)
		return;
	__builtin_memcpy(origin.mac, mac, ETH_ALEN);
	lb_flow_move(ctx->flow_index, &origin);
}

LB_INLINE int lb_open_fullnat(struct lb_ctx *ctx)
{
	struct lb_flow *seed = lb_flow_seed(ctx);
	long index;
	int err;

	if (!seed)
		return -LB_R_INTERNAL;
	seed->endpoint = ctx->backend->endpoint;
	err = lb_pick_port(seed, ctx->service->backend_base + ctx->owner);
	if (err)
		return err;
	index = lb_flow_open(seed);
	if (index < 0)
		return index;
	ctx->flow_index = index;
	ctx->flow = lb_flow_at(index);
	ctx->local->connections++;
	return 0;
}

LB_INLINE int lb_forward_fullnat(struct lb_ctx *ctx)
{
	struct lb_packet *pkt = &ctx->pkt;
	int err;

	if (ctx->flow) {
		if (lb_flow_advance(ctx->flow, ctx->flow_index, pkt, false, ctx->now) ==
		    LB_FLOW_REPEATED)
			ctx->local->unanswered++;
		if (pkt->tcp_flags & LB_TCP_SYN)
			lb_clamp_syn(ctx, 0);
		lb_follow_client(ctx);
	} else if (pkt->proto == IPPROTO_TCP && !lb_is_opening(pkt)) {
		return -LB_R_NO_FLOW;
	} else {
		err = lb_open_fullnat(ctx);
		if (err)
			return err;
		if (pkt->proto == IPPROTO_TCP)
			lb_clamp_syn(ctx, 0);
	}
	if (!ctx->flow)
		return -LB_R_INTERNAL;
	ctx->new_src = &ctx->flow->source;
	ctx->new_ports = lb_join_ports(ctx->flow->source_port, ctx->backend->port);
	ctx->new_dst = &ctx->backend->addr;
	ctx->new_sum = ctx->backend->sum + lb_csum_of(&ctx->flow->source);
	err = lb_hop_find(ctx, &ctx->local->hop, ctx->backend->version, &ctx->flow->source,
			  &ctx->backend->addr);
	/* The kernel would take a packet from its own address for a forgery. */
	if (err == -LB_R_LEFT_TO_KERNEL)
		return -LB_R_MTU_EXCEEDED;
	if (err)
		return err == -LB_R_HOST_REPLY ? -LB_R_NO_ROUTE : err;
	return lb_rewrite(ctx) ?: -LB_R_FORWARDED;
}

LB_INLINE int lb_reply_fullnat(struct lb_ctx *ctx)
{
	__u32 index = 0, number;
	struct lb_flow *flow = lb_flow_find_reply(ctx, &index);
	struct lb_packet *pkt = &ctx->pkt;
	const struct lb_port *port;
	int err = -LB_R_REPLIED;

	if (!flow)
		return -LB_R_HOST_REPLY;
	number = flow->port;
	port = bpf_map_lookup_elem(&lb_ports, &number);
	number = flow->service;
	ctx->service_number = number;
	ctx->service = bpf_map_lookup_elem(&lb_services, &number);
	if (!port || !ctx->service)
		return -LB_R_INTERNAL;
	if (lb_flow_is_expired(flow, index, ctx->service, ctx->now)) {
		lb_flow_end(index);
		return -LB_R_HOST_REPLY;
	}
	/* Only now: a reply to the host itself needs none. */
	if (!lb_has_hops_left(pkt))
		return -LB_R_TTL_EXCEEDED;
	ctx->owner = flow->backend;
	if (lb_find_backend(ctx))
		return -LB_R_BACKEND_GONE;
	if (!port->ifindex)
		return -LB_R_NOT_ATTACHED;
	if (lb_flow_advance(flow, index, pkt, true, ctx->now) == LB_FLOW_ANSWERED &&
	    pkt->proto == IPPROTO_UDP)
		ctx->local->answered++;
	lb_see_answer(ctx, flow->state == LB_FLOW_ESTABLISHED);
	ctx->new_src = &ctx->service->vip;
	ctx->new_ports = lb_join_ports(ctx->service->port, flow->client_port);
	ctx->new_dst = &flow->client;
	ctx->new_sum = ctx->service->sum + lb_csum_of(&flow->client);
	ctx->egress = port->ifindex;
	ctx->dst_mac = flow->client_mac;
	ctx->src_mac = port->mac;
	if (!lb_is_generic && lb_length(pkt) > port->mtu)
		err = lb_too_large(ctx, port->mtu);
	if (err == -LB_R_MTU_EXCEEDED)
		return err;
	return lb_rewrite(ctx) ?: err;
}

#endif
