/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom a packet belongs to: a service by its destination, or a backend's reply by its source. One
 * bucket of the look-up table each, and the full key is compared before anything is believed.
 * Services of several ports or addresses come last, so that all others do not pay for them.
 */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include "zone.h"

/* What is known of a service's address, one of a prefix included: LB_IS_ADDRESS and more, or 0. */
LB_INLINE __u32 lb_find_address(const union lb_addr *addr)
{
	__u32 zero = 0, found;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	found = control ? lb_look_up(control, LB_LOOKUP_SERVICES, addr, 0, 0) : 0;
	if ((found & LB_IS_MASK) == LB_IS_ADDRESS)
		return found;
	if (!control || !lb_has_zones(control))
		return 0;
	return lb_find_zone(addr->quads[0], addr->quads[1], IPPROTO_TCP, 0)
		       ?: lb_find_zone(addr->quads[0], addr->quads[1], IPPROTO_UDP, 0);
}

LB_INLINE struct lb_service *lb_find_service(const struct lb_control *control,
					     const struct lb_packet *pkt, __u32 *number)
{
	const __u32 found = lb_look_up(control, LB_LOOKUP_SERVICES, &pkt->dst,
				       lb_dst_port(pkt->ports), pkt->proto);
	__u32 key = found & ~LB_IS_MASK;
	struct lb_service *service;

	if ((found & LB_IS_MASK) != LB_IS_SERVICE)
		return NULL;
	*number = key;
	service = bpf_map_lookup_elem(&lb_services, &key);
	if (!service || !lb_addr_is_equal(&service->vip, &pkt->dst) ||
	    service->port != lb_dst_port(pkt->ports) || service->proto != pkt->proto ||
	    !(service->flags & LB_S_IN_USE))
		return NULL;
	return service;
}

/* The service of several ports or addresses, where no exact one is found. */
LB_INLINE struct lb_service *lb_find_wide(const struct lb_control *control,
					  const struct lb_packet *pkt, __u32 *number)
{
	struct lb_service *service;
	__u32 key;

	if (!lb_has_zones(control))
		return NULL;
	key = lb_find_zone(pkt->dst.quads[0], pkt->dst.quads[1], pkt->proto,
			   bpf_ntohs(lb_dst_port(pkt->ports)));
	if ((key & LB_IS_MASK) != LB_IS_SERVICE)
		return NULL;
	key &= ~LB_IS_MASK;
	*number = key;
	service = bpf_map_lookup_elem(&lb_services, &key);
	return service && service->flags & LB_S_IN_USE ? service : NULL;
}

LB_INLINE struct lb_endpoint *lb_find_endpoint(const struct lb_control *control,
					       const struct lb_packet *pkt, __u32 *number)
{
	const __u32 found = lb_look_up(control, LB_LOOKUP_ENDPOINTS, &pkt->src,
				       lb_src_port(pkt->ports), pkt->proto);
	__u32 key = found & ~LB_IS_MASK;
	struct lb_endpoint *endpoint;

	if ((found & LB_IS_MASK) != LB_IS_ENDPOINT)
		return NULL;
	*number = key;
	endpoint = bpf_map_lookup_elem(&lb_endpoints, &key);
	if (!endpoint || !lb_addr_is_equal(&endpoint->addr, &pkt->src) ||
	    endpoint->port != lb_src_port(pkt->ports) || endpoint->proto != pkt->proto ||
	    !endpoint->is_in_use)
		return NULL;
	return endpoint;
}

/*
 * 0: the packet is for a service of one address and port (ctx->service), or it is a backend's reply
 * (*endpoint). Otherwise -LB_R_NOT_OURS.
 */
LB_INLINE int lb_find_exact_owner(struct lb_ctx *ctx, const struct lb_control *control,
				  struct lb_endpoint **endpoint)
{
	__u32 number = 0;

	ctx->service = lb_find_service(control, &ctx->pkt, &number);
	ctx->service_number = number;
	if (ctx->service)
		return 0;
	if (!control->lookup[LB_LOOKUP_ENDPOINTS])
		return -LB_R_NOT_OURS;
	*endpoint = lb_find_endpoint(control, &ctx->pkt, &number);
	ctx->endpoint = number;
	return *endpoint ? 0 : -LB_R_NOT_OURS;
}

/* The same of all services. */
LB_INLINE int lb_find_owner(struct lb_ctx *ctx, struct lb_endpoint **endpoint)
{
	__u32 zero = 0, number = 0;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	if (!control)
		return -LB_R_INTERNAL;
	if (!lb_find_exact_owner(ctx, control, endpoint))
		return 0;
	ctx->service = lb_find_wide(control, &ctx->pkt, &number);
	ctx->service_number = number;
	return ctx->service ? 0 : -LB_R_NOT_OURS;
}

#endif
