/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lbd tells beside health: what it sees happen to the balancer itself. tell.c says when is
 * looked, one tell_<what>.c each says what is worth an event; each tells a thing once, not as long
 * as it lasts.
 */
#ifndef LBD_TELL_H
#define LBD_TELL_H

#include "lb_watch.h"

/* Adds the event with this text; is_said: on stderr too. */
void tell_event(struct lb_event *event, bool is_said, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* An event about something that has a name of its own. */
struct lb_event tell_about(enum lb_event_kind kind, const char *object);

/* ---- tell.c --------------------------------------------------------------------------------- */

/* From now on; what is there already is no event. */
void tell_begin(void);
/* A command has changed something, or lbd itself. */
void tell_change(void);
/* The maps are gone. */
void tell_end(void);

/* ---- tell_table.c --------------------------------------------------------------------------- */

int tell_tables_begin(void);
/* took_us: how long the change took, where it was lbd's own, else 0. */
void tell_tables(__u32 took_us);

/* ---- tell_drain.c --------------------------------------------------------------------------- */

int tell_drains_begin(const struct lb_census *census);
/* After a whole pass; whether some backend is waited for. */
bool tell_drains(const struct lb_census *census);

/* ---- tell_limit.c --------------------------------------------------------------------------- */

int tell_limits_begin(void);
void tell_limits(void);				       /* once a second */
void tell_flow_limits(const struct lb_census *census); /* after a whole pass */

/* ---- tell_link.c ---------------------------------------------------------------------------- */

void tell_links_begin(void);
void tell_links(void);
void tell_links_end(void);

/* ---- tell_cache.c --------------------------------------------------------------------------- */

void tell_cache(void); /* ten times a second */

/* ---- tell_down.c ---------------------------------------------------------------------------- */

struct member;
void tell_all_down(const struct member *changed);

#endif
