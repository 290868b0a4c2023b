// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service's slots: the new table from the one in force, written beside it, and the flip.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "maglev.h"

/* Names a backend to Maglev: the same on every balancer and after every restart. */
static __u64 identity_of(const struct lb_backend_config *config, __u16 port)
{
	static const struct lb_hash_key key = {
		.seed = 0x27d4eb2f165667c5ull,
		.word = { 0x9e3779b185ebca87ull, 0xc2b2ae3d27d4eb4full, 0x165667b19e3779f9ull },
	};

	return lb_hash_addr(&key, &config->addr, port);
}

void lb_table_read(const struct lb *lb, const struct lb_service *service, __u16 *owners)
{
	memcpy(owners, lb->lines[service->line].owner, service->slots * sizeof(*owners));
}

__u16 *lb_table_slot(const struct lb *lb, const struct lb_service *service, __u32 slot)
{
	return &lb->lines[service->line + slot / LB_OWNERS_PER_LINE]
			.owner[slot % LB_OWNERS_PER_LINE];
}

static int build(struct lb_service_change *service, struct lb_error *err)
{
	const struct lb_service_config *config = service->config;
	struct lb_maglev_owner *list = calloc(config->backend_count + 1, sizeof(*list));
	struct lb_maglev_change change = {};
	int ret;

	if (!list)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < config->backend_count; i++) {
		const struct lb_backend_change *backend = &service->backends[i];

		list[i].owner = backend->number - service->value.backend_base;
		list[i].identity =
			identity_of(backend->config, lb_backend_port(config, backend->config));
	}
	lb_health_weigh(service, list);
	ret = lb_maglev_build(service->owners, service->value.slots, list, config->backend_count,
			      &change);
	free(list);
	if (ret)
		return lb_fail(err, ret, "service %s: its table cannot be built: %s", config->name,
			       strerror(-ret));
	service->moved = change.moved + change.filled + change.emptied;
	return 0;
}

int lb_table_make(struct lb *lb, struct lb_service_change *service, struct lb_error *err)
{
	const __u32 slots = service->value.slots;

	service->owners = calloc(slots, sizeof(__u16));
	service->current = calloc(slots, sizeof(__u16));
	if (!service->owners || !service->current)
		return lb_fail(err, -ENOMEM, "out of memory");
	if (service->is_new || service->is_lost)
		for (__u32 i = 0; i < slots; i++)
			service->current[i] = LB_OWNER_NONE;
	else
		lb_table_read(lb, &service->value, service->current);
	memcpy(service->owners, service->current, slots * sizeof(__u16));
	return build(service, err) ?: lb_history_weigh(lb, service, err);
}

static void flip(struct lb *lb, struct lb_service_change *service)
{
	const struct lb_service *value = &service->value;
	const __u32 lines = lb_lines_of(value->slots);
	const __u32 next =
		value->line == value->first_line ? value->first_line + lines : value->first_line;

	memcpy(lb->lines[next].owner, service->owners, value->slots * sizeof(__u16));
	lb->control->is_settled = 0;
	__atomic_store_n(&lb->services[service->number].line, next, __ATOMIC_SEQ_CST);
	service->value.line = next;
}

/*
 * History first, then the table aside, then the flip: a killed command leaves the old table in
 * force, and entries of the history that no bit points at. The service's own entry must be in
 * place.
 */
int lb_table_write(struct lb *lb, struct lb_service_change *service, struct lb_error *err)
{
	int ret = 0;

	/* As late as can be: connections open while the document is written. */
	if (service->moved && lb_history_is_outdated(lb, service))
		ret = lb_history_weigh(lb, service, err);
	if (!ret)
		ret = lb_history_write(lb, service, err);
	if (ret)
		return ret;
	if (memcmp(service->owners, service->current, service->value.slots * sizeof(__u16)))
		flip(lb, service);
	lb_history_forget(lb, service);
	return 0;
}
