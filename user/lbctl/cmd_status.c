// SPDX-License-Identifier: GPL-2.0-only
/*
 * lbctl status: the interfaces, the limits and what they cost, the maps; and the same as one line
 * with the exit code of a monitoring plugin.
 */
#include <errno.h>
#include <stdio.h>

#include "lbctl.h"

/* Exit codes of monitoring plugins. */
enum health {
	HEALTH_OK,
	HEALTH_WARNING,
	HEALTH_CRITICAL,
	HEALTH_UNKNOWN,
};

#define FULL_PERCENT 90

static json_t *limits_json(const struct lb_limits *limits)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "services", (json_int_t)limits->services,
			 "backends", (json_int_t)limits->backends, "slots",
			 (json_int_t)limits->slots, "flows", (json_int_t)limits->flows);
}

static json_t *limit_usage_json(const struct lb_limit_usage usage[LB_LIMITS])
{
	json_t *array = json_array();

	for (int i = 0; i < LB_LIMITS; i++)
		(void)json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:o, s:o}", "limit",
							     usage[i].name, "in_force",
							     json_count(usage[i].limit), "document",
							     json_count(usage[i].wanted), "used",
							     json_count(usage[i].used), "bytes",
							     json_count(usage[i].bytes)));
	return array;
}

static int print_status_json(const struct session *session, const struct lb_status *status,
			     const struct lb_limit_usage usage[LB_LIMITS])
{
	json_t *interfaces = json_array(), *from = json_array();
	char text[LB_PREFIX_TEXT_SIZE];

	for (unsigned int i = 0; i < status->interface_count; i++)
		(void)json_array_append_new(interfaces, attached_json(&status->interfaces[i]));
	for (unsigned int i = 0; i < status->from_count; i++)
		(void)json_array_append_new(from,
					    json_string(lb_prefix_format(&status->from[i], text)));
	return print_json(json_pack(
		"{s:b, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:b}", "attached",
		status->interface_count > 0, "interfaces", interfaces, "from", from, "maps",
		maps_json(status), "limits", limits_json(&session->config->limits), "limit_usage",
		limit_usage_json(usage), "bytes", (json_int_t)status->bytes, "verified_insns",
		(int)status->verified_insns, "lost", status->has_lost));
}

static int print_interfaces(const struct lb_status *status)
{
	struct table *table =
		table_new("INTERFACE ROLE MODE DRIVER >PROGRAM DISPATCHER >MTU ARP STATE");

	for (unsigned int i = 0; i < status->interface_count; i++) {
		const struct lb_attached *attached = &status->interfaces[i];

		table_cell(table, "%s", attached->ifname);
		table_cell(table, "%s", attached->is_backend ? "backend" : "balancer");
		table_cell(table, "%s", attached->is_native ? "native" : "generic");
		table_cell(table, "%s", attached->driver);
		table_cell(table, "%u", attached->program_id);
		if (attached->is_alone)
			table_cell(table, "none, alone");
		else
			table_cell(table, "priority %u", attached->priority);
		table_cell(table, "%u", attached->mtu);
		table_cell(table, "%s", attached->arp ? "on" : "off");
		if (attached->is_gone)
			table_cell(table, "GONE: 'lbctl detach %s'", attached->ifname);
		else
			table_cell(table, "%s",
				   attached->is_lost ? "LOST: attach it again" : "attached");
	}
	return print_table(table);
}

static int print_limits(const struct lb_limit_usage usage[LB_LIMITS])
{
	struct table *table = table_new("LIMIT >ENTRIES >USED >FILLED >MEMORY");
	char text[NUMBER_TEXT_SIZE];

	for (int i = 0; i < LB_LIMITS; i++) {
		const bool is_known = usage[i].used != LB_UNKNOWN;

		table_cell(table, "%s", usage[i].name);
		table_cell(table, "%s", number_group(usage[i].limit, text));
		table_cell(table, "%s", is_known ? number_group(usage[i].used, text) : "-");
		table_cell(table, "%s",
			   is_known ? number_share(usage[i].used, usage[i].limit, text) : "-");
		table_cell(table, "%s", number_bytes(usage[i].bytes, text));
	}
	return print_table(table);
}

/* What the limits cost together, and which of them wait. */
static void print_memory(const struct lb_status *status,
			 const struct lb_limit_usage usage[LB_LIMITS])
{
	char text[NUMBER_TEXT_SIZE];
	__u64 estimate = 0;

	for (int i = 0; i < LB_LIMITS; i++) {
		estimate += usage[i].bytes;
		if (usage[i].wanted != usage[i].limit)
			(void)printf("the document's limit of %s %s takes effect at 'lbctl detach "
				     "all' and 'lbctl attach'\n",
				     number_group(usage[i].wanted, text), usage[i].name);
	}
	if (!status->map_count) {
		(void)printf("memory: about %s once something is attached\n",
			     number_bytes(estimate, text));
		return;
	}
	(void)printf("memory: %s in all maps", number_bytes(status->bytes, text));
	if (status->verified_insns)
		(void)printf(", program of %s verified instructions",
			     number_group(status->verified_insns, text));
	(void)putchar('\n');
}

static int print_status(const struct session *session, const struct lb_status *status,
			const struct lb_limit_usage usage[LB_LIMITS])
{
	char prefix[LB_PREFIX_TEXT_SIZE];
	int code = EXIT_OK;

	if (status->interface_count)
		code = print_interfaces(status);
	else
		(void)printf("nothing is attached: 'lbctl attach IF' puts the configuration into "
			     "force\n");
	for (unsigned int i = 0; i < status->from_count; i++)
		(void)printf("%s%s%s", i ? ", " : "role backend takes outer packets from ",
			     lb_prefix_format(&status->from[i], prefix),
			     i + 1 == status->from_count ? "\n" : "");
	(void)putchar('\n');
	if (!code && status->map_count && session->ctl->is_verbose) {
		code = print_maps(session->ctl, status);
		(void)putchar('\n');
	}
	if (!code)
		code = print_limits(usage);
	print_memory(status, usage);
	return code;
}

static int list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_status_free_p) struct lb_status *status = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_limit_usage usage[LB_LIMITS];
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	if (lb_get_status(session.lb, &status, &session.err) ||
	    lb_get_limits(session.lb, &session.config->limits, usage, &session.err))
		return refuse_error(&session.err);
	if (ctl->is_json)
		return print_status_json(&session, status, usage);
	return print_status(&session, status, usage);
}

/* The worst that is to be said about what is attached. */
static enum health judge(const struct lb_status *status, char text[LB_TEXT_SIZE])
{
	enum health health = HEALTH_OK;

	(void)snprintf(text, LB_TEXT_SIZE, "interfaces attached: %u", status->interface_count);
	for (unsigned int i = 0; i < status->interface_count; i++) {
		const struct lb_attached *attached = &status->interfaces[i];

		if (attached->is_lost) {
			(void)snprintf(text, LB_TEXT_SIZE, "%s %s", attached->ifname,
				       attached->is_gone ? "was removed" : "lost its program");
			return HEALTH_CRITICAL;
		}
		if (!attached->is_native) {
			(void)snprintf(text, LB_TEXT_SIZE, "%s is in generic mode",
				       attached->ifname);
			health = HEALTH_WARNING;
		}
	}
	for (unsigned int i = 0; i < status->map_count; i++) {
		const struct lb_map_usage *map = &status->maps[i];

		if (map->used == LB_UNKNOWN || map->used * 100 < map->limit * FULL_PERCENT)
			continue;
		(void)snprintf(text, LB_TEXT_SIZE, "map %s is over %d %% full", map->name,
			       FULL_PERCENT);
		health = HEALTH_WARNING;
	}
	if (status->interface_count)
		return health;
	(void)snprintf(text, LB_TEXT_SIZE, "nothing is attached");
	return HEALTH_CRITICAL;
}

static int check(const struct lbctl *ctl, struct words *words)
{
	static const char *const names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	CLEANUP(lb_status_free_p) struct lb_status *status = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	enum health health = HEALTH_UNKNOWN;
	char text[LB_TEXT_SIZE];

	if (words_end(words))
		return HEALTH_UNKNOWN;
	if (lb_open(&session.lb, ctl->netns, &session.err) ||
	    lb_get_status(session.lb, &status, &session.err))
		(void)snprintf(text, sizeof(text), "%s", session.err.text);
	else
		health = judge(status, text);
	session.ctl = ctl;
	if (ctl->is_json)
		(void)print_json(json_pack("{s:s, s:i, s:s}", "state", names[health], "code",
					   (int)health, "text", text));
	else
		(void)printf("%s - %s\n", names[health], text);
	return (int)health;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "Interfaces, maps, limits and memory",
	.details =
		"Shows each limit with the memory that it costs; with -s each map too.\n"
		"'check' says one line and ends like a monitoring plugin: 0 fine, 1 generic mode\n"
		"or a map over 90 % full, 2 nothing attached or a program lost, 3 not known.\n",
	.verbs =
		(const struct verb[]){
			{ "list", "show", "", list },
			{ "check", "--check", "", check },
			{ 0 },
		},
};
