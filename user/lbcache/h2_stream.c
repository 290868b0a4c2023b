// SPDX-License-Identifier: GPL-2.0-only
/* A stream as a client: its coming and going, its request, and that one's body. */
#include "h2_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static __thread struct h2_head coming;

void h2_head_forget(struct h2 *h2)
{
	if (h2->head != &coming)
		free(h2->head);
	h2->head = NULL;
}

void h2_head_open(struct h2 *h2)
{
	h2_head_forget(h2);
	h2->head = &coming;
	h2_head_begin(h2->head);
}

bool h2_head_keep(struct h2 *h2)
{
	struct h2_head *own;

	if (h2->head != &coming)
		return h2->head;
	own = malloc(sizeof(*own));
	if (own)
		memcpy(own, h2->head, sizeof(*own));
	else
		h2_end(h2, NGHTTP2_INTERNAL_ERROR);
	h2->head = own;
	return own;
}

struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id)
{
	struct worker *worker = h2->worker;
	struct h2_stream *stream;

	/* Room for it is not to be made by closing its own connection. */
	if (!h2->streams && !h2->out)
		timer_stop(&h2->client->timer);
	stream = h2->is_ending ? NULL : calloc(1, sizeof(*stream));
	if (!stream || !client_admit(worker, &h2->client->peer)) {
		free(stream);
		if (!h2->streams)
			h2_rest(h2);
		return NULL;
	}
	stream->h2 = h2;
	stream->id = id;
	stream->code = NGHTTP2_CANCEL;
	stream->client.watch.fd = -1;
	stream->client.is_stream = true;
	stream->client.service = h2->client->service;
	stream->client.peer = h2->client->peer;
	stream->next = h2->streams;
	if (h2->streams)
		h2->streams->prev = stream;
	h2->streams = stream;
	worker->counters.h2_streams++;
	return stream;
}

/* What of it the client has not seen the end of is reset. */
static void reset(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	if (stream->is_answered && stream->has_ended)
		return;
	/* RFC 9113 8.1: the answer stands, and the rest of the request is not needed. */
	(void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
					stream->is_answered ? NGHTTP2_NO_ERROR : stream->code);
}

void h2_leave(struct worker *worker, struct client *client)
{
	struct h2_stream *stream = h2_stream_of(client);
	struct h2 *h2 = stream->h2;

	(void)worker;
	if (!stream->is_closed) {
		(void)nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
		reset(stream);
	}
	if (client->in_len)
		(void)nghttp2_session_consume_connection(h2->session, client->in_len);
	*(stream->prev ? &stream->prev->next : &h2->streams) = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	if (!h2->streams)
		h2_rest(h2);
	h2_touch(h2);
}

/* ---- the request ----------------------------------------------------------------------------- */

static void refuse(struct h2 *h2, struct h2_stream *stream, uint16_t status)
{
	h2->worker->counters.refused++;
	stream->code = NGHTTP2_PROTOCOL_ERROR; /* RFC 9113 8.1.1 */
	if (status)
		reply_error(h2->worker, &stream->client, status, true);
	else
		client_close(h2->worker, &stream->client);
}

void h2_stream_ask(struct h2 *h2, struct h2_stream *stream)
{
	struct worker *worker = h2->worker;
	struct client *client = &stream->client;
	char text[H2_TEXT_MAX];
	ssize_t len, ret;

	client->began_ms = worker->now_ms;
	len = h2_head_write(h2->head, service_scheme(client->service), stream->has_ended, text);
	if (len < 0) {
		refuse(h2, stream, len == -E2BIG ? 431 : 0);
		return;
	}
	ret = http_parse_request(text, (size_t)len, &worker->head);
	if (ret < 0) {
		refuse(h2, stream, ret == -EBADMSG ? worker->head.status : 0);
		return;
	}
	if (ret != len || (stream->has_ended && worker->head.framing == HTTP_BODY_LENGTH &&
			   worker->head.content_length)) {
		refuse(h2, stream, 0);
		return;
	}
	worker->head.is_h2 = true;
	client_begin(worker, client, text);
}

/* ---- its body -------------------------------------------------------------------------------- */

void h2_stream_body(struct h2 *h2, struct h2_stream *stream, const uint8_t *data, size_t len)
{
	struct client *client = &stream->client;
	char *grown = realloc(client->in, client->in_len + len);

	if (!grown) {
		client_close(h2->worker, client);
		return;
	}
	memcpy(grown + client->in_len, data, len);
	client->in = grown;
	client->in_len += len;
	client_send_body(h2->worker, client);
}

void h2_stream_end(struct h2 *h2, struct h2_stream *stream)
{
	stream->has_ended = true;
	client_send_body(h2->worker, &stream->client);
}

bool h2_has_ended(const struct client *client)
{
	return h2_stream_of(client)->has_ended;
}

void h2_took(struct worker *worker, struct client *client, size_t len)
{
	struct h2_stream *stream = h2_stream_of(client);

	(void)worker;
	(void)nghttp2_session_consume(stream->h2->session, stream->id, len);
	h2_touch(stream->h2);
}
