/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's side of ipip and gue: takes the outer headers off what comes from a configured
 * balancer, whatever the family of either packet, and leaves the inner packet to the stack. What is
 * refused is counted by name; what is no tunnel's, or not for this host, goes on untouched.
 */
#ifndef LB_AGENT_H
#define LB_AGENT_H

#include "finish.h"
#include "icmp_answer.h"
#include "nexthop.h"

#define LB_ECN_MASK 3
#define LB_ECN_ECT_1 1
#define LB_ECN_CE 3

/* What is inside of an outer packet, and where. */
struct lb_shell {
	__u32 l3; /* offsets of the outer packet and of the inner one */
	__u32 at;
	__u32 end; /* of the outer packet by its own word; what follows is the link's padding */
	__u8 ecn;  /* of the outer one */
	bool is_v6;
	bool is_v6_inside;
	union lb_addr src;
	union lb_addr dst;
};

/* The outer packet's addresses; -LB_R_FRAGMENT: the stack puts the pieces together. */
LB_INLINE int lb_read_shell(const void *ip, const void *data_end, struct lb_shell *shell)
{
	const struct iphdr *v4 = ip;
	const struct ipv6hdr *v6 = ip;

	if ((void *)(v4 + 1) > data_end)
		return -LB_R_MALFORMED;
	shell->is_v6 = (*(const __u8 *)ip & 0xf0) == 0x60;
	if (!shell->is_v6) {
		if (v4->frag_off & bpf_htons(LB_V4_MORE_FRAGMENTS))
			return -LB_R_FRAGMENT;
		lb_addr_from_v4(&shell->src, v4->saddr);
		lb_addr_from_v4(&shell->dst, v4->daddr);
		shell->ecn = v4->tos & LB_ECN_MASK;
		shell->end = shell->l3 + bpf_ntohs(v4->tot_len);
		return 0;
	}
	if ((void *)(v6 + 1) > data_end)
		return -LB_R_MALFORMED;
	/* A chain may hold a fragment header. */
	if (v6->nexthdr != IPPROTO_IPIP && v6->nexthdr != IPPROTO_IPV6 &&
	    v6->nexthdr != IPPROTO_UDP)
		return -LB_R_OTHER_PROTOCOL;
	lb_read_addr(&shell->src, &v6->saddr);
	lb_read_addr(&shell->dst, &v6->daddr);
	shell->ecn = bpf_ntohl(*(const __be32 *)ip) >> 20 & LB_ECN_MASK;
	shell->end = shell->l3 + sizeof(*v6) + bpf_ntohs(v6->payload_len);
	return 0;
}

/*
 * Behind a UDP header: the inner protocol, and how many bytes go before it; 0 for what nobody
 * agreed on. Of GUE (draft-ietf-intarea-gue) variant 1 is the packet itself, told by its version;
 * variant 0 has four bytes, of which version, control bit, options' length and flags must be 0.
 */
LB_INLINE __u8 lb_read_gue(const void *gue, const void *data_end, __u32 *bytes)
{
	const __u8 *head = gue;

	if (gue + 4 > data_end)
		return 0;
	if (head[0] >> 4 == 4)
		return IPPROTO_IPIP;
	if (head[0] >> 4 == 6)
		return IPPROTO_IPV6;
	*bytes += 4;
	return head[0] || head[2] || head[3] ? 0 : head[1];
}

/* Whether the outer packet is for this host; asked as often as next hops are. */
LB_INLINE bool lb_is_own(struct xdp_md *xdp, const union lb_addr *addr)
{
	__u32 index = (__u32)lb_hash_mix(addr->quads[0] ^ addr->quads[1]) % LB_ROUTES;
	struct lb_route *route = bpf_map_lookup_elem(&lb_routes, &index);
	const __u32 now = (__u32)bpf_jiffies64();
	int answer;

	if (!route)
		return false;
	if (route->hop.ifindex == LB_HOP_OWN && now - route->hop.checked < lb_hz &&
	    lb_addr_is_equal(&route->addr, addr))
		return true;
	route->addr = *addr;
	route->hop.ifindex = 0;
	answer = lb_hop_ask(xdp, &route->hop, NULL, &route->addr, now);
	/* Where nothing is forwarded, nothing that comes is for others. */
	if (answer != -LB_R_HOST_REPLY && answer != -LB_R_FORWARDING_OFF)
		return false;
	route->hop.checked = now;
	route->hop.ifindex = LB_HOP_OWN;
	return true;
}

/* What the inner packet's ECN becomes (RFC 6040, 4.2), or -1 for a drop. */
LB_INLINE int lb_ecn_inside(__u8 outer, __u8 inner)
{
	if (outer == LB_ECN_CE)
		return inner ? LB_ECN_CE : -1;
	return outer == LB_ECN_ECT_1 && inner && inner != LB_ECN_CE ? LB_ECN_ECT_1 : inner;
}

/* How much of the frame, of so many bytes, is the inner packet's; 0 if it begins behind its end. */
LB_INLINE __u32 lb_room_inside(const struct lb_shell *shell, __u32 length)
{
	const __u32 end = shell->end < length ? shell->end : length;

	return end > shell->at ? end - shell->at : 0;
}

/* The inner packet must be whole, and its ECN takes on what the way has seen. */
LB_INLINE int lb_check_inner(void *ip, const void *data_end, const struct lb_shell *shell,
			     __u32 room)
{
	struct iphdr *v4 = ip;
	struct ipv6hdr *v6 = ip;
	__be16 *word = ip;
	__be16 before;
	int ecn;

	if ((void *)(v4 + 1) > data_end)
		return -LB_R_TUNNEL_INNER;
	before = word[0];
	if (shell->is_v6_inside) {
		if ((void *)(v6 + 1) > data_end || v6->version != 6 ||
		    sizeof(*v6) + bpf_ntohs(v6->payload_len) > room)
			return -LB_R_TUNNEL_INNER;
		ecn = lb_ecn_inside(shell->ecn, bpf_ntohs(before) >> 4 & LB_ECN_MASK);
		if (ecn < 0)
			return -LB_R_TUNNEL_ECN;
		word[0] = (before & bpf_htons(~(LB_ECN_MASK << 4))) | bpf_htons(ecn << 4);
		return 0;
	}
	if (v4->version != 4 || v4->ihl < 5 || bpf_ntohs(v4->tot_len) > room ||
	    bpf_ntohs(v4->tot_len) < v4->ihl * 4)
		return -LB_R_TUNNEL_INNER;
	ecn = lb_ecn_inside(shell->ecn, v4->tos & LB_ECN_MASK);
	if (ecn < 0)
		return -LB_R_TUNNEL_ECN;
	v4->tos = (v4->tos & ~LB_ECN_MASK) | ecn;
	if (word[0] != before)
		v4->check = lb_csum_update(v4->check, lb_csum_diff(before, word[0]));
	return 0;
}

/* Takes off what is between the link header and the inner packet. */
LB_INLINE int lb_drop_shell(struct xdp_md *xdp, void *data, void *data_end,
			    const struct lb_shell *shell)
{
	const __u32 type_at = (shell->l3 - 2) & 0x1e;
	__u32 link[5], *words = data;

	if (data + LB_LINK_MAX > data_end)
		return -LB_R_TUNNEL_INNER;
#pragma unroll
	for (int i = 0; i < 5; i++)
		link[i] = words[i];
	if (bpf_xdp_adjust_head(xdp, (int)(shell->at - shell->l3)))
		return -LB_R_NO_HEADROOM;
	words = (void *)(long)xdp->data;
	data_end = (void *)(long)xdp->data_end;
	if ((void *)words + LB_LINK_MAX > data_end || (void *)words + type_at + 2 > data_end)
		return -LB_R_INTERNAL;
#pragma unroll
	for (int i = 0; i < 5; i++) {
		if (4 * (i + 1) <= (int)type_at)
			words[i] = link[i];
	}
	*(__be16 *)((void *)words + type_at) =
		shell->is_v6_inside ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return -LB_R_UNWRAPPED;
}

LB_INLINE int lb_unwrap(struct xdp_md *xdp)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const __u32 length = (__u32)bpf_xdp_get_buff_len(xdp);
	struct lb_from key = { .length = 128 };
	struct lb_shell shell = {};
	struct udphdr *udp;
	__u32 datagram = 0;
	__u8 proto;
	int err;

	if (walk < 0)
		return walk;
	proto = LB_WALK_PROTO(walk);
	shell.l3 = LB_WALK_L3(walk);
	shell.at = LB_WALK_L4(walk);
	if (proto == IPPROTO_UDP) {
		udp = data + shell.at;
		if ((void *)(udp + 1) > data_end || udp->dest != bpf_htons(LB_GUE_PORT))
			return -LB_R_NOT_OURS;
		datagram = bpf_ntohs(udp->len);
	} else if (proto != IPPROTO_IPIP && proto != IPPROTO_IPV6) {
		return -LB_R_NOT_OURS;
	}
	err = lb_read_shell(data + shell.l3, data_end, &shell);
	if (err)
		return err;
	if (!lb_is_own(xdp, &shell.dst))
		return -LB_R_NOT_OURS;
	__builtin_memcpy(key.addr, &shell.src, sizeof(key.addr));
	if (!bpf_map_lookup_elem(&lb_from, &key))
		return -LB_R_TUNNEL_SOURCE;
	if (proto == IPPROTO_UDP) {
		if (shell.at + datagram < shell.end)
			shell.end = shell.at + datagram;
		shell.at += sizeof(*udp);
		proto = lb_read_gue(data + shell.at, data_end, &shell.at);
		if (proto != IPPROTO_IPIP && proto != IPPROTO_IPV6)
			return -LB_R_TUNNEL_INNER;
	}
	shell.is_v6_inside = proto == IPPROTO_IPV6;
	err = lb_check_inner(data + shell.at, data_end, &shell, lb_room_inside(&shell, length));
	return err ?: lb_drop_shell(xdp, data, data_end, &shell);
}

LB_INLINE int lb_agent_finish(int stopped)
{
	const __u32 reason = -stopped & (LB_R_SLOTS - 1);
	const bool is_passed = lb_verdict_of(reason) == LB_PASSED;
	__u32 zero = 0;
	struct lb_counters *counters = bpf_map_lookup_elem(&lb_counters, &zero);

	if (counters) {
		counters->received++;
		counters->reason[reason]++;
		if (!is_passed)
			counters->dropped_at[reason] = bpf_jiffies64() | 1;
	}
	return is_passed ? XDP_PASS : XDP_DROP;
}

#endif
