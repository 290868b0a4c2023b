// SPDX-License-Identifier: GPL-2.0-only
/* Responses on their way, and the table that makes many requests for one page ask once. */
#include "fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE 1024u

struct fill_table {
	struct {
		pthread_mutex_t lock;
		struct fill *first;
	} bucket[TABLE_SIZE];
};

static struct segment *segment_new(struct fill *fill)
{
	struct segment *segment = malloc(sizeof(*segment));

	if (!segment)
		return NULL;
	segment->refs = 1;
	segment->len = 0;
	segment->next = NULL;
	segment->fill = fill;
	store_reserve(fill->owner->server->store, sizeof(*segment));
	return segment;
}

struct segment *segment_ref(struct segment *segment)
{
	(void)__atomic_add_fetch(&segment->refs, 1, __ATOMIC_RELAXED);
	return segment;
}

/* A segment holds the next one; whoever lets the first go lets all go that nobody else holds. */
void segment_unref(struct segment *segment)
{
	while (segment && __atomic_sub_fetch(&segment->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct segment *next = segment->next;
		struct fill *fill = segment->fill;

		(void)__atomic_sub_fetch(&fill->live, segment->len, __ATOMIC_RELAXED);
		store_reserve(fill->owner->server->store, -(int64_t)sizeof(*segment));
		free(segment);
		segment = next;
	}
}

struct fill *fill_new(struct worker *owner, struct request *request, struct object *stale)
{
	struct fill *fill = calloc(1, sizeof(*fill));

	if (!fill)
		return NULL;
	fill->owner = owner;
	fill->first = segment_new(fill);
	if (!fill->first) {
		free(fill);
		return NULL;
	}
	fill->refs = 1;
	fill->last = segment_ref(fill->first);
	fill->request = request_ref(request);
	fill->stale = stale ? object_ref(stale) : NULL;
	(void)pthread_mutex_init(&fill->lock, NULL);
	return fill;
}

void fill_unref(struct fill *fill)
{
	if (!fill || __atomic_sub_fetch(&fill->refs, 1, __ATOMIC_ACQ_REL))
		return;
	segment_unref(fill->first);
	segment_unref(fill->last);
	request_unref(fill->request);
	object_unref(fill->stale);
	object_unref(fill->object);
	free(fill->data);
	free(fill->head);
	free(fill->fields);
	free(fill->vary_values);
	free((void *)(uintptr_t)fill->expected_values.at);
	(void)pthread_mutex_destroy(&fill->lock);
	free(fill);
}

void fill_tell(struct fill *fill, struct worker *from)
{
	uint64_t listeners = __atomic_load_n(&fill->listeners, __ATOMIC_ACQUIRE);

	for (; listeners; listeners &= listeners - 1)
		worker_tell(from->server->workers[__builtin_ctzll(listeners)], from, fill);
}

int fill_append(struct fill *fill, struct text bytes)
{
	int ret = 0;

	(void)pthread_mutex_lock(&fill->lock);
	while (bytes.len) {
		struct segment *last = fill->last, *next;
		size_t part = SEGMENT_SIZE - last->len;

		if (part == 0) {
			next = segment_new(fill);
			if (!next) {
				ret = -ENOMEM;
				break;
			}
			last->next = next;
			fill->last = segment_ref(next);
			segment_unref(last);
			continue;
		}
		if (part > bytes.len)
			part = bytes.len;
		memcpy(last->data + last->len, bytes.at, part);
		last->len += (uint32_t)part;
		(void)__atomic_add_fetch(&fill->live, part, __ATOMIC_RELAXED);
		fill->filled += part;
		bytes.at += part;
		bytes.len -= part;
	}
	(void)pthread_mutex_unlock(&fill->lock);
	return ret;
}

enum fill_answer fill_read(struct fill *fill, struct segment **segment, uint32_t *offset,
			   struct text *out)
{
	enum fill_answer answer = FILL_A_WAIT;
	struct segment *past = NULL;

	(void)pthread_mutex_lock(&fill->lock);
	if (*offset == (*segment)->len && (*segment)->next) {
		past = *segment;
		*segment = segment_ref(past->next);
		*offset = 0;
	}
	if (*offset < (*segment)->len) {
		*out = (struct text){ (*segment)->data + *offset, (*segment)->len - *offset };
		answer = FILL_A_DATA;
	} else if (fill->state == FILL_DONE) {
		answer = FILL_A_END;
	} else if (fill->state == FILL_FAILED) {
		answer = FILL_A_BROKEN;
	}
	(void)pthread_mutex_unlock(&fill->lock);
	segment_unref(past);
	return answer;
}

struct fill_table *fill_table_new(void)
{
	struct fill_table *table = calloc(1, sizeof(*table));

	for (unsigned int i = 0; table && i < TABLE_SIZE; i++)
		(void)pthread_mutex_init(&table->bucket[i].lock, NULL);
	return table;
}

void fill_table_free(struct fill_table *table)
{
	free(table);
}

static bool is_same_page(const struct fill *fill, const struct request *request)
{
	return !fill->is_alone && fill->request->hash == request->hash &&
	       fill->request->service == request->service &&
	       text_is_same(fill->request->key, request->key);
}

/* Before its head has come, as far as is known: who is wrong then waits for another one. */
static bool is_same_variant(struct fill *fill, const struct request *request)
{
	struct text names = { fill->expected_names, fill->expected_names_len };
	struct text values = fill->expected_values;
	char own[VARY_MAX];
	ssize_t len;

	(void)pthread_mutex_lock(&fill->lock);
	if (fill->state == FILL_BODY && fill->is_storing) {
		names = (struct text){ fill->vary_names, fill->vary_names_len };
		values = (struct text){ fill->vary_values, fill->vary_values_len };
	}
	(void)pthread_mutex_unlock(&fill->lock);
	if (!names.len)
		return true;
	len = vary_values(names, request->data, &request->head, request->policy, own);
	return len >= 0 && text_is_same((struct text){ own, (size_t)len }, values);
}

/* Without memory for it nothing is expected. */
static void expect(struct fill *fill, struct text names)
{
	const struct request *request = fill->request;
	char values[VARY_MAX], *copy;
	ssize_t len;

	if (!names.len || names.len > VARY_NAMES_MAX)
		return;
	len = vary_values(names, request->data, &request->head, request->policy, values);
	copy = len > 0 ? malloc((size_t)len) : NULL;
	if (!copy)
		return;
	memcpy(copy, values, (size_t)len);
	memcpy(fill->expected_names, names.at, names.len);
	fill->expected_names_len = names.len;
	fill->expected_values = (struct text){ copy, (size_t)len };
}

/* The page may have been stored between the look-up and the lock. */
static struct object *find_fresh(struct worker *worker, struct request *request)
{
	const struct store_query query = {
		.service = request->service->number,
		.hash = request->hash,
		.key = request->key,
		.data = request->data,
		.request = &request->head,
		.policy = request->policy,
		.now_ms = worker->now_ms,
	};
	struct object *object = store_find(worker->server->store, &query);

	if (object && !object->is_mark && object->fresh_until_ms <= worker->now_ms) {
		object_unref(object);
		return NULL;
	}
	return object;
}

static void link_locked(struct fill **first, struct fill *fill)
{
	fill->is_listed = true;
	fill->next = *first;
	*first = fill_ref(fill);
}

struct fill *fill_join(struct worker *worker, struct request *request, struct object *stale,
		       struct text names, bool *is_new, struct object **object)
{
	struct fill_table *table = worker->server->fills;
	unsigned int i = (unsigned int)(request->hash % TABLE_SIZE);
	struct fill *fill;

	*object = NULL;
	*is_new = false;
	(void)pthread_mutex_lock(&table->bucket[i].lock);
	for (fill = table->bucket[i].first; fill; fill = fill->next) {
		if (is_same_page(fill, request) && is_same_variant(fill, request)) {
			(void)fill_ref(fill);
			break;
		}
	}
	if (!fill)
		*object = find_fresh(worker, request);
	if (!fill && !*object) {
		fill = fill_new(worker, request, stale);
		if (fill) {
			*is_new = true;
			expect(fill, names);
			link_locked(&table->bucket[i].first, fill);
		}
	}
	(void)pthread_mutex_unlock(&table->bucket[i].lock);
	return fill;
}

void fill_list_alone(struct fill *fill)
{
	struct fill_table *table = fill->owner->server->fills;
	unsigned int i = (unsigned int)(fill->request->hash % TABLE_SIZE);

	fill->is_alone = true;
	(void)pthread_mutex_lock(&table->bucket[i].lock);
	link_locked(&table->bucket[i].first, fill);
	(void)pthread_mutex_unlock(&table->bucket[i].lock);
}

/* With the bucket locked; true if the table's reference is now the caller's. */
static bool unlink_locked(struct fill **link, struct fill *fill)
{
	if (!fill->is_listed)
		return false;
	while (*link != fill)
		link = &(*link)->next;
	*link = fill->next;
	fill->is_listed = false;
	return true;
}

void fill_unlist(struct fill *fill)
{
	struct fill_table *table = fill->owner->server->fills;
	unsigned int i = (unsigned int)(fill->request->hash % TABLE_SIZE);
	bool was_listed;

	(void)pthread_mutex_lock(&table->bucket[i].lock);
	was_listed = unlink_locked(&table->bucket[i].first, fill);
	(void)pthread_mutex_unlock(&table->bucket[i].lock);
	if (was_listed)
		fill_unref(fill);
}

static unsigned int outdate_bucket(struct fill_table *table, unsigned int i, fill_test test,
				   const void *arg)
{
	struct fill *fill, *next, *gone = NULL;
	unsigned int count = 0;

	(void)pthread_mutex_lock(&table->bucket[i].lock);
	for (fill = table->bucket[i].first; fill; fill = next) {
		next = fill->next;
		if (test && !test(fill, arg))
			continue;
		__atomic_store_n(&fill->is_outdated, true, __ATOMIC_SEQ_CST);
		(void)unlink_locked(&table->bucket[i].first, fill);
		fill->next = gone;
		gone = fill;
	}
	(void)pthread_mutex_unlock(&table->bucket[i].lock);
	for (; gone; gone = next) {
		next = gone->next;
		count++;
		fill_unref(gone);
	}
	return count;
}

unsigned int fill_outdate(struct fill_table *table, fill_test test, const void *arg)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < TABLE_SIZE; i++)
		count += outdate_bucket(table, i, test, arg);
	return count;
}

struct page {
	uint32_t service;
	uint64_t hash;
	struct text key;
};

static bool is_of_page(const struct fill *fill, const void *arg)
{
	const struct page *page = arg;

	return fill->request->hash == page->hash &&
	       fill->request->service->number == page->service &&
	       text_is_same(fill->request->key, page->key);
}

unsigned int fill_outdate_key(struct fill_table *table, uint32_t service, uint64_t hash,
			      struct text key)
{
	const struct page page = { service, hash, key };

	return outdate_bucket(table, (unsigned int)(hash % TABLE_SIZE), is_of_page, &page);
}

/*
 * Looked at once it is stored too: a purge that comes later finds it there. And before, as a page
 * that was fetched after the purge is not to be replaced.
 */
bool fill_keep(struct fill *fill, struct object *object)
{
	struct store *store = fill->owner->server->store;

	if (__atomic_load_n(&fill->is_outdated, __ATOMIC_SEQ_CST))
		return false;
	if (!store_put(store, object_ref(object)))
		return false;
	if (!__atomic_load_n(&fill->is_outdated, __ATOMIC_SEQ_CST))
		return true;
	store_drop(store, object);
	return false;
}
