/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs ask of this host's own sockets. */
#ifndef LB_SOCK_H
#define LB_SOCK_H

#include "ctx.h"

#define LB_NETNS_OWN (-1)
#define LB_LOOPBACK_V4 0x7f000001u

/* src NULL: any. Answers the size that the family's half has. */
LB_INLINE __u32 lb_sock_tuple(struct bpf_sock_tuple *tuple, const union lb_addr *src,
			      const union lb_addr *dst, __be32 ports)
{
	if (lb_addr_is_v4(dst)) {
		tuple->ipv4.saddr = src ? src->words[3] : 0;
		tuple->ipv4.daddr = dst->words[3];
		tuple->ipv4.sport = lb_src_port(ports);
		tuple->ipv4.dport = lb_dst_port(ports);
		return sizeof(tuple->ipv4);
	}
	for (int i = 0; i < 4; i++) {
		tuple->ipv6.saddr[i] = src ? src->words[i] : 0;
		tuple->ipv6.daddr[i] = dst->words[i];
	}
	tuple->ipv6.sport = lb_src_port(ports);
	tuple->ipv6.dport = lb_dst_port(ports);
	return sizeof(tuple->ipv6);
}

/*
 * Of a listener that a look-up for a service's address found: one on the loopback address is
 * lbcache's, by cache.bpf.c; any other is of a process that listens at all addresses.
 */
LB_INLINE bool lb_is_on_loopback(const struct bpf_sock *socket, bool is_v6)
{
	/* All are read before one is chosen: clang 14 would choose the address, and no verifier
	 * takes a computed one. */
	const volatile struct bpf_sock *sk = socket;
	const __u32 v4 = sk->src_ip4, head = sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2],
		    tail = sk->src_ip6[3];

	return is_v6 ? !head && tail == bpf_htonl(1) : v4 == bpf_htonl(LB_LOOPBACK_V4);
}

#endif
