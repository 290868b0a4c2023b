// SPDX-License-Identifier: GPL-2.0-only
/* A plan without maps to compare with: what differs from the running document. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool is_edited(const struct lb_backend_config *a, const struct lb_backend_config *b)
{
	return a->weight != b->weight || a->is_drained != b->is_drained ||
	       a->has_server_id != b->has_server_id || a->server_id != b->server_id;
}

int lb_plan_documents(struct lb *lb, const struct lb_config *config, struct lb_plan *plan,
		      struct lb_error *err)
{
	struct lb_config *old;
	int ret = lb_read_intent(lb, &old, err);

	if (ret)
		return ret;
	plan->services =
		calloc(config->service_count + old->service_count + 1, sizeof(*plan->services));
	if (!plan->services) {
		lb_config_free(old);
		return lb_fail(err, -ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];
		struct lb_service_plan *line = &plan->services[plan->service_count++];
		struct lb_service_config *known = lb_config_find_service(old, service->name);

		memcpy(line->name, service->name, sizeof(line->name));
		line->slots = service->slots;
		line->action = known ? ' ' : '+';
		for (unsigned int b = 0; b < service->backend_count; b++) {
			const struct lb_backend_config *backend = &service->backends[b];
			const struct lb_backend_config *before =
				known ? lb_config_find_backend(known, &backend->addr,
							       lb_backend_port(service, backend))
				      : NULL;

			line->added += !before;
			line->changed += before && is_edited(before, backend);
		}
		if (known)
			line->removed = known->backend_count + line->added - service->backend_count;
		if (known && (line->added || line->removed || line->changed))
			line->action = '~';
	}
	for (unsigned int i = 0; i < old->service_count; i++) {
		struct lb_service_plan *line = &plan->services[plan->service_count];

		if (lb_config_find_service((struct lb_config *)config, old->services[i].name))
			continue;
		memcpy(line->name, old->services[i].name, sizeof(line->name));
		line->slots = old->services[i].slots;
		line->removed = old->services[i].backend_count;
		line->action = '-';
		plan->service_count++;
	}
	lb_config_free(old);
	return 0;
}
