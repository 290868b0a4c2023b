/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes addresses, ports, hop limit and link addresses into a parsed packet, with incremental
 * checksums (RFC 1624). The one place where the two families' headers are written.
 */
#ifndef LB_REWRITE_H
#define LB_REWRITE_H

#include "ctx.h"
#include "lb_csum.h"

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

/* Both answer what the change adds to a sum over the addresses. */
LB_INLINE __u64 lb_write_v4(struct iphdr *ip, const struct lb_ctx *ctx)
{
	__be16 *hops = (__be16 *)&ip->ttl; /* with the protocol: a whole word of the checksum */
	const __be16 before = *hops, after = before - bpf_htons(0x0100);
	__u64 diff = 0;

	if (ctx->new_src) {
		diff += lb_csum_diff(ip->saddr, ctx->new_src->words[3]);
		ip->saddr = ctx->new_src->words[3];
	}
	if (ctx->new_dst) {
		diff += lb_csum_diff(ip->daddr, ctx->new_dst->words[3]);
		ip->daddr = ctx->new_dst->words[3];
	}
	*hops = after;
	ip->check = lb_csum_update(ip->check, diff + lb_csum_diff(before, after));
	return diff;
}

LB_INLINE __u64 lb_write_v6_addr(struct in6_addr *addr, const union lb_addr *to)
{
	union lb_addr from;
	__u64 diff;

	lb_read_addr(&from, addr);
	diff = lb_csum_diff_addr(&from, to);
	lb_read_addr((union lb_addr *)addr, to);
	return diff;
}

LB_INLINE __u64 lb_write_v6(struct ipv6hdr *ip, const struct lb_ctx *ctx)
{
	__u64 diff = 0;

	if (ctx->new_src)
		diff += lb_write_v6_addr(&ip->saddr, ctx->new_src);
	if (ctx->new_dst)
		diff += lb_write_v6_addr(&ip->daddr, ctx->new_dst);
	ip->hop_limit--;
	return diff;
}

LB_INLINE int lb_write_ports(const struct lb_ctx *ctx, __u64 diff)
{
	const struct lb_packet *pkt = &ctx->pkt;
	struct tcphdr *tcp = pkt->l4;
	struct udphdr *udp = pkt->l4;

	if ((void *)(udp + 1) > pkt->end)
		return -LB_R_INTERNAL;
	diff += lb_csum_diff(*(const __be32 *)udp, ctx->new_ports);
	*(__be32 *)udp = ctx->new_ports;
	if (pkt->proto == IPPROTO_UDP) {
		/* 0 means no checksum (RFC 768), so a sum of 0 is sent as 0xffff. */
		if (udp->check)
			udp->check = lb_csum_update(udp->check, diff) ?: 0xffff;
		return 0;
	}
	if ((void *)(tcp + 1) > pkt->end)
		return -LB_R_INTERNAL;
	tcp->check = lb_csum_update(tcp->check, diff);
	return 0;
}

/*
 * Makes the packet what ctx says. The bounds were checked when it was parsed; the verifier has
 * forgotten which family it was and wants to hear it again.
 */
LB_INLINE int lb_rewrite(struct lb_ctx *ctx)
{
	struct lb_packet *pkt = &ctx->pkt;
	__u64 diff;

	if (pkt->is_v6) {
		struct ipv6hdr *v6 = pkt->l3;

		if ((void *)(v6 + 1) > pkt->end)
			return -LB_R_INTERNAL;
		diff = lb_write_v6(v6, ctx);
	} else {
		struct iphdr *v4 = pkt->l3;

		if ((void *)(v4 + 1) > pkt->end)
			return -LB_R_INTERNAL;
		diff = lb_write_v4(v4, ctx);
	}
	if (ctx->dst_mac)
		lb_write_macs(pkt, ctx->dst_mac, ctx->src_mac);
	return lb_write_ports(ctx, diff);
}

#endif
