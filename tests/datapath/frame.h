/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames from a description, with every length and checksum computed in full by RFC 1071 over the
 * finished bytes: nothing here shares code with the datapath's incremental updates.
 */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <netinet/in.h>

#include "lb_addr.h"

#define FRAME_SIZE 2048
#define FRAME_NOBODY (~0u) /* in the place of an MTU: port unreachable */
#define FRAME_CHAIN 8

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct frame {
	__u32 length;
	__u32 l3, l4; /* offsets */
	__u8 data[FRAME_SIZE];
};

struct spec {
	bool is_v6;
	__u8 eth_dst[6], eth_src[6];
	__u8 tags; /* VLAN tags: one 802.1Q, or 802.1ad with 802.1Q inside */
	union lb_addr src, dst;
	__u16 src_port, dst_port;
	__u16 icmp; /* type and code, instead of ports */
	__u8 proto;
	__u8 tcp_flags;
	__u8 tcp_options[40];
	__u8 tcp_option_bytes; /* a multiple of 4 */
	__u8 ttl;
	__u8 option_bytes;	 /* of IPv4, a multiple of 4 */
	__u8 chain[FRAME_CHAIN]; /* IPv6 extension headers in order */
	__u8 chain_length;
	__u16 fragment;	   /* IPv4: the field; IPv6: offset and flag of the fragment header */
	bool is_unchecked; /* UDP without a checksum */
	__u16 payload;	   /* bytes */
	__u16 word;	   /* the payload's first two bytes */
};

/* Fills out from spec. */
void frame_build(const struct spec *spec, struct frame *out);
/* Sets the payload's first word so that the transport checksum of this very spec is zero. */
void frame_make_sum_zero(struct spec *spec);
/* Whether the frame's IP and transport checksums are right; unchecked UDP over IPv4 is. */
bool frame_is_sound(const struct frame *frame, bool is_v6, __u8 proto);
/*
 * The ICMP error that src sends about in: packet too big for mtu, port unreachable, or, if
 * that is 0, time exceeded.
 */
void frame_build_error(const struct frame *in, bool is_v6, const union lb_addr *src, __u32 mtu,
		       struct frame *out);
/*
 * An ICMP message as spec says, with the first bytes of quoted from its network header on in it,
 * and padding zeroes after that.
 */
void frame_build_quote(const struct spec *spec, const struct frame *quoted, __u32 length,
		       __u32 padding, struct frame *out);
/* An ARP request or neighbour solicitation of asker for target, and what a right answer is. */
void frame_build_arp(const __u8 asker_mac[6], __be32 asker, __be32 target, struct frame *out);
void frame_build_arp_answer(const __u8 asker_mac[6], const __u8 mac[6], __be32 asker, __be32 target,
			    struct frame *out);
void frame_build_solicit(const __u8 asker_mac[6], const union lb_addr *asker,
			 const union lb_addr *target, struct frame *out);
void frame_build_advert(const __u8 asker_mac[6], const __u8 mac[6], const union lb_addr *asker,
			const union lb_addr *target, struct frame *out);
/* Prints both in hexadecimal, with the first difference marked. */
void frame_print_difference(const struct frame *got, const struct frame *wanted);

/* Random numbers of a fixed sequence, so that every run is the same. */
__u64 test_random(void);
void test_random_seed(__u64 seed);

#endif
