/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What requests to a backend say of it: to this worker, which passes one that failed over for a
 * while, and beside the datapath to lbd, which counts them as live connections (passive health).
 */
#ifndef LBCACHE_SIGN_H
#define LBCACHE_SIGN_H

#include <stdint.h>

struct worker;
struct backend;

enum sign {
	SIGN_OURS, /* this host's fault: no sign */
	SIGN_ASKED,
	SIGN_HEAD, /* of whatever status: what a 5xx means is for a check to say */
	SIGN_WHOLE,
	SIGN_UNCONNECTED,
	SIGN_LATE,
	SIGN_CUT,
	SIGN_MALFORMED,
};

#define SIGN_NOWHERE 0xffffffffu /* the number of a backend that no map knows */

/* The counters for lbd, by number of backend; closes fd. -errno. */
int sign_map(int fd, uint32_t backends);

void sign_note(const struct backend *backend, enum sign sign);
void sign_answered(struct backend *backend);
/* Is passed over from here on, the longer the more often in a row. */
void sign_failed(struct worker *worker, struct backend *backend, enum sign sign);

#endif
