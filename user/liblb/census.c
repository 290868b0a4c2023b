// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow table looked through a piece at a time, so that a daemon's loop is never held up: how
 * full it is, and which backends still have connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lb_watch.h"

struct tally {
	__u32 active, ports;
};

struct lb_census {
	const struct lb *lb;
	__u32 at; /* the next entry */
	__u64 flows, flows_last;
	struct tally *now, *last; /* by a backend's number */
};

int lb_census_new(struct lb_census **out, const struct lb *lb)
{
	struct lb_census *census;

	if (!lb->is_loaded)
		return -ENOTCONN;
	census = calloc(1, sizeof(*census));
	if (!census)
		return -ENOMEM;
	census->lb = lb;
	census->now = calloc(lb->meta->backends, sizeof(*census->now));
	census->last = calloc(lb->meta->backends, sizeof(*census->last));
	if (!census->now || !census->last) {
		lb_census_free(census);
		return -ENOMEM;
	}
	*out = census;
	return 0;
}

void lb_census_free(struct lb_census *census)
{
	if (!census)
		return;
	free(census->now);
	free(census->last);
	free(census);
}

static void count(struct lb_census *census, const struct lb_flow *flow, __u32 now)
{
	const struct lb *lb = census->lb;
	__u32 number;

	if (flow->tag <= LB_FLOW_BUSY || !lb_flow_is_live(lb, flow, now, NULL, NULL))
		return;
	census->flows++;
	number = lb_flow_backend(lb, flow);
	if (flow->kind == LB_FLOW_REPLY || number == LB_NO_BACKEND || flow->port == LB_PORT_PROBE)
		return;
	census->now[number].ports += flow->kind == LB_FLOW_FORWARD;
	census->now[number].active += flow->state != LB_FLOW_CLOSED;
}

bool lb_census_step(struct lb_census *census, __u32 parts)
{
	const __u32 all = census->lb->meta->flows, now = (__u32)lb_kernel_jiffies(census->lb);
	const __u32 left = all - census->at, part = all / parts + 1;
	const __u32 end = census->at + (left < part ? left : part);
	struct tally *filled = census->now;

	while (census->at < end)
		count(census, &census->lb->flows[census->at++], now);
	if (census->at < all)
		return false;
	census->now = census->last;
	census->last = filled;
	memset(census->now, 0, census->lb->meta->backends * sizeof(*census->now));
	census->flows_last = census->flows;
	census->flows = census->at = 0;
	return true;
}

__u64 lb_census_flows(const struct lb_census *census)
{
	return census->flows_last;
}

static bool is_draining(const struct lb_backend *backend)
{
	return backend->flags & LB_B_IN_USE && (backend->flags & LB_B_DRAIN || !backend->weight);
}

static void describe(const struct lb_census *census, __u32 number, const struct lb_service *service,
		     struct lb_backend_use *out)
{
	const struct lb *lb = census->lb;
	const struct lb_backend *backend = &lb->backends[number];
	const bool is_udp = service->proto == IPPROTO_UDP;
	const __u32 timeout = is_udp ? service->timeout_udp : service->timeout_established;

	*out = (struct lb_backend_use){
		.addr = backend->addr,
		.port = ntohs(backend->port),
		.number = number,
		.is_draining = is_draining(backend),
		.is_recorded = backend->mode == LB_MODE_FULLNAT ||
			       (is_udp && service->flags & LB_S_TRACKED),
		.active = census->last[number].active,
		.ports = census->last[number].ports,
		.timeout_s = timeout / lb_hz(lb),
	};
	memcpy(out->service, service->name, sizeof(out->service));
	if (backend->mode == LB_MODE_FULLNAT)
		out->ports_limit = (__u64)backend->source_count *
				   (lb->control->port_count[0] + lb->control->port_count[1]);
}

void lb_census_walk(const struct lb_census *census, lb_backend_fn fn, void *arg)
{
	const struct lb *lb = census->lb;

	for (__u32 i = 0; i < lb->meta->backends; i++) {
		struct lb_service service;
		struct lb_backend_use use;

		if (!(lb->backends[i].flags & LB_B_IN_USE) ||
		    !lb_service_get(lb, LB_READ(lb->backends[i].service), &service))
			continue;
		describe(census, i, &service, &use);
		fn(&use, arg);
	}
}

__u64 lb_get_packets(const struct lb *lb, __u32 number)
{
	struct lb_totals sum;

	return lb_read_counters(lb, &number, 1, &sum) ? 0 : sum.packets_in;
}
