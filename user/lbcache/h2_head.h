/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request's fields as HTTP/2 brings them (RFC 9113 8.2, 8.3), and the head of HTTP/1.1 that says
 * the same, so that one parser judges all requests. Nothing here allocates or knows of frames.
 */
#ifndef LBCACHE_H2_HEAD_H
#define LBCACHE_H2_HEAD_H

#include "http.h"

#define H2_FIELDS_MAX 256 /* a browser may send each cookie by itself */
#define H2_TEXT_MAX (HTTP_HEAD_MAX + 4 * H2_FIELDS_MAX + 128)

struct h2_head {
	bool is_malformed, is_too_large;
	bool has_ordinary; /* fields, so no pseudo-field may follow */
	bool has_cookie;
	uint16_t used, field_count;
	struct http_span method, scheme, authority, path, host;
	struct {
		struct http_span name, value;
	} field[H2_FIELDS_MAX];
	char bytes[HTTP_HEAD_MAX];
};

void h2_head_begin(struct h2_head *head);
/* One more field; what is wrong with it is said by h2_head_write. */
void h2_head_add(struct h2_head *head, struct text name, struct text value);
/*
 * The head's length, in out; scheme: what the client must have written; is_ended: no body follows.
 * -EBADMSG: malformed (RFC 9113 8.1.1). -E2BIG: too many fields or bytes.
 */
ssize_t h2_head_write(const struct h2_head *head, struct text scheme, bool is_ended,
		      char out[H2_TEXT_MAX]);

#endif
