/* SPDX-License-Identifier: GPL-2.0-only */
/* Listening sockets of an lbcache by itself; beside the datapath join_listen.c has them. */
#ifndef LBCACHE_LISTEN_H
#define LBCACHE_LISTEN_H

#include "server.h"

/*
 * Takes the sockets that systemd passed for the service, and its address from the first of them:
 * https://www.freedesktop.org/software/systemd/man/252/sd_listen_fds.html. Says what is wrong and
 * answers -EINVAL, or -errno.
 */
int listen_inherit(struct server *server, struct service *service);

/* A socket for each thread that has none yet, and all of them are listened to. Says what fails. */
int listen_all(struct server *server);

#endif
