/* SPDX-License-Identifier: GPL-2.0-only */
/* What 'lbctl stats' says of the cache, and where lbcache of an instance is asked. */
#ifndef LBCTL_CACHE_STATS_H
#define LBCTL_CACHE_STATS_H

#include <sys/un.h>

#include "lbctl.h"

/* Where lbcache of this instance makes its socket. */
int cache_socket_path(const struct lb *lb, struct sockaddr_un *out);
/* NULL: no service is cached. Waits for a second at most if lbcache hangs. */
json_t *cache_stats_json(const struct lb *lb, const struct lb_config *config);
/* One line, or none if json is NULL; who does not answer, and the cure, is noted. */
void print_cache_stats(const struct lbctl *ctl, const json_t *json);
/* A count in an answer of lbcache, 0 if it is not there. */
uint64_t cache_number(const json_t *json, const char *key);

#endif
