// SPDX-License-Identifier: GPL-2.0-only
/* What the document has, with what the maps have counted of it. */
#include <string.h>

#include "objects.h"

const struct lb_service_state *find_service_state(const struct lb_stats *stats, const char *name)
{
	for (unsigned int i = 0; stats && i < stats->service_count; i++) {
		if (!strcmp(stats->services[i].config.name, name))
			return &stats->services[i];
	}
	return NULL;
}

const struct lb_backend_state *find_backend_state(const struct lb_service_state *state,
						  const union lb_addr *addr, __u16 port,
						  unsigned int index)
{
	for (unsigned int i = 0; state && i < state->backend_count; i++) {
		const struct lb_backend_state *backend =
			&state->backends[(index + i) % state->backend_count];

		if (backend->config.port == port && lb_addr_is_equal(&backend->config.addr, addr))
			return backend;
	}
	return NULL;
}

json_t *service_list_json(const struct lb_config *config, const struct lb_service_config *only,
			  const struct lb_stats *stats)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];

		if (!only || only == service)
			(void)json_array_append_new(
				array, service_json(service, service->backend_count,
						    find_service_state(stats, service->name)));
	}
	return array;
}

json_t *backend_list_json(const struct lb_config *config, const struct lb_service_config *only,
			  const struct lb_stats *stats)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];
		const struct lb_service_state *state = find_service_state(stats, service->name);

		for (unsigned int b = 0; (!only || only == service) && b < service->backend_count;
		     b++) {
			const struct lb_backend_config *backend = &service->backends[b];
			const __u16 port = lb_backend_port(service, backend);

			(void)json_array_append_new(
				array,
				backend_json(service, backend,
					     find_backend_state(state, &backend->addr, port, b)));
		}
	}
	return array;
}
