// SPDX-License-Identifier: GPL-2.0-only
/*
 * How each kind of object is shown, as a row and as JSON, wherever it is listed. JSON keys are
 * always there and never change; what is not known is null.
 */
#include <stdio.h>

#include "lbctl.h"

static void count_cell(struct table *table, bool is_known, __u64 count)
{
	char text[NUMBER_TEXT_SIZE];

	table_cell(table, "%s", is_known && count != LB_UNKNOWN ? number_group(count, text) : "-");
}

static void bytes_cell(struct table *table, bool is_known, __u64 bytes)
{
	char text[NUMBER_TEXT_SIZE];

	table_cell(table, "%s", is_known ? number_bytes(bytes, text) : "-");
}

/* rate NULL: has no such column */
static void traffic_cells(const struct lbctl *ctl, struct table *table,
			  const struct lb_traffic *traffic, const __u64 *rate)
{
	static const struct lb_traffic none;
	const struct lb_traffic *t = traffic ? traffic : &none;

	count_cell(table, traffic, t->active);
	count_cell(table, traffic, t->connections);
	if (rate)
		count_cell(table, traffic, *rate);
	bytes_cell(table, traffic, t->bytes_in);
	bytes_cell(table, traffic, t->bytes_out);
	count_cell(table, traffic, t->failed);
	if (!ctl->is_verbose)
		return;
	count_cell(table, traffic, t->packets_in);
	count_cell(table, traffic, t->packets_out);
}

struct table *service_table(const struct lbctl *ctl)
{
	if (ctl->is_verbose)
		return table_new(
			"SERVICE PROTO ADDRESS MODE >SLOTS >BACKENDS >ACTIVE >CONNS >IN "
			">OUT >FAILED >PKTS-IN >PKTS-OUT >DROPPED >HISTORY >SYN >ESTABLISHED "
			">FIN >UDP");
	return table_new(
		"SERVICE PROTO ADDRESS MODE >SLOTS >BACKENDS >ACTIVE >CONNS >IN >OUT >FAILED");
}

void service_row(const struct lbctl *ctl, struct table *table,
		 const struct lb_service_config *service, unsigned int backend_count,
		 const struct lb_service_state *state)
{
	char text[LB_FRONT_TEXT_SIZE];

	table_cell(table, "%s", service->name);
	table_cell(table, "%s", lb_proto_name(service->proto));
	table_cell(table, "%s", lb_front_format(service, text));
	table_cell(table, "%s%s%s%s%s", lb_mode_name(lb_service_mode(service)),
		   service->is_stateless ? " stateless" : "",
		   service->fragments == LB_FRAGMENTS_THREE_TUPLE ? " three-tuple" : "",
		   service->cid_length ? " quic-cid " : "",
		   service->cid_length ? lb_cid_format(service, text) : "");
	count_cell(table, true, service->slots);
	count_cell(table, true, backend_count);
	traffic_cells(ctl, table, state ? &state->traffic : NULL, NULL);
	if (!ctl->is_verbose)
		return;
	count_cell(table, state, state ? state->dropped : 0);
	count_cell(table, state, state ? state->history : 0);
	table_cell(table, "%us", service->timeouts.syn);
	table_cell(table, "%us", service->timeouts.established);
	table_cell(table, "%us", service->timeouts.fin);
	table_cell(table, "%us", service->timeouts.udp);
}

struct table *backend_table(const struct lbctl *ctl)
{
	if (ctl->is_verbose)
		return table_new("SERVICE BACKEND MODE >WEIGHT >SLOTS ADMIN HEALTH >ACTIVE >CONNS "
				 ">NEW/S >IN "
				 ">OUT >FAILED >PKTS-IN >PKTS-OUT >PORTS");
	return table_new("SERVICE BACKEND MODE >WEIGHT >SLOTS ADMIN HEALTH >ACTIVE >CONNS >NEW/S "
			 ">IN >OUT >FAILED");
}

void backend_row(const struct lbctl *ctl, struct table *table,
		 const struct lb_service_config *service, const struct lb_backend_config *backend,
		 const struct lb_backend_state *state, __u64 rate)
{
	char text[LB_ADDR_TEXT_SIZE], share[NUMBER_TEXT_SIZE];

	table_cell(table, "%s", service->name);
	table_cell(table, "%s",
		   lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text));
	if (backend->has_server_id)
		table_cell(table, "%s server-id %u",
			   lb_mode_name(lb_backend_mode(service, backend)), backend->server_id);
	else
		table_cell(table, "%s", lb_mode_name(lb_backend_mode(service, backend)));
	count_cell(table, true, backend->weight);
	table_cell(table, "%s", state ? number_share(state->slots, service->slots, share) : "-");
	table_cell(table, "%s", backend->is_drained ? "drain" : "up");
	table_cell(table, "%s",
		   state && state->health.since_ns ? health_text(&state->health, text) : "-");
	traffic_cells(ctl, table, state ? &state->traffic : NULL, &rate);
	if (ctl->is_verbose)
		count_cell(table, state && state->traffic.ports_limit,
			   state ? state->traffic.ports_limit : 0);
}

int print_maps(const struct lbctl *ctl, const struct lb_status *status)
{
	struct table *table;

	if (ctl->is_json)
		return print_json(maps_json(status));
	table = table_new("MAP >USED >LIMIT >FILLED >BYTES");
	for (unsigned int i = 0; i < status->map_count; i++) {
		const struct lb_map_usage *map = &status->maps[i];
		char share[NUMBER_TEXT_SIZE];
		bool is_known = map->used != LB_UNKNOWN;

		table_cell(table, "%s", map->name);
		count_cell(table, true, map->used);
		count_cell(table, true, map->limit);
		table_cell(table, "%s",
			   is_known ? number_share(map->used, map->limit, share) : "-");
		bytes_cell(table, true, map->bytes);
	}
	return print_table(table);
}
