// SPDX-License-Identifier: GPL-2.0-only
/* lbctl health: how backends are checked, what lbd has found out, and what it told before. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lbctl.h"

#define OPTIONS                                                                                    \
	"[every D] [timeout D] [rise N] [fall N] [port N] [via datapath|direct] "                  \
	"[get PATH] [host H] [status LOW[-HIGH]] "                                                 \
	"[body TEXT] [verify on|off] [ca FILE] [send TEXT] [expect TEXT] [command CMD] "           \
	"[passive on|off] [on-all-down any|drop|reject] [slow-start D]"

static struct lb_health_config *as_health(void *into)
{
	return into;
}

static int take_text(char out[LB_CHECK_TEXT_SIZE], const char *value)
{
	if (strlen(value) >= LB_CHECK_TEXT_SIZE)
		return -ERANGE;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int take_small(__u16 *out, const char *value, __u32 low, __u32 high)
{
	__u32 number;
	int ret = word_number(value, low, high, &number);

	if (!ret)
		*out = (__u16)number;
	return ret;
}

static int take_every(void *into, const char *value)
{
	return lb_duration_parse(value, &as_health(into)->interval_ms);
}

static int take_timeout(void *into, const char *value)
{
	return lb_duration_parse(value, &as_health(into)->timeout_ms);
}

static int take_slow_start(void *into, const char *value)
{
	return lb_duration_parse(value, &as_health(into)->slow_start_ms);
}

static int take_rise(void *into, const char *value)
{
	return take_small(&as_health(into)->rise, value, 1, 100);
}

static int take_fall(void *into, const char *value)
{
	return take_small(&as_health(into)->fall, value, 1, 100);
}

static int take_port(void *into, const char *value)
{
	return take_small(&as_health(into)->port, value, 0, 65535);
}

static int take_path(void *into, const char *value)
{
	return take_text(as_health(into)->path, value);
}

static int take_host(void *into, const char *value)
{
	return take_text(as_health(into)->host, value);
}

static int take_status(void *into, const char *value)
{
	return lb_status_range_parse(value, &as_health(into)->status_low,
				     &as_health(into)->status_high);
}

static int take_body(void *into, const char *value)
{
	return take_text(as_health(into)->body, value);
}

static int take_verify(void *into, const char *value)
{
	return word_switch(value, &as_health(into)->is_verified);
}

static int take_passive(void *into, const char *value)
{
	return word_switch(value, &as_health(into)->is_passive);
}

static int take_ca(void *into, const char *value)
{
	return take_text(as_health(into)->ca, value);
}

static int take_send(void *into, const char *value)
{
	return take_text(as_health(into)->send, value);
}

static int take_expect(void *into, const char *value)
{
	return take_text(as_health(into)->expect, value);
}

static int take_command(void *into, const char *value)
{
	return take_text(as_health(into)->command, value);
}

static int take_all_down(void *into, const char *value)
{
	return lb_all_down_parse(value, &as_health(into)->on_all_down);
}

static int take_via(void *into, const char *value)
{
	return lb_via_parse(value, &as_health(into)->via);
}

static const struct setting settings[] = {
	{ "every", "a duration as 2s or 500ms", take_every },
	{ "timeout", "a duration as 1s or 500ms", take_timeout },
	{ "rise", "a number from 1 to 100", take_rise },
	{ "fall", "a number from 1 to 100", take_fall },
	{ "port", "a port, or 0 for the backend's", take_port },
	{ "via", "datapath or direct", take_via },
	{ "get", "a path as /healthz", take_path },
	{ "host", "a name", take_host },
	{ "status", "an HTTP status as 200 or 200-399", take_status },
	{ "body", "a text of at most 255 characters", take_body },
	{ "verify", "on or off", take_verify },
	{ "ca", "a file of certificates", take_ca },
	{ "send", "a text of at most 255 characters", take_send },
	{ "expect", "a text of at most 255 characters", take_expect },
	{ "command", "a command for /bin/sh, at most 255 characters", take_command },
	{ "passive", "on or off", take_passive },
	{ "on-all-down", "any, drop or reject", take_all_down },
	{ "slow-start", "a duration as 30s, or 0", take_slow_start },
	{ 0 },
};

/* Reads [TYPE] and the settings into health; changed says whether there was a word at all. */
static int read_words(struct words *words, struct lb_health_config *health, bool *is_changed)
{
	enum lb_check_type type;

	*is_changed = *words->next;
	if (*words->next && !lb_check_type_parse(*words->next, &type)) {
		lb_health_config_init(health, type);
		words->next++;
	}
	return words_settings(words, settings, health);
}

static int set(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config *service;
	struct lb_health_config scratch;
	bool is_changed, was_on;
	char **rest;
	int code;

	if (!name)
		return EXIT_USAGE;
	rest = words->next;
	lb_health_config_init(&scratch, LB_CHECK_NONE);
	/* Once for the words alone, so that a usage error does not wait for the lock. */
	code = read_words(words, &scratch, &is_changed);
	if (!code && !is_changed)
		return refuse_usage("health set: nothing to change is named, expected a type (tcp, "
				    "http, https, dns, udp, ping, exec, none) or a setting");
	if (!code)
		code = session_begin(&session, ctl, true);
	if (!code)
		code = session_find_service(&session, name, &service);
	if (code)
		return code;
	words->next = rest;
	was_on = lb_health_is_on(&service->health);
	(void)read_words(words, &service->health, &is_changed);
	if (!was_on && !lb_health_is_on(&service->health) && strcmp(*rest, "none"))
		return refuse("service %s has no health check yet; name a type first, as in 'lbctl "
			      "health set %s tcp', or 'passive on'",
			      name, name);
	code = session_change(&session, "set", name, NULL);
	if (!code && lb_health_is_on(&service->health) && !lb_daemon_is_running(session.lb))
		note(ctl, "lbd is not running, so nothing is checked: start it with 'lbd'");
	return code;
}

/* hint: the number of the backend shown last; the next one's is most often one more. */
static void list_service(const struct session *session, const struct lb_service_config *service,
			 __u32 *hint, struct table *table, json_t *array)
{
	for (unsigned int i = 0; i < service->backend_count; i++) {
		const struct lb_backend_config *backend = &service->backends[i];
		struct lb_backend_health health = { 0 };
		bool is_known;

		(*hint)++;
		is_known = !lb_get_health(session->lb, service->name, &backend->addr,
					  lb_backend_port(service, backend), hint, &health);
		if (array)
			(void)json_array_append_new(
				array, health_json(service, backend, is_known ? &health : NULL));
		else
			health_row(table, service, backend, is_known ? &health : NULL);
	}
}

static int list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	const char *name = word_take(words);
	struct lb_service_config *only = NULL;
	struct table *table = NULL;
	json_t *array = NULL;
	bool has_checks = false;
	int code = words_end(words);
	__u32 hint = ~0u;

	if (!code)
		code = session_begin(&session, ctl, false);
	if (!code && name)
		code = session_find_service(&session, name, &only);
	if (code)
		return code;
	if (ctl->is_json)
		array = json_array();
	else
		table = health_table();
	for (unsigned int i = 0; i < session.config->service_count; i++) {
		const struct lb_service_config *service = &session.config->services[i];

		if (only && only != service)
			continue;
		has_checks |= lb_health_is_on(&service->health);
		list_service(&session, service, &hint, table, array);
	}
	code = ctl->is_json ? print_json(array) : print_table(table);
	if (has_checks && !lb_daemon_is_running(session.lb))
		note(ctl, "lbd is not running: this is what it found out last");
	return code;
}

struct log {
	const char *service; /* NULL: all */
	json_t *array;	     /* NULL: text */
	bool is_known;	     /* the service: it has events */
};

static int log_event(const struct lb_event *event, void *arg)
{
	struct log *log = arg;

	if (log->service && strcmp(log->service, event->service))
		return 0;
	log->is_known = true;
	if (log->array)
		(void)json_array_append_new(log->array, event_json(event));
	else
		event_print(event, stdout);
	return 0;
}

static int show_log(const struct lbctl *ctl, struct words *words)
{
	struct log log = { .service = word_take(words), .array = NULL };
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config *service;
	int ret, code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	if (ctl->is_json)
		log.array = json_array();
	ret = lb_walk_events(session.lb, 0, log_event, &log, &session.err);
	/* One that was removed may have events still. */
	if (log.service && !log.is_known)
		code = session_find_service(&session, log.service, &service);
	if (!code && ret)
		code = refuse_error(&session.err);
	if (!code && log.array)
		return print_json(log.array);
	json_decref(log.array);
	return code;
}

const struct command cmd_health = {
	.name = "health",
	.summary = "Health checks of backends, done by lbd",
	.details =
		"A service has one kind of check: tcp (connects), http, https (asks for 'get'), "
		"dns,\n"
		"udp (sends, expects an answer), ping, exec (a command), or none.\n"
		"every        from one check to the next (2s)\n"
		"timeout      of one check (1s, at most 'every')\n"
		"rise, fall   results in a row that bring a backend up (2) or down (3)\n"
		"via          the way of clients' packets, to the service's address and back, or "
		"'direct'\n"
		"             the host's own way to the backend (datapath)\n"
		"passive      live connections count too: when some in a row fail, a backend is "
		"down at\n"
		"             once (off); without a type it comes back by a trial\n"
		"on-all-down  when all are down: go on with 'any' (the default), 'drop', or "
		"'reject'\n"
		"slow-start   time in which a recovered or new backend gets its whole weight (0)\n"
		"A backend that is down keeps its weight and gets no new connections.\n",
	.verbs =
		(const struct verb[]){
			{ "list", "show", "[SERVICE]", list },
			{ "set", NULL, "SERVICE [tcp|http|https|dns|udp|ping|exec|none] " OPTIONS,
			  set },
			{ "log", NULL, "[SERVICE]", show_log },
			{ 0 },
		},
};
