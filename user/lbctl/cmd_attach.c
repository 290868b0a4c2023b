// SPDX-License-Identifier: GPL-2.0-only
/* lbctl attach: puts the program on an interface, and says aloud what it had to do without. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

#define IPIP_BYTES 20 /* of an outer IPv4 header */

struct request {
	struct lb_attach_options options;
	struct lb_limits limits; /* 0: not given */
};

static int take_mode(void *into, const char *value)
{
	struct request *request = into;

	if (!strcmp(value, "auto"))
		request->options.mode = LB_ATTACH_AUTO;
	else if (!strcmp(value, "native"))
		request->options.mode = LB_ATTACH_NATIVE;
	else if (!strcmp(value, "generic"))
		request->options.mode = LB_ATTACH_GENERIC;
	else
		return -EINVAL;
	return 0;
}

static int take_priority(void *into, const char *value)
{
	return word_number(value, 1, 65535, &((struct request *)into)->options.priority);
}

static int take_arp(void *into, const char *value)
{
	struct request *request = into;

	request->options.is_arp_given = true;
	return word_switch(value, &request->options.arp);
}

static int take_ping(void *into, const char *value)
{
	struct request *request = into;
	bool is_on;
	int ret = word_switch(value, &is_on);

	request->options.is_ping_given = true;
	request->options.no_ping = !ret && !is_on;
	return ret;
}

static int take_role(void *into, const char *value)
{
	struct request *request = into;

	request->options.is_backend = !strcmp(value, "backend");
	return request->options.is_backend || !strcmp(value, "balancer") ? 0 : -EINVAL;
}

static int take_from(void *into, const char *value)
{
	struct lb_attach_options *options = &((struct request *)into)->options;
	char text[LB_PREFIX_TEXT_SIZE];

	while (value) {
		if (options->from_count == LB_FROM_MAX ||
		    !word_of_list(&value, text, sizeof(text)) ||
		    lb_prefix_parse(text, &options->from[options->from_count++]))
			return -EINVAL;
	}
	return 0;
}

/* The document's check knows the ranges; a limit of 0 it would refuse as well. */
static int take_limit(const char *value, __u32 *limit)
{
	return word_number(value, 1, UINT32_MAX, limit);
}

static int take_services(void *into, const char *value)
{
	return take_limit(value, &((struct request *)into)->limits.services);
}

static int take_backends(void *into, const char *value)
{
	return take_limit(value, &((struct request *)into)->limits.backends);
}

static int take_slots(void *into, const char *value)
{
	return take_limit(value, &((struct request *)into)->limits.slots);
}

static int take_flows(void *into, const char *value)
{
	return take_limit(value, &((struct request *)into)->limits.flows);
}

static const struct setting settings[] = {
	{ "mode", "auto, native or generic", take_mode },
	{ "priority", "a number from 1 to 65535", take_priority },
	{ "arp", "on or off", take_arp },
	{ "ping", "on or off", take_ping },
	{ "role", "balancer or backend", take_role },
	{ "from", "prefixes as 192.0.2.0/24 with commas between, without bits behind the length",
	  take_from },
	{ "services", "a number of services", take_services },
	{ "backends", "a number of backends", take_backends },
	{ "slots", "a number of slots, of all services together", take_slots },
	{ "flows", "a number of flow table entries", take_flows },
	{ 0 },
};

/* No quiet fallback: a slower mode or a program alone is said with the kernel's reason. */
static void note_fallbacks(const struct lbctl *ctl, const struct lb_attached *attached)
{
	const char *reason =
		attached->kernel_message[0] ? attached->kernel_message : "no reason given";

	if (attached->was_attached)
		return;
	if (attached->is_fallback)
		note(ctl, "%s: native XDP was refused (%s); generic XDP works, but is slower",
		     attached->ifname, reason);
	if (attached->is_joined)
		note(ctl,
		     "%s: GRO joins frames before generic XDP, and the kernel does not redirect "
		     "what is joined: 'ethtool -K %s gro off'",
		     attached->ifname, attached->ifname);
	if (attached->is_alone)
		note(ctl,
		     "%s: attached alone, without libxdp's dispatcher (%s); no second XDP program "
		     "can join",
		     attached->ifname, reason);
	if (attached->is_rigid)
		note(ctl,
		     "%s: the sender of a packet that is too large or out of hops is not told: "
		     "libxdp's dispatcher is too old for that (%s)",
		     attached->ifname, reason);
}

static int print_attached(const struct lbctl *ctl, const struct lb_attached *attached)
{
	if (ctl->is_json)
		return print_json(json_pack("[o]", attached_json(attached)));
	if (ctl->is_quiet)
		return EXIT_OK;
	if (attached->replaced_id)
		(void)printf("%s: replaced program %u by %u, %s XDP (%s), ", attached->ifname,
			     attached->replaced_id, attached->program_id,
			     attached->is_native ? "native" : "generic", attached->driver);
	else
		(void)printf("%s: attached%s, %s XDP (%s), program %u, ", attached->ifname,
			     attached->was_attached ? " already" : "",
			     attached->is_native ? "native" : "generic", attached->driver,
			     attached->program_id);
	if (attached->is_alone)
		(void)printf("alone");
	else
		(void)printf("dispatcher priority %u", attached->priority);
	if (attached->is_backend) {
		(void)printf(", MTU %u, role backend\n", attached->mtu);
		return EXIT_OK;
	}
	(void)printf(", MTU %u (IPIP payload %u)%s%s\n", attached->mtu, attached->mtu - IPIP_BYTES,
		     attached->arp ? ", answers ARP for services" : "",
		     attached->no_ping ? ", answers no ping for services" : "");
	return EXIT_OK;
}

/* Limits that were not named stay as the document has them. */
static void complete_limits(struct request *request, const struct lb_limits *known)
{
	const struct lb_limits given = request->limits;

	if (!given.services && !given.backends && !given.slots && !given.flows)
		return;
	request->limits = *known;
	if (given.services) {
		request->limits.services = given.services;
		if (known->slots == lb_limits_slots(known->services))
			request->limits.slots = lb_limits_slots(given.services);
	}
	if (given.backends)
		request->limits.backends = given.backends;
	if (given.slots)
		request->limits.slots = given.slots;
	if (given.flows)
		request->limits.flows = given.flows;
	request->options.limits = &request->limits;
}

static int attach(const struct lbctl *ctl, struct words *words)
{
	struct request request = { 0 };
	CLEANUP(session_end) struct session session = { 0 };
	const char *ifname = word_need(words, "the interface");
	struct lb_attached attached;
	int code;

	if (!ifname)
		return EXIT_USAGE;
	code = words_settings(words, settings, &request);
	if (!code && request.options.from_count && !request.options.is_backend)
		code = refuse_usage("attach: 'from' goes with 'role backend'");
	if (!code)
		code = session_begin(&session, ctl, true);
	if (code)
		return code;
	complete_limits(&request, &session.config->limits);
	if (lb_attach(session.lb, ifname, &request.options, &attached, &session.err))
		return refuse_error(&session.err);
	note_fallbacks(ctl, &attached);
	return print_attached(ctl, &attached);
}

const struct command cmd_attach = {
	.name = "attach",
	.summary = "Attach the balancer to an interface",
	.details =
		"mode      auto (native, else generic), native or generic\n"
		"priority  run order among the XDP programs of the interface, 50 if not given\n"
		"arp       answer ARP and neighbour solicitation for the services' addresses:\n"
		"          on for one-armed set-ups, off (the default) where they are routed "
		"here\n"
		"ping      answer echo requests for the services' addresses: on (the default) or "
		"off\n"
		"role      balancer, or backend: takes the outer headers of ipip and gue off\n"
		"from      role backend: prefixes that the balancers' outer packets come from\n"
		"Of an interface that is attached already, arp, ping and priority can be changed, "
		"and\n"
		"an older lbctl's program is replaced while packets go on.\n"
		"services, backends, slots, flows\n"
		"          limits, kept in the document: sizes of the maps, which are made at the\n"
		"          first attach and fixed until 'detach all'; 'lbctl status' shows what\n"
		"          each costs\n",
	.verbs =
		(const struct verb[]){
			{ "", NULL,
			  "IF [mode auto|native|generic] [priority N] [arp on|off] [ping on|off]\n"
			  "       [role balancer|backend] [from PREFIX[,PREFIX...]]\n"
			  "       [services N] [backends N] [slots N] [flows N]",
			  attach },
			{ 0 } },
};
