// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the HTTP parsers: first byte says which one and how to cut. What comes out must hold:
 * spans inside the head, cuts that agree with the whole. Built with -DPLANTED it reads one byte too
 * far on purpose, which the run must find, or it would find nothing else either.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/http.h"

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

static volatile unsigned int sink;

static void check_span(struct http_span span, ssize_t length, const char *bytes)
{
	REQUIRE((ssize_t)span.at + span.len <= length);
	for (size_t i = 0; i < span.len; i++)
		sink += (unsigned char)bytes[span.at + i];
}

static ssize_t parse(const char *bytes, size_t len, bool is_request, struct http_head *head)
{
	return is_request ? http_parse_request(bytes, len + EXTRA, head)
			  : http_parse_response(bytes, len + EXTRA, HTTP_M_GET, head);
}

static void try_head(const char *bytes, size_t len, bool is_request, size_t cut)
{
	struct http_head head, part;
	ssize_t ret = parse(bytes, len, is_request, &head), early;
	time_t when;

	REQUIRE(ret == -EAGAIN || ret == -EBADMSG || (ret > 0 && ret <= (ssize_t)len + EXTRA));
	if (ret == -EBADMSG && is_request)
		REQUIRE(head.status >= 400 && head.status <= 505);
	if (ret > 0) {
		check_span(head.target, ret, bytes);
		check_span(head.host, ret, bytes);
		for (unsigned int i = 0; i < head.field_count; i++) {
			check_span(head.field[i].name, ret, bytes);
			check_span(head.field[i].value, ret, bytes);
			sink += http_is_hop_field(bytes, &head, &head.field[i]);
			sink += (unsigned int)http_date_parse(http_text(bytes, head.field[i].value),
							      1700000000, &when);
		}
	}
	early = parse(bytes, cut, is_request, &part);
	if (early != -EAGAIN)
		REQUIRE(early == ret);
}

static int unchunk(const char *bytes, size_t len, size_t cut, size_t *sum, size_t *used)
{
	struct http_chunked chunked = { 0 };
	struct text body;

	*sum = *used = 0;
	while (*used < len && !chunked.is_done) {
		size_t piece = *used < cut ? cut - *used : len - *used;
		ssize_t ret = http_chunk_take(&chunked, bytes + *used, piece + EXTRA, &body);

		if (ret < 0)
			return (int)ret;
		REQUIRE(ret > 0 && ret <= (ssize_t)piece + EXTRA);
		for (size_t i = 0; i < body.len; i++)
			sink += (unsigned char)body.at[i];
		*sum += body.len;
		*used += (size_t)ret;
	}
	return chunked.is_done;
}

static void try_chunks(const char *bytes, size_t len, size_t cut)
{
	size_t sum, used, sum_cut, used_cut;
	int whole = unchunk(bytes, len, len, &sum, &used);
	int parts = unchunk(bytes, len, cut, &sum_cut, &used_cut);

	REQUIRE(whole == parts);
	if (whole >= 0)
		REQUIRE(sum == sum_cut && used == used_cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, cut;
	char *bytes;

	if (size < 2)
		return 0;
	len = size - 2;
	cut = len ? data[1] % (len + 1) : 0;
	bytes = malloc(len ? len : 1);
	REQUIRE(bytes);
	memcpy(bytes, data + 2, len);
	if (data[0] % 3 == 2)
		try_chunks(bytes, len, cut);
	else
		try_head(bytes, len, data[0] % 3, cut);
	free(bytes);
	return 0;
}
