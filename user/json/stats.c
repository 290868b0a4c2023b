// SPDX-License-Identifier: GPL-2.0-only
/* Live figures as JSON: what became of the packets, by service, backend and reason. */
#include "objects.h"

const char *verdict_name(enum lb_verdict verdict)
{
	return verdict == LB_SENT ? "sent" : verdict == LB_PASSED ? "passed" : "dropped";
}

json_t *services_json(const struct lb_stats *stats)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < stats->service_count; i++) {
		const struct lb_service_state *state = &stats->services[i];

		(void)json_array_append_new(
			array, service_json(&state->config, state->backend_count, state));
	}
	return array;
}

json_t *backends_json(const struct lb_stats *stats)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < stats->service_count; i++) {
		const struct lb_service_state *state = &stats->services[i];

		for (unsigned int j = 0; j < state->backend_count; j++)
			(void)json_array_append_new(array, backend_json(&state->config,
									&state->backends[j].config,
									&state->backends[j]));
	}
	return array;
}

json_t *reasons_json(const struct lb_stats *stats)
{
	json_t *array = json_array();

	for (enum lb_reason reason = LB_R_NONE + 1; reason < LB_R_COUNT; reason++)
		(void)json_array_append_new(
			array,
			json_pack("{s:s, s:o, s:o, s:s, s:s}", "reason", lb_reason_name(reason),
				  "packets", json_count(stats->reasons[reason]), "last_ago_ms",
				  json_count(stats->dropped_ms[reason]), "verdict",
				  verdict_name(lb_reason_verdict(reason)), "hint",
				  lb_reason_text(reason)));
	return array;
}

static json_t *cache_json(const struct lb_cache_state *cache)
{
	const struct lb_cache_counts *counts = &cache->counts;

	if (!cache->is_running)
		return json_pack("{s:b}", "running", false);
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:f, s:o, s:o}", "running", true, "requests",
			 json_count(counts->requests), "hits", json_count(counts->hits), "stale",
			 json_count(counts->stale), "misses", json_count(counts->misses),
			 "hit_ratio", lb_cache_hit_ratio(counts), "bytes",
			 json_count(counts->bytes), "limit", json_count(counts->limit));
}

json_t *stats_json(const struct lb_stats *stats)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "received",
				 json_count(stats->received), "sent", json_count(stats->sent),
				 "passed", json_count(stats->passed), "dropped",
				 json_count(stats->dropped), "accounted", stats->is_accounted,
				 "flows", json_count(stats->flows), "flows_limit",
				 json_count(stats->flows_limit), "services", services_json(stats),
				 "backends", backends_json(stats), "reasons", reasons_json(stats));

	if (json && stats->is_cached)
		(void)json_object_set_new(json, "cache", cache_json(&stats->cache));
	return json;
}
