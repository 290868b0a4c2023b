// SPDX-License-Identifier: GPL-2.0-only
/* Words for addresses, modes, protocols and reasons: both ways, and what is refused how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "liblb.h"

static void addresses_round_trip(void **state)
{
	static const char *const texts[] = { "192.0.2.1",   "0.0.0.0", "255.255.255.255",
					     "2001:db8::1", "::",      "::1",
					     "ff02::1" };
	char buf[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(lb_addr_parse(texts[i], &addr), 0);
		assert_string_equal(lb_addr_format(&addr, buf), texts[i]);
		assert_ptr_equal(lb_addr_format(&addr, buf), buf);
	}
	assert_int_equal(lb_addr_parse("[2001:DB8:0::1]", &addr), 0);
	assert_string_equal(lb_addr_format(&addr, buf), "2001:db8::1");
	assert_int_equal(lb_addr_parse("192.0.2.1", &addr), 0);
	assert_true(lb_addr_is_v4(&addr));
}

static void addresses_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"192.0.2",
		"192.0.2.256",
		"192.0.2.01",
		"192.0.2.1 ",
		"[192.0.2.1]",
		"[2001:db8::1",
		"2001:db8::1]",
		"[]",
		"fe80::1%eth0",
		"example.org",
		"::ffff:192.0.2.1",
		"2001:db8:::1",
	};
	union lb_addr addr, before;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		addr = before;
		if (!lb_addr_parse(texts[i], &addr))
			fail_msg("'%s' was taken", texts[i]);
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

static void endpoints_round_trip(void **state)
{
	static const char *const texts[] = { "192.0.2.1:1", "192.0.2.1:65535", "[2001:db8::1]:80" };
	char buf[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;
	bool has_port;
	__u16 port;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		has_port = false;
		assert_int_equal(lb_endpoint_parse(texts[i], &addr, &port, NULL, NULL), 0);
		assert_int_equal(lb_endpoint_parse(texts[i], &addr, &port, &has_port, NULL), 0);
		assert_true(has_port);
		assert_string_equal(lb_endpoint_format(&addr, port, buf), texts[i]);
	}
}

static void endpoint_without_port(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "[2001:db8::1]" };
	union lb_addr addr;
	bool has_port;
	__u16 port;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		has_port = true;
		port = 7;
		assert_int_equal(lb_endpoint_parse(texts[i], &addr, &port, &has_port, NULL), 0);
		assert_false(has_port);
		assert_int_equal(port, 0);
		assert_int_equal(lb_endpoint_parse(texts[i], &addr, &port, NULL, NULL), -EINVAL);
	}
}

static void prefixes(void **state)
{
	static const struct {
		const char *text, *written;
		const char *spread; /* host bits of the last four bytes */
	} good[] = {
		{ "192.0.2.64/26", "192.0.2.64/26", "\x00\x00\x00\x3f" },
		{ "192.0.2.1", "192.0.2.1", "\x00\x00\x00\x00" },
		{ "192.0.2.1/32", "192.0.2.1", "\x00\x00\x00\x00" },
		{ "10.0.0.0/8", "10.0.0.0/8", "\x00\xff\xff\xff" },
		{ "0.0.0.0/0", "0.0.0.0/0", "\xff\xff\xff\xff" },
		{ "2001:db8:64::/64", "2001:db8:64::/64", "\xff\xff\xff\xff" },
		{ "2001:db8::4000/114", "2001:db8::4000/114", "\x00\x00\x3f\xff" },
		{ "2001:db8::1/128", "2001:db8::1", "\x00\x00\x00\x00" },
	};
	static const char *const bad[] = { "",
					   "/24",
					   "192.0.2.0/",
					   "192.0.2.0/33",
					   "192.0.2.0/+8",
					   "192.0.2.0/ 8",
					   "192.0.2.1/24",
					   "2001:db8::1/64",
					   "2001:db8::/129",
					   "192.0.2.0/24x",
					   "192.0.2.0/024/",
					   "web/24" };
	char text[LB_PREFIX_TEXT_SIZE];
	struct lb_prefix prefix;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *bits = good[i].spread;
		__be32 spread;

		assert_int_equal(lb_prefix_parse(good[i].text, &prefix), 0);
		assert_string_equal(lb_prefix_format(&prefix, text), good[i].written);
		spread = lb_prefix_spread(&prefix);
		assert_memory_equal(&spread, bits, sizeof(spread));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!lb_prefix_parse(bad[i], &prefix))
			fail_msg("'%s' was taken", bad[i]);
}

static void endpoints_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "is no address" },
		{ ":80", "is no address" },
		{ "203.0.113.256:80", "'203.0.113.256' is no address" },
		{ "192.0.2.1", "has no port, expected as 192.0.2.1:80" },
		{ "[2001:db8::1]", "has no port, expected as [2001:db8::1]:80" },
		{ "192.0.2.1:", "port '' is not a number from 1 to 65535" },
		{ "192.0.2.1:eighty", "port 'eighty'" },
		{ "192.0.2.1:0", "port '0'" },
		{ "192.0.2.1:65536", "port '65536'" },
		{ "192.0.2.1:-1", "port '-1'" },
		{ "192.0.2.1:+80", "port '+80'" },
		{ "192.0.2.1:99999999999999999999", "port '999" },
		{ "192.0.2.1:80 ", "port '80 '" },
		{ "[2001:db8::10:80", "closing bracket" },
		{ "[2001:db8::10]80", "is no address" },
		{ "[::ffff:192.0.2.1]:80", "IPv4-mapped" },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:"
		  "1",
		  "is no address" },
	};
	struct lb_error err;
	union lb_addr addr;
	__u16 port;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&err, 0, sizeof(err));
		port = 4711;
		assert_int_equal(lb_endpoint_parse(cases[i].text, &addr, &port, NULL, &err),
				 -EINVAL);
		assert_int_equal(port, 4711);
		if (!strstr(err.text, cases[i].words))
			fail_msg("'%s' says: %s", cases[i].text, err.text);
	}
}

static void names_both_ways(void **state)
{
	enum lb_mode mode;
	__u8 proto;

	(void)state;
	assert_int_equal(lb_mode_parse("nat", &mode), 0);
	assert_int_equal(mode, LB_MODE_NAT);
	assert_string_equal(lb_mode_name(LB_MODE_FULLNAT), "fullnat");
	assert_int_equal(lb_mode_parse("local", &mode), 0);
	assert_int_equal(mode, LB_MODE_LOCAL);
	assert_string_equal(lb_mode_name(LB_MODE_INHERIT), "inherit");
	assert_int_equal(lb_mode_parse("inherit", &mode), -EINVAL);
	assert_int_equal(lb_mode_parse("", &mode), -EINVAL);
	assert_int_equal(lb_proto_parse("udp", &proto), 0);
	assert_int_equal(proto, IPPROTO_UDP);
	assert_string_equal(lb_proto_name(IPPROTO_TCP), "tcp");
	assert_int_equal(lb_proto_parse("TCP", &proto), -EINVAL);
}

static void reasons_are_told(void **state)
{
	(void)state;
	assert_string_equal(lb_reason_name(LB_R_NO_BACKEND), "no_backend");
	assert_int_equal(lb_reason_verdict(LB_R_NO_BACKEND), LB_DROPPED);
	assert_int_equal(lb_reason_verdict(LB_R_FORWARDED), LB_SENT);
	assert_int_equal(lb_reason_verdict(LB_R_NOT_OURS), LB_PASSED);
	for (enum lb_reason reason = LB_R_NONE; reason < LB_R_COUNT; reason++) {
		assert_true(lb_reason_name(reason)[0]);
		assert_true(lb_reason_text(reason)[0]);
	}
	assert_string_equal(lb_reason_name(LB_R_COUNT), "unknown");
}

static void failures_are_one_line(void **state)
{
	struct lb_error err;

	(void)state;
	assert_int_equal(lb_fail(&err, -EBUSY, "%s %d", "a\nb\t", 5), -EBUSY);
	assert_string_equal(err.text, "a b  5");
	assert_int_equal(lb_fail(NULL, -EBUSY, "nobody listens"), -EBUSY);
	assert_int_equal(lb_fail(&err, -EINVAL, "%0600d", 1), -EINVAL);
	assert_int_equal(strlen(err.text), LB_TEXT_SIZE - 1);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int code;
		__u32 ms;
	} rows[] = {
		{ "2s", 0, 2000 },
		{ "500ms", 0, 500 },
		{ "3", 0, 3000 },
		{ "2m", 0, 120000 },
		{ "1h", 0, 3600000 },
		{ "0", 0, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "2 s", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
		{ "4294968s", -ERANGE, 0 },
		{ "9999999999ms", -ERANGE, 0 },
	};
	char buf[LB_ADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		__u32 ms = 77;

		assert_int_equal(lb_duration_parse(rows[i].text, &ms), rows[i].code);
		assert_int_equal(ms, rows[i].code ? 77 : rows[i].ms);
	}
	assert_string_equal(lb_duration_format(2000, buf), "2s");
	assert_string_equal(lb_duration_format(1500, buf), "1500ms");
}

static void check_words(void **state)
{
	enum lb_check_type type;
	__u16 low, high;

	(void)state;
	for (int i = 0; i < LB_CHECK_TYPES; i++) {
		assert_int_equal(lb_check_type_parse(lb_check_type_name(i), &type), 0);
		assert_int_equal(type, i);
	}
	assert_int_equal(lb_check_type_parse("icmp", &type), -EINVAL);
	for (__u8 i = 0; i < LB_C_COUNT; i++)
		for (__u8 j = 0; j < i; j++)
			assert_string_not_equal(lb_check_reason_name(i), lb_check_reason_name(j));
	assert_string_equal(lb_check_reason_name(LB_C_COUNT), "unknown");
	assert_int_equal(lb_check_reason_verdict(LB_C_LOCAL), LB_CHECK_UNKNOWN);
	assert_int_equal(lb_status_range_parse("200", &low, &high), 0);
	assert_int_equal(low, high);
	assert_int_equal(lb_status_range_parse("200-399", &low, &high), 0);
	assert_int_equal(high, 399);
	assert_int_equal(lb_status_range_parse("2xx", &low, &high), -EINVAL);
	assert_int_equal(lb_status_range_parse("200-", &low, &high), -EINVAL);
	assert_int_equal(lb_status_range_parse("200-399x", &low, &high), -EINVAL);
}

/* What is read is written the same way. */
static void fronts_survive(void **state)
{
	static const struct {
		const char *text;
		__u8 length;
		__u16 port, last;
	} cases[] = {
		{ "192.0.2.1:80", 0, 80, 0 },
		{ "192.0.2.1:5000-5999", 0, 5000, 5999 },
		{ "192.0.2.1:*", 0, 1, 65535 },
		{ "192.0.2.0/24:80", 24, 80, 0 },
		{ "192.0.2.0/24:1-2", 24, 1, 2 },
		{ "[2001:db8::1]:80", 0, 80, 0 },
		{ "[2001:db8::1]:80-65535", 0, 80, 65535 },
		{ "[2001:db8::/64]:80", 64, 80, 0 },
		{ "[2001:db8::/64]:*", 64, 1, 65535 },
	};
	char buf[LB_FRONT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lb_service_config service = {};

		assert_int_equal(lb_front_parse(cases[i].text, &service, NULL), 0);
		assert_int_equal(service.vip_length, cases[i].length);
		assert_int_equal(service.port, cases[i].port);
		assert_int_equal(service.port_last, cases[i].last);
		assert_string_equal(lb_front_format(&service, buf), cases[i].text);
	}
}

/* Another spelling of one address and one port is the same service. */
static void fronts_have_one_spelling(void **state)
{
	struct lb_service_config service = {};
	char buf[LB_FRONT_TEXT_SIZE];

	(void)state;
	assert_int_equal(lb_front_parse("192.0.2.1/32:80-80", &service, NULL), 0);
	assert_string_equal(lb_front_format(&service, buf), "192.0.2.1:80");
	assert_int_equal(lb_front_parse("[2001:db8::1/128]:1-65535", &service, NULL), 0);
	assert_string_equal(lb_front_format(&service, buf), "[2001:db8::1]:*");
}

static void no_fronts(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		"*",
		":*",
		"192.0.2.1",
		"192.0.2.1:",
		"192.0.2.1:0",
		"192.0.2.1:65536",
		"192.0.2.1:1-",
		"192.0.2.1:-1",
		"192.0.2.1:2-1",
		"192.0.2.1:1-65536",
		"192.0.2.1:1-2-3",
		"192.0.2.1:**",
		"192.0.2.1:1 -2",
		"192.0.2.1:+1-2",
		"192.0.2.1/24:80",
		"192.0.2.0/33:80",
		"192.0.2.0/:80",
		"192.0.2.0/24",
		"/24:80",
		"2001:db8::/64:80",
		"[2001:db8::]/64:80",
		"[2001:db8::/64:80",
		"[2001:db8::/129]:80",
		"[192.0.2.0/24]:80",
		"[2001:db8::1/64]:80",
		"[::ffff:192.0.2.0/120]:80",
		"[2001:db8::/64]",
		"[2001:db8::/64]80",
		"host:1-2",
		"999999999999999999999999999999999999999999999999999999999999/8:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lb_service_config service = {};
		struct lb_error err = { "" };

		if (lb_front_parse(texts[i], &service, &err) != -EINVAL || !err.text[0])
			fail_msg("'%s' was taken", texts[i]);
		assert_int_equal(service.port, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fronts_survive),
		cmocka_unit_test(fronts_have_one_spelling),
		cmocka_unit_test(no_fronts),
		cmocka_unit_test(addresses_round_trip),
		cmocka_unit_test(addresses_refused),
		cmocka_unit_test(endpoints_round_trip),
		cmocka_unit_test(endpoint_without_port),
		cmocka_unit_test(endpoints_refused),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(names_both_ways),
		cmocka_unit_test(reasons_are_told),
		cmocka_unit_test(failures_are_one_line),
		cmocka_unit_test(durations),
		cmocka_unit_test(check_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
