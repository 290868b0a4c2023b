// SPDX-License-Identifier: GPL-2.0-only
/* A document as JSON: every key, also those with their defaults. */
#include "objects.h"

static json_t *backend_config_json(const struct lb_service_config *service,
				   const struct lb_backend_config *backend)
{
	char text[LB_ADDR_TEXT_SIZE];
	json_t *json;

	json = json_pack(
		"{s:s, s:i, s:b, s:s}", "address",
		lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text),
		"weight", backend->weight, "drain", backend->is_drained, "mode",
		lb_mode_name(lb_backend_mode(service, backend)));
	if (json && backend->has_server_id)
		(void)json_object_set_new(json, "server-id", json_integer(backend->server_id));
	return json;
}

static json_t *health_config_json(const struct lb_health_config *health)
{
	char interval[LB_ADDR_TEXT_SIZE], timeout[LB_ADDR_TEXT_SIZE], slow[LB_ADDR_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:i, s:i, s:s, s:b, s:s, "
			 "s:s, s:s, s:s, "
			 "s:b, s:s, s:s}",
			 "type", lb_check_type_name(health->type), "interval",
			 lb_duration_format(health->interval_ms, interval), "timeout",
			 lb_duration_format(lb_health_timeout(health), timeout), "rise",
			 health->rise, "fall", health->fall, "port", health->port, "via",
			 lb_via_name(health->via), "path", health->path, "host", health->host,
			 "status_low", health->status_low, "status_high", health->status_high,
			 "body", health->body, "verify", health->is_verified, "ca", health->ca,
			 "send", health->send, "expect", health->expect, "command", health->command,
			 "passive", health->is_passive, "on_all_down",
			 lb_all_down_name(health->on_all_down), "slow_start",
			 lb_duration_format(health->slow_start_ms, slow));
}

/* Rules by prefix, so that each is compared by itself. */
static json_t *cache_config_json(const struct lb_cache_config *cache)
{
	json_t *rules = json_object(), *certs = json_array();
	char text[LB_CACHE_DROP_SIZE];

	for (unsigned int i = 0; i < cache->cert_count; i++)
		(void)json_array_append_new(
			certs, cache->certs[i].key[0] ? json_sprintf("%s %s", cache->certs[i].file,
								     cache->certs[i].key)
						      : json_string(cache->certs[i].file));
	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];

		json_t *says = json_object();

		if (rule->is_pass)
			(void)json_object_set_new(says, "pass", json_true());
		for (unsigned int k = 0; k < LB_CACHE_OPTIONS; k++)
			if (lb_cache_rule_text(rule, k, text))
				(void)json_object_set_new(says, lb_cache_option_name(k),
							  json_string(text));
		(void)json_object_set_new(rules, rule->prefix, says);
	}
	return json_pack("{s:b, s:s, s:o, s:s, s:o}", "enabled", cache->is_on, "ttl",
			 lb_ttl_format(cache->ttl_s, text), "tls", certs, "verify",
			 cache->verify[0] ? cache->verify : "on", "rules", rules);
}

static json_t *service_config_json(const struct lb_service_config *service)
{
	const struct lb_timeouts *timeouts = &service->timeouts;
	json_t *sources = json_array(), *backends = json_array();
	char text[LB_FRONT_TEXT_SIZE], mss[LB_ADDR_TEXT_SIZE], cid[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < service->source_count; i++)
		(void)json_array_append_new(
			sources, json_string(lb_addr_format(&service->sources[i], text)));
	for (unsigned int i = 0; i < service->backend_count; i++)
		(void)json_array_append_new(backends,
					    backend_config_json(service, &service->backends[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:b, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:i, s:i, s:i}, "
		"s:o, s:o, s:o}",
		"name", service->name, "protocol", lb_proto_name(service->proto), "address",
		lb_front_format(service, text), "mode", lb_mode_name(lb_service_mode(service)),
		"slots", (int)service->slots, "stateless", service->is_stateless, "mss-clamp",
		lb_mss_format(service->mss, mss), "quic-cid", lb_cid_format(service, cid),
		"fragments", lb_fragments_name(service->fragments), "sources", sources,
		"tunnel-sources", tunnel_sources_json(service), "timeouts", "syn",
		(int)timeouts->syn, "established", (int)timeouts->established, "fin",
		(int)timeouts->fin, "udp", (int)timeouts->udp, "health",
		health_config_json(&service->health), "cache", cache_config_json(&service->cache),
		"backends", backends);
}

json_t *config_json(const struct lb_config *config)
{
	const struct lb_limits *limits = &config->limits;
	json_t *services = json_array();
	char redis[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < config->service_count; i++)
		(void)json_array_append_new(services, service_config_json(&config->services[i]));
	return json_pack(
		"{s:i, s:{s:I, s:I, s:I, s:I}, s:{s:s?}, s:o}", "version", 1, "limits", "services",
		(json_int_t)limits->services, "backends", (json_int_t)limits->backends, "slots",
		(json_int_t)limits->slots, "flows", (json_int_t)limits->flows, "cache", "redis",
		config->redis_port ? lb_endpoint_format(&config->redis, config->redis_port, redis)
				   : NULL,
		"services", services);
}
