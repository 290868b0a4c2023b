/* SPDX-License-Identifier: GPL-2.0-only */
/* One row of the packet table: a packet, what becomes of it, and what must be so before and after.
 */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include "cast.h"

enum way { FROM_CLIENT, FROM_BACKEND };
enum becomes { SAME, BALANCED, REPLY, LEFT, ECHOED, TOLD, QUOTED, PIECE };
/* QUOTED: in is of a flow; the frame is an error of type icmp about the packet against it. */
enum family { BOTH, V4, V6 };

struct row {
	const char *name;
	enum part part;
	enum way way;
	enum becomes becomes;
	enum lb_reason reason;
	struct spec in; /* what differs from the plain packet */
	enum family family;
	__u32 quote;	  /* QUOTED: bytes of transport in it, 0 for all */
	__u32 mtu;	  /* that its sender is told; 0: time exceeded */
	__u8 state;	  /* full NAT: of the flow, afterwards */
	bool is_strange;  /* the client is one whose link address nobody knows */
	bool is_sum_zero; /* the payload makes the checksum of what comes out 0 */
	bool is_to_host;  /* from a backend to the host itself */
	void (*before)(bool is_v6);
	void (*after)(bool is_v6);
	void (*spoil)(struct frame *frame, bool is_v6);
};

extern const struct row packet_rows[];
extern const unsigned int packet_row_count;

#endif
