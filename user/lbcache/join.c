// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside the datapath: sockets on the loopback address that it steers connections to, the time
 * stamps that say that the threads are alive, and the services as the keeper tells them.
 */
#include "join.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "candidates.h"
#include "options.h"
#include "reader.h"
#include "sign.h"
#include "worker.h"

#include "liblb.h"

#define PUBLISH_MS 250u
#define READY_STEP_US 2000
#define READY_STEPS 500

static struct {
	struct server *server;
	struct policy standard; /* what the document does not say */
	bool has_own_redis;	/* by an option, which goes before the document's */
	bool is_ready;		/* the datapath has the sockets */
	int fd;			/* to the keeper */
	struct lb_cache *shared;
	uint64_t published_ms;
	pthread_t main, thread;
	bool has_failed; /* the keeper has ended first */
} join;

/* ---- beginning ------------------------------------------------------------------------------ */

int join_prepare(struct server *server, const struct options *options)
{
	int pair[2], ret = join_open(server->worker_count);
	pid_t keeper;

	if (ret) {
		(void)fprintf(stderr, "lbcache: 127.0.0.1: %s; is lo up?\n", strerror(-ret));
		return 1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		(void)fprintf(stderr, "lbcache: keeper: %s\n", strerror(errno));
		return 1;
	}
	(void)fflush(stdout);
	keeper = fork();
	if (keeper == 0) {
		(void)close(pair[0]);
		join_close();
		keeper_run(pair[1], options->netns, server->worker_count, options->control_path);
	}
	(void)close(pair[1]);
	if (keeper < 0) {
		(void)fprintf(stderr, "lbcache: keeper: %s\n", strerror(errno));
		return 1;
	}
	join.fd = pair[0];
	join.standard = options->rules.standard;
	join.has_own_redis = options->redis.any.sa_family;
	join.server = server;
	join.main = pthread_self();
	return 0;
}

/* ---- services ------------------------------------------------------------------------------- */

struct service *join_service(struct server *server, int fd)
{
	const unsigned int count = __atomic_load_n(&server->service_count, __ATOMIC_ACQUIRE);
	union address own;
	socklen_t size = sizeof(own);

	if (getsockname(fd, &own.any, &size))
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		struct service *service = &server->services[i];

		if (__atomic_load_n(&service->is_served, __ATOMIC_RELAXED) &&
		    address_is_same(&service->listen, &own))
			return service;
	}
	return NULL;
}

/* A service keeps its place and its number, so that its pages are its own also after a change. */
static struct service *place_of(struct server *server, const char *name,
				const union address *address)
{
	struct service *service;

	for (unsigned int i = 0; i < server->service_count; i++) {
		service = &server->services[i];
		if (!strcmp(service->name, name) && address_is_same(&service->listen, address))
			return service;
	}
	if (server->service_count == SERVICES_MAX)
		return NULL;
	service = &server->services[server->service_count];
	service->number = server->service_count + 1;
	(void)snprintf(service->name, sizeof(service->name), "%s", name);
	service->listen = *address;
	return service;
}

/* Others may look at it from here on. */
static void publish(struct server *server, const struct service *service)
{
	if (service == &server->services[server->service_count])
		__atomic_store_n(&server->service_count, server->service_count + 1,
				 __ATOMIC_RELEASE);
}

struct service *join_place(struct server *server, const char *name, const union address *address)
{
	struct service *service = place_of(server, name, address);

	if (service && !service->rules) {
		struct rules *rules = calloc(1, sizeof(*rules));

		if (!rules)
			return NULL;
		rules->standard = join.standard;
		service->rules = rules;
		publish(server, service);
	}
	return service;
}

static int set_backends(struct service *service, const struct view_service *view,
			const struct view_backend *list)
{
	struct candidates *candidates = candidates_new(view->backend_count);

	if (!candidates)
		return -ENOMEM;
	for (unsigned int i = 0; i < view->backend_count; i++)
		candidates_add(candidates, &list[i].address, list[i].slots, list[i].number);
	candidates_replace(join.server, service, candidates);
	return 0;
}

static void warn_of_places(void)
{
	static bool has_said;

	if (!has_said)
		(void)fprintf(stderr,
			      "lbcache: more than %d services have been cached since the start, so "
			      "the newest are not served: start it anew\n",
			      SERVICES_MAX);
	has_said = true;
}

static int take_service(const char **at, const char *end, bool *is_named)
{
	const struct view_service *view = (const void *)*at;
	const struct lb_cache_rule *rules = (const void *)(view + 1);
	const struct view_backend *backends = (const void *)(rules + view->rule_count);
	const char *files = (const char *)(backends + view->backend_count);
	struct service *service = place_of(join.server, view->name, &view->address);
	int ret;

	*at = files + view->tls_length;
	if (*at > end)
		return -EPROTO;
	if (!service) { /* the keeper counts those of now, here those of before count too */
		warn_of_places();
		return 0;
	}
	ret = join_take_rules(service, &join.standard, view, rules);
	if (!ret)
		ret = set_backends(service, view, backends);
	if (!ret)
		ret = certificates_take(join.server, service,
					(struct text){ files, view->tls_length },
					(enum tls_backends)view->tls_kind);
	if (ret)
		return ret;
	is_named[service - join.server->services] = true;
	__atomic_store_n(&service->is_served, true, __ATOMIC_RELEASE);
	publish(join.server, service);
	return 0;
}

static int take_view(const char *bytes, size_t len)
{
	const char *at = bytes;
	bool is_named[SERVICES_MAX + 1] = { false };
	int ret = 0;

	while (!ret && at && at < bytes + len)
		ret = take_service(&at, bytes + len, is_named);
	/* Connections that are here already are answered to their end. */
	for (unsigned int i = 0; !ret && i < join.server->service_count; i++)
		if (!is_named[i])
			__atomic_store_n(&join.server->services[i].is_served, false,
					 __ATOMIC_RELAXED);
	return ret;
}

/* ---- figures, for who reads the maps -------------------------------------------------------- */

void join_publish(uint64_t now_ms)
{
	struct lb_cache *shared = __atomic_load_n(&join.shared, __ATOMIC_ACQUIRE);
	struct store_counts held;
	struct counters sum;

	if (!shared || now_ms - join.published_ms < PUBLISH_MS ||
	    __atomic_load_n(&join.server->is_draining, __ATOMIC_RELAXED))
		return;
	join.published_ms = now_ms;
	server_sum(join.server, &sum);
	store_count(join.server->store, &held);
	shared->counts = (struct lb_cache_counts){ .requests = sum.requests,
						   .hits = sum.hits,
						   .stale = sum.stale_hits,
						   .misses = sum.misses,
						   .bytes = held.bytes,
						   .limit = held.limit };
}

/* ---- the keeper's messages ------------------------------------------------------------------ */

/* The maps may be other ones than before: what was mapped stays, since threads write to it. */
static int take_map(int fd, int fates_fd, uint32_t backends)
{
	struct join_message answer = { .kind = JOIN_LISTENERS };
	struct server *server = join.server;
	unsigned int count;
	const int *listeners;
	bool has_v6;
	struct lb_cache *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	int ret = sign_map(fates_fd, backends);

	(void)close(fd);
	if (shared == MAP_FAILED || ret)
		return ret ? ret : -ENOMEM;
	__atomic_store_n(&join.shared, shared, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < server->worker_count; i++) {
		shared->thread[i].bypass = 0;
		__atomic_store_n(&server->workers[i]->beat, &shared->thread[i], __ATOMIC_RELEASE);
		worker_wake(server->workers[i]);
	}
	listeners = join_sockets(&count, &has_v6);
	answer.has_v6 = has_v6;
	return join_send(join.fd, &answer, NULL, listeners, count);
}

/* Comes at each change. */
static int take_redis(const union address *address, size_t len)
{
	if (!join.has_own_redis)
		return server_use_redis(join.server, len == sizeof(*address) ? address : NULL);
	if (len)
		(void)fprintf(stderr,
			      "lbcache: note: --redis is used, and not the document's, until "
			      "lbcache is started without it\n");
	return 0;
}

static int take_message(void)
{
	struct join_message message;
	int fds[JOIN_FDS_MAX], ret;
	unsigned int fd_count = 0;
	void *data = NULL;

	ret = join_receive(join.fd, &message, &data, fds, &fd_count);
	if (ret)
		return ret;
	switch (message.kind) {
	case JOIN_MAP:
		ret = fd_count == 2 ? take_map(fds[0], fds[1], message.backends) : -EPROTO;
		break;
	case JOIN_READY:
		__atomic_store_n(&join.shared->threads, join.server->worker_count,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&join.is_ready, true, __ATOMIC_RELEASE);
		break;
	case JOIN_VIEW:
		ret = take_view(data, message.length);
		break;
	case JOIN_REDIS:
		ret = take_redis(data, message.length);
		break;
	default:
		ret = -EPROTO;
	}
	free(data);
	return ret;
}

static void *run(void *arg)
{
	int ret;

	(void)arg;
	do
		ret = take_message();
	while (!ret);
	join.has_failed = !join.server->is_stopping;
	if (join.has_failed && ret != -EKEYREJECTED)
		(void)fprintf(stderr, "lbcache: the keeper has ended, so this ends too: %s\n",
			      strerror(-ret));
	(void)pthread_kill(join.main, SIGTERM);
	return NULL;
}

int join_start(struct server *server, bool is_second)
{
	int ret = is_second ? 0 : join_listen(server);

	if (!ret)
		ret = -pthread_create(&join.thread, NULL, run, NULL);
	if (!ret)
		ret = -pthread_detach(join.thread);
	if (ret || !is_second)
		return ret;
	/* Whose a connection is must be known before one is taken from the other process. */
	for (unsigned int i = 0;
	     i < READY_STEPS && !__atomic_load_n(&join.is_ready, __ATOMIC_ACQUIRE); i++)
		(void)usleep(READY_STEP_US);
	return join_listen(server);
}

void join_renew(void)
{
	const struct join_message message = { .kind = JOIN_RENEW };

	/* Of a keeper that has ended the other thread hears. */
	(void)join_send(join.fd, &message, NULL, NULL, 0);
}

int join_leave(void)
{
	const struct join_message leave = { .kind = JOIN_LEAVE };

	/* Else it is the new one's. */
	if (!join.server || __atomic_load_n(&join.server->is_draining, __ATOMIC_RELAXED))
		return join.has_failed;
	if (join.shared)
		__atomic_store_n(&join.shared->threads, 0, __ATOMIC_RELEASE);
	(void)join_send(join.fd, &leave, NULL, NULL, 0);
	return join.has_failed;
}
