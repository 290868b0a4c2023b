// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a document to what must be in the maps: what is there already keeps its number, what is new
 * gets one, what is gone is listed. Nothing is written here, so a plan that cannot work changes
 * nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "index.h"
#include "lb_csum.h"
#include "local.h"

#define NOT_FOUND (~0u)

static __u32 find_service(const struct lb *lb, const struct lb_service_config *config)
{
	for (__u32 i = 0; i < lb->meta->services; i++) {
		const struct lb_service *service = &lb->services[i];

		if (service->flags & LB_S_IN_USE && lb_service_has_front(service, config))
			return i;
	}
	return NOT_FOUND;
}

static int index_backends(const struct lb *lb, struct lb_index *index)
{
	int ret = lb_index_init(index, lb->meta->backends);

	for (__u32 i = 0; !ret && i < lb->meta->backends; i++) {
		const struct lb_backend *backend = &lb->backends[i];

		if (backend->flags & LB_B_IN_USE)
			lb_index_add(index,
				     lb_index_hash(&backend->addr, backend->port, backend->service),
				     i);
	}
	return ret;
}

static __u32 find_backend(const struct lb *lb, const struct lb_index *index,
			  const struct lb_service_change *change,
			  const struct lb_backend_config *wanted)
{
	const struct lb_service_config *config = change->config;
	const __u32 service = change->number;
	const __be16 port = htons(lb_backend_port(config, wanted));
	const enum lb_mode mode = lb_backend_mode(config, wanted);
	const __u64 hash = lb_index_hash(&wanted->addr, port, service);
	__u32 at = 0, number;

	while (lb_index_next(index, hash, &at, &number)) {
		const struct lb_backend *backend = &lb->backends[number];

		if (lb_backend_is_within(lb, change->value.backend_base, number) &&
		    backend->service == service && backend->port == port && backend->mode == mode &&
		    lb_addr_is_equal(&backend->addr, &wanted->addr))
			return number;
	}
	return NOT_FOUND;
}

static __u32 to_jiffies(const struct lb *lb, __u32 seconds)
{
	return seconds * lb_hz(lb);
}

static void fill_value(const struct lb *lb, struct lb_service_change *change)
{
	const struct lb_service_config *config = change->config;
	struct lb_service *value = &change->value;

	lb_service_set_front(value, config);
	value->sum = lb_csum_of(&config->vip);
	value->mode = lb_service_mode(config);
	value->slots = config->slots;
	value->mss = config->mss;
	value->cid_offset = config->cid_offset;
	value->cid_length = config->cid_length;
	value->flags = LB_S_IN_USE | (config->is_stateless ? LB_S_STATELESS : 0) |
		       (config->cache.is_on ? LB_S_CACHED : 0) |
		       (config->cid_length ? LB_S_QUIC : 0) |
		       (config->fragments == LB_FRAGMENTS_THREE_TUPLE ? LB_S_THREE_TUPLE : 0) |
		       (lb_front_is_wide(config) ? LB_S_WIDE : 0);
	if (config->proto == IPPROTO_UDP && !config->is_stateless)
		value->flags |= LB_S_TRACKED;
	for (unsigned int i = 0; i < config->backend_count; i++)
		if (lb_backend_mode(config, &config->backends[i]) == LB_MODE_FULLNAT)
			value->flags |= LB_S_TRACKED;
	value->flags |= lb_health_flags(&config->health);
	value->timeout_syn = to_jiffies(lb, config->timeouts.syn);
	value->timeout_established = to_jiffies(lb, config->timeouts.established);
	value->timeout_fin = to_jiffies(lb, config->timeouts.fin);
	value->timeout_udp = to_jiffies(lb, config->timeouts.udp);
	memcpy(value->name, config->name, sizeof(value->name));
}

static bool is_changed(const struct lb_backend *is, const struct lb_backend_config *wanted)
{
	return is->weight != wanted->weight || !(is->flags & LB_B_DRAIN) == wanted->is_drained ||
	       !(is->flags & LB_B_SERVER) == wanted->has_server_id ||
	       is->server_id != wanted->server_id;
}

/* Of one that is there: whether the source of its packets is to be had from the route, now or anew.
 */
static bool wants_source(const struct lb *lb, const struct lb_service_config *service,
			 const struct lb_backend_config *config, const struct lb_backend *is)
{
	const bool has_none = lb_mode_is_tunnel(is->mode)
				      ? !(is->tunnel_source.quads[0] | is->tunnel_source.quads[1])
				      : is->mode == LB_MODE_FULLNAT && !is->source_count;

	return lb->is_refresh ||
	       (!lb_backend_has_pool(service, config) && (is->flags & LB_B_POOL || has_none));
}

static int match_backends(struct lb *lb, struct lb_service_change *change,
			  const struct lb_index *index, bool *is_kept, struct lb_error *err)
{
	const struct lb_service_config *config = change->config;

	change->backends = calloc(config->backend_count + 1, sizeof(*change->backends));
	if (!change->backends)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < config->backend_count; i++) {
		struct lb_backend_change *backend = &change->backends[i];
		int ret;

		backend->config = &config->backends[i];
		backend->number = change->is_new ? NOT_FOUND
						 : find_backend(lb, index, change, backend->config);
		backend->is_new = backend->number == NOT_FOUND;
		if (backend->is_new ||
		    wants_source(lb, config, backend->config, &lb->backends[backend->number]))
			backend->has_route =
				!lb_route_get(lb, &backend->config->addr, &backend->route);
		ret = backend->is_new ? lb_reach_check(lb, config, backend, err) : 0;
		if (ret)
			return ret;
		if (backend->is_new)
			continue;
		is_kept[backend->number] = true;
		change->changed += is_changed(&lb->backends[backend->number], backend->config);
	}
	return 0;
}

/* By what its backends have, as all of them share one window. */
static __u32 guess_base(const struct lb *lb, __u32 service)
{
	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (lb->backends[i].flags & LB_B_IN_USE && lb->backends[i].service == service)
			return i / LB_BACKEND_WINDOW * LB_BACKEND_WINDOW;
	return 0;
}

/* Goes on from what is in the maps. */
static int take_old(struct lb *lb, struct lb_service_change *service, struct lb_error *err)
{
	struct lb_service old;

	service->is_lost = !lb_service_get(lb, service->number, &old);
	service->value.flags |= lb_flags_kept(lb, service->number, service->value.flags);
	if (service->is_lost) {
		lb_notice(lb,
			  "service %s: its entry in lb_services was damaged, its table is "
			  "built anew",
			  service->config->name);
		service->value.backend_base = guess_base(lb, service->number);
		return 0;
	}
	if (old.slots != service->config->slots)
		return lb_fail(err, -EINVAL,
			       "service %s: its table has %u slots and keeps them: "
			       "to get %u, delete the service and add it again",
			       service->config->name, old.slots, service->config->slots);
	service->value.line = old.line;
	service->value.first_line = old.first_line;
	service->value.weigh_at = old.weigh_at;
	service->value.backend_base = old.backend_base;
	return 0;
}

static int match_services(struct lb *lb, const struct lb_config *config, struct lb_change *change,
			  const struct lb_index *index, bool *is_kept, bool *is_backend_kept,
			  struct lb_error *err)
{
	for (unsigned int i = 0; i < config->service_count; i++) {
		struct lb_service_change *service = &change->services[i];
		int ret = 0;

		service->config = &config->services[i];
		service->number = find_service(lb, service->config);
		service->is_new = service->number == NOT_FOUND;
		fill_value(lb, service);
		if (!service->is_new) {
			is_kept[service->number] = true;
			ret = take_old(lb, service, err);
		}
		ret = ret ?: match_backends(lb, service, index, is_backend_kept, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* What is in the maps and not in the document. */
static int list_gone(struct lb *lb, struct lb_change *change, const bool *is_kept,
		     const bool *is_backend_kept)
{
	change->gone_services = calloc(lb->meta->services, sizeof(__u32));
	change->gone_backends = calloc(lb->meta->backends, sizeof(__u32));
	if (!change->gone_services || !change->gone_backends)
		return -ENOMEM;
	for (__u32 i = 0; i < lb->meta->services; i++)
		if (lb->services[i].flags & LB_S_IN_USE && !is_kept[i])
			change->gone_services[change->gone_service_count++] = i;
	for (__u32 i = 0; i < lb->meta->backends; i++) {
		if (!(lb->backends[i].flags & LB_B_IN_USE) || is_backend_kept[i])
			continue;
		change->gone_backends[change->gone_backend_count++] = i;
		for (unsigned int s = 0; s < change->service_count; s++)
			if (!change->services[s].is_new &&
			    change->services[s].number == lb->backends[i].service)
				change->services[s].removed++;
	}
	return 0;
}

static int make(struct lb *lb, const struct lb_config *config, struct lb_change *change,
		struct lb_error *err)
{
	bool *is_kept = calloc(lb->meta->services, sizeof(bool));
	bool *is_backend_kept = calloc(lb->meta->backends, sizeof(bool));
	struct lb_index index = {};
	int ret = is_kept && is_backend_kept && !index_backends(lb, &index)
			  ? 0
			  : lb_fail(err, -ENOMEM, "out of memory");

	if (!ret)
		ret = match_services(lb, config, change, &index, is_kept, is_backend_kept, err);
	if (!ret && list_gone(lb, change, is_kept, is_backend_kept))
		ret = lb_fail(err, -ENOMEM, "out of memory");
	free(is_kept);
	free(is_backend_kept);
	lb_index_free(&index);
	if (!ret)
		ret = lb_number_services(lb, change, err) ?: lb_number_backends(lb, change, err) ?:
							     lb_number_endpoints(lb, change, err);
	if (!ret)
		lb_health_plan(lb, change);
	for (unsigned int i = 0; !ret && i < change->service_count; i++)
		ret = lb_table_make(lb, &change->services[i], err);
	return ret ?: lb_history_check(lb, change, err);
}

int lb_change_make(struct lb *lb, const struct lb_config *config, struct lb_change **out,
		   struct lb_error *err)
{
	struct lb_change *change = calloc(1, sizeof(*change));
	int ret;

	if (!change)
		return lb_fail(err, -ENOMEM, "out of memory");
	change->services = calloc(config->service_count + 1, sizeof(*change->services));
	change->service_count = config->service_count;
	ret = change->services ? make(lb, config, change, err)
			       : lb_fail(err, -ENOMEM, "out of memory");
	if (ret) {
		lb_change_free(change);
		return ret;
	}
	*out = change;
	return 0;
}

void lb_change_free(struct lb_change *change)
{
	if (!change)
		return;
	for (unsigned int i = 0; change->services && i < change->service_count; i++) {
		free(change->services[i].backends);
		free(change->services[i].owners);
		free(change->services[i].current);
		lb_history_free(&change->services[i].histories);
		free(change->services[i].quiet);
		free(change->services[i].kept);
	}
	free(change->services);
	free(change->gone_services);
	free(change->gone_backends);
	free(change->endpoints);
	free(change);
}

static bool is_value_changed(const struct lb *lb, const struct lb_service_change *change)
{
	struct lb_service old = lb->services[change->number];

	old.line = change->value.line;
	old.weigh_at = change->value.weigh_at;
	return memcmp(&old, &change->value, sizeof(old)) != 0;
}

static void fill_plan(struct lb *lb, const struct lb_service_change *change,
		      struct lb_service_plan *plan)
{
	memcpy(plan->name, change->config->name, sizeof(plan->name));
	plan->slots = change->config->slots;
	plan->moved = change->moved;
	plan->removed = change->removed;
	plan->changed = change->changed;
	for (unsigned int b = 0; b < change->config->backend_count; b++)
		plan->added += change->backends[b].is_new;
	plan->action = change->is_new ? '+' : ' ';
	if (!change->is_new && (plan->added || plan->removed || plan->changed || plan->moved ||
				is_value_changed(lb, change)))
		plan->action = '~';
}

static int plan_maps(struct lb *lb, const struct lb_config *config, struct lb_plan *plan,
		     struct lb_error *err)
{
	struct lb_change *change;
	int ret = lb_change_make(lb, config, &change, err);

	if (ret)
		return ret;
	plan->services = calloc(change->service_count + change->gone_service_count + 1,
				sizeof(*plan->services));
	if (!plan->services) {
		lb_change_free(change);
		return lb_fail(err, -ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; i < change->service_count; i++)
		fill_plan(lb, &change->services[i], &plan->services[plan->service_count++]);
	for (unsigned int i = 0; i < change->gone_service_count; i++) {
		const struct lb_service *gone = &lb->services[change->gone_services[i]];
		struct lb_service_plan *line = &plan->services[plan->service_count++];

		memcpy(line->name, gone->name, sizeof(line->name) - 1);
		line->slots = gone->slots;
		line->action = '-';
	}
	lb_change_free(change);
	return 0;
}

int lb_make_plan(struct lb *lb, const struct lb_config *config, struct lb_plan **out,
		 struct lb_error *err)
{
	struct lb_plan *plan;
	int ret = lb_config_check(config, err) ?: lb_local_check(lb, config, err);

	if (ret)
		return ret;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return lb_fail(err, -ENOMEM, "out of memory");
	ret = lb->is_loaded ? plan_maps(lb, config, plan, err)
			    : lb_plan_documents(lb, config, plan, err);
	if (ret) {
		lb_plan_free(plan);
		return ret;
	}
	for (unsigned int i = 0; i < plan->service_count; i++)
		plan->is_change |= plan->services[i].action != ' ';
	*out = plan;
	return 0;
}

void lb_plan_free(struct lb_plan *plan)
{
	if (plan)
		free(plan->services);
	free(plan);
}
