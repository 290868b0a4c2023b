/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode ipip: the client's packet inside an IPv4 or IPv6 packet to the backend, whatever the family
 * of either (RFC 2003, RFC 2473, RFC 4213). The backend unwraps it and answers the client itself.
 */
#ifndef LB_FWD_IPIP_H
#define LB_FWD_IPIP_H

#include "encap.h"

LB_INLINE int lb_wrap_ipip(struct lb_ctx *ctx, bool is_v6)
{
	const __u32 bytes = lb_outer_bytes(LB_MODE_IPIP, is_v6);
	struct lb_inner inner;
	__u8 proto;
	int err = lb_open_outer(ctx, bytes, is_v6, &inner);

	if (err)
		return err;
	proto = inner.is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	return is_v6 ? lb_put_outer_v6(ctx, &inner, proto, inner.length)
		     : lb_put_outer_v4(ctx, &inner, proto, inner.length + bytes);
}

LB_INLINE int lb_send_ipip(struct lb_ctx *ctx, bool is_v6)
{
	const __u32 outer = lb_outer_bytes(LB_MODE_IPIP, is_v6);

	return lb_hop_find_kept(ctx, outer)
		       ?: lb_record_backend(ctx, lb_segment_room(ctx, outer))
		       ?: lb_take_hop(&ctx->pkt) ?: lb_wrap_ipip(ctx, is_v6) ?: -LB_R_FORWARDED;
}

LB_INLINE int lb_forward_ipip(struct lb_ctx *ctx)
{
	return lb_addr_is_v4(&ctx->backend->addr) ? lb_send_ipip(ctx, false)
						  : lb_send_ipip(ctx, true);
}

#endif
