// SPDX-License-Identifier: GPL-2.0-only
/* A binary heap of deadlines; each timer knows its place in it, so that it can be moved. */
#include "timers.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void put(struct timers *timers, unsigned int place, struct timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place;
}

static void rise(struct timers *timers, unsigned int place, struct timer *timer)
{
	for (; place > 1 && timers->heap[place / 2]->at_ns > timer->at_ns; place /= 2)
		put(timers, place, timers->heap[place / 2]);
	put(timers, place, timer);
}

static void sink(struct timers *timers, unsigned int place, struct timer *timer)
{
	unsigned int child;

	for (; (child = 2 * place) <= timers->count; place = child) {
		if (child < timers->count &&
		    timers->heap[child + 1]->at_ns < timers->heap[child]->at_ns)
			child++;
		if (timers->heap[child]->at_ns >= timer->at_ns)
			break;
		put(timers, place, timers->heap[child]);
	}
	put(timers, place, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
	const unsigned int place = timer->place;
	struct timer *last;

	if (!place)
		return;
	last = timers->heap[timers->count--];
	timer->place = 0;
	if (last == timer)
		return;
	if (last->at_ns < timer->at_ns)
		rise(timers, place, last);
	else
		sink(timers, place, last);
}

int timers_set(struct timers *timers, struct timer *timer, uint64_t at_ns)
{
	struct timer **grown;

	timers_cancel(timers, timer);
	if (timers->count + 2 > timers->limit) {
		grown = reallocarray(timers->heap, 2 * timers->limit + 64, sizeof(struct timer *));
		if (!grown)
			return -ENOMEM;
		timers->heap = grown;
		timers->limit = 2 * timers->limit + 64;
	}
	timer->at_ns = at_ns;
	rise(timers, ++timers->count, timer);
	return 0;
}

void timers_run(struct timers *timers, uint64_t now)
{
	while (timers->count && timers->heap[1]->at_ns <= now) {
		struct timer *timer = timers->heap[1];

		timers_cancel(timers, timer);
		timer->fire(timer);
	}
}

int timers_wait_ms(const struct timers *timers, uint64_t now)
{
	uint64_t ms;

	if (!timers->count)
		return -1;
	if (timers->heap[1]->at_ns <= now)
		return 0;
	ms = (timers->heap[1]->at_ns - now + 999999) / 1000000;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
}
