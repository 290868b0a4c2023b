/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How attempts to open a connection end, counted for the backend. What is counted here happens once
 * or twice in a connection's life; packets in mid-stream pay no more than a test of their flags.
 */
#ifndef LB_FATE_H
#define LB_FATE_H

#include "mss.h"

/*
 * A backend's SYN-ACK or reset. The sequence number of a reset in answer to a SYN is zero, of any
 * other one it is what the client has acknowledged (RFC 9293, 3.10.7.1). The SYN-ACK of a
 * connection that is_open says nothing: the backend sends it again because it has no room to take
 * the connection in. A SYN-ACK that is for the client may be told a smaller segment here.
 */
LB_INLINE void lb_see_answer(struct lb_ctx *ctx, bool is_open)
{
	const struct tcphdr *tcp = ctx->pkt.l4;

	if (!(ctx->pkt.tcp_flags & (LB_TCP_SYN | LB_TCP_RST)) || (void *)(tcp + 1) > ctx->pkt.end)
		return;
	if (ctx->pkt.tcp_flags & LB_TCP_SYN) {
		ctx->local->answered += !is_open;
		lb_clamp_syn(ctx, 0);
	} else if (tcp->seq) {
		ctx->local->resets++;
	} else {
		ctx->local->refused++;
	}
}

#endif
