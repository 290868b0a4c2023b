/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place where a reason becomes an XDP action and is counted: received = sent + passed +
 * dropped holds because every packet ends here, once.
 */
#ifndef LB_FINISH_H
#define LB_FINISH_H

#include "maps.h"

LB_INLINE int lb_verdict_of(__u32 reason)
{
	switch (reason) {
#define LB_REASON_CASE(id, name, verdict, text)                                                    \
	case LB_R_##id:                                                                            \
		return verdict;
		LB_REASONS(LB_REASON_CASE)
#undef LB_REASON_CASE
	default:
		return LB_DROPPED;
	}
}

LB_INLINE void lb_count_backend(struct lb_ctx *ctx, __u32 reason)
{
	struct lb_backend_cpu *local = ctx->local;
	__u32 bytes;

	if (!local)
		return;
	bytes = lb_length(&ctx->pkt) + (__u32)(ctx->pkt.l3 - (void *)ctx->pkt.eth);
	if (reason == LB_R_FORWARDED) {
		local->packets_in++;
		local->bytes_in += bytes;
	} else if (reason == LB_R_REPLIED) {
		local->packets_out++;
		local->bytes_out += bytes;
	}
}

LB_INLINE int lb_finish(struct lb_ctx *ctx, int stopped)
{
	__u32 zero = 0;
	struct lb_counters *counters = bpf_map_lookup_elem(&lb_counters, &zero);
	__u32 reason = -stopped & (LB_R_SLOTS - 1);
	int action;

	action = lb_verdict_of(reason) == LB_PASSED ? XDP_PASS : XDP_DROP;
	if (lb_verdict_of(reason) == LB_SENT) {
		action = XDP_TX;
		if (ctx->egress != ctx->xdp->ingress_ifindex)
			action = bpf_redirect_map(&lb_egress, ctx->egress, XDP_DROP);
		if (action == XDP_DROP)
			reason = LB_R_NOT_ATTACHED;
		lb_count_backend(ctx, reason);
	}
	if (action != XDP_TX && action != XDP_REDIRECT && ctx->service) {
		__u32 number = ctx->service_number;
		struct lb_service_cpu *service = bpf_map_lookup_elem(&lb_service_cpu, &number);

		if (service)
			service->reason[reason]++;
	}
	if (counters) {
		counters->received++;
		counters->reason[reason]++;
		if (action == XDP_DROP)
			counters->dropped_at[reason] = bpf_jiffies64() | 1;
	}
	return action;
}

#endif
