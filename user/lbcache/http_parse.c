// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heads of requests and responses in one pass over the bytes. What two recipients could understand
 * differently is refused, since that is what request smuggling lives from (RFC 9112 11.2).
 */
#include "http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http_class.h"

struct parser {
	const char *data;
	size_t len, at;
	struct http_head *head;
	bool is_request;
};

static int bad(struct parser *parser, uint16_t status)
{
	if (parser->is_request)
		parser->head->status = status;
	return -EBADMSG;
}

/* Bytes ran out: wait for more, unless no more are allowed. */
static int out_of_bytes(struct parser *parser, uint16_t status)
{
	return parser->len < HTTP_HEAD_MAX ? -EAGAIN : bad(parser, status);
}

/* CR LF and nothing else ends a line. */
static int take_line_end(struct parser *parser)
{
	if (parser->at + 1 >= parser->len) {
		if (parser->at < parser->len && parser->data[parser->at] != '\r')
			return bad(parser, 400);
		return out_of_bytes(parser, 431);
	}
	if (parser->data[parser->at] != '\r' || parser->data[parser->at + 1] != '\n')
		return bad(parser, 400);
	parser->at += 2;
	return 0;
}

/* The longest run of bytes of a class. */
static struct http_span take_class(struct parser *parser, unsigned int class)
{
	size_t from = parser->at;

	while (parser->at < parser->len && http_is(parser->data[parser->at], class))
		parser->at++;
	return (struct http_span){ (uint16_t)from, (uint16_t)(parser->at - from) };
}

static enum http_method method_of(struct text name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
		{ "GET", HTTP_M_GET },	     { "HEAD", HTTP_M_HEAD },
		{ "POST", HTTP_M_POST },     { "PUT", HTTP_M_PUT },
		{ "DELETE", HTTP_M_DELETE }, { "OPTIONS", HTTP_M_OPTIONS },
		{ "TRACE", HTTP_M_TRACE },   { "PATCH", HTTP_M_PATCH },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (name.len == strlen(methods[i].name) &&
		    !memcmp(name.at, methods[i].name, name.len))
			return methods[i].method;
	}
	return HTTP_M_OTHER;
}

/* "HTTP/1.0" or "HTTP/1.1"; others that look like a version are not supported. */
static int take_version(struct parser *parser)
{
	static const char form[] = "HTTP/d.d";
	const char *c = parser->data + parser->at;

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (parser->at + i >= parser->len)
			return out_of_bytes(parser, 400);
		if (form[i] == 'd' ? !http_is(c[i], HTTP_C_DIGIT) : c[i] != form[i])
			return bad(parser, 400);
	}
	if (c[5] != '1' || c[7] > '1')
		return bad(parser, 505);
	parser->head->minor = (uint8_t)(c[7] - '0');
	parser->at += sizeof(form) - 1;
	return 0;
}

/* The absolute form (RFC 9112 3.2.2): the authority is the host, the rest the target. */
static int split_absolute(struct parser *parser)
{
	struct http_head *head = parser->head;
	const char *text = parser->data + head->target.at;
	size_t scheme, len = head->target.len, slash;

	if (len > 7 && !strncasecmp(text, "http://", 7))
		scheme = 7;
	else if (len > 8 && !strncasecmp(text, "https://", 8))
		scheme = 8;
	else
		return bad(parser, 400);
	for (slash = scheme; slash < len && text[slash] != '/' && text[slash] != '?'; slash++)
		;
	/* Without a path a "/" would have to be made up: who writes that may write the slash. */
	if (slash == scheme || slash == len || text[slash] == '?')
		return bad(parser, 400);
	head->host = (struct http_span){ (uint16_t)(head->target.at + scheme),
					 (uint16_t)(slash - scheme) };
	head->target.at = (uint16_t)(head->target.at + slash);
	head->target.len = (uint16_t)(len - slash);
	return 0;
}

static int take_target(struct parser *parser)
{
	struct http_head *head = parser->head;

	head->target = take_class(parser, HTTP_C_TARGET);
	if (head->target.len > HTTP_TARGET_MAX)
		return bad(parser, 414);
	if (parser->at == parser->len)
		return out_of_bytes(parser, 414);
	if (head->target.len == 0 || parser->data[parser->at] != ' ')
		return bad(parser, 400);
	parser->at++;
	if (parser->data[head->target.at] == '/')
		return 0;
	if (head->target.len == 1 && parser->data[head->target.at] == '*' &&
	    head->method == HTTP_M_OPTIONS) {
		head->is_asterisk = true;
		return 0;
	}
	return split_absolute(parser);
}

static int take_request_line(struct parser *parser)
{
	struct http_head *head = parser->head;
	struct text name;
	int ret;

	/* RFC 9112 2.2: one empty line before the request is a known habit. */
	if (parser->len && parser->data[0] == '\r') {
		ret = take_line_end(parser);
		if (ret)
			return ret;
	}
	head->method_name = take_class(parser, HTTP_C_TOKEN);
	if (head->method_name.len > 32)
		return bad(parser, 501);
	if (parser->at == parser->len)
		return -EAGAIN;
	if (head->method_name.len == 0 || parser->data[parser->at] != ' ')
		return bad(parser, 400);
	parser->at++;
	name = http_text(parser->data, head->method_name);
	head->method = (uint8_t)method_of(name);
	if (name.len == 7 && !memcmp(name.at, "CONNECT", 7))
		return bad(parser, 501);
	ret = take_target(parser);
	if (!ret)
		ret = take_version(parser);
	if (!ret)
		ret = take_line_end(parser);
	return ret;
}

static int take_status_line(struct parser *parser)
{
	struct http_head *head = parser->head;
	int ret = take_version(parser);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < 4; i++, parser->at++) {
		if (parser->at >= parser->len)
			return -EAGAIN;
		if (i == 0 ? parser->data[parser->at] != ' '
			   : !http_is(parser->data[parser->at], HTTP_C_DIGIT))
			return bad(parser, 0);
		if (i > 0)
			head->status = (uint16_t)(head->status * 10 +
						  (unsigned)(parser->data[parser->at] - '0'));
	}
	if (head->status < 100 || head->status > 599)
		return bad(parser, 0);
	if (parser->at >= parser->len)
		return -EAGAIN;
	/* Many servers leave out the space before an empty reason. */
	if (parser->data[parser->at] == ' ') {
		parser->at++;
		head->reason = take_class(parser, HTTP_C_VALUE);
	}
	return take_line_end(parser);
}

static int take_field(struct parser *parser)
{
	struct http_head *head = parser->head;
	struct http_field *field = &head->field[head->field_count];
	int ret;

	if (head->field_count == HTTP_FIELDS_MAX)
		return bad(parser, 431);
	field->name = take_class(parser, HTTP_C_TOKEN);
	if (parser->at == parser->len)
		return out_of_bytes(parser, 431);
	/* Also refuses a blank before the colon, and a line that continues the one before. */
	if (field->name.len == 0 || parser->data[parser->at] != ':')
		return bad(parser, 400);
	parser->at++;
	(void)take_class(parser, HTTP_C_BLANK);
	field->value = take_class(parser, HTTP_C_VALUE);
	ret = take_line_end(parser);
	if (ret)
		return ret;
	while (field->value.len &&
	       http_is(parser->data[field->value.at + field->value.len - 1], HTTP_C_BLANK))
		field->value.len--;
	field->id = (uint16_t)http_field_id(parser->data + field->name.at, field->name.len);
	head->field_count++;
	if (field->id && !head->first[field->id])
		head->first[field->id] = head->field_count;
	return 0;
}

/* RFC 9110 7.2, RFC 9112 3.2: one Host, which looks like one. */
static int check_host(struct parser *parser)
{
	struct http_head *head = parser->head;
	const struct http_field *field = http_find(head, HTTP_HOST);
	struct text host;

	if (!field)
		return head->minor || head->host.len ? bad(parser, 400) : 0;
	if (http_find_next(head, field) || !field->value.len)
		return bad(parser, 400);
	host = http_text(parser->data, field->value);
	for (size_t i = 0; i < host.len; i++) {
		if (!http_is(host.at[i], HTTP_C_HOST))
			return bad(parser, 400);
	}
	if (head->host.len && !text_is_same_word(host, http_text(parser->data, head->host)))
		return bad(parser, 400);
	head->host = field->value;
	return 0;
}

static int read_connection(struct parser *parser)
{
	struct http_head *head = parser->head;

	head->is_close = http_has_member(parser->data, head, HTTP_CONNECTION, "close");
	head->has_keep_alive = http_has_member(parser->data, head, HTTP_CONNECTION, "keep-alive");
	/* RFC 9113 3.1: nobody speaks h2c any more but to get requests past a proxy. */
	head->has_upgrade = http_find(head, HTTP_UPGRADE) && head->minor == 1 &&
			    http_has_member(parser->data, head, HTTP_CONNECTION, "upgrade") &&
			    !http_has_member(parser->data, head, HTTP_UPGRADE, "h2c");
	if (head->minor == 0 && !head->has_keep_alive)
		head->is_close = true;
	return 0;
}

/* RFC 9112 6.3, where every doubt is an error. */
static int read_framing(struct parser *parser)
{
	struct http_head *head = parser->head;
	const struct http_field *coding = http_find(head, HTTP_TRANSFER_ENCODING);
	const struct http_field *length = http_find(head, HTTP_CONTENT_LENGTH);
	struct text value, member;
	bool is_first;

	if (coding) {
		if (length || head->minor == 0 || http_find_next(head, coding))
			return bad(parser, 400);
		value = http_text(parser->data, coding->value);
		if (!text_is(value, "chunked")) {
			/* Nothing may follow chunked; other codings are ones that we do not know.
			 */
			is_first = text_next_member(&value, &member) && text_is(member, "chunked");
			return bad(parser, is_first ? 400 : 501);
		}
		head->framing = HTTP_BODY_CHUNKED;
	} else if (length) {
		if (http_find_next(head, length) ||
		    text_number(http_text(parser->data, length->value), &head->content_length))
			return bad(parser, 400);
		head->framing = HTTP_BODY_LENGTH;
	}
	return 0;
}

static int read_expect(struct parser *parser)
{
	struct http_head *head = parser->head;

	if (!http_find(head, HTTP_EXPECT))
		return 0;
	if (!text_is(http_value(parser->data, head, HTTP_EXPECT), "100-continue"))
		return bad(parser, 417);
	head->has_expect = head->minor == 1;
	return 0;
}

static int take_fields(struct parser *parser)
{
	int ret = 0;

	while (!ret) {
		if (parser->at == parser->len)
			return out_of_bytes(parser, 431);
		if (parser->data[parser->at] == '\r' || parser->data[parser->at] == '\n') {
			ret = take_line_end(parser);
			break;
		}
		ret = take_field(parser);
	}
	if (!ret)
		parser->head->length = (uint16_t)parser->at;
	return ret;
}

ssize_t http_parse_request(const char *data, size_t len, struct http_head *head)
{
	struct parser parser = {
		.data = data,
		.len = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX,
		.head = head,
		.is_request = true,
	};
	int ret;

	memset(head, 0, offsetof(struct http_head, field));
	ret = take_request_line(&parser);
	if (!ret)
		ret = take_fields(&parser);
	if (!ret)
		ret = check_host(&parser);
	if (!ret)
		ret = read_framing(&parser);
	if (!ret)
		ret = read_expect(&parser);
	if (!ret)
		ret = read_connection(&parser);
	return ret ? ret : (ssize_t)parser.at;
}

ssize_t http_parse_response(const char *data, size_t len, enum http_method request_method,
			    struct http_head *head)
{
	struct parser parser = {
		.data = data,
		.len = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX,
		.head = head,
	};
	int ret;

	memset(head, 0, offsetof(struct http_head, field));
	ret = take_status_line(&parser);
	if (!ret)
		ret = take_fields(&parser);
	if (!ret)
		ret = read_framing(&parser);
	if (!ret)
		ret = read_connection(&parser);
	if (ret)
		return ret;
	if (request_method == HTTP_M_HEAD || head->status < 200 || head->status == 204 ||
	    head->status == 304)
		head->framing = HTTP_BODY_NONE;
	else if (head->framing == HTTP_BODY_NONE)
		head->framing = HTTP_BODY_CLOSE;
	if (head->framing == HTTP_BODY_CLOSE)
		head->is_close = true;
	return (ssize_t)parser.at;
}
