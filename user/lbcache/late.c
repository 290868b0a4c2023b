// SPDX-License-Identifier: GPL-2.0-only
/* When the stale copy answers because no backend does, or does not in time. */
#include "fetch.h"

bool late_serves_stale(const struct worker *worker, const struct fill *fill)
{
	const struct object *stale = fill->stale;

	return stale && !stale->must_revalidate &&
	       worker->now_ms < stale->fresh_until_ms + stale->stale_error_ms;
}

static void on_late(struct worker *worker, struct timer *timer)
{
	struct fill *fill = CONTAINER(timer, struct fetch, pace)->fill;

	if (fill->state != FILL_WAITING || fill->is_outdated || !late_serves_stale(worker, fill))
		return;
	__atomic_store_n(&fill->is_late, true, __ATOMIC_RELEASE);
	fill_tell(fill, worker);
}

void late_watch(struct worker *worker, struct fetch *fetch)
{
	if (fetch->fill->stale && !fetch->fill->is_late)
		timer_start(worker, &fetch->pace, TIMER_HEADER, on_late);
}

struct object *late_take(const struct worker *worker, struct fill *fill)
{
	struct object *stale = NULL;

	(void)pthread_mutex_lock(&fill->lock);
	if (late_serves_stale(worker, fill))
		stale = object_ref(fill->stale);
	(void)pthread_mutex_unlock(&fill->lock);
	return stale;
}
