/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode nat: the destination becomes the backend, the client's address stays. The way back needs no
 * state, since a backend's address and port belong to one service.
 */
#ifndef LB_FWD_NAT_H
#define LB_FWD_NAT_H

#include "backend.h"
#include "nexthop.h"
#include "rewrite.h"

LB_INLINE int lb_forward_nat(struct lb_ctx *ctx)
{
	const struct lb_backend *backend = ctx->backend;
	struct lb_packet *pkt = &ctx->pkt;
	int err;

	ctx->new_dst = &backend->addr;
	ctx->new_sum = backend->sum;
	ctx->new_ports = lb_join_ports(lb_src_port(pkt->ports), backend->port);
	/* Before its way is known: a connection that finds none was asked for all the same. */
	err = lb_record_backend(ctx, 0);
	if (err)
		return err;
	err = lb_hop_find(ctx, &ctx->local->hop, backend->version, NULL, &backend->addr);
	if (err && err != -LB_R_NO_NEIGHBOUR && err != -LB_R_LEFT_TO_KERNEL)
		return err == -LB_R_HOST_REPLY ? -LB_R_NO_ROUTE : err;
	/* The kernel can resolve the next hop of this packet, or fragment it: its source is not
	 * the host's own. */
	return lb_rewrite(ctx) ?: (err ? -LB_R_LEFT_TO_KERNEL : -LB_R_FORWARDED);
}

LB_INLINE struct lb_route *lb_client_route(struct lb_ctx *ctx)
{
	const union lb_addr *client = &ctx->pkt.dst;
	__u32 index = (__u32)lb_hash_mix(client->quads[0] ^ client->quads[1]) % LB_ROUTES;
	struct lb_route *route = bpf_map_lookup_elem(&lb_routes, &index);

	if (!route)
		return NULL;
	if (!lb_addr_is_equal(&route->addr, client) || route->hop.ifindex == LB_HOP_OWN) {
		route->hop.ifindex = 0;
		route->addr = *client;
	}
	return route;
}

/* What a reply becomes, and its way: -LB_R_REPLIED, -LB_R_LEFT_TO_KERNEL, or why there is none. */
LB_INLINE int lb_find_nat_reply(struct lb_ctx *ctx, const struct lb_endpoint *endpoint)
{
	struct lb_packet *pkt = &ctx->pkt;
	struct lb_route *route = lb_client_route(ctx);
	__u32 number = endpoint->service;
	int err;

	ctx->service_number = number;
	ctx->owner = endpoint->backend;
	ctx->service = bpf_map_lookup_elem(&lb_services, &number);
	if (!route || !ctx->service)
		return -LB_R_INTERNAL;
	err = lb_find_backend(ctx);
	if (err)
		return err;
	ctx->new_src = &ctx->service->vip;
	ctx->new_sum = ctx->service->sum;
	ctx->new_ports = lb_join_ports(ctx->service->port, lb_dst_port(pkt->ports));
	err = lb_hop_find(ctx, &route->hop, 0, &ctx->service->vip, &route->addr);
	if (err && err != -LB_R_NO_NEIGHBOUR && err != -LB_R_LEFT_TO_KERNEL)
		return err;
	return err ? -LB_R_LEFT_TO_KERNEL : -LB_R_REPLIED;
}

/* Of what is for this host itself, lbd's probes want it as a client gets it; see probe.bpf.c. */
LB_INLINE bool lb_is_probed(const struct lb_ctx *ctx)
{
	const struct lb_packet *pkt = &ctx->pkt;
	__u32 port = bpf_ntohs(lb_dst_port(pkt->ports));
	const struct lb_probe_port *probe = bpf_map_lookup_elem(&lb_probes, &port);
	const __u32 mark = ctx->service->backend_base + ctx->owner + 1;

	return probe && (pkt->proto == IPPROTO_TCP ? probe->tcp.mark : probe->udp.mark) == mark;
}

LB_INLINE int lb_reply_nat(struct lb_ctx *ctx, const struct lb_endpoint *endpoint)
{
	const int err = lb_find_nat_reply(ctx, endpoint);

	if (err != -LB_R_REPLIED && err != -LB_R_LEFT_TO_KERNEL)
		return err == -LB_R_HOST_REPLY && lb_is_probed(ctx) ? lb_rewrite(ctx) ?: err : err;
	/* Only now: a reply to the host itself needs none. */
	if (!lb_has_hops_left(&ctx->pkt))
		return -LB_R_TTL_EXCEEDED;
	lb_see_answer(ctx, false);
	return lb_rewrite(ctx) ?: err;
}

#endif
