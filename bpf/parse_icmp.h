/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the datapath needs to know of ICMP (RFC 792) and ICMPv6 (RFC 4443). No helper, no map: the
 * datapath and native tests compile the same code.
 */
#ifndef LB_PARSE_ICMP_H
#define LB_PARSE_ICMP_H

#include "lb_abi.h"
#include "parse.h"

#define LB_ICMP_ECHO_REPLY 0
#define LB_ICMP_UNREACHABLE 3
#define LB_ICMP_FRAG_NEEDED 4 /* code of UNREACHABLE */
#define LB_ICMP_PORT 3	      /* likewise */
#define LB_ICMP_ECHO 8
#define LB_ICMP_TIME_EXCEEDED 11
#define LB_ICMP_PARAMETER 12

#define LB_ICMPV6_UNREACHABLE 1
#define LB_ICMPV6_PORT 4 /* code of UNREACHABLE */
#define LB_ICMPV6_TOO_BIG 2
#define LB_ICMPV6_TIME_EXCEEDED 3
#define LB_ICMPV6_PARAMETER 4
#define LB_ICMPV6_ECHO 128
#define LB_ICMPV6_ECHO_REPLY 129

struct lb_icmp {
	__u8 type;
	__u8 code;
	__be16 check;
	union {
		__be32 rest;
		__be32 mtu_v6;
		struct {
			__be16 unused;
			__be16 mtu_v4;
		};
	};
};

/* The most of a packet that an error about it quotes: RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c). */
#define LB_QUOTE_V4 (576 - sizeof(struct iphdr) - sizeof(struct lb_icmp))
#define LB_QUOTE_V6 (1280 - sizeof(struct ipv6hdr) - sizeof(struct lb_icmp))

/* A sender that an ICMP message may be sent to (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)). */
static __always_inline bool lb_is_tellable_v4(const struct iphdr *ip)
{
	const __u8 first = *(const __u8 *)&ip->saddr;

	return first && first != 127 && first < 224;
}

static __always_inline bool lb_is_tellable_v6(const struct ipv6hdr *ip)
{
	const __be32 *words = ip->saddr.in6_u.u6_addr32;

	/* Neither a group, nor the unspecified address, nor the loopback. */
	return *(const __u8 *)words != 0xff &&
	       (words[0] | words[1] | words[2] | (words[3] & bpf_htonl(~1u)));
}

/* Nor about a frame that was for many. */
static __always_inline bool lb_is_for_many(const struct ethhdr *eth)
{
	return eth->h_dest[0] & 1;
}

/* Errors that speak of a packet and that its sender should hear of. */
static __always_inline bool lb_is_error(__u8 type, bool is_v6)
{
	if (is_v6)
		return type >= LB_ICMPV6_UNREACHABLE && type <= LB_ICMPV6_PARAMETER;
	return type == LB_ICMP_UNREACHABLE || type == LB_ICMP_TIME_EXCEEDED ||
	       type == LB_ICMP_PARAMETER;
}

/* The packet did not get there: all codes but the one that is about its size. */
static __always_inline bool lb_is_unreachable(const struct lb_icmp *icmp, bool is_v6)
{
	return is_v6 ? icmp->type == LB_ICMPV6_UNREACHABLE
		     : icmp->type == LB_ICMP_UNREACHABLE && icmp->code != LB_ICMP_FRAG_NEEDED;
}

/* The packet in an error: its headers and the first 8 bytes of transport must be there. */
static __always_inline int lb_parse_quote(struct lb_packet *inner, void *data, void *data_end,
					  __u32 l3, bool is_v6)
{
	long walk;

	if (l3 > 0xff)
		return -LB_R_OTHER_PROTOCOL;
	walk = is_v6 ? lb_walk_v6(data, data_end, l3) : lb_walk_v4(data, data_end, l3);
	if (walk < 0 || lb_place(inner, data, data_end, walk) ||
	    (inner->proto != IPPROTO_TCP && inner->proto != IPPROTO_UDP) || lb_parse_addrs(inner) ||
	    inner->l4 + 8 > data_end)
		return -LB_R_OTHER_PROTOCOL;
	inner->ports = *(const __be32 *)inner->l4;
	return 0;
}

/*
 * Reads an ICMP error that was found by lb_walk(): trace becomes a packet of the flow that it
 * speaks of, in the direction in which the error goes, which is against the packet in it. That one
 * must be of whom the error is for (RFC 5508, 4.2). 0, or -LB_R_OTHER_PROTOCOL for all else.
 */
static __always_inline int lb_parse_error(void *data, void *data_end, long walk,
					  struct lb_trace *trace)
{
	struct lb_packet pkt, inner;
	const struct lb_icmp *icmp;
	__u32 at;

	if (lb_place(&pkt, data, data_end, walk))
		return -LB_R_OTHER_PROTOCOL;
	icmp = pkt.l4;
	if (pkt.proto != (pkt.is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || lb_parse_addrs(&pkt) ||
	    (void *)(icmp + 1) > data_end || !lb_is_error(icmp->type, pkt.is_v6))
		return -LB_R_OTHER_PROTOCOL;
	at = LB_WALK_L4(walk) + sizeof(*icmp);
	if (lb_parse_quote(&inner, data, data_end, at, pkt.is_v6) ||
	    !lb_addr_is_equal(&inner.src, &pkt.dst) || lb_length(&pkt) < inner.l4 + 8 - pkt.l3)
		return -LB_R_OTHER_PROTOCOL;
	trace->src = inner.dst;
	trace->dst = inner.src;
	trace->ports = lb_join_ports(lb_dst_port(inner.ports), lb_src_port(inner.ports));
	trace->proto = inner.proto;
	trace->is_v6 = pkt.is_v6;
	trace->l3 = LB_WALK_L3(walk);
	trace->l4 = LB_WALK_L4(walk);
	trace->inner = inner.l4 - data;
	trace->is_unreachable = lb_is_unreachable(icmp, pkt.is_v6);
	return 0;
}

#endif
