// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of pages. Locks are taken in this order: the queue's, then one stripe of buckets. A
 * look up takes its stripe only, for some tens of nanoseconds beside the microseconds of its system
 * calls.
 */
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define STRIPES 256u
#define BUCKETS_MIN 4096u
#define BUCKETS_MAX (1u << 22)
#define VARIANTS_MAX 32 /* of one key; a new one more pushes the oldest out */

struct stripe {
	pthread_mutex_t lock;
	char pad[64 - sizeof(pthread_mutex_t) % 64];
};

struct store {
	struct stripe stripes[STRIPES];
	struct object **buckets;
	uint32_t mask;
	uint64_t seed;
	pthread_mutex_t queue_lock;
	struct object *newest, *oldest, *hand;
	struct store_counts counts;
};

static pthread_mutex_t *lock_of(struct store *store, uint64_t hash)
{
	return &store->stripes[(hash & store->mask) % STRIPES].lock;
}

static struct object **bucket_of(struct store *store, uint64_t hash)
{
	return &store->buckets[hash & store->mask];
}

struct store *store_new(uint64_t limit)
{
	struct store *store = calloc(1, sizeof(*store));
	uint32_t count = BUCKETS_MIN;

	if (!store)
		return NULL;
	while (count < BUCKETS_MAX && count < limit / 4096)
		count *= 2;
	store->buckets = calloc(count, sizeof(struct object *));
	if (!store->buckets ||
	    getrandom(&store->seed, sizeof(store->seed), 0) != sizeof(store->seed)) {
		free(store->buckets);
		free(store);
		return NULL;
	}
	store->mask = count - 1;
	store->counts.limit = limit;
	(void)pthread_mutex_init(&store->queue_lock, NULL);
	for (unsigned int i = 0; i < STRIPES; i++)
		(void)pthread_mutex_init(&store->stripes[i].lock, NULL);
	return store;
}

uint64_t store_seed(const struct store *store)
{
	return store->seed;
}

/* ---- the queue; its lock is held ------------------------------------------------------------ */

static void queue_add(struct store *store, struct object *object)
{
	object->older = store->newest;
	object->newer = NULL;
	if (store->newest)
		store->newest->newer = object;
	store->newest = object;
	if (!store->oldest)
		store->oldest = object;
	object->is_linked = true;
	store->counts.objects += !object->is_mark;
	store->counts.marks += object->is_mark;
	store->counts.bytes += object->size;
}

static void queue_del(struct store *store, struct object *object)
{
	if (store->hand == object)
		store->hand = object->newer;
	*(object->newer ? &object->newer->older : &store->newest) = object->older;
	*(object->older ? &object->older->newer : &store->oldest) = object->newer;
	object->is_linked = false;
	store->counts.objects -= !object->is_mark;
	store->counts.marks -= object->is_mark;
	store->counts.bytes -= object->size;
}

static void unlink_locked(struct store *store, struct object *object)
{
	struct object **link = bucket_of(store, object->hash);

	while (*link && *link != object)
		link = &(*link)->next;
	if (*link)
		*link = object->next;
	queue_del(store, object);
}

/* Takes it out of both; the store's reference goes. */
static void remove_object(struct store *store, struct object *object)
{
	pthread_mutex_t *lock = lock_of(store, object->hash);

	(void)pthread_mutex_lock(lock);
	unlink_locked(store, object);
	(void)pthread_mutex_unlock(lock);
	object_unref(object);
}

/* The hand goes from old to new, spares what was used since it last passed, and takes the rest. */
static void evict_one(struct store *store)
{
	struct object *object = store->hand ? store->hand : store->oldest;

	while (object->is_used) {
		object->is_used = false;
		object = object->newer ? object->newer : store->oldest;
	}
	store->hand = object->newer;
	store->counts.evicted++;
	remove_object(store, object);
}

static void make_room(struct store *store)
{
	struct store_counts *counts = &store->counts;

	while (store->oldest && counts->bytes + counts->filling > counts->limit)
		evict_one(store);
}

/* ---- finding and putting -------------------------------------------------------------------- */

static bool is_key(const struct object *object, uint32_t service, uint64_t hash, struct text key)
{
	return object->hash == hash && object->service == service &&
	       text_is_same(object_text(object, object->key), key);
}

static bool is_fitting(const struct object *object, const struct store_query *query)
{
	struct text names = object_text(object, object->vary_names);
	char values[VARY_MAX];
	ssize_t len;

	if (names.len == 0)
		return true;
	len = vary_values(names, query->data, query->request, query->policy, values);
	return len >= 0 && text_is_same(object_text(object, object->vary_values),
					(struct text){ values, (size_t)len });
}

/* Rules that have come since may store the page. */
static bool is_in_force(const struct object *mark, const struct store_query *query)
{
	return mark->fresh_until_ms > query->now_ms &&
	       mark->judged_by == policy_digest(query->policy);
}

struct object *store_find(struct store *store, const struct store_query *query)
{
	pthread_mutex_t *lock = lock_of(store, query->hash);
	struct object *object, *found = NULL;

	(void)pthread_mutex_lock(lock);
	for (object = *bucket_of(store, query->hash); object; object = object->next) {
		if (!is_key(object, query->service, query->hash, query->key))
			continue;
		if (object->is_mark ? is_in_force(object, query) : is_fitting(object, query)) {
			found = object_ref(object);
			break;
		}
	}
	(void)pthread_mutex_unlock(lock);
	if (found && !found->is_used)
		found->is_used = true;
	return found;
}

static bool is_same_variant(const struct object *a, const struct object *b)
{
	return text_is_same(object_text(a, a->vary_names), object_text(b, b->vary_names)) &&
	       text_is_same(object_text(a, a->vary_values), object_text(b, b->vary_values));
}

/* What a new object of its key replaces: its variant, marks, and one of too many variants. */
static struct object *find_replaced(struct store *store, const struct object *object)
{
	struct object *other, *last = NULL;
	unsigned int variants = 0;

	for (other = *bucket_of(store, object->hash); other; other = other->next) {
		if (other == object ||
		    !is_key(other, object->service, object->hash, object_text(object, object->key)))
			continue;
		if (other->is_mark || object->is_mark || is_same_variant(other, object))
			return other;
		variants++;
		last = other;
	}
	return variants >= VARIANTS_MAX ? last : NULL;
}

bool store_put(struct store *store, struct object *object)
{
	pthread_mutex_t *lock = lock_of(store, object->hash);
	struct object *old, *gone = NULL;

	(void)pthread_mutex_lock(&store->queue_lock);
	if (object->size > store->counts.limit / 2) {
		(void)pthread_mutex_unlock(&store->queue_lock);
		object_unref(object);
		return false;
	}
	(void)pthread_mutex_lock(lock);
	while ((old = find_replaced(store, object))) {
		unlink_locked(store, old);
		old->next = gone;
		gone = old;
	}
	object->next = *bucket_of(store, object->hash);
	*bucket_of(store, object->hash) = object;
	(void)pthread_mutex_unlock(lock);
	queue_add(store, object);
	make_room(store);
	(void)pthread_mutex_unlock(&store->queue_lock);
	while (gone) {
		old = gone;
		gone = gone->next;
		object_unref(old);
	}
	return true;
}

void store_reserve(struct store *store, int64_t bytes)
{
	(void)pthread_mutex_lock(&store->queue_lock);
	store->counts.filling += (uint64_t)bytes;
	if (bytes > 0)
		make_room(store);
	(void)pthread_mutex_unlock(&store->queue_lock);
}

/* ---- removing ------------------------------------------------------------------------------- */

static void make_stale(struct object *object, uint64_t stale_ms)
{
	if (object->fresh_until_ms > stale_ms)
		object->fresh_until_ms = stale_ms;
}

void store_drop(struct store *store, struct object *object)
{
	(void)pthread_mutex_lock(&store->queue_lock);
	if (object->is_linked)
		remove_object(store, object);
	(void)pthread_mutex_unlock(&store->queue_lock);
}

unsigned int store_purge_if(struct store *store, store_test test, const void *arg,
			    uint64_t stale_ms)
{
	struct object *object, *next;
	unsigned int count = 0;

	(void)pthread_mutex_lock(&store->queue_lock);
	for (object = store->oldest; object; object = next) {
		next = object->newer;
		if (!test(object, arg))
			continue;
		count += !object->is_mark;
		if (stale_ms && !object->is_mark)
			make_stale(object, stale_ms);
		else
			remove_object(store, object);
	}
	(void)pthread_mutex_unlock(&store->queue_lock);
	return count;
}

unsigned int store_purge_key(struct store *store, uint32_t service, uint64_t hash, struct text key,
			     uint64_t stale_ms)
{
	pthread_mutex_t *lock = lock_of(store, hash);
	struct object *object, *next, *gone = NULL;
	unsigned int count = 0;

	(void)pthread_mutex_lock(&store->queue_lock);
	(void)pthread_mutex_lock(lock);
	for (object = *bucket_of(store, hash); object; object = next) {
		next = object->next;
		if (!is_key(object, service, hash, key))
			continue;
		count += !object->is_mark;
		if (stale_ms) {
			make_stale(object, stale_ms);
			continue;
		}
		unlink_locked(store, object);
		object->next = gone;
		gone = object;
	}
	(void)pthread_mutex_unlock(lock);
	(void)pthread_mutex_unlock(&store->queue_lock);
	for (; gone; gone = next) {
		next = gone->next;
		object_unref(gone);
	}
	return count;
}

void store_walk(struct store *store, void (*fn)(struct object *object, void *arg), void *arg)
{
	for (uint32_t i = 0; i <= store->mask; i++) {
		pthread_mutex_t *lock = lock_of(store, i);

		if (!store->buckets[i])
			continue;
		(void)pthread_mutex_lock(lock);
		for (struct object *object = store->buckets[i]; object; object = object->next)
			fn(object, arg);
		(void)pthread_mutex_unlock(lock);
	}
}

int store_list(struct store *store, struct object ***out, size_t *count)
{
	size_t i = 0, limit;
	struct object **list;

	(void)pthread_mutex_lock(&store->queue_lock);
	limit = store->counts.objects + store->counts.marks;
	list = malloc((limit + 1) * sizeof(struct object *));
	for (struct object *object = list ? store->oldest : NULL; object; object = object->newer)
		list[i++] = object_ref(object);
	(void)pthread_mutex_unlock(&store->queue_lock);
	if (!list)
		return -ENOMEM;
	*out = list;
	*count = i;
	return 0;
}

void store_count(struct store *store, struct store_counts *out)
{
	(void)pthread_mutex_lock(&store->queue_lock);
	*out = store->counts;
	(void)pthread_mutex_unlock(&store->queue_lock);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	while (store->oldest)
		remove_object(store, store->oldest);
	free(store->buckets);
	free(store);
}
