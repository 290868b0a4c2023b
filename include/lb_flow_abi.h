/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the contract that is about flows: the entries of the flow table, their states, and
 * how a hash finds them. Included by lb_abi.h, whose rules hold here too.
 */
#ifndef LB_FLOW_ABI_H
#define LB_FLOW_ABI_H

#include "lb_addr.h"
#include "lb_assert.h"

/*
 * The flow table: buckets of eight, each flow in one of two buckets given by its hash. Of full NAT
 * a flow has two entries with the same content, one for each direction; a record of a slot with
 * history (or of UDP) has one. An entry is free when tag is 0, and is claimed by compare-and-swap.
 */
#define LB_FLOWS_PER_BUCKET 8
#define LB_FLOW_BUSY 1u /* tag while the entry is being written; real tags have bit 1 set */

/* Jiffies since seen. Another CPU may be a tick ahead, which is no age. */
static inline __u32 lb_flow_age(__u32 now, __u32 seen)
{
	const __u32 age = now - seen;

	return age > 0u - 1024 ? 0 : age;
}

static inline __u32 lb_flow_tag(__u64 hash)
{
	return (__u32)(hash >> 32) | 2;
}

/* The two buckets of a hash; mask is the number of buckets less one. */
static inline __u32 lb_flow_bucket_of(__u64 hash, __u32 choice, __u32 mask)
{
	return (choice ? (__u32)(hash * 0x9e3779b97f4a7c15ull >> 32) : (__u32)hash) & mask;
}

enum lb_flow_kind {
	LB_FLOW_FORWARD = 1, /* found by what the client sends */
	LB_FLOW_REPLY = 2,   /* found by what the backend answers */
	LB_FLOW_RECORD = 3,  /* nat: the backend of a flow whose slot has history */
};

enum lb_flow_state {
	/* Up to ANSWERED, flows may be evicted by their like. */
	LB_FLOW_SYN = 1,  /* opened by the client */
	LB_FLOW_REPEATED, /* the client has sent its SYN again, unanswered */
	LB_FLOW_ANSWERED, /* the backend has answered, the client has not gone on */
	LB_FLOW_ESTABLISHED,
	LB_FLOW_CLIENT_FIN,  /* the client has closed */
	LB_FLOW_BACKEND_FIN, /* the backend has closed */
	LB_FLOW_CLOSED,	     /* both have, or a reset passed */
};

struct lb_flow {
	__u32 tag;
	__u32 seen; /* of this direction's last packet */
	union lb_addr client;
	union lb_addr source; /* full NAT's source address */
	__be16 client_port;
	__be16 source_port;
	__u16 service;
	__u16 backend; /* owner number in the service */
	__u16 endpoint;
	__u8 kind;  /* enum lb_flow_kind */
	__u8 state; /* enum lb_flow_state */
	__u8 client_mac[6];
	__u16 port;    /* number of the interface the client's packets come in by */
	__u32 partner; /* entry of the other direction; of a record: its epoch */
};

struct lb_flow_bucket {
	struct lb_flow flow[LB_FLOWS_PER_BUCKET];
};

LB_ASSERT(sizeof(struct lb_flow) == 64, "struct lb_flow");

#endif
