// SPDX-License-Identifier: GPL-2.0-only
/* The rules of a cached service: the list of them, and each option as text and as a value. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* ---- the list ------------------------------------------------------------------------------- */

struct lb_cache_rule *lb_cache_find_rule(const struct lb_cache_config *cache, const char *prefix)
{
	for (unsigned int i = 0; i < cache->rule_count; i++)
		if (!strcmp(cache->rules[i].prefix, prefix))
			return &cache->rules[i];
	return NULL;
}

int lb_cache_set_rule(struct lb_cache_config *cache, const struct lb_cache_rule *rule)
{
	struct lb_cache_rule *grown, *found = lb_cache_find_rule(cache, rule->prefix);

	if (found) {
		*found = *rule;
		return 0;
	}
	grown = realloc(cache->rules, (cache->rule_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	cache->rules = grown;
	grown[cache->rule_count++] = *rule;
	return 0;
}

void lb_cache_del_rule(struct lb_cache_config *cache, struct lb_cache_rule *rule)
{
	const size_t index = (size_t)(rule - cache->rules);

	cache->rule_count--;
	memmove(rule, rule + 1, (cache->rule_count - index) * sizeof(*rule));
}

/* ---- what one says -------------------------------------------------------------------------- */

#define WORDS_MAX 6
#define TIME_EXPECTED "seconds or a time as 60s, 10m, 2h or 1d, up to 365d"

static const struct {
	const char *name, *expected;
	/* None: a time. The first one of a value is written, the others are YAML's for the same. */
	struct {
		const char *text;
		__u32 value;
	} word[WORDS_MAX];
} options[LB_CACHE_OPTIONS] = {
	[LB_CACHE_TTL] = { "ttl", TIME_EXPECTED, { { 0 } } },
	[LB_CACHE_NEGATIVE] = { "negative", TIME_EXPECTED, { { 0 } } },
	[LB_CACHE_STALE] = { "stale", TIME_EXPECTED, { { 0 } } },
	[LB_CACHE_STALE_ERROR] = { "stale-if-error", TIME_EXPECTED, { { 0 } } },
	[LB_CACHE_COOKIE] = { "cookie", "ignore or pass", { { "ignore", 1 }, { "pass", 0 } } },
	[LB_CACHE_SET_COOKIE] = { "set-cookie",
				  "strip or pass",
				  { { "strip", 1 }, { "pass", 0 } } },
	[LB_CACHE_QUERY] = { "query", "sort", { { "sort", 1 } } },
	[LB_CACHE_COLLAPSE] = { "collapse",
				"on or off",
				{ { "on", 1 },
				  { "off", 0 },
				  { "true", 1 },
				  { "false", 0 },
				  { "yes", 1 },
				  { "no", 0 } } },
	[LB_CACHE_QUERY_DROP] = { "query-drop",
				  "names of parameters as utm_*,fbclid, in all at most 127 "
				  "characters",
				  { { 0 } } },
};

const char *lb_cache_option_name(enum lb_cache_option option)
{
	return options[option].name;
}

const char *lb_cache_option_expected(enum lb_cache_option option)
{
	return options[option].expected;
}

enum lb_cache_option lb_cache_find_option(const char *name)
{
	unsigned int option = 0;

	while (option < LB_CACHE_OPTIONS && strcmp(options[option].name, name) != 0)
		option++;
	return option;
}

/* Names with commas between; '*' stands at the end of one, for whatever follows. */
static int say_names(struct lb_cache_rule *rule, const char *text)
{
	const size_t len = strlen(text);

	if (len >= sizeof(rule->query_drop))
		return -ERANGE;
	for (const char *c = text; *c; c++) {
		const char next = c[1];
		const bool is_last = !next || next == ',';

		if (*c <= ' ' || *c >= 0x7f || strchr("&=#?\"\\", *c) || (*c == '*' && !is_last) ||
		    (*c == ',' && (c == text || is_last)))
			return -EINVAL;
	}
	if (!len)
		return -EINVAL;
	memset(rule->query_drop, 0, sizeof(rule->query_drop));
	memcpy(rule->query_drop, text, len);
	return 0;
}

static int say_word(__u32 *out, enum lb_cache_option option, const char *text)
{
	for (unsigned int i = 0; i < WORDS_MAX && options[option].word[i].text; i++) {
		if (strcmp(options[option].word[i].text, text) != 0)
			continue;
		*out = options[option].word[i].value;
		return 0;
	}
	return -EINVAL;
}

int lb_cache_rule_say(struct lb_cache_rule *rule, enum lb_cache_option option, const char *text)
{
	int ret;

	if (option == LB_CACHE_QUERY_DROP)
		ret = say_names(rule, text);
	else if (options[option].word[0].text)
		ret = say_word(&rule->value[option], option, text);
	else
		ret = lb_ttl_parse(text, &rule->value[option]);
	if (!ret)
		rule->said |= 1u << option;
	return ret;
}

const char *lb_cache_rule_text(const struct lb_cache_rule *rule, enum lb_cache_option option,
			       char buf[LB_CACHE_DROP_SIZE])
{
	unsigned int i = 0;

	if (!(rule->said & 1u << option))
		return NULL;
	if (option == LB_CACHE_QUERY_DROP) {
		memcpy(buf, rule->query_drop, sizeof(rule->query_drop));
		return buf;
	}
	if (!options[option].word[0].text)
		return lb_ttl_format(rule->value[option], buf);
	while (i + 1 < WORDS_MAX && options[option].word[i].value != rule->value[option])
		i++;
	(void)snprintf(buf, LB_CACHE_DROP_SIZE, "%s", options[option].word[i].text);
	return buf;
}
