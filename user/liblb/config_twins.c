// SPDX-License-Identifier: GPL-2.0-only
/*
 * What two entries of a document may not share: a name, a service's address and port, a backend of
 * one service, and an endpoint whose replies nat translates without state. By sorting, since a
 * document may hold tens of thousands of backends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* A service's or a backend's address, port and protocol, and whose it is. */
struct entry {
	union lb_addr addr;
	__u16 port;
	__u8 proto;
	enum lb_mode mode;
	int service, backend; /* backend -1: the service's own address */
};

static int compare_keys(const struct entry *a, const struct entry *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	if (order)
		return order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return a->proto - b->proto;
}

/* Within one key: services' own addresses first, then backends in the document's order. */
static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = compare_keys(a, b);

	if (order)
		return order;
	if ((a->backend < 0) != (b->backend < 0))
		return a->backend < 0 ? -1 : 1;
	if (a->service != b->service)
		return a->service < b->service ? -1 : 1;
	return a->backend < b->backend ? -1 : a->backend > b->backend;
}

static int compare_names(const void *left, const void *right)
{
	const struct lb_service_config *const *a = left, *const *b = right;
	int order = strcmp((*a)->name, (*b)->name);

	return order ? order : *a < *b ? -1 : 1;
}

static int find_same_name(const struct lb_config *config, struct lb_place *place,
			  struct lb_error *err)
{
	const struct lb_service_config **sorted;
	int ret = 0;

	sorted = calloc(config->service_count, sizeof(*sorted));
	if (!sorted)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < config->service_count; i++)
		sorted[i] = &config->services[i];
	qsort(sorted, config->service_count, sizeof(*sorted), compare_names);
	for (unsigned int i = 1; i < config->service_count && !ret; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name))
			continue;
		place->service = (int)(sorted[i] - config->services);
		place->key = "name";
		ret = lb_fail(err, -EEXIST, "service %s is there twice", sorted[i]->name);
	}
	free(sorted);
	return ret;
}

static size_t collect(const struct lb_config *config, struct entry *entries)
{
	size_t count = 0;

	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];

		/* Which of those with several ports or addresses may not be is asked apart. */
		if (!lb_front_is_wide(service))
			entries[count++] = (struct entry){
				.addr = service->vip,
				.port = service->port,
				.proto = service->proto,
				.service = (int)i,
				.backend = -1,
			};
		for (unsigned int j = 0; j < service->backend_count; j++) {
			const struct lb_backend_config *backend = &service->backends[j];

			entries[count++] = (struct entry){
				.addr = backend->addr,
				.port = lb_backend_port(service, backend),
				.proto = service->proto,
				.mode = lb_backend_mode(service, backend),
				.service = (int)i,
				.backend = (int)j,
			};
		}
	}
	return count;
}

static bool is_translated(const struct entry *entry)
{
	return entry->mode == LB_MODE_NAT || entry->mode == LB_MODE_FULLNAT;
}

/* Two entries of one key, the first not after the second; 0 if they may stand side by side. */
static int compare_pair(const struct lb_config *config, const struct entry *first,
			const struct entry *second, struct lb_error *err)
{
	const char *name = config->services[second->service].name;
	const char *other = config->services[first->service].name;
	const char *proto = lb_proto_name(second->proto);
	char text[LB_ADDR_TEXT_SIZE];

	lb_endpoint_format(&second->addr, second->port, text);
	if (second->backend < 0)
		return lb_fail(err, -EEXIST,
			       "service %s: %s %s is already the address of service %s", name,
			       proto, text, other);
	if (first->backend < 0 && first->service == second->service)
		return lb_fail(err, -EINVAL,
			       "service %s: backend %s is the service's own address and port", name,
			       text);
	if (first->backend < 0)
		return lb_fail(err, -EINVAL,
			       "service %s: backend %s is the address and port of service %s", name,
			       text, other);
	if (first->service == second->service)
		return lb_fail(err, -EEXIST, "service %s: backend %s is listed twice", name, text);
	/* Replies of the other modes do not come from the backend's address. */
	if (!is_translated(first) || !is_translated(second) ||
	    (first->mode != LB_MODE_NAT && second->mode != LB_MODE_NAT))
		return 0;
	if (first->mode == second->mode)
		return lb_fail(err, -EINVAL,
			       "service %s: backend %s is already in service %s; in mode nat an "
			       "address and port belong to one service only",
			       name, text, other);
	return lb_fail(err, -EINVAL,
		       "service %s: backend %s is %s here and %s in service %s, its replies would "
		       "be ambiguous; use mode fullnat in both, or another port",
		       name, text, lb_mode_name(second->mode), lb_mode_name(first->mode), other);
}

/*
 * One group of entries with the same key. Comparing each with the group's first, and with a nat and
 * a full-NAT one among those before it, finds every pair that may not be.
 */
static const struct entry *find_in_group(const struct lb_config *config, const struct entry *group,
					 size_t count, struct lb_error *err, int *ret)
{
	const struct entry *first_nat = NULL, *first_full = NULL;

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*ret = compare_pair(config, &group[i - 1], &group[i], err);
		if (i > 0 && !*ret)
			*ret = compare_pair(config, &group[0], &group[i], err);
		if (first_nat && !*ret)
			*ret = compare_pair(config, first_nat, &group[i], err);
		if (first_full && !*ret)
			*ret = compare_pair(config, first_full, &group[i], err);
		if (*ret)
			return &group[i];
		if (!first_nat && group[i].mode == LB_MODE_NAT)
			first_nat = &group[i];
		if (!first_full && group[i].mode == LB_MODE_FULLNAT)
			first_full = &group[i];
	}
	return NULL;
}

static int find_same_endpoint(const struct lb_config *config, struct lb_place *place,
			      struct lb_error *err)
{
	size_t count = config->service_count, start = 0;
	const struct entry *found = NULL;
	struct entry *entries;
	int ret = 0;

	for (unsigned int i = 0; i < config->service_count; i++)
		count += config->services[i].backend_count;
	entries = calloc(count, sizeof(*entries));
	if (!entries)
		return lb_fail(err, -ENOMEM, "out of memory");
	count = collect(config, entries);
	qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t end = 1; end <= count && !found; end++) {
		if (end < count && compare_keys(&entries[start], &entries[end]) == 0)
			continue;
		found = find_in_group(config, &entries[start], end - start, err, &ret);
		start = end;
	}
	if (found) {
		place->service = found->service;
		place->backend = found->backend;
		place->key = "address";
	}
	free(entries);
	return ret;
}

int lb_config_find_twin(const struct lb_config *config, struct lb_place *place,
			struct lb_error *err)
{
	int ret;

	if (config->service_count == 0)
		return 0;
	ret = find_same_name(config, place, err);
	if (!ret)
		ret = lb_front_find_overlap(config, place, err)
			      ?: lb_fragments_find_company(config, place, err);
	return ret ? ret : find_same_endpoint(config, place, err);
}
