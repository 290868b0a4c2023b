/* SPDX-License-Identifier: GPL-2.0-only */
/* A client's connection: one request after the other, each answered from memory or from a fill. */
#ifndef LBCACHE_CLIENT_H
#define LBCACHE_CLIENT_H

#include <sys/uio.h>

#include "fetch.h"

enum client_state {
	CLIENT_HEAD,	/* for the next request */
	CLIENT_SHAKING, /* hands, in TLS, before the first */
	CLIENT_WAITING, /* for a fill's head, or its object */
	CLIENT_SENDING,
	CLIENT_LINGERING, /* closed after a refusal, until the client has read it */
	CLIENT_TUNNEL,
	CLIENT_H2, /* its streams are clients of their own */
	CLIENT_CLOSED,
};

enum client_source {		/* of the answer, for Cache-Status, counters and the log */
		     FROM_NONE, /* made here */
		     FROM_HIT,
		     FROM_STALE,
		     FROM_REVALIDATED,
		     FROM_SECOND,
		     FROM_MISS,
		     FROM_COLLAPSED,
		     FROM_PASS,
};

#define FIRST_SIZE 192
#define LINE_SIZE 640
#define IOV_MAX_PIECES 6

struct log_note;
struct h2;

struct client {
	struct watch watch; /* first: worker_bury frees it */
	struct timer timer, body_timer;
	struct client *next_reader, *prev_reader; /* of the fill, in this worker */
	struct service *service;
	union address peer;
	enum client_state state;
	bool is_closing; /* after this answer */
	bool is_heading; /* the request is a HEAD */
	bool is_patient; /* conditional or range: answered from the stored page */
	bool is_old;	 /* HTTP/1.0 */
	bool is_chunked; /* the answer */
	bool has_chunk;	 /* a chunk's data was sent, its line end is owed */
	bool has_body;	 /* a piece of the segment is in iov */
	bool is_last;	 /* all of the answer is in iov */
	bool is_blocked; /* the socket took no more */
	bool has_ended;	 /* the client sends no more */
	bool is_busy;	 /* on the stack already */
	bool is_partial; /* what is in holds no whole head */
	bool is_stream;	 /* of a connection in HTTP/2: h2.h */
	uint8_t source, why;
	uint8_t gathered; /* how often it waited for a fetch that was for others */
	char *in;	  /* bytes not yet read */
	size_t in_len;
	/* the request's body, on its way to a backend */
	uint8_t body_framing;
	bool is_body_done;
	uint64_t body_left, body_seen;
	struct http_chunked body_chunked;
	/* what the answer is made of */
	struct request *request;
	struct fill *fill;
	struct fetch *fetch;
	struct tunnel *tunnel;
	struct h2 *h2; /* in CLIENT_H2 */
	struct segment *segment;
	uint32_t offset;
	struct object *object;
	char *owned;
	char first[FIRST_SIZE], line[LINE_SIZE], chunk[24];
	struct iovec iov[IOV_MAX_PIECES];
	unsigned int iov_count, iov_at;
	/* for the log */
	struct log_note *note; /* of the request; NULL without a log */
	uint64_t began_ms, sent;
	uint16_t status;
};

void client_open(struct worker *worker, struct service *service, int fd, const union address *peer);
void client_close(struct worker *worker, struct client *client);
/* All of this worker's clients that read the fill go on. */
void client_look(struct worker *worker, struct fill *fill);

/* ---- client_body.c: for fetch.c ------------------------------------------------------------- */

void client_take_fetch(struct client *client, struct fetch *fetch);
void client_forget_fetch(struct client *client);
/* The backend takes more of the request's body. */
void client_send_body(struct worker *worker, struct client *client);

/* ---- tunnel.c: after 101 -------------------------------------------------------------------- */

void client_begin_tunnel(struct worker *worker, struct client *client, struct text bytes,
			 const struct http_head *head);
void client_tunnel(struct worker *worker, struct client *client);

/* ---- client_send.c -------------------------------------------------------------------------- */

/* An interim head, 100 or 103, if nothing of the answer is under way. */
void client_interim(struct worker *worker, struct client *client, const char *data,
		    const struct http_head *head);
/* The same to those of this worker who wait for the fill; a 100 is nothing to them. */
void client_hint(struct worker *worker, struct fill *fill, const char *data,
		 const struct http_head *head);
/* Sends what is in iov, refills it from the fill; at the end client_answered. */
void client_send(struct worker *worker, struct client *client);
/* Puts the next piece of the body into iov. */
enum fill_answer client_refill(struct worker *worker, struct client *client);

/* ---- client_limits.c ------------------------------------------------------------------------ */

/* There is hardly room for more clients. */
bool client_is_full(const struct server *server);
/* One more of the address, until client_leave; may close an idle one for it. */
bool client_admit(struct worker *worker, const union address *peer);
void client_leave(struct worker *worker, const union address *peer);

/* ---- client.c, for the others --------------------------------------------------------------- */

/* The request in worker->head at data. */
void client_begin(struct worker *worker, struct client *client, const char *data);
/* The answer is out: the next request, or the end. */
void client_answered(struct worker *worker, struct client *client);
void client_leave_fill(struct worker *worker, struct client *client);

/* ---- client_end.c ---------------------------------------------------------------------------- */

/* Ends the connection once the client has read what was sent. */
void client_linger(struct worker *worker, struct client *client);
/* What comes meanwhile is for nobody. */
void client_drain(struct worker *worker, struct client *client);

/* ---- answer.c: which request gets which answer ---------------------------------------------- */

/* The request in worker->head at data. */
void client_answer(struct worker *worker, struct client *client, const char *data);

/* ---- await.c: waiting for a fetch ------------------------------------------------------------ */

/* Takes over the reference. */
void client_await(struct worker *worker, struct client *client, struct fill *fill);
/*
 * A fetch of its own; client->request stands. With a key it is for the memory, but nobody joins;
 * stale may be NULL.
 */
void client_fetch_alone(struct worker *worker, struct client *client, struct object *stale,
			enum reason why);
/* Something happened to the fill that the client waits for. */
void client_progress(struct worker *worker, struct client *client);

/* ---- reply.c: heads of answers -------------------------------------------------------------- */

/* From an object whose reference goes to the client; request at data. */
void reply_object(struct worker *worker, struct client *client, struct object *object,
		  const char *data, const struct http_head *request);
/* OPTIONS or TRACE that goes no further (RFC 9110 7.6.2); TRACE is refused. */
void reply_here(struct worker *worker, struct client *client, const struct http_head *request);
/* The head of the fill's response; the body follows from its segments. */
void reply_fill(struct worker *worker, struct client *client);
/* Made here; closes the connection if is_fatal. */
void reply_error(struct worker *worker, struct client *client, uint16_t status, bool is_fatal);

/* ---- range.c -------------------------------------------------------------------------------- */

/* Fills iov for the ranges of the object's body; the head's line has been begun at. */
bool reply_ranges(struct client *client, const struct object *object, const struct range *ranges,
		  unsigned int count, size_t at);

#endif
