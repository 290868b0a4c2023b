// SPDX-License-Identifier: GPL-2.0-only
/* lbctl config: the whole document, read, compared, and put into force in one step. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache_tls.h"
#include "config_diff.h"
#include "lbctl.h"

#define SAVE_DIRECTORY "/etc/lbctl"
#define SAVE_PATH SAVE_DIRECTORY "/lb.yaml"

/* The whole of stdin; NULL when out of memory. */
static char *read_stdin(size_t *length)
{
	size_t used = 0, size = 65536;
	char *text = malloc(size), *grown;

	while (text) {
		used += fread(text + used, 1, size - used, stdin);
		if (used < size)
			break;
		size *= 2;
		grown = realloc(text, size);
		if (!grown)
			free(text);
		text = grown;
	}
	*length = used;
	return text;
}

/* '-' is stdin. */
static int load(const char *path, struct lb_config **out)
{
	struct lb_error err;
	size_t length;
	char *text;
	int ret;

	if (strcmp(path, "-")) {
		ret = lb_config_read(out, path, &err);
		return ret ? refuse_error(&err) : EXIT_OK;
	}
	text = read_stdin(&length);
	if (!text)
		return refuse("out of memory");
	ret = lb_config_parse(out, text, length, "stdin", &err);
	free(text);
	return ret ? refuse_error(&err) : EXIT_OK;
}

static int show(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	if (ctl->is_json)
		return print_json(config_json(session.config));
	return lb_config_print(session.config, stdout) ? refuse("the output cannot be written")
						       : EXIT_OK;
}

static int save(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	const char *path = word_take(words);
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	if (path && !strcmp(path, "-"))
		return lb_config_print(session.config, stdout)
			       ? refuse("the output cannot be written")
			       : EXIT_OK;
	if (!path && mkdir(SAVE_DIRECTORY, 0755) && errno != EEXIST)
		return refuse("%s: cannot be made: %s", SAVE_DIRECTORY, strerror(errno));
	if (!path)
		path = SAVE_PATH;
	if (lb_config_write(session.config, path, &session.err))
		return refuse_error(&session.err);
	if (ctl->is_json)
		return print_json(json_pack("{s:s, s:i}", "file", path, "services",
					    (int)session.config->service_count));
	if (!ctl->is_quiet)
		(void)printf("%s: saved, services %u\n", path, session.config->service_count);
	return EXIT_OK;
}

static const char *action_name(char action)
{
	return action == '+' ? "add" : action == '-' ? "remove" : action == '~' ? "change" : "none";
}

static json_t *plan_json(const struct lb_plan *plan)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < plan->service_count; i++) {
		const struct lb_service_plan *service = &plan->services[i];
		double share = service->slots ? 100.0 * service->moved / service->slots : 0;

		(void)json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:i, s:i, s:f, s:i, s:i, s:i}", "service",
				  service->name, "action", action_name(service->action), "slots",
				  (int)service->slots, "moved", (int)service->moved,
				  "moved_percent", share, "added", (int)service->added, "removed",
				  (int)service->removed, "changed", (int)service->changed));
	}
	return array;
}

static void print_plan(const struct lbctl *ctl, const struct lb_plan *plan)
{
	char share[NUMBER_TEXT_SIZE], slots[NUMBER_TEXT_SIZE];

	for (unsigned int i = 0; i < plan->service_count; i++) {
		const struct lb_service_plan *service = &plan->services[i];

		if (service->action == ' ' && !ctl->is_verbose)
			continue;
		(void)printf("%c %s: ", service->action, service->name);
		if (service->action == '-')
			(void)printf("removed, backends %u\n", service->removed);
		else if (service->action == '+')
			(void)printf("new, backends %u\n", service->added);
		else
			(void)printf("backends %u added, %u removed, %u changed; %s of %s slots "
				     "move\n",
				     service->added, service->removed, service->changed,
				     number_share(service->moved, service->slots, share),
				     number_group(service->slots, slots));
	}
	if (!plan->is_change)
		(void)printf("no change\n");
}

static int apply(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_config_free_p) struct lb_config *config = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	CLEANUP(lb_plan_free_p) struct lb_plan *plan = NULL;
	const char *path = word_need(words, "the file ('-' for stdin)");
	const char *word = path ? word_take(words) : NULL;
	bool is_dry = word && (!strcmp(word, "dry-run") || !strcmp(word, "--dry-run"));
	int code;

	if (!path)
		return EXIT_USAGE;
	if (word && !is_dry)
		return refuse_usage("config apply: unknown word '%s', expected dry-run", word);
	code = words_end(words);
	if (!code)
		code = load(path, &config);
	for (unsigned int i = 0; !code && i < config->service_count; i++)
		code = cache_check_files(&config->services[i]);
	if (!code)
		code = session_begin(&session, ctl, !is_dry);
	if (code)
		return code;
	if (lb_make_plan(session.lb, config, &plan, &session.err))
		return refuse_error(&session.err);
	if (ctl->is_json)
		code = print_json(plan_json(plan));
	else if (!ctl->is_quiet)
		print_plan(ctl, plan);
	if (code || is_dry)
		return code;
	lb_config_free(session.config);
	session.config = config;
	config = NULL;
	code = session_commit(&session);
	if (!code)
		session_note_slots(ctl, session.config, NULL);
	return code;
}

static int diff(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_config_free_p) struct lb_config *config = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	const char *path = word_need(words, "the file ('-' for stdin)");
	json_t *changes;
	int code;

	if (!path)
		return EXIT_USAGE;
	code = words_end(words);
	if (!code)
		code = load(path, &config);
	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	changes = config_diff(session.config, config);
	if (ctl->is_json)
		return print_json(changes);
	code = config_diff_print(changes);
	json_decref(changes);
	return code;
}

static int check(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_config_free_p) struct lb_config *config = NULL;
	const char *path = word_need(words, "the file ('-' for stdin)");
	unsigned int backends = 0;
	int code;

	if (!path)
		return EXIT_USAGE;
	code = words_end(words);
	if (!code)
		code = load(path, &config);
	if (code)
		return code;
	for (unsigned int i = 0; i < config->service_count; i++)
		backends += config->services[i].backend_count;
	session_note_slots(ctl, config, NULL);
	if (ctl->is_json)
		return print_json(json_pack("{s:s, s:b, s:i, s:i}", "file", path, "ok", 1,
					    "services", (int)config->service_count, "backends",
					    (int)backends));
	if (!ctl->is_quiet)
		(void)printf("%s: ok, services %u, backends %u\n", path, config->service_count,
			     backends);
	return EXIT_OK;
}

const struct command cmd_config = {
	.name = "config",
	.summary = "The whole configuration as one YAML document",
	.details =
		"'apply' puts a document into force, also twice, and prints which share of slots\n"
		"moves; with dry-run it only prints. 'save' writes the running one, to\n" SAVE_PATH
		" if no file is named. 'check' needs no root.\n",
	.verbs =
		(const struct verb[]){
			{ "show", "list", "", show },
			{ "save", NULL, "[FILE]", save },
			{ "apply", NULL, "FILE [dry-run]", apply },
			{ "diff", NULL, "FILE", diff },
			{ "check", NULL, "FILE", check },
			{ 0 },
		},
};
