/* SPDX-License-Identifier: GPL-2.0-only */
/* What services of this host's own processes need of the host: their addresses, and a program on
 * the way up the stack. Inside liblb only. */
#ifndef LB_LOCAL_H
#define LB_LOCAL_H

#include "internal.h"

/*
 * host_route.c. lb_host_routes_add makes addresses local (to lo) that are not yet, and notes them
 * in lb->host_routes; lb_host_routes_trim takes away what an earlier call made local and is not
 * among wanted. Both say what they do.
 */
int lb_host_routes_add(struct lb *lb, const struct lb_host_routes *wanted, struct lb_error *err);
int lb_host_routes_trim(struct lb *lb, const struct lb_host_routes *wanted, struct lb_error *err);
/* Whether addr, of so many of 128 bits, is this host's by lb_host_routes_add alone. */
bool lb_host_routes_has(const struct lb *lb, const union lb_addr *addr, __u8 prefix);

/* filter.c: our program at an interface's clsact ingress. The qdisc goes with the last filter. */
int lb_filter_attach(struct lb *lb, __u32 ifindex, struct lb_error *err);
int lb_filter_detach(struct lb *lb, __u32 ifindex);
bool lb_filter_is_attached(struct lb *lb, __u32 ifindex);

/* cache.c: the program that steers connections to lbcache, and whether one went there lately. */
int lb_cache_attach(struct lb *lb, struct lb_error *err);
void lb_cache_detach(const struct lb *lb);
bool lb_cache_is_used(const struct lb *lb);

/* local.c: mode local. -EINVAL if a local backend's address is not this host's. */
int lb_local_check(struct lb *lb, const struct lb_config *config, struct lb_error *err);
/* Before a table can name a local backend, and when none does any more. */
int lb_local_prepare(struct lb *lb, const struct lb_change *change, struct lb_error *err);
int lb_local_trim(struct lb *lb, const struct lb_change *change, struct lb_error *err);
/* Of an interface that comes or goes, and when the maps go. */
int lb_local_cover(struct lb *lb, __u32 ifindex, struct lb_error *err);
void lb_local_uncover(struct lb *lb, __u32 ifindex);
void lb_local_remove(struct lb *lb);

#endif
