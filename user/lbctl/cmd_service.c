// SPDX-License-Identifier: GPL-2.0-only
/* lbctl service: the virtual addresses, edited in the document and put into force by the commit. */
#include <errno.h>
#include <string.h>

#include "lbctl.h"

#define OPTIONS                                                                                    \
	"[mode fullnat|nat|local|dsr|ipip|gue] [source ADDR[,ADDR...]|none] [stateless on|off] "   \
	"[tunnel-source PREFIX[,PREFIX]|none] [mss-clamp auto|N|off] [quic-cid "                   \
	"OFFSET:LENGTH|off] "                                                                      \
	"[fragments table|three-tuple] [timeout-syn S] "                                           \
	"[timeout-established S] [timeout-fin S] [timeout-udp S]"

static struct lb_service_config *as_service(void *into)
{
	return into;
}

static int take_mode(void *into, const char *value)
{
	return lb_mode_parse(value, &as_service(into)->mode);
}

static int take_slots(void *into, const char *value)
{
	return word_number(value, 0, 0xffffffffu, &as_service(into)->slots);
}

static int take_stateless(void *into, const char *value)
{
	return word_switch(value, &as_service(into)->is_stateless);
}

static int take_mss(void *into, const char *value)
{
	return lb_mss_parse(value, &as_service(into)->mss);
}

static int take_cid(void *into, const char *value)
{
	return lb_cid_parse(value, into);
}

static int take_fragments(void *into, const char *value)
{
	return lb_fragments_parse(value, &as_service(into)->fragments);
}

static int take_source(void *into, const char *value)
{
	struct lb_service_config *service = into;
	char text[LB_ADDR_TEXT_SIZE];

	service->source_count = 0;
	if (!strcmp(value, "none"))
		return 0;
	while (value) {
		if (service->source_count == LB_SOURCES_MAX ||
		    !word_of_list(&value, text, sizeof(text)) ||
		    lb_addr_parse(text, &service->sources[service->source_count++]))
			return -EINVAL;
	}
	return 0;
}

static int take_tunnel_source(void *into, const char *value)
{
	struct lb_service_config *service = into;
	char text[LB_PREFIX_TEXT_SIZE];

	service->tunnel_source_count = 0;
	if (!strcmp(value, "none"))
		return 0;
	while (value) {
		if (service->tunnel_source_count == LB_TUNNEL_SOURCES_MAX ||
		    !word_of_list(&value, text, sizeof(text)) ||
		    lb_prefix_parse(text, &service->tunnel_sources[service->tunnel_source_count++]))
			return -EINVAL;
	}
	return 0;
}

static int take_syn(void *into, const char *value)
{
	return word_number(value, 0, 0xffffffffu, &as_service(into)->timeouts.syn);
}

static int take_established(void *into, const char *value)
{
	return word_number(value, 0, 0xffffffffu, &as_service(into)->timeouts.established);
}

static int take_fin(void *into, const char *value)
{
	return word_number(value, 0, 0xffffffffu, &as_service(into)->timeouts.fin);
}

static int take_udp(void *into, const char *value)
{
	return word_number(value, 0, 0xffffffffu, &as_service(into)->timeouts.udp);
}

static const struct setting settings[] = {
	{ "mode", "fullnat, nat, local, dsr, ipip or gue", take_mode },
	{ "slots", "a prime number from 251 to 655373", take_slots },
	{ "source", "up to 16 addresses with commas between, or 'none'", take_source },
	{ "tunnel-source",
	  "one prefix for IPv4 and one for IPv6 at most, as 192.0.2.64/26, or 'none'",
	  take_tunnel_source },
	{ "stateless", "on or off", take_stateless },
	{ "mss-clamp", "auto, off or a number from 88 to 65495", take_mss },
	{ "quic-cid", "OFFSET:LENGTH, 1 to 4 bytes of the first 20, or off", take_cid },
	{ "fragments", "table or three-tuple", take_fragments },
	{ "timeout-syn", "seconds", take_syn },
	{ "timeout-established", "seconds", take_established },
	{ "timeout-fin", "seconds", take_fin },
	{ "timeout-udp", "seconds", take_udp },
	{ 0 },
};

/* NAME PROTO VIP[/LENGTH]:PORT[-PORT] */
static int read_head(struct words *words, struct lb_service_config *service)
{
	const char *name = word_need(words, "the service's name");
	const char *proto = name ? word_need(words, "the protocol, tcp or udp") : NULL;
	const char *address = proto ? word_need(words, "the address and port") : NULL;
	struct lb_error err;

	if (!address)
		return EXIT_USAGE;
	if (strlen(name) >= LB_NAME_SIZE)
		return refuse_usage("service add: name '%s' is too long, at most %d characters",
				    name, LB_NAME_SIZE - 1);
	memcpy(service->name, name, strlen(name) + 1);
	if (lb_proto_parse(proto, &service->proto))
		return refuse_usage("service add: protocol '%s' is unknown, expected tcp or udp",
				    proto);
	if (lb_front_parse(address, service, &err))
		return refuse_usage("service add: %s", err.text);
	return EXIT_OK;
}

static int add(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config service;
	int code;

	lb_service_config_init(&service);
	code = read_head(words, &service);
	if (!code)
		code = words_settings(words, settings, &service);
	if (!code)
		code = session_begin(&session, ctl, true);
	if (code)
		return code;
	if (lb_config_add_service(session.config, &service, &session.err))
		return refuse_error(&session.err);
	code = session_change(&session, "add", service.name, NULL);
	if (!code && lb_front_is_wide(&service) &&
	    (service.mode == LB_MODE_FULLNAT || service.mode == LB_MODE_NAT))
		note(ctl,
		     "service %s has several ports or addresses, which mode %s cannot serve: name "
		     "dsr, ipip, gue or local with each backend, or as the service's mode",
		     service.name, lb_mode_name(service.mode));
	return code;
}

static int set(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config scratch, *service;
	char **rest;
	__u32 slots;
	int code;

	if (!name)
		return EXIT_USAGE;
	if (!*words->next)
		return refuse_usage("service set: nothing to change is named; see 'lbctl service "
				    "help'");
	/* Once for the words alone, so that a usage error does not wait for the lock. */
	rest = words->next;
	code = words_settings(words, settings, &scratch);
	if (!code)
		code = session_begin(&session, ctl, true);
	if (!code)
		code = session_find_service(&session, name, &service);
	if (code)
		return code;
	slots = service->slots;
	words->next = rest;
	(void)words_settings(words, settings, service);
	if (service->slots != slots)
		return refuse("service %s: slots are fixed at %u when it is made; delete the "
			      "service and add it anew",
			      name, slots);
	return session_change(&session, "set", name, NULL);
}

static int del(const struct lbctl *ctl, struct words *words)
{
	const char *name = word_need(words, "the service's name");
	CLEANUP(session_end) struct session session = { 0 };
	struct lb_service_config *service;
	int code;

	if (!name)
		return EXIT_USAGE;
	code = words_end(words);
	if (!code)
		code = session_begin(&session, ctl, true);
	if (!code)
		code = session_find_service(&session, name, &service);
	if (code)
		return code;
	lb_config_del_service(session.config, service);
	return session_change(&session, "del", name, NULL);
}

static int list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(lb_stats_free_p) struct lb_stats *stats = NULL;
	CLEANUP(session_end) struct session session = { 0 };
	const char *name = word_take(words);
	struct lb_service_config *only = NULL;
	struct table *table = NULL;
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (!code && name)
		code = session_find_service(&session, name, &only);
	if (!code)
		code = session_stats(&session, &stats);
	if (code)
		return code;
	if (ctl->is_json)
		return print_json(service_list_json(session.config, only, stats));
	table = service_table(ctl);
	for (unsigned int i = 0; i < session.config->service_count; i++) {
		const struct lb_service_config *service = &session.config->services[i];
		const struct lb_service_state *state = find_service_state(stats, service->name);

		if (only && only != service)
			continue;
		service_row(ctl, table, service, service->backend_count, state);
	}
	return print_table(table);
}

const struct command cmd_service = {
	.name = "service",
	.alias = "svc",
	.summary = "Services: the addresses and ports that clients connect to",
	.details =
		"mode         fullnat (the default: nothing to set up on backends), nat (keeps\n"
		"             the client's address; replies must route through the balancer),\n"
		"             local (processes of this host), or one whose backends have the\n"
		"             service's address and answer the client themselves: dsr (same\n"
		"             network), ipip, gue (tunnels)\n"
		"slots        size of the table, a prime from 251 to 655373 (16381); about a\n"
		"             hundred for each backend spread within 1 %\n"
		"source       full NAT's source addresses; without, the route's\n"
		"tunnel-source  ipip, gue: outer source; host bits are filled by flow, so that\n"
		"             receive queues spread; without, the route's one address\n"
		"stateless    udp only: each packet by its hash alone\n"
		"mss-clamp    tcp: the largest segment that a SYN may ask for; auto (the\n"
		"             default) is what fits a tunnel, and nothing in other modes\n"
		"quic-cid     udp: bytes of QUIC's connection ids that hold the backend's\n"
		"             server-id, so that clients may change their address\n"
		"fragments    udp: table (the default), later fragments follow their first one;\n"
		"             three-tuple, all packets go by both addresses and the protocol,\n"
		"             so that fragments may come in any order, and by any balancer\n"
		"timeout-*    seconds (10, 900, 30, 120)\n",
	.verbs =
		(const struct verb[]){
			{ "list", "show", "[NAME]", list },
			{ "add", NULL, "NAME tcp|udp VIP[/LENGTH]:PORT[-PORT]|* [slots N] " OPTIONS,
			  add },
			{ "set", NULL, "NAME " OPTIONS, set },
			{ "del", NULL, "NAME", del },
			{ 0 },
		},
};
