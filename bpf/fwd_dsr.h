/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode dsr: the packet goes to the backend's link address and stays as it is but for a hop. The
 * backend has the service's address and answers the client itself.
 */
#ifndef LB_FWD_DSR_H
#define LB_FWD_DSR_H

#include "encap.h"

LB_INLINE int lb_forward_dsr(struct lb_ctx *ctx)
{
	int err = lb_hop_find_kept(ctx, 0) ?: lb_record_backend(ctx, 0) ?: lb_take_hop(&ctx->pkt);

	if (err)
		return err;
	lb_write_macs(&ctx->pkt, ctx->dst_mac, ctx->src_mac);
	return -LB_R_FORWARDED;
}

#endif
