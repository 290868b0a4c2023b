/* SPDX-License-Identifier: GPL-2.0-only */
/* Figures of the whole process and of each service, as one JSON object. */
#ifndef LBCACHE_STATUS_H
#define LBCACHE_STATUS_H

#include <jansson.h>

struct server;

/* The caller's; NULL: out of memory. */
json_t *status_json(const struct server *server);

#endif
