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

/* seed: the packet's flow. Off the way of all other services, and out of their stack. */
static __noinline bool lb_ask_cache(struct xdp_md *xdp, const struct lb_flow *seed, bool is_opening)
{
	const __u32 now = seed->seen;
	const struct lb_service *service;
	struct bpf_sock_tuple tuple = {};
	bool is_wanted = false, is_taken;
	struct lb_cache *cache;
	__u32 zero = 0, number = seed->service;
	struct bpf_sock *sk;
	__be32 ports;

	cache = bpf_map_lookup_elem(&lb_cache, &zero);
	service = bpf_map_lookup_elem(&lb_services, &number);
	if (!cache || !service)
		return false;
	ports = lb_join_ports(seed->client_port, service->port);
	if (is_opening && !(service->flags & LB_S_CACHE_OFF))
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
	is_taken = sk->state != BPF_TCP_LISTEN ||
		   (is_wanted && lb_is_on_loopback(sk, !lb_addr_is_v4(&service->vip)));
	bpf_sk_release(sk);
	if (is_taken && now - cache->used > lb_hz)
		cache->used = now;
	return is_taken;
}

LB_INLINE bool lb_is_for_cache(const struct lb_ctx *ctx)
{
	const struct lb_flow *seed = lb_flow_seed(ctx);

	return seed && lb_ask_cache(ctx->xdp, seed, lb_is_opening(&ctx->pkt));
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
	return lb_ask_cache(ctx->xdp, seed, false);
}

#endif
