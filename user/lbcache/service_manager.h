/* SPDX-License-Identifier: GPL-2.0-only */
/* Started by systemd: that it is told when lbcache serves, and that its threads go round. */
#ifndef LBCACHE_SERVICE_MANAGER_H
#define LBCACHE_SERVICE_MANAGER_H

#include <signal.h>

#include "server.h"

/*
 * Says that clients are served, then waits for one of the signals; SIGHUP just has certificates
 * read anew. Meanwhile, if the manager has a watchdog, it is told again and again, as long as each
 * thread's loop has turned since the last time:
 * https://www.freedesktop.org/software/systemd/man/252/sd_notify.html
 */
void serve_until(struct server *server, const sigset_t *signals);

#endif
