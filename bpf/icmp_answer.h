/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ICMP messages that the balancer makes: echo replies for services' addresses, and to the
 * sender of a packet that cannot go on "frag needed" or "packet too big" (RFC 1191, RFC 8201) and
 * "time exceeded". An error carries the packet as it came, not as it would have gone on. All are
 * sent back by the way the packet came; all of it is off the hot path (see flow.h).
 */
#ifndef LB_ICMP_ANSWER_H
#define LB_ICMP_ANSWER_H

#include "maps.h"
#include "parse_icmp.h"
#include "rewrite.h"
#include "service.h"
#include "walk.h"

#define LB_ICMP_TTL 64
#define LB_ICMP_TOS 0xc0   /* internetwork control (RFC 1812, 4.3.2.5) */
#define LB_ICMP_PER_S 1000 /* errors a second and CPU */
#define LB_ICMP_BURST 100  /* at once */
#define LB_ERROR_V4 (sizeof(struct iphdr) + sizeof(struct lb_icmp))
#define LB_ERROR_V6 (sizeof(struct ipv6hdr) + sizeof(struct lb_icmp))
#define LB_LINK_MAX 22 /* Ethernet header with two tags */
#define LB_SUM_WORDS (1280 / 4)

/* A token bucket on each CPU: what makes errors must not be a weapon (RFC 4443, 2.4 (f)). */
LB_INLINE bool lb_may_tell(struct lb_icmp_budget *budget)
{
	const __u32 now = (__u32)bpf_jiffies64(), elapsed = now - budget->filled;
	const __u32 tokens = elapsed >= lb_hz
				     ? LB_ICMP_BURST
				     : budget->tokens + elapsed * LB_ICMP_PER_S / (lb_hz ?: 1);

	budget->filled = now;
	budget->tokens = tokens < LB_ICMP_BURST ? tokens : LB_ICMP_BURST;
	if (!budget->tokens)
		return false;
	budget->tokens--;
	return true;
}

/* Header fields are written as what they are and summed up as words. */
typedef __u32 __attribute__((__may_alias__)) lb_sum_word;

/* Sum of the whole words from start to the end of the frame. */
LB_INLINE __u64 lb_sum_rest(const void *start, const void *end)
{
	__u64 sum = 0;

	for (int i = 0; i < LB_SUM_WORDS; i++) {
		const lb_sum_word *word = start + 4 * i;

		if ((const void *)(word + 1) > end)
			break;
		sum += *word;
	}
	return sum;
}

LB_INLINE __u64 lb_sum_v4(const struct iphdr *ip)
{
	const lb_sum_word *words = (const lb_sum_word *)ip;

	return (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
}

/*
 * How many bytes of the packet at l3 an error quotes, 0 for none: a multiple of 4, no Ethernet
 * padding, and at least the header and 8 bytes.
 */
LB_INLINE __u32 lb_quote_size(struct xdp_md *xdp, void *data, void *data_end, __u32 l3, bool is_v6)
{
	const struct iphdr *v4 = data + l3;
	const struct ipv6hdr *v6 = data + l3;
	const __u32 there = (__u32)bpf_xdp_get_buff_len(xdp) - l3;
	__u32 size, most;

	if (is_v6) {
		if ((void *)(v6 + 1) > data_end || !lb_is_tellable_v6(v6))
			return 0;
		size = sizeof(*v6) + bpf_ntohs(v6->payload_len);
		most = LB_QUOTE_V6;
	} else {
		if ((void *)(v4 + 1) > data_end || !lb_is_tellable_v4(v4))
			return 0;
		size = bpf_ntohs(v4->tot_len);
		most = LB_QUOTE_V4;
	}
	size = size < there ? size : there;
	return (size < most ? size : most) & ~3u;
}

/* The link header moves to the front of the frame and is turned round. */
LB_INLINE bool lb_turn_link(void *data, void *data_end, __u32 from, __u32 l3)
{
	__u16 *to = data;
	const __u16 *old = data + from;

	if (data + from + LB_LINK_MAX > data_end)
		return false;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		to[i] = old[3 + i];
		to[3 + i] = old[i];
	}
	to[6] = old[6];
#pragma unroll
	for (int i = 7; i < LB_LINK_MAX / 2; i++) {
		if (2 * i < (int)l3)
			to[i] = old[i];
	}
	return true;
}

/* In the place of a size: that nobody is there, which ends a connection in the making at once
 * (RFC 1122, 4.2.3.9). */
#define LB_NOBODY (~0u)

/* Both write the error's headers, all but ICMP's checksum, and answer that one's pseudo-header. */
LB_INLINE __u64 lb_head_v4(struct iphdr *ip, __u32 quote, const union lb_addr *source, __u32 mtu)
{
	struct lb_icmp *icmp = (void *)(ip + 1);
	const struct iphdr *old = (void *)(icmp + 1);

	*(__u8 *)ip = 0x45;
	ip->tos = LB_ICMP_TOS;
	ip->tot_len = bpf_htons(LB_ERROR_V4 + quote);
	ip->id = 0;
	ip->frag_off = bpf_htons(LB_V4_DONT_FRAGMENT);
	ip->ttl = LB_ICMP_TTL;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = source ? source->words[3] : old->daddr;
	ip->daddr = old->saddr;
	ip->check = (__u16)~lb_csum_fold(lb_sum_v4(ip));
	icmp->type = mtu ? LB_ICMP_UNREACHABLE : LB_ICMP_TIME_EXCEEDED;
	icmp->code = mtu == LB_NOBODY ? LB_ICMP_PORT : mtu ? LB_ICMP_FRAG_NEEDED : 0;
	icmp->check = 0;
	icmp->unused = 0;
	icmp->mtu_v4 = mtu == LB_NOBODY ? 0 : bpf_htons(mtu);
	return 0;
}

LB_INLINE __u64 lb_head_v6(struct ipv6hdr *ip, __u32 quote, const union lb_addr *source, __u32 mtu)
{
	struct lb_icmp *icmp = (void *)(ip + 1);
	const struct ipv6hdr *old = (void *)(icmp + 1);
	const __u32 length = sizeof(*icmp) + quote;

	*(__be32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = LB_ICMP_TTL;
	lb_read_addr((union lb_addr *)&ip->saddr, source ? (const void *)source : &old->daddr);
	lb_read_addr((union lb_addr *)&ip->daddr, &old->saddr);
	icmp->type = mtu ? LB_ICMPV6_TOO_BIG : LB_ICMPV6_TIME_EXCEEDED;
	icmp->code = 0;
	if (mtu == LB_NOBODY) {
		icmp->type = LB_ICMPV6_UNREACHABLE;
		icmp->code = LB_ICMPV6_PORT;
	}
	icmp->check = 0;
	icmp->mtu_v6 = mtu == LB_NOBODY ? 0 : bpf_htonl(mtu);
	return (__u64)bpf_htonl(length) + bpf_htonl(IPPROTO_ICMPV6) +
	       lb_csum_addr((const union lb_addr *)&ip->saddr) +
	       lb_csum_addr((const union lb_addr *)&ip->daddr);
}

/* Writes an error before the packet that it quotes. */
LB_INLINE bool lb_write_error(void *data, void *data_end, __u32 l3, __u32 quote, bool is_v6,
			      const union lb_addr *source, __u32 mtu)
{
	void *l3_new = data + l3;
	struct lb_icmp *icmp;
	__u64 sum;

	if (is_v6) {
		if (l3_new + LB_ERROR_V6 + sizeof(struct ipv6hdr) > data_end ||
		    !lb_turn_link(data, data_end, LB_ERROR_V6, l3))
			return false;
		icmp = l3_new + sizeof(struct ipv6hdr);
		sum = lb_head_v6(l3_new, quote, source, mtu);
	} else {
		if (l3_new + LB_ERROR_V4 + sizeof(struct iphdr) > data_end ||
		    !lb_turn_link(data, data_end, LB_ERROR_V4, l3))
			return false;
		icmp = l3_new + sizeof(struct iphdr);
		sum = lb_head_v4(l3_new, quote, source, mtu);
	}
	if ((void *)(icmp + 1) > data_end)
		return false;
	icmp->check = (__u16)~lb_csum_fold(sum + lb_sum_rest(icmp, data_end));
	return true;
}

/*
 * Whose address an error has as its source: the one that the packet was for (NULL); but a reply by
 * nat is for the client, for whom nobody else should speak, and there it is the service's.
 */
LB_INLINE const union lb_addr *lb_error_source(void *data, void *data_end, long walk)
{
	__u32 number = 0;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &number);
	const struct lb_endpoint *endpoint;
	struct lb_service *service;
	struct lb_packet pkt;

	if (!control || lb_place(&pkt, data, data_end, walk) || lb_parse(&pkt))
		return NULL;
	endpoint = lb_find_endpoint(control, &pkt, &number);
	if (!endpoint || !endpoint->has_nat)
		return NULL;
	number = endpoint->service;
	service = bpf_map_lookup_elem(&lb_services, &number);
	return service ? &service->vip : NULL;
}

/* Makes room for the error's headers before the quoted packet, and cuts the rest of it off. */
LB_INLINE int lb_make_room(struct xdp_md *xdp, __u32 end, __u32 grow)
{
	const __u32 length = (__u32)bpf_xdp_get_buff_len(xdp);

	if (bpf_xdp_adjust_tail(xdp, (int)end - (int)length) ||
	    bpf_xdp_adjust_head(xdp, -(int)grow))
		return -1;
	/* All that is quoted must be within reach for its sum, nothing in a page of its own. */
	return bpf_xdp_get_buff_len(xdp) == xdp->data_end - xdp->data ? 0 : -1;
}

/*
 * Makes the frame an error about the packet in it, to the packet's sender; reason: what is wrong
 * with it. Answers the reason that it ends with; when that is not one of being told, the frame is
 * good for nothing any more.
 */
__noinline int lb_make_error(struct xdp_md *xdp, int reason)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	__u32 l3 = LB_WALK_L3(walk), zero = 0, quote, mtu;
	struct lb_icmp_budget *budget = bpf_map_lookup_elem(&lb_icmp_budget, &zero);
	const union lb_addr *source;
	bool is_v6;

	if (walk < 0 || !budget || data + sizeof(struct ethhdr) > data_end ||
	    data + l3 + 1 > data_end || lb_is_for_many(data))
		return reason;
	is_v6 = (*(__u8 *)(data + l3) & 0xf0) == 0x60;
	quote = lb_quote_size(xdp, data, data_end, l3, is_v6);
	if (!quote)
		return reason;
	if (!lb_may_tell(budget))
		return -LB_R_ICMP_LIMITED;
	source = lb_error_source(data, data_end, walk);
	mtu = reason == -LB_R_MTU_EXCEEDED ? budget->mtu : 0;
	if (reason == -LB_R_NO_BACKEND)
		mtu = LB_NOBODY;
	if (lb_make_room(xdp, l3 + quote, is_v6 ? LB_ERROR_V6 : LB_ERROR_V4))
		return reason;
	data = (void *)(long)xdp->data;
	data_end = (void *)(long)xdp->data_end;
	if (!lb_write_error(data, data_end, l3, quote, is_v6, source, mtu))
		return reason;
	if (mtu == LB_NOBODY)
		return -LB_R_REJECTED;
	return mtu ? -LB_R_MTU_TOLD : -LB_R_TTL_TOLD;
}

/* Whether the sender of a packet is told what is wrong: too large for its way out, out of hops, or
 * of a service that rejects. */
LB_INLINE bool lb_is_told(const struct lb_ctx *ctx, int reason)
{
	if (reason == -LB_R_NO_BACKEND)
		return ctx->service && ctx->service->flags & LB_S_REJECT;
	return reason == -LB_R_MTU_EXCEEDED || reason == -LB_R_TTL_EXCEEDED;
}

LB_INLINE int lb_tell_sender(struct lb_ctx *ctx, int reason)
{
	if (!lb_is_told(ctx, reason))
		return reason;
	ctx->egress = ctx->xdp->ingress_ifindex;
	ctx->local = NULL; /* the frame moves: nothing of it may be read any more */
	return lb_make_error(ctx->xdp, reason);
}

LB_INLINE bool lb_echo_v4(void *l3, void *data_end)
{
	struct iphdr *ip = l3;
	struct lb_icmp *icmp = (void *)(ip + 1);
	const __be16 hops = *(__be16 *)&ip->ttl;
	union lb_addr addr;

	/* Options would have to be turned round, fragments answered together. */
	if ((void *)(icmp + 1) > data_end || *(__u8 *)ip != 0x45 ||
	    ip->frag_off & bpf_htons(LB_V4_FRAGMENT_OFFSET | LB_V4_MORE_FRAGMENTS) ||
	    icmp->type != LB_ICMP_ECHO || icmp->code || !lb_is_tellable_v4(ip) ||
	    bpf_ntohs(ip->tot_len) < sizeof(*ip) + sizeof(*icmp))
		return false;
	lb_addr_from_v4(&addr, ip->daddr);
	if (!lb_find_address(&addr))
		return false;
	ip->daddr = ip->saddr;
	ip->saddr = addr.words[3];
	ip->ttl = LB_ICMP_TTL;
	ip->check = lb_csum_update(ip->check, lb_csum_diff(hops, *(__be16 *)&ip->ttl));
	icmp->type = LB_ICMP_ECHO_REPLY;
	icmp->check = lb_csum_update(icmp->check, lb_csum_diff(bpf_htons(LB_ICMP_ECHO << 8), 0));
	return true;
}

LB_INLINE bool lb_echo_v6(void *l3, void *data_end)
{
	struct ipv6hdr *ip = l3;
	struct lb_icmp *icmp = (void *)(ip + 1);
	union lb_addr addr;

	if ((void *)(icmp + 1) > data_end || ip->nexthdr != IPPROTO_ICMPV6 ||
	    icmp->type != LB_ICMPV6_ECHO || icmp->code || !lb_is_tellable_v6(ip) ||
	    bpf_ntohs(ip->payload_len) < sizeof(*icmp))
		return false;
	lb_read_addr(&addr, &ip->daddr);
	if (!lb_find_address(&addr))
		return false;
	lb_read_addr((union lb_addr *)&ip->daddr, &ip->saddr);
	lb_read_addr((union lb_addr *)&ip->saddr, &addr);
	ip->hop_limit = LB_ICMP_TTL;
	icmp->type = LB_ICMPV6_ECHO_REPLY;
	icmp->check =
		lb_csum_update(icmp->check, lb_csum_diff(bpf_htons(LB_ICMPV6_ECHO << 8),
							 bpf_htons(LB_ICMPV6_ECHO_REPLY << 8)));
	return true;
}

/* 0: the frame was an echo request for a service's address and now is the reply. */
__noinline int lb_make_echo_reply(struct xdp_md *xdp)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	__u32 number = lb_port_number;
	const struct lb_port *port = bpf_map_lookup_elem(&lb_ports, &number);
	__u16 *eth = data;
	void *l3;

	if (walk < 0 || !port || port->flags & LB_P_NO_PING ||
	    data + sizeof(struct ethhdr) > data_end || lb_is_for_many(data))
		return -LB_R_OTHER_PROTOCOL;
	l3 = data + LB_WALK_L3(walk);
	if (LB_WALK_PROTO(walk) == IPPROTO_ICMP) {
		if (l3 + sizeof(struct iphdr) > data_end || !lb_echo_v4(l3, data_end))
			return -LB_R_OTHER_PROTOCOL;
	} else {
		if (l3 + sizeof(struct ipv6hdr) > data_end || !lb_echo_v6(l3, data_end))
			return -LB_R_OTHER_PROTOCOL;
	}
#pragma unroll
	for (int i = 0; i < 3; i++) {
		const __u16 mac = eth[i];

		eth[i] = eth[3 + i];
		eth[3 + i] = mac;
	}
	return 0;
}

#endif
