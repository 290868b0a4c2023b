/* SPDX-License-Identifier: GPL-2.0-only */
/* Deadlines in a heap: thousands of them, each set anew all the time. CLOCK_MONOTONIC only. */
#ifndef LBD_TIMERS_H
#define LBD_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	uint64_t at_ns;
	unsigned int place; /* in the heap, from 1; 0: not set */
	void (*fire)(struct timer *timer);
};

struct timers {
	struct timer **heap; /* [0] is not used */
	unsigned int count, limit;
};

uint64_t now_ns(void);
/* Sets or moves it. -ENOMEM, and the timer is not set. */
int timers_set(struct timers *timers, struct timer *timer, uint64_t at_ns);
void timers_cancel(struct timers *timers, struct timer *timer);
/* Fires what is due; a timer is not set any more when it fires. */
void timers_run(struct timers *timers, uint64_t now);
/* Milliseconds until the first one, rounded up; -1 without any. */
int timers_wait_ms(const struct timers *timers, uint64_t now);
void timers_free(struct timers *timers);

#endif
