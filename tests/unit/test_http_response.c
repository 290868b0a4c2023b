// SPDX-License-Identifier: GPL-2.0-only
/* Heads of responses, chunks, and classes of bytes; tests are named after the section. */
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
#include "lbcache/http_class.h"

static ssize_t parse(const char *text, size_t len, enum http_method method, struct http_head *head)
{
	char *copy = malloc(len ? len : 1);
	ssize_t ret;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ret = http_parse_response(copy, len, method, head);
	free(copy);
	return ret;
}

static void accepts(const char *text, enum http_method method, struct http_head *head)
{
	for (size_t cut = 0; cut < strlen(text); cut++)
		assert_int_equal(parse(text, cut, method, head), -EAGAIN);
	assert_int_equal(parse(text, strlen(text), method, head), strlen(text));
}

static void refuses(const char *text)
{
	struct http_head head;

	assert_int_equal(parse(text, strlen(text), HTTP_M_GET, &head), -EBADMSG);
	for (size_t cut = 0; cut < strlen(text); cut++)
		assert_true(parse(text, cut, HTTP_M_GET, &head) < 0);
}

static void rfc9112_4_status_line(void **state)
{
	struct http_head head;
	const char *text = "HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n\r\n";

	(void)state;
	accepts(text, HTTP_M_GET, &head);
	assert_int_equal(head.status, 404);
	assert_int_equal(head.reason.len, 8);
	accepts("HTTP/1.1 200 \r\n\r\n", HTTP_M_GET, &head);
	accepts("HTTP/1.0 200\r\n\r\n", HTTP_M_GET, &head);
	refuses("HTTP/1.1 99 x\r\n\r\n");
	refuses("HTTP/1.1 600 x\r\n\r\n");
	refuses("HTTP/1.1  200 x\r\n\r\n");
	refuses("HTTP/1.1 2000\r\n\r\n");
	refuses("HTTP/2.0 200 x\r\n\r\n");
	refuses("ICY 200 x\r\n\r\n");
	refuses("HTTP/1.1 200 x\n\n");
}

static void rfc9112_6_3_message_body_length(void **state)
{
	struct http_head head;

	(void)state;
	accepts("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n", HTTP_M_HEAD, &head);
	assert_int_equal(head.framing, HTTP_BODY_NONE);
	accepts("HTTP/1.1 204 x\r\n\r\n", HTTP_M_GET, &head);
	assert_int_equal(head.framing, HTTP_BODY_NONE);
	accepts("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", HTTP_M_GET, &head);
	assert_int_equal(head.framing, HTTP_BODY_NONE);
	accepts("HTTP/1.1 103 x\r\n\r\n", HTTP_M_GET, &head);
	assert_int_equal(head.framing, HTTP_BODY_NONE);
	accepts("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_M_GET, &head);
	assert_int_equal(head.framing, HTTP_BODY_CHUNKED);
	assert_false(head.is_close);
	accepts("HTTP/1.1 200 x\r\n\r\n", HTTP_M_GET, &head);
	assert_int_equal(head.framing, HTTP_BODY_CLOSE);
	assert_true(head.is_close);
	refuses("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n");
	refuses("HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
	refuses("HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n");
	refuses("HTTP/1.1 200 x\r\nA: b\r\n c\r\n\r\n");
}

/* Feeds pieces of step bytes; answers the body's length or -EBADMSG, -EAGAIN if not done. */
static int unchunk(const char *text, size_t len, size_t step, char *out, size_t *used)
{
	struct http_chunked chunked = { 0 };
	struct text body;
	int filled = 0;

	for (size_t at = 0; at < len && !chunked.is_done;) {
		size_t piece = len - at < step ? len - at : step;
		char *copy = malloc(piece);
		ssize_t ret;

		assert_non_null(copy);
		memcpy(copy, text + at, piece);
		ret = http_chunk_take(&chunked, copy, piece, &body);
		if (ret > 0 && body.len) {
			memcpy(out + filled, body.at, body.len);
			filled += (int)body.len;
		}
		free(copy);
		if (ret < 0)
			return (int)ret;
		assert_true(ret > 0);
		at += (size_t)ret;
		*used = at;
	}
	return chunked.is_done ? filled : -EAGAIN;
}

static void rfc9112_7_1_chunked_coding(void **state)
{
	static const char text[] =
		"3\r\nabc\r\n0A;x=\"y\\\" z\";z=a;b\r\n0123456789\r\n1;a\r\n!\r\n"
		"0\r\nTrailer: x\r\n\r\nnext";
	size_t used = 0;
	char out[64];

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(unchunk(text, sizeof(text) - 1, step, out, &used), 14);
		assert_memory_equal(out, "abc0123456789!", 14);
		assert_int_equal(used, sizeof(text) - 5);
	}
	for (size_t cut = 0; cut < sizeof(text) - 5; cut++)
		assert_int_equal(unchunk(text, cut, 64, out, &used), -EAGAIN);
}

static void rfc9112_7_1_bad_chunks(void **state)
{
	static const char *const bad[] = {
		"0x0\r\n\r\n",
		"\r\n",
		"g\r\n",
		"-1\r\n",
		"+1\r\n",
		" 1\r\na\r\n",
		"1 \r\na\r\n",
		"1\na\n0\n\n",
		"1\r\nab",
		"1\r\na\n",
		"1\r\na\r0",
		"1;x\na\r\n",
		"1;x\ry\r\n",
		"1;\0\r\n",
		"1;\r\na\r\n",
		"1;;a\r\na\r\n",
		"1;a=\r\na\r\n",
		"1;a=b=c\r\na\r\n",
		"1;\xc3\xa4\r\na\r\n",
		"1;a=\"b\"c\r\na\r\n",
		"1;a=b\"c\"\r\na\r\n",
		"1;a=\"b\r\n\"\r\na\r\n",
		"1;a=\"b\\\r\n\"\r\na\r\n",
		"1 ;a\r\na\r\n",
		"1;a =b\r\na\r\n",
		"0\r\n: x\r\n",
		"0\r\nA b: x\r\n",
		"0\r\nA: x\n\n",
		"0\r\n x",
		"0\r\nA\r\n",
		"0\r\n\rx",
		"1000000000000000\r\n",
		"0000000000000000\r\n",
	};
	size_t used;
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = strlen(bad[i]) + (bad[i][strlen(bad[i]) - 1] == ';');

		assert_int_equal(unchunk(bad[i], len, 1, out, &used), -EBADMSG);
		assert_int_equal(unchunk(bad[i], len, 64, out, &used), -EBADMSG);
	}
}

static void rfc9112_7_1_1_extensions_are_bounded(void **state)
{
	struct http_chunked chunked = { 0 };
	char text[1024] = "1;";
	struct text body;
	ssize_t ret = 0;

	(void)state;
	memset(text + 2, 'x', sizeof(text) - 2);
	for (int i = 0; i < 9 && ret >= 0; i++) {
		ret = http_chunk_take(&chunked, text, sizeof(text), &body);
		text[0] = text[1] = 'x';
	}
	assert_int_equal(ret, -EBADMSG);
}

/* The table against the grammar. */
static void rfc9110_5_6_2_tokens(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool is_alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		assert_int_equal(http_is((char)c, HTTP_C_TOKEN),
				 is_alnum || (c && strchr("!#$%&'*+-.^_`|~", c)));
		assert_int_equal(http_is((char)c, HTTP_C_VALUE),
				 (c >= 32 && c != 127) || c == '\t');
		assert_int_equal(http_is((char)c, HTTP_C_BLANK), c == ' ' || c == '\t');
		assert_int_equal(http_is((char)c, HTTP_C_DIGIT), c >= '0' && c <= '9');
	}
}

static void rfc9110_5_1_field_names(void **state)
{
	static const char *const known[] = {
#define X(id, name) [HTTP_##id] = name,
		HTTP_FIELD_NAMES(X)
#undef X
	};
	char text[64];

	(void)state;
	for (int id = 1; id < HTTP_FIELD_IDS; id++) {
		assert_int_equal(http_field_id(known[id], strlen(known[id])), id);
		(void)snprintf(text, sizeof(text), "%s", known[id]);
		text[0] = (char)(text[0] & ~0x20);
		assert_int_equal(http_field_id(text, strlen(text)), id);
		assert_int_equal(http_field_id(text, strlen(text) - 1), HTTP_OTHER);
		(void)snprintf(text, sizeof(text), "%sx", known[id]);
		assert_int_equal(http_field_id(text, strlen(text)), HTTP_OTHER);
	}
	assert_int_equal(http_field_id("", 0), HTTP_OTHER);
}

static void rfc9110_5_6_1_lists(void **state)
{
	const char *text = " , a,\"b,\\\"c\" ,, d=\"x\" ,";
	struct text list = { text, strlen(text) }, member;

	(void)state;
	assert_true(text_next_member(&list, &member) && text_is(member, "a"));
	assert_true(text_next_member(&list, &member) && text_is(member, "\"b,\\\"c\""));
	assert_true(text_next_member(&list, &member) && text_is(member, "d=\"x\""));
	assert_false(text_next_member(&list, &member));
}

static void rfc9110_7_6_1_connection(void **state)
{
	const char *text = "HTTP/1.1 200 x\r\nConnection: X-One, close\r\nX-One: 1\r\nX-Two: 2\r\n"
			   "Keep-Alive: 3\r\n\r\n";
	struct http_head head;

	(void)state;
	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	assert_true(http_is_hop_field(text, &head, &head.field[0]));
	assert_true(http_is_hop_field(text, &head, &head.field[1]));
	assert_false(http_is_hop_field(text, &head, &head.field[2]));
	assert_true(http_is_hop_field(text, &head, &head.field[3]));
}

static void rfc9110_5_6_7_dates(void **state)
{
	static const char *const good[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
					    "Sunday, 06-Nov-94 08:49:37 GMT",
					    "Sun Nov  6 08:49:37 1994" };
	static const char *const bad[] = { "",
					   "0",
					   "Sun, 06 Nov 1994 08:49:37",
					   "Sun, 06 Nov 1994 24:49:37 GMT",
					   "Sun, 06 Nov 1994 08:49:37 UTC",
					   "Sun, 6 Nov 1994 08:49:37 GMT",
					   "Sun, 06 Nox 1994 08:49:37 GMT",
					   "Sun,",
					   "Sun Nov  6 08:49:37 19944" };
	char buf[HTTP_DATE_SIZE];
	time_t when = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct text text = { good[i], strlen(good[i]) };

		assert_int_equal(http_date_parse(text, 1700000000, &when), 0);
		assert_int_equal(when, 784111777);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct text text = { bad[i], strlen(bad[i]) };

		assert_int_equal(http_date_parse(text, 1700000000, &when), -EINVAL);
	}
	assert_string_equal(http_date_format(784111777, buf), good[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9112_4_status_line),
		cmocka_unit_test(rfc9112_6_3_message_body_length),
		cmocka_unit_test(rfc9112_7_1_chunked_coding),
		cmocka_unit_test(rfc9112_7_1_bad_chunks),
		cmocka_unit_test(rfc9112_7_1_1_extensions_are_bounded),
		cmocka_unit_test(rfc9110_5_6_2_tokens),
		cmocka_unit_test(rfc9110_5_1_field_names),
		cmocka_unit_test(rfc9110_5_6_1_lists),
		cmocka_unit_test(rfc9110_7_6_1_connection),
		cmocka_unit_test(rfc9110_5_6_7_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
