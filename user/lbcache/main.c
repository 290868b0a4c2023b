// SPDX-License-Identifier: GPL-2.0-only
/* lbcache: hot pages from memory. Opens what it needs, starts its threads, and waits to be ended.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candidates.h"
#include "control.h"
#include "fill.h"
#include "handover.h"
#include "holder.h"
#include "join.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "reader.h"
#include "rights.h"
#include "service_manager.h"
#include "sign.h"

#include "liblb.h"

#define LARGE (32 << 10)

static int refuse(const char *what, int error)
{
	(void)fprintf(stderr, "lbcache: %s: %s\n", what, strerror(error));
	return 1;
}

static int refuse_user(const char *user, int error)
{
	(void)fprintf(stderr, "lbcache: user '%s' %s; name another one with '--user'\n", user,
		      error == ESRCH ? "does not exist" : strerror(error));
	return 1;
}

/* The control socket's place is the instance's; entering it also enters its namespace. */
static int enter_instance(struct options *options)
{
	static char path[512];
	struct lb_error err;
	const char *slash;
	struct lb *lb;

	if (options->control_path && !options->netns && !options->is_joined)
		return 0;
	if (lb_open(&lb, options->netns, &err)) {
		(void)fprintf(stderr, "lbcache: %s%s\n",
			      options->netns || options->is_joined ? "" : "no control socket: ",
			      err.text);
		return options->netns || options->is_joined;
	}
	slash = strrchr(lb_state_path(lb), '/');
	if (slash && !options->control_path) {
		/* it need not exist before the first change by lbctl */
		(void)snprintf(path, sizeof(path), "%.*s", (int)(slash - lb_state_path(lb)),
			       lb_state_path(lb));
		for (char *c = path + 1; *c; c++) {
			if (*c != '/')
				continue;
			*c = '\0';
			(void)mkdir(path, 0755);
			*c = '/';
		}
		(void)mkdir(path, 0755);
		(void)snprintf(path, sizeof(path), "%.*s/lbcache.sock",
			       (int)(slash - lb_state_path(lb)), lb_state_path(lb));
		options->control_path = path;
	}
	lb_close(lb);
	return 0;
}

static struct server *make_server(const struct options *options)
{
	struct server *server;

	/* One heap, so that what one thread let go serves all; a large page goes back at once. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	(void)mallopt(M_TRIM_THRESHOLD, LARGE);
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->limits = options->limits;
	server->worker_count = options->threads;
	server->store = store_new(options->limits.memory);
	server->fills = fill_table_new();
	server->per_address = calloc(PER_ADDRESS_SLOTS, sizeof(*server->per_address));
	if (server->store && server->fills && server->per_address &&
	    (!options->redis.any.sa_family || !server_use_redis(server, &options->redis)))
		return server;
	store_free(server->store);
	fill_table_free(server->fills);
	free((void *)server->per_address);
	free(server);
	return NULL;
}

static void add_alone(struct server *server, const struct options *options)
{
	struct service *service = &server->services[server->service_count++];
	static struct rules rules;

	rules = options->rules;
	(void)snprintf(service->name, NAME_SIZE, "alone");
	service->number = 1;
	service->listen = options->listen;
	service->rules = &rules;
	service->is_served = true;
	service->candidates = candidates_new(options->backend_count);
	for (unsigned int i = 0; service->candidates && i < options->backend_count; i++)
		candidates_add(service->candidates, &options->backends[i], 1, SIGN_NOWHERE);
}

/* Two descriptors a client, and some. */
static void raise_descriptors(const struct options *options)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2ull * options->limits.connections + 64)
		(void)fprintf(stderr,
			      "lbcache: note: %llu descriptors are too few for %u connections; "
			      "raise them with 'ulimit -n'\n",
			      (unsigned long long)limit.rlim_cur, options->limits.connections);
}

/* The main thread waits for those that end the process. Who asks and hangs up must not be one. */
static void set_signals(sigset_t *out)
{
	(void)sigemptyset(out);
	(void)sigaddset(out, SIGTERM);
	(void)sigaddset(out, SIGINT);
	(void)sigaddset(out, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, out, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct options options;
	struct server *server;
	const char *what;
	sigset_t signals;
	int ret, before = -1;

	options_read(argc, argv, &options);
	ret = rights_look(options.user);
	if (ret)
		return refuse_user(options.user, -ret);
	if (enter_instance(&options))
		return 1;
	raise_descriptors(&options);
	set_signals(&signals);
	server = make_server(&options);
	if (!server)
		return refuse("memory", ENOMEM);
	server->is_joined = options.is_joined;
	tls_begin();
	if (!options.is_joined)
		add_alone(server, &options);
	else if (join_prepare(server, &options))
		return 1;
	if (options.is_inheriting && listen_inherit(server, &server->services[0]))
		return 1;
	if (options.cert_count) {
		ret = reader_start(&options);
		if (ret)
			return refuse("certificates", -ret);
		if (reader_renew(server, &server->services[0]))
			return 1;
	}
	if (options.log_path) {
		ret = log_open(&server->log, options.log_path, options.is_log_json);
		if (ret)
			return refuse(options.log_path, -ret);
	}
	server->main_thread = pthread_self();
	if (options.is_taking_over) {
		ret = handover_take(server, options.control_path, &before);
		if (ret)
			return refuse("--take-over", -ret);
	}
	for (unsigned int i = 0; i < server->worker_count; i++) {
		ret = worker_start(server, i);
		if (ret)
			return refuse("thread", -ret);
	}
	if (!options.is_joined && listen_all(server))
		return 1;
	ret = options.is_joined ? join_start(server, before >= 0) : 0;
	if (ret)
		return refuse("joining the datapath", -ret);
	if (before >= 0) {
		ret = handover_end(server, before);
		if (ret)
			return refuse("--take-over", -ret);
	}
	if (options.control_path) {
		ret = control_start(server, options.control_path);
		if (ret)
			return refuse(options.control_path, -ret);
	}
	if (options.metrics.any.sa_family) {
		ret = metrics_start(server, &options.metrics);
		if (ret)
			return refuse("--metrics", -ret);
	}
	/* What had to be opened is open: from here on the process is nobody. */
	ret = rights_drop(options.user, &what);
	if (ret)
		return refuse(what, -ret);
	ret = holder_start();
	if (ret)
		(void)fprintf(
			stderr,
			"lbcache: note: killed with much in memory it would close its sockets "
			"late: %s\n",
			strerror(-ret));
	serve_until(server, &signals);
	ret = join_leave();
	server->is_stopping = true;
	for (unsigned int i = 0; i < server->worker_count; i++)
		(void)pthread_join(server->workers[i]->thread, NULL);
	/* Else it is the new one's. */
	if (options.control_path && !server->is_draining)
		(void)unlink(options.control_path);
	log_close(server->log);
	return ret;
}
