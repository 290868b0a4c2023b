// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feeds a program under test: restores the packet that the last run has changed, varies its flow,
 * and tail-calls. Also the targets that do nothing, which tell what feeding costs, and both ends of
 * the live-frame comparison.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "feed.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct feed_tuple);
} tuples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} delivered SEC(".maps");

struct feed_config feed = {};
__u32 flow = 0;
__u64 runs = 0;

static __always_inline void feed_write_tuple(void *data, const struct feed_tuple *tuple)
{
	if (feed.is_v6) {
		*(__be32 *)(data + 34) = bpf_htonl(tuple->src);
		*(__be32 *)(data + 50) = bpf_htonl(tuple->dst);
		*(__be16 *)(data + 54) = bpf_htons(tuple->src_port);
		*(__be16 *)(data + 56) = bpf_htons(tuple->dst_port);
	} else {
		*(__be32 *)(data + 26) = bpf_htonl(tuple->src);
		*(__be32 *)(data + 30) = bpf_htonl(tuple->dst);
		*(__be16 *)(data + 34) = bpf_htons(tuple->src_port);
		*(__be16 *)(data + 36) = bpf_htons(tuple->dst_port);
	}
}

static __always_inline int feed_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct feed_tuple tuple, *recorded;
	__u32 number = flow, index;

	if (data + FEED_FRAME > data_end)
		return -1;
#pragma unroll
	for (int i = 0; i < FEED_WORDS; i++)
		((__u64 *)data)[i] = feed.words[i];
	if (feed.is_table) {
		index = feed.table + number;
		recorded = bpf_map_lookup_elem(&tuples, &index);
		if (!recorded)
			return -1;
		tuple = *recorded;
	} else {
		feed_make_tuple(&feed, number, &tuple);
	}
	feed_write_tuple(data, &tuple);
	number++;
	flow = number < feed.flows ? number : 0;
	/*
	 * A locked instruction waits until the packet's bytes have left the store buffer. Without
	 * it the program under test would run beside the feeding, and pay for loads that span two
	 * stores.
	 */
	__sync_fetch_and_add(&runs, 1);
	return 0;
}

SEC("xdp")
int bench_feed(struct xdp_md *ctx)
{
	long moved = (long)ctx->data_end - (long)ctx->data - FEED_FRAME;

	if (moved && bpf_xdp_adjust_head(ctx, moved))
		return XDP_ABORTED;
	if (feed_packet(ctx))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &targets, feed.target);
	return XDP_ABORTED;
}

/* What the loop and the feeding cost. */
SEC("xdp")
int bench_null(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

/* The same, and the feeding has to move the head back. */
SEC("xdp")
int bench_move(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, -20) ? XDP_ABORTED : XDP_DROP;
}

/* The kernel's own forwarding, which live frames also meet, looks at the IPv4 header's checksum. */
static __always_inline void write_checksum(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	__u16 *words = data + 14;
	__u32 sum = 0;

	if (data + 34 > data_end)
		return;
	words[5] = 0;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	words[5] = ~sum;
}

/* Generator of live frames: their pages come back changed, so every frame is written anew. */
SEC("xdp")
int bench_send(struct xdp_md *ctx)
{
	if (feed_packet(ctx))
		return XDP_ABORTED;
	write_checksum(ctx);
	return bpf_redirect(feed.out_ifindex, 0);
}

/* Where live frames end; counts by incoming interface. */
SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex % 64;
	__u64 *count = bpf_map_lookup_elem(&delivered, &key);

	if (count)
		*count += 1;
	return XDP_DROP;
}

SEC("xdp")
int bench_pass(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
