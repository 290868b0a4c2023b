// SPDX-License-Identifier: GPL-2.0-only
/* lbctl backend: the servers behind a service, edited in the document and put into force. */
#include <errno.h>
#include <string.h>

#include "lbctl.h"

static int take_weight(void *into, const char *value)
{
	struct lb_backend_config *backend = into;
	__u32 weight;
	int ret = word_number(value, 0, 65535, &weight);

	if (!ret)
		backend->weight = (__u16)weight;
	return ret;
}

static int take_mode(void *into, const char *value)
{
	struct lb_backend_config *backend = into;

	if (strcmp(value, "inherit"))
		return lb_mode_parse(value, &backend->mode);
	backend->mode = LB_MODE_INHERIT;
	return 0;
}

static int take_server_id(void *into, const char *value)
{
	struct lb_backend_config *backend = into;

	backend->server_id = 0;
	backend->has_server_id = strcmp(value, "none") != 0;
	return backend->has_server_id ? word_number(value, 0, 0xffffffffu, &backend->server_id) : 0;
}

static const struct setting settings[] = {
	{ "weight", "a number from 0 to 65535", take_weight },
	{ "mode", "fullnat, nat, local, dsr, ipip, gue or inherit", take_mode },
	{ "server-id", "a number from 0 to 4294967295, or 'none'", take_server_id },
	{ 0 },
};

/* SERVICE ADDR[:PORT] */
static int read_names(struct words *words, const char **service, const char **address)
{
	*service = word_need(words, "the service's name");
	*address = *service ? word_need(words, "the backend's address") : NULL;
	return *address ? EXIT_OK : EXIT_USAGE;
}

static int add(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_backend_config backend;
	struct lb_service_config *service;
	char text[LB_ADDR_TEXT_SIZE];
	const char *name, *address;
	bool has_port;
	int code = read_names(words, &name, &address);

	if (code)
		return code;
	lb_backend_config_init(&backend);
	if (lb_endpoint_parse(address, &backend.addr, &backend.port, &has_port, &session.err))
		return refuse_usage("backend add: %s", session.err.text);
	code = words_settings(words, settings, &backend);
	if (!code)
		code = session_begin(&session, ctl, true);
	if (!code)
		code = session_find_service(&session, name, &service);
	if (code)
		return code;
	if (lb_config_add_backend(session.config, service, &backend, &session.err))
		return refuse_error(&session.err);
	lb_endpoint_format(&backend.addr, lb_backend_port(service, &backend), text);
	code = session_change(&session, "add", name, text);
	if (!code)
		session_note_slots(ctl, session.config, name);
	return code;
}

/* Opens for a change and finds the backend that the words name. */
static int begin_with(struct session *session, const struct lbctl *ctl, const char *name,
		      const char *address, struct lb_service_config **service,
		      struct lb_backend_config **backend)
{
	int code = session_begin(session, ctl, true);

	if (!code)
		code = session_find_service(session, name, service);
	if (!code)
		code = session_find_backend(*service, address, backend);
	return code;
}

static int commit_backend(struct session *session, const char *action,
			  const struct lb_service_config *service,
			  const struct lb_backend_config *backend)
{
	char text[LB_ADDR_TEXT_SIZE];

	lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text);
	return session_change(session, action, service->name, text);
}

static int set(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_backend_config scratch, *backend;
	struct lb_service_config *service;
	const char *name, *address;
	char **rest;
	int code = read_names(words, &name, &address);

	if (code)
		return code;
	if (!*words->next)
		return refuse_usage("backend set: nothing to change is named, expected weight N, "
				    "mode M or server-id N");
	/* Once for the words alone, so that a usage error does not wait for the lock. */
	rest = words->next;
	code = words_settings(words, settings, &scratch);
	if (!code)
		code = begin_with(&session, ctl, name, address, &service, &backend);
	if (code)
		return code;
	words->next = rest;
	(void)words_settings(words, settings, backend);
	return commit_backend(&session, "set", service, backend);
}

static int set_drained(const struct lbctl *ctl, struct words *words, bool is_drained)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_backend_config *backend;
	struct lb_service_config *service;
	const char *name, *address;
	int code = read_names(words, &name, &address);

	if (!code)
		code = words_end(words);
	if (!code)
		code = begin_with(&session, ctl, name, address, &service, &backend);
	if (code)
		return code;
	backend->is_drained = is_drained;
	return commit_backend(&session, is_drained ? "drain" : "ready", service, backend);
}

static int drain(const struct lbctl *ctl, struct words *words)
{
	return set_drained(ctl, words, true);
}

static int ready(const struct lbctl *ctl, struct words *words)
{
	return set_drained(ctl, words, false);
}

static int del(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_backend_config *backend;
	struct lb_service_config *service;
	char text[LB_ADDR_TEXT_SIZE];
	const char *name, *address;
	int code = read_names(words, &name, &address);

	if (!code)
		code = words_end(words);
	if (!code)
		code = begin_with(&session, ctl, name, address, &service, &backend);
	if (code)
		return code;
	lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text);
	lb_config_del_backend(service, backend);
	return session_change(&session, "del", name, text);
}

static void list_service(const struct lbctl *ctl, const struct lb_service_config *service,
			 const struct lb_stats *earlier, const struct lb_stats *stats,
			 struct table *table, json_t *array)
{
	const struct lb_service_state *state = find_service_state(stats, service->name);

	for (unsigned int i = 0; i < service->backend_count; i++) {
		const struct lb_backend_config *backend = &service->backends[i];
		const struct lb_backend_state *live = find_backend_state(
			state, &backend->addr, lb_backend_port(service, backend), i);

		if (array)
			(void)json_array_append_new(array, backend_json(service, backend, live));
		else
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
	json_t *array = NULL;
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
		array = json_array();
	else
		table = backend_table(ctl);
	for (unsigned int i = 0; i < session.config->service_count; i++) {
		const struct lb_service_config *service = &session.config->services[i];

		if (!only || only == service)
			list_service(ctl, service, earlier, stats, table, array);
	}
	return ctl->is_json ? print_json(array) : print_table(table);
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
