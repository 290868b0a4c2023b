// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incremental checksums against full recomputation by RFC 1071, byte by byte: addresses and ports
 * replaced in random headers, and the two forms of zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "lb_csum.h"
#include "lb_hash.h"

#define HEADERS 100000

/* What a checksum covers: the addresses, the ports, and the rest of header and payload. */
struct packet {
	union lb_addr src, dst;
	__be16 src_port, dst_port;
	__u8 rest[28];
};

static __u64 random_state;

static __u64 random_bits(void)
{
	return lb_hash_mix(++random_state);
}

/* One in four words is all zeros or all ones, where the sums are delicate. */
static __u16 random_word(void)
{
	__u64 bits = random_bits();

	if (bits >> 62)
		return (__u16)bits;
	return bits >> 61 ? 0xffff : 0;
}

static void random_addr(union lb_addr *addr, bool is_v4)
{
	__u16 words[8];

	for (int i = 0; i < 8; i++)
		words[i] = random_word();
	memcpy(addr, words, sizeof(*addr));
	if (is_v4)
		lb_addr_from_v4(addr, addr->words[3]);
}

/* The one's complement sum of big-endian words, as RFC 1071 has it, carried on in sum. */
static __u32 add_bytes(__u32 sum, const void *data, size_t length)
{
	const __u8 *bytes = data;

	for (size_t i = 0; i < length; i += 2) {
		sum += (__u32)bytes[i] << 8 | bytes[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* An IPv4 address counts with its own four bytes only: the prefix is not in the packet. */
static __u32 add_addr(__u32 sum, const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? add_bytes(sum, addr->bytes + 12, 4)
				   : add_bytes(sum, addr->bytes, 16);
}

static __u32 sum_packet(const struct packet *packet)
{
	__u32 sum = add_addr(add_addr(0, &packet->src), &packet->dst);

	sum = add_bytes(sum, &packet->src_port, 2);
	sum = add_bytes(sum, &packet->dst_port, 2);
	return add_bytes(sum, packet->rest, sizeof(packet->rest));
}

static __be16 full_checksum(const struct packet *packet)
{
	return htons((__u16)~sum_packet(packet));
}

static void random_packet(struct packet *packet, bool is_v4)
{
	random_addr(&packet->src, is_v4);
	random_addr(&packet->dst, is_v4);
	packet->src_port = random_word();
	packet->dst_port = random_word();
	for (size_t i = 0; i < sizeof(packet->rest); i++)
		packet->rest[i] = (__u8)(random_word() >> 4);
}

static __u64 packet_diff(const struct packet *from, const struct packet *to)
{
	return lb_csum_diff_addr(&from->src, &to->src) + lb_csum_diff_addr(&from->dst, &to->dst) +
	       lb_csum_diff(from->src_port, to->src_port) +
	       lb_csum_diff(from->dst_port, to->dst_port);
}

static void test_update_is_recomputation(void **state)
{
	(void)state;
	random_state = 1;
	for (int i = 0; i < HEADERS; i++) {
		bool is_v4 = i % 2;
		struct packet from, to;
		__be16 check;

		random_packet(&from, is_v4);
		random_packet(&to, is_v4);
		memcpy(to.rest, from.rest, sizeof(to.rest));
		if (i % 8 >= 6) /* only one side replaced, as by nat */
			to.src = from.src;
		check = lb_csum_update(full_checksum(&from), packet_diff(&from, &to));
		assert_int_equal(check, full_checksum(&to));
		check = lb_csum_update(check, packet_diff(&to, &from));
		assert_int_equal(check, full_checksum(&from));
	}
}

/* IPv4's own header: the sum has the addresses and nothing of the ports. */
static void test_ipv4_header(void **state)
{
	(void)state;
	random_state = 2;
	for (int i = 0; i < HEADERS; i++) {
		union lb_addr from, to;
		__be16 header[10], check;
		__be32 src;

		for (int k = 0; k < 10; k++)
			header[k] = random_word();
		header[0] = htons(0x4500);
		header[5] = 0;
		header[5] = htons((__u16)~add_bytes(0, header, sizeof(header)));
		random_addr(&to, true);
		memcpy(&src, &header[6], sizeof(src));
		lb_addr_from_v4(&from, src);
		check = lb_csum_update(header[5], lb_csum_diff_addr(&from, &to));
		memcpy(&header[6], &to.words[3], sizeof(src));
		header[5] = 0;
		assert_int_equal(check, htons((__u16)~add_bytes(0, header, sizeof(header))));
	}
}

/* From one family to the other, as a translator would: the prefix counts as nothing. */
static void test_between_families(void **state)
{
	(void)state;
	random_state = 3;
	for (int i = 0; i < HEADERS; i++) {
		struct packet from, to;

		random_packet(&from, i % 2);
		random_packet(&to, !(i % 2));
		memcpy(to.rest, from.rest, sizeof(to.rest));
		assert_int_equal(lb_csum_update(full_checksum(&from), packet_diff(&from, &to)),
				 full_checksum(&to));
	}
}

static void test_sum_of_address(void **state)
{
	(void)state;
	random_state = 4;
	for (int i = 0; i < HEADERS; i++) {
		union lb_addr addr;
		__u16 expected, sum;

		random_addr(&addr, i % 2);
		expected = htons((__u16)add_addr(0, &addr));
		sum = lb_csum_fold(lb_csum_addr(&addr));
		/* The prefix ffff turns a sum of 0 into the other zero. */
		assert_true(sum == expected || (sum == 0xffff && expected == 0));
	}
}

static void test_fold(void **state)
{
	(void)state;
	assert_int_equal(lb_csum_fold(0), 0);
	assert_int_equal(lb_csum_fold(0xffff), 0xffff);
	assert_int_equal(lb_csum_fold(0x10000), 1);
	assert_int_equal(lb_csum_fold(0xffffffff), 0xffff);
	assert_int_equal(lb_csum_fold(0x100000000ull), 1);
	assert_int_equal(lb_csum_fold(0xffff0001ffffull), 1);
	assert_int_equal(lb_csum_fold(~0ull), 0xffff);
	assert_int_equal(lb_csum_fold(0xffffffff00000001ull), 1);
	assert_int_equal(lb_csum_fold(0x00010000ffffffffull), 1); /* carries in every step */
	random_state = 5;
	for (int i = 0; i < HEADERS; i++) {
		__u64 sum = random_bits() >> (random_bits() & 63);
		__u16 folded = lb_csum_fold(sum);

		/* A sum folds to its remainder, of which 0 is ffff unless nothing was added. */
		assert_int_equal(folded % 0xffff, sum % 0xffff);
		assert_int_equal(folded == 0, sum == 0);
	}
}

/* RFC 1624, section 3: where equation 2 of RFC 1141 went wrong. */
static void test_zero_forms(void **state)
{
	(void)state;
	assert_int_equal(lb_csum_update(htons(0xdd2f), lb_csum_diff(htons(0x5555), htons(0x3285))),
			 0);
	for (__u32 word = 0; word <= 0xffff; word++) {
		/* Nothing changed: nothing changes, but ffff, which no sum gives, becomes 0. */
		assert_int_equal(lb_csum_update((__u16)word, lb_csum_diff(word, word)),
				 word == 0xffff ? 0 : word);
		/* One zero replaced by the other leaves the sum as it is. */
		assert_int_equal(lb_csum_update((__u16)word, lb_csum_diff(0, 0xffff)),
				 word == 0xffff ? 0 : word);
		assert_int_equal(lb_csum_update((__u16)word, lb_csum_diff(0xffff, 0)),
				 word == 0xffff ? 0 : word);
	}
}

/* UDP sends a checksum of 0 as ffff: an update of that one must still verify at the receiver. */
static void test_udp_zero(void **state)
{
	unsigned int zeros = 0;

	(void)state;
	random_state = 6;
	for (int i = 0; i < HEADERS; i++) {
		struct packet from, to;
		__be16 check;
		__u32 sum;

		random_packet(&from, true);
		memset(from.rest, 0, 2); /* the word that makes the sum ffff, the checksum 0 */
		sum = sum_packet(&from);
		from.rest[0] = (__u8)(~sum >> 8);
		from.rest[1] = (__u8)~sum;
		assert_int_equal(full_checksum(&from), 0);
		random_packet(&to, true);
		memcpy(to.rest, from.rest, sizeof(to.rest));
		if (i % 4 == 0)
			to = from;
		check = lb_csum_update(0xffff, packet_diff(&from, &to));
		zeros += check == 0;
		sum = add_bytes(sum_packet(&to), &check, sizeof(check));
		assert_int_equal(sum, 0xffff);
	}
	/* So it gives 0, "no checksum" to UDP, and writing ffff instead is the caller's part. */
	assert_true(zeros >= HEADERS / 4);
}

/* A change in two steps, early terms folded and late ones added, is the change at once. */
static void test_late_terms(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		union lb_addr from, to;
		__u64 diff;
		__u16 check = (__u16)random_bits(), early;

		for (int w = 0; w < 4; w++) {
			from.words[w] = (__u32)random_bits();
			to.words[w] = (__u32)random_bits();
		}
		if (i % 2) {
			lb_addr_from_v4(&from, from.words[0]);
			lb_addr_from_v4(&to, i % 16 ? to.words[0] : 0xffffffff);
		}
		assert_int_equal(lb_csum_fold(lb_csum_word(to.words[3])),
				 lb_csum_fold(to.words[3]));
		diff = i % 2 ? lb_csum_diff(from.words[3], to.words[3])
			     : lb_csum_diff_addr(&from, &to);
		early = lb_csum_fold((__u16)~check +
				     (i % 2 ? (__u64)(__u32)~from.words[3]
					    : 4ull * 0xffffffff - lb_csum_addr(&from)));
		assert_int_equal((__u16)~lb_csum_fold_short(early + lb_csum_of(&to)),
				 lb_csum_update(check, diff));
	}
	assert_int_equal(lb_csum_fold_short(0x2ffff), lb_csum_fold(0x2ffff));
	assert_int_equal(lb_csum_fold_short(0xffffffff), 0xffff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update_is_recomputation),
		cmocka_unit_test(test_ipv4_header),
		cmocka_unit_test(test_between_families),
		cmocka_unit_test(test_sum_of_address),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_zero_forms),
		cmocka_unit_test(test_udp_zero),
		cmocka_unit_test(test_late_terms),
	};

	return cmocka_run_group_tests_name("csum", tests, NULL, NULL);
}
