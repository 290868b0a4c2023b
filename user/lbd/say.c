// SPDX-License-Identifier: GPL-2.0-only
/* How lbd speaks: lines on stderr, which the journal keeps, and events. */
#include <stdarg.h>
#include <stdio.h>

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

void say_event(const char *format, ...)
{
	struct lb_event event = { .kind = LB_EVENT_DAEMON };
	va_list args;

	va_start(args, format);
	(void)vsnprintf(event.text, sizeof(event.text), format, args);
	va_end(args);
	say("%s", event.text);
	(void)lb_add_event(lbd.lb, &event);
}
