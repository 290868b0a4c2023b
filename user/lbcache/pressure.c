// SPDX-License-Identifier: GPL-2.0-only
/* See pressure.h. One long turn is a busy machine; many one after the other are too much work. */
#include "pressure.h"

#include "lb_cache_abi.h"

#define STEP (LB_CACHE_BYPASS_ALL / 8)

static void end_window(struct pressure *pressure, uint64_t now_ms)
{
	if (pressure->late_ms >= PRESSURE_WINDOW_MS / 2) {
		if (pressure->share < LB_CACHE_BYPASS_ALL)
			pressure->share += STEP;
	} else if (pressure->share) {
		pressure->share -= STEP;
	}
	pressure->window_ms = now_ms;
	pressure->late_ms = 0;
}

uint32_t pressure_note(struct pressure *pressure, uint64_t now_ms, uint32_t turn_ms, bool is_full)
{
	if (turn_ms > PRESSURE_LATE_MS)
		pressure->late_ms += turn_ms;
	if (now_ms - pressure->window_ms >= PRESSURE_WINDOW_MS)
		end_window(pressure, now_ms);
	return is_full ? LB_CACHE_BYPASS_ALL : pressure->share;
}
