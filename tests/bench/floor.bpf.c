// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs that lbctl's datapath stands beside: the least that any program costs which reads a
 * packet's headers and sends it back, and the least that a balancer costs which keeps its flows in
 * an LRU table (one hash look-up for the service, one for the flow, one move of the head).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define OUTER_HEADER 20 /* what IPv4 in IPv4 puts in front */

struct service_key { /* 20 bytes */
	__be32 addr[4];
	__be16 port;
	__u16 proto;
};

struct flow_key { /* 40 bytes */
	__be32 src[4];
	__be32 dst[4];
	__be16 src_port;
	__be16 dst_port;
	__u32 proto;
};

struct flow_value {
	__u64 seen;
	__u32 backend;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service_key);
	__type(value, __u64);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

__u64 misses = 0;

static __always_inline int parse_ports(void *l4, void *data_end, __u8 proto, struct flow_key *key)
{
	struct tcphdr *tcp = l4;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return -1;
	if ((void *)(tcp + 1) > data_end)
		return -1;
	key->src_port = tcp->source;
	key->dst_port = tcp->dest;
	key->proto = proto;
	return 0;
}

static __always_inline int parse(void *data, void *data_end, struct flow_key *key)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(eth + 1) > data_end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if ((void *)(ip + 1) > data_end || ip->ihl != 5)
			return -1;
		key->src[0] = key->src[1] = key->dst[0] = key->dst[1] = 0;
		key->src[2] = key->dst[2] = bpf_htonl(0xffff);
		key->src[3] = ip->saddr;
		key->dst[3] = ip->daddr;
		return parse_ports(ip + 1, data_end, ip->protocol, key);
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ip6 + 1) > data_end)
		return -1;
	__builtin_memcpy(key->src, &ip6->saddr, 16);
	__builtin_memcpy(key->dst, &ip6->daddr, 16);
	return parse_ports(ip6 + 1, data_end, ip6->nexthdr, key);
}

static __always_inline void service_of(const struct flow_key *key, struct service_key *service)
{
	__builtin_memcpy(service->addr, key->dst, 16);
	service->port = key->dst_port;
	service->proto = key->proto;
}

static __always_inline void swap_macs(struct ethhdr *to, const __u8 *dst, const __u8 *src)
{
	__u8 was_dst[ETH_ALEN], was_src[ETH_ALEN];

	__builtin_memcpy(was_dst, dst, ETH_ALEN);
	__builtin_memcpy(was_src, src, ETH_ALEN);
	__builtin_memcpy(to->h_dest, was_src, ETH_ALEN);
	__builtin_memcpy(to->h_source, was_dst, ETH_ALEN);
}

SEC("xdp")
int floor_parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct flow_key key;

	if (parse(data, data_end, &key))
		return XDP_PASS;
	swap_macs(eth, eth->h_dest, eth->h_source);
	/* Takes the ports into the answer, so that the compiler cannot leave their parsing out. */
	return key.src_port == 0 && key.dst_port == 0 ? XDP_DROP : XDP_TX;
}

static __always_inline int send_moved(struct xdp_md *ctx, const __u8 *dst, const __u8 *src)
{
	void *data, *data_end;

	if (bpf_xdp_adjust_head(ctx, -OUTER_HEADER))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) > data_end)
		return XDP_ABORTED;
	swap_macs(data, dst, src);
	((struct ethhdr *)data)->h_proto = bpf_htons(ETH_P_IP);
	return XDP_TX;
}

/* The LRU yardstick. */
SEC("xdp")
int floor_lru(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	__u8 dst[ETH_ALEN], src[ETH_ALEN];
	struct service_key service;
	struct flow_value *value;
	struct flow_key key;

	if (parse(data, data_end, &key))
		return XDP_PASS;
	__builtin_memcpy(dst, data, ETH_ALEN);
	__builtin_memcpy(src, data + ETH_ALEN, ETH_ALEN);
	service_of(&key, &service);
	if (!bpf_map_lookup_elem(&services, &service))
		goto missed;
	value = bpf_map_lookup_elem(&flows, &key);
	if (!value || !value->backend)
		goto missed;
	return send_moved(ctx, dst, src);
missed:
	misses++;
	return XDP_DROP;
}

/* What a new flow costs such a balancer at the least: one insert of a key never seen. */
SEC("xdp")
int floor_insert(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct flow_value value = { .backend = 1 };
	struct ethhdr *eth = data;
	struct flow_key key;

	if (parse(data, data_end, &key))
		return XDP_PASS;
	if (bpf_map_update_elem(&flows, &key, &value, BPF_ANY)) {
		misses++;
		return XDP_DROP;
	}
	swap_macs(eth, eth->h_dest, eth->h_source);
	return XDP_TX;
}

/* Fills the yardstick's tables with the flows it is then measured on. */
SEC("xdp")
int floor_fill(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct flow_value value = { .backend = 1 };
	struct service_key service;
	struct flow_key key;
	__u64 number = 1;

	if (parse(data, data_end, &key))
		return XDP_PASS;
	service_of(&key, &service);
	if (bpf_map_update_elem(&services, &service, &number, BPF_ANY) ||
	    bpf_map_update_elem(&flows, &key, &value, BPF_ANY))
		misses++;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
