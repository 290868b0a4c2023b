// SPDX-License-Identifier: GPL-2.0-only
/* lbctl stats: what became of the packets, by service, backend and reason. Live figures only. */
#include <errno.h>
#include <stdio.h>

#include "lbctl.h"

static int print_services(const struct lbctl *ctl, const struct lb_stats *stats)
{
	struct table *table = service_table(ctl);

	for (unsigned int i = 0; i < stats->service_count; i++) {
		const struct lb_service_state *state = &stats->services[i];

		service_row(ctl, table, &state->config, state->backend_count, state);
	}
	return print_table(table);
}

static int print_backends(const struct lbctl *ctl, const struct lb_stats *earlier,
			  const struct lb_stats *stats)
{
	struct table *table = backend_table(ctl);

	for (unsigned int i = 0; i < stats->service_count; i++) {
		const struct lb_service_state *state = &stats->services[i];

		for (unsigned int j = 0; j < state->backend_count; j++)
			backend_row(
				ctl, table, &state->config, &state->backends[j].config,
				&state->backends[j],
				rate_of_backend(earlier, state->config.name, &state->backends[j]));
	}
	return print_table(table);
}

static void print_accounted(const struct lb_stats *stats)
{
	char a[NUMBER_TEXT_SIZE], b[NUMBER_TEXT_SIZE], c[NUMBER_TEXT_SIZE], d[NUMBER_TEXT_SIZE];

	(void)printf("accounted: received %s = sent %s + passed %s + dropped %s   %s\n",
		     number_group(stats->received, a), number_group(stats->sent, b),
		     number_group(stats->passed, c), number_group(stats->dropped, d),
		     stats->is_accounted ? "ok" : "NOT EQUAL");
}

/*
 * The common part: no more words, something attached. earlier NULL: no rates are shown; nor are
 * they in JSON, and then *earlier stays NULL.
 */
static int begin(const struct lbctl *ctl, struct words *words, struct session *session,
		 struct lb_stats **earlier, struct lb_stats **stats)
{
	int code = words_end(words);

	if (!code)
		code = session_begin(session, ctl, false);
	if (!code && earlier && !ctl->is_json)
		code = session_two_stats(session, earlier, stats);
	return code || *stats ? code : session_need_stats(session, stats);
}

static void print_cache(const struct session *session, const struct lb_stats *stats)
{
	char hits[NUMBER_TEXT_SIZE], stale[NUMBER_TEXT_SIZE], misses[NUMBER_TEXT_SIZE];
	char bytes[NUMBER_TEXT_SIZE], limit[NUMBER_TEXT_SIZE];
	const struct lb_cache_counts *counts = &stats->cache.counts;

	if (!stats->is_cached)
		return;
	if (!stats->cache.is_running) {
		(void)printf("cache: not running\n");
		note(session->ctl,
		     "lbcache does not answer, so new connections go to the backends: "
		     "'lbctl cache status' says why");
		return;
	}
	(void)printf("cache: hit ratio %.1f%%, hits %s, stale hits %s, misses %s, %s of %s held\n",
		     100 * lb_cache_hit_ratio(counts), number_group(counts->hits, hits),
		     number_group(counts->stale, stale), number_group(counts->misses, misses),
		     number_bytes(counts->bytes, bytes), number_bytes(counts->limit, limit));
}

static int all(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL, *earlier = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	char used[NUMBER_TEXT_SIZE], limit[NUMBER_TEXT_SIZE];
	int code = begin(ctl, words, &session, &earlier, &stats);

	if (code)
		return code;
	if (ctl->is_json)
		return print_json(stats_json(stats));
	code = print_services(ctl, stats);
	(void)putchar('\n');
	if (!code)
		code = print_backends(ctl, earlier, stats);
	(void)printf("\nflows: %s of %s entries in use\n", number_group(stats->flows, used),
		     number_group(stats->flows_limit, limit));
	print_cache(&session, stats);
	print_accounted(stats);
	return code;
}

static int services(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	int code = begin(ctl, words, &session, NULL, &stats);

	if (code)
		return code;
	return ctl->is_json ? print_json(services_json(stats)) : print_services(ctl, stats);
}

static int backends(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL, *earlier = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	int code = begin(ctl, words, &session, &earlier, &stats);

	if (code)
		return code;
	return ctl->is_json ? print_json(backends_json(stats))
			    : print_backends(ctl, earlier, stats);
}

/* Whose packets had this reason: the service, if it is one only. */
static void service_cell(struct table *table, const struct lb_stats *stats, enum lb_reason reason)
{
	const char *name = "-";
	unsigned int count = 0;

	for (unsigned int i = 0; i < stats->service_count; i++) {
		if (!stats->services[i].reasons[reason])
			continue;
		name = stats->services[i].config.name;
		count++;
	}
	if (count > 1)
		table_cell(table, "%u services", count);
	else
		table_cell(table, "%s", name);
}

static void last_cell(struct table *table, __u64 ms)
{
	char text[NUMBER_TEXT_SIZE];

	if (ms == LB_UNKNOWN)
		table_cell(table, "-");
	else
		table_cell(table, "%s ago", number_duration(ms, text));
}

/* What was not sent and did occur; with -s every reason. */
static int print_reasons(const struct lbctl *ctl, const struct lb_stats *earlier,
			 const struct lb_stats *stats)
{
	struct table *table = table_new("REASON >PACKETS >RATE >LAST VERDICT SERVICE HINT");
	char text[NUMBER_TEXT_SIZE];

	for (enum lb_reason reason = LB_R_NONE + 1; reason < LB_R_COUNT; reason++) {
		enum lb_verdict verdict = lb_reason_verdict(reason);
		const __u64 fresh = stats->reasons[reason] - earlier->reasons[reason];

		if (!ctl->is_verbose && (verdict == LB_SENT || !stats->reasons[reason]))
			continue;
		table_cell(table, "%s", lb_reason_name(reason));
		table_cell(table, "%s", number_group(stats->reasons[reason], text));
		table_cell(table, "%s/s", number_group(rate_of(fresh), text));
		last_cell(table, stats->dropped_ms[reason]);
		table_cell(table, "%s", verdict_name(verdict));
		service_cell(table, stats, reason);
		table_cell(table, "%s", lb_reason_text(reason));
	}
	return print_table(table);
}

static int drops(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL, *earlier = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	int code = begin(ctl, words, &session, &earlier, &stats);

	if (code)
		return code;
	if (ctl->is_json)
		return print_json(reasons_json(stats));
	code = print_reasons(ctl, earlier, stats);
	if (!code)
		print_accounted(stats);
	return code;
}

static int maps(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_status_free_p) struct lb_status *status = NULL;
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	int code = begin(ctl, words, &session, NULL, &stats);

	if (code)
		return code;
	if (lb_get_status(session.lb, &status, &session.err))
		return refuse_error(&session.err);
	return print_maps(ctl, status);
}

const struct command cmd_stats = {
	.name = "stats",
	.summary = "Live figures: what became of the packets",
	.details = "'drops' lists by reason what was not sent, how fast, and a hint; with -s all\n"
		   "reasons. Every packet is in one of them: received = sent + passed + dropped.\n",
	.verbs =
		(const struct verb[]){
			{ "all", "show", "", all },
			{ "services", NULL, "", services },
			{ "backends", NULL, "", backends },
			{ "drops", NULL, "", drops },
			{ "maps", NULL, "", maps },
			{ 0 },
		},
};
