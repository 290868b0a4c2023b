/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a packet leaves and with which link addresses. The kernel's routing and neighbour tables
 * decide; what they said is believed for a second, since asking costs more than all the rest.
 */
#ifndef LB_NEXTHOP_H
#define LB_NEXTHOP_H

#include "maps.h"

#define LB_AF_INET 2
#define LB_AF_INET6 10
#define LB_HOP_OWN (~0u) /* as an interface: the address is this host's; set by lb_agent only */

_Static_assert(sizeof(struct bpf_fib_lookup) <= sizeof(struct lb_flow), "room in lb_seed");

LB_INLINE int lb_hop_reason(long answer)
{
	switch (answer) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		return 0;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return -LB_R_NO_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return -LB_R_FORWARDING_OFF;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return -LB_R_MTU_EXCEEDED;
	case BPF_FIB_LKUP_RET_NOT_FWDED:
		return -LB_R_HOST_REPLY; /* to this host itself */
	default:
		return -LB_R_NO_ROUTE;
	}
}

/*
 * Asks the kernel; hop is untouched on failure. Global, as in flow.h. The question is written where
 * new flows are made, since the stack below the hot path's has no room for it: nobody is making one
 * when a way is asked for.
 */
__noinline int lb_hop_ask(struct xdp_md *xdp, struct lb_hop *hop, const union lb_addr *src,
			  const union lb_addr *dst, __u32 now)
{
	__u32 zero = 0;
	struct bpf_fib_lookup *fib = bpf_map_lookup_elem(&lb_seed, &zero);
	long answer;

	if (!hop || !dst || !fib)
		return -LB_R_INTERNAL;
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = xdp->ingress_ifindex;
	if (lb_addr_is_v4(dst)) {
		fib->family = LB_AF_INET;
		fib->ipv4_src = src ? src->words[3] : 0;
		fib->ipv4_dst = dst->words[3];
	} else {
		fib->family = LB_AF_INET6;
		if (src)
			__builtin_memcpy(fib->ipv6_src, src, sizeof(*src));
		__builtin_memcpy(fib->ipv6_dst, dst, sizeof(*dst));
	}
	answer = bpf_fib_lookup(xdp, fib, sizeof(*fib), 0);
	if (answer)
		return answer < 0 ? -LB_R_INTERNAL : lb_hop_reason(answer);
	if (fib->ifindex != xdp->ingress_ifindex && !bpf_map_lookup_elem(&lb_egress, &fib->ifindex))
		return -LB_R_NOT_ATTACHED;
	hop->checked = now;
	hop->ifindex = fib->ifindex;
	hop->mtu = fib->mtu_result ?: 0xffff;
	__builtin_memcpy(hop->dst_mac, fib->dmac, ETH_ALEN);
	__builtin_memcpy(hop->src_mac, fib->smac, ETH_ALEN);
	return 0;
}

/*
 * The kernel fragments what may be fragmented (RFC 791); of other packets the sender is told, for
 * which the MTU is noted outside of ctx, since the stack of the hot path has no room.
 */
LB_INLINE int lb_too_large(struct lb_ctx *ctx, __u32 mtu)
{
	__u32 zero = 0;
	struct lb_icmp_budget *budget = bpf_map_lookup_elem(&lb_icmp_budget, &zero);
	const struct iphdr *v4 = ctx->pkt.l3;

	if (budget)
		budget->mtu = mtu;
	if (ctx->pkt.is_v6 || (void *)(v4 + 1) > ctx->pkt.end ||
	    v4->frag_off & bpf_htons(LB_V4_DONT_FRAGMENT))
		return -LB_R_MTU_EXCEEDED;
	ctx->dst_mac = NULL;
	return -LB_R_LEFT_TO_KERNEL;
}

/*
 * Makes hop fit for use and takes it; tells whether the packet fits through it
 * (LEFT_TO_KERNEL: not, but the kernel may fragment it). The addresses lie
 * in maps, not in ctx, whose address must not escape; src is NULL where the next hop is for any
 * source.
 */
LB_INLINE int lb_hop_find(struct lb_ctx *ctx, struct lb_hop *hop, __u16 version,
			  const union lb_addr *src, const union lb_addr *dst)
{
	if (!hop->ifindex || ctx->now - hop->checked >= lb_hz || hop->version != version) {
		int err = lb_hop_ask(ctx->xdp, hop, src, dst, ctx->now);

		if (err)
			return err;
		hop->version = version;
	}
	ctx->egress = hop->ifindex;
	ctx->dst_mac = hop->dst_mac;
	ctx->src_mac = hop->src_mac;
	if (!lb_is_generic && lb_length(&ctx->pkt) > hop->mtu)
		return lb_too_large(ctx, hop->mtu);
	return 0;
}

#endif
