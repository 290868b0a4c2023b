// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service's slots: the new table from the one in force, the history of slots that move away from a
 * backend whose connections nobody else remembers, and the flip.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

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
		list[i].weight = backend->config->is_drained ? 0 : backend->config->weight;
		list[i].identity =
			identity_of(backend->config, lb_backend_port(config, backend->config));
	}
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
	if (service->is_new)
		for (__u32 i = 0; i < slots; i++)
			service->current[i] = LB_OWNER_NONE;
	else
		lb_table_read(lb, &lb->services[service->number], service->current);
	memcpy(service->owners, service->current, slots * sizeof(__u16));
	return build(service, err);
}

/* Only TCP without state of its own needs to know what a slot was. */
static bool needs_history(const struct lb *lb, const struct lb_service_change *service,
			  __u16 owner)
{
	const struct lb_backend *backend;

	if (service->value.proto != IPPROTO_TCP || owner == LB_OWNER_NONE)
		return false;
	backend = &lb->backends[service->value.backend_base + owner];
	if (!(backend->flags & LB_B_IN_USE) || backend->mode != LB_MODE_NAT)
		return false;
	/* A backend that leaves takes its connections with it. */
	for (unsigned int i = 0; i < service->config->backend_count; i++)
		if (service->backends[i].number == service->value.backend_base + owner)
			return true;
	return false;
}

struct histories {
	__u32 *keys;
	struct lb_history *values;
	__u32 count;
	__u32 *old_keys;
	__u32 old_count;
};

static bool is_history_alive(struct lb *lb, const struct lb_service_change *service, __u32 key,
			     __u64 now, struct lb_history *history)
{
	return !bpf_map_lookup_elem(lb->maps[LB_MAP_HISTORY].fd, &key, history) &&
	       now - history->stamp <= service->value.timeout_established;
}

/* Decides each slot's history bit and lists what the history map must gain and lose. */
static void weigh_slots(struct lb *lb, struct lb_service_change *service, struct histories *out,
			__u32 epoch, __u64 now)
{
	for (__u32 i = 0; i < service->value.slots; i++) {
		const __u32 key = lb_history_key(service->number, i);
		const __u16 before = service->current[i] & LB_OWNER_MASK;
		const bool had = service->current[i] & LB_OWNER_HISTORY;
		const bool moves = service->owners[i] != before;
		struct lb_history history = {};

		if (!had && !moves)
			continue;
		if (had && is_history_alive(lb, service, key, now, &history)) {
			service->owners[i] |= LB_OWNER_HISTORY;
			if (!moves)
				continue;
		} else if (moves && needs_history(lb, service, before)) {
			history = (struct lb_history){ .epoch = epoch, .before = before };
			service->owners[i] |= LB_OWNER_HISTORY;
		} else {
			if (had)
				out->old_keys[out->old_count++] = key;
			continue;
		}
		history.stamp = now;
		out->keys[out->count] = key;
		out->values[out->count++] = history;
	}
}

static int add_histories(struct lb *lb, const struct lb_service_change *service,
			 const struct histories *list, struct lb_error *err)
{
	const int fd = lb->maps[LB_MAP_HISTORY].fd;
	__u32 count = list->count;

	if (!count || !bpf_map_update_batch(fd, list->keys, list->values, &count, NULL))
		return 0;
	return lb_fail(err, -ENOSPC,
		       "service %s: %u slots would move at once, and the history holds %u: wait until "
		       "earlier changes are older than timeout-established, or change less at a time",
		       service->config->name, list->count, lb->meta->histories);
}

static void flip(struct lb *lb, struct lb_service_change *service)
{
	struct lb_service *value = &lb->services[service->number];
	const __u32 lines = lb_lines_of(service->value.slots);
	const __u32 next =
		value->line == value->first_line ? value->first_line + lines : value->first_line;

	memcpy(lb->lines[next].owner, service->owners, service->value.slots * sizeof(__u16));
	lb->control->is_settled = 0;
	__atomic_store_n(&value->line, next, __ATOMIC_SEQ_CST);
	service->value.line = next;
}

/*
 * History first, then the table aside, then the flip: a killed command leaves the old table in force, and
 * entries of the history that no bit points at. The service's own entry must be in place.
 */
int lb_table_write(struct lb *lb, struct lb_service_change *service, struct lb_error *err)
{
	const __u32 slots = service->value.slots;
	const __u64 now = lb_kernel_jiffies(lb);
	struct histories list = {
		.keys = calloc(slots, sizeof(__u32)),
		.values = calloc(slots, sizeof(struct lb_history)),
		.old_keys = calloc(slots, sizeof(__u32)),
	};
	int ret = list.keys && list.values && list.old_keys
			  ? 0
			  : lb_fail(err, -ENOMEM, "out of memory");

	if (!ret && !now)
		ret = lb_fail(err, -EIO, "the kernel does not say what time it is (lb_clock)");
	if (!ret) {
		weigh_slots(lb, service, &list, ++lb->control->epoch, now);
		ret = add_histories(lb, service, &list, err);
	}
	if (!ret && memcmp(service->owners, service->current, slots * sizeof(__u16)))
		flip(lb, service);
	for (__u32 i = 0; !ret && i < list.old_count; i++)
		bpf_map_delete_elem(lb->maps[LB_MAP_HISTORY].fd, &list.old_keys[i]);
	free(list.keys);
	free(list.values);
	free(list.old_keys);
	return ret;
}
