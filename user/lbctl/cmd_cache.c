// SPDX-License-Identifier: GPL-2.0-only
/* lbctl cache: what lbcache holds and does, asked over its control socket. */
#include <stdio.h>
#include <string.h>

#include "cache_ask.h"
#include "cache_set.h"

#define LINE_MAX_SIZE 16000

DEFINE_CLEANUP(json_t *, json_decref)

static void row(struct table *table, const json_t *json, const char *title, const char *key)
{
	char text[NUMBER_TEXT_SIZE];

	table_cell(table, "%s", title);
	table_cell(table, "%s", number_group(cache_number(json, key), text));
}

static int print_services(const json_t *services)
{
	struct table *table;
	const json_t *one;
	size_t i;

	table = table_new("SERVICE >HIT_RATIO >REQUESTS >HITS >STALE >MISSES >PASSED >SENT");
	json_array_foreach(services, i, one)
	{
		static const char *const keys[] = { "requests", "hits", "stale", "misses",
						    "passed" };
		char text[NUMBER_TEXT_SIZE];

		table_cell(table, "%s", json_string_value(json_object_get(one, "service")));
		table_cell(table, "%.1f%%",
			   100 * json_real_value(json_object_get(one, "hit_ratio")));
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			table_cell(table, "%s", number_group(cache_number(one, keys[k]), text));
		table_cell(table, "%s", number_bytes(cache_number(one, "bytes_out"), text));
	}
	return print_table(table);
}

static int status(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	char bytes[NUMBER_TEXT_SIZE], limit[NUMBER_TEXT_SIZE];
	struct table *table;
	int code = words_end(words);
	const json_t *second;
	const char *word;
	json_t *count;
	double bypass;

	if (!code)
		code = cache_ask(ctl, "status\n", &json);
	if (code)
		return code;
	if (ctl->is_json)
		return print_json(json_incref(json));
	(void)printf("hit ratio %.1f%%, %s pages in %s of %s\n",
		     100 * json_real_value(json_object_get(json, "hit_ratio")),
		     number_group(cache_number(json, "objects"), (char[NUMBER_TEXT_SIZE]){ 0 }),
		     number_bytes(cache_number(json, "bytes"), bytes),
		     number_bytes(cache_number(json, "limit"), limit));
	bypass = json_real_value(json_object_get(json, "bypass_ratio"));
	if (bypass > 0)
		note(ctl,
		     "it has too much to do, and leaves %.0f%% of new connections to the backends",
		     100 * bypass);
	second = json_object_get(json, "second_tier");
	if (cache_number(second, "resting_threads"))
		note(ctl, "Redis does not answer, and is not asked for a while");
	table = table_new("WHAT >COUNT");
	row(table, json, "requests", "requests");
	row(table, json, "hits", "hits");
	row(table, json, "hits while stale", "stale");
	row(table, json, "misses", "misses");
	row(table, json, "misses that waited for another's fetch", "collapsed");
	row(table, json, "renewed by a 304", "revalidated");
	row(table, json, "passed by", "passed");
	row(table, json, "refused as malformed or too many", "refused");
	row(table, json, "answered 502 or 504", "errors");
	row(table, json, "fetches from backends", "fetches");
	row(table, json, "pages evicted", "evicted");
	row(table, json, "connections now", "connections");
	if (json_is_object(second)) {
		row(table, second, "misses asked of Redis", "asked");
		row(table, second, "pages that came from there", "hits");
		row(table, second, "pages kept there", "kept");
		row(table, second, "answers that came too late or not at all", "failures");
	}
	json_object_foreach(json_object_get(json, "not_stored"), word, count)
	{
		table_cell(table, "not stored: %s", word);
		table_cell(table, "%lld", (long long)json_integer_value(count));
	}
	code = print_table(table);
	if (code || !json_array_size(json_object_get(json, "services")))
		return code;
	(void)putchar('\n');
	return print_services(json_object_get(json, "services"));
}

static int print_pages(const struct lbctl *ctl, json_t *json)
{
	struct table *table;
	json_t *page;
	size_t i;

	if (ctl->is_json)
		return print_json(json_incref(json));
	table = table_new(">HITS >BYTES >TTL STATE URL");
	json_array_foreach(json_object_get(json, "pages"), i, page)
	{
		const json_t *why = json_object_get(page, "why");
		char text[NUMBER_TEXT_SIZE];

		table_cell(table, "%s", number_group(cache_number(page, "hits"), text));
		table_cell(table, "%s", number_bytes(cache_number(page, "bytes"), text));
		table_cell(table, "%llds",
			   (long long)json_integer_value(json_object_get(page, "ttl_s")));
		if (why)
			table_cell(table, "not stored: %s", json_string_value(why));
		else
			table_cell(table, "%llu", (unsigned long long)cache_number(page, "status"));
		table_cell(table, "%s", json_string_value(json_object_get(page, "url")));
	}
	return print_table(table);
}

static int hot(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	const char *word = word_take(words);
	char line[32];
	__u32 count = 20;
	int code = words_end(words);

	if (!code && word && word_number(word, 1, 1000, &count))
		return refuse_usage("cache hot: count '%s' is not possible, expected 1 to 1000",
				    word);
	(void)snprintf(line, sizeof(line), "hot %u\n", count);
	if (!code)
		code = cache_ask(ctl, line, &json);
	return code ? code : print_pages(ctl, json);
}

static bool is_sendable(const char *text)
{
	return strlen(text) < LINE_MAX_SIZE - 64 && !strpbrk(text, "\r\n");
}

static int why(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	const char *url = word_need(words, "the URL");
	char line[LINE_MAX_SIZE];
	json_t *note_text;
	size_t i;
	int code = url ? words_end(words) : EXIT_USAGE;

	if (code)
		return code;
	if (!is_sendable(url))
		return refuse_usage("cache why: this is no URL");
	(void)snprintf(line, sizeof(line), "why %s\n", url);
	code = cache_ask(ctl, line, &json);
	if (code)
		return code;
	if (json_array_size(json_object_get(json, "pages")) || ctl->is_json)
		code = print_pages(ctl, json);
	if (ctl->is_json)
		return code;
	json_array_foreach(json_object_get(json, "notes"), i, note_text)(void)
		printf("%s\n", json_string_value(note_text));
	return code;
}

static int purge(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	const char *what = "url", *text = word_need(words, "a URL, or prefix URL, or tag NAME");
	char line[LINE_MAX_SIZE];
	const char *how = "hard";
	const json_t *second;
	uint64_t under_way;
	int code;

	if (text && (!strcmp(text, "prefix") || !strcmp(text, "tag") || !strcmp(text, "--tag"))) {
		what = text[0] == 'p' ? "prefix" : "tag";
		text = word_need(words, what);
	}
	if (!text)
		return EXIT_USAGE;
	if (*words->next && !strcmp(*words->next, "soft"))
		how = word_take(words);
	code = words_end(words);
	if (code)
		return code;
	if (!is_sendable(text))
		return refuse_usage("cache purge: '%.64s' is not possible", text);
	(void)snprintf(line, sizeof(line), "purge %s %s %s\n", how, what, text);
	code = cache_ask(ctl, line, &json);
	if (code)
		return code;
	if (ctl->is_json)
		return print_json(json_incref(json));
	second = json_object_get(json, "second_tier_purged");
	if (second && !json_is_true(second))
		note(ctl, "the second tier was not reached: pages that it still has may come back "
			  "from there");
	under_way = cache_number(json, "under_way");
	if (!cache_number(json, "purged") && !under_way && !json_is_true(second))
		return refuse("nothing is stored for %s %s", what, text);
	(void)printf("%llu pages %s\n", (unsigned long long)cache_number(json, "purged"),
		     !strcmp(how, "soft") ? "made stale" : "removed");
	if (under_way)
		note(ctl, "%llu more are on their way from a backend and will not be kept",
		     (unsigned long long)under_way);
	return EXIT_OK;
}

const struct command cmd_cache = {
	.name = "cache",
	.summary = "Hot pages: which services lbcache serves, what it holds, and purging",
	.details =
		"'on' sends the service's connections to lbcache while that is alive, and to "
		"the\n"
		"backends otherwise. 'ttl' is for pages that say nothing about it themselves; a "
		"rule\n"
		"is for paths that begin so. 'off' keeps ttl, rules and certificates.\n"
		"A rule's OPTIONS: [ttl T] [negative T] [stale T] [stale-if-error T] [cookie "
		"ignore|pass]\n"
		"[set-cookie strip|pass] [query sort] [query-drop NAME[,NAME*]] [collapse "
		"on|off];\n"
		"'default' takes one back.\n"
		"With 'tls' clients are met in TLS by these certificates, and backends are "
		"asked in "
		"TLS:\n"
		"they need certificates for the same names, since clients come to them when "
		"lbcache "
		"is\n"
		"away. Theirs must be one of these, or issued by who is in FILE of 'verify'.\n"
		"'redis' names a second tier: what one balancer has had rendered the others need "
		"not.\n"
		"'why' says what is known of a page. 'purge' removes it, 'soft' makes it stale, "
		"so\n"
		"that it is asked for again but still there if the backends fail. Tags are "
		"those of\n"
		"Surrogate-Key and Cache-Tag.\n",
	.verbs =
		(const struct verb[]){
			{ "status", "show", "", status },
			{ "on", NULL,
			  "SERVICE [ttl T] [tls FILES|off [key FILES] [verify on|off|FILE]]",
			  cache_on },
			{ "off", NULL, "SERVICE", cache_off },
			{ "rule", NULL, "SERVICE PREFIX pass|del|OPTIONS", cache_rule },
			{ "list", NULL, "[SERVICE]", cache_list },
			{ "redis", NULL, "[ADDR:PORT|off]", cache_redis },
			{ "hot", NULL, "[COUNT]", hot },
			{ "why", NULL, "URL", why },
			{ "purge", NULL, "URL|prefix URL|tag NAME [soft]", purge },
			{ 0 },
		},
};
