// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet's way: parse, find the service or the backend it comes from, pick a backend, forward,
 * finish. Each stage answers 0 to go on or -LB_R_<reason> to stop; lb_finish() alone acts on it.
 */
#include "arp.h"
#include "agent.h"
#include "finish.h"
#include "fragment.h"
#include "fwd_dsr.h"
#include "fwd_fullnat.h"
#include "fwd_gue.h"
#include "fwd_ipip.h"
#include "fwd_local.h"
#include "fwd_nat.h"
#include "icmp_answer.h"
#include "icmp_error.h"
#include "rewrite.h"

LB_INLINE int lb_to_backend(struct lb_ctx *ctx)
{
	int err = lb_pick_backend(ctx, true);

	if (err)
		return err;
	/* Before hops are counted: it is not forwarded. */
	if (ctx->backend->mode == LB_MODE_LOCAL)
		return lb_forward_local(ctx);
	if (!lb_has_hops_left(&ctx->pkt))
		return -LB_R_TTL_EXCEEDED;
	switch (ctx->backend->mode) {
	case LB_MODE_NAT:
		return lb_forward_nat(ctx);
	case LB_MODE_DSR:
		return lb_forward_dsr(ctx);
	case LB_MODE_IPIP:
		return lb_forward_ipip(ctx);
	case LB_MODE_GUE:
		return lb_forward_gue(ctx);
	default:
		return lb_forward_fullnat(ctx);
	}
}

LB_INLINE int lb_to_client(struct lb_ctx *ctx, const struct lb_endpoint *endpoint)
{
	return endpoint->has_nat ? lb_reply_nat(ctx, endpoint) : lb_reply_fullnat(ctx);
}

LB_INLINE int lb_lay_out(struct lb_ctx *ctx, void *data, void *data_end)
{
	long walk;

	if (lb_is_plain(&ctx->pkt, data, data_end))
		return 0;
	walk = lb_walk_frame(ctx->xdp);
	if (walk >= 0 && walk & LB_WALK_FIRST && lb_note_fragment(ctx->xdp))
		return -LB_R_FRAGMENT_TINY;
	return walk < 0 ? (int)walk : lb_place(&ctx->pkt, data, data_end, walk);
}

/* What is not TCP or UDP, or cannot be read: answered, sent on, or left with the reason. */
LB_INLINE int lb_without_ports(struct lb_ctx *ctx, int reason)
{
	if (reason == -LB_R_FRAGMENT)
		return lb_forward_fragment(ctx);
	if (reason != -LB_R_NOT_IP && reason != -LB_R_OTHER_PROTOCOL)
		return reason;
	ctx->egress = ctx->xdp->ingress_ifindex;
	reason = lb_answer_neighbour(ctx->xdp, reason);
	if (reason != -LB_R_OTHER_PROTOCOL)
		return reason;
	if (!lb_make_echo_reply(ctx->xdp))
		return -LB_R_ECHO_REPLY;
	return lb_forward_error(ctx);
}

LB_INLINE int lb_balance(struct lb_ctx *ctx, void *data, void *data_end)
{
	struct lb_endpoint *endpoint = NULL;
	int err = lb_lay_out(ctx, data, data_end) ?: lb_parse(&ctx->pkt);

	if (err)
		return lb_without_ports(ctx, err);
	err = lb_find_owner(ctx, &endpoint);
	if (err < 0)
		return err;
	ctx->now = (__u32)bpf_jiffies64();
	return lb_tell_sender(ctx, endpoint ? lb_to_client(ctx, endpoint) : lb_to_backend(ctx));
}

SEC("xdp.frags")
int lb_xdp(struct xdp_md *xdp)
{
	struct lb_ctx ctx = { .xdp = xdp };
	/* Read once: clang 14 merges repeated loads into what the verifier refuses. */
	void *data = (void *)(long)xdp->data;
	void *data_end = (void *)(long)xdp->data_end;

	return lb_finish(&ctx, lb_balance(&ctx, data, data_end));
}

/* Of an interface in the role of a backend: the same object, since both share the maps. */
SEC("xdp.frags")
int lb_agent(struct xdp_md *xdp)
{
	return lb_agent_finish(lb_unwrap(xdp));
}

char _license[] SEC("license") = "GPL";
