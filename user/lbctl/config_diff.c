// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two documents compared by their JSON: what is not in both is added or removed, and a changed key
 * is named with both values.
 */
#include "config_diff.h"

#include <stdio.h>
#include <string.h>

#include "lbctl.h"

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
	char text[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < cache->cert_count; i++)
		(void)json_array_append_new(
			certs, cache->certs[i].key[0] ? json_sprintf("%s %s", cache->certs[i].file,
								     cache->certs[i].key)
						      : json_string(cache->certs[i].file));
	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];

		(void)json_object_set_new(
			rules, rule->prefix,
			json_string(rule->is_pass ? "pass" : lb_ttl_format(rule->ttl_s, text)));
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

struct diff {
	json_t *changes;
	const char *service, *backend; /* at hand; NULL outside */
	const char *part;	       /* of the document, outside of services */
	const char *section;	       /* before keys that need it to be understood; "" */
};

static void add_change(struct diff *diff, const char *action, const char *what)
{
	(void)json_array_append_new(diff->changes,
				    json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "action", action,
					      "part", diff->part, "service", diff->service,
					      "backend", diff->backend, "what", what));
}

/* Objects of an array by the text of one key. */
static json_t *index_by(const json_t *array, const char *key)
{
	json_t *index = json_object(), *item;
	size_t i;

	json_array_foreach(array, i, item)(void)
		json_object_set(index, json_string_value(json_object_get(item, key)), item);
	return index;
}

/* One value as a short text: 80, fullnat, false, 192.0.2.1,192.0.2.2 */
static void value_text(const json_t *value, char *buf, size_t size)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	size_t len = 0;

	for (const char *c = text ? text : ""; *c && len + 1 < size; c++) {
		if (!strchr("[]{}\"", *c) || json_is_string(value))
			buf[len++] = *c;
	}
	buf[len] = '\0';
	if (json_is_string(value))
		(void)snprintf(buf, size, "%s", json_string_value(value));
	if (!buf[0])
		(void)snprintf(buf, size, "none");
	free(text);
}

/* The keys that are plain values; lists of objects are compared by their own function. */
static void compare_values(struct diff *diff, json_t *now, json_t *then)
{
	char before[256], after[256], what[600];
	const char *key;
	json_t *value;

	json_object_foreach(then, key, value)
	{
		json_t *old = json_object_get(now, key);

		if (json_equal(old, value) || !strcmp(key, "backends"))
			continue;
		if (json_is_object(value)) {
			diff->section = !strcmp(key, "cache") ? "cache " : diff->section;
			compare_values(diff, old, value);
			diff->section = !strcmp(key, "cache") ? "" : diff->section;
			continue;
		}
		value_text(old, before, sizeof(before));
		value_text(value, after, sizeof(after));
		(void)snprintf(what, sizeof(what), "%s%s %s -> %s", diff->section, key, before,
			       after);
		add_change(diff, "change", what);
	}
	json_object_foreach(now, key, value)
	{
		if (json_object_get(then, key))
			continue;
		value_text(value, before, sizeof(before));
		(void)snprintf(what, sizeof(what), "%s%s %s -> none", diff->section, key, before);
		add_change(diff, "change", what);
	}
}

static void compare_backends(struct diff *diff, const json_t *now, const json_t *then)
{
	json_t *before = index_by(now, "address"), *after = index_by(then, "address"), *backend;
	const char *address;
	char what[64];

	json_object_foreach(before, address, backend)
	{
		diff->backend = address;
		if (!json_object_get(after, address))
			add_change(diff, "remove", "");
	}
	json_object_foreach(after, address, backend)
	{
		json_t *old = json_object_get(before, address);

		diff->backend = address;
		(void)snprintf(what, sizeof(what), "weight %" JSON_INTEGER_FORMAT,
			       json_integer_value(json_object_get(backend, "weight")));
		if (old)
			compare_values(diff, old, backend);
		else
			add_change(diff, "add", what);
	}
	diff->backend = NULL;
	json_decref(before);
	json_decref(after);
}

static void add_service(struct diff *diff, const char *action, const json_t *service)
{
	char what[128];

	(void)snprintf(what, sizeof(what), "%s %s",
		       json_string_value(json_object_get(service, "protocol")),
		       json_string_value(json_object_get(service, "address")));
	add_change(diff, action, what);
}

static void compare_services(struct diff *diff, const json_t *now, const json_t *then)
{
	json_t *before = index_by(now, "name"), *after = index_by(then, "name"), *service;
	json_t *none = json_array();
	const char *name;

	json_object_foreach(before, name, service)
	{
		diff->service = name;
		if (!json_object_get(after, name))
			add_service(diff, "remove", service);
	}
	json_object_foreach(after, name, service)
	{
		json_t *old = json_object_get(before, name);

		diff->service = name;
		if (old)
			compare_values(diff, old, service);
		else
			add_service(diff, "add", service);
		compare_backends(diff, old ? json_object_get(old, "backends") : none,
				 json_object_get(service, "backends"));
	}
	diff->service = NULL;
	json_decref(none);
	json_decref(before);
	json_decref(after);
}

json_t *config_diff(const struct lb_config *now, const struct lb_config *then)
{
	json_t *before = config_json(now), *after = config_json(then);
	static const char *const parts[] = { "limits", "cache" };
	struct diff diff = { .changes = json_array(), .section = "" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		diff.part = parts[i];
		compare_values(&diff, json_object_get(before, diff.part),
			       json_object_get(after, diff.part));
	}
	diff.part = "services";
	compare_services(&diff, json_object_get(before, "services"),
			 json_object_get(after, "services"));
	json_decref(before);
	json_decref(after);
	return diff.changes;
}

int config_diff_print(const json_t *changes)
{
	json_t *change;
	size_t i;

	if (!changes)
		return refuse("out of memory");
	json_array_foreach(changes, i, change)
	{
		const char *action = json_string_value(json_object_get(change, "action"));
		const char *part = json_string_value(json_object_get(change, "part"));
		const char *service = json_string_value(json_object_get(change, "service"));
		const char *backend = json_string_value(json_object_get(change, "backend"));
		const char *what = json_string_value(json_object_get(change, "what"));

		(void)printf("%c %s%s%s%s%s%s\n",
			     action[0] == 'a'	? '+'
			     : action[0] == 'r' ? '-'
						: '~',
			     service ? "service " : part, service ? service : "",
			     backend ? " backend " : "", backend ? backend : "",
			     what[0] ? ": " : "", what);
	}
	if (json_array_size(changes) == 0)
		(void)printf("no difference\n");
	return EXIT_OK;
}
