// SPDX-License-Identifier: GPL-2.0-only
/* The chunked coding, taken apart as bytes arrive. Extensions and trailers are read and dropped. */
#include "http.h"

#include <errno.h>

#include "http_class.h"

#define EXTRA_MAX 8192
#define DIGITS_MAX 15 /* fits 63 bits */

enum state {
	SIZE_FIRST, /* a digit must come */
	SIZE,
	NAME_FIRST, /* of an extension; a byte of its name must come */
	NAME,
	WORD_FIRST, /* behind "=" */
	WORD,
	QUOTED,
	QUOTED_PAIR, /* behind a backslash */
	QUOTED_END,
	SIZE_LF,
	BODY,
	BODY_CR,
	BODY_LF,
	TRAILER_FIRST, /* the first byte of a line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
};

static unsigned int digit_of(char c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)((c | 0x20) - 'a' + 10);
}

static int take_size(struct http_chunked *chunked, char c)
{
	if (http_is(c, HTTP_C_HEX)) {
		if (chunked->digits++ == DIGITS_MAX)
			return -EBADMSG;
		chunked->left = chunked->left << 4 | digit_of(c);
		chunked->state = SIZE;
	} else if (chunked->state == SIZE_FIRST) {
		return -EBADMSG;
	} else if (c == '\r') {
		chunked->state = SIZE_LF;
	} else if (c == ';') {
		chunked->state = NAME_FIRST;
	} else {
		return -EBADMSG;
	}
	return 0;
}

static bool is_in_quotes(enum state state)
{
	return state == QUOTED || state == QUOTED_PAIR;
}

static int take_quoted(struct http_chunked *chunked, char c)
{
	if (!http_is(c, HTTP_C_VALUE))
		return -EBADMSG;
	if (chunked->state == QUOTED_PAIR)
		chunked->state = QUOTED;
	else if (c == '\\')
		chunked->state = QUOTED_PAIR;
	else if (c == '"')
		chunked->state = QUOTED_END;
	return 0;
}

/*
 * RFC 9112 7.1.1, without the blanks that it lets a recipient tolerate: parsers differ about them,
 * and nobody sends them.
 */
static int take_extension(struct http_chunked *chunked, char c)
{
	const enum state state = chunked->state;
	const bool is_first = state == NAME_FIRST || state == WORD_FIRST;

	if (++chunked->extra > EXTRA_MAX)
		return -EBADMSG;
	if (is_in_quotes(state))
		return take_quoted(chunked, c);
	if (http_is(c, HTTP_C_TOKEN) && state != QUOTED_END)
		chunked->state = state == NAME_FIRST || state == NAME ? NAME : WORD;
	else if (c == '"' && state == WORD_FIRST)
		chunked->state = QUOTED;
	else if (c == '=' && state == NAME)
		chunked->state = WORD_FIRST;
	else if (c == ';' && !is_first)
		chunked->state = NAME_FIRST;
	else if (c == '\r' && !is_first)
		chunked->state = SIZE_LF;
	else
		return -EBADMSG;
	return 0;
}

static int take_trailer(struct http_chunked *chunked, char c)
{
	if (chunked->state == TRAILER_FIRST && c == '\r') {
		chunked->state = LAST_LF;
	} else if (chunked->state == TRAILER_VALUE) {
		if (c == '\r')
			chunked->state = TRAILER_LF;
		else if (!http_is(c, HTTP_C_VALUE))
			return -EBADMSG;
	} else if (chunked->state == TRAILER_NAME && c == ':') {
		chunked->state = TRAILER_VALUE;
	} else if (http_is(c, HTTP_C_TOKEN)) {
		chunked->state = TRAILER_NAME;
	} else {
		return -EBADMSG;
	}
	return ++chunked->extra > EXTRA_MAX ? -EBADMSG : 0;
}

static int take_lf(struct http_chunked *chunked, char c)
{
	if (c != '\n')
		return -EBADMSG;
	switch (chunked->state) {
	case SIZE_LF:
		chunked->state = chunked->left ? BODY : TRAILER_FIRST;
		break;
	case BODY_LF:
		chunked->state = SIZE_FIRST;
		chunked->digits = 0;
		break;
	case TRAILER_LF:
		chunked->state = TRAILER_FIRST;
		break;
	default:
		chunked->is_done = true;
	}
	return 0;
}

static int take_byte(struct http_chunked *chunked, char c)
{
	switch (chunked->state) {
	case SIZE_FIRST:
	case SIZE:
		return take_size(chunked, c);
	case NAME_FIRST:
	case NAME:
	case WORD_FIRST:
	case WORD:
	case QUOTED:
	case QUOTED_PAIR:
	case QUOTED_END:
		return take_extension(chunked, c);
	case BODY_CR:
		chunked->state = BODY_LF;
		return c == '\r' ? 0 : -EBADMSG;
	case TRAILER_FIRST:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return take_trailer(chunked, c);
	default:
		return take_lf(chunked, c);
	}
}

ssize_t http_chunk_take(struct http_chunked *chunked, const char *data, size_t len,
			struct text *body)
{
	size_t at = 0;

	*body = TEXT_NONE;
	while (at < len && !chunked->is_done) {
		if (chunked->state == BODY) {
			body->at = data + at;
			body->len = len - at < chunked->left ? len - at : (size_t)chunked->left;
			chunked->left -= body->len;
			if (chunked->left == 0)
				chunked->state = BODY_CR;
			return (ssize_t)(at + body->len);
		}
		if (take_byte(chunked, data[at++]))
			return -EBADMSG;
	}
	return (ssize_t)at;
}
