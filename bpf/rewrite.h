/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes addresses, ports, hop limit and link addresses into a parsed packet, with incremental
 * checksums (RFC 1624). The one place where the two families' headers are written.
 */
#ifndef LB_REWRITE_H
#define LB_REWRITE_H

#include "ctx.h"
#include "lb_csum.h"
#include "partial.h"

LB_INLINE void lb_write_macs(struct lb_packet *pkt, const __u8 *dst, const __u8 *src)
{
	void *eth = pkt->eth;

	/* struct ethhdr is packed, and would be copied byte by byte. */
	*(__u32 *)eth = *(const __u32 *)dst;
	*(__u16 *)(eth + 4) = *(const __u16 *)(dst + 4);
	*(__u16 *)(eth + 6) = *(const __u16 *)src;
	*(__u32 *)(eth + 8) = *(const __u32 *)(src + 2);
}

/* A router's duty (RFC 1812, 5.3.1; RFC 8200, 3): a packet with one hop left ends here. */
LB_INLINE bool lb_has_hops_left(const struct lb_packet *pkt)
{
	const struct iphdr *v4 = pkt->l3;
	const struct ipv6hdr *v6 = pkt->l3;

	if ((void *)(v4 + 1) > pkt->end)
		return false;
	return (pkt->is_v6 ? v6->hop_limit : v4->ttl) > 1;
}

/*
 * Checksums are changed in two steps. What leaves a sum is known as soon as the packet is read, and
 * is folded while the look-ups are under way; what comes into it, known last, is a few halves to
 * add. Both below answer the part of the old addresses in the transport's sum, not folded.
 */
LB_INLINE __u64 lb_write_v4(struct iphdr *ip, const struct lb_ctx *ctx)
{
	__be16 *hops = (__be16 *)&ip->ttl; /* with the protocol: a whole word of the checksum */
	const __be16 before = *hops, after = before - bpf_htons(0x0100);
	__u64 old = 0;
	__u32 sum;

	if (ctx->new_src)
		old += (__u32)~ip->saddr;
	if (ctx->new_dst)
		old += (__u32)~ip->daddr;
	sum = lb_csum_fold(old + (__u16)~ip->check + lb_csum_diff(before, after));
	if (ctx->new_src)
		ip->saddr = ctx->new_src->words[3];
	if (ctx->new_dst)
		ip->daddr = ctx->new_dst->words[3];
	*hops = after;
	ip->check = ~lb_csum_fold_short(sum + ctx->new_sum);
	return old;
}

LB_INLINE __u64 lb_write_v6_addr(struct in6_addr *addr, const union lb_addr *to)
{
	union lb_addr from;

	lb_read_addr(&from, addr);
	lb_read_addr((union lb_addr *)addr, to);
	return 4ull * 0xffffffff - lb_csum_addr(&from);
}

LB_INLINE __u64 lb_write_v6(struct ipv6hdr *ip, const struct lb_ctx *ctx)
{
	__u64 old = 0;

	if (ctx->new_src)
		old += lb_write_v6_addr(&ip->saddr, ctx->new_src);
	if (ctx->new_dst)
		old += lb_write_v6_addr(&ip->daddr, ctx->new_dst);
	ip->hop_limit--;
	return old;
}

LB_INLINE __u16 lb_new_check(__u16 check, __u64 old, __u32 new)
{
	return ~lb_csum_fold_short(lb_csum_fold(old + (__u16)~check) + new);
}

LB_INLINE int lb_write_ports(const struct lb_ctx *ctx, __u64 old)
{
	const struct lb_packet *pkt = &ctx->pkt;
	const __u32 new = ctx->new_sum + lb_csum_word(ctx->new_ports);
	struct tcphdr *tcp = pkt->l4;
	struct udphdr *udp = pkt->l4;

	if ((void *)(udp + 1) > pkt->end)
		return -LB_R_INTERNAL;
	old += (__u32)~pkt->ports;
	*(__be32 *)udp = ctx->new_ports;
	if (pkt->proto == IPPROTO_UDP) {
		/* 0 means no checksum (RFC 768), so a sum of 0 is sent as 0xffff. */
		if (udp->check)
			udp->check = lb_new_check(udp->check, old, new) ?: 0xffff;
		return 0;
	}
	if ((void *)(tcp + 1) > pkt->end)
		return -LB_R_INTERNAL;
	tcp->check = lb_new_check(tcp->check, old, new);
	return 0;
}

/*
 * Makes the packet what ctx says. The bounds were checked when it was parsed; the verifier has
 * forgotten which family it was and wants to hear it again. Each mode calls it for itself, so that
 * the compiler knows there what changes.
 */
LB_INLINE int lb_rewrite(struct lb_ctx *ctx)
{
	const bool is_partial = lb_is_generic && lb_has_partial_sum(ctx->xdp);
	struct lb_packet *pkt = &ctx->pkt;
	__u64 old;
	int err;

	if (pkt->is_v6) {
		struct ipv6hdr *v6 = pkt->l3;

		if ((void *)(v6 + 1) > pkt->end)
			return -LB_R_INTERNAL;
		old = lb_write_v6(v6, ctx);
	} else {
		struct iphdr *v4 = pkt->l3;

		if ((void *)(v4 + 1) > pkt->end)
			return -LB_R_INTERNAL;
		old = lb_write_v4(v4, ctx);
	}
	if (ctx->dst_mac)
		lb_write_macs(pkt, ctx->dst_mac, ctx->src_mac);
	err = lb_write_ports(ctx, old);
	if (is_partial)
		lb_renew_partial_sum(ctx->xdp);
	return err;
}

#endif
