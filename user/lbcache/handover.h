/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A new process in place of an old one: stored pages and listening sockets go over the control
 * socket. The sockets stay open throughout, so no connection is refused and none that waits is
 * lost.
 */
#ifndef LBCACHE_HANDOVER_H
#define LBCACHE_HANDOVER_H

#include "server.h"

/*
 * The new one asks at the control socket: pages go into its store, listening sockets to the
 * services that have their addresses. *out is the connection, for handover_end; -1 if nobody runs
 * there.
 */
int handover_take(struct server *server, const char *path, int *out);
/*
 * The new one takes clients: the old one shall not any more. Takes the connection, over which it
 * hears from then on what becomes outdated there.
 */
int handover_end(struct server *server, int fd);

/* The old one, asked over fd. True if the new one took over. */
bool handover_give(struct server *server, int fd);
/* Then, without its control socket: ends this process with its last client, or when that takes
 * long. */
void handover_drain(struct server *server, int fd);

/* ---- handover_news.c: what becomes outdated meanwhile -----------------------------------------
 */

/* From any thread of the old one: this page is purged. Nothing where nobody takes over. */
void handover_tell(const struct service *service, struct text key);
/* From now on it is kept for the new one; then sent, as far as it goes, by each call; or dropped.
 */
void handover_news_begin(void);
void handover_news_send(int fd);
void handover_news_end(void);
/* The new one hears it until the old one ends. Takes the connection; -errno: it does not. */
int handover_listen(struct server *server, int fd);

#endif
