// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients' connections: accepting, reading heads, keeping alive, closing, and the limits that hold
 * against slow and greedy ones. What is answered is decided in answer.c.
 */
#include "client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2.h"
#include "log.h"
#include "stream.h"
#include "tls.h"

#define REQUESTS_MAX 32 /* of one client in a turn */

static void on_event(struct worker *worker, struct watch *watch, uint32_t events);

static void on_keep_due(struct worker *worker, struct timer *timer)
{
	struct client *client = CONTAINER(timer, struct client, timer);

	worker->counters.closed_idle++;
	stream_end(&client->watch);
	client_close(worker, client);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static void on_shake_due(struct worker *worker, struct timer *timer)
{
	worker->counters.timeouts++;
	client_close(worker, CONTAINER(timer, struct client, timer));
}

/* One that could not be made fails at the first event. */
static void begin_shake(struct worker *worker, struct client *client, int fd)
{
	client->watch.tls = tls_accept(client->service->tls, fd);
	client->state = CLIENT_SHAKING;
	timer_start(worker, &client->timer, TIMER_HEADER, on_shake_due);
}

void client_open(struct worker *worker, struct service *service, int fd, const union address *peer)
{
	struct client *client;
	const int one = 1;

	if (!client_admit(worker, peer)) {
		worker->counters.refused++;
		(void)close(fd);
		return;
	}
	client = malloc(sizeof(*client));
	if (!client) {
		client_leave(worker, peer);
		(void)close(fd);
		return;
	}
	memset(client, 0, sizeof(*client));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	client->service = service;
	client->peer = *peer;
	worker->counters.connections++;
	worker->counters.active++;
	if (service->tls)
		begin_shake(worker, client, fd);
	else
		timer_start(worker, &client->timer, TIMER_KEEP, on_keep_due);
	worker_watch(worker, &client->watch, fd, on_event);
}

void client_leave_fill(struct worker *worker, struct client *client)
{
	struct fill *fill = client->fill;
	struct client **first;

	if (!fill)
		return;
	first = &fill->readers[worker->index];
	*(client->prev_reader ? &client->prev_reader->next_reader : first) = client->next_reader;
	if (client->next_reader)
		client->next_reader->prev_reader = client->prev_reader;
	client->next_reader = client->prev_reader = NULL;
	if (!*first)
		(void)__atomic_and_fetch(&fill->listeners, ~(1ull << worker->index),
					 __ATOMIC_RELEASE);
	segment_unref(client->segment);
	client->segment = NULL;
	client->fill = NULL;
	worker_tell(fill->owner, worker, fill);
	fill_unref(fill);
}

static void let_go(struct worker *worker, struct client *client)
{
	struct fetch *fetch = client->fetch;

	client->fetch = NULL;
	if (fetch)
		fetch_forget_client(worker, fetch);
	client_leave_fill(worker, client);
	object_unref(client->object);
	request_unref(client->request);
	free(client->owned);
	free(client->note);
	client->note = NULL;
	client->object = NULL;
	client->request = NULL;
	client->owned = NULL;
}

void client_close(struct worker *worker, struct client *client)
{
	if (client->state == CLIENT_CLOSED)
		return;
	if (client->h2)
		h2_free(worker, client);
	client->state = CLIENT_CLOSED;
	timer_stop(&client->timer);
	timer_stop(&client->body_timer);
	let_go(worker, client);
	free(client->in);
	free(client->tunnel);
	client->in = NULL;
	client->tunnel = NULL;
	if (client->is_stream)
		h2_leave(worker, client);
	else
		worker->counters.active--;
	client_leave(worker, &client->peer);
	worker_bury(worker, &client->watch);
}

/* ---- reading heads -------------------------------------------------------------------------- */

static void on_header_due(struct worker *worker, struct timer *timer)
{
	struct client *client = CONTAINER(timer, struct client, timer);

	worker->counters.timeouts++;
	reply_error(worker, client, 408, true);
}

/* Keeps bytes for later; they may be part of what was kept. */
static bool keep(struct client *client, const char *data, size_t len)
{
	char *kept = NULL;

	if (len) {
		kept = malloc(len);
		if (!kept)
			return false;
		memcpy(kept, data, len);
	}
	free(client->in);
	client->in = kept;
	client->in_len = len;
	return true;
}

void client_begin(struct worker *worker, struct client *client, const char *data)
{
	const struct http_head *head = &worker->head;

	worker->counters.requests++;
	service_counters_of(worker, client->service)->requests++;
	timer_stop(&client->timer);
	client->began_ms = worker->now_ms;
	client->sent = 0;
	client->is_closing =
		head->is_close || __atomic_load_n(&worker->server->is_draining, __ATOMIC_RELAXED);
	client->is_old = head->minor == 0;
	client->is_heading = head->method == HTTP_M_HEAD;
	client->is_patient = http_find(head, HTTP_RANGE) || http_find(head, HTTP_IF_NONE_MATCH) ||
			     http_find(head, HTTP_IF_MODIFIED_SINCE);
	client->is_chunked = client->has_chunk = client->is_last = client->has_body = false;
	client->source = FROM_NONE;
	client->gathered = 0;
	client->body_framing = head->framing;
	client->body_left = head->content_length;
	client->body_chunked = (struct http_chunked){ 0 };
	client->is_body_done = head->framing == HTTP_BODY_NONE ||
			       (head->framing == HTTP_BODY_LENGTH && head->content_length == 0);
	log_note(worker, client, data);
	client_answer(worker, client, data);
}

struct share {
	unsigned int requests;
	uint64_t bytes_out; /* the counter then */
};

static bool is_spent(const struct worker *worker, const struct share *share)
{
	return !share->requests || worker->counters.bytes_out >= share->bytes_out;
}

/* Reads requests out of data until one must wait for its answer. Answers what is left. */
static size_t take_requests(struct worker *worker, struct client *client, const char *data,
			    size_t len, struct share *share)
{
	size_t at = 0;

	client->is_partial = false;
	while (client->state == CLIENT_HEAD && at < len && !is_spent(worker, share)) {
		ssize_t ret = http_parse_request(data + at, len - at, &worker->head);

		if (ret == -EAGAIN) {
			if (client->timer.on_due != on_header_due || !client->timer.next)
				timer_start(worker, &client->timer, TIMER_HEADER, on_header_due);
			client->is_partial = true;
			break;
		}
		if (ret < 0) {
			worker->counters.refused++;
			reply_error(worker, client, worker->head.status, true);
			return 0;
		}
		at += (size_t)ret;
		share->requests--;
		/* The body's begin must be in place before a backend can ask for it. */
		if (worker->head.framing != HTTP_BODY_NONE || worker->head.has_upgrade) {
			struct http_head head = worker->head;

			if (!keep(client, data + at, len - at)) {
				client_close(worker, client);
				return 0;
			}
			worker->head = head;
			client_begin(worker, client, data + at - ret);
			return 0;
		}
		client_begin(worker, client, data + at - ret);
	}
	return len - at;
}

/* Takes what was kept and what came, as long as requests can be answered at once. */
static void read_requests(struct worker *worker, struct client *client)
{
	struct share share = { REQUESTS_MAX, worker->counters.bytes_out + SHARE };
	char buffer[HTTP_HEAD_MAX + 4096];
	size_t kept, left;
	ssize_t ret;

	client->is_busy = true;
	while (client->state == CLIENT_HEAD) {
		if (is_spent(worker, &share)) {
			worker_again(worker, &client->watch);
			break;
		}
		kept = client->in_len;
		if (kept)
			memcpy(buffer, client->in, kept);
		/* Behind requests that are here the client may have ended. */
		ret = 0;
		if (!kept || client->is_partial) {
			ret = stream_read(&client->watch, buffer + kept, sizeof(buffer) - kept);
			if (ret < 0 && errno == EINTR)
				continue;
			if (ret < 0 && errno == EAGAIN)
				break;
			if (ret <= 0) {
				client_close(worker, client);
				break;
			}
		}
		left = kept + (size_t)ret;
		client->in_len = 0;
		free(client->in);
		client->in = NULL;
		kept = left;
		left = take_requests(worker, client, buffer, kept, &share);
		if (left && client->state != CLIENT_CLOSED && client->state != CLIENT_LINGERING &&
		    !keep(client, buffer + kept - left, left))
			client_close(worker, client);
		/* A short read has emptied the socket, unless its end stands behind. */
		if (ret && !client->has_ended && left == 0 && (size_t)ret < sizeof(buffer) / 2)
			break;
	}
	client->is_busy = false;
}

void client_answered(struct worker *worker, struct client *client)
{
	worker->counters.bytes_out += client->sent;
	service_counters_of(worker, client->service)->bytes_out += client->sent;
	timer_stop(&client->body_timer);
	if (client->is_stream) {
		client_close(worker, client);
		return;
	}
	if (!client->is_body_done)
		client->is_closing = true;
	let_go(worker, client);
	client->iov_count = client->iov_at = 0;
	if (client->is_closing) {
		client_linger(worker, client);
		client_drain(worker, client);
		return;
	}
	client->state = CLIENT_HEAD;
	client->source = FROM_NONE;
	client->sent = 0;
	timer_start(worker, &client->timer, TIMER_KEEP, on_keep_due);
	/* While the request came while this answer was under way, no event will tell. */
	if (!client->is_busy)
		read_requests(worker, client);
}

/* True: it is done, and the first request may be there already. */
static bool shake(struct worker *worker, struct client *client)
{
	int ret = client->watch.tls ? stream_shake(&client->watch) : -1;

	if (ret < 0) {
		worker->counters.tls_failures++;
		client_close(worker, client);
	}
	if (ret <= 0)
		return false;
	worker->counters.tls_handshakes++;
	worker->counters.tls_resumed += tls_is_resumed(client->watch.tls);
	client->state = CLIENT_HEAD;
	if (!tls_is_h2(client->watch.tls)) {
		timer_start(worker, &client->timer, TIMER_KEEP, on_keep_due);
	} else if (!h2_open(worker, client)) {
		client_close(worker, client);
		return false;
	}
	return true;
}

static void on_event(struct worker *worker, struct watch *watch, uint32_t events)
{
	struct client *client = (struct client *)watch;

	if (client->state == CLIENT_SHAKING && !shake(worker, client))
		return;
	if (watch->tls)
		events |= EPOLLIN | EPOLLOUT;
	if (client->state == CLIENT_TUNNEL) {
		client_tunnel(worker, client);
		return;
	}
	client->has_ended = client->has_ended || (events & EPOLLRDHUP);
	if (events & (EPOLLERR | EPOLLHUP)) {
		client_close(worker, client);
		return;
	}
	if (client->state == CLIENT_H2) {
		h2_event(worker, client);
		return;
	}
	if ((events & EPOLLOUT) && client->is_blocked && client->state == CLIENT_SENDING) {
		client->is_blocked = false;
		client_send(worker, client);
	}
	if (!(events & (EPOLLIN | EPOLLRDHUP)))
		return;
	if (client->state == CLIENT_HEAD)
		read_requests(worker, client);
	else if (client->state == CLIENT_LINGERING)
		client_drain(worker, client);
	else if (client->state != CLIENT_CLOSED && !client->is_body_done)
		client_send_body(worker, client);
}

void client_look(struct worker *worker, struct fill *fill)
{
	struct client *client = fill->readers[worker->index], *next;

	for (; client; client = next) {
		next = client->next_reader;
		client_progress(worker, client);
	}
}
