// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steers new connections of cached services to lbcache's sockets, whatever address those are bound
 * to: the connection's own address is the service's. lb_xdp asks through the same program, so that
 * both agree; clients on this host, which no XDP program sees, get here too.
 */
#include "cache_thread.h"
#include "maps.h"
#include "service.h"

#define LB_FAMILY_V4 2 /* AF_INET */

SEC("sk_lookup")
int lb_cache_steer(struct bpf_sk_lookup *lookup)
{
	struct lb_packet pkt = { .proto = IPPROTO_TCP };
	const struct lb_control *control;
	const struct lb_service *service;
	const struct lb_cache *cache;
	__u32 zero = 0, key = 0;
	struct bpf_sock *sk;
	int thread;

	if (lookup->protocol != IPPROTO_TCP)
		return SK_PASS;
	pkt.is_v6 = lookup->family != LB_FAMILY_V4;
	if (pkt.is_v6) {
		for (int i = 0; i < 4; i++) {
			pkt.src.words[i] = lookup->remote_ip6[i];
			pkt.dst.words[i] = lookup->local_ip6[i];
		}
	} else {
		lb_addr_from_v4(&pkt.src, lookup->remote_ip4);
		lb_addr_from_v4(&pkt.dst, lookup->local_ip4);
	}
	pkt.ports = lb_join_ports(lookup->remote_port, bpf_htons(lookup->local_port));
	control = bpf_map_lookup_elem(&lb_control, &zero);
	cache = bpf_map_lookup_elem(&lb_cache, &zero);
	service = control ? lb_find_service(control, &pkt, &key) : NULL;
	if (!service || !cache || !(service->flags & LB_S_CACHED) ||
	    service->flags & LB_S_CACHE_OFF)
		return SK_PASS;
	thread = lb_cache_thread(cache, &pkt.src, &pkt.dst, pkt.ports);
	if (thread == LB_CACHE_NOBODY)
		return SK_PASS;
	key = LB_CACHE_SOCK(thread, pkt.is_v6);
	sk = bpf_map_lookup_elem(&lb_cache_socks, &key);
	if (!sk)
		return SK_PASS;
	bpf_sk_assign(lookup, sk, BPF_SK_LOOKUP_F_NO_REUSEPORT);
	bpf_sk_release(sk);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
