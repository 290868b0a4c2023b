/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode local: the packet goes up the kernel's stack as it came, and local.bpf.c gives it the socket
 * of the process. Here it is only counted, and recorded where the service records flows.
 */
#ifndef LB_FWD_LOCAL_H
#define LB_FWD_LOCAL_H

#include "backend.h"

LB_INLINE int lb_forward_local(struct lb_ctx *ctx)
{
	const struct lb_packet *pkt = &ctx->pkt;
	int err = lb_record_backend(ctx, 0);

	if (err)
		return err;
	ctx->local->packets_in++;
	ctx->local->bytes_in += lb_length(pkt) + (__u32)(pkt->l3 - (void *)pkt->eth);
	return -LB_R_LOCAL;
}

#endif
