/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Part of liblb: what a daemon looks at all the time, so that it can tell of changes that nobody
 * tells it of. All of it reads open maps and takes no lock; the rules of liblb.h hold.
 */
#ifndef LB_WATCH_H
#define LB_WATCH_H

#include "liblb.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tables of slots ------------------------------------------------------------------------ */

struct lb_table_info {
	char service[LB_NAME_SIZE];
	__u32 number;
	__u32 version; /* another one after each swap */
	__u32 slots;
};

/* Of all services, room for as many as lb_watch_services() says; answers how many there are. */
unsigned int lb_list_tables(const struct lb *lb, struct lb_table_info *list);
__u32 lb_watch_services(const struct lb *lb); /* the most that there can be; 0: nothing attached */
__u32 lb_watch_backends(const struct lb *lb);
/* Slots that have another owner than before the service's last swap. */
__u32 lb_table_moved(const struct lb *lb, __u32 number);

/* ---- limits --------------------------------------------------------------------------------- */

/* Names, limits and what is used, without looking at the flow table: its used is LB_UNKNOWN. */
int lb_count_limits(const struct lb *lb, struct lb_limit_usage out[LB_LIMITS]);
/* Packets by what became of them, since the maps were made. */
int lb_get_reasons(struct lb *lb, __u64 reasons[LB_R_COUNT]);

/* ---- interfaces ----------------------------------------------------------------------------- */

struct lb_link {
	__u32 ifindex;
	char name[16]; /* empty: there is no such interface any more */
	bool is_up;    /* and has a carrier */
	bool is_lost;  /* another program or none is on it */
	bool is_generic, is_alone, is_rigid, is_backend; /* as in struct lb_attached */
};

/* Those that are attached; list has room for LB_PORTS_MAX. */
unsigned int lb_list_links(const struct lb *lb, struct lb_link *list);

/* ---- lbcache -------------------------------------------------------------------------------- */

/* Whether some service is to be cached. */
bool lb_cache_is_wanted(const struct lb *lb);

/* ---- the flow table, in pieces -------------------------------------------------------------- */

struct lb_census;

/* What became of one backend in the last whole pass. */
struct lb_backend_use {
	char service[LB_NAME_SIZE];
	union lb_addr addr;
	__u16 port;
	__u32 number;
	bool is_draining;  /* gets no new connections because it is drained or has no weight */
	bool is_recorded;  /* each of its connections is a flow */
	__u64 active;	   /* connections */
	__u64 ports;	   /* full NAT's source ports towards it in use */
	__u64 ports_limit; /* 0: not full NAT */
	__u32 timeout_s;   /* after which an open connection without packets counts as gone */
};

/* -ENOMEM, -ENOTCONN. It must not outlive the handle. */
int lb_census_new(struct lb_census **out, const struct lb *lb);
void lb_census_free(struct lb_census *census);
/* Counts one of so many parts of the table; true when that made a pass whole. */
bool lb_census_step(struct lb_census *census, __u32 parts);
/* Live entries in the last whole pass. */
__u64 lb_census_flows(const struct lb_census *census);
typedef void (*lb_backend_fn)(const struct lb_backend_use *use, void *arg);
void lb_census_walk(const struct lb_census *census, lb_backend_fn fn, void *arg);
/* Packets to a backend since its number was first used. */
__u64 lb_get_packets(const struct lb *lb, __u32 number);

#ifdef __cplusplus
}
#endif

#endif
