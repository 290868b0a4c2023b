// SPDX-License-Identifier: GPL-2.0-only
/* lbctl cache on, off, rule, list: which services lbcache serves, and how long their pages live. */
#include "cache_set.h"

#include <string.h>

#include "cache_tls.h"

#define TTL_EXPECTED "seconds or a time as 60s, 10m, 2h or 1d, up to 365d"

static int take_ttl(void *into, const char *value)
{
	return lb_ttl_parse(value, &((struct lb_cache_config *)into)->ttl_s);
}

static const struct setting settings[] = {
	{ "ttl", TTL_EXPECTED, take_ttl },
	{ "tls", "'off', or certificates: " CACHE_FILES_EXPECTED, cache_take_tls },
	{ "key", "one for each certificate that 'tls' has named: " CACHE_FILES_EXPECTED,
	  cache_take_key },
	{ "verify", "'on', 'off' or a file in PEM, of a service with 'tls'", cache_take_verify },
	{ 0 },
};

/* Opens a session to change the service that the next word names. */
static int begin(struct session *session, const struct lbctl *ctl, const char *name,
		 struct lb_service_config **service)
{
	int code = session_begin(session, ctl, true);

	return code ? code : session_find_service(session, name, service);
}

int cache_on(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_cache_config scratch = { 0 };
	struct lb_service_config *service;
	char **rest;
	int code;

	if (!name)
		return EXIT_USAGE;
	rest = words->next;
	/* Once for the words alone, so that a usage error does not wait for the lock. */
	code = words_settings(words, settings, &scratch);
	if (!code)
		code = begin(&session, ctl, name, &service);
	if (code)
		return code;
	words->next = rest;
	(void)words_settings(words, settings, &service->cache);
	service->cache.is_on = true;
	code = cache_check_files(service);
	if (!code)
		code = session_change(&session, "set", name, NULL);
	if (!code && lb_is_loaded(session.lb) && !lb_cache_is_alive(session.lb))
		note(ctl,
		     "lbcache is not running, so all connections go to the backends: start it with "
		     "'lbcache%s%s'",
		     ctl->netns ? " -n " : "", ctl->netns ? ctl->netns : "");
	return code;
}

int cache_off(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config *service;
	int code = name ? words_end(words) : EXIT_USAGE;

	if (!code)
		code = begin(&session, ctl, name, &service);
	if (code)
		return code;
	if (!service->cache.is_on)
		return refuse("service %s is not cached; 'lbctl cache list' shows those that are",
			      name);
	service->cache.is_on = false;
	return session_change(&session, "set", name, NULL);
}

/* The words after PREFIX: "ttl T", "pass" or "del". */
static int read_rule(struct words *words, const char *prefix, struct lb_cache_rule *rule,
		     bool *is_del)
{
	const char *word = word_need(words, "what to do ('ttl T', 'pass' or 'del')");

	if (!word)
		return EXIT_USAGE;
	if (prefix[0] != '/' || strlen(prefix) >= sizeof(rule->prefix))
		return refuse_usage("cache rule: '%.64s' is no path, expected one that begins with "
				    "'/', of at most %d characters",
				    prefix, LB_CACHE_PREFIX_SIZE - 1);
	memcpy(rule->prefix, prefix, strlen(prefix) + 1);
	if (!strcmp(word, "ttl")) {
		word = word_need(words, "the time after 'ttl'");
		if (!word)
			return EXIT_USAGE;
		if (lb_ttl_parse(word, &rule->ttl_s))
			return refuse_usage(
				"cache rule: ttl '%s' is not possible, expected " TTL_EXPECTED,
				word);
	} else if (!strcmp(word, "pass")) {
		rule->is_pass = true;
	} else if (!strcmp(word, "del")) {
		*is_del = true;
	} else {
		return refuse_usage(
			"cache rule: unknown word '%s', expected one of: ttl, pass, del", word);
	}
	return words_end(words);
}

int cache_rule(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	const char *prefix = name ? word_need(words, "the beginning of a path") : NULL;
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_cache_rule rule = { .is_pass = false }, *found;
	struct lb_service_config *service;
	bool is_del = false;
	int code = prefix ? read_rule(words, prefix, &rule, &is_del) : EXIT_USAGE;

	if (!code)
		code = begin(&session, ctl, name, &service);
	if (code)
		return code;
	found = lb_cache_find_rule(&service->cache, prefix);
	if (is_del && !found)
		return refuse("service %s has no rule for %s; 'lbctl cache list %s' shows those "
			      "there are",
			      name, prefix, name);
	if (is_del)
		lb_cache_del_rule(&service->cache, found);
	else if (lb_cache_set_rule(&service->cache, &rule))
		return refuse("out of memory");
	code = session_change(&session, is_del ? "del" : "set", name, NULL);
	if (!code && !is_del && !service->cache.is_on)
		note(ctl, "service %s is not cached: 'lbctl cache on %s'", name, name);
	return code;
}

/* ---- redis ---------------------------------------------------------------------------------- */

static int show_redis(const struct lbctl *ctl)
{
	CLEANUP(session_end) struct session session = { 0 };
	int code = session_begin(&session, ctl, false);
	char text[LB_ADDR_TEXT_SIZE] = "off";

	if (code)
		return code;
	if (session.config->redis_port)
		lb_endpoint_format(&session.config->redis, session.config->redis_port, text);
	if (ctl->is_json)
		return print_json(
			json_pack("{s:s?}", "redis", session.config->redis_port ? text : NULL));
	(void)printf("%s\n", text);
	return EXIT_OK;
}

int cache_redis(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	const char *word = word_take(words);
	union lb_addr addr = { 0 };
	struct lb_error err;
	__u16 port = 0;
	int code = words_end(words);

	if (code || !word)
		return code ? code : show_redis(ctl);
	if (strcmp(word, "off") != 0 && lb_endpoint_parse(word, &addr, &port, NULL, &err))
		return refuse_usage("cache redis: %s; or 'off'", err.text);
	code = session_begin(&session, ctl, true);
	if (code)
		return code;
	session.config->redis = addr;
	session.config->redis_port = port;
	code = session_commit(&session);
	if (code || !ctl->is_json)
		return code;
	return print_json(json_pack("[{s:s, s:s?}]", "action", "set", "redis", port ? word : NULL));
}

/* ---- list ----------------------------------------------------------------------------------- */

static json_t *rules_json(const struct lb_cache_config *cache)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];

		(void)json_array_append_new(
			array, json_pack("{s:s, s:b, s:o}", "prefix", rule->prefix, "pass",
					 rule->is_pass, "ttl_s",
					 rule->is_pass ? json_null() : json_integer(rule->ttl_s)));
	}
	return array;
}

static void add_rows(struct table *table, const struct lb_service_config *service)
{
	const struct lb_cache_config *cache = &service->cache;
	char text[LB_ADDR_TEXT_SIZE];

	table_cell(table, "%s", service->name);
	table_cell(table, "%s", cache->is_on ? "on" : "off");
	table_cell(table, "/");
	table_cell(table, "%s", lb_ttl_format(cache->ttl_s, text));
	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];

		table_cell(table, "%s", service->name);
		table_cell(table, "%s", cache->is_on ? "on" : "off");
		table_cell(table, "%s", rule->prefix);
		table_cell(table, "%s", rule->is_pass ? "pass" : lb_ttl_format(rule->ttl_s, text));
	}
}

int cache_list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	const char *name = word_take(words);
	struct lb_service_config *only = NULL;
	struct table *table = NULL;
	json_t *array = NULL;
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (!code && name)
		code = session_find_service(&session, name, &only);
	if (code)
		return code;
	if (ctl->is_json)
		array = json_array();
	else
		table = table_new("SERVICE CACHE PATH TTL");
	for (unsigned int i = 0; i < session.config->service_count; i++) {
		const struct lb_service_config *service = &session.config->services[i];
		const struct lb_cache_config *cache = &service->cache;

		if ((only && only != service) || (!cache->is_on && !cache->rule_count))
			continue;
		if (array)
			(void)json_array_append_new(
				array, json_pack("{s:s, s:b, s:i, s:o}", "service", service->name,
						 "on", cache->is_on, "ttl_s", (int)cache->ttl_s,
						 "rules", rules_json(cache)));
		else
			add_rows(table, service);
	}
	return ctl->is_json ? print_json(array) : print_table(table);
}
