// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection in HTTP/2: bytes in and out, its limits in time, and its end. What frames mean is
 * nghttp2's and h2_callbacks.c's.
 */
#include "h2_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define STREAMS_MAX 100
#define STREAM_WINDOW (128 << 10)      /* of a request's body that its backend has not taken */
#define CONNECTION_WINDOW (1024 << 10) /* the same of all streams together */
#define QUEUE_MAX 1000		       /* frames that a client who does not read has called for */
#define ALLOWANCE 1000		       /* frames that ask for nothing, at once, */
#define ALLOWANCE_EACH_S 33	       /* and then in a second */

/* It takes nothing, or has not begun. */
static void on_late(struct worker *worker, struct timer *timer)
{
	worker->counters.timeouts++;
	client_close(worker, CONTAINER(timer, struct client, timer));
}

static void on_head_due(struct worker *worker, struct timer *timer)
{
	struct h2 *h2 = CONTAINER(timer, struct h2, head_timer);

	worker->counters.timeouts++;
	client_close(worker, h2->client);
}

bool h2_open(struct worker *worker, struct client *client)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	struct h2 *h2 = calloc(1, sizeof(*h2));

	if (!h2)
		return false;
	h2->worker = worker;
	h2->client = client;
	h2->allowance = ALLOWANCE * 1000;
	h2->allowed_ms = worker->now_ms;
	h2->session = h2_session_new(h2);
	if (!h2->session ||
	    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				    sizeof(settings) / sizeof(settings[0])) ||
	    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						  CONNECTION_WINDOW)) {
		nghttp2_session_del(h2->session);
		free(h2);
		return false;
	}
	client->h2 = h2;
	client->state = CLIENT_H2;
	worker->counters.h2_connections++;
	h2_rest(h2);
	h2_touch(h2);
	return true;
}

void h2_free(struct worker *worker, struct client *client)
{
	struct h2 *h2 = client->h2, **link = &worker->h2_dirty;

	client->h2 = NULL;
	/* What is left of the streams ends with the session. */
	while (h2->streams) {
		h2->streams->is_closed = true;
		client_close(worker, &h2->streams->client);
	}
	timer_stop(&client->timer);
	timer_stop(&h2->head_timer);
	while (*link && *link != h2)
		link = &(*link)->next_dirty;
	if (*link)
		*link = h2->next_dirty;
	nghttp2_session_del(h2->session);
	h2_head_forget(h2);
	free(h2->out);
	free(h2);
}

void h2_touch(struct h2 *h2)
{
	if (h2->is_dirty)
		return;
	h2->is_dirty = true;
	h2->next_dirty = h2->worker->h2_dirty;
	h2->worker->h2_dirty = h2;
}

void h2_end(struct h2 *h2, uint32_t code)
{
	if (!h2->is_ending)
		(void)nghttp2_session_terminate_session(h2->session, code);
	h2->is_ending = true;
	h2_touch(h2);
}

void h2_spend(struct h2 *h2)
{
	const uint64_t now = h2->worker->now_ms;

	h2->allowance += (now - h2->allowed_ms) * ALLOWANCE_EACH_S;
	h2->allowed_ms = now;
	if (h2->allowance > ALLOWANCE * 1000)
		h2->allowance = ALLOWANCE * 1000;
	if (h2->allowance < 1000) {
		if (!h2->is_ending)
			h2->worker->counters.refused++;
		h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
		return;
	}
	h2->allowance -= 1000;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* 1 all of it went out, 0 the socket takes no more, -1 it is gone. */
static int put_out(struct worker *worker, struct client *client, const char *bytes, size_t len,
		   size_t *sent)
{
	*sent = 0;
	while (*sent < len) {
		ssize_t ret = stream_send_one(&client->watch, bytes + *sent, len - *sent);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN) {
			if (*sent || client->timer.on_due != on_late || !client->timer.next)
				timer_start(worker, &client->timer, TIMER_WRITE, on_late);
			return 0;
		}
		if (ret < 0)
			return -1;
		*sent += (size_t)ret;
	}
	return 1;
}

/* What the socket did not take before. */
static int put_rest(struct worker *worker, struct h2 *h2)
{
	size_t sent;
	int ret;

	if (!h2->out)
		return 1;
	ret = put_out(worker, h2->client, h2->out + h2->out_at, h2->out_len - h2->out_at, &sent);
	h2->out_at += sent;
	if (ret <= 0)
		return ret;
	free(h2->out);
	h2->out = NULL;
	timer_stop(&h2->client->timer);
	if (!h2->streams)
		h2_rest(h2);
	return 1;
}

static int put_gathered(struct worker *worker, struct h2 *h2)
{
	size_t sent;
	int ret = put_out(worker, h2->client, h2_gather.bytes, h2_gather.len, &sent);

	if (ret)
		return ret;
	h2->out_at = 0;
	h2->out_len = h2_gather.len - sent;
	h2->out = malloc(h2->out_len);
	if (!h2->out)
		return -1;
	memcpy(h2->out, h2_gather.bytes + sent, h2->out_len);
	return 0;
}

/* Up to a gatherful; 0: there is nothing more. */
static int gather(struct h2 *h2)
{
	h2_gather.len = 0;
	while (h2_gather.len + H2_FRAME_ROOM <= H2_GATHER_SIZE) {
		const uint8_t *data;
		ssize_t len = nghttp2_session_mem_send(h2->session, &data);

		if (len < 0)
			return -1;
		if (len == 0)
			break;
		if ((size_t)len > H2_GATHER_SIZE - h2_gather.len)
			return -1;
		memcpy(h2_gather.bytes + h2_gather.len, data, (size_t)len);
		h2_gather.len += (size_t)len;
	}
	return h2_gather.len > 0;
}

static void flush(struct worker *worker, struct h2 *h2)
{
	struct client *client = h2->client;
	int ret = put_rest(worker, h2);
	size_t sent = 0;

	while (ret > 0) {
		if (sent >= SHARE) {
			worker_again(worker, &client->watch);
			return;
		}
		ret = gather(h2);
		if (ret == 0 && !nghttp2_session_want_read(h2->session) &&
		    !nghttp2_session_want_write(h2->session)) {
			h2_free(worker, client);
			client_linger(worker, client);
			return;
		}
		if (ret > 0)
			ret = put_gathered(worker, h2);
		sent += h2_gather.len;
	}
	if (ret < 0)
		client_close(worker, client);
}

bool h2_flush(struct worker *worker)
{
	struct h2 *h2;
	bool is_done = false;

	while ((h2 = worker->h2_dirty)) {
		worker->h2_dirty = h2->next_dirty;
		h2->is_dirty = false;
		flush(worker, h2);
		is_done = true;
	}
	return is_done;
}

/* ---- between requests ------------------------------------------------------------------------ */

/* After GOAWAY the client knows which requests were not seen, and repeats them elsewhere. */
static void on_keep_due(struct worker *worker, struct timer *timer)
{
	struct client *client = CONTAINER(timer, struct client, timer);
	/* Its place is wanted now. */
	const bool is_urgent = timer->due_ms > worker->now_ms &&
			       !__atomic_load_n(&worker->server->is_draining, __ATOMIC_RELAXED);

	worker->counters.closed_idle++;
	h2_end(client->h2, NGHTTP2_NO_ERROR);
	flush(worker, client->h2);
	if (is_urgent || client->state == CLIENT_H2)
		client_close(worker, client);
}

void h2_rest(struct h2 *h2)
{
	struct timer *timer = &h2->client->timer;

	if (h2->is_ending || h2->out)
		return;
	if (h2->has_settings)
		timer_start(h2->worker, timer, TIMER_KEEP, on_keep_due);
	else
		timer_start(h2->worker, timer, TIMER_HEADER, on_late);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* A head that has begun must end within the time that one of HTTP/1 has. */
static void watch_head(struct worker *worker, struct h2 *h2)
{
	if (!h2_head_keep(h2))
		timer_stop(&h2->head_timer);
	else if (!h2->head_timer.next)
		timer_start(worker, &h2->head_timer, TIMER_HEADER, on_head_due);
}

static bool take(struct worker *worker, struct h2 *h2, const char *data, size_t len)
{
	const bool had_settings = h2->has_settings;

	if (nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, len) < 0) {
		worker->counters.refused++;
		h2_end(h2, NGHTTP2_PROTOCOL_ERROR);
		flush(worker, h2);
		return false;
	}
	if (nghttp2_session_get_outbound_queue_size(h2->session) > QUEUE_MAX) {
		worker->counters.refused++;
		h2_end(h2, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	if (!had_settings && h2->has_settings && !h2->streams)
		h2_rest(h2);
	watch_head(worker, h2);
	return true;
}

void h2_event(struct worker *worker, struct client *client)
{
	struct h2 *h2 = client->h2;
	char data[16384];
	size_t taken = 0;

	h2_touch(h2);
	while (!h2->is_ending) {
		ssize_t ret;

		if (taken >= SHARE) {
			worker_again(worker, &client->watch);
			break;
		}
		ret = stream_read(&client->watch, data, sizeof(data));

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN)
			break;
		if (ret <= 0) {
			client_close(worker, client);
			return;
		}
		taken += (size_t)ret;
		if (!take(worker, h2, data, (size_t)ret))
			return;
		/* A short read has emptied the socket, unless its end stands behind. */
		if ((size_t)ret < sizeof(data) && !client->has_ended)
			break;
	}
	/* The client is told in time to ask elsewhere; what is under way is still answered. */
	if (__atomic_load_n(&worker->server->is_draining, __ATOMIC_RELAXED) && !h2->is_noticed) {
		h2->is_noticed = true;
		(void)nghttp2_submit_shutdown_notice(h2->session);
	}
}
