// SPDX-License-Identifier: GPL-2.0-only
/*
 * The health of backends, as it is kept beside the maps, and what it does to a service's table:
 * a part of the weight is taken away, the weight itself stays. Needs no document, so that lbd puts
 * a change into force with nothing but the maps it holds open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "maglev.h"

static bool is_this(const struct lb *lb, __u32 number, const char *service,
		    const union lb_addr *addr, __u16 port)
{
	const struct lb_backend *backend = &lb->backends[number];
	const __u16 owner = LB_READ(backend->service);

	return backend->flags & LB_B_IN_USE && backend->port == htons(port) &&
	       lb_addr_is_equal(&backend->addr, addr) && owner < lb->meta->services &&
	       !strncmp(lb->services[owner].name, service, LB_NAME_SIZE);
}

/* -ENOENT, or 0 and the number in hint. */
static int find(const struct lb *lb, const char *service, const union lb_addr *addr, __u16 port,
		__u32 *hint)
{
	if (*hint < lb->meta->backends && is_this(lb, *hint, service, addr, port))
		return 0;
	for (__u32 i = 0; i < lb->meta->backends; i++) {
		if (is_this(lb, i, service, addr, port)) {
			*hint = i;
			return 0;
		}
	}
	return -ENOENT;
}

int lb_get_health(const struct lb *lb, const char *service, const union lb_addr *addr, __u16 port,
		  __u32 *hint, struct lb_backend_health *out)
{
	if (!lb->is_loaded || find(lb, service, addr, port, hint))
		return -ENOENT;
	*out = lb->health[*hint];
	return 0;
}

void lb_note_result(struct lb *lb, const struct lb_health_change *result)
{
	__u32 hint = result->hint;

	if (!lb->is_loaded || find(lb, result->service, &result->addr, result->port, &hint))
		return;
	lb->health[hint].reason = result->value.reason;
	lb->health[hint].detail = result->value.detail;
	lb->health[hint].took_us = result->value.took_us;
}

__u32 lb_health_flags(const struct lb_health_config *health)
{
	if (health->on_all_down == LB_ALL_DOWN_ANY)
		return LB_S_ANY;
	return health->on_all_down == LB_ALL_DOWN_REJECT ? LB_S_REJECT : 0;
}

static __u16 cut_of(const struct lb *lb, __u32 number)
{
	const __u16 cut = LB_READ(lb->health[number].cut);

	return cut < LB_CUT_WHOLE ? cut : LB_CUT_WHOLE;
}

/* Where health leaves none and all count again, none is down. */
void lb_health_mark(struct lb_service_change *service)
{
	bool is_all_up = service->value.flags & LB_S_ANY;

	for (unsigned int b = 0; is_all_up && b < service->config->backend_count; b++)
		is_all_up = service->backends[b].cut == LB_CUT_WHOLE;
	for (unsigned int b = 0; b < service->config->backend_count; b++)
		service->backends[b].is_down =
			!is_all_up && service->backends[b].cut == LB_CUT_WHOLE;
}

/* By the document: a new backend of a service that lbd checks has to pass a check first. */
void lb_health_plan(const struct lb *lb, struct lb_change *change)
{
	const bool is_checked = lb_daemon_is_running(lb);

	for (unsigned int i = 0; i < change->service_count; i++) {
		struct lb_service_change *service = &change->services[i];

		if (!lb_health_is_on(&service->config->health))
			continue;
		for (unsigned int b = 0; b < service->config->backend_count; b++) {
			struct lb_backend_change *backend = &service->backends[b];

			if (!backend->is_new)
				backend->cut = cut_of(lb, backend->number);
			else if (is_checked && service->config->health.type)
				backend->cut = LB_CUT_WHOLE;
		}
		lb_health_mark(service);
	}
}

/* The weights from which a table is built; where health leaves none, all may count again. */
void lb_health_weigh(const struct lb_service_change *service, struct lb_maglev_owner *list)
{
	const unsigned int count = service->config->backend_count;
	bool has_weight = false;

	for (unsigned int i = 0; i < count; i++) {
		const struct lb_backend_change *backend = &service->backends[i];
		const __u32 weight = backend->config->is_drained ? 0 : backend->config->weight;

		list[i].weight = weight * (LB_CUT_WHOLE - backend->cut);
		has_weight |= list[i].weight;
	}
	for (unsigned int i = 0; !has_weight && i < count && service->value.flags & LB_S_ANY; i++)
		if (!service->backends[i].config->is_drained)
			list[i].weight = service->backends[i].config->weight * LB_CUT_WHOLE;
}

/* A service as it is in the maps, in the shape that a plan has. */
struct reweighed {
	struct lb_service_config config;
	struct lb_service_change change;
};

static bool is_backend_of(const struct lb *lb, __u32 i, __u32 number, __u32 base)
{
	return lb->backends[i].flags & LB_B_IN_USE && lb->backends[i].service == number &&
	       lb_backend_is_within(lb, base, i);
}

/* -ESTALE: its entry cannot be; the next command mends it. */
static int load(const struct lb *lb, __u32 number, struct reweighed *out)
{
	struct lb_service_config *config = &out->config;
	struct lb_service value;
	unsigned int count = 0;

	if (!lb_service_get(lb, number, &value))
		return -ESTALE;
	for (__u32 i = 0; i < lb->meta->backends; i++)
		count += is_backend_of(lb, i, number, value.backend_base);
	lb_service_config_init(config);
	memcpy(config->name, value.name, sizeof(config->name));
	config->backends = calloc(count + 1, sizeof(*config->backends));
	out->change =
		(struct lb_service_change){ .config = config, .number = number, .value = value };
	out->change.backends = calloc(count + 1, sizeof(*out->change.backends));
	if (!config->backends || !out->change.backends)
		return -ENOMEM;
	for (__u32 i = 0; i < lb->meta->backends && config->backend_count < count; i++) {
		const struct lb_backend *backend = &lb->backends[i];
		struct lb_backend_config *known = &config->backends[config->backend_count];

		if (!is_backend_of(lb, i, number, value.backend_base))
			continue;
		lb_backend_config_init(known);
		known->addr = backend->addr;
		known->port = ntohs(backend->port);
		known->weight = backend->weight;
		known->is_drained = backend->flags & LB_B_DRAIN;
		out->change.backends[config->backend_count++] = (struct lb_backend_change){
			.config = known, .number = i, .cut = cut_of(lb, i)
		};
	}
	return 0;
}

static void note_cut(struct reweighed *service, __u32 number, const struct lb_backend_health *value)
{
	for (unsigned int i = 0; i < service->config.backend_count; i++) {
		struct lb_backend_change *backend = &service->change.backends[i];

		if (backend->number != number)
			continue;
		backend->is_dead = value->health == LB_HEALTH_DOWN && value->cut == LB_CUT_WHOLE &&
				   backend->cut < LB_CUT_WHOLE;
		backend->cut = value->cut;
	}
}

static int find_loaded(const struct lb *lb, struct reweighed *list, unsigned int *count,
		       __u32 number, struct reweighed **out)
{
	int ret;

	for (unsigned int i = 0; i < *count; i++)
		if (list[i].change.number == number) {
			*out = &list[i];
			return 0;
		}
	ret = load(lb, number, &list[*count]);
	if (ret != -ESTALE)
		*out = &list[(*count)++];
	return ret;
}

/* Their numbers in connection ids count, or do not. */
static void write_down(struct lb *lb, struct lb_service_change *service)
{
	lb_health_mark(service);
	for (unsigned int b = 0; b < service->config->backend_count; b++) {
		struct lb_backend *backend = &lb->backends[service->backends[b].number];

		backend->flags = (backend->flags & ~LB_B_DOWN) |
				 (service->backends[b].is_down ? LB_B_DOWN : 0);
	}
}

static int reweigh(struct lb *lb, struct reweighed *list, unsigned int count, struct lb_error *err)
{
	struct lb_service_change *services = calloc(count + 1, sizeof(*services));
	struct lb_change change = { .services = services, .service_count = count };
	int ret = services ? 0 : lb_fail(err, -ENOMEM, "out of memory");

	for (unsigned int i = 0; i < count && !ret; i++) {
		ret = lb_table_make(lb, &list[i].change, err);
		services[i] = list[i].change;
	}
	ret = ret ?: lb_history_check(lb, &change, err);
	if (!lb->control->is_settled)
		lb_kernel_settle();
	lb->control->is_settled = 1;
	for (unsigned int i = 0; i < count && !ret; i++) {
		ret = lb_table_write(lb, &list[i].change, err);
		write_down(lb, &list[i].change);
	}
	if (!lb->control->is_settled)
		lb_kernel_settle();
	for (unsigned int i = 0; i < count && !ret; i++)
		lb_history_add_late(lb, &list[i].change);
	lb->control->is_settled = 1;
	free(services);
	return ret;
}

static void free_loaded(struct reweighed *list, unsigned int count)
{
	for (unsigned int i = 0; list && i < count; i++) {
		struct lb_service_change *change = &list[i].change;

		free(list[i].config.backends);
		free(change->backends);
		free(change->owners);
		free(change->current);
		free(change->quiet);
		free(change->kept);
		lb_history_free(&change->histories);
	}
	free(list);
}

int lb_set_health(struct lb *lb, const struct lb_health_change *changes, unsigned int count,
		  struct lb_error *err)
{
	struct reweighed *list;
	unsigned int loaded = 0;
	__u32 *numbers;
	int ret = 0;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached: 'lbctl attach IF' first");
	if (lb->lock_fd < 0)
		return lb_fail(err, -EINVAL, "lb_set_health needs the lock");
	if (lb->control->is_gone)
		return lb_fail(err, -ESTALE, "the maps were removed");
	list = calloc(count + 1, sizeof(*list));
	numbers = calloc(count + 1, sizeof(*numbers));
	for (unsigned int i = 0; i < count && list && numbers && !ret; i++) {
		const struct lb_health_change *from = &changes[i];
		struct reweighed *service;

		numbers[i] = from->hint;
		if (find(lb, from->service, &from->addr, from->port, &numbers[i])) {
			numbers[i] = ~0u;
			continue;
		}
		if (lb->health[numbers[i]].cut == from->value.cut)
			continue;
		ret = find_loaded(lb, list, &loaded, LB_READ(lb->backends[numbers[i]].service),
				  &service);
		if (!ret)
			note_cut(service, numbers[i], &from->value);
		if (ret == -ESTALE) {
			numbers[i] = ~0u;
			ret = 0;
		}
	}
	if (!list || !numbers || ret)
		ret = lb_fail(err, -ENOMEM, "out of memory");
	else
		ret = reweigh(lb, list, loaded, err);
	/* Last: killed before, the same change is asked for again and moves nothing twice. */
	for (unsigned int i = 0; i < count && !ret; i++)
		if (numbers[i] != ~0u)
			lb->health[numbers[i]] = changes[i].value;
	free_loaded(list, loaded);
	free(numbers);
	return ret;
}
