// SPDX-License-Identifier: GPL-2.0-only
/* Heads of requests, each fed at every cut; tests are named after the section they hold to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/http.h"

#define HOST "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n"

/* Parses in a block of exactly len bytes, so that a sanitizer sees one byte too far. */
static ssize_t parse_exact(const char *text, size_t len, struct http_head *head)
{
	char *copy = malloc(len ? len : 1);
	ssize_t ret;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ret = http_parse_request(copy, len, head);
	free(copy);
	return ret;
}

/* Every shorter piece is incomplete; what follows the head is not touched. */
static void accepts(const char *text, size_t head_len, struct http_head *head)
{
	for (size_t cut = 0; cut < head_len; cut++)
		assert_int_equal(parse_exact(text, cut, head), -EAGAIN);
	assert_int_equal(parse_exact(text, strlen(text), head), head_len);
	assert_int_equal(head->length, head_len);
}

static void accepts_all(const char *text, struct http_head *head)
{
	accepts(text, strlen(text), head);
}

/* Whole it is refused; no cut of it is accepted, and a cut that is refused has the same status. */
static void refuses_bytes(const char *text, size_t len, int status)
{
	struct http_head head;

	assert_int_equal(parse_exact(text, len, &head), -EBADMSG);
	assert_int_equal(head.status, status);
	for (size_t cut = 0; cut < len; cut++) {
		ssize_t ret = parse_exact(text, cut, &head);

		assert_true(ret == -EAGAIN || (ret == -EBADMSG && head.status == status));
	}
}

static void refuses(const char *text, int status)
{
	refuses_bytes(text, strlen(text), status);
}

static void is_span(const char *text, struct http_span span, const char *expected)
{
	assert_int_equal(span.len, strlen(expected));
	assert_memory_equal(text + span.at, expected, span.len);
}

static void rfc9112_2_2_message_parsing(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all(GET HOST "\r\n", &head);
	accepts_all("\r\n" GET HOST "\r\n", &head);
	refuses("\r\n\r\n" GET HOST "\r\n", 400);
	refuses("GET / HTTP/1.1\nHost: a\n\n", 400);
	refuses(GET "Host: a\n\r\n", 400);
	refuses(GET HOST "\n", 400);
	refuses(GET " " HOST "\r\n", 400);
	refuses("\n" GET HOST "\r\n", 400);
	refuses(GET "A: x\ry\r\n" HOST "\r\n", 400);
	refuses(GET "A: x\r\r\n" HOST "\r\n", 400);
}

static void rfc9112_2_3_http_version(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all("GET / HTTP/1.0\r\n\r\n", &head);
	assert_int_equal(head.minor, 0);
	assert_true(head.is_close);
	refuses("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
	refuses("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
	refuses("GET / HTTP/0.9\r\n\r\n", 505);
	refuses("GET / http/1.1\r\n" HOST "\r\n", 400);
	refuses("GET / HTTP/1.10\r\n" HOST "\r\n", 400);
	refuses("GET / HTTP/11\r\n" HOST "\r\n", 400);
	refuses("GET /\r\n" HOST "\r\n", 400);
}

static void rfc9112_3_request_line(void **state)
{
	struct http_head head;
	const char *text = "PURGE /a?b=c HTTP/1.1\r\n" HOST "\r\nbody";

	(void)state;
	accepts(text, strlen(text) - 4, &head);
	is_span(text, head.method_name, "PURGE");
	is_span(text, head.target, "/a?b=c");
	is_span(text, head.host, "a.example");
	assert_int_equal(head.method, HTTP_M_OTHER);
	refuses(" GET / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET  / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET /  HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET /\tHTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET / HTTP/1.1 \r\n" HOST "\r\n", 400);
	refuses("G(T / HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET /#top HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET /a\\b HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET /\x80 HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void rfc9112_3_2_request_target(void **state)
{
	struct http_head head;
	const char *absolute = "GET HTTP://a.example/x HTTP/1.1\r\nHost: A.example\r\n\r\n";

	(void)state;
	accepts_all(absolute, &head);
	is_span(absolute, head.target, "/x");
	is_span(absolute, head.host, "A.example");
	refuses("GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET http://a.example:81/ HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET http:/// HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("GET a.example HTTP/1.1\r\n" HOST "\r\n", 400);
	refuses("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", 501);
	accepts_all("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", &head);
	assert_true(head.is_asterisk);
	refuses("GET * HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void rfc9112_3_2_host(void **state)
{
	struct http_head head;
	const char *text = GET "Host: [2001:db8::1]:8080\r\n\r\n";

	(void)state;
	accepts_all(text, &head);
	is_span(text, head.host, "[2001:db8::1]:8080");
	refuses(GET "\r\n", 400);
	refuses(GET HOST HOST "\r\n", 400);
	refuses("GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400);
	refuses(GET "Host:\r\n\r\n", 400);
	refuses(GET "Host: a b\r\n\r\n", 400);
	refuses(GET "Host: a/b\r\n\r\n", 400);
	refuses(GET "Host: u@a\r\n\r\n", 400);
}

static void rfc9112_5_1_field_line_parsing(void **state)
{
	struct http_head head;
	const char *text = GET HOST "X-A:  b c \t\r\nEmpty:\r\n\r\n";

	(void)state;
	accepts_all(text, &head);
	assert_int_equal(head.field_count, 3);
	is_span(text, head.field[1].name, "X-A");
	is_span(text, head.field[1].value, "b c");
	assert_int_equal(head.field[2].value.len, 0);
	refuses(GET "Host : a\r\n\r\n", 400);
	refuses(GET HOST "X\t: a\r\n\r\n", 400);
	refuses(GET HOST ": a\r\n\r\n", 400);
	refuses(GET HOST "X\r\n\r\n", 400);
	refuses(GET HOST "X[]: a\r\n\r\n", 400);
}

static void rfc9112_5_2_obsolete_line_folding(void **state)
{
	(void)state;
	refuses(GET HOST "X: a\r\n b\r\n\r\n", 400);
	refuses(GET HOST "X: a\r\n\tb\r\n\r\n", 400);
	refuses(GET "\tX: a\r\n" HOST "\r\n", 400);
}

static void rfc9110_5_5_field_values(void **state)
{
	static const char nul[] = GET HOST "X: a\0b\r\n\r\n";
	struct http_head head;

	(void)state;
	refuses_bytes(nul, sizeof(nul) - 1, 400);
	refuses(GET HOST "X: a\x01\r\n\r\n", 400);
	refuses(GET HOST "X: a\x7f\r\n\r\n", 400);
	accepts_all(GET HOST "X: caf\xc3\xa9\r\n\r\n", &head);
}

static void rfc9112_6_1_transfer_encoding(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", &head);
	assert_int_equal(head.framing, HTTP_BODY_CHUNKED);
	refuses(GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400);
	refuses(GET HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	refuses("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400);
	refuses(GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 501);
	refuses(GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
	refuses(GET HOST "Transfer-Encoding: identity\r\n\r\n", 501);
	refuses(GET HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501);
	refuses(GET HOST "Transfer-Encoding:\r\n\r\n", 501);
	refuses(GET HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400);
	refuses(GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	refuses(GET HOST "Transfer-Encoding\x0b: chunked\r\n\r\n", 400);
	refuses(GET HOST "Transfer-Encoding: \x0b"
			 "chunked\r\n\r\n",
		400);
}

static void rfc9112_6_2_content_length(void **state)
{
	static const char *const bad[] = { "+0",
					   "-1",
					   "0x1",
					   "1 2",
					   "3, 3",
					   "1.0",
					   "",
					   "\"3\"",
					   "9223372036854775808",
					   "99999999999999999999999" };
	char text[256];
	struct http_head head;

	(void)state;
	accepts_all(GET HOST "Content-Length: 007\r\n\r\n", &head);
	assert_int_equal(head.framing, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), GET HOST "Content-Length: %s\r\n\r\n", bad[i]);
		refuses(text, 400);
	}
	refuses(GET HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400);
	refuses(GET HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400);
}

static void rfc9112_9_3_persistence(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all(GET HOST "\r\n", &head);
	assert_false(head.is_close);
	accepts_all(GET HOST "Connection: x, Close\r\n\r\n", &head);
	assert_true(head.is_close);
	accepts_all("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &head);
	assert_false(head.is_close);
	assert_true(head.has_keep_alive);
}

static void rfc9110_7_8_upgrade(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all(GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &head);
	assert_true(head.has_upgrade);
	accepts_all(GET HOST "Upgrade: websocket\r\n\r\n", &head);
	assert_false(head.has_upgrade);
	accepts_all(GET HOST "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n", &head);
	assert_false(head.has_upgrade);
}

static void rfc9110_10_1_1_expect(void **state)
{
	struct http_head head;

	(void)state;
	accepts_all(GET HOST "Expect: 100-Continue\r\n\r\n", &head);
	assert_true(head.has_expect);
	refuses(GET HOST "Expect: tea\r\n\r\n", 417);
}

static void rfc9112_3_and_5_limits(void **state)
{
	char *text = calloc(1, HTTP_HEAD_MAX + 64);
	struct http_head head;
	size_t len;

	(void)state;
	assert_non_null(text);
	/* a target too long */
	memset(text, 'a', HTTP_HEAD_MAX);
	memcpy(text, "GET /", 5);
	memcpy(text + 5 + HTTP_TARGET_MAX, " HTTP/1.1\r\n", 11);
	assert_int_equal(http_parse_request(text, HTTP_HEAD_MAX, &head), -EBADMSG);
	assert_int_equal(head.status, 414);
	/* a field that never ends */
	memset(text, 'a', HTTP_HEAD_MAX);
	memcpy(text, GET "X: ", strlen(GET "X: "));
	assert_int_equal(http_parse_request(text, HTTP_HEAD_MAX - 1, &head), -EAGAIN);
	assert_int_equal(http_parse_request(text, HTTP_HEAD_MAX, &head), -EBADMSG);
	assert_int_equal(head.status, 431);
	/* one field too many */
	len = (size_t)sprintf(text, GET HOST);
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		len += (size_t)sprintf(text + len, "X: %d\r\n", i);
	(void)sprintf(text + len, "\r\n");
	assert_int_equal(http_parse_request(text, len + 2, &head), len + 2);
	(void)sprintf(text + len, "X: y\r\n\r\n");
	assert_int_equal(http_parse_request(text, len + 8, &head), -EBADMSG);
	assert_int_equal(head.status, 431);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9112_2_2_message_parsing),
		cmocka_unit_test(rfc9112_2_3_http_version),
		cmocka_unit_test(rfc9112_3_request_line),
		cmocka_unit_test(rfc9112_3_2_request_target),
		cmocka_unit_test(rfc9112_3_2_host),
		cmocka_unit_test(rfc9112_5_1_field_line_parsing),
		cmocka_unit_test(rfc9112_5_2_obsolete_line_folding),
		cmocka_unit_test(rfc9110_5_5_field_values),
		cmocka_unit_test(rfc9112_6_1_transfer_encoding),
		cmocka_unit_test(rfc9112_6_2_content_length),
		cmocka_unit_test(rfc9112_9_3_persistence),
		cmocka_unit_test(rfc9110_7_8_upgrade),
		cmocka_unit_test(rfc9110_10_1_1_expect),
		cmocka_unit_test(rfc9112_3_and_5_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
