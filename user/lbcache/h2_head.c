// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFC 9113 8.2 and 8.3: what a request's fields must be, whatever the library has looked at before,
 * since a line end among them would be another request behind it.
 */
#include "h2_head.h"

#include <errno.h>
#include <string.h>

#include "http_class.h"

void h2_head_begin(struct h2_head *head)
{
	memset(head, 0, offsetof(struct h2_head, field));
}

static bool is_all(struct text text, unsigned int class)
{
	bool is = true;

	for (size_t i = 0; i < text.len; i++)
		is &= http_is(text.at[i], class);
	return is;
}

static bool is_word(struct text text, const char *word)
{
	return text.len == strlen(word) && !memcmp(text.at, word, text.len);
}

static struct http_span keep(struct h2_head *head, struct text text)
{
	struct http_span span = { head->used, (uint16_t)text.len };

	if (text.len > sizeof(head->bytes) - head->used) {
		head->is_too_large = true;
		return (struct http_span){ 0, 0 };
	}
	if (text.len)
		memcpy(head->bytes + head->used, text.at, text.len);
	head->used += (uint16_t)text.len;
	return span;
}

/* 8.3: each once, before all other fields, and none that is not known. */
static void add_pseudo(struct h2_head *head, struct text name, struct text value)
{
	const struct {
		const char *name;
		struct http_span *span;
		unsigned int class;
	} known[] = {
		{ ":method", &head->method, HTTP_C_TOKEN },
		{ ":scheme", &head->scheme, HTTP_C_TOKEN },
		{ ":authority", &head->authority, HTTP_C_HOST },
		{ ":path", &head->path, HTTP_C_TARGET },
	};

	for (size_t i = 0; !head->has_ordinary && i < sizeof(known) / sizeof(known[0]); i++) {
		if (!is_word(name, known[i].name))
			continue;
		if (known[i].span->len || !value.len || !is_all(value, known[i].class))
			break;
		*known[i].span = keep(head, value);
		return;
	}
	head->is_malformed = true;
}

/* 8.2.2: what was for one connection of HTTP/1. */
static bool is_of_connection(struct text name, struct text value)
{
	switch (name.len) {
	case 2:
		return is_word(name, "te") && !text_is(value, "trailers");
	case 7:
		return is_word(name, "upgrade");
	case 10:
		return is_word(name, "connection") || is_word(name, "keep-alive");
	case 16:
		return is_word(name, "proxy-connection");
	case 17:
		return is_word(name, "transfer-encoding");
	default:
		return false;
	}
}

/* 8.2.1: lower case, and nothing in a value that could end it. */
static bool is_good(struct text name, struct text value)
{
	if (!name.len || !is_all(name, HTTP_C_TOKEN) || !is_all(value, HTTP_C_VALUE))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] >= 'A' && name.at[i] <= 'Z')
			return false;
	}
	return !value.len || (!http_is(value.at[0], HTTP_C_BLANK) &&
			      !http_is(value.at[value.len - 1], HTTP_C_BLANK));
}

void h2_head_add(struct h2_head *head, struct text name, struct text value)
{
	if (name.len && name.at[0] == ':') {
		add_pseudo(head, name, value);
		return;
	}
	head->has_ordinary = true;
	if (!is_good(name, value) || is_of_connection(name, value)) {
		head->is_malformed = true;
	} else if (is_word(name, "host")) {
		head->is_malformed |= head->host.len || !value.len || !is_all(value, HTTP_C_HOST);
		head->host = keep(head, value);
	} else if (head->field_count == H2_FIELDS_MAX) {
		head->is_too_large = true;
	} else {
		head->has_cookie |= is_word(name, "cookie");
		head->field[head->field_count].name = keep(head, name);
		head->field[head->field_count++].value = keep(head, value);
	}
}

static struct text text_of(const struct h2_head *head, struct http_span span)
{
	return http_text(head->bytes, span);
}

static size_t put(char *out, size_t at, struct text text)
{
	if (text.len)
		memcpy(out + at, text.at, text.len);
	return at + text.len;
}

static size_t put_word(char *out, size_t at, const char *word)
{
	return put(out, at, (struct text){ word, strlen(word) });
}

static size_t put_field(char *out, size_t at, struct text name, struct text value)
{
	at = put(out, at, name);
	at = put_word(out, at, ": ");
	at = put(out, at, value);
	return put_word(out, at, "\r\n");
}

/* 8.2.3: HTTP/1 has one line of them. */
static size_t put_cookies(const struct h2_head *head, char *out, size_t at)
{
	const char *before = "cookie: ";

	for (unsigned int i = 0; i < head->field_count; i++) {
		if (!is_word(text_of(head, head->field[i].name), "cookie"))
			continue;
		at = put_word(out, at, before);
		at = put(out, at, text_of(head, head->field[i].value));
		before = "; ";
	}
	return put_word(out, at, "\r\n");
}

static size_t put_fields(const struct h2_head *head, char *out, size_t at, bool *has_length)
{
	for (unsigned int i = 0; i < head->field_count; i++) {
		const struct text name = text_of(head, head->field[i].name);

		if (head->has_cookie && is_word(name, "cookie"))
			continue;
		*has_length |= is_word(name, "content-length");
		at = put_field(out, at, name, text_of(head, head->field[i].value));
	}
	return head->has_cookie ? put_cookies(head, out, at) : at;
}

/* 8.3.1, 8.5: who is asked, for what. An absolute URI in the path would name another host. */
static bool is_request(const struct h2_head *head, struct text scheme, bool is_connect)
{
	const struct text path = text_of(head, head->path),
			  authority = text_of(head, head->authority),
			  host = text_of(head, head->host);

	if (!head->method.len || (!authority.len && !host.len) ||
	    (authority.len && host.len && !text_is_same_word(authority, host)))
		return false;
	if (is_connect)
		return authority.len && !path.len && !head->scheme.len;
	if (!text_is_same_word(text_of(head, head->scheme), scheme) || !path.len)
		return false;
	return path.at[0] == '/' ||
	       (is_word(path, "*") && is_word(text_of(head, head->method), "OPTIONS"));
}

ssize_t h2_head_write(const struct h2_head *head, struct text scheme, bool is_ended,
		      char out[H2_TEXT_MAX])
{
	const bool is_connect = is_word(text_of(head, head->method), "CONNECT");
	const struct http_span host = head->authority.len ? head->authority : head->host;
	bool has_length = false;
	size_t at;

	if (head->is_malformed)
		return -EBADMSG;
	if (head->is_too_large)
		return -E2BIG;
	if (!is_request(head, scheme, is_connect))
		return -EBADMSG;
	at = put(out, 0, text_of(head, head->method));
	at = put_word(out, at, " ");
	at = put(out, at, text_of(head, is_connect ? head->authority : head->path));
	at = put_word(out, at, " HTTP/1.1\r\n");
	at = put_field(out, at, (struct text){ "host", 4 }, text_of(head, host));
	at = put_fields(head, out, at, &has_length);
	if (!is_ended && !has_length)
		at = put_word(out, at, "transfer-encoding: chunked\r\n");
	return (ssize_t)put_word(out, at, "\r\n");
}
