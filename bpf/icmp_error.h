/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about balanced flows: from the clients' side to the backend whose packet they quote,
 * and from the backends' side to the client. Rewritten like a packet of the flow, and the packet
 * within them against the flow's direction, with the checksums of both (RFC 5508, 4.2).
 */
#ifndef LB_ICMP_ERROR_H
#define LB_ICMP_ERROR_H

#include "follow_wrap.h"
#include "icmp_answer.h"

#define LB_TCP_CHECK_END offsetof(struct tcphdr, urg_ptr)

/* 0: the frame is an error, and lb_trace the packet of the flow that it stands for. */
__noinline int lb_read_error(struct xdp_md *xdp)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	struct lb_trace *trace = lb_trace_here();

	if (walk < 0 || !trace)
		return -LB_R_OTHER_PROTOCOL;
	return lb_parse_error(data, data_end, walk, trace);
}

/* Each answers what the change adds to a sum over what was changed. */
LB_INLINE __u64 lb_set_word(__be32 *at, __be32 to)
{
	const __be32 from = *at;

	*at = to;
	return lb_csum_diff(from, to);
}

LB_INLINE __u64 lb_set_half(__be16 *at, __be16 to)
{
	const __be16 from = *at;

	*at = to;
	return lb_csum_diff(from, to);
}

/* The transport header within: ports, and its checksum as far as it is quoted. */
LB_INLINE __u64 lb_turn_transport(const struct lb_trace *trace, void *l4, void *data_end,
				  __u32 quoted, __u64 addrs)
{
	const __be32 ports =
		lb_join_ports(lb_dst_port(trace->new_ports), lb_src_port(trace->new_ports));
	struct udphdr *udp = l4;
	struct tcphdr *tcp = l4;
	__u64 diff;

	if ((void *)(udp + 1) > data_end)
		return 0;
	diff = lb_set_word((__be32 *)udp, ports);
	addrs += diff;
	if (trace->proto == IPPROTO_UDP) {
		if (udp->check)
			diff += lb_set_half(&udp->check,
					    lb_csum_update(udp->check, addrs) ?: 0xffff);
	} else if (quoted >= LB_TCP_CHECK_END && l4 + LB_TCP_CHECK_END <= data_end) {
		diff += lb_set_half(&tcp->check, lb_csum_update(tcp->check, addrs));
	}
	return diff;
}

LB_INLINE __u64 lb_set_v6(struct in6_addr *at, const union lb_addr *to)
{
	union lb_addr from;

	lb_read_addr(&from, at);
	lb_read_addr((union lb_addr *)at, to);
	return lb_csum_diff_addr(&from, to);
}

LB_INLINE int lb_turn_v4(const struct lb_trace *trace, void *data, void *data_end)
{
	struct iphdr *ip = data + (trace->l3 & 0xff);
	struct lb_icmp *icmp = data + (trace->l4 & 0x7ff);
	struct iphdr *inner = (void *)(icmp + 1);
	const __u32 quoted = trace->l3 - trace->inner; /* less than 0 by that */
	__be16 *hops = (__be16 *)&ip->ttl;
	__u64 addrs = 0, diff = 0, outer;

	if ((void *)(ip + 1) > data_end || (void *)(inner + 1) > data_end)
		return -LB_R_INTERNAL;
	outer = lb_set_half(hops, *hops - bpf_htons(0x0100));
	if (trace->has_new_src) {
		outer += lb_set_word(&ip->saddr, trace->new_src.words[3]);
		addrs += lb_set_word(&inner->daddr, trace->new_src.words[3]);
	}
	if (trace->has_new_dst) {
		outer += lb_set_word(&ip->daddr, trace->new_dst.words[3]);
		addrs += lb_set_word(&inner->saddr, trace->new_dst.words[3]);
	}
	ip->check = lb_csum_update(ip->check, outer);
	diff = addrs + lb_set_half(&inner->check, lb_csum_update(inner->check, addrs));
	diff += lb_turn_transport(trace, data + (trace->inner & 0x7ff), data_end,
				  bpf_ntohs(ip->tot_len) + quoted, addrs);
	icmp->check = lb_csum_update(icmp->check, diff);
	return 0;
}

LB_INLINE int lb_turn_v6(const struct lb_trace *trace, void *data, void *data_end)
{
	struct ipv6hdr *ip = data + (trace->l3 & 0xff);
	struct lb_icmp *icmp = data + (trace->l4 & 0x7ff);
	struct ipv6hdr *inner = (void *)(icmp + 1);
	const __u32 quoted = trace->l3 - trace->inner;
	__u64 addrs = 0, outer = 0;

	if ((void *)(ip + 1) > data_end || (void *)(inner + 1) > data_end)
		return -LB_R_INTERNAL;
	if (trace->has_new_src) {
		outer += lb_set_v6(&ip->saddr, &trace->new_src);
		addrs += lb_set_v6(&inner->daddr, &trace->new_src);
	}
	if (trace->has_new_dst) {
		outer += lb_set_v6(&ip->daddr, &trace->new_dst);
		addrs += lb_set_v6(&inner->saddr, &trace->new_dst);
	}
	ip->hop_limit--;
	addrs += lb_turn_transport(trace, data + (trace->inner & 0x7ff), data_end,
				   sizeof(*ip) + bpf_ntohs(ip->payload_len) + quoted, addrs);
	icmp->check = lb_csum_update(icmp->check, outer + addrs);
	return 0;
}

LB_INLINE void lb_set_macs(const struct lb_trace *trace, __u8 *eth)
{
	__builtin_memcpy(eth, trace->dst_mac, ETH_ALEN);
	__builtin_memcpy(eth + ETH_ALEN, trace->src_mac, ETH_ALEN);
}

/* Writes what lb_follow() has found. */
__noinline int lb_turn_error(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const struct lb_trace *trace = lb_trace_here();

	if (!trace || data + sizeof(struct ethhdr) > data_end)
		return -LB_R_INTERNAL;
	if (!trace->is_left)
		lb_set_macs(trace, data);
	return trace->is_v6 ? lb_turn_v6(trace, data, data_end) : lb_turn_v4(trace, data, data_end);
}

/* -LB_R_OTHER_PROTOCOL if it is no error, or one that concerns nobody here. */
LB_INLINE int lb_forward_error(struct lb_ctx *ctx)
{
	const struct lb_trace *trace = lb_trace_here();
	int err = lb_read_error(ctx->xdp), way;

	if (err || !trace)
		return -LB_R_OTHER_PROTOCOL;
	lb_trace_wide();
	way = lb_follow(ctx->xdp);
	lb_name_service(ctx, trace);
	if (lb_is_trace_for_cache(ctx, trace))
		return -LB_R_OTHER_PROTOCOL;
	if (way == -LB_R_NOT_OURS)
		return -LB_R_OTHER_PROTOCOL;
	if (way != -LB_R_FORWARDED && way != -LB_R_REPLIED && way != -LB_R_LEFT_TO_KERNEL)
		return way;
	err = lb_turn_error(ctx->xdp) ?: lb_wrap_followed(ctx->xdp, trace, way);
	if (err)
		return err;
	ctx->egress = trace->egress;
	if (way == -LB_R_LEFT_TO_KERNEL)
		return way;
	return way == -LB_R_FORWARDED ? -LB_R_ICMP_FORWARDED : -LB_R_ICMP_REPLIED;
}

#endif
