/* SPDX-License-Identifier: GPL-2.0-only */
/* Conditional and range requests against a stored response (RFC 9110 13 and 14). */
#ifndef LBCACHE_CONDITIONAL_H
#define LBCACHE_CONDITIONAL_H

#include "http.h"

struct validators { /* of the stored response; TEXT_NONE where it has none */
	struct text etag, last_modified, date;
};

/* RFC 9110 8.8.3.2; weak comparison ignores W/. */
bool etag_is_same(struct text a, struct text b, bool is_strong);

/* Whether a GET or HEAD with these fields is answered 304 (RFC 9110 13.2.2 without If-Match). */
bool conditional_is_unchanged(const char *data, const struct http_head *request,
			      const struct validators *stored, time_t now);

/*
 * RFC 9111 4.3.4: whether a 304 is of the page that is stored. One with validators has one of the
 * page's: its tag (weakly, as was asked with it), or without a tag its Last-Modified.
 */
bool conditional_is_of(const char *data, const struct http_head *response,
		       const struct validators *stored);

#define RANGES_MAX 16

struct range {
	uint64_t first, last; /* inclusive */
};

/*
 * The ranges of a request that apply to a stored body of so many bytes: their number; 0 if Range is
 * absent, not understood, refused as greedy, or outdated by If-Range, so that the answer is the
 * whole; -ERANGE if none can be satisfied (416).
 */
int range_read(const char *data, const struct http_head *request, const struct validators *stored,
	       uint64_t size, struct range ranges[RANGES_MAX]);

#endif
