/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP/1.x messages as bytes (RFC 9112): heads, chunks, and what framing they say. Nothing here
 * allocates, keeps pointers into the input, or knows what a message is for.
 */
#ifndef LBCACHE_HTTP_H
#define LBCACHE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define HTTP_HEAD_MAX 16384 /* bytes, with the closing empty line */
#define HTTP_FIELDS_MAX 100
#define HTTP_TARGET_MAX 8192

/* Fields that mean something to a cache or a proxy. Names in lower case. */
/* clang-format off */
#define HTTP_FIELD_NAMES(X) \
	X(AGE, "age") X(AUTHORIZATION, "authorization") X(CACHE_CONTROL, "cache-control") \
	X(CACHE_STATUS, "cache-status") X(CACHE_TAG, "cache-tag") \
	X(CDN_CACHE_CONTROL, "cdn-cache-control") X(CONNECTION, "connection") \
	X(CONTENT_LENGTH, "content-length") X(CONTENT_LOCATION, "content-location") \
	X(CONTENT_RANGE, "content-range") X(CONTENT_TYPE, "content-type") X(COOKIE, "cookie") \
	X(DATE, "date") X(ETAG, "etag") X(EXPECT, "expect") X(EXPIRES, "expires") \
	X(FORWARDED, "forwarded") X(HOST, "host") X(IF_MATCH, "if-match") \
	X(IF_MODIFIED_SINCE, "if-modified-since") X(IF_NONE_MATCH, "if-none-match") \
	X(IF_RANGE, "if-range") X(IF_UNMODIFIED_SINCE, "if-unmodified-since") \
	X(KEEP_ALIVE, "keep-alive") X(LAST_MODIFIED, "last-modified") X(LOCATION, "location") \
	X(MAX_FORWARDS, "max-forwards") \
	X(PRAGMA, "pragma") X(PROXY_AUTHENTICATE, "proxy-authenticate") \
	X(PROXY_AUTHORIZATION, "proxy-authorization") X(PROXY_CONNECTION, "proxy-connection") \
	X(RANGE, "range") X(REFERER, "referer") X(SET_COOKIE, "set-cookie") X(SURROGATE_KEY, "surrogate-key") \
	X(TE, "te") X(TRAILER, "trailer") X(TRANSFER_ENCODING, "transfer-encoding") \
	X(UPGRADE, "upgrade") X(USER_AGENT, "user-agent") X(VARY, "vary") X(VIA, "via") \
	X(X_FORWARDED_FOR, "x-forwarded-for") X(X_FORWARDED_PROTO, "x-forwarded-proto")
/* clang-format on */

enum http_field_id {
	HTTP_OTHER,
#define X(id, name) HTTP_##id,
	HTTP_FIELD_NAMES(X)
#undef X
		HTTP_FIELD_IDS,
};

enum http_method {
	HTTP_M_OTHER, /* an extension, or one that needs no special care here */
	HTTP_M_GET,
	HTTP_M_HEAD,
	HTTP_M_POST,
	HTTP_M_PUT,
	HTTP_M_DELETE,
	HTTP_M_OPTIONS,
	HTTP_M_TRACE,
	HTTP_M_PATCH,
};

enum http_framing { /* of the body that follows a head, RFC 9112 6.3 */
		    HTTP_BODY_NONE,
		    HTTP_BODY_LENGTH,
		    HTTP_BODY_CHUNKED,
		    HTTP_BODY_CLOSE, /* a response's, until the connection ends */
};

/* A piece of the head: offset and length. */
struct http_span {
	uint16_t at, len;
};

struct http_field {
	struct http_span name, value; /* value without blanks around it */
	uint16_t id;		      /* enum http_field_id */
};

struct http_head {
	uint16_t length; /* of the whole head, once it is complete */
	uint16_t status; /* of a response; of a refused request the status to answer with */
	uint8_t minor;	 /* HTTP/1.minor */
	uint8_t method;	 /* enum http_method */
	uint8_t framing; /* enum http_framing */
	uint8_t field_count;
	bool is_close; /* the connection does not outlive this message */
	bool has_keep_alive, has_upgrade, has_expect;
	bool is_asterisk;	       /* OPTIONS * */
	bool is_h2;		       /* it came in HTTP/2, and was written anew */
	struct http_span method_name;  /* as written */
	struct http_span target;       /* path and query; of the absolute form without its head */
	struct http_span host;	       /* with port; empty only of HTTP/1.0 without Host */
	struct http_span reason;       /* of a response */
	uint64_t content_length;       /* of HTTP_BODY_LENGTH */
	uint8_t first[HTTP_FIELD_IDS]; /* 1 + number of the first field with that id, 0: none */
	struct http_field field[HTTP_FIELDS_MAX];
};

/*
 * Parse the head at the start of data, strictly (RFC 9112 2 to 6, RFC 9110 5). Answer the head's
 * length; -EAGAIN while it is incomplete; -EBADMSG for one that must be refused: a request's status
 * then is 400, 414, 417, 431, 501 or 505. One empty line before a request is skipped and counted.
 */
ssize_t http_parse_request(const char *data, size_t len, struct http_head *head);
/* request_method: a response to HEAD has no body, whatever it says. */
ssize_t http_parse_response(const char *data, size_t len, enum http_method request_method,
			    struct http_head *head);

/* ---- http_field.c: fields and their values -------------------------------------------------- */

static inline const struct http_field *http_find(const struct http_head *head,
						 enum http_field_id id)
{
	return head->first[id] ? &head->field[head->first[id] - 1] : NULL;
}

/* The next field with the same id, or NULL. */
const struct http_field *http_find_next(const struct http_head *head,
					const struct http_field *field);

/* Bytes somewhere else, not ended by NUL. */
struct text {
	const char *at;
	size_t len;
};

#define TEXT_NONE ((struct text){ NULL, 0 })

static inline struct text http_text(const char *data, struct http_span span)
{
	return (struct text){ data + span.at, span.len };
}

/* The first field's value, TEXT_NONE without one. */
struct text http_value(const char *data, const struct http_head *head, enum http_field_id id);

enum http_field_id http_field_id(const char *name, size_t len);
bool text_is(struct text text, const char *word);     /* whatever the case; word in lower case */
bool text_is_same(struct text a, struct text b);      /* byte for byte */
bool text_is_same_word(struct text a, struct text b); /* whatever the case */
struct text text_trim(struct text text);
/* Decimal digits only and nothing else; -EINVAL. -ERANGE where it does not fit 63 bits. */
int text_number(struct text text, uint64_t *out);

/*
 * Walks a comma-separated list (RFC 9110 5.6.1) whose quoted strings may hold commas: cuts the next
 * member that is not empty off *list. False at the end.
 */
bool text_next_member(struct text *list, struct text *member);
/* Whether some field of this id has the member word, whatever the case. */
bool http_has_member(const char *data, const struct http_head *head, enum http_field_id id,
		     const char *word);
/* Whether the field is for one hop only: by its name, or named by Connection (RFC 9110 7.6.1). */
bool http_is_hop_field(const char *data, const struct http_head *head,
		       const struct http_field *field);

/* ---- http_chunk.c: the chunked coding, RFC 9112 7.1 ----------------------------------------- */

struct http_chunked {
	uint64_t left;	/* of the chunk */
	uint16_t extra; /* bytes of extensions and trailers, which are bounded */
	uint8_t state, digits;
	bool is_done;
};

/*
 * Takes what it can of data: answers how many bytes, of which *body are payload (it may be empty).
 * To be called again with the rest until nothing is left or is_done. -EBADMSG.
 */
ssize_t http_chunk_take(struct http_chunked *chunked, const char *data, size_t len,
			struct text *body);

/* ---- http_date.c: RFC 9110 5.6.7 ------------------------------------------------------------ */

#define HTTP_DATE_SIZE 30

/* All three formats. now tells the century of an RFC 850 year. -EINVAL. */
int http_date_parse(struct text text, time_t now, time_t *out);
/* "Sun, 06 Nov 1994 08:49:37 GMT". Returns buf. */
const char *http_date_format(time_t when, char buf[HTTP_DATE_SIZE]);

#endif
