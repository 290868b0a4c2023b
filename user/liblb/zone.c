// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of several ports or addresses, as the datapath looks for them: for each prefix that some
 * service has, which service each port belongs to. The longest prefix that covers a port wins, in
 * it the narrowest range; a service of one address and one port, which the look-up table has
 * itself, wins over all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "local.h"

/* What one service covers. */
struct front {
	union lb_addr addr;
	__u32 length; /* of 128 bits */
	__u32 low, high;
	__u32 number;
	__u8 proto;
};

bool lb_service_is_wide(const struct lb_service *service)
{
	return service->vip_length || service->port_last;
}

bool lb_service_has_front(const struct lb_service *service, const struct lb_service_config *config)
{
	return service->proto == config->proto && service->port == htons(config->port) &&
	       service->port_last == config->port_last &&
	       service->vip_length == config->vip_length &&
	       lb_addr_is_equal(&service->vip, &config->vip);
}

void lb_service_set_front(struct lb_service *service, const struct lb_service_config *config)
{
	service->vip = config->vip;
	service->vip_length = config->vip_length;
	service->port = htons(config->port);
	service->port_last = config->port_last;
	service->proto = config->proto;
}

static struct front front_of(const struct lb_service *service, __u32 number)
{
	const __u16 port = ntohs(service->port);

	return (struct front){
		.addr = service->vip,
		.length = lb_front_length(&service->vip, service->vip_length),
		.low = port,
		.high = service->port_last ? service->port_last : port,
		.number = number,
		.proto = service->proto,
	};
}

static bool is_within(const union lb_addr *addr, const struct front *front)
{
	union lb_addr prefix;

	lb_addr_mask(&prefix, addr, front->length);
	return lb_addr_is_equal(&prefix, &front->addr);
}

/* More specific first; with a longer prefix or, in one prefix, a narrower range. */
static int compare_specific(const struct front *a, const struct front *b)
{
	if (a->length != b->length)
		return a->length > b->length ? -1 : 1;
	if (a->high - a->low != b->high - b->low)
		return a->high - a->low < b->high - b->low ? -1 : 1;
	return 0;
}

/* By zone, and in it by range; longer prefixes first. */
static int compare_fronts(const void *left, const void *right)
{
	const struct front *a = left, *b = right;
	int order;

	if (a->length != b->length)
		return a->length > b->length ? -1 : 1;
	order = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	if (order)
		return order;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	order = compare_specific(a, b);
	return order ? order : a->low < b->low ? -1 : a->low > b->low;
}

static int compare_cuts(const void *left, const void *right)
{
	const __u32 a = *(const __u32 *)left, b = *(const __u32 *)right;

	return a < b ? -1 : a > b;
}

/* The most specific of those that cover a port; NULL. covering is in order. */
static const struct front *find_covering(const struct front *const *covering, unsigned int count,
					 __u32 port)
{
	for (unsigned int i = 0; i < count; i++)
		if (covering[i]->low <= port && port <= covering[i]->high)
			return covering[i];
	return NULL;
}

struct making {
	const struct front *fronts; /* in order */
	unsigned int front_count;
	const struct front **covering;
	__u32 *cuts;
	struct lb_zones *out;
	unsigned int room; /* of out->ranges */
};

/* Appends the ranges of one zone, whose first front is at. -ENOSPC; -E2BIG: too many in one zone.
 */
static int paint(struct making *making, unsigned int at)
{
	const struct front *zone = &making->fronts[at];
	struct lb_zones *out = making->out;
	const unsigned int first = out->range_count;
	unsigned int covering = 0, cuts = 0;

	/* In order of the list a longer prefix comes before a shorter one. */
	for (unsigned int i = at; i < making->front_count; i++) {
		const struct front *front = &making->fronts[i];

		if (front->proto != zone->proto || !is_within(&zone->addr, front))
			continue;
		making->covering[covering++] = front;
		making->cuts[cuts++] = front->low;
		making->cuts[cuts++] = front->high + 1;
	}
	qsort(making->cuts, cuts, sizeof(*making->cuts), compare_cuts);
	for (unsigned int i = 0; i + 1 < cuts; i++) {
		const struct front *owner =
			find_covering(making->covering, covering, making->cuts[i]);
		struct lb_range *last =
			out->range_count > first ? &out->ranges[out->range_count - 1] : NULL;

		if (!owner || making->cuts[i] == making->cuts[i + 1])
			continue;
		if (last && last->service == owner->number && last->high + 1u == making->cuts[i]) {
			last->high = (__u16)(making->cuts[i + 1] - 1);
			continue;
		}
		if (out->range_count - first == LB_RANGES_MAX)
			return -E2BIG;
		if (out->range_count == making->room)
			return -ENOSPC;
		out->ranges[out->range_count++] = (struct lb_range){
			.low = (__u16)making->cuts[i],
			.high = (__u16)(making->cuts[i + 1] - 1),
			.service = owner->number,
		};
	}
	out->zones[out->zone_count++] = (struct lb_zone){
		.addr = zone->addr,
		.first = first,
		.count = (__u16)(out->range_count - first),
		.length = (__u8)zone->length,
		.proto = zone->proto,
	};
	return 0;
}

static bool is_new_zone(const struct front *fronts, unsigned int i)
{
	return !i || fronts[i].length != fronts[i - 1].length ||
	       fronts[i].proto != fronts[i - 1].proto ||
	       !lb_addr_is_equal(&fronts[i].addr, &fronts[i - 1].addr);
}

static int note_length(struct lb_zones *out, __u32 length)
{
	for (int i = 0; i < LB_ZONE_LENGTHS; i++) {
		if (out->lengths[i] == length)
			return 0;
		if (!out->lengths[i]) {
			out->lengths[i] = (__u8)length;
			return 0;
		}
	}
	return -E2BIG;
}

static int make_zones(const struct lb *lb, struct making *making, struct lb_error *err)
{
	struct lb_zones *out = making->out;
	int ret;

	for (unsigned int i = 0; i < making->front_count; i++) {
		if (!is_new_zone(making->fronts, i))
			continue;
		if (note_length(out, making->fronts[i].length))
			return lb_fail(err, -ENOSPC,
				       "services of several ports or addresses have more than %d "
				       "different lengths of prefixes (a single address is one): "
				       "use fewer, or another namespace's instance",
				       LB_ZONE_LENGTHS);
		ret = paint(making, i);
		if (ret == -E2BIG)
			return lb_fail(err, -ENOSPC,
				       "services of several ports cut the ports of one prefix into "
				       "more than %u ranges: let fewer of them overlap there",
				       LB_RANGES_MAX);
		if (ret)
			return lb_fail(err, -ENOSPC,
				       "services of several ports cut each other into more than "
				       "%u ranges: raise 'limits: services'",
				       making->room);
		if (lb_host_routes_has(lb, &making->fronts[i].addr, (__u8)making->fronts[i].length))
			out->zones[out->zone_count - 1].hidden = LB_IS_HIDDEN;
	}
	return 0;
}

int lb_zones_make(const struct lb *lb, const struct lb_change *change, struct lb_zones *out,
		  struct lb_error *err)
{
	const unsigned int most = change->service_count + 1;
	struct front *fronts = calloc(most, sizeof(*fronts));
	struct making making = {
		.fronts = fronts,
		.covering = calloc(most, sizeof(*making.covering)),
		.cuts = calloc(2 * (size_t)most, sizeof(*making.cuts)),
		.out = out,
		.room = LB_RANGES_PER_SERVICE * lb->meta->services,
	};
	int ret;

	*out = (struct lb_zones){
		.zones = calloc(most, sizeof(*out->zones)),
		.ranges = calloc(making.room + 1, sizeof(*out->ranges)),
	};
	ret = fronts && making.covering && making.cuts && out->zones && out->ranges
		      ? 0
		      : lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; !ret && i < change->service_count; i++)
		if (lb_service_is_wide(&change->services[i].value))
			fronts[making.front_count++] =
				front_of(&change->services[i].value, change->services[i].number);
	if (!ret && making.front_count) {
		qsort(fronts, making.front_count, sizeof(*fronts), compare_fronts);
		ret = make_zones(lb, &making, err);
	}
	free(fronts);
	free(making.covering);
	free(making.cuts);
	if (ret)
		lb_zones_free(out);
	return ret;
}

void lb_zones_free(struct lb_zones *zones)
{
	free(zones->zones);
	free(zones->ranges);
	*zones = (struct lb_zones){};
}

static struct lb_range *ranges_of(const struct lb *lb, __u32 half)
{
	return lb->ranges + (half ? LB_RANGES_PER_SERVICE * lb->meta->services : 0);
}

static struct lb_zone *zones_of(const struct lb *lb, __u32 half)
{
	return lb->zones + (half ? lb->meta->services : 0);
}

/* As it stands in the map: with the place of its ranges there. */
static struct lb_zone placed(const struct lb *lb, const struct lb_zone *zone, __u32 half)
{
	struct lb_zone value = *zone;

	value.first += (__u32)(ranges_of(lb, half) - lb->ranges);
	return value;
}

void lb_zones_write(struct lb *lb, const struct lb_zones *zones, __u32 half)
{
	memcpy(ranges_of(lb, half), zones->ranges, zones->range_count * sizeof(*zones->ranges));
	for (unsigned int i = 0; i < zones->zone_count; i++)
		zones_of(lb, half)[i] = placed(lb, &zones->zones[i], half);
	memcpy(lb->control->zone_length[half], zones->lengths, sizeof(zones->lengths));
}

bool lb_zones_are(const struct lb *lb, const struct lb_zones *zones, __u32 half)
{
	for (unsigned int i = 0; i < zones->zone_count; i++) {
		const struct lb_zone value = placed(lb, &zones->zones[i], half);

		if (memcmp(&zones_of(lb, half)[i], &value, sizeof(value)))
			return false;
	}
	return !memcmp(ranges_of(lb, half), zones->ranges,
		       zones->range_count * sizeof(*zones->ranges)) &&
	       !memcmp(lb->control->zone_length[half], zones->lengths, sizeof(zones->lengths));
}

int lb_service_find(const struct lb *lb, __u8 proto, const union lb_addr *addr, __u16 port,
		    __u32 *number)
{
	struct front best = {};
	bool is_found = false;

	for (__u32 i = 0; i < lb->meta->services; i++) {
		struct lb_service service;
		struct front front;

		if (!lb_service_get(lb, i, &service) || service.proto != proto)
			continue;
		front = front_of(&service, i);
		if (port < front.low || port > front.high || !is_within(addr, &front))
			continue;
		if (!is_found || compare_specific(&front, &best) < 0)
			best = front;
		is_found = true;
	}
	if (!is_found)
		return -ENOENT;
	*number = best.number;
	return 0;
}
