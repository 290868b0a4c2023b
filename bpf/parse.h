/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds addresses and ports in a frame: Ethernet, up to two VLAN tags (IEEE 802.1Q), IPv4 with
 * options (RFC 791), IPv6 with a bounded chain of extension headers (RFC 8200), TCP, UDP. Plain
 * frames take a short way at constant offsets; for all others lb_walk() finds the offsets first. No
 * helper, no map: the datapath and native tests compile the same code. Answers 0 or -LB_R_<reason>.
 */
#ifndef LB_PARSE_H
#define LB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>

#include <stddef.h>

#include <bpf/bpf_endian.h>

#include "lb_addr.h"
#include "lb_reason.h"

#define LB_VLAN_TAGS 2
#define LB_V6_HEADERS 6
#define LB_V4_FRAGMENT_OFFSET 0x1fff
#define LB_V4_MORE_FRAGMENTS 0x2000
#define LB_V4_DONT_FRAGMENT 0x4000
#define LB_V6_FRAGMENT_OFFSET 0xfff8

#define LB_TCP_FIN 0x01
#define LB_TCP_SYN 0x02
#define LB_TCP_RST 0x04
#define LB_TCP_ACK 0x10

struct lb_vlan_tag {
	__be16 tci;
	__be16 next_type;
};

struct lb_v6_option {
	__u8 next;
	__u8 length;		/* in 8 bytes, less one */
	__be16 fragment_offset; /* of a fragment header; of a routing header, type and segments left
				 */
};

struct lb_packet {
	struct ethhdr *eth;
	void *l3;
	void *l4;
	void *end;
	union lb_addr src;
	union lb_addr dst;
	__be32 ports; /* both, as they stand in memory: lb_src_port(), lb_dst_port() */
	__u8 proto;
	__u8 tcp_flags; /* 0 for UDP */
	bool is_v6;
};

/* Both ports as one word in memory order: one load, one store, one term of a checksum. */
static __always_inline __be32 lb_join_ports(__be16 src_port, __be16 dst_port)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)dst_port << 16 | src_port;
#else
	return (__u32)src_port << 16 | dst_port;
#endif
}

static __always_inline __be16 lb_src_port(__be32 ports)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__be16)ports;
#else
	return (__be16)(ports >> 16);
#endif
}

static __always_inline __be16 lb_dst_port(__be32 ports)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__be16)(ports >> 16);
#else
	return (__be16)ports;
#endif
}

/* What lb_walk() answers: the offsets of both headers and the transport protocol. */
#define LB_WALK_L3(walk) ((__u32)(walk)&0xff)
#define LB_WALK_L4(walk) ((__u32)(walk) >> 8 & 0x7ff)
#define LB_WALK_PROTO(walk) ((__u8)((walk) >> 24))
#define LB_WALK_FIRST (1l << 19) /* beside them: the first of several fragments */

static __always_inline long lb_walk_answer(__u32 l3, __u32 l4, __u8 proto)
{
	return (long)((__u64)proto << 24 | (__u64)(l4 & 0x7ff) << 8 | (l3 & 0xff));
}

static __always_inline long lb_walk_v4(void *data, void *data_end, __u32 l3)
{
	const struct iphdr *ip = data + l3;
	__u32 header;

	if ((void *)(ip + 1) > data_end)
		return -LB_R_MALFORMED;
	header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip))
		return -LB_R_MALFORMED;
	if (ip->frag_off & bpf_htons(LB_V4_FRAGMENT_OFFSET))
		return -LB_R_FRAGMENT;
	return lb_walk_answer(l3, l3 + header, ip->protocol) |
	       (ip->frag_off & bpf_htons(LB_V4_MORE_FRAGMENTS) ? LB_WALK_FIRST : 0);
}

static __always_inline long lb_walk_v6(void *data, void *data_end, __u32 l3)
{
	const struct ipv6hdr *ip = data + l3;
	__u32 l4 = l3 + sizeof(*ip);
	long first = 0;
	__u8 proto;

	if ((void *)(ip + 1) > data_end || ip->version != 6)
		return -LB_R_MALFORMED;
	proto = ip->nexthdr;
	for (int i = 0; i < LB_V6_HEADERS; i++) {
		const struct lb_v6_option *option;

		if (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
		    proto != IPPROTO_DSTOPTS && proto != IPPROTO_FRAGMENT)
			break;
		option = data + (l4 & 0x7ff);
		if ((void *)(option + 1) > data_end)
			return -LB_R_MALFORMED;
		/* On its way through named routers the destination is not the last one. */
		if (proto == IPPROTO_ROUTING && option->fragment_offset & bpf_htons(0xff))
			return -LB_R_OTHER_PROTOCOL;
		if (proto == IPPROTO_FRAGMENT) {
			if (option->fragment_offset & bpf_htons(LB_V6_FRAGMENT_OFFSET))
				return -LB_R_FRAGMENT;
			if (option->fragment_offset & bpf_htons(1))
				first = LB_WALK_FIRST;
			l4 += 8;
		} else {
			l4 += (option->length + 1) * 8;
		}
		if (l4 > 0x7ff)
			return -LB_R_MALFORMED;
		proto = option->next;
	}
	return lb_walk_answer(l3, l4, proto) | first;
}

/* Past the link header: the offset of the network header, and IPPROTO_IPIP or _IPV6 for its kind.
 */
static __always_inline long lb_walk_link(void *data, void *data_end)
{
	const struct ethhdr *eth = data;
	__u32 l3 = sizeof(*eth);
	__be16 type;

	if ((void *)(eth + 1) > data_end)
		return -LB_R_MALFORMED;
	type = eth->h_proto;
	for (int i = 0; i < LB_VLAN_TAGS; i++) {
		const struct lb_vlan_tag *tag = data + l3;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > data_end)
			return -LB_R_MALFORMED;
		type = tag->next_type;
		l3 += sizeof(*tag);
	}
	if (type == bpf_htons(ETH_P_IP))
		return lb_walk_answer(l3, 0, IPPROTO_IPIP);
	if (type == bpf_htons(ETH_P_IPV6))
		return lb_walk_answer(l3, 0, IPPROTO_IPV6);
	return -LB_R_NOT_IP;
}

/* The way through any frame: tags, options, extension headers. Offsets or -LB_R_<reason>. */
static __always_inline long lb_walk(void *data, void *data_end)
{
	const long link = lb_walk_link(data, data_end);

	if (link < 0)
		return link;
	return LB_WALK_PROTO(link) == IPPROTO_IPV6 ? lb_walk_v6(data, data_end, LB_WALK_L3(link))
						   : lb_walk_v4(data, data_end, LB_WALK_L3(link));
}

/* By quads: what is read word by word and then used as quads stalls the CPU. */
static __always_inline void lb_read_addr(union lb_addr *addr, const void *from)
{
	const __u64 *quads = from;

	addr->quads[0] = quads[0];
	addr->quads[1] = quads[1];
}

/* Addresses, from a network header whose kind is known. */
static __always_inline int lb_parse_addrs(struct lb_packet *pkt)
{
	__u32 bytes;

	if (pkt->is_v6) {
		const struct ipv6hdr *ip = pkt->l3;

		if ((void *)(ip + 1) > pkt->end)
			return -LB_R_MALFORMED;
		lb_read_addr(&pkt->src, &ip->saddr);
		lb_read_addr(&pkt->dst, &ip->daddr);
		if (lb_addr_is_v4(&pkt->src) || lb_addr_is_v4(&pkt->dst))
			return -LB_R_MAPPED_V6;
		bytes = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	} else {
		const struct iphdr *ip = pkt->l3;

		if ((void *)(ip + 1) > pkt->end)
			return -LB_R_MALFORMED;
		lb_addr_from_v4(&pkt->src, ip->saddr);
		lb_addr_from_v4(&pkt->dst, ip->daddr);
		bytes = bpf_ntohs(ip->tot_len);
	}
	/* Ports that lie beyond the length are Ethernet's padding. */
	bytes -= pkt->proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	return (__s32)bytes < (__s32)(pkt->l4 - pkt->l3) ? -LB_R_MALFORMED : 0;
}

/* Length of the network packet as its header says, without padding. */
static __always_inline __u32 lb_length(const struct lb_packet *pkt)
{
	const struct iphdr *v4 = pkt->l3;
	const struct ipv6hdr *v6 = pkt->l3;

	if ((void *)(v4 + 1) > pkt->end)
		return 0;
	return pkt->is_v6 ? sizeof(*v6) + bpf_ntohs(v6->payload_len) : bpf_ntohs(v4->tot_len);
}

static __always_inline int lb_parse_ports(struct lb_packet *pkt)
{
	const struct tcphdr *tcp = pkt->l4;
	const struct udphdr *udp = pkt->l4;

	if (pkt->proto != IPPROTO_TCP && pkt->proto != IPPROTO_UDP)
		return -LB_R_OTHER_PROTOCOL;
	if ((void *)(udp + 1) > pkt->end)
		return -LB_R_MALFORMED;
	pkt->ports = *(const __be32 *)udp;
	pkt->tcp_flags = 0;
	if (pkt->proto == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > pkt->end)
			return -LB_R_MALFORMED;
		pkt->tcp_flags = ((const __u8 *)tcp)[13];
	}
	return 0;
}

/* True for an untagged frame without options or extension headers, which then is laid out in pkt.
 */
static __always_inline bool lb_is_plain(struct lb_packet *pkt, void *data, void *data_end)
{
	const struct iphdr *v4 = data + sizeof(struct ethhdr);
	const struct ipv6hdr *v6 = data + sizeof(struct ethhdr);
	__be16 type;

	pkt->eth = data;
	pkt->l3 = data + sizeof(struct ethhdr);
	pkt->end = data_end;
	pkt->l4 = data;
	if ((void *)(v4 + 1) > data_end)
		return false;
	/* struct ethhdr is packed, so its type would be read byte by byte. */
	type = *(const __be16 *)(data + offsetof(struct ethhdr, h_proto));
	if (type == bpf_htons(ETH_P_IP)) {
		pkt->is_v6 = false;
		pkt->proto = v4->protocol;
		pkt->l4 = (void *)(v4 + 1);
		return *(const __u8 *)v4 == 0x45 &&
		       !(v4->frag_off & bpf_htons(LB_V4_FRAGMENT_OFFSET | LB_V4_MORE_FRAGMENTS));
	}
	if (type != bpf_htons(ETH_P_IPV6) || (void *)(v6 + 1) > data_end)
		return false;
	pkt->is_v6 = true;
	pkt->proto = v6->nexthdr;
	pkt->l4 = (void *)(v6 + 1);
	return v6->version == 6 && (pkt->proto == IPPROTO_TCP || pkt->proto == IPPROTO_UDP);
}

/* Lays the packet out as lb_walk() found it. */
static __always_inline int lb_place(struct lb_packet *pkt, void *data, void *data_end, long walk)
{
	pkt->eth = data;
	pkt->end = data_end;
	pkt->l3 = data + LB_WALK_L3(walk);
	pkt->l4 = data + LB_WALK_L4(walk);
	pkt->proto = LB_WALK_PROTO(walk);
	if (data + sizeof(struct ethhdr) > data_end || pkt->l3 + sizeof(struct iphdr) > data_end)
		return -LB_R_MALFORMED;
	pkt->is_v6 = (*(const __u8 *)pkt->l3 & 0xf0) == 0x60;
	return 0;
}

/* Whatever the packet carries: no IPv6 address on the wire is an IPv4 one (RFC 4291, 2.5.5.2). */
static __always_inline bool lb_is_mapped(struct lb_packet *pkt)
{
	const struct ipv6hdr *ip = pkt->l3;

	if (!pkt->is_v6 || (void *)(ip + 1) > pkt->end)
		return false;
	lb_read_addr(&pkt->src, &ip->saddr);
	lb_read_addr(&pkt->dst, &ip->daddr);
	return lb_addr_is_v4(&pkt->src) || lb_addr_is_v4(&pkt->dst);
}

/* Addresses and ports of a packet that is laid out. */
static __always_inline int lb_parse(struct lb_packet *pkt)
{
	int err = lb_parse_ports(pkt);

	if (err == -LB_R_OTHER_PROTOCOL)
		return lb_is_mapped(pkt) ? -LB_R_MAPPED_V6 : err;
	return lb_parse_addrs(pkt) ?: err;
}

static __always_inline bool lb_is_opening(const struct lb_packet *pkt)
{
	return (pkt->tcp_flags & (LB_TCP_SYN | LB_TCP_ACK | LB_TCP_RST)) == LB_TCP_SYN;
}

#endif
