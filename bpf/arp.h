/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers ARP (RFC 826) and neighbour solicitation (RFC 4861, 7.2) for services' addresses, for
 * one-armed set-ups in which the addresses are on-link. Only where 'attach IF arp on' asked for it;
 * elsewhere the kernel is kept from answering for what lbctl made an address of this host.
 */
#ifndef LB_ARP_H
#define LB_ARP_H

#include "lb_csum.h"
#include "service.h"

#define LB_ARP_REQUEST 1
#define LB_ARP_ANSWER 2
#define LB_ND_SOLICIT 135
#define LB_ND_ADVERTISE 136
#define LB_ND_OPTION_SOURCE 1
#define LB_ND_OPTION_TARGET 2
#define LB_ND_FLAGS 0x60000000u /* solicited, override */

struct lb_arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_size;
	__u8 protocol_size;
	__be16 operation;
	__u8 sender_mac[6];
	__be32 sender;
	__u8 target_mac[6];
	__be32 target;
} __attribute__((packed));

struct lb_nd {
	struct ipv6hdr ip;
	__u8 type;
	__u8 code;
	__be16 check;
	__be32 flags;
	union lb_addr target;
	__u8 option;
	__u8 option_size; /* in 8 bytes */
	__u8 mac[6];
};

LB_INLINE int lb_answer_arp(struct ethhdr *eth, const struct lb_port *port, void *data_end)
{
	struct lb_arp *arp = (void *)(eth + 1);
	union lb_addr target;
	__be32 sender;
	__u32 found;

	if ((void *)(arp + 1) > data_end || arp->operation != bpf_htons(LB_ARP_REQUEST) ||
	    arp->protocol != bpf_htons(ETH_P_IP) || arp->protocol_size != 4 ||
	    arp->hardware_size != ETH_ALEN)
		return -LB_R_NOT_IP;
	lb_addr_from_v4(&target, arp->target);
	found = lb_find_address(&target);
	if (!found)
		return -LB_R_NOT_IP;
	if (!(port->flags & LB_P_ARP))
		return found & LB_IS_HIDDEN ? -LB_R_ARP_HIDDEN : -LB_R_NOT_IP;
	sender = arp->sender;
	arp->operation = bpf_htons(LB_ARP_ANSWER);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, port->mac, ETH_ALEN);
	arp->sender = target.words[3];
	arp->target = sender;
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, port->mac, ETH_ALEN);
	return -LB_R_ARP_REPLY;
}

/* Full sum over the pseudo-header and the 32 bytes from the type on (RFC 4443, 2.3). */
LB_INLINE __be16 lb_nd_checksum(const struct lb_nd *nd)
{
	const __u16 *half = (const __u16 *)&nd->ip.saddr;
	__u64 sum = (__u64)bpf_htons(sizeof(*nd) - sizeof(nd->ip)) + bpf_htons(IPPROTO_ICMPV6);

#pragma unroll
	for (int i = 0; i < 32; i++) /* both addresses, then the message */
		sum += half[i];
	return (__be16)~lb_csum_fold(sum);
}

LB_INLINE int lb_answer_nd(struct ethhdr *eth, const struct lb_port *port, void *data_end)
{
	struct lb_nd *nd = (void *)(eth + 1);
	union lb_addr target, asker;

	if ((void *)(nd + 1) > data_end || nd->ip.nexthdr != IPPROTO_ICMPV6 ||
	    nd->type != LB_ND_SOLICIT || nd->code || nd->ip.hop_limit != 255 ||
	    nd->option != LB_ND_OPTION_SOURCE || nd->option_size != 1 ||
	    nd->ip.payload_len != bpf_htons(sizeof(*nd) - sizeof(nd->ip)))
		return -LB_R_OTHER_PROTOCOL;
	__builtin_memcpy(&target, &nd->target, sizeof(target));
	if (lb_addr_is_v4(&target) || !lb_find_address(&target))
		return -LB_R_OTHER_PROTOCOL;
	__builtin_memcpy(&asker, &nd->ip.saddr, sizeof(asker));
	if (!asker.quads[0] && !asker.quads[1])
		return -LB_R_OTHER_PROTOCOL; /* duplicate address detection asks without an address
					      */
	__builtin_memcpy(&nd->ip.daddr, &asker, sizeof(asker));
	__builtin_memcpy(&nd->ip.saddr, &target, sizeof(target));
	nd->type = LB_ND_ADVERTISE;
	nd->flags = bpf_htonl(LB_ND_FLAGS);
	nd->option = LB_ND_OPTION_TARGET;
	__builtin_memcpy(eth->h_dest, nd->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, port->mac, ETH_ALEN);
	__builtin_memcpy(nd->mac, port->mac, ETH_ALEN);
	nd->check = 0;
	nd->check = lb_nd_checksum(nd);
	return -LB_R_ARP_REPLY;
}

/*
 * Untagged frames only; the answer goes back by the way of the question. reason is what the packet
 * ends with otherwise. Global, as in flow.h.
 */
__noinline int lb_answer_neighbour(struct xdp_md *xdp, int reason)
{
	void *data_end = (void *)(long)xdp->data_end;
	struct ethhdr *eth = (void *)(long)xdp->data;
	__u32 number = lb_port_number;
	const struct lb_port *port = bpf_map_lookup_elem(&lb_ports, &number);

	if (!port || (void *)(eth + 1) > data_end)
		return reason;
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return lb_answer_arp(eth, port, data_end);
	if (port->flags & LB_P_ARP && eth->h_proto == bpf_htons(ETH_P_IPV6))
		return lb_answer_nd(eth, port, data_end);
	return reason;
}

#endif
