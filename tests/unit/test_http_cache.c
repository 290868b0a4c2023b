// SPDX-License-Identifier: GPL-2.0-only
/* Freshness, conditional and range requests, keys and Vary; named after the section they hold to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lbcache/conditional.h"
#include "lbcache/freshness.h"
#include "lbcache/key.h"
#include "lbcache/location.h"
#include "lbcache/server.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define EARLIER "Sun, 06 Nov 1994 07:49:37 GMT" /* an hour */

static enum reason judge(const struct policy *policy, const char *status, const char *fields,
			 bool has_authorization, struct freshness *out)
{
	char text[1024];
	struct http_head head;
	struct policy standard = { 0 };
	struct response_facts facts = { .data = text,
					.head = &head,
					.has_authorization = has_authorization,
					.now = NOW,
					.delay_ms = 200 };

	(void)snprintf(text, sizeof(text), "HTTP/1.1 %s x\r\n%s\r\n", status, fields);
	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	return freshness_judge(policy ? policy : &standard, &facts, out);
}

static void lives(const char *fields, unsigned int seconds)
{
	struct freshness out;

	assert_int_equal(judge(NULL, "200", fields, false, &out), WHY_STORED);
	assert_int_equal(out.lifetime_ms, 1000ull * seconds);
}

static void is_not_stored(const char *fields, enum reason why)
{
	struct freshness out;

	assert_int_equal(judge(NULL, "200", fields, false, &out), why);
}

static void rfc9111_3_storing(void **state)
{
	struct policy strip = { .is_set_cookie_cut = true };
	struct freshness out;

	(void)state;
	is_not_stored("Cache-Control: max-age=9, no-store\r\n", WHY_NO_STORE);
	is_not_stored("Cache-Control: Private, max-age=9\r\n", WHY_PRIVATE);
	is_not_stored("Cache-Control: max-age=9, private=\"x\"\r\n", WHY_PRIVATE);
	is_not_stored("Cache-Control: max-age=9\r\nVary: A, *\r\n", WHY_VARY);
	is_not_stored("Cache-Control: max-age=9\r\nSet-Cookie: a=b\r\n", WHY_SET_COOKIE);
	is_not_stored("", WHY_NO_FRESHNESS);
	assert_int_equal(judge(&strip, "200", "Cache-Control: max-age=9\r\nSet-Cookie: a=b\r\n",
			       false, &out),
			 WHY_STORED);
	assert_int_equal(judge(NULL, "206", "Cache-Control: max-age=9\r\n", false, &out),
			 WHY_STATUS);
	assert_int_equal(judge(NULL, "500", "Cache-Control: max-age=9\r\n", false, &out),
			 WHY_STATUS);
}

static void rfc9111_3_5_authorization(void **state)
{
	struct freshness out;

	(void)state;
	assert_int_equal(judge(NULL, "200", "Cache-Control: max-age=9\r\n", true, &out),
			 WHY_AUTHORIZATION);
	assert_int_equal(judge(NULL, "200", "Cache-Control: max-age=9, public\r\n", true, &out),
			 WHY_STORED);
	assert_true(out.is_open);
	assert_int_equal(judge(NULL, "200", "Cache-Control: s-maxage=9\r\n", true, &out),
			 WHY_STORED);
	assert_int_equal(
		judge(NULL, "200", "Cache-Control: max-age=9, must-revalidate\r\n", true, &out),
		WHY_STORED);
	assert_int_equal(judge(NULL, "200", "Cache-Control: max-age=9\r\n", false, &out),
			 WHY_STORED);
	assert_false(out.is_open);
}

static void rfc9111_4_2_1_lifetime(void **state)
{
	struct policy ttl = { .ttl = 60 };
	struct freshness out;

	(void)state;
	lives("Cache-Control: max-age=9\r\nExpires: 0\r\n", 9);
	lives("Cache-Control: max-age=9, s-maxage=8\r\n", 8);
	lives("Cache-Control: s-maxage=8\r\nCDN-Cache-Control: max-age=7\r\n", 7);
	lives("Cache-Control: no-store\r\nCDN-Cache-Control: max-age=7\r\n", 7);
	lives("Cache-Control: max-age=\"9\"\r\n", 9);
	lives("Cache-Control: max-age=99999999999999999999\r\n", DIRECTIVE_MAX);
	lives("Cache-Control: max-age=9, max-age=5\r\n", 5);
	lives(DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 60);
	is_not_stored("Cache-Control: max-age=x\r\n", WHY_NO_FRESHNESS);
	is_not_stored(DATE "Expires: 0\r\n", WHY_NO_FRESHNESS);
	is_not_stored(DATE "Expires: " EARLIER "\r\n", WHY_NO_FRESHNESS);
	assert_int_equal(judge(&ttl, "200", "", false, &out), WHY_STORED);
	assert_int_equal(out.lifetime_ms, 60000);
	assert_int_equal(judge(&ttl, "200", "Cache-Control: max-age=9\r\n", false, &out),
			 WHY_STORED);
	assert_int_equal(out.lifetime_ms, 9000);
}

static void rfc9111_4_2_2_heuristic(void **state)
{
	(void)state;
	lives(DATE "Last-Modified: " EARLIER "\r\n", 360);
	lives(DATE "Last-Modified: Sun, 06 Nov 1904 07:49:37 GMT\r\n", 86400);
}

static void rfc9111_4_2_3_age(void **state)
{
	struct freshness out;

	(void)state;
	assert_int_equal(
		judge(NULL, "200", "Cache-Control: max-age=9999\r\nAge: 5\r\n", false, &out),
		WHY_STORED);
	assert_int_equal(out.age_ms, 5200);
	assert_int_equal(judge(NULL, "200",
			       "Cache-Control: max-age=9999\r\nAge: 5\r\nDate: " EARLIER "\r\n",
			       false, &out),
			 WHY_STORED);
	assert_int_equal(out.age_ms, 3600000);
	/* as old as it may get, and nothing to ask with */
	is_not_stored("Cache-Control: max-age=5\r\nAge: 5\r\n", WHY_NO_FRESHNESS);
}

static void rfc9111_5_2_2_4_no_cache(void **state)
{
	struct freshness out;

	(void)state;
	is_not_stored("Cache-Control: no-cache\r\n", WHY_NO_FRESHNESS);
	lives("Cache-Control: no-cache\r\nETag: \"a\"\r\n", 0);
	assert_int_equal(judge(NULL, "200", "Cache-Control: no-cache, max-age=9\r\nETag: \"a\"\r\n",
			       false, &out),
			 WHY_STORED);
	assert_int_equal(out.lifetime_ms, 0);
	assert_true(out.must_revalidate);
}

static void rfc5861_stale(void **state)
{
	struct policy policy = { .stale_while = 3, .stale_error = 4 };
	struct freshness out;

	(void)state;
	assert_int_equal(judge(&policy, "200",
			       "Cache-Control: max-age=9, stale-while-revalidate=5, "
			       "stale-if-error=6\r\n",
			       false, &out),
			 WHY_STORED);
	assert_int_equal(out.stale_while_ms, 5000);
	assert_int_equal(out.stale_error_ms, 6000);
	(void)judge(&policy, "200", "Cache-Control: max-age=9\r\n", false, &out);
	assert_int_equal(out.stale_while_ms, 3000);
	assert_int_equal(out.stale_error_ms, 4000);
	(void)judge(&policy, "200", "Cache-Control: max-age=9, must-revalidate\r\n", false, &out);
	assert_int_equal(out.stale_while_ms, 0);
	assert_int_equal(out.stale_error_ms, 0);
	(void)judge(&policy, "200", "Cache-Control: s-maxage=9\r\n", false, &out);
	assert_int_equal(out.stale_error_ms, 0);
}

static void negative_responses(void **state)
{
	struct policy policy = { .ttl = 60, .negative_ttl = 5 };
	struct freshness out;

	(void)state;
	assert_int_equal(judge(&policy, "404", "", false, &out), WHY_STORED);
	assert_int_equal(out.lifetime_ms, 5000);
	policy.negative_ttl = 0;
	assert_int_equal(judge(&policy, "404", "", false, &out), WHY_NO_FRESHNESS);
	assert_int_equal(judge(&policy, "404", "Cache-Control: max-age=3\r\n", false, &out),
			 WHY_STORED);
	assert_int_equal(judge(&policy, "302", "", false, &out), WHY_NO_FRESHNESS);
}

static const struct validators stored = {
	.etag = { "\"v1\"", 4 },
	.last_modified = { EARLIER, 29 },
};

static void request(const char *fields, char text[512], struct http_head *head)
{
	(void)snprintf(text, 512, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_true(http_parse_request(text, strlen(text), head) > 0);
}

static bool is_unchanged(const char *fields)
{
	struct http_head head;
	char text[512];

	request(fields, text, &head);
	return conditional_is_unchanged(text, &head, &stored, NOW);
}

static void rfc9110_13_1_conditions(void **state)
{
	(void)state;
	assert_false(is_unchanged(""));
	assert_true(is_unchanged("If-None-Match: \"x\", W/\"v1\"\r\n"));
	assert_true(is_unchanged("If-None-Match: *\r\n"));
	assert_false(is_unchanged("If-None-Match: v1\r\n"));
	assert_false(is_unchanged("If-None-Match: \"v2\"\r\nIf-Modified-Since: " EARLIER "\r\n"));
	assert_true(is_unchanged("If-Modified-Since: " EARLIER "\r\n"));
	assert_false(is_unchanged("If-Modified-Since: Sun, 06 Nov 1994 07:49:36 GMT\r\n"));
	assert_false(is_unchanged("If-Modified-Since: yesterday\r\n"));
}

static int ranges_of(const char *fields, uint64_t size, struct range *ranges)
{
	struct http_head head;
	char text[512];

	request(fields, text, &head);
	return range_read(text, &head, &stored, size, ranges);
}

static void rfc9110_14_2_range(void **state)
{
	struct range r[RANGES_MAX];

	(void)state;
	assert_int_equal(ranges_of("Range: bytes=2-5\r\n", 10, r), 1);
	assert_true(r[0].first == 2 && r[0].last == 5);
	assert_int_equal(ranges_of("Range: bytes=2-\r\n", 10, r), 1);
	assert_true(r[0].first == 2 && r[0].last == 9);
	assert_int_equal(ranges_of("Range: bytes=-3\r\n", 10, r), 1);
	assert_true(r[0].first == 7 && r[0].last == 9);
	assert_int_equal(ranges_of("Range: bytes=-30\r\n", 10, r), 1);
	assert_true(r[0].first == 0 && r[0].last == 9);
	assert_int_equal(ranges_of("Range: bytes=0-0, 20-30 ,-1\r\n", 10, r), 2);
	assert_int_equal(ranges_of("Range: bytes=10-\r\n", 10, r), -ERANGE);
	assert_int_equal(ranges_of("Range: bytes=-0\r\n", 10, r), -ERANGE);
	assert_int_equal(ranges_of("Range: bytes=0-\r\n", 0, r), -ERANGE);
	assert_int_equal(ranges_of("Range: bytes=5-2\r\n", 10, r), 0);
	assert_int_equal(ranges_of("Range: lines=1-2\r\n", 10, r), 0);
	assert_int_equal(ranges_of("Range: bytes=0-,0-,0-\r\n", 10, r), 0);
	assert_int_equal(ranges_of("Range: bytes=a-b\r\n", 10, r), 0);
	assert_int_equal(ranges_of("", 10, r), 0);
}

static void rfc9110_13_1_5_if_range(void **state)
{
	struct range r[RANGES_MAX];

	(void)state;
	assert_int_equal(ranges_of("Range: bytes=1-2\r\nIf-Range: \"v1\"\r\n", 10, r), 1);
	assert_int_equal(ranges_of("Range: bytes=1-2\r\nIf-Range: \"v2\"\r\n", 10, r), 0);
	assert_int_equal(ranges_of("Range: bytes=1-2\r\nIf-Range: W/\"v1\"\r\n", 10, r), 0);
	assert_int_equal(ranges_of("Range: bytes=1-2\r\nIf-Range: " EARLIER "\r\n", 10, r), 1);
}

#define T(word) ((struct text){ word, sizeof(word) - 1 })

static void is_keyed(struct text host, struct text target, const struct policy *policy,
		     const char *expected)
{
	char buf[KEY_MAX];
	size_t len = key_make(T("http"), host, target, policy, buf);

	assert_int_equal(len, strlen(expected));
	assert_memory_equal(buf, expected, len);
}

static void rfc9111_4_keys(void **state)
{
	struct policy plain = { 0 }, sorted = { .is_query_sorted = true },
		      dropped = { .query_drop = "utm_*,id" },
		      behind = { .query_drop = "utm_*,x-ref" };

	(void)state;
	is_keyed(T("A.Example:80"), T("/P?b=1&a=2"), &plain, "http://a.example/P?b=1&a=2");
	is_keyed(T("a:8080"), T("/"), &plain, "http://a:8080/");
	is_keyed(T("a"), T("/?"), &plain, "http://a/?");
	is_keyed(T("a"), T("/?b=1&a=2&a=1"), &sorted, "http://a/?a=1&a=2&b=1");
	is_keyed(T("a"), T("/?b=1&utm_x=2&id=1&idx=3"), &dropped, "http://a/?b=1&idx=3");
	is_keyed(T("a"), T("/?utm_x"), &dropped, "http://a/");
	is_keyed(T("a"), T("/?x-ref=1&id=2&utm_=3&ut=4"), &behind, "http://a/?id=2&ut=4");
	assert_int_not_equal(key_hash("a", 1, 1, 7), key_hash("a", 1, 2, 7));
	assert_int_not_equal(key_hash("a", 1, 1, 7), key_hash("a", 1, 1, 8));
}

static void are_values(const char *fields, const char *expected)
{
	static const char names[] = "accept-encoding\nx-a\n";
	struct policy policy = { 0 };
	struct http_head head;
	char text[512], buf[VARY_MAX];
	ssize_t len;

	request(fields, text, &head);
	len = vary_values(T(names), text, &head, &policy, buf);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(buf, expected, strlen(expected));
}

static void rfc9111_4_1_vary(void **state)
{
	const char *text = "HTTP/1.1 200 x\r\nVary: Accept-Encoding\r\nVary: X-A ,\r\n\r\n";
	struct http_head head;
	char buf[VARY_NAMES_MAX];

	(void)state;
	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	assert_int_equal(vary_names(text, &head, buf), 20);
	assert_memory_equal(buf, "accept-encoding\nx-a\n", 20);
	are_values("", "\n\n");
	are_values("Accept-Encoding: gzip, deflate, br;q=0\r\n", "deflate,gzip,identity,\n\n");
	are_values("accept-encoding: DEFLATE ;q=0.5,gzip\r\n", "deflate,gzip,identity,\n\n");
	are_values("X-A:\r\n", "\n,\n");
	are_values("X-A: ,\r\nX-A:\r\n", "\n,\n");
	are_values("X-A: a ,b\r\nX-A: c\r\n", "\na,b,c,\n");
}

static void passes(const char *target, const char *prefix, bool expected)
{
	struct rules rules = { .count = 1, .rule[0].policy.is_pass = true };

	rule_set_prefix(&rules.rule[0], prefix);
	if (rules_find(&rules, (struct text){ target, strlen(target) })->is_pass != expected)
		fail_msg("%s by a rule for %s", target, prefix);
}

/* expected: NULL, of another origin. */
static void names(const char *reference, const char *base, const char *expected)
{
	const struct text from = { reference, strlen(reference) }, to = { base, strlen(base) };
	char buf[HTTP_TARGET_MAX];
	struct text out = { 0 };
	bool is_ours = location_resolve(from, T("http"), T("a.example"), to, buf, &out);

	if (is_ours != (expected != NULL) ||
	    (expected && !text_is_same(out, (struct text){ expected, strlen(expected) })))
		fail_msg("%s of %s is %.*s", reference, base, (int)out.len, out.at ? out.at : "");
}

static void rfc3986_5_2_references(void **state)
{
	(void)state;
	names("b", "/x/a?q", "/x/b");
	names("b?c=/../d", "/x/a", "/x/b?c=/../d");
	names("./b", "/x/a", "/x/b");
	names("../b", "/x/y/a", "/x/b");
	names("../../../b", "/x/a", "/b");
	names("..", "/x/y/a", "/x/");
	names(".", "/x/a", "/x/");
	names("b/", "/x/", "/x/b/");
	names("?c", "/x/a?q", "/x/a?c");
	names("/b/../c#d", "/x/a", "/c");
	names("#d", "/x/a", NULL);
	names("", "/x/a", NULL);
	names("b", "*", NULL);
	names("http://A.example:80/b", "/x/a", "/b");
	names("HTTP://a.example", "/x/a", "/");
	names("http://a.example?c", "/x/a", "/?c");
	names("//a.example/b", "/x/a", "/b");
	names("//b.example/b", "/x/a", NULL);
	names("http://a.example:81/b", "/x/a", NULL);
	names("https://a.example/b", "/x/a", NULL);
	names("http:b", "/x/a", NULL);
	names("mailto:b", "/x/a", NULL);
	names("b/c:d", "/x/a", "/x/b/c:d");
}

static void rfc9110_12_5_3_codings(void **state)
{
	(void)state;
	are_values("Accept-Encoding: \r\n", "identity,\n\n"); /* without it any may come */
	are_values("Accept-Encoding: x-gzip, X-Compress\r\n", "compress,gzip,identity,\n\n");
	are_values("Accept-Encoding: compress\r\n", "compress,identity,\n\n");
	are_values("Accept-Encoding: gzip; Q=0.000, br\r\n", "br,identity,\n\n");
	are_values("Accept-Encoding: gzip;q=0.001\r\n", "gzip,identity,\n\n");
	are_values("Accept-Encoding: gzip, identity;q=0\r\n", "gzip,\n\n");
	are_values("Accept-Encoding: gzip, *;q=0\r\n", "gzip,\n\n");
	are_values("Accept-Encoding: identity, *;q=0\r\n", "identity,\n\n");
	are_values("Accept-Encoding: *\r\n", "br,compress,deflate,gzip,zstd,identity,*,\n\n");
	are_values("Accept-Encoding: gzip;q=0\r\nAccept-Encoding: *\r\n",
		   "br,compress,deflate,zstd,identity,*,\n\n");
	are_values("Accept-Encoding: *, identity;q=0\r\n", "br,compress,deflate,gzip,zstd,*,\n\n");
	are_values("Accept-Encoding: Dcb, *, aes;q=0\r\n",
		   "dcb,aes;q=0,br,compress,deflate,gzip,zstd,identity,*,\n\n");
}

static void rfc3986_6_2_2_rules_by_path(void **state)
{
	(void)state;
	passes("/page", "/page", true);
	passes("/%70age?a", "/page", true);
	passes("/%2570age", "/page", false);
	passes("//page", "/page", true);
	passes("/x/../page", "/page", true);
	passes("/x/%2E%2e/page", "/page", true);
	passes("/x%2f..%2Fpage", "/page", true);
	passes("/./page", "/page", true);
	passes("/../page", "/page", true);
	passes("/page;x", "/page", true);
	passes("/page;x/me", "/page/", true);
	passes("/x/..;y/page/", "/page/", true);
	passes("/;/page", "/page", true);
	passes("/page/../x", "/page", true); /* as it stands there */
	passes("/x?/../page", "/page", false);
	passes("/x?a=%70age", "/page", false);
	passes("/x/page", "/page", false);
	passes("/pag%", "/page", false);
	passes("/pag%6", "/page", false);
	/* rules are read in the same way */
	passes("/caf%C3%a9/x", "/caf%c3%A9", true);
	passes("/page", "//x/../pa", true);
	passes("/.git/config", "/.", true);
	passes("/page", "/.", false);
	passes("/a/page", "/a/..", false);
	passes("/page?b=1", "/page?b", true);
	passes("/%70age?b=1", "/page?b", true);
}

/* The longest one of the normal form counts, where none passes. */
static void rules_by_normal_path(void **state)
{
	struct rules rules = { .count = 2, .rule[0].policy.ttl = 5, .rule[1].policy.ttl = 6 };

	(void)state;
	rule_set_prefix(&rules.rule[0], "/static/");
	rule_set_prefix(&rules.rule[1], "/");
	assert_int_equal(rules_find(&rules, T("/static/a%20b"))->ttl, 5);
	assert_int_equal(rules_find(&rules, T("/x/../static/a"))->ttl, 5);
	assert_int_equal(rules_find(&rules, T("/static/../a"))->ttl, 6);
	assert_int_equal(rules_find(&rules, T("*"))->ttl, 0);
	rules.rule[1].policy.is_pass = true;
	assert_true(rules_find(&rules, T("/static/%2e./a"))->is_pass);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3986_5_2_references),
		cmocka_unit_test(rfc9110_12_5_3_codings),
		cmocka_unit_test(rfc3986_6_2_2_rules_by_path),
		cmocka_unit_test(rules_by_normal_path),
		cmocka_unit_test(rfc9111_3_storing),
		cmocka_unit_test(rfc9111_3_5_authorization),
		cmocka_unit_test(rfc9111_4_2_1_lifetime),
		cmocka_unit_test(rfc9111_4_2_2_heuristic),
		cmocka_unit_test(rfc9111_4_2_3_age),
		cmocka_unit_test(rfc9111_5_2_2_4_no_cache),
		cmocka_unit_test(rfc5861_stale),
		cmocka_unit_test(negative_responses),
		cmocka_unit_test(rfc9110_13_1_conditions),
		cmocka_unit_test(rfc9110_14_2_range),
		cmocka_unit_test(rfc9110_13_1_5_if_range),
		cmocka_unit_test(rfc9111_4_keys),
		cmocka_unit_test(rfc9111_4_1_vary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
