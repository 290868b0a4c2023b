/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Services of several ports or addresses, by the longest prefix of the packet's address that has
 * any. Asked for only where no exact service is found and some service is such a one.
 */
#ifndef LB_ZONE_H
#define LB_ZONE_H

#include "lookup.h"

/* The service that has this port in a zone, or 0: LB_IS_SERVICE | number. */
LB_INLINE __u32 lb_find_range(const struct lb_zone *zone, __u32 port)
{
	const __u32 first = zone->first, count = zone->count;
	const struct lb_range *range;
	__u32 at = 0, index;

	/* The last range that does not begin behind the port. After each step the verifier is made
	 * to forget what a comparison has told it, or it would walk all ways through the steps. */
#pragma unroll
	for (__u32 step = LB_RANGES_MAX / 2; step; step /= 2) {
		index = first + at + step;
		range = at + step < count ? bpf_map_lookup_elem(&lb_ranges, &index) : NULL;
		if (range && range->low <= port)
			at += step;
		at = (at ^ zone->zero) & (LB_RANGES_MAX - 1);
	}
	index = first + at;
	range = count ? bpf_map_lookup_elem(&lb_ranges, &index) : NULL;
	return range && range->low <= port && port <= range->high ? LB_IS_SERVICE | range->service
								  : 0;
}

/* The service that has the lowest ports in a zone, likewise. */
LB_INLINE __u32 lb_find_first_range(const struct lb_zone *zone)
{
	const __u32 index = zone->first;
	const struct lb_range *range = zone->count ? bpf_map_lookup_elem(&lb_ranges, &index) : NULL;

	return range ? LB_IS_SERVICE | range->service : 0;
}

/*
 * The service of several ports or addresses that has this address (both quads) and port, or 0. Port
 * 0 asks for the address alone: LB_IS_ADDRESS and more; LB_ZONE_ANY_PORT for any service there.
 * Global, as in flow.h, by values, since the packet's addresses may not leave ctx.
 */
__noinline __u32 lb_find_zone(__u64 high, __u64 low, __u32 proto, __u32 port)
{
	__u32 zero = 0, found = 0, half;
	const struct lb_control *control = bpf_map_lookup_elem(&lb_control, &zero);
	const union lb_addr addr = { .quads = { high, low } };
	const struct lb_zone *zone = NULL;
	union lb_addr prefix;
	__u64 word;

	if (!control)
		return 0;
	word = *(const volatile __u64 *)&control->lookup[LB_LOOKUP_SERVICES];
	half = LB_LOOKUP_HALF(word) & 1;
	for (int i = 0; i < LB_ZONE_LENGTHS; i++) {
		const __u32 length = control->zone_length[half][i];

		if (!length)
			return 0;
		lb_addr_mask(&prefix, &addr, length);
		found = lb_look_up_by(word, LB_LOOKUP_SERVICES, &prefix, bpf_htons(length),
				      proto | LB_ZONE_PROTO);
		if (!found || found & LB_IS_MASK)
			continue;
		found--;
		zone = bpf_map_lookup_elem(&lb_zones, &found);
		if (zone && zone->length == length && zone->proto == proto &&
		    lb_addr_is_equal(&zone->addr, &prefix))
			break;
		zone = NULL;
	}
	if (!zone)
		return 0;
	if (port == LB_ZONE_ANY_PORT)
		return lb_find_first_range(zone);
	return port ? lb_find_range(zone, port) : LB_IS_ADDRESS | zone->hidden;
}

LB_INLINE bool lb_has_zones(const struct lb_control *control)
{
	return control->zone_length[0][0] | control->zone_length[1][0];
}

#endif
