/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache beside the datapath: whether a packet of a cached service goes up to lbcache, whose
 * socket cache.bpf.c gives it. Connections that are there stay; a new one that nobody there takes
 * is balanced as if there were no cache.
 */
#ifndef LB_CACHE_H
#define LB_CACHE_H

#include "cache_thread.h"
#include "flow_open.h"
#include "sock.h"

/*
 * What of a TCP packet says whether it opens a connection or brings a cookie back. It lies in the
 * seed, where a source will be if a backend takes the packet: lb_xdp has no more room for it.
 */
struct lb_cache_segment {
	__be32 seq, ack_seq;
	bool is_opening, has_ack; /* has_ack: and neither SYN nor RST */
};

LB_INLINE struct lb_cache_segment *lb_cache_segment(const struct lb_flow *seed)
{
	return (void *)&seed->source;
}

/*
 * Whether the packet ends a handshake that the kernel remembers nothing of: under a flood of SYNs
 * its listener sends cookies (RFC 4987 3.6). The headers have what the kernel's check reads.
 */
LB_INLINE bool lb_brings_cookie(struct bpf_sock *listener, const struct lb_flow *seed,
				const struct lb_service *service,
				const struct lb_cache_segment *segment)
{
	struct tcphdr tcp = {
		.source = seed->client_port,
		.dest = service->port,
		.seq = segment->seq,
		.ack_seq = segment->ack_seq,
		.doff = sizeof(tcp) / 4,
		.ack = 1,
	};
	struct ipv6hdr v6 = { .version = 6 };
	struct iphdr *v4 = (void *)&v6;

	if (!lb_addr_is_v4(&service->vip)) {
		__builtin_memcpy(&v6.saddr, &seed->client, sizeof(v6.saddr));
		__builtin_memcpy(&v6.daddr, &service->vip, sizeof(v6.daddr));
		return !bpf_tcp_check_syncookie(listener, &v6, sizeof(v6), &tcp, sizeof(tcp));
	}
	v4->version = 4;
	v4->ihl = sizeof(*v4) / 4;
	v4->saddr = seed->client.words[3];
	v4->daddr = service->vip.words[3];
	return !bpf_tcp_check_syncookie(listener, v4, sizeof(*v4), &tcp, sizeof(tcp));
}

/*
 * seed: the packet's flow. Off the way of all other services, out of their stack, and global, so
 * that the verifier walks it once.
 */
__noinline int lb_ask_cache(struct xdp_md *xdp, const struct lb_flow *seed)
{
	const struct lb_cache_segment *segment;
	const struct lb_service *service;
	struct bpf_sock_tuple tuple = {};
	bool is_wanted = false, is_taken;
	struct lb_cache *cache;
	__u32 zero = 0, number, now;
	struct bpf_sock *sk;
	__be32 ports;

	if (!seed)
		return false;
	segment = lb_cache_segment(seed);
	now = seed->seen;
	number = seed->service;
	cache = bpf_map_lookup_elem(&lb_cache, &zero);
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!cache || !service)
		return false;
	ports = lb_join_ports(seed->client_port, service->port);
	if (segment->is_opening && !(service->flags & LB_S_CACHE_OFF))
		is_wanted = lb_cache_thread(cache, &seed->client, &service->vip, ports) !=
			    LB_CACHE_NOBODY;
	/* Nobody has a connection there any more. */
	if (!is_wanted && now - cache->used > LB_CACHE_LINGER_S * lb_hz)
		return false;
	sk = bpf_skc_lookup_tcp(xdp, &tuple,
				lb_sock_tuple(&tuple, &seed->client, &service->vip, ports),
				LB_NETNS_OWN, 0);
	if (!sk)
		return false;
	/* Mid-stream a listener is no answer: it would reset the flow of a backend. */
	is_taken = sk->state != BPF_TCP_LISTEN;
	if (!is_taken && (is_wanted || segment->has_ack) &&
	    lb_is_on_loopback(sk, !lb_addr_is_v4(&service->vip)))
		is_taken = is_wanted || lb_brings_cookie(sk, seed, service, segment);
	bpf_sk_release(sk);
	if (is_taken && now - cache->used > lb_hz)
		cache->used = now;
	return is_taken;
}

LB_INLINE bool lb_is_for_cache(const struct lb_ctx *ctx)
{
	const struct lb_flow *seed = lb_flow_seed(ctx);
	const struct tcphdr *tcp = ctx->pkt.l4;
	const __u8 flags = ctx->pkt.tcp_flags & (LB_TCP_ACK | LB_TCP_SYN | LB_TCP_RST);

	if (!seed || (void *)(tcp + 1) > ctx->pkt.end)
		return false;
	*lb_cache_segment(seed) = (struct lb_cache_segment){
		.seq = tcp->seq,
		.ack_seq = tcp->ack_seq,
		.is_opening = lb_is_opening(&ctx->pkt),
		.has_ack = flags == LB_TCP_ACK,
	};
	return lb_ask_cache(ctx->xdp, seed);
}

/* The same of what an ICMP error or a later fragment stands for. */
LB_INLINE bool lb_is_trace_for_cache(const struct lb_ctx *ctx, const struct lb_trace *trace)
{
	struct lb_flow *seed = lb_flow_scratch();

	if (!seed || !ctx->service || trace->is_reply || trace->proto != IPPROTO_TCP ||
	    !(ctx->service->flags & LB_S_CACHED))
		return false;
	seed->seen = (__u32)bpf_jiffies64();
	seed->client = trace->src;
	seed->client_port = lb_src_port(trace->ports);
	seed->service = trace->service;
	*lb_cache_segment(seed) = (struct lb_cache_segment){ .is_opening = false };
	return lb_ask_cache(ctx->xdp, seed);
}

#endif
