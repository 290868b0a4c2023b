// SPDX-License-Identifier: GPL-2.0-only
/* The figures that 'lbctl cache status' shows. */
#include "status.h"

#include "worker.h"

static json_t *reasons_json(const struct counters *sum)
{
	json_t *json = json_object();

	for (unsigned int i = 1; i < WHY_COUNT; i++) {
		if (sum->why[i])
			(void)json_object_set_new(json, reason_word((enum reason)i),
						  json_integer((json_int_t)sum->why[i]));
	}
	return json;
}

static json_t *services_json(const struct server *server)
{
	const unsigned int count = __atomic_load_n(&server->service_count, __ATOMIC_ACQUIRE);
	json_t *array = json_array();
	struct service_counters sum;

	for (unsigned int i = 0; i < count; i++) {
		server_sum_service(server, i, &sum);
		(void)json_array_append_new(
			array, json_pack("{s:s, s:b, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "service",
					 server->services[i].name, "cached",
					 (int)__atomic_load_n(&server->services[i].is_served,
							      __ATOMIC_RELAXED),
					 "hit_ratio", service_hit_ratio(&sum), "requests",
					 (json_int_t)sum.requests, "hits", (json_int_t)sum.hits,
					 "stale", (json_int_t)sum.stale_hits, "misses",
					 (json_int_t)sum.misses, "passed", (json_int_t)sum.passes,
					 "bytes_out", (json_int_t)sum.bytes_out));
	}
	return array;
}

/* null where there is none. */
static json_t *second_json(const struct server *server, const struct counters *sum)
{
	if (!server->redis)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:i}", "asked", (json_int_t)sum->second_asked,
			 "hits", (json_int_t)sum->second_hits, "kept", (json_int_t)sum->second_kept,
			 "failures", (json_int_t)sum->second_failures, "resting_threads",
			 (int)server_resting(server));
}

json_t *status_json(const struct server *server)
{
	struct counters sum;
	struct store_counts store;

	server_sum(server, &sum);
	store_count(server->store, &store);
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o}",
		"requests", (json_int_t)sum.requests, "hits", (json_int_t)sum.hits, "stale",
		(json_int_t)sum.stale_hits, "misses", (json_int_t)sum.misses, "collapsed",
		(json_int_t)sum.collapsed, "revalidated", (json_int_t)sum.revalidated, "passed",
		(json_int_t)sum.passes, "hit_ratio", counters_hit_ratio(&sum), "refused",
		(json_int_t)sum.refused, "errors", (json_int_t)sum.errors, "fetches",
		(json_int_t)sum.fetches, "retries", (json_int_t)sum.retries, "backend_failures",
		(json_int_t)sum.backend_failures, "timeouts", (json_int_t)sum.timeouts,
		"connections", (json_int_t)sum.active, "bytes_out", (json_int_t)sum.bytes_out,
		"objects", (json_int_t)store.objects, "bytes", (json_int_t)store.bytes, "limit",
		(json_int_t)store.limit, "evicted", (json_int_t)store.evicted, "bypass_ratio",
		server_bypass_ratio(server), "not_stored", reasons_json(&sum), "services",
		services_json(server), "second_tier", second_json(server, &sum));
}
