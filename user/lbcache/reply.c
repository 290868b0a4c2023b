// SPDX-License-Identifier: GPL-2.0-only
/* Heads of answers: what is stored or on its way, and the few lines that are made for each. */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t put(char *buf, size_t at, const char *text)
{
	size_t len = strlen(text);

	memcpy(buf + at, text, len);
	return at + len;
}

/* printf is too slow for what every hit needs. */
static size_t put_number(char *buf, size_t at, uint64_t number)
{
	char digits[20];
	unsigned int count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	while (count)
		buf[at++] = digits[--count];
	return at;
}

static void add(struct client *client, const void *at, size_t len)
{
	if (len)
		client->iov[client->iov_count++] = (struct iovec){ (void *)(uintptr_t)at, len };
}

static void add_piece(struct client *client, const struct object *object, struct piece piece)
{
	add(client, object->bytes + piece.at, piece.len);
}

static size_t put_connection(const struct client *client, char *buf, size_t at)
{
	if (client->is_closing)
		return put(buf, at, "Connection: close\r\n");
	return client->is_old ? put(buf, at, "Connection: keep-alive\r\n") : at;
}

/* Threads' clocks are not quite the same. */
static uint64_t age_s(const struct worker *worker, uint64_t born_ms)
{
	return worker->now_ms > born_ms ? (worker->now_ms - born_ms) / 1000 : 0;
}

/* RFC 9211: one member, without the key. */
static size_t put_object_status(const struct worker *worker, const struct client *client,
				const struct object *object, char *buf, size_t at)
{
	int64_t ttl = (int64_t)(object->fresh_until_ms - worker->now_ms) / 1000;

	at = put(buf, at, "Age: ");
	at = put_number(buf, at, age_s(worker, object->born_ms));
	at = put(buf, at, "\r\nVia: 1.1 lbcache\r\nCache-Status: lbcache; ");
	if (client->source == FROM_REVALIDATED)
		at = put(buf, at, "fwd=stale; fwd-status=304");
	else if (client->source == FROM_COLLAPSED)
		at = put(buf, at, "fwd=miss; collapsed");
	else if (client->source == FROM_SECOND)
		at = put(buf, at, "hit; detail=second-tier");
	else if (client->source == FROM_MISS)
		at = put(buf, at, "fwd=miss; stored");
	else
		at = put(buf, at, "hit");
	at = put(buf, at, "; ttl=");
	if (ttl < 0) {
		buf[at++] = '-';
		ttl = -ttl;
	}
	at = put_number(buf, at, (uint64_t)ttl);
	return put(buf, at, "\r\n");
}

static void finish(struct worker *worker, struct client *client, size_t at)
{
	at = put_connection(client, client->line, at);
	at = put(client->line, at, "\r\n");
	/* the line stands second in each of these answers */
	client->iov[1] = (struct iovec){ client->line, at };
	client->is_last = true;
	client->state = CLIENT_SENDING;
	client_send(worker, client);
}

static void reply_unchanged(struct worker *worker, struct client *client,
			    const struct object *object)
{
	size_t at = put(client->first, 0, "HTTP/1.1 304 Not Modified\r\n");
	size_t line = put_object_status(worker, client, object, client->line, 0);

	/* The stored fields between need a third piece: status line and line change places. */
	client->status = 304;
	line = put_connection(client, client->line, line);
	line = put(client->line, line, "\r\n");
	add(client, client->first, at);
	add_piece(client, object, object->brief);
	add(client, client->line, line);
	client->is_last = true;
	client->state = CLIENT_SENDING;
	client_send(worker, client);
}

static void reply_unsatisfiable(struct worker *worker, struct client *client,
				const struct object *object)
{
	size_t at = put(client->first, 0,
			"HTTP/1.1 416 Range Not Satisfiable\r\n"
			"Content-Length: 0\r\nContent-Range: bytes */");

	at = put_number(client->first, at, object->body.len);
	at = put(client->first, at, "\r\n");
	client->status = 416;
	add(client, client->first, at);
	client->iov_count = 2;
	finish(worker, client, put_object_status(worker, client, object, client->line, 0));
}

/* True if ranges were asked for and the answer is under way. */
static bool reply_part(struct worker *worker, struct client *client, struct object *object,
		       const char *data, const struct http_head *request)
{
	const struct validators validators = object_validators(object);
	struct range ranges[RANGES_MAX];
	size_t at;
	int count;

	if (object->status != 200 || client->is_heading || !http_find(request, HTTP_RANGE))
		return false;
	count = range_read(data, request, &validators, object->body.len, ranges);
	if (count == 0)
		return false;
	if (count < 0) {
		reply_unsatisfiable(worker, client, object);
		return true;
	}
	at = put_object_status(worker, client, object, client->line, 0);
	at = put_connection(client, client->line, at);
	if (!reply_ranges(client, object, ranges, (unsigned int)count, at))
		return false;
	client->status = 206;
	client->is_last = true;
	client->state = CLIENT_SENDING;
	client_send(worker, client);
	return true;
}

void reply_object(struct worker *worker, struct client *client, struct object *object,
		  const char *data, const struct http_head *request)
{
	size_t at;

	client->object = object;
	client->iov_count = client->iov_at = 0;
	if (client->is_patient) {
		const struct validators validators = object_validators(object);

		if (object->status == 200 &&
		    conditional_is_unchanged(data, request, &validators, worker->now)) {
			reply_unchanged(worker, client, object);
			return;
		}
		if (reply_part(worker, client, object, data, request))
			return;
	}
	client->status = object->status;
	/* status line and fields stand together in the object */
	add(client, object->bytes + object->status_line.at,
	    object->status_line.len + object->head.len);
	client->iov_count = 2;
	if (!client->is_heading)
		add_piece(client, object, object->body);
	at = put_object_status(worker, client, object, client->line, 0);
	if (object->status != 204) {
		at = put(client->line, at, "Content-Length: ");
		at = put_number(client->line, at, object->body.len);
		at = put(client->line, at, "\r\n");
	}
	finish(worker, client, at);
}

static const char *forward_word(const struct client *client, const struct fill *fill)
{
	if (fill->request->key.len == 0)
		return client->why == WHY_METHOD ? "method" : "bypass";
	return fill->stale ? "stale" : "uri-miss";
}

void reply_fill(struct worker *worker, struct client *client)
{
	const struct fill *fill = client->fill;
	struct text reason = http_text(fill->data, fill->head->reason);
	bool has_body = fill->head->framing != HTTP_BODY_NONE;
	int at, first;

	client->iov_count = client->iov_at = 0;
	client->status = fill->status;
	client->is_chunked = has_body && !fill->has_length && !client->is_old;
	if (has_body && !fill->has_length && client->is_old)
		client->is_closing = true;
	first = snprintf(client->first, FIRST_SIZE, "HTTP/1.1 %u %.*s\r\n", fill->status,
			 (int)(reason.len < 64 ? reason.len : 64), reason.at ? reason.at : "");
	at = snprintf(
		client->line, LINE_SIZE - 256,
		"Via: 1.1 lbcache\r\nCache-Status: lbcache; fwd=%s; fwd-status=%u%s%s%s%s\r\n",
		forward_word(client, fill), fill->status, fill->is_storing ? "; stored" : "",
		client->source == FROM_COLLAPSED ? "; collapsed" : "",
		fill->is_storing ? "" : "; detail=",
		fill->is_storing ? "" : reason_word((enum reason)fill->why));
	/* RFC 9111 5.1: what was stored somewhere, or is another request's answer, has an age. */
	if (fill->has_age || client->request != fill->request)
		at += snprintf(client->line + at, 64, "Age: %llu\r\n",
			       (unsigned long long)age_s(worker, fill->born_ms));
	if (client->is_chunked)
		at += snprintf(client->line + at, 64, "Transfer-Encoding: chunked\r\n");
	else if ((has_body && fill->has_length) ||
		 (client->is_heading && http_find(fill->head, HTTP_CONTENT_LENGTH)))
		at += snprintf(client->line + at, 64, "Content-Length: %llu\r\n",
			       (unsigned long long)fill->head->content_length);
	at = (int)put_connection(client, client->line, (size_t)at);
	at = (int)put(client->line, (size_t)at, "\r\n");
	add(client, client->first, (size_t)first);
	add(client, fill->fields, fill->fields_len);
	add(client, client->line, (size_t)at);
	client->is_last = !has_body;
	client->state = CLIENT_SENDING;
	client_send(worker, client);
}

void reply_here(struct worker *worker, struct client *client, const struct http_head *request)
{
	const bool is_trace = request->method == HTTP_M_TRACE;
	char date[HTTP_DATE_SIZE];
	int first;

	if (request->framing != HTTP_BODY_NONE) /* which nobody takes */
		client->is_closing = true;
	client->status = is_trace ? 405 : 200;
	client->iov_at = 0;
	first = snprintf(client->first, FIRST_SIZE,
			 "HTTP/1.1 %s\r\nDate: %s\r\n"
			 "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
			 is_trace ? "405 Method Not Allowed" : "200 OK",
			 http_date_format(worker->now, date));
	client->iov[0] = (struct iovec){ client->first, (size_t)first };
	client->iov_count = 2;
	finish(worker, client,
	       put(client->line, 0, "Cache-Status: lbcache\r\nContent-Length: 0\r\n"));
}

static const char *phrase(uint16_t status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 408:
		return "Request Timeout";
	case 414:
		return "URI Too Long";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return "HTTP Version Not Supported";
	}
}

void reply_error(struct worker *worker, struct client *client, uint16_t status, bool is_fatal)
{
	char date[HTTP_DATE_SIZE];
	int body = client->is_heading ? 0 : (int)strlen(phrase(status)) + 5;
	int first;

	client_leave_fill(worker, client);
	if (is_fatal)
		client->is_closing = true;
	client->status = status;
	client->iov_count = client->iov_at = 0;
	first = snprintf(client->first, FIRST_SIZE,
			 "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: text/plain\r\n", status,
			 phrase(status), http_date_format(worker->now, date));
	add(client, client->first, (size_t)first);
	first = snprintf(client->line, LINE_SIZE,
			 "Cache-Status: lbcache; fwd=miss\r\nContent-Length: %zu\r\n%s\r\n",
			 strlen(phrase(status)) + 5,
			 client->is_closing ? "Connection: close\r\n" : "");
	if (body)
		first += snprintf(client->line + first, LINE_SIZE - (size_t)first, "%u %s\n",
				  status, phrase(status));
	add(client, client->line, (size_t)first);
	client->is_last = true;
	client->state = CLIENT_SENDING;
	client_send(worker, client);
}
