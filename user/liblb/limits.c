// SPDX-License-Identifier: GPL-2.0-only
/* The limits: which sizes of maps follow from them, and what each of them costs. */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "internal.h"
#include "lb_watch.h"

#define HISTORIES_MAX 524288u

static const char *const names[LB_LIMITS] = {
	[LB_LIMIT_SERVICES] = "services",
	[LB_LIMIT_BACKENDS] = "backends",
	[LB_LIMIT_SLOTS] = "slots",
	[LB_LIMIT_FLOWS] = "flows",
};

__u32 lb_limits_slots(__u32 services)
{
	return services * LB_SLOTS_PER_SERVICE;
}

static __u32 round_up_power(__u32 number)
{
	__u32 power = 1;

	while (power < number)
		power *= 2;
	return power;
}

void lb_limits_to_meta(const struct lb_limits *limits, struct lb_meta *meta)
{
	meta->services = limits->services;
	meta->backends = limits->backends;
	meta->lines = 2 * ((limits->slots + LB_OWNERS_PER_LINE - 1) / LB_OWNERS_PER_LINE);
	meta->flows = round_up_power(limits->flows);
	/* A service has an entry for itself and one for its address; half full fits almost any
	 * seed. */
	meta->buckets[LB_LOOKUP_SERVICES] = round_up_power(limits->services);
	meta->buckets[LB_LOOKUP_ENDPOINTS] = round_up_power(limits->backends);
	meta->histories = limits->slots < HISTORIES_MAX ? limits->slots : HISTORIES_MAX;
}

bool lb_limits_are_in_force(const struct lb *lb, const struct lb_limits *limits)
{
	struct lb_meta wanted = {};

	lb_limits_to_meta(limits, &wanted);
	return wanted.services == lb->meta->services && wanted.backends == lb->meta->backends &&
	       wanted.lines == lb->meta->lines && wanted.flows == lb->meta->flows;
}

/* The limit that a map's size follows from; LB_LIMITS for those of fixed size. */
static enum lb_limit limit_of(enum lb_map_id id)
{
	switch (id) {
	case LB_MAP_SERVICE_HASH:
	case LB_MAP_ZONES:
	case LB_MAP_RANGES:
	case LB_MAP_SERVICES:
	case LB_MAP_SERVICE_CPU:
	case LB_MAP_TOTALS:
		return LB_LIMIT_SERVICES;
	case LB_MAP_BACKEND_HASH:
	case LB_MAP_BACKENDS:
	case LB_MAP_BACKEND_CPU:
	case LB_MAP_ENDPOINTS:
	case LB_MAP_SOURCES:
	case LB_MAP_BASES:
	case LB_MAP_SERVERS:
		return LB_LIMIT_BACKENDS;
	case LB_MAP_SLOTS:
	case LB_MAP_HISTORY:
		return LB_LIMIT_SLOTS;
	case LB_MAP_FLOWS:
		return LB_LIMIT_FLOWS;
	default:
		return LB_LIMITS;
	}
}

/* What the maps hold, after rounding. */
static void sizes_of(const struct lb_meta *meta, __u32 sizes[LB_LIMITS])
{
	sizes[LB_LIMIT_SERVICES] = meta->services;
	sizes[LB_LIMIT_BACKENDS] = meta->backends;
	sizes[LB_LIMIT_SLOTS] = meta->lines / 2 * LB_OWNERS_PER_LINE;
	sizes[LB_LIMIT_FLOWS] = meta->flows;
}

static void count_numbers(const struct lb *lb, __u64 used[LB_LIMITS])
{
	for (__u32 i = 0; i < lb->meta->services; i++) {
		if (!(lb->services[i].flags & LB_S_IN_USE))
			continue;
		used[LB_LIMIT_SERVICES]++;
		used[LB_LIMIT_SLOTS] += lb_lines_of(lb->services[i].slots) * LB_OWNERS_PER_LINE;
	}
	for (__u32 i = 0; i < lb->meta->backends; i++)
		used[LB_LIMIT_BACKENDS] += lb->backends[i].flags & LB_B_IN_USE;
}

static void count_used(const struct lb *lb, __u64 used[LB_LIMITS])
{
	count_numbers(lb, used);
	for (__u32 i = 0; i < lb->meta->flows; i++)
		used[LB_LIMIT_FLOWS] += lb->flows[i].tag > LB_FLOW_BUSY;
}

int lb_count_limits(const struct lb *lb, struct lb_limit_usage out[LB_LIMITS])
{
	__u64 used[LB_LIMITS] = {};
	__u32 sizes[LB_LIMITS];

	if (!lb->is_loaded)
		return -ENOTCONN;
	sizes_of(lb->meta, sizes);
	count_numbers(lb, used);
	used[LB_LIMIT_FLOWS] = LB_UNKNOWN;
	for (int i = 0; i < LB_LIMITS; i++) {
		out[i] = (struct lb_limit_usage){ .limit = sizes[i], .used = used[i] };
		snprintf(out[i].name, sizeof(out[i].name), "%s", names[i]);
	}
	return 0;
}

int lb_get_limits(struct lb *lb, const struct lb_limits *limits,
		  struct lb_limit_usage out[LB_LIMITS], struct lb_error *err)
{
	__u64 bytes[LB_MAP_COUNT], used[LB_LIMITS] = {};
	__u32 wanted[LB_LIMITS], in_force[LB_LIMITS];
	struct lb_meta meta = {};
	int ret = 0;

	lb_limits_to_meta(limits, &meta);
	sizes_of(&meta, wanted);
	sizes_of(lb->is_loaded ? lb->meta : &meta, in_force);

	if (lb->is_loaded)
		for (int i = 0; i < LB_MAP_COUNT; i++)
			bytes[i] = lb_map_bytes(lb->maps[i].fd);
	else
		ret = lb_kernel_estimate(lb, limits, bytes);
	if (ret)
		return lb_fail(err, ret, "cannot open the datapath's object: %s", strerror(-ret));
	if (lb->is_loaded)
		count_used(lb, used);
	for (int i = 0; i < LB_LIMITS; i++) {
		out[i] = (struct lb_limit_usage){ .limit = in_force[i], .wanted = wanted[i] };
		snprintf(out[i].name, sizeof(out[i].name), "%s", names[i]);
		out[i].used = lb->is_loaded ? used[i] : LB_UNKNOWN;
	}
	for (int i = 0; i < LB_MAP_COUNT; i++)
		if (limit_of(i) != LB_LIMITS)
			out[limit_of(i)].bytes += bytes[i];
	return 0;
}
