// SPDX-License-Identifier: GPL-2.0-only
/* Stored responses and the memory of them: variants, marks, purging, eviction, the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/store.h"

#define NOW 784111777

static const struct policy policy;

static struct object *make(struct store *store, const char *key, const char *fields,
			   const char *vary, size_t body)
{
	char text[2048];
	struct http_head head;
	struct object_parts parts = { .service = 1,
				      .key = { key, strlen(key) },
				      .data = text,
				      .head = &head,
				      .policy = &policy,
				      .freshness = { .lifetime_ms = 1000 },
				      .now = NOW,
				      .now_ms = 5000,
				      .body_len = body };

	if (vary) {
		parts.vary_names = (struct text){ "x-a\n", 4 };
		parts.vary_values = (struct text){ vary, strlen(vary) };
	}
	parts.hash = key_hash(key, strlen(key), 1, store_seed(store));
	(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n", fields);
	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	return object_new(&parts);
}

static struct object *find(struct store *store, const char *key, const char *fields)
{
	char text[512];
	struct http_head head;
	struct store_query query = { .service = 1,
				     .key = { key, strlen(key) },
				     .data = text,
				     .request = &head,
				     .policy = &policy,
				     .now_ms = 5000 };

	query.hash = key_hash(key, strlen(key), 1, store_seed(store));
	(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	assert_true(http_parse_request(text, strlen(text), &head) > 0);
	return store_find(store, &query);
}

static bool has(struct store *store, const char *key)
{
	struct object *object = find(store, key, "");

	object_unref(object);
	return object;
}

static void is_text(const struct object *object, struct piece piece, const char *expected)
{
	assert_int_equal(piece.len, strlen(expected));
	assert_memory_equal(object->bytes + piece.at, expected, piece.len);
}

static void heads_are_rebuilt(void **state)
{
	struct store *store = store_new(1 << 20);
	struct object *object =
		make(store, "k",
		     "Connection: X\r\nX: 1\r\nETag: \"a\"\r\nAge: 3\r\n"
		     "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: y\r\n"
		     "Content-Length: 3\r\nSurrogate-Key: p q\r\nCache-Tag: r,s\r\n",
		     NULL, 3);

	(void)state;
	is_text(object, object->status_line, "HTTP/1.1 200 OK\r\n");
	is_text(object, object->head,
		"ETag: \"a\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: y\r\n"
		"Surrogate-Key: p q\r\nCache-Tag: r,s\r\n");
	is_text(object, object->brief, "ETag: \"a\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	is_text(object, object->etag, "\"a\"");
	assert_true(object_has_tag(object, (struct text){ "p", 1 }));
	assert_true(object_has_tag(object, (struct text){ "s", 1 }));
	assert_false(object_has_tag(object, (struct text){ "t", 1 }));
	assert_false(object_has_tag(object, (struct text){ "p q", 3 }));
	object_unref(object);
	store_free(store);
}

static void rfc9111_3_2_updating(void **state)
{
	struct store *store = store_new(1 << 20);
	struct object *old = make(store, "k", "ETag: \"a\"\r\nX-Old: 1\r\nX-Same: 1\r\n", NULL, 3),
		      *updated;
	const char *text = "HTTP/1.1 304 Not Modified\r\nx-same: 2\r\nETag: \"a\"\r\n"
			   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
	struct http_head head, page;
	char *merged;
	struct object_parts parts = { .service = 1,
				      .data = text,
				      .head = &head,
				      .policy = &policy,
				      .key = { "k", 1 },
				      .now = NOW,
				      .now_ms = 9000,
				      .freshness = { .lifetime_ms = 500 } };

	(void)state;
	memcpy(old->bytes + old->body.at, "abc", 3);
	assert_true(http_parse_response(text, strlen(text), HTTP_M_GET, &head) > 0);
	merged = object_merge_heads(old, &parts, &page);
	assert_non_null(merged);
	parts.data = merged;
	parts.head = &page;
	updated = object_new_renewed(old, &parts);
	free(merged);
	assert_non_null(updated);
	is_text(updated, updated->status_line, "HTTP/1.1 200 OK\r\n");
	is_text(updated, updated->head,
		"x-same: 2\r\nETag: \"a\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"X-Old: 1\r\n");
	is_text(updated, updated->body, "abc");
	assert_int_equal(updated->fresh_until_ms, 9500);
	object_unref(updated);
	object_unref(old);
	store_free(store);
}

static void variants_live_side_by_side(void **state)
{
	struct store *store = store_new(1 << 20);
	struct object *one = make(store, "k", "", "1,\n", 1),
		      *two = make(store, "k", "", "2,\n", 1);
	struct object *found;
	char vary[16];
	struct store_counts counts;

	(void)state;
	assert_true(store_put(store, one) && store_put(store, two));
	found = find(store, "k", "X-A: 1\r\n");
	assert_ptr_equal(found, one);
	object_unref(found);
	found = find(store, "k", "X-A: 2\r\n");
	assert_ptr_equal(found, two);
	object_unref(found);
	assert_null(find(store, "k", "X-A: 3\r\n"));
	/* a variant is replaced, and there are never too many */
	for (int i = 0; i < 100; i++) {
		(void)snprintf(vary, sizeof(vary), "%d,\n", i % 50);
		assert_true(store_put(store, make(store, "k", "", vary, 1)));
	}
	store_count(store, &counts);
	assert_int_equal(counts.objects, 32);
	assert_int_equal(store_purge_key(store, 1, key_hash("k", 1, 1, store_seed(store)),
					 (struct text){ "k", 1 }, 0),
			 32);
	store_count(store, &counts);
	assert_int_equal(counts.bytes, 0);
	store_free(store);
}

static void marks_end_and_are_replaced(void **state)
{
	const struct policy other = { .ttl = 1 };
	struct store *store = store_new(1 << 20);
	uint64_t hash = key_hash("k", 1, 1, store_seed(store));
	struct object *found;

	(void)state;
	assert_true(store_put(store, object_new_mark(1, hash, (struct text){ "k", 1 }, WHY_PRIVATE,
						     &policy, 5001)));
	found = find(store, "k", "");
	assert_true(found && found->is_mark && found->why == WHY_PRIVATE);
	object_unref(found);
	assert_true(store_put(store, object_new_mark(1, hash, (struct text){ "k", 1 },
						     WHY_NO_FRESHNESS, &other, 5001)));
	assert_null(find(store, "k", "")); /* as rules were before */
	assert_true(store_put(store, object_new_mark(1, hash, (struct text){ "k", 1 }, WHY_PRIVATE,
						     &policy, 5000)));
	assert_null(find(store, "k", ""));
	assert_true(store_put(store, make(store, "k", "", NULL, 1)));
	found = find(store, "k", "");
	assert_true(found && !found->is_mark);
	object_unref(found);
	store_free(store);
}

static bool has_tag(const struct object *object, const void *arg)
{
	return object_has_tag(object, *(const struct text *)arg);
}

static void purging_is_hard_or_soft(void **state)
{
	struct store *store = store_new(1 << 20);
	const struct text tag = { "t", 1 };
	struct object *found;

	(void)state;
	assert_true(store_put(store, make(store, "a", "Cache-Tag: t\r\n", NULL, 1)));
	assert_true(store_put(store, make(store, "b", "Cache-Tag: t, u\r\n", NULL, 1)));
	assert_true(store_put(store, make(store, "c", "Cache-Tag: u\r\n", NULL, 1)));
	assert_int_equal(store_purge_if(store, has_tag, &tag, 5500), 2);
	found = find(store, "a", "");
	assert_int_equal(found->fresh_until_ms, 5500);
	object_unref(found);
	assert_int_equal(store_purge_if(store, has_tag, &tag, 0), 2);
	assert_false(has(store, "a"));
	assert_false(has(store, "b"));
	assert_true(has(store, "c"));
	store_free(store);
}

/* A scan of ten times the memory: the cap holds, and what is asked for often stays. */
static void a_scan_evicts_the_scan(void **state)
{
	struct store *store = store_new(1 << 20);
	struct store_counts counts;
	char key[32];

	(void)state;
	assert_true(store_put(store, make(store, "hot", "", NULL, 10000)));
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "scan-%d", i);
		assert_true(store_put(store, make(store, key, "", NULL, 10000)));
		assert_true(has(store, "hot"));
		store_count(store, &counts);
		assert_true(counts.bytes <= 1 << 20);
	}
	assert_true(counts.evicted > 890 && counts.objects > 90);
	assert_false(has(store, "scan-0"));
	assert_true(has(store, "scan-999"));
	/* what is being filled takes its room too */
	store_reserve(store, 900000);
	store_count(store, &counts);
	assert_true(counts.bytes + 900000 <= 1 << 20);
	/* and one that can never fit is refused */
	assert_false(store_put(store, make(store, "big", "", NULL, 600000)));
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_rebuilt),
		cmocka_unit_test(rfc9111_3_2_updating),
		cmocka_unit_test(variants_live_side_by_side),
		cmocka_unit_test(marks_end_and_are_replaced),
		cmocka_unit_test(purging_is_hard_or_soft),
		cmocka_unit_test(a_scan_evicts_the_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
