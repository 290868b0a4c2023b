// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether lbcache takes the connections of cached services. Where it does not they go to the
 * backends, and nobody outside notices: so it is told here.
 */
#include "lbd.h"
#include "tell.h"

#define GONE_TICKS 3u
#define BACK_TICKS 10u /* one that comes and goes is not told each time */

static bool is_away;	     /* told */
static unsigned int lasting; /* ticks in a row that say otherwise */

void tell_cache(void)
{
	struct lb_event event;
	bool is_away_now = lb_cache_is_wanted(lbd.lb) && !lb_cache_is_alive(lbd.lb);

	lasting = is_away_now == is_away ? 0 : lasting + 1;
	if (lasting < (is_away ? BACK_TICKS : GONE_TICKS))
		return;
	is_away = is_away_now;
	lasting = 0;
	event = tell_about(LB_EVENT_FALLBACK, "lbcache");
	if (is_away)
		tell_event(&event, true, "does not answer: cached services go to the backends");
	else if (lb_cache_is_wanted(lbd.lb))
		tell_event(&event, true, "answers again: cached services go to it");
	else
		tell_event(&event, true, "is not missed any more: no service is cached");
}
