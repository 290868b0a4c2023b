// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a change into the maps, in the order that keeps every packet's way valid at every instant
 * and lets the next command finish what a killed one began: backends, where their replies are
 * looked up, tables, where services are looked up; what is gone goes last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "config.h"
#include "lb_csum.h"
#include "local.h"

struct stale {
	const struct lb *lb;
	const bool *service, *backend, *endpoint;
};

static bool is_stale(const struct lb_flow *flow, const void *arg)
{
	const struct stale *stale = arg;
	const struct lb *lb = stale->lb;
	__u32 backend;

	if (flow->service >= lb->meta->services || stale->service[flow->service])
		return true;
	backend = lb_flow_backend(lb, flow);
	if (backend == LB_NO_BACKEND || stale->backend[backend])
		return true;
	return flow->kind != LB_FLOW_RECORD &&
	       (flow->endpoint >= lb->meta->backends || stale->endpoint[flow->endpoint]);
}

/* Numbers that are given again must not be found in flows of their earlier holders. */
static int sweep_reused(struct lb *lb, const struct lb_change *change, struct lb_error *err)
{
	bool *marks = calloc(lb->meta->services + 2 * (size_t)lb->meta->backends, sizeof(*marks));
	bool *backends = marks ? marks + lb->meta->services : NULL;
	bool *endpoints = marks ? backends + lb->meta->backends : NULL;
	const struct stale stale = { lb, marks, backends, endpoints };
	bool is_needed = false;
	int ret = 0;

	if (!marks)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < change->service_count; i++) {
		const struct lb_service_change *service = &change->services[i];

		if (service->is_new && lb->services[service->number].flags & LB_S_USED)
			is_needed = marks[service->number] = true;
		for (unsigned int b = 0; b < service->config->backend_count; b++) {
			const struct lb_backend_change *backend = &service->backends[b];

			if (backend->is_new && lb->backends[backend->number].flags & LB_B_USED)
				is_needed = backends[backend->number] = true;
		}
	}
	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (change->endpoints[i].is_in_use && !lb->endpoints[i].is_in_use &&
		    lb->endpoints[i].was_used)
			is_needed = endpoints[i] = true;
	if (is_needed) {
		lb_flows_sweep(lb, is_stale, &stale);
		ret = lb_history_sweep(lb, backends);
	}
	free(marks);
	return ret ? lb_fail(err, ret, "the histories cannot be swept: %s", strerror(-ret)) : 0;
}

static void write_sources(struct lb *lb, const struct lb_service_change *service,
			  const struct lb_backend_change *backend)
{
	const struct lb_service_config *config = service->config;
	struct lb_sources *sources = &lb->sources[backend->number];
	__u16 count = config->source_count;

	if (count)
		memcpy(sources->addr, config->sources, count * sizeof(sources->addr[0]));
	else if (backend->has_route &&
		 (backend->route.source.quads[0] | backend->route.source.quads[1]))
		sources->addr[count++] = backend->route.source;
	/* Without an answer the old source stays: a route may be away for a moment. */
	if (count || backend->is_new)
		__atomic_store_n(&lb->backends[backend->number].source_count, count,
				 __ATOMIC_SEQ_CST);
}

/* Where outer headers come from. Without an answer the old source stays, as above. */
static void fill_tunnel(const struct lb *lb, const struct lb_service_change *service,
			const struct lb_backend_change *backend, struct lb_backend *value)
{
	const struct lb_prefix *source = lb_tunnel_source(service->config, &backend->config->addr);

	if (!lb_mode_is_tunnel(value->mode))
		return;
	if (source) {
		value->tunnel_source = source->addr;
		value->tunnel_spread = lb_prefix_spread(source);
	} else if (backend->has_route) {
		value->tunnel_source = backend->route.source;
	} else if (!backend->is_new) {
		value->tunnel_source = lb->backends[backend->number].tunnel_source;
		value->tunnel_spread = lb->backends[backend->number].tunnel_spread;
	}
}

static void write_backend(struct lb *lb, const struct lb_service_change *service,
			  const struct lb_backend_change *backend)
{
	const struct lb_backend_config *config = backend->config;
	struct lb_backend value = {
		.addr = config->addr,
		.port = htons(lb_backend_port(service->config, config)),
		.endpoint = backend->endpoint,
		.service = service->number,
		.weight = config->weight,
		.mode = lb_backend_mode(service->config, config),
		.flags = LB_B_IN_USE | (config->is_drained ? LB_B_DRAIN : 0) |
			 (lb_backend_has_pool(service->config, config) ? LB_B_POOL : 0) |
			 (config->has_server_id ? LB_B_SERVER : 0) |
			 (backend->is_down ? LB_B_DOWN : 0),
		.server_id = config->server_id,
		.source_count = backend->is_new ? 0 : lb->backends[backend->number].source_count,
		.version = lb->backends[backend->number].version + backend->is_new,
		.sum = lb_csum_of(&config->addr),
	};

	fill_tunnel(lb, service, backend, &value);
	/* Connections of nat outlive a detach; those of a document that is put into force may
	 * exist. */
	if (backend->is_new ? lb->is_refresh : lb->backends[backend->number].flags & LB_B_ASSUMED)
		value.flags |= LB_B_ASSUMED;
	if (backend->is_new)
		lb_read_backend_cpu(lb, backend->number, &lb->bases[backend->number]);
	/* Only the fields of a change differ for one that is there; it is read meanwhile. */
	if (memcmp(&lb->backends[backend->number], &value, sizeof(value)))
		lb->backends[backend->number] = value;
	if (backend->is_new || !lb_health_is_on(&service->config->health))
		lb->health[backend->number] = (struct lb_backend_health){ .cut = backend->cut };
	write_sources(lb, service, backend);
	if (!backend->has_route)
		return;
	if (backend->route.ifindex && !backend->route.is_local)
		lb_neighbour_manage(lb, backend->route.ifindex, &backend->route.next_hop, true);
}

static bool is_attached_to(const struct lb *lb, __u32 ifindex)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex == ifindex)
			return true;
	return false;
}

/* What would make packets vanish later is said now. */
static void warn_of_routes(struct lb *lb, const struct lb_service_change *service)
{
	bool has_ports = false;

	for (int i = 0; i < LB_PORTS_MAX; i++)
		has_ports |= lb->ports[i].ifindex && lb->ports[i].program_id;
	for (unsigned int i = 0; i < service->config->backend_count; i++) {
		const struct lb_backend_change *backend = &service->backends[i];
		char text[LB_ADDR_TEXT_SIZE];

		if (!backend->is_new)
			continue;
		lb_addr_format(&backend->config->addr, text);
		if (lb_backend_mode(service->config, backend->config) == LB_MODE_LOCAL) {
			if (!backend->has_route || !backend->route.is_local)
				lb_notice(lb,
					  "backend %s is no address of this host now; mode local "
					  "cannot reach it (no_listener)",
					  text);
		} else if (!backend->has_route)
			lb_notice(lb,
				  "backend %s: no route to it now; packets for it are dropped "
				  "(no_route)",
				  text);
		else if (backend->route.is_local)
			lb_notice(lb, "backend %s is this host itself, which mode %s cannot reach",
				  text,
				  lb_mode_name(lb_backend_mode(service->config, backend->config)));
		else if (has_ports && !is_attached_to(lb, backend->route.ifindex))
			lb_notice(lb,
				  "backend %s is reached by an interface (index %u) that lbctl is "
				  "not "
				  "attached to; packets for it are dropped (not_attached) until it "
				  "is",
				  text, backend->route.ifindex);
	}
}

/* A new service, or a lost one, has an empty table before it can be found. */
static void write_new_service(struct lb *lb, struct lb_service_change *service)
{
	struct lb_service value = service->value;
	const __u32 lines = lb_lines_of(value.slots);
	const struct lb_service_cpu *zero =
		service->is_new ? calloc(lb->cpus, sizeof(*zero)) : NULL;

	for (__u32 i = 0; i < lines * LB_OWNERS_PER_LINE; i++)
		lb->lines[value.first_line + i / LB_OWNERS_PER_LINE].owner[i % LB_OWNERS_PER_LINE] =
			LB_OWNER_NONE;
	if (zero)
		bpf_map_update_elem(lb->maps[LB_MAP_SERVICE_CPU].fd, &service->number, zero, 0);
	free((void *)zero);
	if (service->is_new)
		lb->totals[service->number] = (struct lb_totals){};
	value.flags &= ~LB_S_IN_USE;
	lb->services[service->number] = value;
	__atomic_store_n(&lb->services[service->number].flags, service->value.flags,
			 __ATOMIC_SEQ_CST);
}

static void write_service(struct lb *lb, struct lb_service_change *service)
{
	struct lb_service *value = &lb->services[service->number];

	value->flags = service->value.flags;
	value->mode = service->value.mode;
	value->mss = service->value.mss;
	value->cid_offset = service->value.cid_offset;
	value->cid_length = service->value.cid_length;
	value->timeout_syn = service->value.timeout_syn;
	value->timeout_established = service->value.timeout_established;
	value->timeout_fin = service->value.timeout_fin;
	value->timeout_udp = service->value.timeout_udp;
	value->weigh_at = service->value.weigh_at;
	memcpy(value->name, service->value.name, sizeof(value->name));
}

static void retire_backend(struct lb *lb, __u32 number)
{
	struct lb_backend *backend = &lb->backends[number];
	const __u16 service = LB_READ(backend->service);
	const struct lb_totals *base = &lb->bases[number];
	struct lb_totals sum = *base;

	if (!lb_read_backend_cpu(lb, number, &sum) && service < lb->meta->services) {
		lb_totals_add(&lb->totals[service], &sum);
		lb_totals_subtract(&lb->totals[service], base);
	}
	lb->bases[number] = sum;
	__atomic_store_n(&backend->flags, LB_B_USED, __ATOMIC_SEQ_CST);
}

/* The kernel need not keep resolving an address that no backend has any more. */
static void let_neighbour_go(struct lb *lb, __u32 number)
{
	const union lb_addr *addr = &lb->backends[number].addr;
	struct lb_route_answer route;

	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (lb->backends[i].flags & LB_B_IN_USE &&
		    lb_addr_is_equal(&lb->backends[i].addr, addr))
			return;
	if (!lb_route_get(lb, addr, &route) && !route.is_local &&
	    lb_addr_is_equal(&route.next_hop, addr))
		lb_neighbour_manage(lb, route.ifindex, addr, false);
}

static void retire_endpoints(struct lb *lb, const struct lb_change *change)
{
	for (__u32 i = 0; i < lb->meta->backends; i++) {
		if (!lb->endpoints[i].is_in_use || change->endpoints[i].is_in_use)
			continue;
		lb->endpoints[i].was_used = 1;
		lb->endpoints[i].is_in_use = 0;
	}
}

static void write_endpoints(struct lb *lb, const struct lb_change *change)
{
	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (change->endpoints[i].is_in_use &&
		    memcmp(&lb->endpoints[i], &change->endpoints[i], sizeof(lb->endpoints[i])))
			lb->endpoints[i] = change->endpoints[i];
}

int lb_change_apply(struct lb *lb, struct lb_change *change, struct lb_error *err)
{
	int ret;

	/* A killed command may have flipped without waiting for the packets under way. */
	if (!lb->control->is_settled)
		lb_kernel_settle();
	lb->control->is_settled = 1;
	lb_read_port_ranges(lb);
	ret = sweep_reused(lb, change, err);
	if (ret)
		return ret;
	write_endpoints(lb, change);
	for (unsigned int i = 0; i < change->service_count; i++) {
		struct lb_service_change *service = &change->services[i];

		if (service->is_new || service->is_lost)
			write_new_service(lb, service);
		for (unsigned int b = 0; b < service->config->backend_count; b++)
			write_backend(lb, service, &service->backends[b]);
	}
	ret = lb_servers_write(lb, change, err);
	if (ret)
		return ret;
	/* A reply must be known before a table can send the packet that it answers. */
	ret = lb_lookup_write(lb, change, LB_LOOKUP_ENDPOINTS, err);
	for (unsigned int i = 0; !ret && i < change->service_count; i++) {
		write_service(lb, &change->services[i]);
		ret = lb_table_write(lb, &change->services[i], err);
	}
	if (!ret)
		ret = lb_lookup_write(lb, change, LB_LOOKUP_SERVICES, err);
	if (ret)
		return ret;
	if (!lb->control->is_settled)
		lb_kernel_settle();
	for (unsigned int i = 0; i < change->service_count; i++)
		lb_history_add_late(lb, &change->services[i]);
	for (unsigned int i = 0; i < change->gone_backend_count; i++)
		retire_backend(lb, change->gone_backends[i]);
	for (unsigned int i = 0; i < change->gone_backend_count; i++)
		let_neighbour_go(lb, change->gone_backends[i]);
	for (unsigned int i = 0; i < change->gone_service_count; i++)
		lb->services[change->gone_services[i]].flags = LB_S_USED;
	retire_endpoints(lb, change);
	lb_servers_trim(lb);
	ret = lb_local_trim(lb, change, err);
	if (ret)
		return ret;
	lb->control->is_settled = 1;
	lb->control->is_dirty = 0;
	for (unsigned int i = 0; i < change->service_count; i++)
		warn_of_routes(lb, &change->services[i]);
	return 0;
}

int lb_apply_intent(struct lb *lb, struct lb_error *err)
{
	struct lb_change *change = NULL;
	struct lb_config *config;
	int ret = lb_read_intent(lb, &config, err);

	if (ret)
		return ret;
	lb->is_refresh = true;
	ret = lb_change_make(lb, config, &change, err);
	if (!ret)
		ret = lb_local_prepare(lb, change, err) ?: lb_change_apply(lb, change, err);
	lb->is_refresh = false;
	lb_change_free(change);
	lb_config_free(config);
	return ret;
}

/* Maps cannot grow in place; what the document says of sizes waits. */
static void warn_of_limits(struct lb *lb, const struct lb_limits *limits)
{
	if (!lb_limits_are_in_force(lb, limits))
		lb_notice(
			lb,
			"the limits differ from those in force; they take effect at 'lbctl detach "
			"all' and 'lbctl attach'");
}

int lb_commit(struct lb *lb, const struct lb_config *config, struct lb_error *err)
{
	struct lb_change *change = NULL;
	__u32 was_dirty = 0;
	int ret = lb_config_check(config, err) ?: lb_local_check(lb, config, err);

	if (ret)
		return ret;
	if (lb->lock_fd < 0)
		return lb_fail(err, -EINVAL, "lb_commit needs lb_lock");
	if (lb->is_loaded)
		ret = lb_change_make(lb, config, &change, err);
	if (!ret && change)
		ret = lb_local_prepare(lb, change, err);
	/* Killed from here on, the next command finds the mark and finishes. */
	if (!ret && change) {
		was_dirty = lb->control->is_dirty;
		lb->control->is_dirty = 1;
	}
	if (!ret) {
		ret = lb_config_store(config, lb->state_path, err);
		/* The document is still the old one, and nothing was begun. */
		if (ret && change)
			lb->control->is_dirty = was_dirty;
	}
	if (!ret && change) {
		warn_of_limits(lb, &config->limits);
		ret = lb_change_apply(lb, change, err);
	}
	lb_change_free(change);
	return ret;
}
