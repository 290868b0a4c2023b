// SPDX-License-Identifier: GPL-2.0-only
/* After 101 both sides are a stream of bytes that means nothing to us. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "stream.h"

#define PIPE_SIZE 32768

struct pipe {
	size_t at, len;
	bool is_ended; /* the sender has closed */
	char data[PIPE_SIZE];
};

struct tunnel {
	struct pipe up, down;
};

static void end(struct worker *worker, struct client *client)
{
	client_close(worker, client);
}

/* Moves what can be moved. False: one side is gone. */
static bool pump(struct worker *worker, struct pipe *pipe, struct watch *from, struct watch *to)
{
	size_t moved = 0;

	for (;;) {
		ssize_t ret;

		while (pipe->at < pipe->len) {
			ret = stream_send_one(to, pipe->data + pipe->at, pipe->len - pipe->at);
			if (ret < 0 && errno == EINTR)
				continue;
			if (ret < 0)
				return errno == EAGAIN;
			pipe->at += (size_t)ret;
		}
		if (pipe->is_ended)
			return true;
		pipe->at = pipe->len = 0;
		if (moved >= SHARE) {
			worker_again(worker, from);
			return true;
		}
		ret = stream_read(from, pipe->data, PIPE_SIZE);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return errno == EAGAIN;
		if (ret == 0) {
			pipe->is_ended = true;
			stream_end(to);
			return true;
		}
		pipe->len = (size_t)ret;
		moved += pipe->len;
	}
}

void client_tunnel(struct worker *worker, struct client *client)
{
	struct tunnel *tunnel = client->tunnel;
	struct watch *front = &client->watch, *back = &client->fetch->watch;

	if (!pump(worker, &tunnel->up, front, back) || !pump(worker, &tunnel->down, back, front) ||
	    (tunnel->up.is_ended && tunnel->down.is_ended))
		end(worker, client);
}

void client_begin_tunnel(struct worker *worker, struct client *client, struct text bytes,
			 const struct http_head *head)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	struct text upgrade = http_value(bytes.at, head, HTTP_UPGRADE);
	size_t rest = bytes.len - head->length;
	struct pipe *down;
	int len;

	if (!tunnel || bytes.len + 256 > PIPE_SIZE || client->in_len > PIPE_SIZE) {
		free(tunnel);
		end(worker, client);
		return;
	}
	client->tunnel = tunnel;
	client->state = CLIENT_TUNNEL;
	timer_stop(&client->timer);
	timer_stop(&client->body_timer);
	down = &tunnel->down;
	len = snprintf(down->data, PIPE_SIZE,
		       "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
		       "Upgrade: %.*s\r\n",
		       (int)(upgrade.len < 64 ? upgrade.len : 64), upgrade.at ? upgrade.at : "");
	for (unsigned int i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->field[i];

		if (!http_is_hop_field(bytes.at, head, field))
			len += snprintf(down->data + len, PIPE_SIZE - (size_t)len, "%.*s: %.*s\r\n",
					field->name.len, bytes.at + field->name.at,
					field->value.len, bytes.at + field->value.at);
	}
	memcpy(down->data + len, "\r\n", 2);
	memcpy(down->data + len + 2, bytes.at + head->length, rest);
	down->len = (size_t)len + 2 + rest;
	if (client->in_len)
		memcpy(tunnel->up.data, client->in, client->in_len);
	tunnel->up.len = client->in_len;
	client->in_len = 0;
	client_tunnel(worker, client);
}
