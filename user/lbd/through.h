/* SPDX-License-Identifier: GPL-2.0-only */
/* A target's way through the datapath, and what is under way there. For the files through*.c. */
#ifndef LBD_THROUGH_H
#define LBD_THROUGH_H

#include "lbd.h"

struct through {
	union lb_addr vip;
	__u16 port;
	__u8 proto;
	enum lb_mode mode;
	struct target *main;
	struct target direct; /* asks the same the plain way; nobody's member */
	struct timer half;    /* when it begins, if there is no answer yet */
	struct lb_probe_way way;
	__u64 way_ns;	 /* when it was looked for */
	int kept_fd;	 /* keeps the port from all others; -1 */
	__u16 kept_port; /* of way.source */
	bool is_used;	 /* by the probe under way */
	bool has_failed; /* the last time */
	bool is_again;	 /* asked once more in the same round */
	bool is_waiting; /* for the direct answer */
	bool has_direct; /* it is there */
	__u8 reason, direct_reason;
	__u16 detail, direct_detail;
	char *told; /* why not through the datapath; NULL since that worked */
};

/* Why there is no way in err, or 0. */
int through_find_way(struct through *through, struct lb_error *err);
/* An event; of each backend once, until the datapath works again. */
void through_tell(struct through *through, const char *why);
void through_untell(struct through *through);
/* Binds to an address of this host; port 0: one that is free. */
int through_bind_to(int fd, const union lb_addr *addr, __u16 port);

/* ---- through_routes.c ----------------------------------------------------------------------- */

void through_watch_routes(void);
/* Nothing that decides a way has changed since then. */
bool through_routes_stood(__u64 since_ns);

#endif
