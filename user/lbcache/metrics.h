/* SPDX-License-Identifier: GPL-2.0-only */
/* Figures for Prometheus, over HTTP at an address of their own. */
#ifndef LBCACHE_METRICS_H
#define LBCACHE_METRICS_H

#include <stdio.h>

#include "server.h"

/* Serves /metrics at the address by a thread of its own. -errno. */
int metrics_start(const struct server *server, const union address *address);
/* Lets go of the address, so that another process can have it. */
void metrics_stop(void);

#endif
