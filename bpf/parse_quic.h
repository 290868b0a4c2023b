/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the server's number in the destination connection id of a QUIC packet (RFC 9000, 17.2 and
 * 17.3; versions 1 and 2, RFC 9369), where the service's servers write it into the ids that they
 * give out. No helper, no map: the datapath and native tests compile the same code.
 */
#ifndef LB_PARSE_QUIC_H
#define LB_PARSE_QUIC_H

#include "parse.h"

#define LB_QUIC_LONG 0x80
#define LB_QUIC_FIXED 0x40
#define LB_QUIC_V1 1u
#define LB_QUIC_V2 0x6b3343cfu
#define LB_QUIC_NO_ID (-1l)

/*
 * Where the connection id lies behind the UDP header, or -1. Of long headers only Handshake's
 * counts: the client has made up the id of Initial and 0-RTT packets by itself, and Retry comes
 * from servers.
 */
static __always_inline long lb_quic_id_at(const __u8 *head, const void *end, __u32 id_end)
{
	__be32 version;
	__u8 type;

	if ((const void *)(head + 1) > end || !(head[0] & LB_QUIC_FIXED))
		return -1;
	if (!(head[0] & LB_QUIC_LONG))
		return 1;
	if ((const void *)(head + 6) > end)
		return -1;
	version = *(const __be32 *)(head + 1);
	type = head[0] >> 4 & 3;
	if (!(version == bpf_htonl(LB_QUIC_V1) && type == 2) &&
	    !(version == bpf_htonl(LB_QUIC_V2) && type == 3))
		return -1;
	return head[5] >= id_end ? 6 : -1;
}

/*
 * length (1 to 4) bytes at offset (0 to 19) of the id of the datagram's first packet, as a number;
 * LB_QUIC_NO_ID where there is none that a server has made. A whole QUIC packet always goes on for
 * more than four bytes behind its id, so that four can be read.
 */
static __always_inline long lb_parse_server_id(const struct udphdr *udp, const void *end,
					       __u32 offset, __u32 length)
{
	const __u8 *head = (const void *)(udp + 1);
	__be32 word;
	long at;

	if ((const void *)(udp + 1) > end)
		return LB_QUIC_NO_ID;
	at = lb_quic_id_at(head, end, offset + length);
	if (at < 0 || bpf_ntohs(udp->len) < sizeof(*udp) + at + offset + sizeof(word))
		return LB_QUIC_NO_ID;
	head += at;
	head += offset & 0x1f;
	if ((const void *)(head + sizeof(word)) > end)
		return LB_QUIC_NO_ID;
	word = *(const __be32 *)head;
	return bpf_ntohl(word) >> (8 * (sizeof(word) - length) & 31);
}

#endif
