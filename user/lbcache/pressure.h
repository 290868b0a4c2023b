/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a thread drowns, and which share of new connections it therefore leaves to the backends.
 */
#ifndef LBCACHE_PRESSURE_H
#define LBCACHE_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#define PRESSURE_LATE_MS 10u	/* a turn of the loop that takes longer is late */
#define PRESSURE_WINDOW_MS 100u /* after each the share is set anew */

struct pressure {
	uint64_t window_ms; /* monotonic: when it began */
	uint32_t late_ms;   /* of it, in late turns */
	uint32_t share;	    /* that lateness has led to */
};

/*
 * After a turn that ended at now_ms (monotonic) and took turn_ms; is_full: there is no room for
 * more clients. The share, of LB_CACHE_BYPASS_ALL: all while there is no room; else an eighth more
 * after each window that was late by half, an eighth less after each that was not.
 */
uint32_t pressure_note(struct pressure *pressure, uint64_t now_ms, uint32_t turn_ms, bool is_full);

#endif
