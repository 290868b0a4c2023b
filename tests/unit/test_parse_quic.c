// SPDX-License-Identifier: GPL-2.0-only
/*
 * The datapath's reader of QUIC connection ids, compiled natively: random datagrams, most of them
 * nearly QUIC, cut at every length right before a page that cannot be read, give the same as a
 * plain reader written from RFC 9000 and RFC 9369.
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
#include "../../bpf/parse_quic.h"
#include "lb_hash.h"

#define DATAGRAMS 20000
#define PAYLOAD 48
#define UDP_HEADER 8

static __u64 random_state;
static __u8 *page_end; /* the first byte that cannot be read */
static unsigned int found;

static __u32 below(__u32 limit)
{
	return (__u32)(lb_hash_mix(++random_state) >> 33) % limit;
}

/* quic: the UDP payload, of which so many bytes are there. */
static long plain_id(const __u8 *quic, unsigned int bytes, unsigned int offset, unsigned int length)
{
	const bool is_long = bytes && quic[0] & 0x80;
	unsigned int at = is_long ? 6 : 1, type;
	__u64 version = 0;
	long id = 0;

	/* So much of the packet is read in any case, which a whole packet has. */
	if (bytes < at + offset + 4 || !(quic[0] & 0x40))
		return -1;
	if (is_long) {
		for (int i = 1; i < 5; i++)
			version = version << 8 | quic[i];
		type = (quic[0] & 0x30) >> 4;
		if (version == 1 ? type != 2 : version == 0x6b3343cf ? type != 3 : true)
			return -1;
		if (offset + length > quic[5])
			return -1;
	}
	for (unsigned int i = 0; i < length; i++)
		id = id << 8 | quic[at + offset + i];
	return id;
}

static void make(__u8 *datagram, unsigned int bytes)
{
	static const __u8 versions[3][4] = { { 0, 0, 0, 1 }, { 0x6b, 0x33, 0x43, 0xcf }, { 0 } };
	__u8 *quic = datagram + UDP_HEADER;

	for (unsigned int i = 0; i < UDP_HEADER + bytes; i++)
		datagram[i] = (__u8)below(256);
	datagram[4] = 0;
	datagram[5] = (__u8)(UDP_HEADER + bytes);
	if (bytes < 6)
		return;
	if (below(8))
		quic[0] |= 0x40;
	if (below(4))
		memcpy(quic + 1, versions[below(3)], 4);
	quic[5] = (__u8)below(24);
}

static void assert_same(const __u8 *datagram, unsigned int bytes, unsigned int there)
{
	__u8 *start = page_end - UDP_HEADER - there;

	memcpy(start, datagram, UDP_HEADER + there);
	for (unsigned int length = 1; length <= 4; length++) {
		const unsigned int offset = below(21 - length);
		const long wanted =
			plain_id(start + UDP_HEADER, there < bytes ? there : bytes, offset, length);

		assert_int_equal(lb_parse_server_id((void *)start, page_end, offset, length),
				 wanted);
		found += wanted >= 0;
	}
}

static void test_every_cut(void **state)
{
	__u8 datagram[UDP_HEADER + PAYLOAD];

	(void)state;
	for (int i = 0; i < DATAGRAMS; i++) {
		const unsigned int bytes = below(PAYLOAD + 1);

		make(datagram, bytes);
		for (unsigned int there = 0; there <= bytes; there++)
			assert_same(datagram, bytes, there);
		/* Padding of the frame behind the datagram is none of it. */
		assert_same(datagram, bytes, PAYLOAD);
	}
	assert_true(found > DATAGRAMS);
}

/* Less than the UDP header itself. */
static void test_no_header(void **state)
{
	(void)state;
	for (int there = 0; there < UDP_HEADER; there++)
		assert_int_equal(lb_parse_server_id((void *)(page_end - there), page_end, 0, 1),
				 LB_QUIC_NO_ID);
}

static int make_guard(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	__u8 *memory =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE))
		return -1;
	page_end = memory + page;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_header),
	};

	return cmocka_run_group_tests_name("parse_quic", tests, make_guard, NULL);
}
