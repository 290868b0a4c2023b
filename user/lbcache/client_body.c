// SPDX-License-Identifier: GPL-2.0-only
/* A request's body on its way to the backend, as fast as that takes it and no slower than is
 * decent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "h2.h"
#include "stream.h"

#define UNSENT_MAX (256u << 10)
#define RATE_MIN (240 * 5) /* bytes within TIMER_BODY */
#define PIECE_MAX 16384

void client_take_fetch(struct client *client, struct fetch *fetch)
{
	client->fetch = fetch;
}

void client_forget_fetch(struct client *client)
{
	client->fetch = NULL;
}

static void on_body_due(struct worker *worker, struct timer *timer)
{
	struct client *client = CONTAINER(timer, struct client, body_timer);

	/* A backend that takes nothing is not the client's fault. */
	if (client->body_seen < RATE_MIN && client->fetch &&
	    fetch_unsent(client->fetch) < UNSENT_MAX) {
		worker->counters.timeouts++;
		client_close(worker, client);
		return;
	}
	client->body_seen = 0;
	timer_start(worker, timer, TIMER_BODY, on_body_due);
}

/* Frames a piece for the backend as the request's head has announced it. False: gone. */
static bool send_piece(struct worker *worker, struct client *client, struct text body)
{
	char frame[PIECE_MAX + 32];
	int head;

	if (client->body_framing == HTTP_BODY_LENGTH)
		return fetch_send(worker, client->fetch, body);
	head = snprintf(frame, sizeof(frame), "%zx\r\n", body.len);
	memcpy(frame + head, body.at, body.len);
	memcpy(frame + head + body.len, "\r\n", 2);
	return fetch_send(worker, client->fetch,
			  (struct text){ frame, (size_t)head + body.len + 2 });
}

/* The chunks end. */
static bool send_last(struct worker *worker, struct client *client)
{
	client->is_body_done = true;
	return fetch_send(worker, client->fetch, (struct text){ "0\r\n\r\n", 5 });
}

/* Answers how many bytes belong to the body, or -EBADMSG, -EPIPE. */
static ssize_t take(struct worker *worker, struct client *client, const char *data, size_t len)
{
	struct text body = { data, len };
	size_t at = 0;

	if (client->body_framing == HTTP_BODY_LENGTH) {
		if (body.len > client->body_left)
			body.len = client->body_left;
		client->body_left -= body.len;
		client->is_body_done = client->body_left == 0;
		return send_piece(worker, client, body) ? (ssize_t)body.len : -EPIPE;
	}
	if (client->is_stream)
		return send_piece(worker, client, body) ? (ssize_t)len : -EPIPE;
	while (at < len && !client->body_chunked.is_done) {
		ssize_t ret = http_chunk_take(&client->body_chunked, data + at, len - at, &body);

		if (ret < 0)
			return -EBADMSG;
		at += (size_t)ret;
		if (body.len && !send_piece(worker, client, body))
			return -EPIPE;
	}
	if (client->body_chunked.is_done && !send_last(worker, client))
		return -EPIPE;
	return (ssize_t)at;
}

/* A body that cannot be understood: the backend must not see its end either. */
static void refuse(struct worker *worker, struct client *client)
{
	worker->counters.refused++;
	if (client->state == CLIENT_WAITING)
		reply_error(worker, client, 400, true);
	else
		client_close(worker, client);
}

void client_send_body(struct worker *worker, struct client *client)
{
	char data[PIECE_MAX];
	size_t taken = 0;

	if (client->is_body_done || !client->fetch || client->state == CLIENT_TUNNEL)
		return;
	if (!client->body_timer.next)
		timer_start(worker, &client->body_timer, TIMER_BODY, on_body_due);
	while (!client->is_body_done && client->fetch && fetch_unsent(client->fetch) < UNSENT_MAX) {
		size_t len = client->in_len < sizeof(data) ? client->in_len : sizeof(data);
		ssize_t ret = (ssize_t)len;

		/* A stream has no more than its window. */
		if (taken >= SHARE && !client->is_stream) {
			worker_again(worker, &client->watch);
			return;
		}

		if (len) {
			memcpy(data, client->in, len);
			client->in_len -= len;
			memmove(client->in, client->in + len, client->in_len);
			if (client->is_stream)
				h2_took(worker, client, len);
		} else if (client->is_stream) {
			/* More comes by itself. */
			if (!h2_has_ended(client) || !send_last(worker, client))
				return;
			break;
		} else {
			ret = stream_read(&client->watch, data, sizeof(data));
			if (ret < 0 && errno == EINTR)
				continue;
			if (ret < 0 && errno == EAGAIN)
				return;
			if (ret <= 0) {
				client_close(worker, client);
				return;
			}
		}
		client->body_seen += (size_t)ret;
		len = (size_t)ret;
		taken += len;
		ret = take(worker, client, data, len);
		if (ret == -EBADMSG) {
			refuse(worker, client);
			return;
		}
		if (ret < 0)
			return;
		/* What follows the body is the next request. */
		if ((size_t)ret < len) {
			size_t rest = len - (size_t)ret;
			char *kept = malloc(rest + client->in_len);

			if (!kept) {
				client_close(worker, client);
				return;
			}
			memcpy(kept, data + ret, rest);
			if (client->in_len)
				memcpy(kept + rest, client->in, client->in_len);
			free(client->in);
			client->in = kept;
			client->in_len += rest;
		}
	}
	if (client->is_body_done)
		timer_stop(&client->body_timer);
}
