// SPDX-License-Identifier: GPL-2.0-only
/*
 * The look-up tables that tell services and backends by address, port and protocol: each is written
 * beside the one in force with a seed under which every entry fits its bucket, then put into force
 * with one store.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"

#define SEED_TRIES 4096

struct entry {
	union lb_addr addr;
	__be16 port;
	__u8 proto;
	__u32 value;
};

/* Zones take their numbers from the half of lb_zones that they will be in. */
static __u32 collect_zones(const struct lb *lb, const struct lb_zones *zones, __u32 half,
			   struct entry *list)
{
	const __u32 first = half ? lb->meta->services : 0;

	for (unsigned int i = 0; i < zones->zone_count; i++)
		list[i] = (struct entry){ zones->zones[i].addr, htons(zones->zones[i].length),
					  zones->zones[i].proto | LB_ZONE_PROTO, first + i + 1 };
	return zones->zone_count;
}

/*
 * Whose number an address has, that of service i: any service's, unless one goes by three-tuple
 * there, since fragments without ports are all its.
 */
static __u32 number_at(const struct lb_change *change, unsigned int i)
{
	const union lb_addr *vip = &change->services[i].value.vip;

	for (unsigned int j = i; j < change->service_count; j++) {
		const struct lb_service *value = &change->services[j].value;

		if (value->flags & LB_S_THREE_TUPLE && !value->vip_length &&
		    lb_addr_is_equal(&value->vip, vip))
			return change->services[j].number;
	}
	return change->services[i].number;
}

static __u32 collect_services(const struct lb *lb, const struct lb_change *change,
			      struct entry *list)
{
	__u32 count = 0;

	for (unsigned int i = 0; i < change->service_count; i++) {
		const struct lb_service *value = &change->services[i].value;
		const __u32 number = change->services[i].number;
		const __u32 hidden = lb_host_routes_has(lb, &value->vip, 128) ? LB_IS_HIDDEN : 0;
		bool is_known = value->vip_length;

		if (!lb_service_is_wide(value))
			list[count++] = (struct entry){ value->vip, value->port, value->proto,
							LB_IS_SERVICE | number };
		for (unsigned int j = 0; j < i && !is_known; j++)
			is_known = !change->services[j].value.vip_length &&
				   lb_addr_is_equal(&change->services[j].value.vip, &value->vip);
		if (!is_known)
			list[count++] =
				(struct entry){ value->vip, 0, 0,
						LB_IS_ADDRESS | hidden | number_at(change, i) };
	}
	return count;
}

/* Also those that are about to go: their last packets are under way while the tables flip. */
static __u32 collect_endpoints(const struct lb *lb, struct entry *list)
{
	__u32 count = 0;

	for (__u32 i = 0; i < lb->meta->backends; i++) {
		const struct lb_endpoint *endpoint = &lb->endpoints[i];

		if (endpoint->is_in_use)
			list[count++] = (struct entry){ endpoint->addr, endpoint->port,
							endpoint->proto, LB_IS_ENDPOINT | i };
	}
	return count;
}

static int compare_tags(const void *a, const void *b)
{
	const __u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return x < y ? -1 : x > y;
}

/* False if an entry does not fit, or if two have the same tag and so could hide one another. */
static bool place(struct lb_bucket *table, const struct lb *lb, __u32 mask, __u32 seed,
		  const struct entry *list, __u32 count, __u32 *tags)
{
	memset(table, 0, ((size_t)mask + 1) * sizeof(*table));
	for (__u32 i = 0; i < count; i++) {
		const __u32 tag = lb_hash_lookup(&lb->meta->flow_key, &list[i].addr, list[i].port,
						 list[i].proto, seed);
		struct lb_bucket *bucket = &table[tag & mask];
		int at = 0;

		while (at < LB_BUCKET_ENTRIES && bucket->entry[at].tag)
			at++;
		if (at == LB_BUCKET_ENTRIES)
			return false;
		tags[i] = tag;
		bucket->entry[at].tag = tag;
		bucket->entry[at].value = list[i].value;
	}
	qsort(tags, count, sizeof(*tags), compare_tags);
	for (__u32 i = 1; i < count; i++)
		if (tags[i] == tags[i - 1])
			return false;
	return true;
}

static struct lb_bucket *half_of(const struct lb *lb, enum lb_lookup table, __u32 half)
{
	return lb->buckets[table] + (half ? lb->meta->buckets[table] : 0);
}

/* A table as small as the entries allow stays in the CPU's cache: two of eight entries filled. */
static __u32 pick_mask(const struct lb *lb, enum lb_lookup table, __u32 count)
{
	__u32 buckets = 16;

	while (buckets * 2 < count)
		buckets *= 2;
	return (buckets < lb->meta->buckets[table] ? buckets : lb->meta->buckets[table]) - 1;
}

static int fill(struct lb *lb, enum lb_lookup table, const struct entry *list, __u32 count,
		__u32 *tags, struct lb_error *err)
{
	const __u64 now = LB_READ(lb->control->lookup[table]);
	const __u32 half = !LB_LOOKUP_HALF(now);
	__u32 mask = pick_mask(lb, table, count);

	for (__u32 i = 1; i <= SEED_TRIES; i++) {
		const __u32 seed = LB_LOOKUP_SEED(now) + i;
		const __u64 word = (__u64)half << 63 | (__u64)mask << 32 | seed;

		if (!place(half_of(lb, table, half), lb, mask, seed, list, count, tags)) {
			/* Now and then a larger table, which fits more easily. */
			if (i % 16 == 0 && mask * 2 + 1 < lb->meta->buckets[table])
				mask = mask * 2 + 1;
			continue;
		}
		lb->control->is_settled = 0;
		__atomic_store_n(&lb->control->lookup[table], word, __ATOMIC_SEQ_CST);
		return 0;
	}
	return lb_fail(err, -ENOSPC, "the look-up table cannot hold %u entries: raise 'limits: %s'",
		       count, table == LB_LOOKUP_SERVICES ? "services" : "backends");
}

/* Whether the table in force says just this, which spares a change of weight the flip. */
static bool is_same(const struct lb *lb, enum lb_lookup table, const struct entry *list,
		    __u32 count)
{
	const __u64 now = LB_READ(lb->control->lookup[table]);
	const __u32 mask = LB_LOOKUP_MASK(now);
	const struct lb_bucket *buckets = half_of(lb, table, LB_LOOKUP_HALF(now));
	__u32 present = 0;

	if (mask >= lb->meta->buckets[table])
		return false;
	for (__u32 i = 0; i < count; i++) {
		const __u32 tag = lb_hash_lookup(&lb->meta->flow_key, &list[i].addr, list[i].port,
						 list[i].proto, LB_LOOKUP_SEED(now));
		const struct lb_bucket *bucket = &buckets[tag & mask];
		bool is_there = false;

		for (int at = 0; at < LB_BUCKET_ENTRIES; at++)
			is_there |= bucket->entry[at].tag == tag &&
				    bucket->entry[at].value == list[i].value;
		if (!is_there)
			return false;
	}
	for (__u32 i = 0; i <= mask; i++)
		for (int at = 0; at < LB_BUCKET_ENTRIES; at++)
			present += buckets[i].entry[at].tag != 0;
	return present == count;
}

static int write_services(struct lb *lb, const struct lb_change *change, struct entry *list,
			  __u32 *tags, struct lb_error *err)
{
	const __u32 half = LB_LOOKUP_HALF(lb->control->lookup[LB_LOOKUP_SERVICES]);
	const __u32 count = collect_services(lb, change, list);
	struct lb_zones zones;
	int ret = lb_zones_make(lb, change, &zones, err);

	if (ret)
		return ret;
	if (!lb_zones_are(lb, &zones, half) ||
	    !is_same(lb, LB_LOOKUP_SERVICES, list,
		     count + collect_zones(lb, &zones, half, list + count))) {
		lb_zones_write(lb, &zones, !half);
		ret = fill(lb, LB_LOOKUP_SERVICES, list,
			   count + collect_zones(lb, &zones, !half, list + count), tags, err);
	}
	lb_zones_free(&zones);
	return ret;
}

int lb_lookup_write(struct lb *lb, const struct lb_change *change, enum lb_lookup table,
		    struct lb_error *err)
{
	const size_t most = 2 * (size_t)change->service_count + lb->meta->backends + 1;
	struct entry *list = calloc(most, sizeof(*list));
	__u32 *tags = calloc(most, sizeof(*tags));
	int ret = list && tags ? 0 : lb_fail(err, -ENOMEM, "out of memory");

	if (!ret && table == LB_LOOKUP_SERVICES)
		ret = write_services(lb, change, list, tags, err);
	if (!ret && table == LB_LOOKUP_ENDPOINTS) {
		const __u32 count = collect_endpoints(lb, list);

		if (!is_same(lb, table, list, count))
			ret = fill(lb, table, list, count, tags, err);
	}
	free(list);
	free(tags);
	return ret;
}
