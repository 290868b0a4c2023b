// SPDX-License-Identifier: GPL-2.0-only
/* How lbd speaks: lines on stderr, which the journal keeps, and events. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lbd.h"

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("lbd: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
}

/* What cannot be written is said once, not with each event. */
void add_event(struct lb_event *event)
{
	static bool is_lost;
	const int ret = lb_add_event(lbd.lb, event);

	if (ret && !is_lost)
		say("events are lost, health goes on: %s/events: %s", lb_run_dir(lbd.lb),
		    strerror(-ret));
	else if (!ret && is_lost)
		say("events are written again");
	is_lost = ret;
}

void say_event(const char *format, ...)
{
	struct lb_event event = { .kind = LB_EVENT_DAEMON };
	va_list args;

	va_start(args, format);
	(void)vsnprintf(event.text, sizeof(event.text), format, args);
	va_end(args);
	say("%s", event.text);
	add_event(&event);
}
