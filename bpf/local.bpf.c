// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mode local, behind lb_xdp: a packet that it passed up for a process of this host gets the socket
 * that listens at the backend's address, unless it has one of its own already. On lo, where no XDP
 * program is, the choice is made here, for clients on the host itself. The packet is not rewritten.
 */
#include "fwd_local.h"
#include "service.h"
#include "sock.h"

#include <linux/pkt_cls.h>

#define LB_LOOPBACK_IFINDEX 1 /* in every network namespace */
#define LB_HEADERS_MAX 256    /* pulled in front of what may lie in fragments */
#define LB_HOST_PROBES 64

/*
 * A connection's, or one for a SYN that was seen: the kernel finds it by itself. So it does the
 * TIME_WAIT of an earlier connection; a SYN that meets it is answered with an ACK, which the client
 * resets, and comes again (given the listener here, Linux 6.18 would drop it). TCP and UDP read
 * different fields in lines of their own, since the verifier refuses one load for both kinds of
 * socket. A listener that lbcache has is found likewise, by cache.bpf.c.
 */
LB_INLINE bool lb_has_socket(struct __sk_buff *skb, const struct lb_packet *pkt)
{
	struct bpf_sock_tuple tuple = {};
	const __u32 size = lb_sock_tuple(&tuple, &pkt->src, &pkt->dst, pkt->ports);
	struct bpf_sock *sk;
	bool is_known;
	__be16 peer;

	if (pkt->proto == IPPROTO_UDP) {
		sk = bpf_sk_lookup_udp(skb, &tuple, size, LB_NETNS_OWN, 0);
		if (!sk)
			return false;
		peer = sk->dst_port;
		bpf_sk_release(sk);
		return peer;
	}
	sk = bpf_skc_lookup_tcp(skb, &tuple, size, LB_NETNS_OWN, 0);
	if (!sk)
		return false;
	is_known = sk->state != BPF_TCP_LISTEN || lb_is_on_loopback(sk, pkt->is_v6);
	bpf_sk_release(sk);
	return is_known;
}

/* Gives the packet the backend's socket. */
LB_INLINE int lb_assign(struct __sk_buff *skb, const struct lb_ctx *ctx)
{
	const struct lb_backend *backend = ctx->backend;
	struct bpf_sock_tuple tuple = {};
	const __be16 port = backend->port ?: lb_dst_port(ctx->pkt.ports);
	const __u32 size = lb_sock_tuple(&tuple, NULL, &backend->addr, lb_join_ports(0, port));
	struct bpf_sock *sk;
	long err = -1;

	if (ctx->pkt.proto == IPPROTO_UDP) {
		sk = bpf_sk_lookup_udp(skb, &tuple, size, LB_NETNS_OWN, 0);
		if (!sk)
			return -LB_R_NO_LISTENER;
		err = bpf_sk_assign(skb, sk, 0);
	} else {
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, LB_NETNS_OWN, 0);
		if (!sk)
			return -LB_R_NO_LISTENER;
		if (sk->state == BPF_TCP_LISTEN)
			err = bpf_sk_assign(skb, sk, 0);
	}
	bpf_sk_release(sk);
	return err ? -LB_R_NO_LISTENER : -LB_R_LOCAL;
}

/*
 * The host's own clients of a service that has other backends too: nothing but local ones can be
 * reached from here, so the hash goes on until it meets one. Answers its number in the service.
 * Global, or the verifier would walk each round for each way that leads here.
 */
__noinline int lb_owner_on_host(__u32 service_number, __u64 hash)
{
	const struct lb_service *service = bpf_map_lookup_elem(&lb_services, &service_number);

	if (!service)
		return -LB_R_INTERNAL;
	for (int i = 0; i < LB_HOST_PROBES; i++) {
		const int owner = lb_slot_owner(service, lb_hash_slot(hash, service->slots));
		__u32 number = service->backend_base + (owner & LB_OWNER_MASK);
		const struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &number);

		if (owner >= 0 && (owner & LB_OWNER_MASK) != LB_OWNER_NONE && backend &&
		    backend->flags & LB_B_IN_USE && backend->mode == LB_MODE_LOCAL)
			return owner & LB_OWNER_MASK;
		hash = lb_hash_mix(hash + i + 1);
	}
	return -LB_R_NO_BACKEND;
}

LB_INLINE int lb_pick_on_host(struct lb_ctx *ctx)
{
	const int owner = lb_owner_on_host(ctx->service_number, lb_packet_hash(&ctx->pkt));

	ctx->flow = NULL;
	if (owner < 0)
		return owner;
	ctx->owner = owner;
	return lb_find_backend(ctx);
}

/* As lb_xdp chose: a TCP packet without a socket goes by its slot, UDP by its record. */
LB_INLINE int lb_pick_local(struct lb_ctx *ctx)
{
	int owner;

	if (ctx->pkt.proto == IPPROTO_UDP)
		return lb_pick_backend(ctx, false);
	owner = lb_slot_owner(ctx->service,
			      lb_hash_slot(lb_packet_hash(&ctx->pkt), ctx->service->slots));
	if (owner < 0)
		return owner;
	ctx->owner = owner & LB_OWNER_MASK;
	return ctx->owner == LB_OWNER_NONE ? -LB_R_NO_BACKEND : lb_find_backend(ctx);
}

LB_INLINE int lb_steer(struct __sk_buff *skb, struct lb_ctx *ctx, bool is_host)
{
	int err = lb_pick_local(ctx);

	if (is_host && (err || ctx->backend->mode != LB_MODE_LOCAL))
		err = lb_pick_on_host(ctx);
	if (err)
		return err;
	/* The table was changed between there and here; the client tries again. */
	if (ctx->backend->mode != LB_MODE_LOCAL)
		return -LB_R_BACKEND_GONE;
	if (is_host) {
		err = lb_forward_local(ctx);
		if (err != -LB_R_LOCAL)
			return err;
	}
	return lb_assign(skb, ctx);
}

/* A TCP packet of no connection is the kernel's to reset; what would open one is not. */
LB_INLINE bool lb_is_stray(const struct lb_packet *pkt)
{
	return pkt->proto == IPPROTO_TCP && !lb_is_opening(pkt);
}

/*
 * Whether the data begins with the link header, as it should: behind generic XDP, Linux 6.18 has
 * forgotten its length and begins with the network header. No unicast link address begins as IPv4
 * does, and of IPv6 eight bytes would have to agree.
 */
LB_INLINE bool lb_has_link_header(struct __sk_buff *skb, void *data, void *data_end)
{
	__u64 link;

	return data + sizeof(link) <= data_end &&
	       !bpf_skb_load_bytes_relative(skb, 0, &link, sizeof(link), BPF_HDR_START_MAC) &&
	       link == *(__u64 *)data;
}

/* As lb_walk(). Global, so that the verifier forgets by which way the offsets were found. */
__noinline long lb_walk_skb(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;

	if (lb_has_link_header(skb, data, data_end))
		return lb_walk(data, data_end);
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return lb_walk_v4(data, data_end, 0);
	return skb->protocol == bpf_htons(ETH_P_IPV6) ? lb_walk_v6(data, data_end, 0)
						      : -LB_R_NOT_IP;
}

/* Whether the packet is one of a service's; lays it out in ctx. */
LB_INLINE bool lb_is_service_packet(struct __sk_buff *skb, struct lb_ctx *ctx)
{
	const __u32 pull = skb->len < LB_HEADERS_MAX ? skb->len : LB_HEADERS_MAX;
	__u32 zero = 0, number = 0;
	const struct lb_control *control;
	void *data, *data_end;
	long walk;

	if (skb->data_end - skb->data < pull && bpf_skb_pull_data(skb, pull))
		return false;
	walk = lb_walk_skb(skb);
	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	control = bpf_map_lookup_elem(&lb_control, &zero);
	if (walk < 0 || lb_place(&ctx->pkt, data, data_end, walk) || !control ||
	    lb_parse(&ctx->pkt))
		return false;
	ctx->service = lb_find_service(control, &ctx->pkt, &number)
			       ?: lb_find_wide(control, &ctx->pkt, &number);
	ctx->service_number = number;
	return ctx->service;
}

/* lb_xdp has counted the packet as one for a process; what became of it instead takes its place. */
LB_INLINE void lb_recount(const struct lb_ctx *ctx, __u32 reason, bool is_host)
{
	__u32 zero = 0, number = ctx->service_number;
	struct lb_counters *counters = bpf_map_lookup_elem(&lb_counters, &zero);
	struct lb_service_cpu *service = bpf_map_lookup_elem(&lb_service_cpu, &number);
	__u64 at = reason;

	if (!counters || !service || (!is_host && reason == LB_R_LOCAL))
		return;
	if (is_host) {
		counters->received++;
	} else {
		counters->reason[LB_R_LOCAL]--;
		service->reason[LB_R_LOCAL]--;
	}
	/* 6.1 forgets the bounds of what clang puts on the stack, so they are told last. */
	asm volatile("%0 &= %1" : "+r"(at) : "i"(LB_R_SLOTS - 1));
	counters->reason[at]++;
	service->reason[at]++;
	if (reason != LB_R_LOCAL)
		counters->dropped_at[at] = bpf_jiffies64() | 1;
}

SEC("tc")
int lb_local(struct __sk_buff *skb)
{
	const bool is_host = skb->ifindex == LB_LOOPBACK_IFINDEX;
	struct lb_ctx ctx = {};
	int reason;

	if (!lb_is_service_packet(skb, &ctx))
		return TC_ACT_UNSPEC;
	ctx.now = (__u32)bpf_jiffies64();
	if (lb_has_socket(skb, &ctx.pkt)) {
		if (is_host)
			lb_recount(&ctx, LB_R_LOCAL, true);
		return TC_ACT_UNSPEC;
	}
	reason = -lb_steer(skb, &ctx, is_host);
	if (reason != LB_R_LOCAL && lb_is_stray(&ctx.pkt))
		reason = LB_R_LOCAL;
	lb_recount(&ctx, reason, is_host);
	return reason == LB_R_LOCAL ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
