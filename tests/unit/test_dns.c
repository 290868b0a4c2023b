// SPDX-License-Identifier: GPL-2.0-only
/* lbd's DNS question, byte by byte, and what answers to it are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lbd/dns.c"

static void question_has_these_bytes(void **state)
{
	static const uint8_t want[] = { 0x12, 0x34, 1,	 0,   0, 1,   0,   0, 0, 0,  0, 0,
					3,    'w',  'w', 'w', 2, 'e', 'u', 0, 0, 28, 0, 1 };
	uint8_t buf[DNS_QUERY_MAX];

	(void)state;
	assert_int_equal(dns_query(buf, 0x1234, "www.eu", 1), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	/* A closing dot changes nothing but is no label; IPv4 asks for A. */
	assert_int_equal(dns_query(buf, 0x1234, "www.eu.", 0), sizeof(want));
	assert_int_equal(buf[sizeof(want) - 3], 1);
}

static void root_asks_for_name_servers(void **state)
{
	uint8_t buf[DNS_QUERY_MAX];

	(void)state;
	assert_int_equal(dns_query(buf, 7, "", 0), 17);
	assert_int_equal(dns_query(buf, 7, ".", 1), 17);
	assert_int_equal(buf[12], 0);
	assert_int_equal(buf[14], 2);
}

static void names_that_are_none(void **state)
{
	uint8_t buf[DNS_QUERY_MAX];
	char name[300];

	(void)state;
	assert_int_equal(dns_query(buf, 1, "a..b", 0), 0);
	assert_int_equal(dns_query(buf, 1, ".a", 0), 0);
	memset(name, 'x', sizeof(name));
	name[64] = '\0';
	assert_int_equal(dns_query(buf, 1, name, 0), 0);
	name[63] = '\0';
	assert_true(dns_query(buf, 1, name, 0) > 0);
	/* Labels of 49 and a dot: five fit 255 bytes, six do not. */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'x';
	name[299] = '\0';
	assert_int_equal(dns_query(buf, 1, name, 0), 0);
	name[249] = '\0';
	assert_true(dns_query(buf, 1, name, 0) > 0);
}

static void answers(void **state)
{
	uint8_t query[DNS_QUERY_MAX], answer[DNS_QUERY_MAX];
	size_t length = dns_query(query, 0xabcd, "there.example", 0);
	uint16_t code;

	(void)state;
	memcpy(answer, query, length);
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_MALFORMED);
	answer[2] |= 0x80;
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_EMPTY);
	answer[7] = 1;
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_GOOD);
	answer[13] = 'T'; /* names are compared without case */
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_GOOD);
	answer[13] = 'w';
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_OTHER);
	assert_int_equal(dns_answer(query, length, answer, length - 1, &code), DNS_MALFORMED);
	answer[3] = 3;
	assert_int_equal(dns_answer(query, length, answer, 12, &code), DNS_ERROR);
	assert_int_equal(code, 3);
	assert_int_equal(dns_answer(query, length, answer, 11, &code), DNS_MALFORMED);
	answer[1]++;
	assert_int_equal(dns_answer(query, length, answer, length, &code), DNS_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_has_these_bytes),
		cmocka_unit_test(root_asks_for_name_servers),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
