/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients' connections in HTTP/2 (RFC 9113). The connection is a client that is asked nothing; each
 * of its streams is one of its own, without a descriptor, and answered as those of HTTP/1 are.
 */
#ifndef LBCACHE_H2_H
#define LBCACHE_H2_H

#include "client.h"

/* ---- of a connection ------------------------------------------------------------------------ */

/* The handshake chose it. False: out of memory. */
bool h2_open(struct worker *worker, struct client *client);
void h2_event(struct worker *worker, struct client *client);
/* With all its streams; by client_close. */
void h2_free(struct worker *worker, struct client *client);
/* Sends what this turn has brought. True: something was done, which others may wait for. */
bool h2_flush(struct worker *worker);

/* ---- of a stream ---------------------------------------------------------------------------- */

/* For client_send: iov begins with the answer's head, or there is more of the body. */
void h2_send(struct worker *worker, struct client *client);
void h2_interim(struct worker *worker, struct client *client, const char *data,
		const struct http_head *head);
/* Bytes of the request's body have gone on: the client may send as many more. */
void h2_took(struct worker *worker, struct client *client, size_t len);
/* All of the request's body is here. */
bool h2_has_ended(const struct client *client);
/* By client_close; what the client has not seen the end of is reset. */
void h2_leave(struct worker *worker, struct client *client);

#endif
