// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of packets through the loaded program: the reason, the action, and the whole frame that
 * must come out, built anew with full checksums. Every reason is met here, in both families where
 * it exists; INTERNAL is excepted, since only a missing map entry could lead to it.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "packet.h"

#define FLOOD 3000 /* more than any number of CPUs may tell at once */

static bool is_seen[LB_R_COUNT];
static char at_row[128]; /* for the message when a row fails */

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

	*out = *in;
	if (row->becomes == ECHOED) {
		out->ttl = 64;
		out->src = in->dst;
		out->dst = in->src;
		out->icmp = in->is_v6 ? 0x8100 : 0;
		memcpy(out->eth_src, in->eth_dst, 6);
		memcpy(out->eth_dst, in->eth_src, 6);
		return;
	}
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

static int wanted_action(const struct row *row)
{
	switch (lb_reason_verdict(row->reason)) {
	case LB_SENT:
		return row->part == ONE_ARM || row->becomes == ECHOED || row->becomes == TOLD
			       ? XDP_TX
			       : XDP_REDIRECT;
	case LB_PASSED:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

/* Runs one frame and asserts that just this reason was counted, once. */
static int run_counted(const struct world_port *port, const struct frame *in, struct frame *out,
		       enum lb_reason reason)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT];
	const __u64 received = world_reasons(before);
	const int action = world_run(port, in, out);

	assert_int_equal(world_reasons(after), received + 1);
	for (int i = 1; i < LB_R_COUNT; i++)
		if (after[i] != before[i] + (i == (int)reason))
			fail_msg("counted %s by %lld, wanted %s", lb_reason_name(i),
				 (long long)(after[i] - before[i]), lb_reason_name(reason));
	is_seen[reason] = true;
	return action;
}

static void assert_same_frame(const struct frame *got, const struct frame *wanted)
{
	if (got->length == wanted->length && !memcmp(got->data, wanted->data, got->length))
		return;
	frame_print_difference(got, wanted);
	fail_msg("the frame is not the one that must come out");
}

/* An error about what was sent against flow's packet, whose sender was told by from. */
static void wrap(const struct row *row, const struct spec *flow, const union lb_addr *from,
		 __u32 padding, struct frame *out)
{
	struct spec inner = *flow, outer = *flow;
	struct frame quoted;
	__u32 length;

	inner.src = flow->dst;
	inner.dst = flow->src;
	inner.src_port = flow->dst_port;
	inner.dst_port = flow->src_port;
	inner.tags = 0;
	inner.ttl = 57;
	frame_build(&inner, &quoted);
	length = row->quote ? quoted.l4 - quoted.l3 + row->quote : quoted.length - quoted.l3;
	outer.src = *from;
	outer.proto = flow->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	outer.option_bytes = outer.chain_length = 0;
	frame_build_quote(&outer, &quoted, length, padding, out);
}

static void wrap_both(const struct row *row, const struct spec *input, const struct spec *output,
		      __u32 padding, struct frame *in, struct frame *wanted)
{
	const union lb_addr router = world_addr(cast_router[input->is_v6]);

	wrap(row, input, &router, padding, in);
	wrap(row, output, lb_addr_is_equal(&input->src, &output->src) ? &router : &output->src,
	     padding, wanted);
}

/* A later fragment gets new addresses; what is in it stays. */
static void build_piece(const struct spec *output, const struct frame *in, struct frame *out)
{
	frame_build(output, out);
	memcpy(out->data + out->l4, in->data + in->l4, in->length - in->l4);
}

static void run_row(const struct row *row, bool is_v6)
{
	const struct world_port *port = row->way == FROM_CLIENT ? &world.client : &world.backend;
	struct frame in, out, wanted;
	struct spec input, output;

	describe_input(row, is_v6, &input);
	if (row->is_sum_zero) {
		describe_output(row, &input, &output);
		frame_make_sum_zero(&output);
		input.word = output.word;
	}
	frame_build(&input, &in);
	if (row->becomes == QUOTED) {
		if (lb_reason_verdict(row->reason) == LB_SENT)
			describe_output(row, &input, &output);
		else
			output = input;
		wrap_both(row, &input, &output, 0, &in, &wanted);
	}
	if (row->spoil)
		row->spoil(&in, is_v6);
	assert_int_equal(run_counted(port, &in, &out, row->reason), wanted_action(row));
	if (row->becomes != QUOTED)
		wanted = in;
	if (row->becomes == QUOTED && lb_reason_verdict(row->reason) != LB_SENT) {
		wanted = in;
	} else if (row->becomes == QUOTED) {
		assert_true(frame_is_sound(&out, is_v6, is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP));
	} else if (row->becomes == PIECE) {
		describe_output(row, &input, &output);
		build_piece(&output, &in, &wanted);
	} else if (row->becomes == TOLD) {
		const union lb_addr vip = world_addr(cast_vip(row->part, is_v6));

		out.l4 = in.l3 + (is_v6 ? 40 : 20);
		frame_build_error(&in, is_v6, row->part == FULL ? &input.dst : &vip, row->mtu,
				  &wanted);
		assert_true(frame_is_sound(&out, is_v6, is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP));
	} else if (row->becomes != SAME) {
		describe_output(row, &input, &output);
		frame_build(&output, &wanted);
		assert_true(frame_is_sound(&out, is_v6, input.proto));
	}
	if (row->is_sum_zero)
		assert_memory_equal(wanted.data + wanted.l4 + 6, "\xff\xff", 2);
	assert_same_frame(&out, &wanted);
	if (row->state)
		assert_int_equal(find_flow(input.proto, CAST_CLIENT_PORT + row->part, is_v6).state,
				 row->state);
}

static void test_table(void **state)
{
	unsigned int count = 0;

	(void)state;
	for (unsigned int i = 0; i < packet_row_count; i++) {
		const struct row *row = &packet_rows[i];

		for (int is_v6 = 0; is_v6 < 2; is_v6++) {
			if (row->family == (is_v6 ? V4 : V6))
				continue;
			snprintf(at_row, sizeof(at_row), "%s, IPv%d, wanted %s", row->name,
				 is_v6 ? 6 : 4, lb_reason_name(row->reason));
			if (row->before)
				row->before(is_v6);
			run_row(row, is_v6);
			if (row->after)
				row->after(is_v6);
			count++;
		}
	}
	at_row[0] = '\0';
	printf("%u packets\n", count);
}

static int tell_row(void **state)
{
	(void)state;
	if (at_row[0])
		printf("in row: %s\n", at_row);
	return 0;
}

/* Until a CPU may make its full share of ICMP errors again. */
static void await_budget(void)
{
	usleep(150000);
}

/* Every length short of the transport header's end is malformed, and left as it is. */
static void test_cuts(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2 * 2 * 3; kind++) {
		struct row row = { .part = NAT, .in = { .tcp_flags = TCP_ACK, .payload = 12 } };
		const bool is_v6 = kind & 1;
		struct frame in, out;
		struct spec spec;
		__u32 full;

		row.in.proto = kind & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		row.in.tags = kind / 4;
		row.in.option_bytes = is_v6 ? 0 : 8 * row.in.tags;
		row.in.chain_length = is_v6 ? row.in.tags : 0;
		row.in.chain[0] = IPPROTO_HOPOPTS;
		row.in.chain[1] = IPPROTO_DSTOPTS;
		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		full = in.l4 + (kind & 2 ? 20 : 8);
		for (in.length = 14; in.length < full; in.length++) {
			assert_int_equal(run_counted(&world.client, &in, &out, LB_R_MALFORMED),
					 XDP_PASS);
			assert_same_frame(&out, &in);
		}
	}
}

/* An error quotes what is there of the packet, whatever its header says, and no padding. */
static void test_error_cuts(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2 * 3; kind++) {
		const struct row row = {
			.part = NAT,
			.in = { .proto = IPPROTO_UDP, .payload = 41, .tags = kind / 2, .ttl = 1 }
		};
		const bool is_v6 = kind & 1;
		struct frame in, out, wanted;
		struct spec spec;
		__u32 full;

		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		full = in.length;
		for (in.length = in.l4 + 8; in.length < full + 8; in.length++) {
			frame_build_error(&in, is_v6, &spec.dst, 0, &wanted);
			assert_int_equal(run_counted(&world.client, &in, &out, LB_R_TTL_TOLD),
					 XDP_TX);
			assert_same_frame(&out, &wanted);
		}
		await_budget();
	}
}

/* An echo request is answered when its header is whole, a packet cut before that is not. */
static void test_echo_cuts(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2 * 3; kind++) {
		const bool is_v6 = kind & 1;
		const struct row row = { .part = NAT,
					 .becomes = ECHOED,
					 .in = { .proto = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
						 .icmp = is_v6 ? 0x8000 : 0x0800,
						 .tags = kind / 2,
						 .payload = 12 } };
		struct frame in, out, wanted;
		struct spec spec, answer;
		__u32 full;

		describe_input(&row, is_v6, &spec);
		describe_output(&row, &spec, &answer);
		frame_build(&spec, &in);
		frame_build(&answer, &wanted);
		full = in.length;
		for (in.length = in.l4; in.length < full; in.length++) {
			const bool is_whole = in.length >= in.l4 + 8;

			wanted.length = in.length;
			assert_int_equal(
				run_counted(&world.client, &in, &out,
					    is_whole ? LB_R_ECHO_REPLY : LB_R_OTHER_PROTOCOL),
				is_whole ? XDP_TX : XDP_PASS);
			assert_same_frame(&out, is_whole ? &wanted : &in);
		}
		world_set_ping(false);
		assert_int_equal(run_counted(&world.client, &in, &out, LB_R_OTHER_PROTOCOL),
				 XDP_PASS);
		assert_same_frame(&out, &in);
		world_set_ping(true);
	}
}

/* Only so many errors at once, and more of them later. */
static void test_errors_are_limited(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		const struct row row = { .part = NAT,
					 .in = { .proto = IPPROTO_UDP, .payload = 4, .ttl = 1 } };
		__u64 before[LB_R_COUNT], after[LB_R_COUNT];
		struct frame in, out;
		struct spec spec;

		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		await_budget();
		world_reasons(before);
		for (int i = 0; i < FLOOD; i++)
			world_run(&world.client, &in, &out);
		world_reasons(after);
		is_seen[LB_R_ICMP_LIMITED] = after[LB_R_ICMP_LIMITED] > before[LB_R_ICMP_LIMITED];
		assert_true(is_seen[LB_R_ICMP_LIMITED]);
		assert_true(after[LB_R_TTL_TOLD] - before[LB_R_TTL_TOLD] >= 100);
		assert_int_equal(after[LB_R_TTL_TOLD] + after[LB_R_ICMP_LIMITED],
				 before[LB_R_TTL_TOLD] + before[LB_R_ICMP_LIMITED] + FLOOD);
		await_budget();
		assert_int_equal(run_counted(&world.client, &in, &out, LB_R_TTL_TOLD), XDP_TX);
	}
}

static void run_quote(const struct row *row, bool is_v6, __u32 padding)
{
	const struct world_port *port = row->way == FROM_CLIENT ? &world.client : &world.backend;
	struct frame in, out, wanted;
	struct spec input, output;

	describe_input(row, is_v6, &input);
	describe_output(row, &input, &output);
	wrap_both(row, &input, &output, padding, &in, &wanted);
	assert_int_equal(run_counted(port, &in, &out, row->reason), wanted_action(row));
	assert_same_frame(&out, lb_reason_verdict(row->reason) == LB_SENT ? &wanted : &in);
}

/*
 * Quotes of every length, with and without Ethernet's padding: from 8 bytes of transport on they
 * are sent on, and what is not quoted is not written.
 */
static void test_quote_cuts(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2 * 2 * 2 * 3; kind++) {
		const bool is_v6 = kind & 1;
		struct row row = { .part = NAT,
				   .way = kind & 2 ? FROM_CLIENT : FROM_BACKEND,
				   .becomes = QUOTED,
				   .in = { .proto = kind & 4 ? IPPROTO_TCP : IPPROTO_UDP,
					   .icmp = is_v6 ? 0x0100 : 0x0303,
					   .tcp_flags = TCP_ACK,
					   .payload = 11,
					   .tags = kind / 8 } };

		for (row.quote = 1; row.quote < (kind & 4 ? 20 : 8) + 11u; row.quote++) {
			row.reason = row.quote < 8	      ? LB_R_OTHER_PROTOCOL
				     : row.way == FROM_CLIENT ? LB_R_ICMP_FORWARDED
							      : LB_R_ICMP_REPLIED;
			if (kind & 4 && row.quote == 17)
				continue; /* half of the checksum stays half of the old one */
			run_quote(&row, is_v6, 0);
			run_quote(&row, is_v6, 24);
		}
	}
}

/* Fragments that follow a noted first one, cut at every length: the headers are enough. */
static void test_piece_cuts(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2 * 3; kind++) {
		const bool is_v6 = kind & 1;
		struct row row = { .part = NAT,
				   .becomes = PIECE,
				   .in = { .proto = IPPROTO_UDP,
					   .payload = 16,
					   .tags = kind / 2,
					   .chain = { IPPROTO_FRAGMENT },
					   .chain_length = is_v6,
					   .fragment = is_v6 ? 1 : 0x2000 } };
		struct frame in, out, wanted;
		struct spec spec, output;
		__u32 full;

		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		assert_int_equal(run_counted(&world.client, &in, &out, LB_R_FORWARDED),
				 XDP_REDIRECT);
		spec.fragment = is_v6 ? 24 : 3;
		describe_output(&row, &spec, &output);
		frame_build(&spec, &in);
		build_piece(&output, &in, &wanted);
		full = in.length;
		for (in.length = in.l3; in.length < full; in.length++) {
			const bool is_whole = in.length >= in.l4;

			wanted.length = in.length;
			assert_int_equal(
				run_counted(&world.client, &in, &out,
					    is_whole ? LB_R_FRAGMENT_FORWARDED : LB_R_MALFORMED),
				is_whole ? XDP_REDIRECT : XDP_PASS);
			assert_same_frame(&out, is_whole ? &wanted : &in);
		}
	}
}

static void ask(enum lb_reason reason, const struct frame *question, const struct frame *answer)
{
	struct frame out;

	assert_int_equal(run_counted(&world.client, question, &out, reason),
			 reason == LB_R_ARP_REPLY    ? XDP_TX
			 : reason == LB_R_ARP_HIDDEN ? XDP_DROP
						     : XDP_PASS);
	assert_same_frame(&out, answer);
}

/* Runs the filter behind XDP as if the frame had just been passed up. */
static int run_filter(const struct frame *in)
{
	struct __sk_buff ctx = { .ifindex = world.client.ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->length,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)world.client.ifindex,
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, query, .handle = 1, .priority = 50);
	int fd;

	assert_int_equal(bpf_tc_query(&hook, &query), 0);
	fd = bpf_prog_get_fd_by_id(query.prog_id);
	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	close(fd);
	return (int)opts.retval;
}

/*
 * Nobody listens here: what would open a connection is dropped and its count takes the place of the
 * one that XDP made; the kernel resets what belongs to none, and sees what is not a service's.
 */
static void test_no_listener(void **state)
{
	static const struct {
		enum part part;
		__u8 proto, flags;
		bool is_dropped;
	} kinds[] = {
		{ LOCAL, IPPROTO_TCP, TCP_SYN, true },
		{ LOCAL, IPPROTO_UDP, 0, true },
		{ LOCAL, IPPROTO_TCP, TCP_ACK, false },
	};

	(void)state;
	for (size_t kind = 0; kind < 2 * sizeof(kinds) / sizeof(kinds[0]); kind++) {
		const bool is_v6 = kind & 1, is_dropped = kinds[kind / 2].is_dropped;
		const struct row row = {
			.part = kinds[kind / 2].part,
			.in = { .proto = kinds[kind / 2].proto,
				.tcp_flags = kinds[kind / 2].flags,
				.src_port = 6000,
				.payload = 9 },
		};
		__u64 before[LB_R_COUNT], after[LB_R_COUNT];
		struct frame in, out;
		struct spec spec;

		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		run_counted(&world.client, &in, &out, LB_R_LOCAL);
		world_reasons(before);
		assert_int_equal(run_filter(&in), is_dropped ? TC_ACT_SHOT : TC_ACT_UNSPEC);
		world_reasons(after);
		assert_int_equal(after[LB_R_NO_LISTENER], before[LB_R_NO_LISTENER] + is_dropped);
		assert_int_equal(after[LB_R_LOCAL], before[LB_R_LOCAL] - is_dropped);
		is_seen[LB_R_NO_LISTENER] |= is_dropped;
		/* The same to an address that is no service's. */
		spec.dst = world_addr(is_v6 ? "2001:db8::99" : "203.0.113.99");
		frame_build(&spec, &in);
		assert_int_equal(run_filter(&in), TC_ACT_UNSPEC);
	}
}

/* Answers for services' addresses, and only where 'arp on' asked for it. */
static void test_neighbours(void **state)
{
	const union lb_addr vip4 = world_addr(cast_vip(NAT, false)),
			    vip6 = world_addr(cast_vip(NAT, true));
	const union lb_addr me4 = world_addr(cast_client[0]), me6 = world_addr(cast_client[1]);
	const union lb_addr other4 = world_addr("203.0.113.99"),
			    other6 = world_addr("2001:db8::99");
	const union lb_addr local4 = world_addr(cast_vip(LOCAL, false));
	struct frame arp, arp_answer, arp_other, arp_local, nd, nd_answer, nd_other;

	(void)state;
	frame_build_arp(world_client_mac, me4.words[3], vip4.words[3], &arp);
	frame_build_arp(world_client_mac, me4.words[3], other4.words[3], &arp_other);
	frame_build_arp_answer(world_client_mac, world.client.mac, me4.words[3], vip4.words[3],
			       &arp_answer);
	frame_build_solicit(world_client_mac, &me6, &vip6, &nd);
	frame_build_solicit(world_client_mac, &me6, &other6, &nd_other);
	frame_build_advert(world_client_mac, world.client.mac, &me6, &vip6, &nd_answer);
	ask(LB_R_NOT_IP, &arp, &arp);
	ask(LB_R_OTHER_PROTOCOL, &nd, &nd);
	/* The kernel would answer for this one, since lbctl made it the host's. */
	frame_build_arp(world_client_mac, me4.words[3], local4.words[3], &arp_local);
	ask(LB_R_ARP_HIDDEN, &arp_local, &arp_local);
	world_set_arp(true);
	frame_build_arp_answer(world_client_mac, world.client.mac, me4.words[3], local4.words[3],
			       &arp_other);
	ask(LB_R_ARP_REPLY, &arp_local, &arp_other);
	frame_build_arp(world_client_mac, me4.words[3], other4.words[3], &arp_other);
	ask(LB_R_ARP_REPLY, &arp, &arp_answer);
	ask(LB_R_ARP_REPLY, &nd, &nd_answer);
	ask(LB_R_NOT_IP, &arp_other, &arp_other);
	ask(LB_R_OTHER_PROTOCOL, &nd_other, &nd_other);
	for (__u32 length = 14; length < 42; length++) {
		struct frame cut = arp;

		cut.length = length;
		ask(LB_R_NOT_IP, &cut, &cut);
	}
	nd.data[nd.l3 + 7] = 254; /* came through a router: a forgery (RFC 4861, 7.1.1) */
	ask(LB_R_OTHER_PROTOCOL, &nd, &nd);
	world_set_arp(false);
	ask(LB_R_NOT_IP, &arp, &arp);
}

/* Opens one full-NAT connection of the FULL service through its three packets. */
static int establish(__u16 client_port, bool is_v6, enum lb_reason reason)
{
	struct row row = { .part = FULL, .in = { .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN } };
	struct frame in, out;
	struct spec spec;
	int action;

	row.in.src_port = client_port;
	describe_input(&row, is_v6, &spec);
	frame_build(&spec, &in);
	action = reason == LB_R_NONE ? world_run(&world.client, &in, &out)
				     : run_counted(&world.client, &in, &out, reason);
	if (action != XDP_REDIRECT)
		return action;
	row.way = FROM_BACKEND;
	row.in = (struct spec){ .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN | TCP_ACK };
	row.in.dst_port = client_port;
	describe_input(&row, is_v6, &spec);
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.backend, &in, &out), XDP_REDIRECT);
	row.way = FROM_CLIENT;
	row.in = (struct spec){ .proto = IPPROTO_TCP, .tcp_flags = TCP_ACK };
	row.in.src_port = client_port;
	describe_input(&row, is_v6, &spec);
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
	return action;
}

/* A client whose packets begin to come from another router gets its replies by that one. */
static void test_client_moves(void **state)
{
	static const __u8 router[] = { 0x02, 0, 0, 0, 0x0c, 0x99 };

	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct row row = { .part = FULL };
		struct frame in, out;
		struct spec spec;

		assert_int_equal(establish(5000, is_v6, LB_R_FORWARDED), XDP_REDIRECT);
		row.in = (struct spec){ .proto = IPPROTO_TCP, .tcp_flags = TCP_ACK };
		row.in.src_port = 5000;
		describe_input(&row, is_v6, &spec);
		memcpy(spec.eth_src, router, sizeof(router));
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		row.way = FROM_BACKEND;
		row.in.src_port = 0;
		row.in.dst_port = 5000;
		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.backend, &in, &out), XDP_REDIRECT);
		assert_memory_equal(out.data, router, sizeof(router));
	}
}

/* The same link address, but by the other interface: replies leave by that one. */
static void test_client_changes_interface(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct row row = { .part = FULL };
		struct frame in, out;
		struct spec spec;

		assert_int_equal(establish(5100, is_v6, LB_R_FORWARDED), XDP_REDIRECT);
		row.in = (struct spec){ .proto = IPPROTO_TCP, .tcp_flags = TCP_ACK };
		row.in.src_port = 5100;
		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.backend, &in, &out), XDP_TX);
		row.way = FROM_BACKEND;
		row.in.src_port = 0;
		row.in.dst_port = 5100;
		describe_input(&row, is_v6, &spec);
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.backend, &in, &out), XDP_TX);
		assert_memory_equal(out.data, world_client_mac, 6);
		assert_memory_equal(out.data + 6, world.backend.mac, 6);
	}
}

static __u64 count_connections(enum part part, bool is_v6)
{
	const union lb_addr addr = world_addr(cast_backend(part, is_v6));
	struct lb_stats *stats;
	__u64 connections = 0;

	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	for (unsigned int i = 0; i < stats->service_count; i++)
		for (unsigned int b = 0; b < stats->services[i].backend_count; b++) {
			const struct lb_backend_state *backend = &stats->services[i].backends[b];

			if (lb_addr_is_equal(&backend->config.addr, &addr))
				connections += backend->traffic.connections;
		}
	lb_stats_free(stats);
	return connections;
}

/* A connection counts once, whatever packets follow the first. */
static void test_connections_are_counted(void **state)
{
	static const enum part both[] = { NAT, FULL };

	(void)state;
	for (int i = 0; i < 4; i++) {
		const bool is_v6 = i & 1;
		const enum part part = both[i / 2];
		const __u64 before = count_connections(part, is_v6);
		struct row row = { .part = part, .in = { .proto = IPPROTO_TCP } };
		struct frame in, out;
		struct spec spec;

		row.in.src_port = 5200;
		for (int packet = 0; packet < 3; packet++) {
			row.in.tcp_flags = packet ? TCP_ACK : TCP_SYN;
			describe_input(&row, is_v6, &spec);
			frame_build(&spec, &in);
			assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		}
		assert_int_equal(count_connections(part, is_v6), before + 1);
	}
}

static void reopen(const char *port_range)
{
	struct lb_config *config = cast_config(false);

	world_close();
	world_sysctl("/proc/sys/net/ipv4/ip_local_port_range", port_range);
	config->limits.flows = 1024;
	world_open(config);
	lb_config_free(config);
}

/* The host's own range leaves two ports: the third connection to a backend finds none. */
static void test_ports_full(void **state)
{
	(void)state;
	reopen("1025 65534");
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		assert_int_equal(establish(5001, is_v6, LB_R_FORWARDED), XDP_REDIRECT);
		assert_int_equal(establish(5002, is_v6, LB_R_FORWARDED), XDP_REDIRECT);
		assert_int_equal(establish(5003, is_v6, LB_R_PORTS_FULL), XDP_DROP);
	}
}

static int open_half(__u16 client_port, bool is_v6)
{
	struct row row = { .part = FULL, .in = { .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN } };
	struct frame in, out;
	struct spec spec;

	row.in.src_port = client_port;
	describe_input(&row, is_v6, &spec);
	frame_build(&spec, &in);
	return world_run(&world.client, &in, &out);
}

static unsigned int count_forward_flows(void)
{
	unsigned int flows = 0;

	for (__u32 i = 0; i < world.lb->meta->flows; i++)
		flows += world.lb->flows[i].tag > LB_FLOW_BUSY &&
			 world.lb->flows[i].kind == LB_FLOW_FORWARD;
	return flows;
}

/* A half-open flow gives its port away when no other is found, and not before. */
static void test_half_open_gives_its_port(void **state)
{
	(void)state;
	reopen("1025 65534");
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		for (__u16 port = 5001; port < 5010; port++)
			assert_int_equal(open_half(port, is_v6), XDP_REDIRECT);
		assert_int_equal(count_forward_flows(), 2 * (is_v6 + 1));
	}
	reopen("1151 65534"); /* 128 ports */
	for (int is_v6 = 0; is_v6 < 2; is_v6++)
		for (__u16 port = 5001; port < 5031; port++)
			assert_int_equal(open_half(port, is_v6), XDP_REDIRECT);
	assert_int_equal(count_forward_flows(), 60);
}

/* No port is left at all: none of the host's is taken. */
static void test_no_ports(void **state)
{
	(void)state;
	reopen("1024 65535");
	for (int is_v6 = 0; is_v6 < 2; is_v6++)
		assert_int_equal(establish(5001, is_v6, LB_R_PORTS_FULL), XDP_DROP);
}

static void test_flows_full(void **state)
{
	(void)state;
	reopen("32768 60999");
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		__u64 reasons[LB_R_COUNT];
		__u16 port = 1024;

		do
			world_reasons(reasons);
		while (!reasons[LB_R_FLOWS_FULL] &&
		       establish(port++, is_v6, LB_R_NONE) == XDP_REDIRECT && port < 2048);
		world_reasons(reasons);
		assert_true(reasons[LB_R_FLOWS_FULL] > 0);
		is_seen[LB_R_FLOWS_FULL] = true;
		reopen("32768 60999");
	}
}

/* Of the role of a backend, which test_agent meets, and those that a test run cannot. */
static bool is_elsewhere(int reason)
{
	return (reason >= LB_R_UNWRAPPED && reason <= LB_R_TUNNEL_ECN) || reason == LB_R_INTERNAL ||
	       reason == LB_R_NO_HEADROOM;
}

static void commit_cached(bool is_on)
{
	struct lb_config *config = cast_config(false);

	for (unsigned int i = 0; i < config->service_count; i++) {
		struct lb_service_config *service = &config->services[i];

		for (int is_v6 = 0; is_v6 < 2; is_v6++) {
			const union lb_addr vip = world_addr(cast_vip(NAT, is_v6));

			if (service->proto == IPPROTO_TCP && lb_addr_is_equal(&service->vip, &vip))
				service->cache.is_on = is_on;
		}
	}
	world_commit(config);
	lb_config_free(config);
}

/* A socket as lbcache's first thread has one. */
static int offer_listener(bool is_v6)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		is_v6 ? bind(fd, (void *)&v6, sizeof(v6)) : bind(fd, (void *)&v4, sizeof(v4)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(lb_cache_offer(world.lb, 0, is_v6, fd, NULL), 0);
	return fd;
}

/* age_ms: of the thread's last sign of life. */
static void run_cached(bool is_v6, __u8 flags, __u16 port, __u32 age_ms, enum lb_reason reason)
{
	const struct row row = {
		.part = NAT,
		.in = { .proto = IPPROTO_TCP, .tcp_flags = flags, .src_port = port, .payload = 9 },
	};
	struct frame in, out;
	struct timespec now;
	struct spec spec;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	world.lb->cache->thread[0].seen_ns =
		(__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec - age_ms * 1000000ull;
	describe_input(&row, is_v6, &spec);
	frame_build(&spec, &in);
	assert_int_equal(run_counted(&world.client, &in, &out, reason),
			 reason == LB_R_CACHED ? XDP_PASS : XDP_REDIRECT);
	/* What the kernel is to take must be as it came. */
	if (reason == LB_R_CACHED) {
		assert_int_equal(out.length, in.length);
		assert_memory_equal(out.data, in.data, in.length);
	}
}

static void test_cached(void **state)
{
	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct lb_cache *cache = world.lb->cache;
		int fd;

		commit_cached(true);
		cache = world.lb->cache;
		run_cached(is_v6, TCP_SYN, 7000, 0, LB_R_FORWARDED); /* nobody there */
		fd = offer_listener(is_v6);
		run_cached(is_v6, TCP_SYN, 7001, 0, LB_R_FORWARDED); /* not ready yet */
		cache->threads = 1;
		run_cached(is_v6, TCP_SYN, 7002, 0, LB_R_CACHED);
		run_cached(is_v6, TCP_SYN, 7002, 1000, LB_R_FORWARDED); /* hung */
		run_cached(is_v6, TCP_SYN, 7002, 0, LB_R_CACHED);
		run_cached(is_v6, TCP_ACK, 7003, 0, LB_R_FORWARDED); /* of a backend's flow */
		cache->thread[0].bypass = LB_CACHE_BYPASS_ALL;
		run_cached(is_v6, TCP_SYN, 7004, 0, LB_R_FORWARDED);
		cache->thread[0].bypass = 0;
		close(fd); /* killed: the time stamp is still good */
		run_cached(is_v6, TCP_SYN, 7005, 0, LB_R_FORWARDED);
		close(offer_listener(is_v6));
		fd = offer_listener(is_v6);
		run_cached(is_v6, TCP_SYN, 7006, 0, LB_R_CACHED);
		commit_cached(false); /* those that are there may stay, new ones do not come */
		run_cached(is_v6, TCP_SYN, 7007, 0, LB_R_FORWARDED);
		close(fd);
		cache->threads = 0;
	}
}

static void test_every_reason_was_met(void **state)
{
	int missing = 0;

	(void)state;
	for (int reason = 1; reason < LB_R_COUNT; reason++) {
		if (is_seen[reason] || is_elsewhere(reason))
			continue;
		printf("no packet has met %s\n", lb_reason_name(reason));
		missing++;
	}
	printf("INTERNAL is excepted: only a missing map entry could lead to it; NO_HEADROOM too: "
	       "a test run always leaves room\n");
	assert_int_equal(missing, 0);
}

static int open_world(void **state)
{
	struct lb_config *config = cast_config(false);

	(void)state;
	cast_make_routes();
	world_open(config);
	lb_config_free(config);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close();
	return 0;
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_table, tell_row),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_error_cuts),
		cmocka_unit_test(test_echo_cuts),
		cmocka_unit_test(test_errors_are_limited),
		cmocka_unit_test(test_quote_cuts),
		cmocka_unit_test(test_piece_cuts),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_no_listener),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_client_moves),
		cmocka_unit_test(test_client_changes_interface),
		cmocka_unit_test(test_connections_are_counted),
		cmocka_unit_test(test_ports_full),
		cmocka_unit_test(test_half_open_gives_its_port),
		cmocka_unit_test(test_no_ports),
		cmocka_unit_test(test_flows_full),
		cmocka_unit_test(test_every_reason_was_met),
	};

	return cmocka_run_group_tests_name("packets", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
