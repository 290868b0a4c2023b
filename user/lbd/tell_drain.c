// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backends that are drained: when the last of their connections is gone. Where connections are not
 * recorded, nothing is known but that no packet came for as long as an idle one may live.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"
#include "tell.h"

enum state {
	DRAIN_NONE,
	DRAIN_FOUND,   /* already so when lbd began: no event if nothing is left */
	DRAIN_BEGUN,   /* in the pass that is over or during it, so that one proves nothing */
	DRAIN_WATCHED, /* since before the pass began */
	DRAIN_DONE,
};

struct drain {
	enum state state;
	union lb_addr addr;
	__u16 port;
	__u64 packets;
	__u64 quiet_ns; /* since when there was none */
};

static struct drain *drains; /* by a backend's number */

static void find(const struct lb_backend_use *use, void *arg)
{
	(void)arg;
	if (use->is_draining)
		drains[use->number] = (struct drain){ .state = DRAIN_FOUND,
						      .addr = use->addr,
						      .port = use->port,
						      .quiet_ns = now_ns() };
}

int tell_drains_begin(const struct lb_census *census)
{
	drains = calloc(lb_watch_backends(lbd.lb), sizeof(*drains));
	if (!drains)
		return -ENOMEM;
	lb_census_walk(census, find, NULL);
	return 0;
}

static void tell(const struct lb_backend_use *use)
{
	struct lb_event event = { .kind = LB_EVENT_DRAINED, .addr = use->addr, .port = use->port };

	memcpy(event.service, use->service, sizeof(event.service));
	if (use->is_recorded)
		tell_event(&event, true, "no connection is left, it can be taken away");
	else
		tell_event(&event, true, "no packet for %u s; its connections are not recorded",
			   use->timeout_s);
}

static bool is_empty(struct drain *drain, const struct lb_backend_use *use)
{
	__u64 packets;

	if (use->is_recorded)
		return !use->active;
	packets = lb_get_packets(lbd.lb, use->number);
	if (packets != drain->packets)
		drain->quiet_ns = now_ns();
	drain->packets = packets;
	return now_ns() - drain->quiet_ns >= use->timeout_s * 1000 * MS;
}

static void look(const struct lb_backend_use *use, void *arg)
{
	struct drain *drain = &drains[use->number];
	bool *is_waited_for = arg;

	if (!use->is_draining || drain->port != use->port ||
	    !lb_addr_is_equal(&drain->addr, &use->addr))
		*drain = (struct drain){ .addr = use->addr, .port = use->port };
	if (!use->is_draining || drain->state == DRAIN_DONE)
		return;
	if (drain->state == DRAIN_NONE) {
		drain->state = DRAIN_BEGUN;
		drain->quiet_ns = now_ns();
	} else if (is_empty(drain, use)) {
		if (drain->state != DRAIN_FOUND)
			tell(use);
		drain->state = DRAIN_DONE;
	} else {
		drain->state = DRAIN_WATCHED;
	}
	*is_waited_for |= use->is_recorded && drain->state != DRAIN_DONE;
}

bool tell_drains(const struct lb_census *census)
{
	bool is_waited_for = false;

	lb_census_walk(census, look, &is_waited_for);
	return is_waited_for;
}
