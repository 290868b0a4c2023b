// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stranger on the balancer's interface: counts every packet and passes it on, before the balancer
 * (priority 20, next program on XDP_PASS). It must not know anything of the balancer.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

struct {
	__uint(priority, 20);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(second_pass);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} second_seen SEC(".maps");

SEC("xdp")
int second_pass(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *seen = bpf_map_lookup_elem(&second_seen, &key);

	(void)ctx;
	if (seen)
		__sync_fetch_and_add(seen, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
