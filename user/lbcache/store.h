/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of pages, shared by all threads: a hash of objects under striped locks, and one queue
 * that decides what goes when the memory is full (SIEVE, Zhang et al., NSDI 2024: a hit sets a
 * bit).
 */
#ifndef LBCACHE_STORE_H
#define LBCACHE_STORE_H

#include "key.h"
#include "object.h"

struct store;

struct store_counts {
	uint64_t objects, bytes, filling, limit, evicted, marks;
};

/* limit: bytes of objects, those being filled included. NULL: out of memory. */
struct store *store_new(uint64_t limit);
void store_free(struct store *store);
uint64_t store_seed(const struct store *store);

/* A request that looks for its object. */
struct store_query {
	uint32_t service;
	uint64_t hash;
	struct text key;
	const char *data;
	const struct http_head *request;
	const struct policy *policy;
	uint64_t now_ms;
};

/*
 * The object for a request, the variant that fits it, with a reference; or a mark that is in force;
 * or NULL.
 */
struct object *store_find(struct store *store, const struct store_query *query);

/*
 * Takes the caller's reference; replaces the same variant. What is too much goes by the queue;
 * false, and the object is let go, if it cannot have room.
 */
bool store_put(struct store *store, struct object *object);

/* Bytes that are being filled count against the limit too. */
void store_reserve(struct store *store, int64_t bytes);

/* Removes one object, if it is still in the store. */
void store_drop(struct store *store, struct object *object);
/* All variants of one key; stale_ms: stay, stale from then on (0: go). Answers how many. */
unsigned int store_purge_key(struct store *store, uint32_t service, uint64_t hash, struct text key,
			     uint64_t stale_ms);
typedef bool (*store_test)(const struct object *object, const void *arg);
/* All for which test says so; arg is its own. */
unsigned int store_purge_if(struct store *store, store_test test, const void *arg,
			    uint64_t stale_ms);

/* Calls fn for each object, in no order, with the bucket locked: it must be short. */
void store_walk(struct store *store, void (*fn)(struct object *object, void *arg), void *arg);
/* All of them, from old to new, each with a reference; the caller frees *out. -ENOMEM. */
int store_list(struct store *store, struct object ***out, size_t *count);
void store_count(struct store *store, struct store_counts *out);

#endif
