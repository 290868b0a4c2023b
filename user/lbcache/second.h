/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second tier: a Redis that several balancers share, so that a page that one has rendered need
 * not be rendered for the others. Asked on a miss only, for some milliseconds at most, and not at
 * all for a while after it has failed.
 */
#ifndef LBCACHE_SECOND_H
#define LBCACHE_SECOND_H

#include "fill.h"

struct second;

/* Prepares the worker; nothing is connected yet. -ENOMEM. */
int second_new(struct worker *worker);

/* True: it is asked, and the fill goes on by itself; else it is to be fetched. */
bool second_ask(struct worker *worker, struct fill *fill);
/* Keeps a page there as long as it is fresh. */
void second_keep(struct worker *worker, const struct service *service, const struct object *object);
/* What is kept for this key is outdated. */
void second_forget(struct worker *worker, const struct service *service, struct text key);

/* ---- second_link.c: a thread's connection ---------------------------------------------------- */

struct redisAsyncContext;

struct second_link {
	struct watch watch; /* first */
	struct worker *worker;
	const union address *address;	   /* of the Redis, NULL: none */
	struct redisAsyncContext *context; /* NULL: none */
	uint32_t events;		   /* waited for */
};

/* Connects if need be. False: it cannot. */
bool second_link_open(struct second_link *link);
/* Whoever waits for an answer is told that none comes. */
void second_link_close(struct second_link *link);

/* ---- second_purge.c: of the control thread, which may wait ----------------------------------- */

/* -errno; the words of Redis are not told. key empty: all pages of all services and nodes. */
int second_purge(const union address *address, const char *service, struct text key);

/* ---- keys: what all nodes must agree on ------------------------------------------------------ */

#define SECOND_GENERATION "lbcache:generation" /* another value: nothing from before is found */
#define SECOND_GENERATION_MAX 24
#define SECOND_KEY_MAX (KEY_MAX + VARY_MAX + NAME_SIZE + 64)

/* "lbcache:GENERATION:SERVICE:URL"; the length. */
size_t second_key(const char *generation, const char *service, struct text url, char *buf);

/*
 * A page whose variants nobody can list goes with all others: KEYS are the generation and the page,
 * ARGV what the value of one that varies begins with, and another generation.
 */
#define SECOND_FORGET                                                                              \
	"local v = redis.call('GET', KEYS[2]) "                                                    \
	"if v and string.sub(v, 13, 16) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end "  \
	"return redis.call('DEL', KEYS[2])"

#endif
