// SPDX-License-Identifier: GPL-2.0-only
/* lbctl backend: the servers behind a service, edited in the document and put into force. */
#include "edit/backend.h"
#include "lbctl.h"

static int change(const struct lbctl *ctl, struct words *words, enum backend_action action)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct backend_edit edit;
	char text[LB_ADDR_TEXT_SIZE];
	int code;

	if (backend_edit_read(&edit, action, words, &session.err))
		return refuse_usage("%s", session.err.text);
	code = session_begin(&session, ctl, true);
	if (code)
		return code;
	if (backend_edit_apply(&edit, session.config, text, &session.err))
		return refuse_error(&session.err);
	code = session_change(&session, backend_action_name(action), edit.service, text);
	if (!code && action == BACKEND_ADD)
		session_note_slots(ctl, session.config, edit.service);
	return code;
}

static int add(const struct lbctl *ctl, struct words *words)
{
	return change(ctl, words, BACKEND_ADD);
}

static int set(const struct lbctl *ctl, struct words *words)
{
	return change(ctl, words, BACKEND_SET);
}

static int drain(const struct lbctl *ctl, struct words *words)
{
	return change(ctl, words, BACKEND_DRAIN);
}

static int ready(const struct lbctl *ctl, struct words *words)
{
	return change(ctl, words, BACKEND_READY);
}

static int del(const struct lbctl *ctl, struct words *words)
{
	return change(ctl, words, BACKEND_DEL);
}

static void list_service(const struct lbctl *ctl, const struct lb_service_config *service,
			 const struct lb_stats *earlier, const struct lb_stats *stats,
			 struct table *table)
{
	const struct lb_service_state *state = find_service_state(stats, service->name);

	for (unsigned int i = 0; i < service->backend_count; i++) {
		const struct lb_backend_config *backend = &service->backends[i];
		const struct lb_backend_state *live = find_backend_state(
			state, &backend->addr, lb_backend_port(service, backend), i);

		backend_row(ctl, table, service, backend, live,
			    rate_of_backend(earlier, service->name, live));
	}
}

static int list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL, *earlier = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	const char *name = word_take(words);
	struct lb_service_config *only = NULL;
	struct table *table = NULL;
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (!code && name)
		code = session_find_service(&session, name, &only);
	if (!code && ctl->is_json)
		code = session_stats(&session, &stats);
	else if (!code)
		code = session_two_stats(&session, &earlier, &stats);
	if (code)
		return code;
	if (ctl->is_json)
		return print_json(backend_list_json(session.config, only, stats));
	table = backend_table(ctl);
	for (unsigned int i = 0; i < session.config->service_count; i++) {
		const struct lb_service_config *service = &session.config->services[i];

		if (!only || only == service)
			list_service(ctl, service, earlier, stats, table);
	}
	return print_table(table);
}

const struct command cmd_backend = {
	.name = "backend",
	.alias = "be",
	.summary = "Backends: the servers behind a service",
	.details =
		"weight  share of new connections, 0 to 65535 (1); 0 gives none\n"
		"mode    fullnat, nat, dsr, ipip or gue; the service's, if not given or 'inherit'\n"
		"The port is the service's, if not given. 'drain' gives no new connections and\n"
		"keeps the ones there are; 'ready' takes it back.\n",
	.verbs =
		(const struct verb[]){
			{ "list", "show", "[SERVICE]", list },
			{ "add", NULL, "SERVICE ADDR[:PORT] [weight N] [mode M]", add },
			{ "set", NULL, "SERVICE ADDR[:PORT] [weight N] [mode M|inherit]", set },
			{ "drain", NULL, "SERVICE ADDR[:PORT]", drain },
			{ "ready", NULL, "SERVICE ADDR[:PORT]", ready },
			{ "del", NULL, "SERVICE ADDR[:PORT]", del },
			{ 0 },
		},
};
