/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The outer header of what lb_follow() sends to a tunnel's backend. The flow shows outside as it
 * does for the packets of the flow themselves, so that all of them take the same way.
 */
#ifndef LB_FOLLOW_WRAP_H
#define LB_FOLLOW_WRAP_H

#include "follow.h"
#include "fwd_gue.h"
#include "fwd_ipip.h"

LB_INLINE int lb_wrap_mode(struct lb_ctx *ctx, bool is_v6)
{
	return ctx->backend->mode == LB_MODE_GUE ? lb_wrap_gue(ctx, is_v6, LB_NO_SUM)
						 : lb_wrap_ipip(ctx, is_v6);
}

/* Global, as in flow.h. Moves the frame: no pointer into it is good any more. */
__noinline int lb_wrap_trace(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const struct lb_trace *trace = lb_trace_here();
	struct lb_ctx ctx = { .xdp = xdp };
	__u32 number;

	if (!trace || data + sizeof(struct ethhdr) > data_end)
		return -LB_R_INTERNAL;
	number = trace->backend;
	ctx.backend = bpf_map_lookup_elem(&lb_backends, &number);
	if (!ctx.backend)
		return -LB_R_BACKEND_GONE;
	ctx.pkt.eth = data;
	ctx.pkt.l3 = data + (trace->l3 & 0xff);
	ctx.pkt.src = trace->src;
	ctx.pkt.ports = trace->ports;
	ctx.dst_mac = trace->dst_mac;
	ctx.src_mac = trace->src_mac;
	return lb_addr_is_v4(&ctx.backend->addr) ? lb_wrap_mode(&ctx, false)
						 : lb_wrap_mode(&ctx, true);
}

/* way: what lb_follow() has answered. */
LB_INLINE int lb_wrap_followed(struct xdp_md *xdp, const struct lb_trace *trace, int way)
{
	if (way != -LB_R_FORWARDED || (trace->mode != LB_MODE_IPIP && trace->mode != LB_MODE_GUE))
		return 0;
	return lb_wrap_trace(xdp);
}

#endif
