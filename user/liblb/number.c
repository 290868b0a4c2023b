// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers for what is new: the first free one each. A number that flows may still name is swept
 * from the flow table before it is given again (apply.c), so it is taken only after the never-used
 * ones.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "internal.h"

__u32 lb_lines_of(__u32 slots)
{
	return (slots + LB_OWNERS_PER_LINE - 1) / LB_OWNERS_PER_LINE;
}

/* What is new gets its numbers before what is gone gives its own back: both must fit. */
static int fail_full(struct lb_error *err, const char *service, const char *what, const char *limit,
		     __u32 used, __u32 added, __u32 most)
{
	return lb_fail(
		err, -ENOSPC,
		"service %s: %u %s in use and %u new ones do not fit 'limits: %s: %u' together, "
		"which a change needs for a moment: delete what goes first, or raise the limit "
		"and attach anew",
		service, used, what, added, limit, most);
}

static int fail_services(const struct lb *lb, const struct lb_change *change, const char *service,
			 struct lb_error *err)
{
	__u32 used = 0, added = 0;

	for (__u32 i = 0; i < lb->meta->services; i++)
		used += !!(lb->services[i].flags & LB_S_IN_USE);
	for (unsigned int i = 0; i < change->service_count; i++)
		added += change->services[i].is_new;
	return fail_full(err, service, "services", "services", used, added, lb->meta->services);
}

static int fail_backends(const struct lb *lb, const struct lb_change *change, const char *service,
			 struct lb_error *err)
{
	__u32 used = 0, added = 0;

	for (__u32 i = 0; i < lb->meta->backends; i++)
		used += !!(lb->backends[i].flags & LB_B_IN_USE);
	for (unsigned int i = 0; i < change->service_count; i++)
		for (unsigned int b = 0; b < change->services[i].config->backend_count; b++)
			added += change->services[i].backends[b].is_new;
	return fail_full(err, service, "backends", "backends", used, added, lb->meta->backends);
}

/* First fit among the tables of all services, old and newly placed; ~0 if there is no gap. */
static __u32 place_table(const struct lb *lb, const struct lb_change *change, __u32 length)
{
	__u32 at = 0;
	bool is_clear;

	do {
		is_clear = true;
		for (__u32 i = 0; i < lb->meta->services + change->service_count; i++) {
			const bool is_old = i < lb->meta->services;
			const struct lb_service_change *mine =
				is_old ? NULL : &change->services[i - lb->meta->services];
			struct lb_service old;
			const struct lb_service *other = is_old ? &old : &mine->value;
			__u32 end;

			if (is_old ? !lb_service_get(lb, i, &old) : !mine->is_placed)
				continue;
			end = other->first_line + 2 * lb_lines_of(other->slots);
			if (at < end && other->first_line < at + length) {
				at = end;
				is_clear = false;
			}
		}
	} while (!is_clear);
	return at + length <= lb->meta->lines ? at : ~0u;
}

#define WINDOWS (LB_BACKENDS_LIMIT / LB_BACKEND_WINDOW + 1)

static void count_windows(const struct lb *lb, __u32 room[WINDOWS])
{
	for (__u32 i = 0; i < lb->meta->backends; i++)
		room[i / LB_BACKEND_WINDOW] += !(lb->backends[i].flags & LB_B_IN_USE);
}

/* The window of backend numbers with the most room: all backends of a service share one. */
static __u32 pick_window(__u32 room[WINDOWS], __u32 count)
{
	__u32 best = 0;

	for (__u32 i = 1; i < WINDOWS; i++)
		if (room[i] > room[best])
			best = i;
	room[best] -= count < room[best] ? count : room[best];
	return best * LB_BACKEND_WINDOW;
}

int lb_number_services(struct lb *lb, struct lb_change *change, struct lb_error *err)
{
	__u32 room[WINDOWS] = {};
	__u32 next = 0;

	count_windows(lb, room);
	for (unsigned int i = 0; i < change->service_count; i++) {
		struct lb_service_change *service = &change->services[i];
		__u32 lines = 2 * lb_lines_of(service->value.slots), at;

		if (!service->is_new && !service->is_lost)
			continue;
		while (next < lb->meta->services && lb->services[next].flags & LB_S_IN_USE)
			next++;
		if (service->is_new && next == lb->meta->services)
			return fail_services(lb, change, service->config->name, err);
		at = place_table(lb, change, lines);
		if (at == ~0u)
			return lb_fail(
				err, -ENOSPC,
				"service %s: no room for a table of %u slots beside those in "
				"use: delete what goes first, or raise 'limits: slots' and "
				"attach anew",
				service->config->name, service->value.slots);
		service->value.first_line = at;
		service->value.line = at;
		service->is_placed = true;
		if (service->is_lost)
			continue;
		service->number = next++;
		service->value.backend_base = pick_window(room, service->config->backend_count);
	}
	return 0;
}

/* The first free number from *next on that was never used; failing that, the first that was. */
static __u32 free_backend(const struct lb *lb, const bool *is_taken, __u32 base, __u32 *next)
{
	__u32 end = base + LB_BACKEND_WINDOW;

	if (end > lb->meta->backends)
		end = lb->meta->backends;
	if (*next < base || *next > end)
		*next = base;
	for (; *next < end; (*next)++)
		if (!is_taken[*next] && !lb->backends[*next].flags)
			return *next;
	for (__u32 i = base; i < end; i++)
		if (!is_taken[i] && !(lb->backends[i].flags & LB_B_IN_USE))
			return i;
	return ~0u;
}

int lb_number_backends(struct lb *lb, struct lb_change *change, struct lb_error *err)
{
	bool *is_taken = calloc(lb->meta->backends, sizeof(*is_taken));
	__u32 next = 0;

	if (!is_taken)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < change->service_count; i++) {
		struct lb_service_change *service = &change->services[i];

		for (unsigned int b = 0; b < service->config->backend_count; b++) {
			struct lb_backend_change *backend = &service->backends[b];

			if (!backend->is_new)
				continue;
			backend->number =
				free_backend(lb, is_taken, service->value.backend_base, &next);
			if (backend->number == ~0u) {
				free(is_taken);
				return fail_backends(lb, change, service->config->name, err);
			}
			is_taken[backend->number] = true;
		}
	}
	free(is_taken);
	return 0;
}

/* Those of the maps and those that the plan has added, by address, port and protocol. */
struct endpoints {
	struct lb_index index;
	const struct lb *lb;
	struct lb_endpoint *planned;
	__u32 next; /* numbers below it are taken or were used */
};

static __u32 find_endpoint(const struct endpoints *all, const union lb_addr *addr, __be16 port,
			   __u8 proto)
{
	const __u64 hash = lb_index_hash(addr, port, proto);
	__u32 at = 0, number;

	while (lb_index_next(&all->index, hash, &at, &number)) {
		const struct lb_endpoint *endpoint = all->lb->endpoints[number].is_in_use
							     ? &all->lb->endpoints[number]
							     : &all->planned[number];

		if (endpoint->port == port && endpoint->proto == proto &&
		    lb_addr_is_equal(&endpoint->addr, addr))
			return number;
	}
	return ~0u;
}

static bool is_endpoint_free(const struct endpoints *all, __u32 number)
{
	return !all->planned[number].is_in_use && !all->lb->endpoints[number].is_in_use;
}

static __u32 free_endpoint(struct endpoints *all)
{
	const __u32 count = all->lb->meta->backends;

	for (; all->next < count; all->next++)
		if (is_endpoint_free(all, all->next) && !all->lb->endpoints[all->next].was_used)
			return all->next;
	for (__u32 i = 0; i < count; i++)
		if (is_endpoint_free(all, i))
			return i;
	return ~0u;
}

/* Which endpoints the document needs, with the numbers that they have already where they have one.
 */
static int number_endpoint(struct endpoints *all, struct lb_service_change *service,
			   struct lb_backend_change *backend, struct lb_error *err)
{
	const __be16 port = htons(lb_backend_port(service->config, backend->config));
	const __u8 proto = service->config->proto;
	const union lb_addr *addr = &backend->config->addr;
	struct lb_endpoint *endpoint;
	__u32 number = ~0u;

	if (!backend->is_new)
		number = LB_READ(all->lb->backends[backend->number].endpoint);
	if (number >= all->lb->meta->backends) {
		number = find_endpoint(all, addr, port, proto);
		if (number == ~0u) {
			number = free_endpoint(all);
			if (number != ~0u)
				lb_index_add(&all->index, lb_index_hash(addr, port, proto), number);
		}
		if (number == ~0u)
			return lb_fail(
				err, -ENOSPC,
				"service %s: its new backends' addresses and those in use do not "
				"fit 'limits: backends: %u' together: delete what goes first, or "
				"raise the limit and attach anew",
				service->config->name, all->lb->meta->backends);
	}
	backend->endpoint = number;
	endpoint = &all->planned[number];
	endpoint->addr = *addr;
	endpoint->port = port;
	endpoint->proto = proto;
	endpoint->is_in_use = 1;
	/* Others may share it, in modes whose replies do not come from it. */
	if (lb_backend_mode(service->config, backend->config) == LB_MODE_NAT) {
		endpoint->has_nat = 1;
		endpoint->service = service->number;
		endpoint->backend = backend->number - service->value.backend_base;
	}
	return 0;
}

static int number_all(struct endpoints *all, struct lb_change *change, struct lb_error *err)
{
	int ret = 0;

	/* Those that have a number first, so that no new one is given theirs. */
	for (int is_new = 0; !ret && is_new < 2; is_new++)
		for (unsigned int i = 0; !ret && i < change->service_count; i++) {
			struct lb_service_change *service = &change->services[i];

			for (unsigned int b = 0; !ret && b < service->config->backend_count; b++)
				if (service->backends[b].is_new == is_new)
					ret = number_endpoint(all, service, &service->backends[b],
							      err);
		}
	return ret;
}

int lb_number_endpoints(struct lb *lb, struct lb_change *change, struct lb_error *err)
{
	const __u32 count = lb->meta->backends;
	struct endpoints all = { .lb = lb };
	int ret;

	change->endpoints = calloc(count, sizeof(*change->endpoints));
	all.planned = change->endpoints;
	if (!change->endpoints || lb_index_init(&all.index, count))
		return lb_fail(err, -ENOMEM, "out of memory");
	for (__u32 i = 0; i < count; i++) {
		const struct lb_endpoint *endpoint = &lb->endpoints[i];

		if (endpoint->is_in_use)
			lb_index_add(
				&all.index,
				lb_index_hash(&endpoint->addr, endpoint->port, endpoint->proto), i);
	}
	ret = number_all(&all, change, err);
	lb_index_free(&all.index);
	return ret;
}
