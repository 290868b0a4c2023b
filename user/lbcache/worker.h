/* SPDX-License-Identifier: GPL-2.0-only */
/* One thread's loop: what is watched, timers, messages from other threads. */
#ifndef LBCACHE_WORKER_H
#define LBCACHE_WORKER_H

#include <sys/epoll.h>

#include "pressure.h"
#include "server.h"

struct worker;
struct lb_cache_thread;
struct fill;
struct backend;
struct client;
struct h2;
struct ssl_st;

/* A file descriptor in the loop, edge-triggered. Lives until the end of the turn in which it is
 * buried. */
struct watch {
	int fd; /* -1 once closed: events that were under way are dropped */
	void (*on_event)(struct worker *worker, struct watch *watch, uint32_t events);
	struct ssl_st *tls; /* NULL: in clear; freed with it */
	struct watch *next_dead;
	struct watch *next_again, **link_again; /* link NULL: it is in no list */
};

/* Every class has one length, so that a list a class stays sorted by itself. */
enum timer_class {
	TIMER_SECOND,  /* 5 ms: then the backend is asked */
	TIMER_CONNECT, /* 250 ms: then the next backend */
	TIMER_LINGER,  /* 1 s: after a refusal, so that the answer is read */
	TIMER_HEADER,  /* 5 s: a request's head, in all; a response's, then the stale page */
	TIMER_BODY,    /* 5 s: then enough of a body must have come */
	TIMER_WRITE,   /* 10 s without taking a byte */
	TIMER_POOL,    /* 15 s: an idle connection to a backend */
	TIMER_KEEP,    /* 60 s between a client's requests */
	TIMER_IDLE,    /* 60 s for a backend's head in all, or its next byte */
	TIMER_CLASSES,
};

struct timer {
	struct timer *next, *prev; /* NULL: not running */
	uint64_t due_ms;
	void (*on_due)(struct worker *worker, struct timer *timer);
};

#define SCRATCH_SIZE 65536

struct worker {
	struct server *server;
	unsigned int index;
	pthread_t thread;
	int epoll_fd;
	uint64_t now_ms;	      /* monotonic, of this turn */
	uint64_t turns;		      /* begun */
	struct lb_cache_thread *beat; /* joined to the datapath: that this thread is alive */
	struct pressure pressure;
	uint32_t bypass; /* of LB_CACHE_BYPASS_ALL new connections, those left to the backends */
	uint64_t told_ms[2]; /* when that was said last: it is late, there are too many clients */
	time_t now;
	struct timer timers[TIMER_CLASSES]; /* heads of rings */
	struct watch *dead;
	struct watch *again;	 /* who goes on in the next turn */
	struct watch *again_now; /* and in this one */
	bool is_behind;		 /* the inbox had more than a turn's share */
	struct listener *listeners;
	bool has_let_go;    /* of its listeners */
	struct watch event; /* the inbox's bell */
	pthread_mutex_t inbox_lock;
	struct fill **inbox;
	size_t inbox_count, inbox_limit;
	struct backend *backends;
	struct h2 *h2_dirty;   /* connections in HTTP/2 that may have something to send */
	struct second *second; /* NULL: there is no second tier */
	bool is_second_resting;
	struct counters counters;
	struct service_counters by_service[SERVICES_MAX];
	char scratch[SCRATCH_SIZE]; /* what was just received */
	char key[KEY_MAX];
	struct http_head head; /* of the request or response in hand */
};

struct listener {
	struct watch watch;
	struct listener *next;
	struct service *service; /* NULL: each connection has its own */
};

/* What all threads have counted, and the share of hits, stale ones included. */
void server_sum(const struct server *server, struct counters *out);
void server_sum_service(const struct server *server, unsigned int service,
			struct service_counters *out);
double service_hit_ratio(const struct service_counters *counters);
static inline struct service_counters *service_counters_of(struct worker *worker,
							   const struct service *service)
{
	return &worker->by_service[service - worker->server->services];
}
double counters_hit_ratio(const struct counters *counters);
/* Threads that leave the second tier alone for now. */
unsigned int server_resting(const struct server *server);
double server_bypass_ratio(const struct server *server);

int worker_start(struct server *server, unsigned int index);
/* A listening socket for this worker; the worker owns it. service NULL: by join_service(). */
int worker_listen(struct worker *worker, struct service *service, int fd);
void worker_watch(struct worker *worker, struct watch *watch, int fd,
		  void (*on_event)(struct worker *, struct watch *, uint32_t));
/* Closes, and frees the struct that the watch is the first member of at the turn's end. */
void worker_bury(struct worker *worker, struct watch *watch);

/* ---- again.c: shares of a turn --------------------------------------------------------------- */

/* What one may read or send in a turn while others wait, in bytes. */
#define SHARE (256u << 10)

/* The watch has had its share: an event for it, as if it could read and write, in the next turn. */
void worker_again(struct worker *worker, struct watch *watch);
void worker_not_again(struct watch *watch);
/* A turn begins: those of the turn before are due. */
void worker_begin_again(struct worker *worker);
void worker_run_again(struct worker *worker);

/* ---- worker.c -------------------------------------------------------------------------------- */

/* Has it look around at once. From any thread. */
void worker_wake(struct worker *worker);

void timer_start(struct worker *worker, struct timer *timer, enum timer_class class,
		 void (*on_due)(struct worker *, struct timer *));
void timer_stop(struct timer *timer);
/* The first of the class that was started so long ago, or NULL. */
struct timer *timer_oldest(struct worker *worker, enum timer_class class, unsigned int ms);

/* Has the worker look at the fill again at its turn's end; takes a reference. From any thread. */
void worker_tell(struct worker *worker, struct worker *from, struct fill *fill);

#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
