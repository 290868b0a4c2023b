// SPDX-License-Identifier: GPL-2.0-only
/* A request's fields in HTTP/2 as a head in HTTP/1.1; tests are named after sections of RFC 9113.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/h2_head.h"

#define METHOD ":method", "GET"
#define SCHEME ":scheme", "https"
#define AUTHORITY ":authority", "a.example"
#define PATH ":path", "/page?x=1"
#define GET METHOD, SCHEME, AUTHORITY, PATH

static const struct text https = { "https", 5 };
static char written[H2_TEXT_MAX + 1];

static struct text text(const char *word)
{
	return (struct text){ word, strlen(word) };
}

/* Names and values in turn, ended by NULL. */
static ssize_t write_head(bool is_ended, const char *const *list)
{
	struct h2_head *head = malloc(sizeof(*head));
	ssize_t ret;

	assert_non_null(head);
	h2_head_begin(head);
	for (; *list; list += 2)
		h2_head_add(head, text(list[0]), text(list[1]));
	ret = h2_head_write(head, https, is_ended, written);
	written[ret > 0 ? ret : 0] = '\0';
	free(head);
	return ret;
}

#define WRITE(is_ended, ...) write_head(is_ended, (const char *const[]){ __VA_ARGS__, NULL })
#define REFUSES(...) assert_int_equal(WRITE(true, __VA_ARGS__), -EBADMSG)

/* What is written is one whole request to the parser that judges all. */
#define WRITES(is_ended, expected, ...)                                                            \
	do {                                                                                       \
		struct http_head parsed;                                                           \
		ssize_t len = WRITE(is_ended, __VA_ARGS__);                                        \
		assert_string_equal(written, expected);                                            \
		assert_int_equal(len, strlen(expected));                                           \
		assert_int_equal(http_parse_request(written, (size_t)len, &parsed), len);          \
	} while (0)

#define LINE "GET /page?x=1 HTTP/1.1\r\nhost: a.example\r\n"

static void rfc9113_8_3_1_request(void **state)
{
	(void)state;
	WRITES(true, LINE "\r\n", GET);
	WRITES(true, LINE "\r\n", PATH, AUTHORITY, SCHEME, METHOD);
	WRITES(true, LINE "accept: */*\r\nx: \r\n\r\n", GET, "accept", "*/*", "x", "");
	WRITES(true, LINE "\r\n", METHOD, SCHEME, PATH, "host", "a.example");
	WRITES(true, LINE "\r\n", GET, "host", "A.example");
	WRITES(true, "OPTIONS * HTTP/1.1\r\nhost: a.example\r\n\r\n", ":method", "OPTIONS", SCHEME,
	       AUTHORITY, ":path", "*");
	REFUSES(SCHEME, AUTHORITY, PATH);
	REFUSES(METHOD, AUTHORITY, PATH);
	REFUSES(METHOD, SCHEME, PATH);
	REFUSES(METHOD, SCHEME, AUTHORITY);
	REFUSES(GET, "host", "b.example");
	REFUSES(GET, "host", "");
	REFUSES(METHOD, SCHEME, PATH, "host", "a.example", "host", "a.example");
	REFUSES(METHOD, ":scheme", "http", AUTHORITY, PATH);
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "");
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "page");
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "*");
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "https://b.example/");
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "/a b");
	REFUSES(METHOD, SCHEME, AUTHORITY, ":path", "/ HTTP/1.1\r\nhost: b\r\n\r\n");
	REFUSES(":method", "", SCHEME, AUTHORITY, PATH);
	REFUSES(":method", "GET /x", SCHEME, AUTHORITY, PATH);
	REFUSES(METHOD, SCHEME, ":authority", "a b", PATH);
	REFUSES(METHOD, SCHEME, ":authority", "", PATH);
}

static void rfc9113_8_3_pseudo_fields(void **state)
{
	(void)state;
	REFUSES("x", "y", GET);
	REFUSES(METHOD, SCHEME, AUTHORITY, "x", "y", PATH);
	REFUSES(GET, METHOD);
	REFUSES(GET, PATH);
	REFUSES(GET, SCHEME);
	REFUSES(GET, AUTHORITY);
	REFUSES(METHOD, SCHEME, AUTHORITY, PATH, ":status", "200");
	REFUSES(METHOD, SCHEME, AUTHORITY, PATH, ":protocol", "websocket");
	REFUSES(METHOD, SCHEME, AUTHORITY, PATH, ":", "x");
}

static void rfc9113_8_2_1_names_and_values(void **state)
{
	static const char *const names[] = { "Upper", "a b", "a:", "a\n", "\x7f", "\xe4", "" };
	static const char *const values[] = {
		"a\r\nb: c", "a\n", "a\r", " a", "a ", "\ta", "\x01"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		REFUSES(GET, names[i], "x");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		REFUSES(GET, "x", values[i]);
	WRITES(true, LINE "x: a b\tc \xe4\r\n\r\n", GET, "x", "a b\tc \xe4");
}

static void rfc9113_8_2_1_nul(void **state)
{
	struct h2_head *head = malloc(sizeof(*head));

	(void)state;
	assert_non_null(head);
	h2_head_begin(head);
	h2_head_add(head, text(":method"), text("GET"));
	h2_head_add(head, text(":scheme"), text("https"));
	h2_head_add(head, text(":authority"), text("a.example"));
	h2_head_add(head, text(":path"), text("/"));
	h2_head_add(head, text("x"), (struct text){ "a\0b", 3 });
	assert_int_equal(h2_head_write(head, https, true, written), -EBADMSG);
	free(head);
}

static void rfc9113_8_2_2_fields_of_a_connection(void **state)
{
	(void)state;
	REFUSES(GET, "connection", "close");
	REFUSES(GET, "keep-alive", "5");
	REFUSES(GET, "proxy-connection", "close");
	REFUSES(GET, "transfer-encoding", "chunked");
	REFUSES(GET, "upgrade", "h2c");
	REFUSES(GET, "te", "gzip");
	WRITES(true, LINE "te: trailers\r\n\r\n", GET, "te", "trailers");
}

static void rfc9113_8_2_3_cookies(void **state)
{
	(void)state;
	WRITES(true, LINE "x: y\r\ncookie: a=1; b=2; c=3\r\n\r\n", GET, "cookie", "a=1", "x", "y",
	       "cookie", "b=2", "cookie", "c=3");
	WRITES(true, LINE "cookie: a=1\r\n\r\n", GET, "cookie", "a=1");
}

static void rfc9113_8_1_bodies(void **state)
{
	(void)state;
	WRITES(false, LINE "transfer-encoding: chunked\r\n\r\n", GET);
	WRITES(false, LINE "content-length: 5\r\n\r\n", GET, "content-length", "5");
	WRITES(true, LINE "content-length: 0\r\n\r\n", GET, "content-length", "0");
}

static void rfc9113_8_5_connect(void **state)
{
	(void)state;
	assert_true(WRITE(true, ":method", "CONNECT", ":authority", "b.example:443") > 0);
	assert_string_equal(written,
			    "CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\n\r\n");
	REFUSES(":method", "CONNECT");
	REFUSES(":method", "CONNECT", "host", "b.example:443");
	REFUSES(":method", "CONNECT", SCHEME, AUTHORITY, PATH);
}

/* Fields of one byte each, as many as fit; then one more, and one byte more. */
static void too_many(void **state)
{
	struct h2_head *head = malloc(sizeof(*head));
	char *large = malloc(HTTP_HEAD_MAX + 1);
	const size_t used = strlen("GEThttpsa.example/");

	(void)state;
	assert_non_null(head);
	assert_non_null(large);
	memset(large, 'z', HTTP_HEAD_MAX + 1);
	for (unsigned int fields = H2_FIELDS_MAX; fields <= H2_FIELDS_MAX + 1; fields++) {
		for (unsigned int surplus = 0; surplus < 2; surplus++) {
			h2_head_begin(head);
			h2_head_add(head, text(":method"), text("GET"));
			h2_head_add(head, text(":scheme"), text("https"));
			h2_head_add(head, text(":authority"), text("a.example"));
			h2_head_add(head, text(":path"), text("/"));
			for (unsigned int i = 0; i < fields - 1; i++)
				h2_head_add(head, text("x"), text(""));
			h2_head_add(
				head, text("y"),
				(struct text){ large, HTTP_HEAD_MAX - used - fields + surplus });
			if (surplus || fields > H2_FIELDS_MAX)
				assert_int_equal(h2_head_write(head, https, false, written),
						 -E2BIG);
			else
				assert_true(h2_head_write(head, https, false, written) > 0);
		}
	}
	free(large);
	free(head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9113_8_3_1_request),
		cmocka_unit_test(rfc9113_8_3_pseudo_fields),
		cmocka_unit_test(rfc9113_8_2_1_names_and_values),
		cmocka_unit_test(rfc9113_8_2_1_nul),
		cmocka_unit_test(rfc9113_8_2_2_fields_of_a_connection),
		cmocka_unit_test(rfc9113_8_2_3_cookies),
		cmocka_unit_test(rfc9113_8_1_bodies),
		cmocka_unit_test(rfc9113_8_5_connect),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
