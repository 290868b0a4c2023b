/* SPDX-License-Identifier: GPL-2.0-only */
/* What all threads of the process share: services, the memory of pages, fetches under way, limits.
 */
#ifndef LBCACHE_SERVER_H
#define LBCACHE_SERVER_H

#include <netinet/in.h>
#include <pthread.h>

#include "lb_addr.h"
#include "policy.h"
#include "store.h"

#define SERVICES_MAX 512
#define BACKENDS_MAX 64 /* of a fixed list */
#define RULES_MAX 64
#define WORKERS_MAX 64
#define PREFIX_SIZE 256
#define NAME_SIZE 32
#define ADDRESS_TEXT_SIZE 64

struct fill_table;
struct candidates;
struct access_log;
struct tls_site;

struct rule {
	char prefix[PREFIX_SIZE]; /* in its normal form, zeros after it */
	size_t prefix_len;
	struct policy policy;
};

/* Read without a lock: a change makes a new one and swaps the pointer; old ones stay. */
struct rules {
	struct policy standard;
	unsigned int count;
	struct rule rule[RULES_MAX]; /* the longest prefix first */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct service {
	uint32_t number;
	char name[NAME_SIZE];
	union address listen;
	struct rules *_Atomic rules;
	int listeners[WORKERS_MAX]; /* the workers' in turn */
	unsigned int listener_count;
	struct candidates *_Atomic candidates; /* a change swaps them */
	struct tls_site *_Atomic tls;	       /* NULL: in clear; new files swap it */
	bool is_served;			       /* as long as it is cached */
};

struct limits {
	uint64_t memory;      /* bytes of stored pages */
	uint64_t object;      /* bytes of one body */
	uint32_t connections; /* of clients, all threads together */
	uint32_t per_address; /* of one client address */
};

struct counters { /* of one thread; read by others without a lock */
	uint64_t requests, hits, stale_hits, misses, passes, collapsed, revalidated, refused,
		errors, fetches, retries, backend_failures, bytes_out, connections, active,
		timeouts, closed_idle, log_lost, second_asked, second_hits, second_kept,
		second_failures, tls_handshakes, tls_resumed, tls_failures, h2_connections,
		h2_streams;
	uint64_t why[WHY_COUNT];
};

struct service_counters { /* of one thread and one service */
	uint64_t requests, hits, stale_hits, misses, passes, bytes_out;
};

struct server {
	struct limits limits;
	struct store *store;
	struct fill_table *fills;
	struct access_log *log; /* NULL: none */
	union address
		*_Atomic redis; /* the second tier, NULL: none; a change swaps it, old ones stay */
	struct service services[SERVICES_MAX];
	unsigned int service_count;
	unsigned int worker_count;
	struct worker *workers[WORKERS_MAX];
	bool is_joined; /* to the datapath */
	bool is_stopping;
	bool is_draining; /* another process takes the clients */
	pthread_t main_thread;
	_Atomic uint32_t connections;
	_Atomic uint16_t *per_address; /* connections by hash of the client's address */
};

/* Each worker has begun another turn, so nobody is still where something old was read. False: one
 * hangs. */
bool server_wait_turn(const struct server *server);

#define PER_ADDRESS_SLOTS 65536u

/* The second tier from now on, which each thread sees at its next miss; NULL: none. -ENOMEM. */
int server_use_redis(struct server *server, const union address *address);
/* prefix: less than PREFIX_SIZE bytes, or all of them without a NUL. */
void rule_set_prefix(struct rule *rule, const char *prefix);
/*
 * The policy of the longest prefix that the target's path has in its normal form. Where one of the
 * ways in which a backend may read the path passes by, that one counts.
 */
const struct policy *rules_find(const struct rules *rules, struct text target);
const char *address_format(const union address *address, char buf[ADDRESS_TEXT_SIZE]);
socklen_t address_size(const union address *address);
void address_make(union address *out, const union lb_addr *addr, uint16_t port);
/* "http" or "https", as clients of the service write it. */
struct text service_scheme(const struct service *service);
bool address_is_same(const union address *a, const union address *b);

#endif
