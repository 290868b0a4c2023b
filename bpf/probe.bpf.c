// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health probes: what lbd sends into its veth goes to the backend that the sending port says,
 * instead of the slot's, and from there on the way of clients' packets. Nothing is counted for it;
 * what became of the last packet is noted for lbd. Loaded only where a check wants it.
 */
#include "fwd_dsr.h"
#include "fwd_fullnat.h"
#include "fwd_gue.h"
#include "fwd_ipip.h"
#include "fwd_nat.h"
#include "service.h"

/* Stands in for the backend's own: a way that was never asked for, and counters nobody reads. */
LB_PERCPU_ARRAY(lb_probe_cpu, struct lb_backend_cpu);

/* The backend of the port, if it is the service's still. */
LB_INLINE int lb_pick_probed(struct lb_ctx *ctx, const struct lb_probe *probe)
{
	__u32 zero = 0, number = probe->mark - 1u;
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &number);
	struct lb_backend_cpu *local = bpf_map_lookup_elem(&lb_probe_cpu, &zero);

	if (!backend || !local || !(backend->flags & LB_B_IN_USE) ||
	    backend->service != ctx->service_number)
		return -LB_R_BACKEND_GONE;
	local->hop.ifindex = 0;
	ctx->owner = number - ctx->service->backend_base;
	ctx->backend = backend;
	ctx->local = local;
	return 0;
}

/* Each attempt has a flow of its own, since lbd asks by the same port each time. */
LB_INLINE void lb_find_probe_flow(struct lb_ctx *ctx)
{
	__u32 index = 0;
	struct lb_flow *flow = lb_flow_find_forward(ctx, &index);

	ctx->flow_index = index;
	if (!flow)
		return;
	if (lb_is_opening(&ctx->pkt) || flow->kind == LB_FLOW_RECORD ||
	    flow->backend != ctx->owner || flow->endpoint != ctx->backend->endpoint ||
	    lb_flow_is_expired(flow, index, ctx->service, ctx->now))
		lb_flow_end(index);
	else
		ctx->flow = flow;
}

/* Its flow is open from the start: answers to it are not clients', so they are not to be counted.
 */
LB_INLINE int lb_probe_fullnat(struct lb_ctx *ctx)
{
	int err;

	lb_find_probe_flow(ctx);
	if (ctx->flow)
		return lb_forward_fullnat(ctx);
	err = lb_forward_fullnat(ctx);
	if (ctx->flow)
		lb_flow_mark(ctx->flow_index, LB_FLOW_ESTABLISHED);
	return err;
}

LB_INLINE int lb_forward_probe(struct lb_ctx *ctx, const struct lb_probe *probe)
{
	int err = lb_pick_probed(ctx, probe);

	if (err)
		return err;
	switch (ctx->backend->mode) {
	case LB_MODE_FULLNAT:
		return lb_probe_fullnat(ctx);
	case LB_MODE_NAT:
		return lb_forward_nat(ctx);
	case LB_MODE_DSR:
		return lb_forward_dsr(ctx);
	case LB_MODE_IPIP:
		return lb_forward_ipip(ctx);
	case LB_MODE_GUE:
		return lb_forward_gue(ctx);
	default:
		return -LB_R_OTHER_PROTOCOL;
	}
}

LB_INLINE struct lb_probe *lb_find_probe(const struct lb_packet *pkt)
{
	__u32 port = bpf_ntohs(lb_src_port(pkt->ports));
	struct lb_probe_port *probes = bpf_map_lookup_elem(&lb_probes, &port);

	if (!probes)
		return NULL;
	return pkt->proto == IPPROTO_TCP ? &probes->tcp : &probes->udp;
}

LB_INLINE int lb_send_probe(struct lb_ctx *ctx, int stopped, __u8 *fate)
{
	__u32 reason = -stopped & (LB_R_SLOTS - 1);
	int action = reason == LB_R_LEFT_TO_KERNEL ? XDP_PASS : XDP_DROP;

	if (reason == LB_R_FORWARDED) {
		action = bpf_redirect_map(&lb_egress, ctx->egress, XDP_DROP);
		if (action == XDP_DROP)
			reason = LB_R_NOT_ATTACHED;
	}
	*fate = reason;
	return action;
}

SEC("xdp.frags")
int lb_probe(struct xdp_md *xdp)
{
	struct lb_ctx ctx = { .xdp = xdp };
	void *data = (void *)(long)xdp->data;
	void *data_end = (void *)(long)xdp->data_end;
	__u32 zero = 0, number = 0;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);
	struct lb_probe *probe;

	/* The host's own TCP and UDP are plain; all else that comes by is none of lbd's. */
	if (!control || !lb_is_plain(&ctx.pkt, data, data_end) || lb_parse(&ctx.pkt))
		return XDP_DROP;
	probe = lb_find_probe(&ctx.pkt);
	if (!probe || !probe->mark)
		return XDP_DROP;
	ctx.service = lb_find_service(control, &ctx.pkt, &number);
	if (!ctx.service)
		return lb_send_probe(&ctx, -LB_R_NOT_OURS, &probe->fate);
	ctx.service_number = number;
	ctx.now = (__u32)bpf_jiffies64();
	return lb_send_probe(&ctx, lb_forward_probe(&ctx, probe), &probe->fate);
}

char _license[] SEC("license") = "GPL";
