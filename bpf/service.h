/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom a packet belongs to: a service by its destination, or a backend's reply by its source. One
 * bucket of the look-up table each, and the full key is compared before anything is believed.
 */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include "maps.h"

/* What stands in one look-up table: LB_IS_* | number, or 0. */
LB_INLINE __u32 lb_look_up(const struct lb_control *control, enum lb_lookup table,
			   const union lb_addr *addr, __be16 port, __u8 proto)
{
	const struct lb_hash_key key = lb_key_copy(&lb_flow_key);
	const __u64 word = *(const volatile __u64 *)&control->lookup[table];
	const __u32 tag = lb_hash_lookup(&key, addr, port, proto, LB_LOOKUP_SEED(word));
	__u32 index = tag & LB_LOOKUP_MASK(word);
	const struct lb_bucket *bucket;
	__u32 value = 0;

	if (LB_LOOKUP_HALF(word))
		index += lb_bucket_half[table];
	bucket = table == LB_LOOKUP_SERVICES ? bpf_map_lookup_elem(&lb_service_hash, &index)
					     : bpf_map_lookup_elem(&lb_backend_hash, &index);
	if (!bucket)
		return 0;
#pragma unroll
	for (int i = 0; i < LB_BUCKET_ENTRIES; i++) {
		if (bucket->entry[i].tag == tag)
			value = bucket->entry[i].value;
	}
	return value;
}

/* What the look-up table says of a service's address: LB_IS_ADDRESS and more, or 0. */
LB_INLINE __u32 lb_find_address(const union lb_addr *addr)
{
	__u32 zero = 0, found;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	found = control ? lb_look_up(control, LB_LOOKUP_SERVICES, addr, 0, 0) : 0;
	return (found & LB_IS_MASK) == LB_IS_ADDRESS ? found : 0;
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
 * 0: the packet is for a service (ctx->service), or it is a backend's reply (*endpoint).
 * Otherwise -LB_R_NOT_OURS.
 */
LB_INLINE int lb_find_owner(struct lb_ctx *ctx, struct lb_endpoint **endpoint)
{
	__u32 zero = 0, number = 0;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	if (!control)
		return -LB_R_INTERNAL;
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

#endif
