/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode gue: the client's packet inside a UDP datagram to the backend, for networks whose devices
 * spread by ports. Generic UDP Encapsulation in its variant 1 (draft-ietf-intarea-gue, 4), in which
 * the IP packet follows the UDP header at once; the source port tells flows apart.
 */
#ifndef LB_FWD_GUE_H
#define LB_FWD_GUE_H

#include "encap.h"

/* Of the dynamic range (RFC 6335); both ports as one word. */
LB_INLINE __be32 lb_gue_ports(const struct lb_inner *inner)
{
	return bpf_htonl((0xc000 | inner->entropy >> 18) << 16 | LB_GUE_PORT);
}

#define LB_NO_SUM (~0ull)

/*
 * The sum over the inner packet without looking at its data: an IPv4 header sums up to zero, and
 * the segment to what its pseudo-header lacks. LB_NO_SUM where that does not hold: of a fragment,
 * of UDP without a checksum, behind extension headers.
 */
LB_INLINE __u64 lb_inner_sum(const struct lb_packet *pkt)
{
	const __u32 header = pkt->l4 - pkt->l3;
	const __be32 rest = bpf_htonl(lb_length(pkt) - header + pkt->proto);
	const struct udphdr *udp = pkt->l4;
	const struct iphdr *v4 = pkt->l3;
	const __be32 *v6 = pkt->l3;

	if ((void *)(udp + 1) > pkt->end || (void *)(v4 + 1) > pkt->end)
		return LB_NO_SUM;
	if (pkt->proto == IPPROTO_UDP && !udp->check)
		return LB_NO_SUM;
	if (pkt->is_v6)
		return header == sizeof(struct ipv6hdr) ? (__u64)v6[0] + v6[1] + (__u32)~rest
							: LB_NO_SUM;
	if (v4->frag_off & bpf_htons(0x3fff))
		return LB_NO_SUM;
	return (__u64)(__u32)~v4->saddr + (__u32)~v4->daddr + (__u32)~rest;
}

/* The datagram's checksum behind an IPv6 header; 0, as tunnels may have it (RFC 6935, 5), where the
 * inner sum is not known. */
LB_INLINE __u16 lb_gue_check(const struct lb_ctx *ctx, __u64 inner_sum, __be32 source, __be32 ports,
			     __u32 length)
{
	const struct lb_backend *backend = ctx->backend;
	const __be32 *words = backend->tunnel_source.words;
	__u64 sum = inner_sum;

	if (inner_sum == LB_NO_SUM)
		return 0;
	sum += lb_csum_addr(&backend->addr) + words[0] + words[1] + words[2] + source;
	/* The length twice: in the pseudo-header and in the datagram's. */
	sum += (__u64)bpf_htonl(length + IPPROTO_UDP) + ports + bpf_htonl(length);
	return (__u16)~lb_csum_fold(sum) ?: 0xffff;
}

/* sum: over the inner packet, or LB_NO_SUM. */
LB_INLINE int lb_wrap_gue(struct lb_ctx *ctx, bool is_v6, __u64 sum)
{
	const __u32 bytes = lb_outer_bytes(LB_MODE_GUE, is_v6);
	const __u32 ip_bytes = bytes - sizeof(struct udphdr);
	struct lb_inner inner;
	__u32 length;
	__be32 ports, *words;
	__u16 check = 0;
	int err = lb_open_outer(ctx, bytes, is_v6, &inner);

	if (err)
		return err;
	length = inner.length + sizeof(struct udphdr);
	ports = lb_gue_ports(&inner);
	words = ctx->pkt.l3 + ip_bytes;
	if ((void *)(words + 2) > ctx->pkt.end)
		return -LB_R_INTERNAL;
	if (is_v6)
		check = lb_gue_check(ctx, sum, lb_outer_source(ctx->backend, &inner), ports,
				     length);
	words[0] = ports;
	words[1] = bpf_htonl(length << 16) | lb_join_ports(0, check);
	return is_v6 ? lb_put_outer_v6(ctx, &inner, IPPROTO_UDP, length)
		     : lb_put_outer_v4(ctx, &inner, IPPROTO_UDP, length + ip_bytes);
}

LB_INLINE int lb_send_gue(struct lb_ctx *ctx, bool is_v6)
{
	const __u32 outer = lb_outer_bytes(LB_MODE_GUE, is_v6);
	int err = lb_hop_find_kept(ctx, outer)
			  ?: lb_record_backend(ctx, lb_segment_room(ctx, outer))
				     ?: lb_take_hop(&ctx->pkt);

	if (err)
		return err;
	return lb_wrap_gue(ctx, is_v6, is_v6 ? lb_inner_sum(&ctx->pkt) : LB_NO_SUM)
		       ?: -LB_R_FORWARDED;
}

LB_INLINE int lb_forward_gue(struct lb_ctx *ctx)
{
	return lb_addr_is_v4(&ctx->backend->addr) ? lb_send_gue(ctx, false)
						  : lb_send_gue(ctx, true);
}

#endif
