/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds what a fragment is a piece of: IPv4 (RFC 791) and IPv6 (RFC 8200, 4.5). No helper, no map:
 * the datapath and native tests compile the same code.
 */
#ifndef LB_PARSE_FRAGMENT_H
#define LB_PARSE_FRAGMENT_H

#include "lb_abi.h"
#include "parse.h"

struct lb_piece {
	union lb_addr src, dst;
	__be32 id;    /* as it stands in memory */
	__u32 offset; /* of its bytes in the whole, from the end of the headers before on */
	__u32 length; /* of them, as the header says */
	__u16 l3, l4;
	__u8 proto;
	bool is_v6;
	bool has_more;
};

static __always_inline int lb_parse_piece_v4(void *data, void *data_end, struct lb_piece *piece)
{
	const struct iphdr *ip = data + piece->l3;
	__u16 field;
	__u32 header;

	if ((void *)(ip + 1) > data_end)
		return -LB_R_MALFORMED;
	header = ip->ihl * 4;
	field = bpf_ntohs(ip->frag_off);
	if (ip->version != 4 || header < sizeof(*ip) || bpf_ntohs(ip->tot_len) < header)
		return -LB_R_MALFORMED;
	lb_addr_from_v4(&piece->src, ip->saddr);
	lb_addr_from_v4(&piece->dst, ip->daddr);
	piece->id = ip->id;
	piece->offset = (field & LB_V4_FRAGMENT_OFFSET) * 8;
	piece->has_more = field & LB_V4_MORE_FRAGMENTS;
	piece->length = bpf_ntohs(ip->tot_len) - header;
	piece->l4 = piece->l3 + header;
	piece->proto = ip->protocol;
	return piece->offset || piece->has_more ? 0 : -LB_R_MALFORMED;
}

static __always_inline int lb_parse_piece_v6(void *data, void *data_end, struct lb_piece *piece)
{
	const struct ipv6hdr *ip = data + piece->l3;
	__u32 at = piece->l3 + sizeof(*ip), end;
	__u16 field;
	__u8 proto;

	if ((void *)(ip + 1) > data_end || ip->version != 6)
		return -LB_R_MALFORMED;
	lb_read_addr(&piece->src, &ip->saddr);
	lb_read_addr(&piece->dst, &ip->daddr);
	if (lb_addr_is_v4(&piece->src) || lb_addr_is_v4(&piece->dst))
		return -LB_R_MAPPED_V6;
	proto = ip->nexthdr;
	for (int i = 0; i < LB_V6_HEADERS; i++) {
		const struct lb_v6_option *option = data + (at & 0x7ff);

		if ((void *)(option + 1) > data_end ||
		    (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
		     proto != IPPROTO_DSTOPTS && proto != IPPROTO_FRAGMENT))
			return -LB_R_MALFORMED;
		if (proto == IPPROTO_FRAGMENT) {
			if ((void *)option + 8 > data_end)
				return -LB_R_MALFORMED;
			field = bpf_ntohs(option->fragment_offset);
			piece->id = *(const __be32 *)(option + 1);
			piece->offset = field & LB_V6_FRAGMENT_OFFSET;
			piece->has_more = field & 1;
			piece->proto = option->next;
			piece->l4 = at + 8;
			end = piece->l3 + sizeof(*ip) + bpf_ntohs(ip->payload_len);
			piece->length = end - at - 8;
			return end < at + 8 ? -LB_R_MALFORMED : 0;
		}
		at += (option->length + 1) * 8;
		if (at > 0x7f0)
			return -LB_R_MALFORMED;
		proto = option->next;
	}
	return -LB_R_MALFORMED;
}

/* A frame that lb_walk() found to be a fragment, later or first. 0 or -LB_R_<reason>. */
static __always_inline int lb_parse_piece(void *data, void *data_end, struct lb_piece *piece)
{
	const long link = lb_walk_link(data, data_end);

	if (link < 0)
		return (int)link;
	piece->l3 = LB_WALK_L3(link);
	piece->is_v6 = LB_WALK_PROTO(link) == IPPROTO_IPV6;
	return piece->is_v6 ? lb_parse_piece_v6(data, data_end, piece)
			    : lb_parse_piece_v4(data, data_end, piece);
}

#endif
