// SPDX-License-Identifier: GPL-2.0-only
/*
 * The datapath's parser, compiled natively: every kind of frame cut at every length, right before a
 * page that cannot be read, finds the same as a plain byte-by-byte parser written from the RFCs.
 * And the states of a flow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The datapath adds to void pointers, as the kernel does. */
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include "../../bpf/flow_state.h"
#include "lb_hash.h"

#define FRAMES 40000
#define FRAME_SIZE 2304
#define CUTS 260 /* bytes of a frame that are cut one by one */

struct layout {
	int reason; /* 0 or LB_R_* */
	__u32 l3, l4;
	bool is_v6;
	__u8 proto, flags;
	__u8 src[16], dst[16];
	__u16 src_port, dst_port;
};

static __u64 random_state;
static __u8 *page_end; /* the first byte that cannot be read */

static __u32 below(__u32 limit)
{
	return (__u32)(lb_hash_mix(++random_state) >> 33) % limit;
}

static __u32 get16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

static void put16(__u8 *at, __u32 value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
}

/* ---- the plain parser ---------------------------------------------------------------------- */

static bool is_extension(__u8 proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 60;
}

static int plain_v4(const __u8 *data, __u32 length, struct layout *out)
{
	const __u8 *ip = data + out->l3;

	if (out->l3 + 20 > length || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return LB_R_MALFORMED;
	if (get16(ip + 6) & 0x1fff)
		return LB_R_FRAGMENT;
	out->l4 = out->l3 + (ip[0] & 15) * 4;
	out->proto = ip[9];
	memset(out->src, 0, 10);
	memset(out->src + 10, 0xff, 2);
	memcpy(out->dst, out->src, 12);
	memcpy(out->src + 12, ip + 12, 4);
	memcpy(out->dst + 12, ip + 16, 4);
	return 0;
}

static int plain_v6(const __u8 *data, __u32 length, struct layout *out)
{
	const __u8 *ip = data + out->l3;

	if (out->l3 + 40 > length || ip[0] >> 4 != 6)
		return LB_R_MALFORMED;
	out->is_v6 = true;
	out->proto = ip[6];
	out->l4 = out->l3 + 40;
	for (int i = 0; i < LB_V6_HEADERS && is_extension(out->proto); i++) {
		const __u8 *header = data + out->l4;

		if (out->l4 + 4 > length)
			return LB_R_MALFORMED;
		if (out->proto == 43 && header[3])
			return LB_R_OTHER_PROTOCOL; /* not at its last destination yet */
		if (out->proto == 44 && get16(header + 2) & 0xfff8)
			return LB_R_FRAGMENT;
		out->l4 += out->proto == 44 ? 8 : 8 + 8 * header[1];
		if (out->l4 >= 2048)
			return LB_R_MALFORMED;
		out->proto = header[0];
	}
	memcpy(out->src, ip + 8, 16);
	memcpy(out->dst, ip + 24, 16);
	return 0;
}

static bool is_mapped(const __u8 addr[16])
{
	static const __u8 prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

/* What is decided once the headers are found. */
static int plain_transport(const __u8 *data, __u32 length, struct layout *out)
{
	const __u32 header = out->proto == 6 ? 20 : 8;
	const __u8 *ip = data + out->l3;
	const __u32 end = out->l3 + (out->is_v6 ? 40 + get16(ip + 4) : get16(ip + 2));

	if (out->is_v6 && (is_mapped(out->src) || is_mapped(out->dst)))
		return LB_R_MAPPED_V6;
	if (out->proto != 6 && out->proto != 17)
		return LB_R_OTHER_PROTOCOL;
	if (out->l4 + header > end || out->l4 + header > length)
		return LB_R_MALFORMED;
	out->src_port = get16(data + out->l4);
	out->dst_port = get16(data + out->l4 + 2);
	out->flags = out->proto == 6 ? data[out->l4 + 13] : 0;
	return 0;
}

static void plain_parse(const __u8 *data, __u32 length, struct layout *out)
{
	__u32 type;
	int tags = 0;

	memset(out, 0, sizeof(*out));
	out->reason = LB_R_MALFORMED;
	out->l3 = 14;
	if (length < 14)
		return;
	type = get16(data + 12);
	for (; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		if (out->l3 + 4 > length)
			return;
		type = get16(data + out->l3 + 2);
		out->l3 += 4;
	}
	if (type != 0x0800 && type != 0x86dd) {
		out->reason = LB_R_NOT_IP;
		return;
	}
	out->reason = type == 0x0800 ? plain_v4(data, length, out) : plain_v6(data, length, out);
	if (!out->reason)
		out->reason = plain_transport(data, length, out);
}

/* ---- the datapath's -------------------------------------------------------------------------- */

/* As the program does it: the short way where the frame is plain, else the walk. */
static int fast_parse(__u8 *data, __u32 length, struct lb_packet *pkt)
{
	void *end = data + length;
	long walk;
	int err = 0;

	memset(pkt, 0xa5, sizeof(*pkt));
	if (!lb_is_plain(pkt, data, end)) {
		walk = lb_walk(data, end);
		err = walk < 0 ? (int)walk : lb_place(pkt, data, end, walk);
	}
	return err ?: lb_parse(pkt);
}

static void assert_same_layout(__u8 *data, __u32 length)
{
	struct layout wanted;
	struct lb_packet pkt;
	const int err = fast_parse(data, length, &pkt);

	plain_parse(data, length, &wanted);
	if (-err != wanted.reason)
		fail_msg("%u bytes: %d, wanted %d", length, -err, wanted.reason);
	if (err)
		return;
	assert_int_equal((__u8 *)pkt.l3 - data, wanted.l3);
	assert_int_equal((__u8 *)pkt.l4 - data, wanted.l4);
	assert_int_equal(pkt.is_v6, wanted.is_v6);
	assert_int_equal(pkt.proto, wanted.proto);
	assert_int_equal(pkt.tcp_flags, wanted.flags);
	assert_memory_equal(&pkt.src, wanted.src, 16);
	assert_memory_equal(&pkt.dst, wanted.dst, 16);
	assert_int_equal(bpf_ntohs(lb_src_port(pkt.ports)), wanted.src_port);
	assert_int_equal(bpf_ntohs(lb_dst_port(pkt.ports)), wanted.dst_port);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static __u8 random_proto(void)
{
	static const __u8 protos[] = { 6, 6, 6, 17, 17, 1, 58, 59, 132 };

	return protos[below(sizeof(protos))];
}

static __u32 add_v4(__u8 *ip)
{
	const __u32 header = below(2) ? 20 : 4 * (4 + below(12)); /* 16: too short */

	ip[0] = (__u8)(0x40 | header / 4);
	put16(ip + 2, below(8) ? header + 40 : below(80));
	put16(ip + 6, below(6) ? 0x4000 : below(0x4000));
	ip[9] = random_proto();
	return header < 20 ? 20 : header;
}

static __u32 add_v6(__u8 *ip)
{
	static const __u8 kinds[] = { 0, 43, 44, 60 };
	__u8 *next = ip + 6;
	__u32 at = 40;

	ip[0] = 0x60;
	if (!below(10))
		memcpy(ip + 8 + 16 * below(2), "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	for (__u32 i = below(2) ? 0 : below(9); i; i--) {
		__u8 *header = ip + at;

		*next = kinds[below(4)];
		header[1] = (__u8)(below(20) ? below(4) : below(256));
		put16(header + 2, below(6) ? below(8) : below(0x10000));
		at += *next == 44 ? 8u : 8u + 8u * header[1];
		next = header;
		if (at > FRAME_SIZE - 300)
			break;
	}
	*next = random_proto();
	put16(ip + 4, below(8) ? at : below(80));
	return at;
}

static __u32 make_frame(__u8 *data)
{
	static const __u16 types[] = { 0x0800, 0x86dd, 0x0800, 0x86dd, 0x0800, 0x86dd, 0x0806 };
	const __u32 tags = below(2) ? 0 : below(4);
	const __u16 type = types[below(7)];
	__u32 at = 12;

	for (__u32 i = 0; i < FRAME_SIZE; i++)
		data[i] = (__u8)below(256);
	for (__u32 i = 0; i < tags; i++) {
		put16(data + at, below(2) ? 0x8100 : 0x88a8);
		at += 4;
	}
	put16(data + at, type);
	at += 2;
	at += type == 0x86dd ? add_v6(data + at) : add_v4(data + at);
	at += 20 + below(40);
	if (!below(4))
		data[below(at < 100 ? at : 100)] ^= (__u8)(1 << below(8));
	return at < FRAME_SIZE ? at : FRAME_SIZE;
}

static void test_every_cut(void **state)
{
	static __u8 frame[FRAME_SIZE];
	unsigned int reasons[LB_R_COUNT] = {};

	(void)state;
	for (int i = 0; i < FRAMES; i++) {
		const __u32 length = make_frame(frame);
		struct layout layout;

		for (__u32 cut = 0; cut <= length && cut < CUTS; cut++) {
			memcpy(page_end - cut, frame, cut);
			assert_same_layout(page_end - cut, cut);
		}
		memcpy(page_end - length, frame, length);
		assert_same_layout(page_end - length, length);
		plain_parse(frame, length, &layout);
		reasons[layout.reason]++;
	}
	/* The generator reaches every answer. */
	assert_true(reasons[0] > FRAMES / 8);
	assert_true(reasons[LB_R_MALFORMED] && reasons[LB_R_FRAGMENT] && reasons[LB_R_MAPPED_V6] &&
		    reasons[LB_R_NOT_IP] && reasons[LB_R_OTHER_PROTOCOL]);
}

/* ---- states of a flow ------------------------------------------------------------------------ */

static __u8 next_state(__u8 now, __u8 flags, bool is_reply)
{
	const struct lb_packet pkt = { .proto = IPPROTO_TCP, .tcp_flags = flags };

	return lb_flow_next_state(now, &pkt, is_reply);
}

static void test_states(void **state)
{
	static const struct {
		__u8 before, flags;
		bool is_reply;
		__u8 after;
	} steps[] = {
		{ LB_FLOW_SYN, LB_TCP_SYN, false, LB_FLOW_REPEATED },
		{ LB_FLOW_REPEATED, LB_TCP_SYN, false, LB_FLOW_REPEATED },
		{ LB_FLOW_REPEATED, LB_TCP_SYN | LB_TCP_ACK, true, LB_FLOW_ANSWERED },
		{ LB_FLOW_SYN, LB_TCP_ACK, false, LB_FLOW_SYN },
		{ LB_FLOW_SYN, LB_TCP_SYN | LB_TCP_ACK, true, LB_FLOW_ANSWERED },
		{ LB_FLOW_ANSWERED, LB_TCP_SYN | LB_TCP_ACK, true, LB_FLOW_ANSWERED },
		{ LB_FLOW_ANSWERED, LB_TCP_SYN, false, LB_FLOW_ANSWERED },
		{ LB_FLOW_ANSWERED, LB_TCP_ACK, false, LB_FLOW_ESTABLISHED },
		{ LB_FLOW_ESTABLISHED, LB_TCP_ACK, true, LB_FLOW_ESTABLISHED },
		{ LB_FLOW_ESTABLISHED, LB_TCP_FIN | LB_TCP_ACK, false, LB_FLOW_CLIENT_FIN },
		{ LB_FLOW_ESTABLISHED, LB_TCP_FIN | LB_TCP_ACK, true, LB_FLOW_BACKEND_FIN },
		{ LB_FLOW_CLIENT_FIN, LB_TCP_FIN, false, LB_FLOW_CLIENT_FIN },
		{ LB_FLOW_CLIENT_FIN, LB_TCP_ACK, true, LB_FLOW_CLIENT_FIN },
		{ LB_FLOW_CLIENT_FIN, LB_TCP_FIN, true, LB_FLOW_CLOSED },
		{ LB_FLOW_BACKEND_FIN, LB_TCP_FIN, false, LB_FLOW_CLOSED },
		{ LB_FLOW_CLOSED, LB_TCP_FIN, true, LB_FLOW_CLOSED },
		{ LB_FLOW_CLOSED, LB_TCP_ACK, false, LB_FLOW_CLOSED },
		{ LB_FLOW_ESTABLISHED, LB_TCP_RST, true, LB_FLOW_CLOSED },
		{ LB_FLOW_SYN, LB_TCP_RST | LB_TCP_ACK, true, LB_FLOW_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_int_equal(next_state(steps[i].before, steps[i].flags, steps[i].is_reply),
				 steps[i].after);
}

/* Whatever a client sends by itself, it does not make a flow established; nor does a backend. */
static void test_one_side_establishes_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		const bool is_reply = i & 1;
		__u8 now = LB_FLOW_SYN;

		for (int packet = 0; packet < 8; packet++) {
			now = next_state(now, (__u8)below(32), is_reply);
			assert_int_not_equal(now, LB_FLOW_ESTABLISHED);
		}
	}
}

static int make_guard(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	__u8 *memory =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (memory == MAP_FAILED || page < FRAME_SIZE || mprotect(memory + page, page, PROT_NONE))
		return -1;
	page_end = memory + page;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_one_side_establishes_nothing),
	};

	return cmocka_run_group_tests_name("parse", tests, make_guard, NULL);
}
