/* SPDX-License-Identifier: GPL-2.0-only */
/* The backend's side: connections kept alive, one request on each at a time, its response read. */
#ifndef LBCACHE_FETCH_H
#define LBCACHE_FETCH_H

#include "fill.h"
#include "sign.h"

struct backend { /* as one worker sees it */
	struct backend *next;
	union address address;
	struct fetch *idle; /* the newest first */
	unsigned int idle_count;
	uint32_t number;   /* in the maps, or SIGN_NOWHERE */
	uint32_t failures; /* in a row */
	uint64_t failed_until_ms;
};

enum fetch_state {
	FETCH_IDLE, /* in the pool */
	FETCH_CONNECTING,
	FETCH_HEAD,
	FETCH_BODY,
	FETCH_TUNNEL,
};

#define TRIES_MAX 3

/* A connection to a backend, and what it is asked for. */
struct fetch {
	struct watch watch; /* first: worker_bury frees it */
	struct timer timer;
	struct timer pace; /* of a page that is late, or is stored too slowly */
	struct backend *backend;
	struct fetch *next_idle;
	uint64_t secure_key; /* what connections may be kept for, of those in TLS; 0: in clear */
	enum fetch_state state;
	struct fill *fill;     /* NULL while idle */
	struct client *client; /* whose body is sent, who gets 1xx, or who tunnels; may be NULL */
	bool is_reused, is_paused, has_response_byte, is_keepable, is_chunked_out, is_body_sent;
	uint8_t tries, interim_count;
	uint64_t asked_ms;
	char *out; /* still to be sent, with what of it is */
	size_t out_len, out_at, out_limit;
	char *in; /* of a head or a chunk's line that has not come whole */
	size_t in_len;
	uint8_t framing;
	uint64_t left, paced; /* paced: what had been filled when pace began */
	struct http_chunked chunked;
};

/*
 * Begins to fetch for a fill of this worker; client: who waits for it if it passes by. Failure
 * shows in the fill.
 */
void fetch_start(struct worker *worker, struct fill *fill, struct client *client);
/* The fill's readers took something, or left: goes on reading, or gives up. */
void fetch_look(struct worker *worker, struct fill *fill);
/* More of the request's body, already framed for the backend. False: the connection is gone. */
bool fetch_send(struct worker *worker, struct fetch *fetch, struct text bytes);
static inline size_t fetch_unsent(const struct fetch *fetch)
{
	return fetch->out_len - fetch->out_at;
}
/* The client is gone. */
void fetch_forget_client(struct worker *worker, struct fetch *fetch);
/* Ends it; the fill fails if it is not done. */
void fetch_close(struct worker *worker, struct fetch *fetch);

/* ---- fetch_read.c: the response ------------------------------------------------------------- */

/* Reads what there is. The fetch may be gone afterwards. */
void fetch_read(struct worker *worker, struct fetch *fetch);

/* ---- fetch.c, for fetch_read.c -------------------------------------------------------------- */

/* No response, or a broken one: another try if nothing came yet and it may be repeated. */
void fetch_fail(struct worker *worker, struct fetch *fetch, enum sign sign);
/* The response is whole: into the pool, or closed. */
void fetch_release(struct worker *worker, struct fetch *fetch);

/* ---- fetch_secure.c: TLS towards backends ---------------------------------------------------- */

/* By the service's files and the request's host, for which the backend's certificate was good. */
uint64_t fetch_secure_key(const struct worker *worker, const struct request *request);
/* Of one that is connected: 1 it can be used, 0 later, -EBADMSG the handshake failed,
 * -EKEYREJECTED because of its certificate. */
int fetch_secure(struct worker *worker, struct fetch *fetch);

/* ---- choose.c ------------------------------------------------------------------------------- */

/* The backend for a request's nth try; NULL: none. */
struct backend *backend_choose(struct worker *worker, const struct request *request,
			       unsigned int nth);

/* ---- heading.c: what the answer to HEAD means for the page that is stored ---------------------
 */

void heading_note(struct worker *worker, const struct fill *fill, const char *data,
		  const struct http_head *head, uint32_t delay_ms);

/* ---- late.c: a stale copy instead of no answer ------------------------------------------------
 */

/* RFC 5861 4: the copy that is revalidated may be served in place of an error. */
bool late_serves_stale(const struct worker *worker, const struct fill *fill);
/* From now on: after 5 s without a head who waits gets that copy, and the fetch goes on. */
void late_watch(struct worker *worker, struct fetch *fetch);
/* That copy, with a reference, if it may be served; NULL. From any thread. */
struct object *late_take(const struct worker *worker, struct fill *fill);

/* ---- intake.c: what a response's head means for the fill ------------------------------------- */

/*
 * Takes over the head (parsed, at data): stores the decision in the fill, and wakes who waits.
 * False if nothing follows the head: the fill ended (a 304 that revalidated, a failure), or still
 * waits, now without its stale page (a 304 of another one), and is to be fetched again.
 */
bool intake_head(struct worker *worker, struct fill *fill, const char *data,
		 const struct http_head *head, uint32_t delay_ms);
int intake_body(struct worker *worker, struct fill *fill, struct text bytes);
void intake_end(struct worker *worker, struct fill *fill);
/* The page came from the second tier, and is stored; takes over the reference. */
void intake_second(struct worker *worker, struct fill *fill, struct object *object);
/* The body comes too slowly to be kept for others; it goes on for who reads it. */
void intake_slow(struct worker *worker, struct fill *fill);
/* No response, or a broken one. status: 502 or 504. */
void intake_failure(struct worker *worker, struct fill *fill, uint16_t status);

#endif
