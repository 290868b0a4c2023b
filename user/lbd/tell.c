// SPDX-License-Identifier: GPL-2.0-only
/*
 * When lbd looks at the balancer itself: ten times a second a piece of the flow table, once a
 * second the limits, and at once where a command or the kernel says that something changed.
 */
#include "tell.h"

#include <stdarg.h>
#include <string.h>

#include "lbd.h"

#define TICK_MS 100u
#define TICKS_A_SECOND 10u
#define PARTS 50u	 /* of the flow table, one a tick */
#define PARTS_HURRIED 5u /* while a drain is waited for */

static struct lb_census *census;
static struct timer tick;
static unsigned int ticks;
static bool is_hurried;

void tell_event(struct lb_event *event, bool is_said, const char *format, ...)
{
	char addr[LB_ADDR_TEXT_SIZE] = "";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(event->text, sizeof(event->text), format, args);
	va_end(args);
	if (event->port)
		(void)lb_endpoint_format(&event->addr, event->port, addr);
	if (is_said)
		say("%s: %s%s%s%s%s%s%s", lb_event_name(event->kind), event->service,
		    event->service[0] ? " " : "", addr, addr[0] ? " " : "", event->object,
		    event->object[0] ? " " : "", event->text);
	add_event(event);
}

struct lb_event tell_about(enum lb_event_kind kind, const char *object)
{
	struct lb_event event = { .kind = kind };

	(void)snprintf(event.object, sizeof(event.object), "%s", object);
	return event;
}

static void on_tick(struct timer *timer)
{
	(void)timers_set(&lbd.timers, timer, now_ns() + TICK_MS * MS);
	if (lb_is_gone(lbd.lb))
		return;
	tell_cache();
	if (ticks++ % TICKS_A_SECOND == 0)
		tell_limits();
	if (lb_census_step(census, is_hurried ? PARTS_HURRIED : PARTS)) {
		tell_flow_limits(census);
		is_hurried = tell_drains(census);
	}
}

void tell_begin(void)
{
	if (!lb_is_loaded(lbd.lb))
		return;
	if (lb_census_new(&census, lbd.lb) || tell_tables_begin() || tell_drains_begin(census) ||
	    tell_limits_begin()) {
		say("out of memory: events about the balancer itself are not told");
		return;
	}
	tell_links_begin();
	tick.fire = on_tick;
	(void)timers_set(&lbd.timers, &tick, now_ns() + TICK_MS * MS);
}

void tell_change(void)
{
	if (!tick.fire || lb_is_gone(lbd.lb))
		return;
	tell_tables(0);
	tell_links();
	is_hurried = true;
}

void tell_end(void)
{
	if (tick.fire)
		tell_links_end();
}
