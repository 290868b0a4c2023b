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

/* ---- rules ---------------------------------------------------------------------------------- */

static int refuse_word(const char *word)
{
	char names[256] = "pass, del";
	size_t len = strlen(names);

	for (unsigned int i = 0; i < LB_CACHE_OPTIONS && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, ", %s",
					lb_cache_option_name(i));
	if (!strcmp(word, "pass") || !strcmp(word, "del"))
		return refuse_usage("cache rule: '%s' goes with no other option", word);
	return refuse_usage("cache rule: unknown word '%s', expected one of: %s", word, names);
}

/* One option's value, or 'default': as without a rule. */
static int read_option(struct words *words, const char *word, struct lb_cache_rule *rule)
{
	const enum lb_cache_option option = lb_cache_find_option(word);
	const char *value = option < LB_CACHE_OPTIONS ? word_take(words) : NULL;

	if (option == LB_CACHE_OPTIONS)
		return refuse_word(word);
	if (!value)
		return refuse_usage("cache rule: '%s' has no value, expected %s", word,
				    lb_cache_option_expected(option));
	rule->is_pass = false;
	if (!strcmp(value, "default"))
		rule->said &= ~(1u << option);
	else if (lb_cache_rule_say(rule, option, value))
		return refuse_usage(
			"cache rule: %s '%.160s' is not possible, expected %s, or 'default'", word,
			value, lb_cache_option_expected(option));
	return EXIT_OK;
}

/* What the words change of a rule; those that they do not name stay. */
static int read_options(struct words *words, struct lb_cache_rule *rule)
{
	const char *word;
	unsigned int seen = 0;
	int code = EXIT_OK;

	while (!code && (word = word_take(words))) {
		const unsigned int bit = 1u << lb_cache_find_option(word);

		if (bit & seen)
			return refuse_usage("cache rule: '%s' is given twice", word);
		seen |= bit;
		code = read_option(words, word, rule);
	}
	return code;
}

/* The words after PREFIX: 'pass', 'del', or options with their values. */
static int read_rule(struct words *words, struct lb_cache_rule *rule, bool *is_del)
{
	const char *word = *words->next;

	*is_del = word && !strcmp(word, "del");
	if (!*is_del && (!word || strcmp(word, "pass") != 0))
		return word ? read_options(words, rule)
			    : refuse_usage("cache rule: what to do is missing ('pass', 'del', or "
					   "options as 'ttl 60s'); see 'lbctl cache help'");
	words->next++;
	rule->is_pass = true;
	rule->said = 0;
	return words_end(words);
}

static int check_prefix(const char *prefix)
{
	if (prefix[0] == '/' && strlen(prefix) < LB_CACHE_PREFIX_SIZE)
		return EXIT_OK;
	return refuse_usage("cache rule: '%.64s' is no path, expected one that begins with '/', of "
			    "at most %d characters",
			    prefix, LB_CACHE_PREFIX_SIZE - 1);
}

static int change_rule(struct lb_cache_config *cache, const char *service, const char *prefix,
		       struct words *words)
{
	struct lb_cache_rule rule = { .is_pass = false }, *found;
	bool is_del;

	found = lb_cache_find_rule(cache, prefix);
	if (found)
		rule = *found;
	memcpy(rule.prefix, prefix, strlen(prefix) + 1);
	(void)read_rule(words, &rule, &is_del);
	if (is_del && !found)
		return refuse("service %s has no rule for %s; 'lbctl cache list %s' shows those "
			      "there are",
			      service, prefix, service);
	if (is_del)
		lb_cache_del_rule(cache, found);
	else if (!rule.is_pass && !rule.said)
		return refuse("the rule for %s would say nothing; 'lbctl cache rule %s %s del' "
			      "removes it",
			      prefix, service, prefix);
	else if (lb_cache_set_rule(cache, &rule))
		return refuse("out of memory");
	return EXIT_OK;
}

int cache_rule(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	const char *prefix = name ? word_need(words, "the beginning of a path") : NULL;
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_cache_rule scratch = { .is_pass = false };
	struct lb_service_config *service;
	char **rest = words->next;
	bool is_del = false;
	int code = prefix ? check_prefix(prefix) : EXIT_USAGE;

	if (!code) /* for the words alone, as above */
		code = read_rule(words, &scratch, &is_del);
	if (!code)
		code = begin(&session, ctl, name, &service);
	if (code)
		return code;
	words->next = rest;
	code = change_rule(&service->cache, name, prefix, words);
	if (!code)
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

/* Times as numbers, "ttl_s"; the others as their words, "set_cookie"; null: as without a rule. */
static void set_option_json(json_t *json, const struct lb_cache_rule *rule,
			    enum lb_cache_option option)
{
	const bool is_time = option <= LB_CACHE_STALE_ERROR;
	char key[32], text[LB_CACHE_DROP_SIZE];
	json_t *value = json_null();

	(void)snprintf(key, sizeof(key), "%s%s", lb_cache_option_name(option), is_time ? "_s" : "");
	for (char *c = key; *c; c++)
		if (*c == '-')
			*c = '_';
	if (lb_cache_rule_text(rule, option, text))
		value = is_time ? json_integer(rule->value[option]) : json_string(text);
	(void)json_object_set_new(json, key, value);
}

static json_t *rules_json(const struct lb_cache_config *cache)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];
		json_t *json =
			json_pack("{s:s, s:b}", "prefix", rule->prefix, "pass", rule->is_pass);

		for (unsigned int k = 0; k < LB_CACHE_OPTIONS; k++)
			set_option_json(json, rule, k);
		(void)json_array_append_new(array, json);
	}
	return array;
}

/* What a rule says besides its ttl: "cookie ignore, query sort" */
static void add_options_cell(struct table *table, const struct lb_cache_rule *rule)
{
	char all[512] = "", text[LB_CACHE_DROP_SIZE];
	size_t len = 0;

	for (unsigned int i = LB_CACHE_TTL + 1; i < LB_CACHE_OPTIONS && len < sizeof(all); i++)
		if (lb_cache_rule_text(rule, i, text))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s %s",
						len ? ", " : "", lb_cache_option_name(i), text);
	table_cell(table, "%s", len ? all : "-");
}

static void add_rows(struct table *table, const struct lb_service_config *service)
{
	const struct lb_cache_config *cache = &service->cache;
	char text[LB_CACHE_DROP_SIZE];

	table_cell(table, "%s", service->name);
	table_cell(table, "%s", cache->is_on ? "on" : "off");
	table_cell(table, "/");
	table_cell(table, "%s", lb_ttl_format(cache->ttl_s, text));
	table_cell(table, "-");
	for (unsigned int i = 0; i < cache->rule_count; i++) {
		const struct lb_cache_rule *rule = &cache->rules[i];
		const char *ttl = lb_cache_rule_text(rule, LB_CACHE_TTL, text);

		table_cell(table, "%s", service->name);
		table_cell(table, "%s", cache->is_on ? "on" : "off");
		table_cell(table, "%s", rule->prefix);
		table_cell(table, "%s", rule->is_pass ? "pass" : ttl ? ttl : "-");
		add_options_cell(table, rule);
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
		table = table_new("SERVICE CACHE PATH TTL OPTIONS");
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
