/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the datapath needs to know of ICMP (RFC 792) and ICMPv6 (RFC 4443). No helper, no map: the
 * datapath and native tests compile the same code.
 */
#ifndef LB_PARSE_ICMP_H
#define LB_PARSE_ICMP_H

#include "parse.h"

#define LB_ICMP_ECHO_REPLY 0
#define LB_ICMP_UNREACHABLE 3
#define LB_ICMP_FRAG_NEEDED 4 /* code of UNREACHABLE */
#define LB_ICMP_ECHO 8
#define LB_ICMP_TIME_EXCEEDED 11
#define LB_ICMP_PARAMETER 12

#define LB_ICMPV6_UNREACHABLE 1
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

#endif
