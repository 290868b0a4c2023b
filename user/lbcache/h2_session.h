/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of HTTP/2 share: a connection's state beside nghttp2's, and its streams. */
#ifndef LBCACHE_H2_SESSION_H
#define LBCACHE_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "h2.h"
#include "h2_head.h"

struct h2_stream {
	struct client client; /* first: worker_bury frees it */
	struct h2 *h2;
	struct h2_stream *next, *prev;
	int32_t id;
	uint32_t code;	   /* if it is reset before its answer is out */
	bool has_ended;	   /* the request */
	bool is_answering; /* the head went to nghttp2 */
	bool is_answered;  /* all of it went out */
	bool is_closed;	   /* nghttp2 has forgotten it */
};

struct h2 {
	struct worker *worker;
	struct client *client; /* the connection */
	nghttp2_session *session;
	struct h2_stream *streams;
	struct h2 *next_dirty;
	bool is_dirty;	      /* in the worker's list: something may be there to send */
	bool is_ending;	      /* GOAWAY says so */
	bool is_noticed;      /* of the drain */
	bool has_settings;    /* of the client */
	struct h2_head *head; /* of the request whose fields are coming */
	struct timer head_timer;
	char *out; /* what the socket did not take */
	size_t out_len, out_at;
	uint64_t moved_ms;		/* when a body last went on */
	uint64_t allowance, allowed_ms; /* of frames that ask for nothing, in thousandths */
};

static inline struct h2_stream *h2_stream_of(const struct client *client)
{
	return (struct h2_stream *)(uintptr_t)client;
}

/* ---- h2.c ------------------------------------------------------------------------------------ */

/* Has h2_flush look at it. */
void h2_touch(struct h2 *h2);
/* The connection ends with this; streams that are answered are lost. */
void h2_end(struct h2 *h2, uint32_t code);
/* There are no streams any more, or none yet. */
void h2_rest(struct h2 *h2);
/* One more frame that asks for nothing; too many end the connection. */
void h2_spend(struct h2 *h2);

/* ---- h2_callbacks.c -------------------------------------------------------------------------- */

#define H2_GATHER_SIZE 65536
#define H2_FRAME_ROOM (16384 + 64)

/* What nghttp2 has framed in this turn of h2_flush. */
struct h2_gather {
	size_t len;
	char bytes[H2_GATHER_SIZE];
};

extern __thread struct h2_gather h2_gather;

/* NULL: out of memory. */
nghttp2_session *h2_session_new(struct h2 *h2);
/* Where nghttp2 gets the body of an answer from. */
nghttp2_data_provider h2_reply_provider(void);

/* ---- h2_stream.c ----------------------------------------------------------------------------- */

/* For a request that begins, in memory that the thread's connections share until one has to wait.
 */
void h2_head_open(struct h2 *h2);
/* The bytes end. True: not so the head, which now has its own memory. */
bool h2_head_keep(struct h2 *h2);
void h2_head_forget(struct h2 *h2);
/* NULL: it is refused. */
struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id);
/* Its head is whole: answers it. */
void h2_stream_ask(struct h2 *h2, struct h2_stream *stream);
void h2_stream_body(struct h2 *h2, struct h2_stream *stream, const uint8_t *data, size_t len);
/* The request is whole. */
void h2_stream_end(struct h2 *h2, struct h2_stream *stream);

/* ---- h2_reply.c ------------------------------------------------------------------------------ */

/* How many bytes of the body there are to send, at most limit; *is_end: they are the last ones.
 * NGHTTP2_ERR_DEFERRED, NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE. */
ssize_t h2_reply_ready(struct h2_stream *stream, size_t limit, bool *is_end);
/* So many are put to at. */
void h2_reply_take(struct h2_stream *stream, char *at, size_t len);
/* The last frame of the answer went out. */
void h2_reply_done(struct h2_stream *stream);

#endif
