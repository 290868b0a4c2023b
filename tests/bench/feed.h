/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bench's BPF programs and its user space share: which packets are fed to a program under
 * test, and how the number of a flow becomes addresses and ports.
 */
#ifndef BENCH_FEED_H
#define BENCH_FEED_H

#include <linux/types.h>

#define FEED_FRAME 96		  /* bytes of every frame */
#define FEED_WORDS 10		  /* of which the first 80 are written again for each packet */
#define FEED_SCRAMBLE 0x9e3779b1u /* odd: neighbouring flows get distant addresses */
#define FEED_VIPS 250		  /* services beyond that many go to the next port */

/* Low 32 bits of both addresses, and the ports, in host order. */
struct feed_tuple {
	__u32 src;
	__u32 dst;
	__u16 src_port;
	__u16 dst_port;
	__u32 reserved;
};

struct feed_config {
	__u64 words[FEED_WORDS];
	struct feed_tuple base;
	__u32 flows;	   /* the flow's number starts again here */
	__u32 client_mask; /* bits of the flow's number that go into the client's address */
	__u32 client_bits; /* the other bits, from here on, go into its port */
	__u32 random_mask; /* bits of the other address that vary without plan */
	__u32 services;	   /* how many services the flows are spread over */
	__u32 table;	   /* is_table: first entry of the flows in the map of tuples */
	__u32 target;	   /* which program is under test */
	__u32 out_ifindex; /* live frames: where to */
	__u8 is_v6;
	__u8 is_reply; /* the client is the destination */
	__u8 is_table; /* tuples as user space has recorded them */
	__u8 reserved[5];
};

/* The tuple of a flow, unless it comes from the table. */
static inline void feed_make_tuple(const struct feed_config *config, __u32 flow,
				   struct feed_tuple *tuple)
{
	__u32 client = (flow * FEED_SCRAMBLE) & config->client_mask;
	__u16 client_port = (__u16)(flow >> config->client_bits);
	__u32 service = config->services > 1 ? flow % config->services : 0;
	__u32 other = (flow * FEED_SCRAMBLE ^ flow >> 7) & config->random_mask;

	*tuple = config->base;
	if (config->is_reply) {
		tuple->dst += client;
		tuple->dst_port += client_port;
		return;
	}
	tuple->src += client;
	tuple->src_port += client_port;
	tuple->dst += other + service % FEED_VIPS;
	tuple->dst_port += service / FEED_VIPS;
}

#endif
