// SPDX-License-Identifier: GPL-2.0-only
/* lbctl flow: what is recorded, how many, and which backend a five-tuple has or would get. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

static json_t *flow_json(const struct lb_flow_info *flow)
{
	char client[LB_ADDR_TEXT_SIZE], vip[LB_ADDR_TEXT_SIZE], source[LB_ADDR_TEXT_SIZE],
		backend[LB_ADDR_TEXT_SIZE];

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I}", "service", flow->service,
		"protocol", lb_proto_name(flow->proto), "client",
		lb_endpoint_format(&flow->client, flow->client_port, client), "vip",
		lb_endpoint_format(&flow->vip, flow->vip_port, vip), "source",
		flow->mode == LB_MODE_FULLNAT
			? json_string(lb_endpoint_format(&flow->source, flow->source_port, source))
			: json_null(),
		"backend", lb_endpoint_format(&flow->backend, flow->backend_port, backend), "mode",
		lb_mode_name(flow->mode), "state", lb_flow_state_name(flow->state, flow->proto),
		"idle_ms", (json_int_t)flow->idle_ms, "expires_ms", (json_int_t)flow->expires_ms);
}

static void flow_row(struct table *table, const struct lb_flow_info *flow)
{
	char text[LB_ADDR_TEXT_SIZE];

	table_cell(table, "%s", flow->service);
	table_cell(table, "%s", lb_proto_name(flow->proto));
	table_cell(table, "%s", lb_endpoint_format(&flow->client, flow->client_port, text));
	table_cell(table, "%s", lb_endpoint_format(&flow->vip, flow->vip_port, text));
	table_cell(table, "%s",
		   flow->mode == LB_MODE_FULLNAT
			   ? lb_endpoint_format(&flow->source, flow->source_port, text)
			   : "-");
	table_cell(table, "%s", lb_endpoint_format(&flow->backend, flow->backend_port, text));
	table_cell(table, "%s", lb_mode_name(flow->mode));
	table_cell(table, "%s", lb_flow_state_name(flow->state, flow->proto));
	table_cell(table, "%s", number_duration(flow->idle_ms, text));
	table_cell(table, "%s", number_duration(flow->expires_ms, text));
}

/* Live figures are asked for: refuses where nothing is attached. */
static int walk(struct session *session, lb_flow_fn fn, void *arg)
{
	int ret = lb_walk_flows(session->lb, fn, arg, &session->err);

	if (ret == -ENOTCONN)
		return refuse(
			"nothing is attached, so there are no flows; attach an interface with "
			"'lbctl attach IF'");
	return ret < 0 ? refuse_error(&session->err) : EXIT_OK;
}

struct listing {
	const char *service; /* NULL: all */
	struct table *table;
	json_t *array;
};

static int list_flow(const struct lb_flow_info *flow, void *arg)
{
	const struct listing *listing = arg;

	if (listing->service && strcmp(listing->service, flow->service))
		return 0;
	if (listing->array)
		(void)json_array_append_new(listing->array, flow_json(flow));
	else
		flow_row(listing->table, flow);
	return 0;
}

static int list(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct listing listing = { .service = word_take(words) };
	struct lb_service_config *service;
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (!code && listing.service)
		code = session_find_service(&session, listing.service, &service);
	if (code)
		return code;
	if (ctl->is_json)
		listing.array = json_array();
	else
		listing.table = table_new("SERVICE PROTO CLIENT VIP SOURCE BACKEND MODE STATE "
					  ">IDLE >EXPIRES");
	code = walk(&session, list_flow, &listing);
	if (code) {
		json_decref(listing.array);
		table_free(listing.table);
		return code;
	}
	return ctl->is_json ? print_json(listing.array) : print_table(listing.table);
}

struct counting {
	const struct lb_config *config;
	__u64 *counts; /* one for each service */
};

static int count_flow(const struct lb_flow_info *flow, void *arg)
{
	const struct counting *counting = arg;

	for (unsigned int i = 0; i < counting->config->service_count; i++) {
		if (!strcmp(counting->config->services[i].name, flow->service)) {
			counting->counts[i]++;
			break;
		}
	}
	return 0;
}

static int print_counts(const struct lbctl *ctl, const struct counting *counting)
{
	struct table *table = ctl->is_json ? NULL : table_new("SERVICE >FLOWS");
	json_t *array = ctl->is_json ? json_array() : NULL;
	char text[NUMBER_TEXT_SIZE];

	for (unsigned int i = 0; i < counting->config->service_count; i++) {
		const char *name = counting->config->services[i].name;

		if (array)
			(void)json_array_append_new(
				array, json_pack("{s:s, s:o}", "service", name, "flows",
						 json_count(counting->counts[i])));
		table_cell(table, "%s", name);
		table_cell(table, "%s", number_group(counting->counts[i], text));
	}
	return ctl->is_json ? print_json(array) : print_table(table);
}

static int count(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct counting counting;
	int code = words_end(words);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	counting.config = session.config;
	counting.counts = calloc(session.config->service_count + 1, sizeof(*counting.counts));
	if (!counting.counts)
		return refuse("out of memory");
	code = walk(&session, count_flow, &counting);
	if (!code)
		code = print_counts(ctl, &counting);
	free(counting.counts);
	return code;
}

struct query {
	struct lb_flow_info wanted, found;
};

static int match_flow(const struct lb_flow_info *flow, void *arg)
{
	struct query *query = arg;
	const struct lb_flow_info *wanted = &query->wanted;

	if (flow->proto != wanted->proto ||
	    (!flow->is_three_tuple &&
	     (flow->client_port != wanted->client_port || flow->vip_port != wanted->vip_port)) ||
	    !lb_addr_is_equal(&flow->client, &wanted->client) ||
	    !lb_addr_is_equal(&flow->vip, &wanted->vip))
		return 0;
	query->found = *flow;
	return 1;
}

/* PROTO SRC:PORT DST:PORT */
static int read_tuple(struct words *words, struct lb_flow_info *wanted)
{
	const char *proto = word_need(words, "the protocol, tcp or udp");
	const char *client = proto ? word_need(words, "the client's address and port") : NULL;
	const char *vip = client ? word_need(words, "the service's address and port") : NULL;
	struct lb_error err;

	if (!vip)
		return EXIT_USAGE;
	if (lb_proto_parse(proto, &wanted->proto))
		return refuse_usage("flow get: protocol '%s' is unknown, expected tcp or udp",
				    proto);
	if (lb_endpoint_parse(client, &wanted->client, &wanted->client_port, NULL, &err) ||
	    lb_endpoint_parse(vip, &wanted->vip, &wanted->vip_port, NULL, &err))
		return refuse_usage("flow get: %s", err.text);
	if (lb_addr_is_v4(&wanted->client) != lb_addr_is_v4(&wanted->vip))
		return refuse_usage(
			"flow get: %s and %s are not of one family, as the addresses of "
			"a packet are",
			client, vip);
	return words_end(words);
}

static const char *name_of(const struct lb_config *config, const struct lb_flow_info *wanted)
{
	const struct lb_service_config *service =
		lb_front_find(config, wanted->proto, &wanted->vip, wanted->vip_port);

	return service ? service->name : "-";
}

static int print_found(const struct lbctl *ctl, const struct lb_flow_info *flow)
{
	char backend[LB_ADDR_TEXT_SIZE], idle[NUMBER_TEXT_SIZE];
	json_t *json;

	if (ctl->is_json) {
		json = flow_json(flow);
		(void)json_object_set_new(json, "recorded", json_true());
		(void)json_object_set_new(json, "slot", json_null());
		return print_json(json);
	}
	(void)printf("%s: backend %s (%s), flow %s, idle %s\n", flow->service,
		     lb_endpoint_format(&flow->backend, flow->backend_port, backend),
		     lb_mode_name(flow->mode), lb_flow_state_name(flow->state, flow->proto),
		     number_duration(flow->idle_ms, idle));
	return EXIT_OK;
}

/* No flow is recorded: what the table would answer to a new connection. */
static int print_scheduled(const struct lbctl *ctl, struct session *session,
			   const struct lb_flow_info *wanted)
{
	char client[LB_ADDR_TEXT_SIZE], vip[LB_ADDR_TEXT_SIZE], backend[LB_ADDR_TEXT_SIZE];
	const char *name = name_of(session->config, wanted);
	struct lb_backend_config chosen;
	__u32 slot = 0;

	if (lb_schedule(session->lb, wanted->proto, &wanted->client, wanted->client_port,
			&wanted->vip, wanted->vip_port, &chosen, &slot, &session->err))
		return refuse_error(&session->err);
	lb_endpoint_format(&chosen.addr, chosen.port, backend);
	if (ctl->is_json)
		return print_json(json_pack(
			"{s:s, s:s, s:s, s:s, s:n, s:s, s:s, s:n, s:n, s:n, s:b, s:i}", "service",
			name, "protocol", lb_proto_name(wanted->proto), "client",
			lb_endpoint_format(&wanted->client, wanted->client_port, client), "vip",
			lb_endpoint_format(&wanted->vip, wanted->vip_port, vip), "source",
			"backend", backend, "mode", lb_mode_name(chosen.mode), "state", "idle_ms",
			"expires_ms", "recorded", 0, "slot", (int)slot));
	(void)printf("%s: backend %s (%s), no flow recorded, slot %u\n", name, backend,
		     lb_mode_name(chosen.mode), slot);
	return EXIT_OK;
}

static int get(const struct lbctl *ctl, struct words *words)
{
	CLEANUP(session_end) struct session session = { 0 };
	struct query query = { 0 };
	int ret, code = read_tuple(words, &query.wanted);

	if (!code)
		code = session_begin(&session, ctl, false);
	if (code)
		return code;
	ret = lb_walk_flows(session.lb, match_flow, &query, &session.err);
	if (ret == -ENOTCONN)
		return refuse(
			"nothing is attached, so there are no flows; attach an interface with "
			"'lbctl attach IF'");
	if (ret < 0)
		return refuse_error(&session.err);
	if (ret > 0)
		return print_found(ctl, &query.found);
	return print_scheduled(ctl, &session, &query.wanted);
}

const struct command cmd_flow = {
	.name = "flow",
	.summary = "Flows: which client is served by which backend",
	.details =
		"Recorded are flows of full NAT, UDP flows, and flows of slots that changed; all\n"
		"others go by the hash. 'get' answers for any five-tuple: the recorded backend,\n"
		"or the one that a new connection would get.\n",
	.verbs =
		(const struct verb[]){
			{ "list", "show", "[SERVICE]", list },
			{ "count", NULL, "", count },
			{ "get", NULL, "tcp|udp SRC:PORT DST:PORT", get },
			{ 0 },
		},
};
