// SPDX-License-Identifier: GPL-2.0-only
/*
 * What slots were before their first change: which slots of a new table need a history, which ones
 * have had theirs long enough, and whether the map has room for them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

#define BATCH 4096

/* A backend that never was sent a packet has no connection that could be cut. */
static bool has_traffic(struct lb *lb, __u32 number)
{
	const struct lb_totals *base = &lb->bases[number];
	struct lb_totals sum;

	return lb->backends[number].flags & LB_B_ASSUMED || lb_read_backend_cpu(lb, number, &sum) ||
	       sum.packets_in != base->packets_in || sum.connections != base->connections;
}

/*
 * Whose connections no flow remembers: TCP but for full NAT, and still in the document. Those that
 * have had no packet yet are noted as quiet, all that are not new as kept.
 */
static int mark_stateless(struct lb *lb, struct lb_service_change *service, bool **out)
{
	bool *marks = calloc(LB_OWNER_NONE + 1, sizeof(*marks));

	free(service->quiet);
	free(service->kept);
	service->quiet = calloc(LB_OWNER_NONE + 1, sizeof(*service->quiet));
	service->kept = calloc(LB_OWNER_NONE + 1, sizeof(*service->kept));
	if (!marks || !service->quiet || !service->kept) {
		free(marks);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < service->config->backend_count; i++) {
		const struct lb_backend_change *backend = &service->backends[i];
		const __u16 owner = backend->number - service->value.backend_base;

		service->kept[owner] = !backend->is_new;
		if (service->value.proto != IPPROTO_TCP || backend->is_new || backend->is_dead ||
		    lb->backends[backend->number].mode == LB_MODE_FULLNAT)
			continue;
		marks[owner] = has_traffic(lb, backend->number);
		service->quiet[owner] = !marks[owner];
	}
	*out = marks;
	return 0;
}

/* Whether a quiet backend has been sent a packet since the plan was made. */
bool lb_history_is_outdated(struct lb *lb, const struct lb_service_change *service)
{
	for (unsigned int i = 0; service->quiet && i < service->config->backend_count; i++) {
		const __u32 number = service->backends[i].number;

		if (service->quiet[(__u16)(number - service->value.backend_base)] &&
		    has_traffic(lb, number))
			return true;
	}
	return false;
}

typedef int (*history_fn)(struct lb *lb, __u32 key, struct lb_history *history, void *arg);

/* Calls fn for each entry of the map, read in batches: a call for each costs several times more. */
static int walk(struct lb *lb, history_fn fn, void *arg)
{
	struct lb_history *values = calloc(BATCH, sizeof(*values));
	__u32 *keys = calloc(BATCH, sizeof(*keys)), batch, count, *from = NULL;
	int ret = values && keys ? 0 : -ENOMEM;

	for (bool is_more = true; is_more && !ret; from = &batch) {
		count = BATCH;
		ret = bpf_map_lookup_batch(lb->maps[LB_MAP_HISTORY].fd, from, &batch, keys, values,
					   &count, NULL);
		is_more = !ret;
		if (ret == -ENOENT)
			ret = 0;
		for (__u32 i = 0; !ret && i < count; i++)
			ret = fn(lb, keys[i], &values[i], arg);
	}
	free(values);
	free(keys);
	return ret;
}

struct forget {
	const bool *is_given_again; /* by backend */
};

static int forget_number(struct lb *lb, __u32 key, struct lb_history *history, void *arg)
{
	const struct forget *forget = arg;
	const __u32 service = key >> LB_SLOT_BITS;
	__u32 number;

	if (service >= lb->meta->services || history->before == LB_OWNER_NONE)
		return 0;
	number = LB_READ(lb->services[service].backend_base) + history->before;
	if (number < lb->meta->backends && !forget->is_given_again[number])
		return 0;
	history->before = LB_OWNER_NONE;
	return bpf_map_update_elem(lb->maps[LB_MAP_HISTORY].fd, &key, history, BPF_EXIST) &&
			       errno != ENOENT
		       ? -errno
		       : 0;
}

int lb_history_sweep(struct lb *lb, const bool *is_given_again)
{
	struct forget forget = { is_given_again };

	return walk(lb, forget_number, &forget);
}

/* The histories of one service by slot; an epoch of 0 where there is none. */
struct known {
	const struct lb_service_change *service;
	struct lb_history *histories;
};

static int know(struct lb *lb, __u32 key, struct lb_history *history, void *arg)
{
	struct known *known = arg;
	const __u32 slot = key & ((1u << LB_SLOT_BITS) - 1);

	(void)lb;
	if (key >> LB_SLOT_BITS == known->service->number && slot < known->service->value.slots)
		known->histories[slot] = *history;
	return 0;
}

static int read_one_by_one(struct lb *lb, struct known *known)
{
	for (__u32 slot = 0; slot < known->service->value.slots; slot++) {
		const __u32 key = lb_history_key(known->service->number, slot);

		if (known->service->current[slot] & LB_OWNER_HISTORY &&
		    bpf_map_lookup_elem(lb->maps[LB_MAP_HISTORY].fd, &key, &known->histories[slot]))
			known->histories[slot] = (struct lb_history){};
	}
	return 0;
}

static int read_known(struct lb *lb, struct known *known)
{
	const struct lb_service_change *service = known->service;
	__u32 count = 0;

	known->histories = calloc(service->value.slots, sizeof(*known->histories));
	if (!known->histories)
		return -ENOMEM;
	for (__u32 slot = 0; slot < service->value.slots; slot++)
		count += !!(service->current[slot] & LB_OWNER_HISTORY);
	/* Unless most of the map is other services'. */
	return count * 4 < lb->control->histories ? read_one_by_one(lb, known)
						  : walk(lb, know, known);
}

static bool is_alive(const struct lb_service_change *service, const struct lb_history *history)
{
	return history->epoch &&
	       /* A packet may have stamped it since the clock was read. */
	       (__s64)(service->now - history->stamp) <= (__s64)service->value.timeout_established;
}

static void add(struct lb_service_change *service, __u32 key, const struct lb_history *history)
{
	struct lb_histories *list = &service->histories;

	list->keys[list->count] = key;
	list->values[list->count] = *history;
	list->values[list->count++].stamp = service->now;
}

static void weigh_slot(struct lb *lb, struct lb_service_change *service, const bool *is_stateless,
		       const struct lb_history *known, __u32 slot)
{
	const __u32 key = lb_history_key(service->number, slot);
	const __u16 before = service->current[slot] & LB_OWNER_MASK;
	const bool had = service->current[slot] & LB_OWNER_HISTORY;
	const bool moves = service->owners[slot] != before;
	struct lb_history history = *known;

	if (had && is_alive(service, known)) {
		service->owners[slot] |= LB_OWNER_HISTORY;
		/* Who was removed has no say, and its number may be given to another. */
		if (!service->kept[history.before & LB_OWNER_MASK])
			history.before = LB_OWNER_NONE;
		if (moves)
			add(service, key, &history);
	} else if (moves && is_stateless[before]) {
		history = (struct lb_history){ .before = before };
		history.epoch = lb->control->epoch + 1;
		service->owners[slot] |= LB_OWNER_HISTORY;
		service->histories.added += !had;
		add(service, key, &history);
	} else if (had) {
		service->histories.old_keys[service->histories.old_count++] = key;
	}
}

/*
 * Sets the history bits of the new table and lists what the map must gain and lose. A table that
 * stays as it is is looked through only now and then, since each slot with history costs a call.
 */
int lb_history_weigh(struct lb *lb, struct lb_service_change *service, struct lb_error *err)
{
	const __u32 slots = service->value.slots;
	struct lb_histories *list = &service->histories;
	struct known known = { .service = service };
	bool *is_stateless = NULL;
	int ret;

	service->now = lb_kernel_jiffies(lb);
	if (!service->now)
		return lb_fail(err, -EIO, "the kernel does not say what time it is (lb_clock)");
	if (!service->moved && (__s32)((__u32)service->now - service->value.weigh_at) < 0) {
		memcpy(service->owners, service->current, slots * sizeof(*service->owners));
		return 0;
	}
	lb_history_free(list);
	memset(list, 0, sizeof(*list));
	list->keys = calloc(slots, sizeof(*list->keys));
	list->values = calloc(slots, sizeof(*list->values));
	list->old_keys = calloc(slots, sizeof(*list->old_keys));
	ret = list->keys && list->values && list->old_keys ? 0 : -ENOMEM;
	if (!ret)
		ret = mark_stateless(lb, service, &is_stateless) ?: read_known(lb, &known);
	if (ret) {
		free(known.histories);
		free(is_stateless);
		return lb_fail(err, ret, "service %s: its histories cannot be read: %s",
			       service->config->name, strerror(-ret));
	}
	for (__u32 i = 0; i < slots; i++)
		service->owners[i] &= LB_OWNER_MASK;
	for (__u32 i = 0; i < slots; i++)
		weigh_slot(lb, service, is_stateless, &known.histories[i], i);
	service->value.weigh_at = (__u32)service->now + service->value.timeout_established;
	free(known.histories);
	free(is_stateless);
	return 0;
}

void lb_history_free(struct lb_histories *list)
{
	free(list->keys);
	free(list->values);
	free(list->old_keys);
}

static bool is_pointed_at(const struct lb *lb, __u32 key)
{
	const __u32 number = key >> LB_SLOT_BITS, slot = key & ((1u << LB_SLOT_BITS) - 1);
	struct lb_service service;

	return lb_service_get(lb, number, &service) && slot < service.slots &&
	       *lb_table_slot(lb, &service, slot) & LB_OWNER_HISTORY;
}

/* Entries that no bit points at are a killed command's; the count is taken anew. */
static void recount(struct lb *lb)
{
	const int fd = lb->maps[LB_MAP_HISTORY].fd;
	__u32 key, next, count = 0;
	bool is_more = !bpf_map_get_next_key(fd, NULL, &next);

	while (is_more) {
		key = next;
		is_more = !bpf_map_get_next_key(fd, &key, &next);
		if (is_pointed_at(lb, key))
			count++;
		else if (lb->lock_fd >= 0) /* a dry run may meet another command half-way */
			bpf_map_delete_elem(fd, &key);
	}
	if (lb->lock_fd >= 0)
		lb->control->histories = count;
}

/* Whether the map takes all that the plan adds; asked before anything is written. */
int lb_history_check(struct lb *lb, const struct lb_change *change, struct lb_error *err)
{
	__u32 added = 0;

	for (unsigned int i = 0; i < change->service_count; i++)
		added += change->services[i].histories.added;
	if (lb->control->histories + added <= lb->meta->histories)
		return 0;
	recount(lb);
	if (lb->control->histories + added <= lb->meta->histories)
		return 0;
	return lb_fail(err, -ENOSPC,
		       "%u slots with live connections would move, and %u of %u have moved within "
		       "timeout-established already: change less at a time, or wait",
		       added, lb->control->histories, lb->meta->histories);
}

int lb_history_write(struct lb *lb, const struct lb_service_change *service, struct lb_error *err)
{
	const struct lb_histories *list = &service->histories;
	__u32 count = list->count;

	if (!count)
		return 0;
	lb->control->epoch++;
	if (bpf_map_update_batch(lb->maps[LB_MAP_HISTORY].fd, list->keys, list->values, &count,
				 NULL))
		return lb_fail(err, -errno, "service %s: the history of %u slots: %s",
			       service->config->name, list->count, strerror(errno));
	lb->control->histories += list->added;
	return 0;
}

/*
 * A backend that was quiet until the flip and is not now: its first connection may have opened in
 * between. Its slots get their history after the event, in the table in force.
 */
void lb_history_add_late(struct lb *lb, struct lb_service_change *service)
{
	const struct lb_service *value = &service->value;
	const __u64 now = lb_kernel_jiffies(lb);

	if (!service->moved || !lb_history_is_outdated(lb, service))
		return;
	lb->control->epoch++;
	for (__u32 slot = 0; slot < value->slots; slot++) {
		const __u16 before = service->current[slot] & LB_OWNER_MASK;
		const __u32 key = lb_history_key(service->number, slot);
		const struct lb_history history = { .stamp = now,
						    .epoch = lb->control->epoch,
						    .before = before };

		if (service->owners[slot] == before || service->owners[slot] & LB_OWNER_HISTORY ||
		    !service->quiet[before] || !has_traffic(lb, value->backend_base + before) ||
		    bpf_map_update_elem(lb->maps[LB_MAP_HISTORY].fd, &key, &history, 0))
			continue;
		lb->control->histories++;
		__atomic_store_n(lb_table_slot(lb, value, slot),
				 service->owners[slot] | LB_OWNER_HISTORY, __ATOMIC_SEQ_CST);
	}
}

/* After the flip: no bit points at these any more. */
void lb_history_forget(struct lb *lb, const struct lb_service_change *service)
{
	const struct lb_histories *list = &service->histories;

	for (__u32 i = 0; i < list->old_count; i++)
		if (!bpf_map_delete_elem(lb->maps[LB_MAP_HISTORY].fd, &list->old_keys[i]) &&
		    lb->control->histories)
			lb->control->histories--;
}
