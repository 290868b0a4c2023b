// SPDX-License-Identifier: GPL-2.0-only
/* One thread's loop. Knows descriptors, timers and messages; not what they are for. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "fetch.h"
#include "h2.h"
#include "join.h"
#include "second.h"
#include "tls.h"

#include "lb_abi.h"

#define EVENTS_MAX 256
#define TURN_MS 500		   /* at the latest, another turn */
#define ACCEPTS_MAX 64		   /* of one listener in one turn */
#define ROUNDS_MAX 8		   /* through the inbox in one turn */
#define IDLE_MS 1000		   /* of clients while this process ends */
#define BEAT_MS 10		   /* the same of one that must show that it is alive */
#define TELL_MS 60000		   /* between two notes of one thread */
#define CLOCK_BASE_MS (1ull << 42) /* so that a page may be older than the machine is up */

static const unsigned int lengths_ms[TIMER_CLASSES] = {
	[TIMER_SECOND] = 5,    [TIMER_CONNECT] = 250, [TIMER_LINGER] = 1000,
	[TIMER_HEADER] = 5000, [TIMER_BODY] = 5000,   [TIMER_WRITE] = 10000,
	[TIMER_POOL] = 15000,  [TIMER_KEEP] = 60000,  [TIMER_IDLE] = 60000,
};

void timer_stop(struct timer *timer)
{
	if (!timer->next)
		return;
	timer->next->prev = timer->prev;
	timer->prev->next = timer->next;
	timer->next = timer->prev = NULL;
}

void timer_start(struct worker *worker, struct timer *timer, enum timer_class class,
		 void (*on_due)(struct worker *, struct timer *))
{
	struct timer *head = &worker->timers[class];

	timer_stop(timer);
	timer->due_ms = worker->now_ms + lengths_ms[class];
	timer->on_due = on_due;
	timer->next = head;
	timer->prev = head->prev;
	head->prev->next = timer;
	head->prev = timer;
}

struct timer *timer_oldest(struct worker *worker, enum timer_class class, unsigned int ms)
{
	struct timer *first = worker->timers[class].next;

	if (first == &worker->timers[class] ||
	    first->due_ms + ms > worker->now_ms + lengths_ms[class])
		return NULL;
	return first;
}

static void run_timers(struct worker *worker)
{
	for (unsigned int i = 0; i < TIMER_CLASSES; i++) {
		struct timer *head = &worker->timers[i], *timer;

		while ((timer = head->next) != head && timer->due_ms <= worker->now_ms) {
			timer_stop(timer);
			timer->on_due(worker, timer);
		}
	}
}

static int wait_ms(const struct worker *worker)
{
	uint64_t due = worker->now_ms + (worker->beat ? BEAT_MS : TURN_MS);

	if (worker->again || worker->is_behind)
		return 0;
	for (unsigned int i = 0; i < TIMER_CLASSES; i++) {
		const struct timer *head = &worker->timers[i];

		if (head->next != head && head->next->due_ms < due)
			due = head->next->due_ms;
	}
	return due > worker->now_ms ? (int)(due - worker->now_ms) : 0;
}

void worker_watch(struct worker *worker, struct watch *watch, int fd,
		  void (*on_event)(struct worker *, struct watch *, uint32_t))
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				     .data.ptr = watch };

	watch->fd = fd;
	watch->on_event = on_event;
	/* What cannot be watched is found dead by its timer. */
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void worker_bury(struct worker *worker, struct watch *watch)
{
	if (watch->fd >= 0)
		(void)close(watch->fd);
	worker_not_again(watch);
	tls_free(watch->tls);
	watch->tls = NULL;
	watch->fd = -1;
	watch->next_dead = worker->dead;
	worker->dead = watch;
}

static void free_dead(struct worker *worker)
{
	while (worker->dead) {
		struct watch *watch = worker->dead;

		worker->dead = watch->next_dead;
		free(watch);
	}
}

void worker_tell(struct worker *worker, struct worker *from, struct fill *fill)
{
	const uint64_t one = 1;
	struct fill **grown;
	bool was_empty;

	(void)pthread_mutex_lock(&worker->inbox_lock);
	was_empty = worker->inbox_count == 0;
	if (!was_empty && worker->inbox[worker->inbox_count - 1] == fill) {
		(void)pthread_mutex_unlock(&worker->inbox_lock);
		return;
	}
	if (worker->inbox_count == worker->inbox_limit) {
		size_t limit = worker->inbox_limit ? 2 * worker->inbox_limit : 64;

		grown = realloc(worker->inbox, limit * sizeof(struct fill *));
		if (!grown)
			abort(); /* a client would wait for ever */
		worker->inbox = grown;
		worker->inbox_limit = limit;
	}
	worker->inbox[worker->inbox_count++] = fill_ref(fill);
	(void)pthread_mutex_unlock(&worker->inbox_lock);
	if (was_empty && worker != from)
		(void)!write(worker->event.fd, &one, sizeof(one));
}

static void on_bell(struct worker *worker, struct watch *watch, uint32_t events)
{
	uint64_t count;

	(void)worker;
	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
}

/* False: it was empty. */
static bool read_inbox(struct worker *worker)
{
	struct fill **list;
	size_t count;

	(void)pthread_mutex_lock(&worker->inbox_lock);
	list = worker->inbox;
	count = worker->inbox_count;
	worker->inbox = NULL;
	worker->inbox_count = worker->inbox_limit = 0;
	(void)pthread_mutex_unlock(&worker->inbox_lock);
	for (size_t i = 0; i < count; i++) {
		fetch_look(worker, list[i]);
		client_look(worker, list[i]);
		fill_unref(list[i]);
	}
	free(list);
	return count > 0;
}

/* Looking at one fill may put others into the inbox: a few rounds, and the rest in another turn. */
static void look_around(struct worker *worker)
{
	worker->is_behind = true;
	for (unsigned int i = 0; i < ROUNDS_MAX && worker->is_behind; i++) {
		const bool was_told = read_inbox(worker);

		worker->is_behind = h2_flush(worker) || was_told;
	}
}

static uint64_t make_ms(const struct timespec *time)
{
	return CLOCK_BASE_MS + (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
}

static void read_clocks(struct worker *worker)
{
	struct lb_cache_thread *beat = __atomic_load_n(&worker->beat, __ATOMIC_ACQUIRE);
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (beat)
		__atomic_store_n(&beat->seen_ns,
				 (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
				 __ATOMIC_RELAXED);
	worker->now_ms = make_ms(&now);
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	worker->now = now.tv_sec;
}

static void tell_bypass(struct worker *worker, bool is_full)
{
	if (worker->told_ms[is_full] && worker->now_ms - worker->told_ms[is_full] < TELL_MS)
		return;
	worker->told_ms[is_full] = worker->now_ms;
	(void)fprintf(stderr, "lbcache: note: new connections go to the backends: %s\n",
		      is_full ? "there are as many clients as '--connections' allows"
			      : "a thread is behind its work");
}

/* Beside the datapath: a thread that has too much to do leaves new clients to the backends. */
static void set_bypass(struct worker *worker)
{
	struct lb_cache_thread *beat = __atomic_load_n(&worker->beat, __ATOMIC_ACQUIRE);
	const bool is_full = client_is_full(worker->server);
	struct timespec now;
	uint64_t now_ms;
	uint32_t bypass;

	if (!beat)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ms = make_ms(&now);
	bypass = pressure_note(&worker->pressure, now_ms, (uint32_t)(now_ms - worker->now_ms),
			       is_full);
	if (bypass && (!worker->bypass || is_full))
		tell_bypass(worker, is_full);
	__atomic_store_n(&worker->bypass, bypass, __ATOMIC_RELAXED);
	__atomic_store_n(&beat->bypass, bypass, __ATOMIC_RELAXED);
}

/* Those started so long ago are due now. */
static void hurry(struct worker *worker, enum timer_class class, unsigned int ms)
{
	struct timer *timer;

	while ((timer = timer_oldest(worker, class, ms))) {
		timer_stop(timer);
		timer->on_due(worker, timer);
	}
}

/* Connections that wait at a listening socket are the new process's; idle clients are closed. */
static void let_go(struct worker *worker)
{
	hurry(worker, TIMER_KEEP, IDLE_MS);
	__atomic_store_n(&worker->beat, NULL, __ATOMIC_RELEASE);
	while (worker->listeners) {
		struct listener *listener = worker->listeners;

		worker->listeners = listener->next;
		/* Closing would not: the new process has the same open file. */
		(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, listener->watch.fd, NULL);
		worker_bury(worker, &listener->watch);
	}
}

void worker_wake(struct worker *worker)
{
	const uint64_t one = 1;

	(void)!write(worker->event.fd, &one, sizeof(one));
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	struct epoll_event events[EVENTS_MAX];

	while (!__atomic_load_n(&worker->server->is_stopping, __ATOMIC_RELAXED)) {
		int count = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, wait_ms(worker));

		worker_begin_again(worker);
		__atomic_store_n(&worker->turns, worker->turns + 1, __ATOMIC_RELEASE);
		read_clocks(worker);
		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			if (watch->fd >= 0)
				watch->on_event(worker, watch, events[i].events);
		}
		worker_run_again(worker);
		run_timers(worker);
		if (__atomic_load_n(&worker->server->is_draining, __ATOMIC_RELAXED))
			let_go(worker);
		look_around(worker);
		free_dead(worker);
		set_bypass(worker);
		if (!worker->index)
			join_publish(worker->now_ms);
	}
	return NULL;
}

static void on_accept(struct worker *worker, struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;
	struct service *service;
	union address peer;

	(void)events;
	for (unsigned int i = 0; i < ACCEPTS_MAX; i++) {
		socklen_t size = sizeof(peer);
		int fd = accept4(watch->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return;
		service = listener->service ? listener->service : join_service(worker->server, fd);
		if (service)
			client_open(worker, service, fd, &peer);
		else
			(void)close(fd);
	}
	worker_again(worker, watch);
}

int worker_listen(struct worker *worker, struct service *service, int fd)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return -ENOMEM;
	listener->service = service;
	listener->next = worker->listeners;
	worker->listeners = listener;
	worker_watch(worker, &listener->watch, fd, on_accept);
	return 0;
}

int worker_start(struct server *server, unsigned int index)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int fd;

	if (!worker)
		return -ENOMEM;
	worker->server = server;
	worker->index = index;
	for (unsigned int i = 0; i < TIMER_CLASSES; i++)
		worker->timers[i].next = worker->timers[i].prev = &worker->timers[i];
	(void)pthread_mutex_init(&worker->inbox_lock, NULL);
	read_clocks(worker);
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->epoll_fd < 0 || fd < 0)
		return -errno;
	/* Joined, it may be told of one later. */
	if ((server->redis || server->is_joined) && second_new(worker))
		return -ENOMEM;
	worker_watch(worker, &worker->event, fd, on_bell);
	server->workers[index] = worker;
	return -pthread_create(&worker->thread, NULL, run, worker);
}
