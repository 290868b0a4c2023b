// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: what is nearly full, before packets or commands are refused for it, and what packets were
 * dropped for. Told on the way up, and again when it is over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"
#include "tell.h"

#define HIGH 90u /* percent */
#define LOW 80u
#define OVER_S 10u /* without a drop */

static bool is_high[LB_LIMITS];
static bool *has_few_ports; /* by a backend's number */

/* Of packets that were dropped because something is limited. */
static struct refusal {
	enum lb_reason reason;
	bool is_told;
	__u64 seen, before; /* before: when it was told */
	unsigned int quiet_s;
} refusals[] = {
	{ .reason = LB_R_FLOWS_FULL },
	{ .reason = LB_R_PORTS_FULL },
	{ .reason = LB_R_ICMP_LIMITED },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

int tell_limits_begin(void)
{
	__u64 reasons[LB_R_COUNT];

	has_few_ports = calloc(lb_watch_backends(lbd.lb), sizeof(*has_few_ports));
	if (!has_few_ports)
		return -ENOMEM;
	if (!lb_get_reasons(lbd.lb, reasons))
		for (size_t i = 0; i < REFUSALS; i++)
			refusals[i].seen = reasons[refusals[i].reason];
	return 0;
}

/* Whether it went over the upper bound, or under the lower one after that. */
static bool crosses(bool *was_high, __u64 used, __u64 limit)
{
	const __u64 bound = *was_high ? LOW : HIGH;

	if ((used * 100 >= limit * bound) == *was_high)
		return false;
	*was_high = !*was_high;
	return true;
}

static void look_at_limit(const struct lb_limit_usage *usage, enum lb_limit limit, __u64 used)
{
	struct lb_event event;

	if (!crosses(&is_high[limit], used, usage->limit))
		return;
	event = tell_about(LB_EVENT_LIMIT, usage->name);
	if (is_high[limit])
		tell_event(&event, true,
			   "%llu of %u in use; more with 'limits: %s' and a new attach", used,
			   usage->limit, usage->name);
	else
		tell_event(&event, true, "%llu of %u in use, no longer nearly full", used,
			   usage->limit);
}

static void look_at_refusal(struct refusal *refusal, __u64 count)
{
	struct lb_event event = tell_about(LB_EVENT_LIMIT, lb_reason_name(refusal->reason));

	if (count != refusal->seen && !refusal->is_told) {
		refusal->is_told = true;
		refusal->before = refusal->seen;
		tell_event(&event, true, "packets are dropped for it: see 'lbctl stats drops'");
	}
	refusal->quiet_s = count != refusal->seen ? 0 : refusal->quiet_s + 1;
	refusal->seen = count;
	if (refusal->is_told && refusal->quiet_s >= OVER_S) {
		refusal->is_told = false;
		tell_event(&event, true, "%llu packets were dropped for it, none in the last %u s",
			   count - refusal->before, OVER_S);
	}
}

void tell_limits(void)
{
	struct lb_limit_usage usage[LB_LIMITS];
	__u64 reasons[LB_R_COUNT];

	if (lb_count_limits(lbd.lb, usage) || lb_get_reasons(lbd.lb, reasons))
		return;
	for (int i = 0; i < LB_LIMITS; i++)
		if (usage[i].used != LB_UNKNOWN)
			look_at_limit(&usage[i], i, usage[i].used);
	for (size_t i = 0; i < REFUSALS; i++)
		look_at_refusal(&refusals[i], reasons[refusals[i].reason]);
}

static void look_at_ports(const struct lb_backend_use *use, void *arg)
{
	struct lb_event event;

	(void)arg;
	if (!use->ports_limit ||
	    !crosses(&has_few_ports[use->number], use->ports, use->ports_limit))
		return;
	event = tell_about(LB_EVENT_LIMIT, "ports");
	memcpy(event.service, use->service, sizeof(event.service));
	event.addr = use->addr;
	event.port = use->port;
	if (has_few_ports[use->number])
		tell_event(&event, true,
			   "%llu of %llu source ports in use; 'source ADDR,ADDR' gives more",
			   use->ports, use->ports_limit);
	else
		tell_event(&event, true, "%llu of %llu source ports in use, no longer nearly all",
			   use->ports, use->ports_limit);
}

void tell_flow_limits(const struct lb_census *census)
{
	struct lb_limit_usage usage[LB_LIMITS];

	if (!lb_count_limits(lbd.lb, usage))
		look_at_limit(&usage[LB_LIMIT_FLOWS], LB_LIMIT_FLOWS, lb_census_flows(census));
	lb_census_walk(census, look_at_ports, NULL);
}
