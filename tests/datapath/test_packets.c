// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of packets: what goes in, the reason, the action, and the whole frame that must come out,
 * built anew with full checksums. Every reason has its row here or its test below, in both families
 * where it exists; INTERNAL is excepted, since only a missing map entry could lead to it.
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/bpf.h>

#include "cast.h"

enum way { FROM_CLIENT, FROM_BACKEND };
enum becomes { SAME, BALANCED, REPLY, LEFT };
enum family { BOTH, V4, V6 };

struct row {
	const char *name;
	enum part part;
	enum way way;
	enum becomes becomes;
	enum lb_reason reason;
	struct spec in;	   /* what differs from the plain packet */
	enum family family;
	__u8 state;	   /* full NAT: of the flow, afterwards */
	bool is_strange;   /* the client is one whose link address nobody knows */
	bool is_to_host;   /* from a backend to the host itself */
	void (*before)(bool is_v6);
	void (*after)(bool is_v6);
	void (*spoil)(struct frame *frame, bool is_v6);
};

static struct world world;
static bool is_seen[LB_R_COUNT];

static void set_forwarding(bool is_v6, const char *value)
{
	world_sysctl(is_v6 ? "/proc/sys/net/ipv6/conf/c0/forwarding"
			   : "/proc/sys/net/ipv4/conf/c0/forwarding",
		     value);
	world_forget_hops(&world);
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

	world_commit(&world, config);
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

/* A total length that ends before the transport header does. */
static void shorten_length(struct frame *frame, bool is_v6)
{
	frame->data[frame->l3 + (is_v6 ? 5 : 3)] = is_v6 ? 0 : 19;
	frame->data[frame->l3 + (is_v6 ? 4 : 2)] = 0;
	/* With extension headers the payload ends inside them. */
}

#define TCP(...) { .proto = IPPROTO_TCP, __VA_ARGS__ }
#define UDP(...) { .proto = IPPROTO_UDP, __VA_ARGS__ }
#define HBH IPPROTO_HOPOPTS
#define RTG IPPROTO_ROUTING
#define DST IPPROTO_DSTOPTS
#define FRG IPPROTO_FRAGMENT

/* clang-format off */
static const struct row rows[] = {
	/* nat, forward */
	{ "nat SYN", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN) },
	{ "nat mid-stream", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 700) },
	{ "nat odd payload", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 701) },
	{ "nat full-sized", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 1440) },
	{ "nat FIN", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_FIN | TCP_ACK) },
	{ "nat RST", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_RST) },
	{ "nat UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33) },
	{ "nat UDP, again", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 34) },
	{ "nat UDP, empty", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 0) },
	{ "stateless UDP", PLAIN_UDP, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33) },
	{ "UDP without checksum", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 33, .is_unchecked = true), V4 },
	{ "UDP checksum becomes 0", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 32, .word = 1) },
	{ "one hop more than needed", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN, .ttl = 2) },
	{ "one tag", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .tags = 1, .payload = 9) },
	{ "two tags", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .tags = 2, .payload = 9) },
	{ "two tags, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.tags = 2, .payload = 9) },
	{ "options, 4 bytes", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 4), V4 },
	{ "options, 40 bytes, tag", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 40, .tags = 1, .payload = 5), V4 },
	{ "options, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.option_bytes = 24, .payload = 5), V4 },
	{ "hop-by-hop", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { HBH }, .chain_length = 1), V6 },
	{ "destination options, UDP", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 8, .chain = { DST }, .chain_length = 1), V6 },
	{ "routing", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { RTG }, .chain_length = 1), V6 },
	{ "six headers, two tags", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { HBH, DST, RTG, DST, RTG, DST }, .chain_length = 6, .tags = 2), V6 },
	{ "seven headers", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, TCP(.tcp_flags = TCP_ACK, .chain = { HBH, DST, RTG, DST, RTG, DST, DST }, .chain_length = 7), V6 },
	{ "first fragment", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 800, .fragment = 0x2000), V4 },
	{ "first fragment", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 800, .fragment = 1, .chain = { HBH, FRG }, .chain_length = 2), V6 },
	{ "later fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, UDP(.payload = 800, .fragment = 0x2064), V4 },
	{ "last fragment, options", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, UDP(.payload = 80, .fragment = 0x0064, .option_bytes = 8), V4 },
	{ "later fragment", NAT, FROM_CLIENT, SAME, LB_R_FRAGMENT, UDP(.payload = 800, .fragment = 801, .chain = { FRG }, .chain_length = 1), V6 },
	{ "one-armed", ONE_ARM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN) },
	/* nat, reply */
	{ "nat reply", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_SYN | TCP_ACK) },
	{ "nat reply, data", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 1201) },
	{ "nat reply, UDP", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 1201) },
	{ "nat reply, no checksum", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 1, .is_unchecked = true), V4 },
	{ "nat reply, sum 0", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 32, .word = 1) },
	{ "nat reply, two tags", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .tags = 2) },
	{ "nat reply, options", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 12), V4 },
	{ "nat reply, extension", NAT, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .chain = { DST }, .chain_length = 1), V6 },
	{ "nat reply, last hop", NAT, FROM_BACKEND, SAME, LB_R_TTL_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .ttl = 1) },
	{ "nat reply, to be resolved", NAT, FROM_BACKEND, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_ACK), .is_strange = true },
	/* full NAT, one connection from SYN to the second FIN */
	{ "fullnat unknown", FULL, FROM_CLIENT, SAME, LB_R_NO_FLOW, TCP(.tcp_flags = TCP_ACK) },
	{ "fullnat SYN", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN },
	{ "fullnat SYN again", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN },
	{ "fullnat SYN-ACK", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_SYN | TCP_ACK), .state = LB_FLOW_ANSWERED },
	{ "fullnat ACK", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat data", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 777), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat data, tags", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = 777, .tags = 2), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat data, options", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .option_bytes = 8), V4, LB_FLOW_ESTABLISHED },
	{ "fullnat data, extension", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .chain = { DST }, .chain_length = 1), V6, LB_FLOW_ESTABLISHED },
	{ "fullnat reply, data", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 1400), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat reply, tag", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .tags = 1), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat last hop", FULL, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .ttl = 1), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat reply, last hop", FULL, FROM_BACKEND, SAME, LB_R_TTL_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .ttl = 1), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat FIN", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_FIN | TCP_ACK), .state = LB_FLOW_CLIENT_FIN },
	{ "fullnat half-closed", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_ACK, .payload = 3), .state = LB_FLOW_CLIENT_FIN },
	{ "fullnat second FIN", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_FIN | TCP_ACK), .state = LB_FLOW_CLOSED },
	{ "fullnat last ACK", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK), .state = LB_FLOW_CLOSED },
	{ "fullnat opened anew", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN },
	{ "fullnat reset", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, TCP(.tcp_flags = TCP_RST | TCP_ACK), .state = LB_FLOW_CLOSED },
	{ "fullnat UDP", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 50), .state = LB_FLOW_SYN },
	{ "fullnat UDP, again", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 51), .state = LB_FLOW_SYN },
	{ "fullnat UDP, reply", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 52), .state = LB_FLOW_ANSWERED },
	{ "fullnat UDP, client goes on", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 53), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat UDP, no checksum", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 53, .is_unchecked = true), V4, LB_FLOW_ESTABLISHED },
	{ "fullnat UDP, sum 0", FULL, FROM_CLIENT, BALANCED, LB_R_FORWARDED, UDP(.payload = 54, .word = 1), .state = LB_FLOW_ESTABLISHED },
	{ "fullnat UDP, reply, sum 0", FULL, FROM_BACKEND, REPLY, LB_R_REPLIED, UDP(.payload = 54, .word = 1), .state = LB_FLOW_ESTABLISHED },
	{ "host's own, fullnat backend", FULL, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true },
	{ "host's own, nat backend", NAT, FROM_BACKEND, SAME, LB_R_HOST_REPLY, TCP(.tcp_flags = TCP_ACK, .dst_port = 45678), .is_to_host = true },
	/* what is not for a backend */
	{ "other port", NAT, FROM_CLIENT, SAME, LB_R_NOT_OURS, TCP(.tcp_flags = TCP_SYN, .dst_port = 81) },
	{ "not ours, last hop", NAT, FROM_CLIENT, SAME, LB_R_NOT_OURS, UDP(.dst_port = 81, .ttl = 1) },
	{ "other protocol", NAT, FROM_CLIENT, SAME, LB_R_OTHER_PROTOCOL, { .proto = IPPROTO_SCTP, .payload = 20 } },
	{ "other type", NAT, FROM_CLIENT, SAME, LB_R_NOT_IP, TCP(.tcp_flags = TCP_SYN), .spoil = make_ethertype },
	{ "wrong header", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN), .spoil = shorten_header },
	{ "wrong length", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN), V4, .spoil = shorten_length },
	{ "wrong length", NAT, FROM_CLIENT, SAME, LB_R_MALFORMED, TCP(.tcp_flags = TCP_SYN, .chain = { DST }, .chain_length = 1), V6, .spoil = shorten_length },
	{ "mapped source", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, TCP(.tcp_flags = TCP_SYN), V6, .spoil = map_source },
	{ "mapped destination", NAT, FROM_CLIENT, SAME, LB_R_MAPPED_V6, UDP(.payload = 4, .tags = 1), V6, .spoil = map_destination },
	/* what cannot be forwarded */
	{ "last hop", NAT, FROM_CLIENT, SAME, LB_R_TTL_EXCEEDED, TCP(.tcp_flags = TCP_SYN, .ttl = 1) },
	{ "no backend", EMPTY, FROM_CLIENT, SAME, LB_R_NO_BACKEND, TCP(.tcp_flags = TCP_SYN) },
	{ "no backend, UDP", EMPTY, FROM_CLIENT, SAME, LB_R_NO_BACKEND, UDP(.payload = 1) },
	{ "not attached", FAR, FROM_CLIENT, SAME, LB_R_NOT_ATTACHED, TCP(.tcp_flags = TCP_SYN) },
	{ "no route", HOLE, FROM_CLIENT, SAME, LB_R_NO_ROUTE, TCP(.tcp_flags = TCP_SYN) },
	{ "fits the MTU", SLIM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 40), V4 },
	{ "one byte too many", SLIM, FROM_CLIENT, SAME, LB_R_MTU_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 39), V4 },
	{ "fits the MTU", SLIM, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 60, .tags = 2), V6 },
	{ "one byte too many", SLIM, FROM_CLIENT, SAME, LB_R_MTU_EXCEEDED, TCP(.tcp_flags = TCP_ACK, .payload = CAST_MTU - 59, .tags = 2), V6 },
	{ "to be resolved", LOST, FROM_CLIENT, LEFT, LB_R_LEFT_TO_KERNEL, TCP(.tcp_flags = TCP_SYN) },
	{ "cannot be resolved", LOST_FULL, FROM_CLIENT, SAME, LB_R_NO_NEIGHBOUR, TCP(.tcp_flags = TCP_SYN) },
	{ "no source", BARE, FROM_CLIENT, SAME, LB_R_NO_SOURCE, TCP(.tcp_flags = TCP_SYN), .before = drop_sources },
	{ "forwarding off", NAT, FROM_CLIENT, SAME, LB_R_FORWARDING_OFF, TCP(.tcp_flags = TCP_SYN), .before = forwarding_off, .after = forwarding_on },
	{ "forwarding on again", NAT, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN) },
	{ "before its backend goes", GONE, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN },
	{ "backend gone", GONE, FROM_CLIENT, SAME, LB_R_BACKEND_GONE, TCP(.tcp_flags = TCP_ACK), .before = remove_gone, .after = bring_back },
	{ "back, opened anew", GONE, FROM_CLIENT, BALANCED, LB_R_FORWARDED, TCP(.tcp_flags = TCP_SYN), .state = LB_FLOW_SYN },
};
/* clang-format on */

struct wanted {
	union lb_addr client;
	__u16 client_port;
	__u8 proto;
	bool is_found;
	__u16 source_port;
	union lb_addr source;
	__u8 state;
};

static int note_flow(const struct lb_flow_info *flow, void *arg)
{
	struct wanted *wanted = arg;

	if (flow->proto == wanted->proto && flow->client_port == wanted->client_port &&
	    flow->mode == LB_MODE_FULLNAT && lb_addr_is_equal(&flow->client, &wanted->client)) {
		assert_false(wanted->is_found); /* one flow, one entry that shows it */
		wanted->is_found = true;
		wanted->source_port = flow->source_port;
		wanted->source = flow->source;
		wanted->state = flow->state;
	}
	return 0;
}

static struct wanted find_flow(__u8 proto, __u16 client_port, bool is_v6)
{
	struct wanted wanted = {
		.client = world_addr(cast_client[is_v6]),
		.client_port = client_port,
		.proto = proto,
	};

	assert_int_equal(lb_walk_flows(world.lb, note_flow, &wanted, NULL), 0);
	return wanted;
}

static void set_client_port(const struct row *row, struct spec *spec)
{
	__u16 *port = row->way == FROM_CLIENT ? &spec->src_port : &spec->dst_port;

	if (!*port)
		*port = CAST_CLIENT_PORT + row->part;
}

/* The packet as it comes in. */
static void describe_input(const struct row *row, bool is_v6, struct spec *in)
{
	const char *client = (row->is_strange ? cast_stranger : cast_client)[is_v6];
	const bool is_back = row->way == FROM_BACKEND;

	*in = row->in;
	in->is_v6 = is_v6;
	in->ttl = in->ttl ?: 64;
	set_client_port(row, in);
	memcpy(in->eth_dst, is_back ? world.backend.mac : world.client.mac, 6);
	memcpy(in->eth_src, is_back ? world_backend_mac : world_client_mac, 6);
	if (!is_back) {
		in->src = world_addr(client);
		in->dst = world_addr(cast_vip(row->part, is_v6));
		in->dst_port = in->dst_port ?: CAST_SERVICE_PORT;
		return;
	}
	in->src = world_addr(cast_backend(row->part, is_v6));
	in->src_port = CAST_BACKEND_PORT;
	in->dst = world_addr(row->is_to_host ? cast_source[is_v6] : client);
	if (row->part == FULL && !row->is_to_host) {
		const struct wanted flow = find_flow(in->proto, in->dst_port, is_v6);

		assert_true(flow.is_found);
		in->dst = flow.source;
		in->dst_port = flow.source_port;
	}
}

/* The packet as it must go out. Full NAT's choice of a port is read from the flow table. */
static void describe_output(const struct row *row, const struct spec *in, struct spec *out)
{
	const bool is_back = row->way == FROM_BACKEND;
	const bool is_full = row->part == FULL || row->part == GONE;
	const struct world_port *egress =
		is_back || row->part == ONE_ARM ? &world.client : &world.backend;
	struct spec client = *row->in.proto ? (struct spec){} : (struct spec){};

	(void)client;
	*out = *in;
	out->ttl--;
	if (row->becomes != LEFT) {
		memcpy(out->eth_src, egress->mac, 6);
		memcpy(out->eth_dst, is_back ? world_client_mac : world_backend_mac, 6);
	}
	if (is_back) {
		out->src = world_addr(cast_vip(row->part, in->is_v6));
		out->src_port = CAST_SERVICE_PORT;
		if (is_full) {
			out->dst = world_addr(cast_client[in->is_v6]);
			out->dst_port = CAST_CLIENT_PORT + row->part;
		}
		return;
	}
	out->dst = world_addr(cast_backend(row->part, in->is_v6));
	out->dst_port = CAST_BACKEND_PORT;
	if (is_full) {
		const struct wanted flow = find_flow(in->proto, in->src_port, in->is_v6);

		assert_true(flow.is_found);
		out->src = world_addr(cast_source[in->is_v6]);
		out->src_port = flow.source_port;
	}
}
