// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows of the packet table, in the order in which they are run: rows of one full-NAT connection
 * follow one another. A row stands for IPv4 and IPv6 unless it says V4 or V6.
 */
#include <string.h>

#include "packet.h"

static void set_forwarding(bool is_v6, const char *value)
{
	world_sysctl(is_v6 ? "/proc/sys/net/ipv6/conf/c0/forwarding"
			   : "/proc/sys/net/ipv4/conf/c0/forwarding",
		     value);
	world_forget_hops();
}

static void forwarding_off(bool is_v6)
{
	set_forwarding(is_v6, "0");
}

static void forwarding_on(bool is_v6)
{
	set_forwarding(is_v6, "1");
}

static void commit(bool is_gone)
{
	struct lb_config *config = cast_config(is_gone);

	world_commit(config);
	lb_config_free(config);
}

static void remove_gone(bool is_v6)
{
	(void)is_v6;
	commit(true);
}

static void bring_back(bool is_v6)
{
	(void)is_v6;
	commit(false);
}

/* The library refuses such a backend, so the map is made to say it. */
static void drop_sources(bool is_v6)
{
	const union lb_addr addr = world_addr(cast_backend(BARE, is_v6));

	for (__u32 i = 0; i < world.lb->meta->backends; i++)
		if (lb_addr_is_equal(&world.lb->backends[i].addr, &addr))
			world.lb->backends[i].source_count = 0;
}

static void map_source(struct frame *frame, bool is_v6)
{
	const union lb_addr addr = world_addr(cast_client[0]);

	assert_true(is_v6);
	memcpy(frame->data + frame->l3 + 8, &addr, sizeof(addr));
}

static void map_destination(struct frame *frame, bool is_v6)
{
	const union lb_addr addr = world_addr(cast_vip(NAT, false));

	assert_true(is_v6);
	memcpy(frame->data + frame->l3 + 24, &addr, sizeof(addr));
}

static void make_ethertype(struct frame *frame, bool is_v6)
{
	(void)is_v6;
	frame->data[12] = 0x88; /* LLDP */
	frame->data[13] = 0xcc;
}

static void shorten_header(struct frame *frame, bool is_v6)
{
	frame->data[frame->l3] = is_v6 ? 0x50 : 0x44;
}

static void make_for_many(struct frame *frame, bool is_v6)
{
	(void)is_v6;
	frame->data[0] |= 1;
}

static void make_source_group(struct frame *frame, bool is_v6)
{
	frame->data[frame->l3 + (is_v6 ? 8 : 12)] = is_v6 ? 0xff : 0xef;
}

static void make_source_zero(struct frame *frame, bool is_v6)
{
	memset(frame->data + frame->l3 + (is_v6 ? 8 : 12), 0, is_v6 ? 16 : 4);
}

/* The last byte of the destination is one that no service has. */
static void make_other_address(struct frame *frame, bool is_v6)
{
	frame->data[frame->l3 + (is_v6 ? 39 : 19)] = 99;
}

/* Just 8 bytes of the transport header, as the lengths say too. */
static void make_tiny(struct frame *frame, bool is_v6)
{
	const __u32 length = frame->l4 + 8 - frame->l3 - (is_v6 ? 40 : 0);
	__u8 *field = frame->data + frame->l3 + (is_v6 ? 4 : 2);

	frame->length = frame->l4 + 8;
	field[0] = (__u8)(length >> 8);
	field[1] = (__u8)length;
}

static void make_other_tiny(struct frame *frame, bool is_v6)
{
	make_tiny(frame, is_v6);
	make_other_address(frame, is_v6);
}

/* A total length that ends before the transport header does. */
static void shorten_length(struct frame *frame, bool is_v6)
{
	frame->data[frame->l3 + (is_v6 ? 5 : 3)] = is_v6 ? 0 : 19;
	frame->data[frame->l3 + (is_v6 ? 4 : 2)] = 0;
}

#define TCP(...)                                                                                   \
	{                                                                                          \
		.proto = IPPROTO_TCP, __VA_ARGS__                                                  \
	}
#define UDP(...)                                                                                   \
	{                                                                                          \
		.proto = IPPROTO_UDP, __VA_ARGS__                                                  \
	}
#define ANY(...)                                                                                   \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define ROW(NAME, PART, WAY, BECOMES, REASON, IN, ...)                                             \
	{                                                                                          \
		.name = (NAME), .part = (PART), .way = (WAY), .becomes = (BECOMES),                \
		.reason = (REASON), .in = IN, __VA_ARGS__                                          \
	}
#define HBH IPPROTO_HOPOPTS
#define RTG IPPROTO_ROUTING
#define DST IPPROTO_DSTOPTS
#define FRG IPPROTO_FRAGMENT

/* clang-format off */
const struct row packet_rows[] = {
	/* nat, forward */
	ROW("nat SYN", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN)),
	ROW("nat mid-stream", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 700)),
	ROW("nat odd payload", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 701)),
	ROW("nat full-sized", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 1440)),
	ROW("nat FIN", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_FIN | TCP_ACK)),
	ROW("nat RST", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_RST)),
	ROW("nat UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33)),
	ROW("nat UDP, again", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 34)),
	ROW("nat UDP, empty", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 0)),
	ROW("stateless UDP", PLAIN_UDP, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33)),
	ROW("UDP without checksum", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33, .is_unchecked = true), .family = V4),
	ROW("UDP checksum becomes 0", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 32), .is_sum_zero = true),
	ROW("one hop more than needed", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN, .ttl = 2)),
	ROW("one tag", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .tags = 1, .payload = 9)),
	ROW("two tags", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .tags = 2, .payload = 9)),
	ROW("two tags, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.tags = 2, .payload = 9)),
	ROW("options, 4 bytes", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 4), .family = V4),
	ROW("options, 40 bytes, tag", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 40, .tags = 1, .payload = 5), .family = V4),
	ROW("options, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.option_bytes = 24, .payload = 5), .family = V4),
	ROW("hop-by-hop", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { HBH }, .chain_length = 1), .family = V6),
	ROW("destination options, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 8, .chain = { DST }, .chain_length = 1), .family = V6),
	ROW("routing", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { RTG }, .chain_length = 1), .family = V6),
	ROW("six headers, two tags", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { HBH, DST, RTG, DST, RTG, DST }, .chain_length = 6, .tags = 2), .family = V6),
	ROW("seven headers", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, TCP(.tcp_flags = TCP_ACK, .chain = { HBH, DST, RTG, DST, RTG, DST, DST }, .chain_length = 7), .family = V6),
	/* fragments; all of one family are of one packet */
	ROW("later fragment, unknown", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, UDP(.payload = 800, .fragment = 0x2064), .family = V4),
	ROW("later fragment, unknown", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, UDP(.payload = 800, .fragment = 801, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("first fragment", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 792, .fragment = 0x2000), .family = V4),
	ROW("first fragment", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 792, .fragment = 1, .chain = { HBH, FRG }, .chain_length = 2), .family = V6),
	ROW("later fragment", NAT, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 800, .fragment = 0x2064), .family = V4),
	ROW("later fragment", NAT, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 800, .fragment = 801, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("last fragment, options, tag", NAT, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 80, .fragment = 0x0064, .option_bytes = 8, .tags = 1), .family = V4),
	ROW("last fragment, header, tags", NAT, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 80, .fragment = 800, .chain = { DST, FRG }, .chain_length = 2, .tags = 2), .family = V6),
	ROW("later fragment, last hop", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, UDP(.payload = 80, .fragment = 0x0064, .ttl = 1), .family = V4),
	ROW("later fragment, last hop", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, UDP(.payload = 80, .fragment = 800, .chain = { FRG }, .chain_length = 1, .ttl = 1), .family = V6),
	ROW("overlapping fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_OVERLAP, UDP(.payload = 80, .fragment = 0x2063), .family = V4),
	ROW("overlapping fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_OVERLAP, UDP(.payload = 80, .fragment = 793, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("overlaps the flags", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_OVERLAP, TCP(.tcp_flags = TCP_SYN, .fragment = 0x2001), .family = V4),
	ROW("overlaps the flags", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_OVERLAP, TCP(.tcp_flags = TCP_SYN, .fragment = 9, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("overlaps another's", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, TCP(.tcp_flags = TCP_SYN, .fragment = 0x2001), .family = V4, .spoil = make_other_address),
	ROW("tiny fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_TINY, TCP(.tcp_flags = TCP_SYN, .fragment = 0x2000), .family = V4, .spoil = make_tiny),
	ROW("tiny fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT_TINY, TCP(.tcp_flags = TCP_SYN, .fragment = 1, .chain = { FRG, DST }, .chain_length = 2), .family = V6, .spoil = make_tiny),
	ROW("tiny, another's", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN, .fragment = 0x2000), .family = V4, .spoil = make_other_tiny),
	ROW("first of a reply", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 792, .fragment = 0x2000), .family = V4),
	ROW("first of a reply", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 792, .fragment = 1, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("later of a reply", NAT, FROM_BACKEND, PIECE, LB_R_FRAGMENT_REPLIED, UDP(.payload = 801, .fragment = 0x2064), .family = V4),
	ROW("later of a reply", NAT, FROM_BACKEND, PIECE, LB_R_FRAGMENT_REPLIED, UDP(.payload = 801, .fragment = 801, .chain = { FRG }, .chain_length = 1), .family = V6),
	ROW("one-armed", ONE_ARM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN)),
	/* nat, reply */
	ROW("nat reply", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_SYN | TCP_ACK)),
	ROW("nat reply, data", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 1201)),
	ROW("nat reply, UDP", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 1201)),
	ROW("nat reply, no checksum", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 1, .is_unchecked = true), .family = V4),
	ROW("nat reply, sum 0", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 32), .is_sum_zero = true),
	ROW("nat reply, two tags", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .tags = 2)),
	ROW("nat reply, options", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 12), .family = V4),
	ROW("nat reply, extension", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .chain = { DST }, .chain_length = 1), .family = V6),
	ROW("nat reply, last hop", NAT, FROM_BACKEND, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_ACK, .ttl = 1)),
	ROW("nat reply, to be resolved", NAT, FROM_BACKEND, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_ACK), .is_strange = true),
	/* full NAT, one connection from SYN to the second FIN */
	ROW("fullnat unknown", FULL, FROM_CLIENT, SAME, LB_R_NO_FLOW, TCP(.tcp_flags = TCP_ACK)),
	ROW("fullnat SYN", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN),
	ROW("fullnat SYN again", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_REPEATED),
	ROW("fullnat SYN-ACK", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_SYN | TCP_ACK), .state = LB_FLOW_ANSWERED),
	ROW("fullnat ACK", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat data", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 777), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat data, tags", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 777, .tags = 2), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat data, options", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 8), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat data, extension", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { DST }, .chain_length = 1), .family = V6, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat reply, data", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 1400), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat reply, tag", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .tags = 1), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat last hop", FULL, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_ACK, .ttl = 1), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat reply, last hop", FULL, FROM_BACKEND, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_ACK, .ttl = 1), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat error to backend", FULL, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40), .state = LB_FLOW_ESTABLISHED, .family = V4),
	ROW("fullnat error to backend", FULL, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40), .state = LB_FLOW_ESTABLISHED, .family = V6),
	ROW("fullnat error to client", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40, .tags = 1), .state = LB_FLOW_ESTABLISHED, .family = V4),
	ROW("fullnat error to client", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40, .tags = 1), .state = LB_FLOW_ESTABLISHED, .family = V6),
	ROW("fullnat error to client, 8 bytes", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40), .quote = 8, .state = LB_FLOW_ESTABLISHED, .family = V4),
	ROW("fullnat error to client, 8 bytes", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40), .quote = 8, .state = LB_FLOW_ESTABLISHED, .family = V6),
	ROW("host's own error", FULL, FROM_BACKEND, QUOTED, LB_R_HOST_REPLY, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true, .family = V4),
	ROW("host's own error, last hop", FULL, FROM_BACKEND, QUOTED, LB_R_HOST_REPLY, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .dst_port = 45678, .ttl = 1), .is_to_host = true, .family = V4),
	ROW("host's own error", FULL, FROM_BACKEND, QUOTED, LB_R_HOST_REPLY, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true, .family = V6),
	ROW("host's own error, last hop", FULL, FROM_BACKEND, QUOTED, LB_R_HOST_REPLY, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .dst_port = 45678, .ttl = 1), .is_to_host = true, .family = V6),
	ROW("fullnat reply, too large", FULL, FROM_BACKEND, TOLD, LB_R_MTU_TOLD, TCP(.tcp_flags = TCP_ACK, .payload = 1461, .fragment = 0x4000), .family = V4, .mtu = 1500, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat reply, too large", FULL, FROM_BACKEND, TOLD, LB_R_MTU_TOLD, TCP(.tcp_flags = TCP_ACK, .payload = 1441, .tags = 1), .family = V6, .mtu = 1500, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat reply, may be fragmented", FULL, FROM_BACKEND, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_ACK, .payload = 1461), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat FIN", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_FIN | TCP_ACK), .state = LB_FLOW_CLIENT_FIN),
	ROW("fullnat half-closed", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 3), .state = LB_FLOW_CLIENT_FIN),
	ROW("fullnat second FIN", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_FIN | TCP_ACK), .state = LB_FLOW_CLOSED),
	ROW("fullnat last ACK", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK), .state = LB_FLOW_CLOSED),
	ROW("fullnat opened anew", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN),
	ROW("fullnat reset", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_RST | TCP_ACK), .state = LB_FLOW_CLOSED),
	ROW("fullnat UDP", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 50), .state = LB_FLOW_SYN),
	ROW("fullnat UDP, again", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 51), .state = LB_FLOW_SYN),
	ROW("fullnat UDP, reply", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 52), .state = LB_FLOW_ANSWERED),
	ROW("fullnat UDP, client goes on", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 53), .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat UDP, no checksum", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 53, .is_unchecked = true), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat UDP, sum 0", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 54), .is_sum_zero = true, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat UDP, reply, sum 0", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 54), .is_sum_zero = true, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat UDP, error to backend", FULL, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0304, .payload = 4), .state = LB_FLOW_ESTABLISHED, .family = V4),
	ROW("fullnat UDP, error to backend", FULL, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0200, .payload = 4), .state = LB_FLOW_ESTABLISHED, .family = V6),
	ROW("fullnat UDP, error to client", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0304, .payload = 4), .state = LB_FLOW_ESTABLISHED, .family = V4),
	ROW("fullnat UDP, error to client", FULL, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0200, .payload = 4), .state = LB_FLOW_ESTABLISHED, .family = V6),
	ROW("fullnat first fragment", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 792, .fragment = 0x2000), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat first fragment", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 792, .fragment = 1, .chain = { FRG }, .chain_length = 1), .family = V6, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat later fragment", FULL, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 77, .fragment = 0x0064), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat later fragment", FULL, FROM_CLIENT, PIECE, LB_R_FRAGMENT_FORWARDED, UDP(.payload = 77, .fragment = 800, .chain = { FRG }, .chain_length = 1), .family = V6, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat first of a reply", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 792, .fragment = 0x2000), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat first of a reply", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 792, .fragment = 1, .chain = { FRG }, .chain_length = 1), .family = V6, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat later of a reply", FULL, FROM_BACKEND, PIECE, LB_R_FRAGMENT_REPLIED, UDP(.payload = 77, .fragment = 0x0064), .family = V4, .state = LB_FLOW_ESTABLISHED),
	ROW("fullnat later of a reply", FULL, FROM_BACKEND, PIECE, LB_R_FRAGMENT_REPLIED, UDP(.payload = 77, .fragment = 800, .chain = { FRG }, .chain_length = 1), .family = V6, .state = LB_FLOW_ESTABLISHED),
	ROW("host's own, fullnat backend", FULL, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true),
	ROW("host's own, last hop, fullnat backend", FULL, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678, .ttl = 1), .is_to_host = true),
	ROW("host's own, nat backend", NAT, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true),
	ROW("host's own, last hop, nat backend", NAT, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678, .ttl = 1), .is_to_host = true),
	/* what is not for a backend */
	ROW("other port", NAT, FROM_CLIENT, SAME, LB_R_NOT_OURS, TCP(.tcp_flags = TCP_SYN, .dst_port = 81)),
	ROW("not ours, last hop", NAT, FROM_CLIENT, SAME, LB_R_NOT_OURS, UDP(.dst_port = 81, .ttl = 1)),
	ROW("other protocol", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_SCTP, .payload = 20)),
	ROW("other type", NAT, FROM_CLIENT, SAME, LB_R_NOT_IP, TCP(.tcp_flags = TCP_SYN), .spoil = make_ethertype),
	ROW("wrong header", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN), .spoil = shorten_header),
	ROW("wrong length", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN), .family = V4, .spoil = shorten_length),
	ROW("wrong length", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN, .chain = { DST }, .chain_length = 1), .family = V6, .spoil = shorten_length),
	ROW("mapped source", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, TCP(.tcp_flags = TCP_SYN), .family = V6, .spoil = map_source),
	ROW("mapped destination", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, UDP(.payload = 4, .tags = 1), .family = V6, .spoil = map_destination),
	ROW("mapped source, echo", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56), .family = V6, .spoil = map_source),
	ROW("mapped destination, echo", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56, .tags = 2), .family = V6, .spoil = map_destination),
	ROW("mapped destination, other protocol", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, ANY(.proto = IPPROTO_SCTP, .payload = 20), .family = V6, .spoil = map_destination),
	/* to a process of the host: as it came, also on its last hop */
	ROW("local SYN", LOCAL, FROM_CLIENT, SAME, LB_R_LOCAL, TCP(.tcp_flags = TCP_SYN)),
	ROW("local, last hop", LOCAL, FROM_CLIENT, SAME, LB_R_LOCAL, TCP(.tcp_flags = TCP_ACK, .ttl = 1, .payload = 99)),
	ROW("local, two tags", LOCAL, FROM_CLIENT, SAME, LB_R_LOCAL, TCP(.tcp_flags = TCP_ACK, .tags = 2)),
	ROW("local UDP", LOCAL, FROM_CLIENT, SAME, LB_R_LOCAL, UDP(.payload = 33)),
	ROW("local UDP, again", LOCAL, FROM_CLIENT, SAME, LB_R_LOCAL, UDP(.payload = 34)),
	/* what cannot be forwarded */
	ROW("last hop", NAT, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_SYN, .ttl = 1)),
	ROW("last hop, tag, UDP", NAT, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, UDP(.payload = 13, .ttl = 1, .tags = 1)),
	ROW("last hop, options", NAT, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_SYN, .ttl = 1, .option_bytes = 40, .tags = 2), .family = V4),
	ROW("last hop, headers", NAT, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, TCP(.tcp_flags = TCP_SYN, .ttl = 1, .chain = { HBH, DST }, .chain_length = 2), .family = V6),
	ROW("last hop, long", NAT, FROM_CLIENT, TOLD, LB_R_TTL_TOLD, UDP(.payload = 1401, .ttl = 1)),
	ROW("last hop, for many", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, TCP(.tcp_flags = TCP_SYN, .ttl = 1), .spoil = make_for_many),
	ROW("last hop, from a group", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, UDP(.payload = 9, .ttl = 1), .spoil = make_source_group),
	ROW("last hop, from nobody", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, UDP(.payload = 9, .ttl = 1), .spoil = make_source_zero),
	/* ICMP errors */
	ROW("nat error to backend", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40), .family = V4),
	ROW("nat error to backend", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40), .family = V6),
	ROW("nat error to backend, 8 bytes", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40), .quote = 8, .family = V4),
	ROW("nat error to backend, 8 bytes", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40), .quote = 8, .family = V6),
	ROW("nat error to backend, UDP", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0304, .payload = 33, .tags = 1), .family = V4),
	ROW("nat error to backend, UDP", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0200, .payload = 33, .tags = 1), .family = V6),
	ROW("nat error to client", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .payload = 40), .family = V4),
	ROW("nat error to client", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .payload = 40), .family = V6),
	ROW("nat error to client, UDP, tags", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0304, .payload = 33, .tags = 2), .family = V4),
	ROW("nat error to client, UDP, tags", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0200, .payload = 33, .tags = 2), .family = V6),
	ROW("error, no checksum within", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0303, .payload = 33, .is_unchecked = true), .family = V4),
	ROW("error, options within", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, TCP(.icmp = 0x0b00, .tcp_flags = TCP_ACK, .option_bytes = 12), .family = V4),
	ROW("error, header within", NAT, FROM_CLIENT, QUOTED, LB_R_ICMP_FORWARDED, UDP(.icmp = 0x0301, .payload = 7, .chain = { DST }, .chain_length = 1), .family = V6),
	ROW("parameter problem", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0c00, .payload = 7), .family = V4),
	ROW("parameter problem", NAT, FROM_BACKEND, QUOTED, LB_R_ICMP_REPLIED, UDP(.icmp = 0x0401, .payload = 7), .family = V6),
	ROW("redirect", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0501, .tcp_flags = TCP_ACK), .family = V4),
	ROW("error, another message", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0500, .tcp_flags = TCP_ACK), .family = V6),
	ROW("error, not ours", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .dst_port = 81), .family = V4),
	ROW("error, not ours", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .dst_port = 81), .family = V6),
	ROW("error, last hop", NAT, FROM_CLIENT, QUOTED, LB_R_TTL_EXCEEDED, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK, .ttl = 1), .family = V4),
	ROW("error, last hop", NAT, FROM_CLIENT, QUOTED, LB_R_TTL_EXCEEDED, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK, .ttl = 1), .family = V6),
	ROW("error, no backend", EMPTY, FROM_CLIENT, QUOTED, LB_R_NO_BACKEND, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK), .family = V4),
	ROW("error, no backend", EMPTY, FROM_CLIENT, QUOTED, LB_R_NO_BACKEND, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK), .family = V6),
	ROW("error, another address", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0304, .tcp_flags = TCP_ACK), .spoil = make_other_address, .family = V4),
	ROW("error, another address", NAT, FROM_CLIENT, QUOTED, LB_R_OTHER_PROTOCOL, TCP(.icmp = 0x0200, .tcp_flags = TCP_ACK), .spoil = make_other_address, .family = V6),
	/* ICMP for a service's address */
	ROW("echo", NAT, FROM_CLIENT, ECHOED, LB_R_ECHO_REPLY, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56), .family = V4),
	ROW("echo", NAT, FROM_CLIENT, ECHOED, LB_R_ECHO_REPLY, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56), .family = V6),
	ROW("echo, last hop, tags", FULL, FROM_CLIENT, ECHOED, LB_R_ECHO_REPLY, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 5, .ttl = 1, .tags = 2), .family = V4),
	ROW("echo, last hop, tags", FULL, FROM_CLIENT, ECHOED, LB_R_ECHO_REPLY, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 5, .ttl = 1, .tags = 2), .family = V6),
	ROW("echo, options", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56, .option_bytes = 8), .family = V4),
	ROW("echo, first fragment", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56, .fragment = 0x2000), .family = V4),
	ROW("echo, headers", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56, .chain = { DST }, .chain_length = 1), .family = V6),
	ROW("echo, for many", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56), .family = V4, .spoil = make_for_many),
	ROW("echo, for many", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56), .family = V6, .spoil = make_for_many),
	ROW("echo, from a group", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56), .family = V4, .spoil = make_source_group),
	ROW("echo, from a group", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56), .family = V6, .spoil = make_source_group),
	ROW("echo, another address", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0800, .payload = 56), .family = V4, .spoil = make_other_address),
	ROW("echo, another address", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8000, .payload = 56), .family = V6, .spoil = make_other_address),
	ROW("echo reply", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMP, .icmp = 0x0000, .payload = 56), .family = V4),
	ROW("echo reply", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, ANY(.proto = IPPROTO_ICMPV6, .icmp = 0x8100, .payload = 56), .family = V6),
	ROW("no backend", EMPTY, FROM_CLIENT, SAME, LB_R_NO_BACKEND, TCP(.tcp_flags = TCP_SYN)),
	ROW("no backend, UDP", EMPTY, FROM_CLIENT, SAME, LB_R_NO_BACKEND, UDP(.payload = 1)),
	ROW("no backend, told", SHUT, FROM_CLIENT, TOLD, LB_R_REJECTED, TCP(.tcp_flags = TCP_SYN), .mtu = FRAME_NOBODY),
	ROW("no backend, told, UDP", SHUT, FROM_CLIENT, TOLD, LB_R_REJECTED, UDP(.payload = 700, .tags = 1), .mtu = FRAME_NOBODY),
	ROW("no backend, for many", SHUT, FROM_CLIENT, SAME, LB_R_NO_BACKEND, TCP(.tcp_flags = TCP_SYN), .spoil = make_for_many),
	ROW("not attached", FAR, FROM_CLIENT, SAME, LB_R_NOT_ATTACHED, TCP(.tcp_flags = TCP_SYN)),
	ROW("no route", HOLE, FROM_CLIENT, SAME, LB_R_NO_ROUTE, TCP(.tcp_flags = TCP_SYN)),
	ROW("this host itself", SELF, FROM_CLIENT, SAME, LB_R_NO_ROUTE, TCP(.tcp_flags = TCP_SYN)),
	ROW("this host itself, full NAT", SELF_FULL, FROM_CLIENT, SAME, LB_R_NO_ROUTE, TCP(.tcp_flags = TCP_SYN)),
	ROW("fits the MTU", SLIM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 40), .family = V4),
	ROW("one byte too many", SLIM, FROM_CLIENT, TOLD, LB_R_MTU_TOLD, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 39, .fragment = 0x4000), .family = V4, .mtu = CAST_MTU),
	ROW("one byte too many, options", SLIM, FROM_CLIENT, TOLD, LB_R_MTU_TOLD, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 79, .option_bytes = 40, .tags = 1, .fragment = 0x4000), .family = V4, .mtu = CAST_MTU),
	ROW("may be fragmented", SLIM, FROM_CLIENT, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 39), .family = V4),
	ROW("too large, for many", SLIM, FROM_CLIENT, SAME, LB_R_MTU_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU, .fragment = 0x4000), .family = V4, .spoil = make_for_many),
	ROW("too large, for many", SLIM, FROM_CLIENT, SAME, LB_R_MTU_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU), .family = V6, .spoil = make_for_many),
	ROW("fits the MTU", SLIM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 60, .tags = 2), .family = V6),
	ROW("one byte too many", SLIM, FROM_CLIENT, TOLD, LB_R_MTU_TOLD, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 59, .tags = 2), .family = V6, .mtu = CAST_MTU),
	ROW("to be resolved", LOST, FROM_CLIENT, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_SYN)),
	ROW("cannot be resolved", LOST_FULL, FROM_CLIENT, SAME, LB_R_NO_NEIGHBOUR, TCP(.tcp_flags = TCP_SYN)),
	ROW("no source", BARE, FROM_CLIENT, SAME, LB_R_NO_SOURCE, TCP(.tcp_flags = TCP_SYN), .before = drop_sources),
	ROW("forwarding off", NAT, FROM_CLIENT, SAME, LB_R_FORWARDING_OFF, TCP(.tcp_flags = TCP_SYN), .before = forwarding_off, .after = forwarding_on),
	ROW("forwarding on again", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN)),
	ROW("before its backend goes", GONE, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN),
	ROW("backend gone", GONE, FROM_CLIENT, SAME, LB_R_BACKEND_GONE, TCP(.tcp_flags = TCP_ACK), .before = remove_gone, .after = bring_back),
	ROW("back, opened anew", GONE, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN),
};
/* clang-format on */

const unsigned int packet_row_count = sizeof(packet_rows) / sizeof(packet_rows[0]);
