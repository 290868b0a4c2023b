// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes what becomes of a request's fields in HTTP/2: "name value", with US (0x1f) between.
 * Whatever is written must be one head to the parser of HTTP/1, with a field for each that came and
 * no other, or refused by it. Built with -DPLANTED it reads one byte too far on purpose.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/h2_head.h"

#ifdef PLANTED
#define EXTRA 1
#else
#define EXTRA 0
#endif

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct text https = { "https", 5 };

static bool is_cookie(struct text name)
{
	return name.len == 6 && !memcmp(name.at, "cookie", 6);
}

/* Answers how many fields HTTP/1 must find: cookies are one, the host is another. */
static unsigned int add_fields(struct h2_head *head, struct text bytes)
{
	unsigned int count = 1;
	bool has_cookie = false;

	while (bytes.len) {
		const char *end = memchr(bytes.at, 0x1f, bytes.len);
		const size_t len = end ? (size_t)(end - bytes.at) : bytes.len;
		const char *blank = memchr(bytes.at, ' ', len);
		const size_t name = blank ? (size_t)(blank - bytes.at) : len;
		struct text value = { bytes.at + name + (blank != NULL),
				      len - name - (blank != NULL) };
		const struct text field = { bytes.at, name };

		h2_head_add(head, field, (struct text){ value.at, value.len + EXTRA });
		if (is_cookie(field))
			has_cookie = true;
		else if (name && field.at[0] != ':' && !(name == 4 && !memcmp(field.at, "host", 4)))
			count++;
		bytes.at += len + (end != NULL);
		bytes.len -= len + (end != NULL);
	}
	return count + has_cookie;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[H2_TEXT_MAX];
	static struct h2_head head;
	struct http_head parsed;
	unsigned int count;
	char *copy;
	ssize_t len, ret;
	bool is_ended;

	if (size < 2)
		return 0;
	is_ended = data[0] & 1;
	/* Its own block, so that one byte too far is seen. */
	copy = malloc(size - 1);
	REQUIRE(copy);
	memcpy(copy, data + 1, size - 1);
	h2_head_begin(&head);
	count = add_fields(&head, (struct text){ copy, size - 1 });
	len = h2_head_write(&head, https, is_ended, out);
	free(copy);
	REQUIRE(len == -EBADMSG || len == -E2BIG || (len > 0 && len <= H2_TEXT_MAX));
	if (len < 0)
		return 0;
	ret = http_parse_request(out, (size_t)len, &parsed);
	REQUIRE(ret == -EBADMSG || ret == len);
	if (ret < 0) {
		REQUIRE(parsed.status >= 400);
		return 0;
	}
	/* The body's framing is said once. */
	if (!is_ended && parsed.framing == HTTP_BODY_CHUNKED)
		count++;
	REQUIRE(parsed.field_count == count);
	REQUIRE(is_ended || parsed.framing != HTTP_BODY_NONE);
	REQUIRE(!http_find(&parsed, HTTP_CONNECTION) && !http_find(&parsed, HTTP_UPGRADE));
	return 0;
}
