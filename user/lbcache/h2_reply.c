// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers in frames: the head's lines, as they were made for HTTP/1, become fields; the body goes
 * out as nghttp2 asks for it, no faster than the client's windows allow.
 */
#include "h2_session.h"

#include <string.h>

#include "log.h"

#define FIELDS_MAX (HTTP_FIELDS_MAX + 16)

struct fields {
	nghttp2_nv list[FIELDS_MAX];
	size_t count;
	char status[3];
};

static void on_write_due(struct worker *worker, struct timer *timer)
{
	struct client *client = CONTAINER(timer, struct client, timer);
	const struct h2_stream *stream = h2_stream_of(client);
	const struct h2 *h2 = stream->h2;

	/* One that waits for its turn behind others is not to blame. */
	if (nghttp2_session_get_stream_remote_window_size(h2->session, stream->id) > 0 &&
	    h2->moved_ms + 10000 > worker->now_ms) {
		timer_start(worker, timer, TIMER_WRITE, on_write_due);
		return;
	}
	worker->counters.timeouts++;
	client_close(worker, client);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static bool add(struct fields *fields, struct text name, struct text value)
{
	if (fields->count == FIELDS_MAX)
		return false;
	fields->list[fields->count++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.at,
		.namelen = name.len,
		.value = (uint8_t *)(uintptr_t)value.at,
		.valuelen = value.len,
	};
	return true;
}

static void begin(struct fields *fields, uint16_t status)
{
	fields->count = 0;
	for (unsigned int i = 3; i-- > 0; status /= 10)
		fields->status[i] = (char)('0' + status % 10);
	(void)add(fields, (struct text){ ":status", 7 }, (struct text){ fields->status, 3 });
}

/* What only HTTP/1 needs of what is made here; a backend's own went when it came. */
static bool is_for_h1(struct text name)
{
	return (name.len == 10 && text_is(name, "connection")) ||
	       (name.len == 17 && text_is(name, "transfer-encoding"));
}

/* "Name: value", without the line's end. */
static bool add_line(struct fields *fields, struct text line)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct text name, value;

	if (!colon)
		return false;
	name = (struct text){ line.at, (size_t)(colon - line.at) };
	value = text_trim((struct text){ colon + 1, line.len - name.len - 1 });
	return is_for_h1(name) || add(fields, name, value);
}

/* Takes the head out of iov: pieces begin and end with lines. False: it is none. */
static bool take_head(struct client *client, struct fields *fields)
{
	bool is_first = true;

	begin(fields, client->status);
	while (client->iov_at < client->iov_count) {
		struct iovec *iov = &client->iov[client->iov_at];
		struct text line = { iov->iov_base, 0 };
		const char *end = memchr(line.at, '\n', iov->iov_len);

		if (!iov->iov_len) {
			client->iov_at++;
			continue;
		}
		if (!end || end == line.at || end[-1] != '\r')
			return false;
		line.len = (size_t)(end - 1 - line.at);
		iov->iov_base = (char *)iov->iov_base + line.len + 2;
		iov->iov_len -= line.len + 2;
		if (!line.len)
			return true;
		if (!is_first && !add_line(fields, line))
			return false;
		is_first = false;
	}
	return false;
}

static size_t count_left(const struct client *client)
{
	size_t left = 0;

	for (unsigned int i = client->iov_at; i < client->iov_count; i++)
		left += client->iov[i].iov_len;
	return left;
}

static void submit(struct worker *worker, struct h2_stream *stream)
{
	const nghttp2_data_provider body = h2_reply_provider();
	struct client *client = &stream->client;
	struct fields fields;
	bool has_body;

	client->is_chunked = false;
	if (!take_head(client, &fields)) {
		client_close(worker, client);
		return;
	}
	stream->is_answering = true;
	has_body = !client->is_last || count_left(client);
	if (nghttp2_submit_response(stream->h2->session, stream->id, fields.list, fields.count,
				    has_body ? &body : NULL))
		client_close(worker, client);
	else if (has_body)
		timer_start(worker, &client->timer, TIMER_WRITE, on_write_due);
}

void h2_send(struct worker *worker, struct client *client)
{
	struct h2_stream *stream = h2_stream_of(client);

	h2_touch(stream->h2);
	if (!stream->is_answering)
		submit(worker, stream);
	else if (!nghttp2_session_resume_data(stream->h2->session, stream->id))
		timer_start(worker, &client->timer, TIMER_WRITE, on_write_due);
}

void h2_interim(struct worker *worker, struct client *client, const char *data,
		const struct http_head *head)
{
	struct h2_stream *stream = h2_stream_of(client);
	struct fields fields;

	(void)worker;
	/* A hint is not kept for one who does not read. */
	if (stream->h2->out && head->status != 100)
		return;
	begin(&fields, head->status);
	for (unsigned int i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->field[i];

		if (!http_is_hop_field(data, head, field) && field->id != HTTP_CONTENT_LENGTH)
			(void)add(&fields, http_text(data, field->name),
				  http_text(data, field->value));
	}
	(void)nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
				     fields.list, fields.count, NULL);
	h2_touch(stream->h2);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

ssize_t h2_reply_ready(struct h2_stream *stream, size_t limit, bool *is_end)
{
	struct client *client = &stream->client;
	size_t left = count_left(client);

	if (!left && !client->is_last) {
		client->iov_count = client->iov_at = 0;
		switch (client_refill(stream->h2->worker, client)) {
		case FILL_A_WAIT:
			timer_stop(&client->timer);
			return NGHTTP2_ERR_DEFERRED;
		case FILL_A_BROKEN:
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		default:
			left = count_left(client);
		}
	}
	*is_end = client->is_last && left <= limit;
	return (ssize_t)(left < limit ? left : limit);
}

void h2_reply_take(struct h2_stream *stream, char *at, size_t len)
{
	struct client *client = &stream->client;
	struct worker *worker = stream->h2->worker;

	client->sent += len;
	while (len) {
		struct iovec *iov = &client->iov[client->iov_at];
		size_t part = iov->iov_len < len ? iov->iov_len : len;

		memcpy(at, iov->iov_base, part);
		at += part;
		len -= part;
		iov->iov_base = (char *)iov->iov_base + part;
		iov->iov_len -= part;
		if (!iov->iov_len)
			client->iov_at++;
	}
	stream->h2->moved_ms = worker->now_ms;
	timer_start(worker, &client->timer, TIMER_WRITE, on_write_due);
}

void h2_reply_done(struct h2_stream *stream)
{
	struct worker *worker = stream->h2->worker;

	stream->is_answered = true;
	log_answer(worker, &stream->client);
	client_answered(worker, &stream->client);
}
