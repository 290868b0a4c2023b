/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments of packets for services and of replies. The first one has the ports and goes the way of
 * any packet; the ports are noted, so that the later ones, which have none, can follow. Where ports
 * do not count, they find their way alone. What would let a fragment write over the ports that were
 * judged is dropped (RFC 1858, RFC 3128, RFC 5722).
 */
#ifndef LB_FRAGMENT_H
#define LB_FRAGMENT_H

#include "follow_wrap.h"
#include "icmp_error.h"
#include "parse_fragment.h"

#define LB_FRAGMENT_TIMEOUT_S 30 /* as hosts wait for the rest (RFC 791, 3.2) */

LB_INLINE void lb_fragment_key(struct lb_fragment_key *key, const struct lb_piece *piece)
{
	key->src = piece->src;
	key->dst = piece->dst;
	key->id = piece->id;
	key->proto = piece->proto;
}

/* Whether it is for a service's address or from a backend's, whatever the ports. */
LB_INLINE bool lb_piece_is_ours(const struct lb_piece *piece)
{
	return lb_find_address(&piece->dst);
}

/*
 * The first fragment of a packet: its ports are noted if it is balanced. -LB_R_FRAGMENT_TINY if its
 * transport header goes on in another fragment; all else is said by who parses it next.
 */
__noinline int lb_note_fragment(struct xdp_md *xdp)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	__u32 zero = 0, number;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);
	struct lb_fragment fragment = {};
	struct lb_fragment_key key = {};
	struct lb_packet pkt;
	struct lb_piece piece;
	__u32 header;

	if (walk < 0 || !control || lb_parse_piece(data, data_end, &piece))
		return 0;
	lb_fragment_key(&key, &piece);
	fragment.end = piece.length;
	fragment.seen = (__u32)bpf_jiffies64();
	if (lb_place(&pkt, data, data_end, walk))
		return 0;
	header = pkt.proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	if ((pkt.proto == IPPROTO_TCP || pkt.proto == IPPROTO_UDP) &&
	    piece.length < LB_WALK_L4(walk) - piece.l4 + header)
		return lb_piece_is_ours(&piece) ? -LB_R_FRAGMENT_TINY : 0;
	if (lb_parse(&pkt))
		return 0;
	if (!lb_find_service(control, &pkt, &number) && !lb_find_endpoint(control, &pkt, &number) &&
	    !lb_find_wide(control, &pkt, &number))
		return 0;
	fragment.ports = pkt.ports;
	fragment.proto = pkt.proto;
	bpf_map_update_elem(&lb_fragments, &key, &fragment, BPF_ANY);
	return 0;
}

/*
 * 0: the frame is a later fragment, and lb_trace a packet of its flow. -LB_R_FRAGMENT: the same,
 * but its ports are not known.
 */
__noinline int lb_read_fragment(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const struct lb_fragment *fragment;
	struct lb_trace *trace = lb_trace_here();
	struct lb_fragment_key key = {};
	struct lb_piece piece;
	int err = lb_parse_piece(data, data_end, &piece);

	if (err || !trace)
		return err ?: -LB_R_INTERNAL;
	trace->src = piece.src;
	trace->dst = piece.dst;
	trace->proto = piece.proto;
	trace->is_v6 = piece.is_v6;
	trace->l3 = piece.l3;
	trace->is_unreachable = false;
	lb_fragment_key(&key, &piece);
	fragment = bpf_map_lookup_elem(&lb_fragments, &key);
	if (!fragment ||
	    lb_flow_age((__u32)bpf_jiffies64(), fragment->seen) > LB_FRAGMENT_TIMEOUT_S * lb_hz) {
		/* It would write into the header, whenever the first one comes. */
		if (piece.proto == IPPROTO_TCP && piece.offset < sizeof(struct tcphdr) &&
		    lb_piece_is_ours(&piece))
			return -LB_R_FRAGMENT_OVERLAP;
		return -LB_R_FRAGMENT;
	}
	if (piece.offset < fragment->end)
		return -LB_R_FRAGMENT_OVERLAP;
	trace->ports = fragment->ports;
	trace->proto = fragment->proto;
	return 0;
}

/* The service, if packets of this protocol find it without ports. */
LB_INLINE const struct lb_service *lb_as_portless(__u32 number, __u8 proto)
{
	const __u32 wanted = LB_S_IN_USE | LB_S_THREE_TUPLE;
	const struct lb_service *service = bpf_map_lookup_elem(&lb_services, &number);

	return service && (service->flags & wanted) == wanted && service->proto == proto ? service
											 : NULL;
}

/*
 * Of a fragment whose ports are not known: the ports of the service that has its address, where
 * that one goes by three-tuple; then no other of the protocol has the address. 0 or
 * -LB_R_FRAGMENT.
 */
__noinline int lb_find_portless(void)
{
	struct lb_trace *trace = lb_trace_here();
	__u32 zero = 0, found;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);
	const struct lb_service *service;

	if (!trace || !control)
		return -LB_R_FRAGMENT;
	found = lb_look_up(control, LB_LOOKUP_SERVICES, &trace->dst, 0, 0);
	service = lb_as_portless(found & ~(LB_IS_MASK | LB_IS_HIDDEN), trace->proto);
	if (!service || !lb_addr_is_equal(&service->vip, &trace->dst) || service->vip_length) {
		if (!lb_has_zones(control))
			return -LB_R_FRAGMENT;
		found = lb_find_zone(trace->dst.quads[0], trace->dst.quads[1], trace->proto,
				     LB_ZONE_ANY_PORT);
		service = found ? lb_as_portless(found & ~LB_IS_MASK, trace->proto) : NULL;
	}
	if (!service)
		return -LB_R_FRAGMENT;
	trace->ports = lb_no_ports(service);
	return 0;
}

/* Writes what lb_follow() has found: addresses, since ports and checksum are in the first one. */
__noinline int lb_turn_fragment(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const struct lb_trace *trace = lb_trace_here();
	struct ipv6hdr *v6;
	struct iphdr *v4;
	__be16 *hops;
	__u64 diff;

	if (!trace || data + sizeof(struct ethhdr) > data_end)
		return -LB_R_INTERNAL;
	v4 = data + (trace->l3 & 0xff);
	v6 = (void *)v4;
	if (!trace->is_left)
		lb_set_macs(trace, data);
	if (trace->is_v6) {
		if ((void *)(v6 + 1) > data_end)
			return -LB_R_INTERNAL;
		if (trace->has_new_src)
			lb_read_addr((union lb_addr *)&v6->saddr, &trace->new_src);
		if (trace->has_new_dst)
			lb_read_addr((union lb_addr *)&v6->daddr, &trace->new_dst);
		v6->hop_limit--;
		return 0;
	}
	if ((void *)(v4 + 1) > data_end)
		return -LB_R_INTERNAL;
	hops = (__be16 *)&v4->ttl;
	diff = lb_set_half(hops, *hops - bpf_htons(0x0100));
	if (trace->has_new_src)
		diff += lb_set_word(&v4->saddr, trace->new_src.words[3]);
	if (trace->has_new_dst)
		diff += lb_set_word(&v4->daddr, trace->new_dst.words[3]);
	v4->check = lb_csum_update(v4->check, diff);
	return 0;
}

/* A later fragment: where its first one went, or will go. */
LB_INLINE int lb_forward_fragment(struct lb_ctx *ctx)
{
	const struct lb_trace *trace = lb_trace_here();
	int err = lb_read_fragment(ctx->xdp), way;

	if (err == -LB_R_FRAGMENT)
		err = lb_find_portless();
	if (err || !trace)
		return err;
	lb_trace_wide();
	way = lb_follow(ctx->xdp);
	lb_name_service(ctx, trace);
	if (lb_is_trace_for_cache(ctx, trace))
		return -LB_R_FRAGMENT;
	if (way != -LB_R_FORWARDED && way != -LB_R_REPLIED && way != -LB_R_LEFT_TO_KERNEL)
		return way;
	err = lb_turn_fragment(ctx->xdp) ?: lb_wrap_followed(ctx->xdp, trace, way);
	if (err)
		return err;
	ctx->egress = trace->egress;
	if (way == -LB_R_LEFT_TO_KERNEL)
		return way;
	return way == -LB_R_FORWARDED ? -LB_R_FRAGMENT_FORWARDED : -LB_R_FRAGMENT_REPLIED;
}

#endif
