/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Passes every frame. A veth end takes frames that its peer sends by XDP only if it has a program
 * itself; the tests also use this one as the foreign program that lbctl must not displace.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int lab_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char lab_license[] SEC("license") = "GPL";
