// SPDX-License-Identifier: GPL-2.0-only
/*
 * The datapath's reader of ICMP errors, compiled natively: errors of all kinds, cut at every length
 * right before a page that cannot be read, give the same as a plain reader written from the RFCs.
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
#include "../../bpf/parse_icmp.h"

#define FRAMES 20000
#define FRAME_SIZE 512

struct told {
	bool is_error;
	__u8 src[16], dst[16]; /* of the flow's packet against the quoted one */
	__u16 src_port, dst_port;
	__u8 proto;
	__u32 inner;
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

/* ---- the plain reader ------------------------------------------------------------------------ */

static void plain_addr(const __u8 *at, bool is_v6, __u8 addr[16])
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + (is_v6 ? 0 : 12), at, is_v6 ? 16 : 4);
}

static bool is_mapped(const __u8 *at)
{
	static const __u8 prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(at, prefix, sizeof(prefix));
}

/*
 * The network header at l3: offset of what follows it and its protocol, 0 if it cannot be read. Of
 * extension headers, only destination options are made here.
 */
static __u32 plain_header(const __u8 *data, __u32 length, __u32 l3, bool is_v6, __u8 *proto)
{
	const __u8 *ip = data + l3;
	__u32 at = l3 + 40;

	if (l3 + (is_v6 ? 40 : 20) > length || ip[0] >> 4 != (is_v6 ? 6 : 4))
		return 0;
	if (!is_v6) {
		*proto = ip[9];
		if ((ip[0] & 15) < 5 || get16(ip + 6) & 0x1fff)
			return 0;
		return l3 + (ip[0] & 15) * 4;
	}
	if (is_mapped(ip + 8) || is_mapped(ip + 24))
		return 0;
	*proto = ip[6];
	for (int i = 0; i < LB_V6_HEADERS && *proto == 60; i++) {
		if (at + 4 > length)
			return 0;
		*proto = data[at];
		at += 8 + 8 * data[at + 1];
	}
	return at < 2048 ? at : 0;
}

static __u32 plain_length(const __u8 *ip, bool is_v6)
{
	return is_v6 ? 40 + get16(ip + 4) : get16(ip + 2);
}

static bool is_error_type(__u8 type, bool is_v6)
{
	return is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

static void plain_read(const __u8 *data, __u32 length, struct told *told)
{
	const bool is_v6 = length >= 14 && get16(data + 12) == 0x86dd;
	const __u32 from = is_v6 ? 8 : 12, size = is_v6 ? 16 : 4;
	const __u8 *outer = data + 14, *inner;
	__u32 l4, inner_l3, inner_l4;
	__u8 proto;

	memset(told, 0, sizeof(*told));
	l4 = plain_header(data, length, 14, is_v6, &proto);
	if (!l4 || proto != (is_v6 ? 58 : 1) || l4 + 8 > length ||
	    14 + plain_length(outer, is_v6) < l4 + 8 || !is_error_type(data[l4], is_v6))
		return;
	inner_l3 = l4 + 8;
	inner = data + inner_l3;
	inner_l4 = plain_header(data, length, inner_l3, is_v6, &told->proto);
	if (!inner_l4 || inner_l3 > 255 || (told->proto != 6 && told->proto != 17) ||
	    inner_l4 + 8 > length || inner_l4 + 8 > 14 + plain_length(outer, is_v6) ||
	    plain_length(inner, is_v6) < inner_l4 - inner_l3 + (told->proto == 6 ? 20 : 8) ||
	    memcmp(outer + from + size, inner + from, size) != 0)
		return;
	plain_addr(inner + from + size, is_v6, told->src);
	plain_addr(inner + from, is_v6, told->dst);
	told->src_port = get16(data + inner_l4 + 2);
	told->dst_port = get16(data + inner_l4);
	told->inner = inner_l4;
	told->is_error = true;
}

/* ---- the datapath's -------------------------------------------------------------------------- */

static void assert_same(__u8 *data, __u32 length)
{
	struct lb_trace trace;
	struct told told;
	long walk = lb_walk(data, data + length);
	const int err =
		walk < 0 ? -LB_R_OTHER_PROTOCOL : lb_parse_error(data, data + length, walk, &trace);

	plain_read(data, length, &told);
	assert_int_equal(err, told.is_error ? 0 : -LB_R_OTHER_PROTOCOL);
	if (err)
		return;
	assert_memory_equal(&trace.src, told.src, 16);
	assert_memory_equal(&trace.dst, told.dst, 16);
	assert_int_equal(bpf_ntohs(lb_src_port(trace.ports)), told.src_port);
	assert_int_equal(bpf_ntohs(lb_dst_port(trace.ports)), told.dst_port);
	assert_int_equal(trace.proto, told.proto);
	assert_int_equal(trace.inner, told.inner);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static __u32 add_header(__u8 *ip, bool is_v6, __u8 proto, __u32 length)
{
	const __u32 options = below(4) ? 0 : 8 * below(3);

	if (is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, length);
		ip[6] = options ? 60 : proto;
		if (options) {
			ip[40] = proto;
			ip[41] = (__u8)(options / 8 - 1);
		}
		if (!below(20))
			memcpy(ip + 8 + 16 * below(2), "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		return 40 + options;
	}
	ip[0] = (__u8)(0x45 + options / 4);
	put16(ip + 2, length);
	put16(ip + 6, below(8) ? 0x4000 : below(0x4000));
	ip[9] = proto;
	return 20 + options;
}

static __u32 make_frame(__u8 *data)
{
	static const __u8 types[2][8] = { { 3, 3, 11, 12, 3, 4, 5, 8 },
					  { 1, 2, 3, 4, 2, 0, 5, 128 } };
	static const __u8 protos[] = { 6, 6, 17, 17, 6, 17, 1, 58 };
	const bool is_v6 = below(2);
	const __u32 from = is_v6 ? 8 : 12, size = is_v6 ? 16 : 4;
	__u32 l4, inner, at;

	for (__u32 i = 0; i < FRAME_SIZE; i++)
		data[i] = (__u8)below(256);
	put16(data + 12, is_v6 ? 0x86dd : 0x0800);
	l4 = 14 + add_header(data + 14, is_v6, is_v6 ? 58 : 1, below(8) ? 200 : below(140));
	data[l4] = types[is_v6][below(8)];
	inner = l4 + 8;
	at = inner + add_header(data + inner, is_v6, protos[below(8)], below(8) ? 1400 : below(80));
	if (below(8))
		memcpy(data + inner + from, data + 14 + from + size, size);
	return at + 30;
}

static void test_every_cut(void **state)
{
	static __u8 frame[FRAME_SIZE];
	unsigned int errors = 0;

	(void)state;
	for (int i = 0; i < FRAMES; i++) {
		const __u32 length = make_frame(frame);
		struct told told;

		for (__u32 cut = 0; cut <= length; cut++) {
			memcpy(page_end - cut, frame, cut);
			assert_same(page_end - cut, cut);
		}
		plain_read(frame, length, &told);
		errors += told.is_error;
	}
	/* The generator makes errors, and much else. */
	assert_in_range(errors, FRAMES / 8, FRAMES - FRAMES / 8);
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
	};

	return cmocka_run_group_tests_name("parse_icmp", tests, make_guard, NULL);
}
