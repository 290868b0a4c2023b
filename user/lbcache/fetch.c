// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections to backends: opening, sending, keeping, and trying the next backend. What comes back
 * is fetch_read.c's.
 */
#include "fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "stream.h"

#define IDLE_MAX 32    /* connections kept to one backend by one worker */
#define BODY_LOW 65536 /* of a request's body: below this, more is taken from the client */

static void on_event(struct worker *worker, struct watch *watch, uint32_t events);

static void leave_fill(struct fetch *fetch)
{
	timer_stop(&fetch->pace);
	if (fetch->fill) {
		fetch->fill->fetch = NULL;
		fill_unref(fetch->fill);
	}
	fetch->fill = NULL;
	if (fetch->client)
		client_forget_fetch(fetch->client);
	fetch->client = NULL;
}

static void leave_pool(struct fetch *fetch)
{
	struct fetch **link = &fetch->backend->idle;

	while (*link != fetch)
		link = &(*link)->next_idle;
	*link = fetch->next_idle;
	fetch->backend->idle_count--;
}

static void discard(struct worker *worker, struct fetch *fetch)
{
	if (fetch->state == FETCH_IDLE)
		leave_pool(fetch);
	timer_stop(&fetch->timer);
	leave_fill(fetch);
	free(fetch->out);
	free(fetch->in);
	fetch->out = fetch->in = NULL;
	worker_bury(worker, &fetch->watch);
}

void fetch_close(struct worker *worker, struct fetch *fetch)
{
	struct fill *fill = fetch->fill;

	if (fill && fill->state < FILL_DONE)
		intake_failure(worker, fill, 502);
	discard(worker, fetch);
}

static void on_pool_due(struct worker *worker, struct timer *timer)
{
	discard(worker, CONTAINER(timer, struct fetch, timer));
}

void fetch_release(struct worker *worker, struct fetch *fetch)
{
	bool is_keepable = fetch->is_keepable && fetch_unsent(fetch) == 0 && fetch->in_len == 0 &&
			   fetch->backend->idle_count < IDLE_MAX;

	if (!is_keepable) {
		discard(worker, fetch);
		return;
	}
	worker_not_again(&fetch->watch);
	leave_fill(fetch);
	free(fetch->out);
	fetch->out = NULL;
	fetch->out_len = fetch->out_at = fetch->out_limit = 0;
	fetch->state = FETCH_IDLE;
	fetch->next_idle = fetch->backend->idle;
	fetch->backend->idle = fetch;
	fetch->backend->idle_count++;
	timer_start(worker, &fetch->timer, TIMER_POOL, on_pool_due);
}

static void on_response_due(struct worker *worker, struct timer *timer)
{
	struct fetch *fetch = CONTAINER(timer, struct fetch, timer);

	worker->counters.timeouts++;
	sign_failed(worker, fetch->backend, SIGN_LATE);
	if (fetch->fill->state < FILL_DONE)
		intake_failure(worker, fetch->fill, 504);
	discard(worker, fetch);
}

static void on_connect_due(struct worker *worker, struct timer *timer)
{
	fetch_fail(worker, CONTAINER(timer, struct fetch, timer), SIGN_LATE);
}

/* The response's time begins when the request's last byte went out. */
static void note_sent(struct worker *worker, struct fetch *fetch, size_t len)
{
	fetch->out_at += len;
	if (fetch->state == FETCH_HEAD)
		timer_start(worker, &fetch->timer, TIMER_IDLE, on_response_due);
}

static void flush(struct worker *worker, struct fetch *fetch)
{
	while (fetch_unsent(fetch)) {
		ssize_t ret = stream_send_one(&fetch->watch, fetch->out + fetch->out_at,
					      fetch_unsent(fetch));

		if (ret < 0 && errno == EAGAIN)
			break;
		if (ret < 0 && errno == EINTR)
			continue;
		/* What the backend answered before it closed is still read. */
		if (ret < 0)
			return;
		note_sent(worker, fetch, (size_t)ret);
	}
	if (fetch->client && fetch_unsent(fetch) < BODY_LOW)
		client_send_body(worker, fetch->client);
}

bool fetch_send(struct worker *worker, struct fetch *fetch, struct text bytes)
{
	if (fetch->is_body_sent && fetch->out_at) {
		memmove(fetch->out, fetch->out + fetch->out_at, fetch_unsent(fetch));
		fetch->out_len -= fetch->out_at;
		fetch->out_at = 0;
	}
	if (fetch->out_len + bytes.len > fetch->out_limit) {
		size_t limit = fetch->out_len + bytes.len + 16384;
		char *grown = realloc(fetch->out, limit);

		if (!grown) {
			fetch_close(worker, fetch);
			return false;
		}
		fetch->out = grown;
		fetch->out_limit = limit;
	}
	memcpy(fetch->out + fetch->out_len, bytes.at, bytes.len);
	fetch->out_len += bytes.len;
	fetch->is_body_sent = true;
	if (fetch->state > FETCH_CONNECTING && fetch_unsent(fetch) >= bytes.len) {
		ssize_t ret = stream_send_one(&fetch->watch, fetch->out + fetch->out_at,
					      fetch_unsent(fetch));

		if (ret > 0)
			note_sent(worker, fetch, (size_t)ret);
	}
	return true;
}

static void begin(struct worker *worker, struct fetch *fetch)
{
	fetch->state = FETCH_HEAD;
	timer_start(worker, &fetch->timer, TIMER_IDLE, on_response_due);
	flush(worker, fetch);
}

static void on_connected(struct worker *worker, struct fetch *fetch)
{
	socklen_t size = sizeof(int);
	int error = 0, ret;

	if (!fetch->watch.tls &&
	    (getsockopt(fetch->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)) {
		fetch_fail(worker, fetch, SIGN_UNCONNECTED);
		return;
	}
	ret = fetch_secure(worker, fetch);
	if (ret < 0) /* one that is not trusted here still is good for who does */
		fetch_fail(worker, fetch, ret == -EKEYREJECTED ? SIGN_OURS : SIGN_MALFORMED);
	else if (ret > 0)
		begin(worker, fetch);
}

static void on_event(struct worker *worker, struct watch *watch, uint32_t events)
{
	struct fetch *fetch = (struct fetch *)watch;

	switch (fetch->state) {
	case FETCH_IDLE:
		/* Room to write is told once and is no news. */
		if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			discard(worker, fetch);
		return;
	case FETCH_CONNECTING:
		if (watch->tls || (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			on_connected(worker, fetch);
		if (watch->fd < 0 || fetch->state == FETCH_CONNECTING)
			return;
		break;
	case FETCH_TUNNEL:
		client_tunnel(worker, fetch->client);
		return;
	default:
		if (watch->tls || (events & EPOLLOUT))
			flush(worker, fetch);
	}
	if (watch->fd >= 0 && fetch->state != FETCH_IDLE &&
	    (watch->tls || events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		fetch_read(worker, fetch);
}

/* What a repeat on another connection could do twice. */
static bool is_repeatable(const struct fetch *fetch)
{
	switch (fetch->fill->request->head.method) {
	case HTTP_M_GET:
	case HTTP_M_HEAD:
	case HTTP_M_OPTIONS:
	case HTTP_M_TRACE:
	case HTTP_M_PUT:
	case HTTP_M_DELETE:
		return !fetch->is_body_sent;
	default:
		return false;
	}
}

/* The one that was used last, of those that may be; NULL: there is none. */
static struct fetch *take_idle(struct backend *backend, uint64_t secure_key)
{
	struct fetch **link = &backend->idle, *fetch;

	while (*link && (*link)->secure_key != secure_key)
		link = &(*link)->next_idle;
	fetch = *link;
	if (!fetch)
		return NULL;
	*link = fetch->next_idle;
	backend->idle_count--;
	timer_stop(&fetch->timer);
	free(fetch->in);
	fetch->in = NULL;
	fetch->in_len = 0;
	return fetch;
}

static struct fetch *open_fetch(struct worker *worker, struct backend *backend, uint64_t secure_key)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	int fd = fetch ? stream_connect(&backend->address) : -ENOMEM;

	if (fd < 0) {
		free(fetch);
		errno = -fd;
		return NULL;
	}
	fetch->backend = backend;
	fetch->secure_key = secure_key;
	fetch->state = FETCH_CONNECTING;
	worker_watch(worker, &fetch->watch, fd, on_event);
	return fetch;
}

/* Takes over out. False: no backend takes it. */
static bool try_next(struct worker *worker, struct fill *fill, struct client *client, char *out,
		     size_t out_len, unsigned int tries, bool is_fresh)
{
	const uint64_t secure_key = fetch_secure_key(worker, fill->request);
	struct backend *backend;
	struct fetch *fetch = NULL;

	while (!fetch && tries < TRIES_MAX) {
		backend = backend_choose(worker, fill->request, tries++);
		if (!backend)
			break;
		if (!is_fresh)
			fetch = take_idle(backend, secure_key);
		if (!fetch)
			fetch = open_fetch(worker, backend, secure_key);
		if (!fetch)
			sign_failed(worker, backend,
				    errno == ECONNREFUSED || errno == EHOSTUNREACH
					    ? SIGN_UNCONNECTED
					    : SIGN_OURS);
	}
	if (!fetch)
		return false;
	fetch->is_reused = fetch->state == FETCH_IDLE;
	fetch->is_paused = fetch->has_response_byte = fetch->is_keepable = false;
	fetch->is_body_sent = false;
	fetch->chunked = (struct http_chunked){ 0 };
	fetch->tries = (uint8_t)tries;
	fetch->interim_count = 0;
	fetch->asked_ms = worker->now_ms;
	fetch->fill = fill_ref(fill);
	fill->fetch = fetch;
	fetch->client = client;
	if (client)
		client_take_fetch(client, fetch);
	fetch->out = out;
	fetch->out_len = fetch->out_limit = out_len;
	fetch->out_at = 0;
	worker->counters.fetches++;
	late_watch(worker, fetch);
	sign_note(fetch->backend, SIGN_ASKED);
	if (fetch->is_reused)
		begin(worker, fetch);
	else
		/* The last one may be slow: there is nobody else. */
		timer_start(worker, &fetch->timer,
			    tries == TRIES_MAX ? TIMER_HEADER : TIMER_CONNECT, on_connect_due);
	return true;
}

void fetch_start(struct worker *worker, struct fill *fill, struct client *client)
{
	const struct request *request = fill->request;
	bool is_idempotent = request->head.method != HTTP_M_POST &&
			     request->head.method != HTTP_M_PATCH &&
			     request->head.method != HTTP_M_OTHER;
	size_t len = 0;
	char *out = request_write(request, request->key.len > 0, fill->stale, &len);

	if (out && try_next(worker, fill, client, out, len, 0,
			    !is_idempotent || request->head.framing != HTTP_BODY_NONE ||
				    request->head.has_upgrade))
		return;
	free(out);
	intake_failure(worker, fill, 502);
}

void fetch_fail(struct worker *worker, struct fetch *fetch, enum sign sign)
{
	bool has_connected = fetch->state > FETCH_CONNECTING;
	struct fill *fill = fill_ref(fetch->fill);
	struct client *client = fetch->client;
	char *out = fetch->out;
	size_t len = fetch->out_len;
	unsigned int tries = fetch->tries;
	/* RFC 9110 9.2.2: what may be repeated is, once where the backend had its chance. */
	bool is_again =
		!fetch->has_response_byte && tries < TRIES_MAX && fill->state == FILL_WAITING &&
		(!has_connected || (is_repeatable(fetch) && (fetch->is_reused || tries == 1)));

	/* One that was kept too long is no sign against its backend: the same once more. */
	if (fetch->is_reused && !fetch->has_response_byte)
		tries--;
	else
		sign_failed(worker, fetch->backend, sign);
	if (is_again)
		fetch->out = NULL;
	fetch->client = NULL;
	if (client)
		client_forget_fetch(client);
	discard(worker, fetch);
	if (is_again) {
		worker->counters.retries++;
		is_again = try_next(worker, fill, client, out, len, tries, true);
		if (!is_again)
			free(out);
	}
	if (!is_again)
		intake_failure(worker, fill, sign == SIGN_LATE ? 504 : 502);
	fill_unref(fill);
}

void fetch_forget_client(struct worker *worker, struct fetch *fetch)
{
	fetch->client = NULL;
	/* A body that ends early cannot be made good. */
	if (fetch->state == FETCH_TUNNEL ||
	    (fetch->fill && fetch->fill->request->head.framing != HTTP_BODY_NONE))
		fetch_close(worker, fetch);
}

void fetch_look(struct worker *worker, struct fill *fill)
{
	struct fetch *fetch = fill->fetch;
	bool is_wanted;

	if (fill->owner != worker || !fetch || fetch->state == FETCH_TUNNEL)
		return;
	is_wanted = __atomic_load_n(&fill->listeners, __ATOMIC_ACQUIRE) || fill->is_storing ||
		    (fill->state == FILL_WAITING && fill->request->key.len);
	if (!is_wanted) {
		fetch_close(worker, fetch);
	} else if (fetch->is_paused &&
		   __atomic_load_n(&fill->live, __ATOMIC_RELAXED) < FILL_AHEAD / 2) {
		fetch->is_paused = false;
		fetch_read(worker, fetch);
	}
}
