// SPDX-License-Identifier: GPL-2.0-only
/* Tells user space what the kernel's jiffies are: nothing else does, and the datapath's times are
 * in them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("syscall")
int lb_clock(__u64 *jiffies)
{
	*jiffies = bpf_jiffies64();
	return 0;
}

char _license[] SEC("license") = "GPL";
