/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How packets move a flow through its states. Only a client that went on after the backend's answer
 * makes a flow established, so neither a SYN flood nor spoofed UDP can fill the table for good.
 * Plain inline C, shared with native tests.
 */
#ifndef LB_FLOW_STATE_H
#define LB_FLOW_STATE_H

#include "lb_abi.h"
#include "parse.h"

static __always_inline __u8 lb_flow_next_state(__u8 state, const struct lb_packet *pkt,
					       bool is_reply)
{
	const __u8 flags = pkt->tcp_flags;

	if (flags & LB_TCP_RST)
		return LB_FLOW_CLOSED;
	if (flags & LB_TCP_FIN) {
		const __u8 mine = is_reply ? LB_FLOW_BACKEND_FIN : LB_FLOW_CLIENT_FIN;
		const __u8 other = is_reply ? LB_FLOW_CLIENT_FIN : LB_FLOW_BACKEND_FIN;

		return state == other || state == LB_FLOW_CLOSED ? LB_FLOW_CLOSED : mine;
	}
	if (state > LB_FLOW_ANSWERED)
		return state;
	if (state == LB_FLOW_ANSWERED)
		return is_reply || flags & LB_TCP_SYN ? state : LB_FLOW_ESTABLISHED;
	if (is_reply)
		return LB_FLOW_ANSWERED;
	return flags & LB_TCP_SYN ? LB_FLOW_REPEATED : state;
}

#endif
