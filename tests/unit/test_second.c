// SPDX-License-Identifier: GPL-2.0-only
/* Pages as they stand in the second tier: what comes back, and that nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/second_value.h"

#define KEY "http://a/page"

static const struct policy policy;

/* Fresh for a minute, ten seconds old. */
static struct object *make(void)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nCache-Tag: red\r\n\r\n";
	struct http_head head;
	struct object_parts parts = { .service = 1,
				      .key = { KEY, strlen(KEY) },
				      .vary_names = { "x-a\n", 4 },
				      .vary_values = { "1\n", 2 },
				      .data = text,
				      .head = &head,
				      .policy = &policy,
				      .freshness = { .lifetime_ms = 60000, .age_ms = 10000 },
				      .now_ms = 500000,
				      .body_len = 100 };
	struct object *object;

	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	object = object_new(&parts);
	memset(object->bytes + object->body.at, 'b', 100);
	return object;
}

static char *pack(size_t *len)
{
	const struct second_time now = { 500000, 1000000 };
	struct object *object = make();
	char *value = second_pack(object, &now, len);

	assert_non_null(value);
	object_unref(object);
	return value;
}

static void is_same(const struct object *object, struct piece piece, const char *expected)
{
	struct text text = object_text(object, piece);

	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.at, expected, text.len);
}

/* On a host whose monotonic clock says something else, five seconds later. */
static void pages_come_back(void **state)
{
	const struct second_time later = { 77000000, 1005000 };
	struct object *object = NULL;
	enum second_kind kind;
	size_t len;
	char *value = pack(&len);

	(void)state;
	assert_int_equal(second_look(value, len, &kind), 0);
	assert_int_equal(kind, SECOND_PAGE);
	assert_int_equal(second_unpack(value, len, &later, &object), 0);
	object_adopt(object, 7);
	is_same(object, object->key, KEY);
	is_same(object, object->vary_names, "x-a\n");
	is_same(object, object->vary_values, "1\n");
	is_same(object, object->etag, "\"x\"");
	assert_int_equal(object->status, 200);
	assert_int_equal(object->service, 7);
	assert_int_equal(object->body.len, 100);
	assert_int_equal(object->fresh_until_ms - 77000000, 45000);
	assert_int_equal(77000000 - object->born_ms, 15000);
	object_unref(object);
	free(value);
}

static void no_page_outlives_its_time(void **state)
{
	const struct second_time late = { 77000000, 1000000 + 50000 }, early = { 77000000, 0 };
	struct object *object = NULL;
	size_t len;
	char *value = pack(&len);

	(void)state;
	assert_int_equal(second_unpack(value, len, &late, &object), -ESTALE);
	assert_null(object);
	/* A clock that is behind makes no page younger. */
	assert_int_equal(second_unpack(value, len, &early, &object), 0);
	assert_int_equal(object->fresh_until_ms - 77000000, 50000);
	free(object);
	free(value);
}

static void nothing_else_is_taken(void **state)
{
	enum second_kind kind;
	size_t len;
	char *value = pack(&len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			value[i] = (char)(value[i] ^ (1 << bit));
			assert_int_equal(second_look(value, len, &kind), -EBADMSG);
			value[i] = (char)(value[i] ^ (1 << bit));
		}
		assert_int_equal(second_look(value, i, &kind), -EBADMSG);
	}
	free(value);
}

static void variants_have_names(void **state)
{
	const struct second_time now = { 500000, 1000000 };
	enum second_kind kind;
	struct text names;
	size_t len;
	char *value = second_pack_names((struct text){ "x-a\nx-b\n", 8 }, &now, &len);

	(void)state;
	assert_int_equal(second_look(value, len, &kind), 0);
	assert_int_equal(kind, SECOND_VARIES);
	names = second_names(value, len);
	assert_int_equal(names.len, 8);
	assert_memory_equal(names.at, "x-a\nx-b\n", 8);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back),
		cmocka_unit_test(no_page_outlives_its_time),
		cmocka_unit_test(nothing_else_is_taken),
		cmocka_unit_test(variants_have_names),
	};

	return cmocka_run_group_tests_name("second", tests, NULL, NULL);
}
