/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: a request is one line, its answer one JSON object. 'lbctl cache' speaks it:
 *   status | hot COUNT | why URL | purge hard|soft url|prefix|tag TEXT
 */
#ifndef LBCACHE_CONTROL_H
#define LBCACHE_CONTROL_H

#include "server.h"

/* Makes the socket at path, for its owner only, and serves it by a thread of its own. -errno. */
int control_start(struct server *server, const char *path);

#endif
