// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects as JSON, the same from lbctl and from lbd: keys are always there and never change; what
 * is not known is null.
 */
#include "objects.h"

json_t *json_count(__u64 count)
{
	return count == LB_UNKNOWN ? json_null() : json_integer((json_int_t)count);
}

/* Adds the live figures to an object. */
static json_t *add_traffic(json_t *object, const struct lb_traffic *traffic)
{
	static const struct lb_traffic unknown = { .packets_in = LB_UNKNOWN,
						   .bytes_in = LB_UNKNOWN,
						   .packets_out = LB_UNKNOWN,
						   .bytes_out = LB_UNKNOWN,
						   .connections = LB_UNKNOWN,
						   .failed = LB_UNKNOWN,
						   .active = LB_UNKNOWN };
	const struct lb_traffic *t = traffic ? traffic : &unknown;
	json_t *figures = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "active", json_count(t->active),
		"connections", json_count(t->connections), "failed", json_count(t->failed),
		"packets_in", json_count(t->packets_in), "packets_out", json_count(t->packets_out),
		"bytes_in", json_count(t->bytes_in), "bytes_out", json_count(t->bytes_out));

	if (!object || !figures || json_object_update(object, figures)) {
		json_decref(object);
		object = NULL;
	}
	json_decref(figures);
	return object;
}

json_t *tunnel_sources_json(const struct lb_service_config *service)
{
	json_t *array = json_array();
	char text[LB_PREFIX_TEXT_SIZE];

	for (unsigned int i = 0; i < service->tunnel_source_count; i++)
		(void)json_array_append_new(
			array, json_string(lb_prefix_format(&service->tunnel_sources[i], text)));
	return array;
}

json_t *service_json(const struct lb_service_config *service, unsigned int backend_count,
		     const struct lb_service_state *state)
{
	json_t *object, *sources = json_array();
	char text[LB_FRONT_TEXT_SIZE], mss[LB_ADDR_TEXT_SIZE], cid[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < service->source_count; i++)
		(void)json_array_append_new(
			sources, json_string(lb_addr_format(&service->sources[i], text)));
	object = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:b, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:i, s:i, s:i}, "
		"s:i, s:o, s:o}",
		"service", service->name, "protocol", lb_proto_name(service->proto), "address",
		lb_front_format(service, text), "mode", lb_mode_name(lb_service_mode(service)),
		"slots", (int)service->slots, "stateless", service->is_stateless, "mss_clamp",
		lb_mss_format(service->mss, mss), "quic_cid", lb_cid_format(service, cid),
		"fragments", lb_fragments_name(service->fragments), "sources", sources,
		"tunnel_sources", tunnel_sources_json(service), "timeouts", "syn",
		(int)service->timeouts.syn, "established", (int)service->timeouts.established,
		"fin", (int)service->timeouts.fin, "udp", (int)service->timeouts.udp, "backends",
		(int)backend_count, "dropped", json_count(state ? state->dropped : LB_UNKNOWN),
		"history", json_count(state ? state->history : LB_UNKNOWN));
	return add_traffic(object, state ? &state->traffic : NULL);
}

json_t *backend_json(const struct lb_service_config *service,
		     const struct lb_backend_config *backend, const struct lb_backend_state *state)
{
	char text[LB_ADDR_TEXT_SIZE];
	json_t *object;

	object = json_pack(
		"{s:s, s:s, s:s, s:i, s:o, s:s, s:s?, s:o, s:i, s:o}", "service", service->name,
		"backend",
		lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text), "mode",
		lb_mode_name(lb_backend_mode(service, backend)), "weight", backend->weight,
		"server_id", json_count(backend->has_server_id ? backend->server_id : LB_UNKNOWN),
		"admin", backend->is_drained ? "drain" : "up", "health",
		state && state->health.since_ns ? lb_health_name(state->health.health) : NULL,
		"slots", json_count(state ? state->slots : LB_UNKNOWN), "slots_total",
		(int)service->slots, "ports_limit",
		json_count(state ? state->traffic.ports_limit : LB_UNKNOWN));
	return add_traffic(object, state ? &state->traffic : NULL);
}

json_t *attached_json(const struct lb_attached *attached)
{
	return json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:o, s:i, s:i, "
		"s:s}",
		"ifname", attached->ifname, "ifindex", (int)attached->ifindex, "driver",
		attached->driver, "mode", attached->is_native ? "native" : "generic", "role",
		attached->is_backend ? "backend" : "balancer", "fallback", attached->is_fallback,
		"alone", attached->is_alone, "arp", attached->arp, "ping", !attached->no_ping,
		"icmp_errors", !attached->is_rigid, "lost", attached->is_lost, "gone",
		attached->is_gone, "program_id", (int)attached->program_id, "replaced_id",
		attached->replaced_id ? json_integer(attached->replaced_id) : json_null(),
		"priority", (int)attached->priority, "mtu", (int)attached->mtu, "kernel_message",
		attached->kernel_message);
}

json_t *maps_json(const struct lb_status *status)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < status->map_count; i++) {
		const struct lb_map_usage *map = &status->maps[i];

		(void)json_array_append_new(
			array, json_pack("{s:s, s:o, s:o, s:o}", "map", map->name, "used",
					 json_count(map->used), "limit", json_count(map->limit),
					 "bytes", json_count(map->bytes)));
	}
	return array;
}

json_t *change_json(const char *action, const char *service, const char *backend)
{
	return json_pack("[{s:s, s:s, s:s?}]", "action", action, "service", service, "backend",
			 backend);
}
