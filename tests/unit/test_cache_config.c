// SPDX-License-Identifier: GPL-2.0-only
/* The cache part of the document: times, rules, reading and writing, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liblb.h"

#define SERVICE                                                                                    \
	"services:\n  - name: web\n    protocol: tcp\n    address: 203.0.113.10:80\n    cache:\n"

static void times(void **state)
{
	static const struct {
		const char *text, *back;
		int ret;
		__u32 ttl_s;
	} rows[] = {
		{ "0", "0s", 0, 0 },
		{ "1", "1s", 0, 1 },
		{ "60s", "60s", 0, 60 },
		{ "2m", "2m", 0, 120 },
		{ "121", "121s", 0, 121 },
		{ "90m", "90m", 0, 5400 },
		{ "48h", "2d", 0, 172800 },
		{ "365d", "365d", 0, 31536000 },
		{ "366d", NULL, -ERANGE, 0 },
		{ "31536001", NULL, -ERANGE, 0 },
		{ "99999999999999999999", NULL, -ERANGE, 0 },
		{ "", NULL, -EINVAL, 0 },
		{ "s", NULL, -EINVAL, 0 },
		{ "-1", NULL, -EINVAL, 0 },
		{ "1x", NULL, -EINVAL, 0 },
		{ "1sd", NULL, -EINVAL, 0 },
		{ "1 s", NULL, -EINVAL, 0 },
		{ "1.5h", NULL, -EINVAL, 0 },
	};
	char text[LB_ADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		__u32 ttl_s = 77;

		assert_int_equal(lb_ttl_parse(rows[i].text, &ttl_s), rows[i].ret);
		assert_int_equal(ttl_s, rows[i].ret ? 77 : rows[i].ttl_s);
		if (!rows[i].ret)
			assert_string_equal(lb_ttl_format(ttl_s, text), rows[i].back);
	}
}

static void rules(void **state)
{
	struct lb_cache_rule a = { .prefix = "/a" }, b = { .prefix = "/b" };
	struct lb_cache_config cache = { .is_on = true };

	(void)state;
	assert_int_equal(lb_cache_set_rule(&cache, &a), 0);
	assert_int_equal(lb_cache_set_rule(&cache, &b), 0);
	a.is_pass = true;
	assert_int_equal(lb_cache_set_rule(&cache, &a), 0);
	assert_int_equal(cache.rule_count, 2);
	assert_true(lb_cache_find_rule(&cache, "/a")->is_pass);
	assert_null(lb_cache_find_rule(&cache, "/"));
	lb_cache_del_rule(&cache, lb_cache_find_rule(&cache, "/a"));
	assert_int_equal(cache.rule_count, 1);
	assert_string_equal(cache.rules[0].prefix, "/b");
	free(cache.rules);
}

/* Each option's texts, as they are written again; what is refused changes nothing. */
static void options(void **state)
{
	static const char long_names[LB_CACHE_DROP_SIZE + 1] = { [0 ... LB_CACHE_DROP_SIZE - 1] =
									 'a' };
	static const struct {
		const char *name, *text, *back;
		int ret;
	} rows[] = {
		{ "ttl", "120", "2m", 0 },
		{ "negative", "5s", "5s", 0 },
		{ "stale", "10m", "10m", 0 },
		{ "stale-if-error", "0", "0s", 0 },
		{ "stale-if-error", "366d", NULL, -ERANGE },
		{ "negative", "5x", NULL, -EINVAL },
		{ "cookie", "ignore", "ignore", 0 },
		{ "cookie", "pass", "pass", 0 },
		{ "cookie", "strip", NULL, -EINVAL },
		{ "set-cookie", "strip", "strip", 0 },
		{ "set-cookie", "pass", "pass", 0 },
		{ "query", "sort", "sort", 0 },
		{ "query", "", NULL, -EINVAL },
		{ "collapse", "off", "off", 0 },
		{ "collapse", "true", "on", 0 },
		{ "query-drop", "utm_*,fbclid", "utm_*,fbclid", 0 },
		{ "query-drop", "*", "*", 0 },
		{ "query-drop", "", NULL, -EINVAL },
		{ "query-drop", ",", NULL, -EINVAL },
		{ "query-drop", "a,", NULL, -EINVAL },
		{ "query-drop", ",a", NULL, -EINVAL },
		{ "query-drop", "a,,b", NULL, -EINVAL },
		{ "query-drop", "a b", NULL, -EINVAL },
		{ "query-drop", "a=1", NULL, -EINVAL },
		{ "query-drop", "a*b", NULL, -EINVAL },
		{ "query-drop", "a\"", NULL, -EINVAL },
		{ "query-drop", long_names, NULL, -ERANGE },
		{ "query-drop", long_names + 1, long_names + 1, 0 },
	};
	char text[LB_CACHE_DROP_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const enum lb_cache_option option = lb_cache_find_option(rows[i].name);
		struct lb_cache_rule rule = { .is_pass = false };

		assert_in_range(option, 0, LB_CACHE_OPTIONS - 1);
		assert_string_equal(lb_cache_option_name(option), rows[i].name);
		assert_int_equal(lb_cache_rule_say(&rule, option, rows[i].text), rows[i].ret);
		assert_int_equal(rule.said, rows[i].ret ? 0 : 1u << option);
		if (rows[i].ret)
			assert_null(lb_cache_rule_text(&rule, option, text));
		else
			assert_string_equal(lb_cache_rule_text(&rule, option, text), rows[i].back);
	}
	assert_int_equal(lb_cache_find_option("pass"), LB_CACHE_OPTIONS);
}

static struct lb_config *read_text(const char *text)
{
	struct lb_config *config;
	struct lb_error err;
	int ret = lb_config_parse(&config, text, strlen(text), "s", &err);

	if (ret)
		print_error("%s\n", err.text);
	assert_int_equal(ret, 0);
	return config;
}

static char *print_text(const struct lb_config *config)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(lb_config_print(config, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* What is written reads as the same, and as the same text again. */
static void survives(void **state)
{
	static const char *const parts[] = {
		"      ttl: 60s\n",
		"      ttl: 0s\n",
		"      enabled: false\n      ttl: 0s\n      rules:\n        - prefix: \"/\"\n"
		"          pass: true\n",
		"      ttl: 2m\n      rules:\n        - prefix: \"/a\\\"b\\\\c\"\n          ttl: "
		"1d\n"
		"        - prefix: \"/account/\"\n          pass: true\n",
		"      ttl: 0s\n      rules:\n        - prefix: \"/a\"\n          ttl: 0s\n"
		"          negative: 5s\n          stale: 10m\n          stale-if-error: 0s\n"
		"          cookie: ignore\n          set-cookie: strip\n          query: sort\n"
		"          collapse: off\n          query-drop: \"*,fbclid\"\n"
		"        - prefix: \"/b\"\n          cookie: pass\n",
		"      ttl: 0s\n      tls:\n        - certificate: \"/etc/a \\\"1\\\".pem\"\n"
		"        - certificate: \"/etc/b.pem\"\n          key: \"/etc/b.key\"\n"
		"      verify: \"off\"\n",
		"      ttl: 1s\n      tls:\n        - certificate: \"/a\"\n      verify: \"/ca\"\n",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct lb_config *config, *copy;
		char *printed;

		(void)snprintf(text, sizeof(text), SERVICE "%s", parts[i]);
		config = read_text(text);
		copy = lb_config_copy(config);
		assert_non_null(copy);
		lb_config_free(config);
		printed = print_text(copy);
		assert_non_null(strstr(printed, parts[i]));
		lb_config_free(copy);
		free(printed);
	}
}

static void reads(void **state)
{
	struct lb_config *config = read_text(SERVICE "      rules:\n        - prefix: /x/\n"
						     "          ttl: 1h\n");
	const struct lb_cache_config *cache = &config->services[0].cache;

	(void)state;
	assert_true(cache->is_on);
	assert_int_equal(cache->ttl_s, 0);
	assert_int_equal(cache->rule_count, 1);
	assert_string_equal(cache->rules[0].prefix, "/x/");
	assert_int_equal(cache->rules[0].said, 1u << LB_CACHE_TTL);
	assert_int_equal(cache->rules[0].value[LB_CACHE_TTL], 3600);
	lb_config_free(config);
	config = read_text(SERVICE);
	assert_false(config->services[0].cache.is_on);
	lb_config_free(config);
}

static void refuses(void **state)
{
	static const char *const rows[][2] = {
		{ "      ttl: 60q\n", "s:6: '60q' is no time" },
		{ "      ttl: 366d\n", "s:6: '366d' is no time" },
		{ "      enabled: perhaps\n", "s:6: " },
		{ "      rules:\n        - prefix: x\n          ttl: 1s\n", "'x' is no path" },
		{ "      rules:\n        - prefix: \"/a b\"\n          ttl: 1s\n", "no blanks" },
		{ "      rules:\n        - prefix: /a\n", "the rule for '/a' says nothing" },
		{ "      rules:\n        - prefix: /a\n          ttl: 1s\n          pass: true\n",
		  "the rule for '/a' says 'pass'" },
		{ "      rules:\n        - prefix: /a\n          stale: 1q\n",
		  "stale '1q' of the rule for '/a' is not possible, expected seconds" },
		{ "      rules:\n        - prefix: /a\n          cookie: eat\n",
		  "expected ignore or pass" },
		{ "      rules:\n        - prefix: /a\n          query-drop: \"a,\"\n",
		  "expected names of parameters" },
		{ "      rules:\n        - prefix: /a\n          cookies: pass\n", "s:8: " },
		{ "      rules:\n        - prefix: /a\n          ttl: 1s\n        - prefix: /a\n"
		  "          pass: true\n",
		  "there are two rules for '/a'" },
		{ "      unknown: 1\n", "s:6: " },
		{ "      tls:\n        - certificate: a.pem\n",
		  "'a.pem' is no path from the root" },
		{ "      tls:\n        - certificate: /a,b\n", "no control characters or commas" },
		{ "      tls:\n        - certificate: /a\n          key: k\n", "'k' is no path" },
		{ "      tls:\n        - key: /a\n", "s:" },
		{ "      verify: off\n", "'tls' has no certificate" },
		{ "      tls:\n        - certificate: /a\n      verify: no\n", "'no' is no path" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_config *config;
		struct lb_error err = { "" };

		(void)snprintf(text, sizeof(text), SERVICE "%s", rows[i][0]);
		assert_int_equal(lb_config_parse(&config, text, strlen(text), "s", &err), -EBADMSG);
		if (!strstr(err.text, rows[i][1]))
			print_error("'%s' lacks '%s'\n", err.text, rows[i][1]);
		assert_non_null(strstr(err.text, rows[i][1]));
	}
}

static void refuses_udp_and_too_many(void **state)
{
	struct lb_config *config = read_text(SERVICE "      ttl: 60s\n");
	struct lb_service_config *service = &config->services[0];
	struct lb_error err;

	(void)state;
	for (unsigned int i = 0; i <= LB_CACHE_RULES_MAX; i++) {
		struct lb_cache_rule rule = { .is_pass = true };

		assert_int_equal(lb_config_check(config, &err), 0);
		(void)snprintf(rule.prefix, sizeof(rule.prefix), "/%u", i);
		assert_int_equal(lb_cache_set_rule(&service->cache, &rule), 0);
	}
	assert_int_equal(lb_config_check(config, &err), -ERANGE);
	service->cache.rule_count = 0;
	service->proto = 17;
	assert_int_equal(lb_config_check(config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tcp only"));
	lb_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),
		cmocka_unit_test(rules),
		cmocka_unit_test(options),
		cmocka_unit_test(survives),
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_udp_and_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
