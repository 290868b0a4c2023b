/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the modes share that leave the client's packet as it is: the hop it takes here, room before
 * it, and an outer header. DSCP and ECN are copied outwards (RFC 2983, RFC 6040), the outer packet
 * is never fragmented, and the flow shows in its source (as far as the backend's tunnel source has
 * room) and in IPv6's flow label (RFC 6438), so that links and receive queues spread.
 */
#ifndef LB_ENCAP_H
#define LB_ENCAP_H

#include "backend.h"
#include "nexthop.h"
#include "rewrite.h"

#define LB_OUTER_HOPS 64
#define LB_TYPE_AT (ETH_HLEN - 2)
#define LB_TAGGED_MAX (ETH_HLEN + LB_VLAN_TAGS * sizeof(struct lb_vlan_tag))

/* What the outer headers take from the inner packet. */
struct lb_inner {
	__u32 length;
	__u32 entropy;
	__u8 tos;
	bool is_v6;
};

/* What goes before a packet in such a mode. */
LB_INLINE __u32 lb_outer_bytes(__u8 mode, bool is_v6)
{
	const __u32 ip = is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (mode == LB_MODE_GUE)
		return ip + sizeof(struct udphdr);
	return mode == LB_MODE_IPIP ? ip : 0;
}

/* By the high half of two products: any bits of it will do. No secret, since nothing depends on it
 * but the spread. */
LB_INLINE __u32 lb_flow_entropy(const struct lb_packet *pkt)
{
	const __u64 addr = lb_hash_quad(pkt->src.quads[0] ^ pkt->src.quads[1]);

	return (__u32)((addr * 0x9e3779b97f4a7c15ull + pkt->ports * 0xff51afd7ed558ccdull) >> 32);
}

/* A router's duty also where the packet goes on as it is; its bounds were checked before. */
LB_INLINE int lb_take_hop(struct lb_packet *pkt)
{
	struct iphdr *v4 = pkt->l3;
	struct ipv6hdr *v6 = pkt->l3;
	__be16 *hops;
	__be16 before;

	if (pkt->is_v6) {
		if ((void *)(v6 + 1) > pkt->end)
			return -LB_R_INTERNAL;
		v6->hop_limit--;
		return 0;
	}
	if ((void *)(v4 + 1) > pkt->end)
		return -LB_R_INTERNAL;
	hops = (__be16 *)&v4->ttl;
	before = *hops;
	*hops = before - bpf_htons(0x0100);
	v4->check = lb_csum_update(v4->check, lb_csum_diff(before, *hops));
	return 0;
}

/*
 * Of a packet that is too large where the kernel cannot fragment it, since it is not for the
 * backend's address. Its sender is told also if it allowed fragments, which it then makes itself;
 * but not of a frame in generic mode that is several segments, each of which may fit.
 */
LB_INLINE int lb_refuse_size(struct lb_ctx *ctx, __u32 mtu)
{
	__u32 number = lb_port_number;
	const struct lb_port *port;

	(void)lb_too_large(ctx, mtu);
	if (!lb_is_generic)
		return -LB_R_MTU_EXCEEDED;
	port = bpf_map_lookup_elem(&lb_ports, &number);
	return port && lb_length(&ctx->pkt) <= port->mtu ? -LB_R_MTU_EXCEEDED
							 : -(LB_R_MTU_EXCEEDED + LB_SILENT);
}

/* The next hop of a packet that grows by so many bytes, and stays for the service's address. */
LB_INLINE int lb_hop_find_kept(struct lb_ctx *ctx, __u32 overhead)
{
	const struct lb_backend *backend = ctx->backend;
	const struct lb_hop *hop = &ctx->local->hop;
	int err;

	/* Beforehand: 6.1's verifier follows also the way on which an error is 0 later. */
	ctx->dst_mac = hop->dst_mac;
	ctx->src_mac = hop->src_mac;
	err = lb_hop_find(ctx, &ctx->local->hop, backend->version, NULL, &backend->addr);
	if (err == -LB_R_HOST_REPLY)
		return -LB_R_NO_ROUTE;
	if (err && err != -LB_R_MTU_EXCEEDED && err != -LB_R_LEFT_TO_KERNEL)
		return err;
	/* Also in generic mode: what is larger cannot be wrapped as one packet. */
	if (err || (overhead && lb_length(&ctx->pkt) + overhead > hop->mtu))
		return lb_refuse_size(ctx, hop->mtu - overhead);
	return 0;
}

/* What the way to the backend leaves to a segment of the inner packet, without options. */
LB_INLINE __u32 lb_segment_room(const struct lb_ctx *ctx, __u32 overhead)
{
	const __u32 headers = (ctx->pkt.is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) +
			      sizeof(struct tcphdr);

	return ctx->local->hop.mtu - overhead - headers;
}

/* inner: at least an IPv4 header's length of the packet. */
LB_INLINE void lb_read_inner(const struct lb_packet *pkt, const void *packet,
			     struct lb_inner *inner)
{
	const struct iphdr *v4 = packet;
	const struct ipv6hdr *v6 = packet;

	inner->entropy = lb_flow_entropy(pkt);
	inner->is_v6 = (*(const __u8 *)packet & 0xf0) == 0x60;
	if (inner->is_v6) {
		inner->length = sizeof(*v6) + bpf_ntohs(v6->payload_len);
		inner->tos = bpf_ntohl(*(const __be32 *)packet) >> 20;
	} else {
		inner->length = bpf_ntohs(v4->tot_len);
		inner->tos = v4->tos;
	}
}

/*
 * Makes room for an outer header of so many bytes (a constant) and writes the link header before
 * it; pkt is then the outer packet, whose headers are the caller's to write. Every pointer into the
 * frame is new, and what is known of the inner packet is read anew: it would cost stack to keep.
 */
LB_INLINE int lb_open_outer(struct lb_ctx *ctx, __u32 bytes, bool is_v6, struct lb_inner *inner)
{
	struct lb_packet *pkt = &ctx->pkt;
	const __u32 type_at = (pkt->l3 - (void *)pkt->eth - 2) & 0x1e;
	struct lb_backend_cpu *local = ctx->local;
	void *data, *data_end, *type;

	ctx->local = NULL; /* nothing of the frame may be counted until pkt is the new one (6.1) */
	if (bpf_xdp_adjust_head(ctx->xdp, -(int)bytes))
		return -LB_R_NO_HEADROOM;
	data = (void *)(long)ctx->xdp->data;
	data_end = (void *)(long)ctx->xdp->data_end;
	type = data + type_at;
	if (data + bytes + LB_TAGGED_MAX > data_end ||
	    type + 2 + bytes + sizeof(struct iphdr) > data_end)
		return -LB_R_INTERNAL;
	if (type_at != LB_TYPE_AT)
		*(__be32 *)(data + 12) = *(__be32 *)(data + bytes + 12);
	if (type_at == LB_TAGGED_MAX - 2)
		*(__be32 *)(data + 16) = *(__be32 *)(data + bytes + 16);
	pkt->eth = data;
	pkt->l3 = type + 2;
	pkt->end = data_end;
	pkt->is_v6 = is_v6;
	ctx->local = local;
	lb_write_macs(pkt, ctx->dst_mac, ctx->src_mac);
	*(__be16 *)type = is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	lb_read_inner(pkt, pkt->l3 + bytes, inner);
	return 0;
}

LB_INLINE __be32 lb_outer_source(const struct lb_backend *backend, const struct lb_inner *inner)
{
	return backend->tunnel_source.words[3] | (inner->entropy & backend->tunnel_spread);
}

/* length: from this header on. */
LB_INLINE int lb_put_outer_v4(struct lb_ctx *ctx, const struct lb_inner *inner, __u8 proto,
			      __u32 length)
{
	const __be32 source = lb_outer_source(ctx->backend, inner);
	const __be32 to = ctx->backend->addr.words[3];
	__be32 *words = ctx->pkt.l3;
	const __be32 head = bpf_htonl(0x45000000 | inner->tos << 16 | length);
	const __be32 whole = bpf_htonl(0x4000); /* no identification, since never in pieces */
	const __be32 hops = bpf_htonl(LB_OUTER_HOPS << 24 | proto << 16);
	const __u64 sum = (__u64)head + whole + hops + source + to;

	if ((void *)(words + 5) > ctx->pkt.end)
		return -LB_R_INTERNAL;
	words[0] = head;
	words[1] = whole;
	words[2] = hops | lb_join_ports(0, (__u16)~lb_csum_fold(sum));
	words[3] = source;
	words[4] = to;
	return 0;
}

/* length: behind this header. */
LB_INLINE int lb_put_outer_v6(struct lb_ctx *ctx, const struct lb_inner *inner, __u8 next,
			      __u32 length)
{
	const struct lb_backend *backend = ctx->backend;
	__be32 *words = ctx->pkt.l3;

	if ((void *)(words + 10) > ctx->pkt.end)
		return -LB_R_INTERNAL;
	words[0] = bpf_htonl(0x60000000 | inner->tos << 20 | (inner->entropy & 0xfffff));
	words[1] = bpf_htonl(length << 16 | next << 8 | LB_OUTER_HOPS);
	*(__u64 *)(words + 2) = backend->tunnel_source.quads[0];
	words[4] = backend->tunnel_source.words[2];
	words[5] = lb_outer_source(backend, inner);
	lb_read_addr((union lb_addr *)(words + 6), &backend->addr);
	return 0;
}

#endif
