/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages of the datapath hand on to one another about one packet, and what user space
 * fixes before the program is loaded. It decides nothing.
 */
#ifndef LB_CTX_H
#define LB_CTX_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "lb_abi.h"
#include "parse.h"

#define LB_INLINE static __always_inline

/* Constants of one loaded program: the verifier sees their values and drops dead branches. */
const volatile struct lb_hash_key lb_tuple_key = {};
const volatile struct lb_hash_key lb_flow_key = {};
const volatile __u32 lb_flow_mask = 0;		      /* buckets of the flow table less one */
const volatile __u32 lb_bucket_half[LB_LOOKUPS] = {}; /* buckets in half a look-up table */
const volatile __u32 lb_port_number = 0;	      /* this interface in lb_ports */
const volatile __u32 lb_hz = 0;		   /* jiffies per second: how long a next hop is believed */
const volatile bool lb_is_generic = false; /* frames may be larger than any MTU */

/* Added to a reason when the sender may not be told; lb_finish() does not see it. */
#define LB_SILENT LB_R_SLOTS

struct lb_ctx {
	struct xdp_md *xdp;
	struct lb_packet pkt;
	struct lb_service *service;
	struct lb_backend *backend;
	struct lb_backend_cpu *local; /* the backend's next hop and counters on this CPU */
	struct lb_flow *flow;
	/* What the packet becomes; an address that is NULL stays. */
	const union lb_addr *new_src;
	const union lb_addr *new_dst;
	__u32 new_sum; /* both new addresses' part in a checksum: lb_csum_of() each */
	__be32 new_ports;
	const __u8 *dst_mac; /* NULL: left to the kernel to send on */
	const __u8 *src_mac;
	__u32 service_number;
	__u32 endpoint;
	__u32 egress; /* ifindex that the packet leaves by */
	__u32 now;    /* jiffies */
	__u32 flow_index;
	__u16 owner; /* the backend's number in the service */
};

LB_INLINE struct lb_hash_key lb_key_copy(const volatile struct lb_hash_key *key)
{
	struct lb_hash_key copy = {
		.seed = key->seed,
		.word = { key->word[0], key->word[1], key->word[2], key->word[3], key->word[4] },
	};

	return copy;
}

#endif
