// SPDX-License-Identifier: GPL-2.0-only
/* Answers on their way out: what is ready in one call, then the body as it is filled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "h2.h"
#include "log.h"
#include "stream.h"

static void on_write_due(struct worker *worker, struct timer *timer)
{
	worker->counters.timeouts++;
	client_close(worker, CONTAINER(timer, struct client, timer));
}

void client_interim(struct worker *worker, struct client *client, const char *data,
		    const struct http_head *head)
{
	char text[2 * HTTP_HEAD_MAX];
	size_t at = 0;

	if (client->is_old || client->state != CLIENT_WAITING)
		return;
	if (client->is_stream) {
		h2_interim(worker, client, data, head);
		return;
	}
	at = (size_t)snprintf(text, 64, "HTTP/1.1 %u %s\r\n", head->status,
			      head->status == 100 ? "Continue" : "Early Hints");
	for (unsigned int i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->field[i];

		if (http_is_hop_field(data, head, field) || field->id == HTTP_CONTENT_LENGTH)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s: %.*s\r\n",
				       field->name.len, data + field->name.at, field->value.len,
				       data + field->value.at);
	}
	memcpy(text + at, "\r\n", 2);
	/* Nothing is under way, so there is room; one that does not fit breaks the connection. */
	if (stream_send_one(&client->watch, text, at + 2) != (ssize_t)at + 2)
		stream_break(&client->watch);
}

void client_hint(struct worker *worker, struct fill *fill, const char *data,
		 const struct http_head *head)
{
	struct client *client = fill->readers[worker->index];

	for (; head->status != 100 && client; client = client->next_reader)
		client_interim(worker, client, data, head);
}

/* One that could go on, as if its socket had been full. */
static void put_off(struct worker *worker, struct client *client)
{
	client->is_blocked = true;
	worker_again(worker, &client->watch);
}

/* 1 all went out, 0 the socket takes no more or others have their turn, negative: gone. */
static int flush(struct worker *worker, struct client *client)
{
	const uint64_t before = client->sent;

	while (client->iov_at < client->iov_count) {
		ssize_t ret;

		if (client->sent - before >= SHARE) {
			put_off(worker, client);
			return 0;
		}
		ret = stream_send(&client->watch, client->iov + client->iov_at,
				  client->iov_count - client->iov_at);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN) {
			client->is_blocked = true;
			return 0;
		}
		if (ret < 0)
			return -errno;
		client->sent += (size_t)ret;
		/* The write timer is for clients that take nothing. */
		if (client->timer.next)
			timer_start(worker, &client->timer, TIMER_WRITE, on_write_due);
		while (client->iov_at < client->iov_count &&
		       (size_t)ret >= client->iov[client->iov_at].iov_len)
			ret -= (ssize_t)client->iov[client->iov_at++].iov_len;
		if (ret > 0) {
			struct iovec *iov = &client->iov[client->iov_at];

			iov->iov_base = (char *)iov->iov_base + ret;
			iov->iov_len -= (size_t)ret;
		}
	}
	client->iov_count = client->iov_at = 0;
	client->has_body = false;
	return 1;
}

static void add(struct client *client, const void *at, size_t len)
{
	client->iov[client->iov_count++] = (struct iovec){ (void *)(uintptr_t)at, len };
}

/* A chunk's head, with the line end that the chunk before it owes. */
static void add_chunk(struct client *client, size_t len)
{
	int head;

	if (len)
		head = snprintf(client->chunk, sizeof(client->chunk), "%s%zx\r\n",
				client->has_chunk ? "\r\n" : "", len);
	else
		head = snprintf(client->chunk, sizeof(client->chunk), "%s0\r\n\r\n",
				client->has_chunk ? "\r\n" : "");
	client->has_chunk = true;
	add(client, client->chunk, (size_t)head);
}

enum fill_answer client_refill(struct worker *worker, struct client *client)
{
	struct segment *before = client->segment;
	enum fill_answer answer;
	struct text bytes;

	answer = fill_read(client->fill, &client->segment, &client->offset, &bytes);
	/* A segment was let go: the fetch may have waited for that. */
	if (client->segment != before && !client->fill->is_storing)
		worker_tell(client->fill->owner, worker, client->fill);
	if (answer == FILL_A_DATA) {
		if (client->is_chunked)
			add_chunk(client, bytes.len);
		add(client, bytes.at, bytes.len);
		client->offset += (uint32_t)bytes.len;
		client->has_body = true;
	} else if (answer == FILL_A_END) {
		if (client->is_chunked)
			add_chunk(client, 0);
		client->is_last = true;
	}
	return answer;
}

void client_send(struct worker *worker, struct client *client)
{
	const uint64_t before = client->sent;
	enum fill_answer answer = FILL_A_DATA;
	int ret;

	if (client->is_stream) {
		h2_send(worker, client);
		return;
	}
	/* The head and the body's begin go out together; iov holds no more than one segment. */
	if (!client->is_last && !client->has_body)
		answer = client_refill(worker, client);
	for (;;) {
		ret = flush(worker, client);
		if (ret < 0 || (ret > 0 && answer == FILL_A_BROKEN)) {
			client_close(worker, client);
			return;
		}
		if (ret == 0) {
			if (!client->timer.next || client->timer.on_due != on_write_due)
				timer_start(worker, &client->timer, TIMER_WRITE, on_write_due);
			return;
		}
		if (client->is_last) {
			log_answer(worker, client);
			client_answered(worker, client);
			return;
		}
		if (answer == FILL_A_WAIT) {
			timer_stop(&client->timer);
			return;
		}
		if (client->sent - before >= SHARE) {
			put_off(worker, client);
			return;
		}
		answer = client_refill(worker, client);
	}
}
