/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom a packet belongs to: a service by its destination, or a backend's reply by its source. One
 * bucket of the look-up table each, and the full key is compared before anything is believed.
 */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include "maps.h"

/* LB_IS_* | number, or 0. */
LB_INLINE __u32 lb_look_up(__u64 control, const union lb_addr *addr, __be16 port, __u8 proto)
{
	const struct lb_hash_key key = lb_key_copy(&lb_flow_key);
	const __u64 hash = lb_hash_lookup(&key, addr, port, proto, LB_LOOKUP_SEED(control));
	const __u32 mask = LB_LOOKUP_MASK(control);
	const __u32 tag = (__u32)(hash >> 32);
	__u32 index = ((__u32)hash & mask) + (LB_LOOKUP_HALF(control) ? lb_bucket_half : 0);
	struct lb_bucket *bucket = bpf_map_lookup_elem(&lb_buckets, &index);
	__u32 value = 0;

	if (!bucket)
		return 0;
#pragma unroll
	for (int i = 0; i < LB_BUCKET_ENTRIES; i++) {
		if (bucket->entry[i].tag == tag)
			value = bucket->entry[i].value;
	}
	return value;
}

LB_INLINE __u64 lb_lookup_word(void)
{
	__u32 zero = 0;
	struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);

	return control ? *(volatile __u64 *)&control->lookup : 0;
}

/*
 * 0: the packet is for a service (ctx->service). 1: it may be a backend's reply (ctx->endpoint).
 * Otherwise -LB_R_NOT_OURS.
 */
LB_INLINE int lb_find_owner(struct lb_ctx *ctx, struct lb_endpoint **endpoint)
{
	struct lb_packet *pkt = &ctx->pkt;
	const __u64 control = lb_lookup_word();
	__u32 found = lb_look_up(control, &pkt->dst, pkt->dst_port, pkt->proto);

	if ((found & LB_IS_MASK) == LB_IS_SERVICE) {
		struct lb_service *service;

		ctx->service_number = found & ~LB_IS_MASK;
		service = bpf_map_lookup_elem(&lb_services, &ctx->service_number);
		if (service && lb_addr_is_equal(&service->vip, &pkt->dst) &&
		    service->port == pkt->dst_port && service->proto == pkt->proto &&
		    service->flags & LB_S_IN_USE) {
			ctx->service = service;
			return 0;
		}
	}
	found = lb_look_up(control, &pkt->src, pkt->src_port, pkt->proto);
	if ((found & LB_IS_MASK) == LB_IS_ENDPOINT) {
		struct lb_endpoint *from;

		ctx->endpoint = found & ~LB_IS_MASK;
		from = bpf_map_lookup_elem(&lb_endpoints, &ctx->endpoint);
		if (from && lb_addr_is_equal(&from->addr, &pkt->src) &&
		    from->port == pkt->src_port && from->proto == pkt->proto && from->is_in_use) {
			*endpoint = from;
			return 1;
		}
	}
	return -LB_R_NOT_OURS;
}

#endif
