// SPDX-License-Identifier: GPL-2.0-only
/* A backend's response as bytes arrive: interim heads, the head, the body by its framing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fetch.h"
#include "stream.h"

#define HEAD_MAX 16384 /* bytes of a head that has not come whole */
#define INTERIM_MAX 16 /* heads before the final one */

#define RATE_MIN (240 * 60) /* bytes within TIMER_IDLE of a body that is stored */

enum outcome {
	MORE,  /* goes on */
	ENDED, /* the fetch is in the pool or gone */
};

static enum outcome finish(struct worker *worker, struct fetch *fetch, bool is_keepable)
{
	struct fill *fill = fetch->fill;

	fetch->is_keepable = is_keepable;
	if (fill->state < FILL_DONE)
		intake_end(worker, fill);
	sign_answered(fetch->backend);
	fetch_release(worker, fetch);
	return ENDED;
}

static enum outcome fail(struct worker *worker, struct fetch *fetch, enum sign sign)
{
	fetch->is_keepable = false;
	fetch_fail(worker, fetch, sign);
	return ENDED;
}

static enum outcome take_chunked(struct worker *worker, struct fetch *fetch, struct text bytes)
{
	struct text body;

	while (bytes.len && !fetch->chunked.is_done) {
		ssize_t ret = http_chunk_take(&fetch->chunked, bytes.at, bytes.len, &body);

		if (ret < 0)
			return fail(worker, fetch, SIGN_MALFORMED);
		if (body.len && intake_body(worker, fetch->fill, body))
			return fail(worker, fetch, SIGN_OURS);
		bytes.at += ret;
		bytes.len -= (size_t)ret;
	}
	if (!fetch->chunked.is_done)
		return MORE;
	return finish(worker, fetch, fetch->is_keepable && bytes.len == 0);
}

static enum outcome take_body(struct worker *worker, struct fetch *fetch, struct text bytes)
{
	size_t surplus = 0;

	switch (fetch->framing) {
	case HTTP_BODY_NONE:
		return finish(worker, fetch, fetch->is_keepable && bytes.len == 0);
	case HTTP_BODY_CHUNKED:
		return take_chunked(worker, fetch, bytes);
	case HTTP_BODY_LENGTH:
		if (bytes.len > fetch->left) {
			surplus = bytes.len - fetch->left;
			bytes.len = fetch->left;
		}
		fetch->left -= bytes.len;
		break;
	default:
		break;
	}
	if (bytes.len && intake_body(worker, fetch->fill, bytes))
		return fail(worker, fetch, SIGN_OURS);
	if (fetch->framing == HTTP_BODY_LENGTH && fetch->left == 0)
		return finish(worker, fetch, fetch->is_keepable && surplus == 0);
	return MORE;
}

/* Keeps what has not come whole. */
static enum outcome keep(struct worker *worker, struct fetch *fetch, struct text bytes)
{
	char *kept = malloc(bytes.len ? bytes.len : 1);

	if (!kept || bytes.len > HEAD_MAX) {
		free(kept);
		return fail(worker, fetch, SIGN_MALFORMED);
	}
	memcpy(kept, bytes.at, bytes.len);
	free(fetch->in);
	fetch->in = kept;
	fetch->in_len = bytes.len;
	return MORE;
}

/* Others wait for what is stored; what is not may be as slow as its reader likes it. */
static void on_pace_due(struct worker *worker, struct timer *timer)
{
	struct fetch *fetch = CONTAINER(timer, struct fetch, pace);
	struct fill *fill = fetch->fill;

	if (!fill->is_storing)
		return;
	if (fill->filled - fetch->paced >= RATE_MIN) {
		fetch->paced = fill->filled;
		timer_start(worker, timer, TIMER_IDLE, on_pace_due);
		return;
	}
	intake_slow(worker, fill);
	if (!__atomic_load_n(&fill->listeners, __ATOMIC_ACQUIRE))
		fetch_close(worker, fetch);
}

static enum outcome take_final(struct worker *worker, struct fetch *fetch, struct text bytes,
			       struct http_head *head)
{
	uint64_t delay = worker->now_ms - fetch->asked_ms;
	struct fill *fill = fetch->fill;

	fetch->framing = head->framing;
	fetch->left = head->content_length;
	fetch->is_keepable = !head->is_close && head->minor == 1;
	fetch->state = FETCH_BODY;
	timer_start(worker, &fetch->timer, TIMER_IDLE, fetch->timer.on_due);
	timer_stop(&fetch->pace);
	sign_note(fetch->backend, SIGN_HEAD);
	if (!intake_head(worker, fill, bytes.at, head, (uint32_t)delay)) {
		fetch->is_keepable = fetch->is_keepable && bytes.len == head->length &&
				     (head->framing == HTTP_BODY_NONE ||
				      (head->framing == HTTP_BODY_LENGTH && fetch->left == 0));
		sign_answered(fetch->backend);
		(void)fill_ref(fill);
		fetch_release(worker, fetch);
		if (fill->state == FILL_WAITING)
			fetch_start(worker, fill, NULL);
		fill_unref(fill);
		return ENDED;
	}
	if (!fill->is_storing && !__atomic_load_n(&fill->listeners, __ATOMIC_ACQUIRE)) {
		fetch_close(worker, fetch);
		return ENDED;
	}
	fetch->paced = 0;
	if (fill->is_storing)
		timer_start(worker, &fetch->pace, TIMER_IDLE, on_pace_due);
	bytes.at += head->length;
	bytes.len -= head->length;
	if (bytes.len == 0 && fetch->framing == HTTP_BODY_LENGTH && fetch->left == 0)
		return finish(worker, fetch, fetch->is_keepable);
	return bytes.len || fetch->framing == HTTP_BODY_NONE ? take_body(worker, fetch, bytes)
							     : MORE;
}

static enum outcome take_heads(struct worker *worker, struct fetch *fetch, struct text bytes)
{
	struct http_head head;
	enum http_method method = (enum http_method)fetch->fill->request->head.method;
	ssize_t len;

	for (;;) {
		len = http_parse_response(bytes.at, bytes.len, method, &head);
		if (len == -EAGAIN)
			return keep(worker, fetch, bytes);
		if (len < 0)
			return fail(worker, fetch, SIGN_MALFORMED);
		fetch->in_len = 0;
		if (head.status == 101) {
			if (!fetch->client || !fetch->fill->request->head.has_upgrade)
				return fail(worker, fetch, SIGN_MALFORMED);
			sign_note(fetch->backend, SIGN_HEAD);
			sign_answered(fetch->backend);
			fetch->state = FETCH_TUNNEL;
			timer_stop(&fetch->timer);
			client_begin_tunnel(worker, fetch->client, bytes, &head);
			return ENDED;
		}
		if (head.status >= 200)
			return take_final(worker, fetch, bytes, &head);
		if (fetch->interim_count++ == INTERIM_MAX)
			return fail(worker, fetch, SIGN_MALFORMED);
		if (fetch->client)
			client_interim(worker, fetch->client, bytes.at, &head);
		else
			client_hint(worker, fetch->fill, bytes.at, &head);
		bytes.at += len;
		bytes.len -= (size_t)len;
		if (!bytes.len)
			return MORE;
	}
}

/* RFC 9112 8, 9.8: a body that a reset ends, or in TLS no word of farewell, may be cut. */
static enum outcome take_end(struct worker *worker, struct fetch *fetch, bool is_orderly)
{
	if (is_orderly && fetch->state == FETCH_BODY && fetch->framing == HTTP_BODY_CLOSE)
		return finish(worker, fetch, false);
	return fail(worker, fetch, SIGN_CUT);
}

static bool is_ahead(const struct fetch *fetch)
{
	return !fetch->fill->is_storing &&
	       __atomic_load_n(&fetch->fill->live, __ATOMIC_RELAXED) > FILL_AHEAD;
}

void fetch_read(struct worker *worker, struct fetch *fetch)
{
	enum outcome outcome = MORE;
	size_t taken = 0;

	while (outcome == MORE) {
		size_t kept = fetch->state == FETCH_HEAD ? fetch->in_len : 0;
		ssize_t ret;

		if (fetch->state == FETCH_BODY && is_ahead(fetch)) {
			/* The readers' pace counts, not the backend's; without any it is for
			 * nobody. */
			if (!__atomic_load_n(&fetch->fill->listeners, __ATOMIC_ACQUIRE)) {
				fetch_close(worker, fetch);
				return;
			}
			fetch->is_paused = true;
			timer_stop(&fetch->timer);
			return;
		}
		if (taken >= SHARE) {
			worker_again(worker, &fetch->watch);
			return;
		}
		if (kept)
			memcpy(worker->scratch, fetch->in, kept);
		ret = stream_read(&fetch->watch, worker->scratch + kept, SCRATCH_SIZE - kept);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN)
			return;
		if (ret <= 0) {
			(void)take_end(worker, fetch, ret == 0);
			return;
		}
		taken += (size_t)ret;
		fetch->has_response_byte = true;
		/* A head has its time in all, whatever trickles in. */
		if (fetch->state == FETCH_BODY)
			timer_start(worker, &fetch->timer, TIMER_IDLE, fetch->timer.on_due);
		if (fetch->state == FETCH_HEAD)
			outcome = take_heads(worker, fetch,
					     (struct text){ worker->scratch, kept + (size_t)ret });
		else
			outcome = take_body(worker, fetch,
					    (struct text){ worker->scratch, (size_t)ret });
	}
}
