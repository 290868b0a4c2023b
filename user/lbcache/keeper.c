// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keeper: with the rights to open the maps it offers lbcache's sockets to the datapath, and
 * tells which services are cached, by which rules, and which backends get new connections. It meets
 * no client, and ends with the process that does.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "join.h"
#include "tls.h"

#include "liblb.h"

#define LOOK_MS 50   /* at changes of tables and document */
#define RETRY_MS 200 /* whether something is attached by now */

struct keeper {
	int fd;
	const char *netns;
	unsigned int threads;
	struct lb *lb; /* NULL: nothing is attached */
	struct lb_config *config;
	struct stat document; /* as it was when config was read */
	uint64_t tables;
	char *view; /* as it was sent last */
	size_t view_len;
	union address redis; /* likewise; without family: none */
	bool has_said_no_room;
};

/* ---- the view ------------------------------------------------------------------------------- */

static void put(FILE *out, const void *bytes, size_t len)
{
	(void)fwrite(bytes, len, 1, out);
}

static enum tls_backends put_files(const struct lb_cache_config *cache, FILE *out)
{
	for (unsigned int i = 0; i < cache->cert_count; i++)
		tls_file_put(out, TLS_CERTIFICATE, cache->certs[i].file, cache->certs[i].key);
	if (cache->verify[0] == '/')
		tls_file_put(out, TLS_AUTHORITY, cache->verify, NULL);
	return strcmp(cache->verify, "off") ? TLS_BACKENDS_VERIFIED : TLS_BACKENDS_UNVERIFIED;
}

/* The files of a service as they are now; NULL: none, or out of memory. */
static char *read_files(const struct lb_cache_config *cache, struct view_service *service)
{
	char *bytes = NULL;
	size_t len = 0;
	FILE *out = cache->cert_count ? open_memstream(&bytes, &len) : NULL;

	if (!out)
		return NULL;
	service->tls_kind = put_files(cache, out);
	if (fclose(out)) {
		free(bytes);
		return NULL;
	}
	service->tls_length = (uint32_t)len;
	return bytes;
}

static void put_service(const struct keeper *keeper, const struct lb_service_config *config,
			FILE *out)
{
	static struct lb_candidate list[VIEW_BACKENDS_MAX];
	const struct lb_cache_config *cache = &config->cache;
	struct view_service service = { .ttl_s = cache->ttl_s, .rule_count = cache->rule_count };
	char *files = read_files(cache, &service);
	unsigned int count = 0;

	/* One that the maps do not have yet has nobody to ask. */
	if (lb_list_candidates(keeper->lb, config->name, list, VIEW_BACKENDS_MAX, &count))
		count = 0;
	memcpy(service.name, config->name, sizeof(service.name));
	address_make(&service.address, &config->vip, config->port);
	service.backend_count = count;
	put(out, &service, sizeof(service));
	for (unsigned int i = 0; i < cache->rule_count; i++)
		put(out, &cache->rules[i], sizeof(cache->rules[i]));
	for (unsigned int i = 0; i < count; i++) {
		struct view_backend backend = { .slots = list[i].slots, .number = list[i].number };

		address_make(&backend.address, &list[i].addr, list[i].port);
		put(out, &backend, sizeof(backend));
	}
	if (files)
		put(out, files, service.tls_length);
	free(files);
}

static void warn_of_room(struct keeper *keeper)
{
	if (!keeper->has_said_no_room)
		(void)fprintf(stderr,
			      "lbcache: more than %d services are cached; the others' connections "
			      "are closed: run 'lbctl cache off' for them\n",
			      SERVICES_MAX);
	keeper->has_said_no_room = true;
}

/* NULL: out of memory. */
static char *make_view(struct keeper *keeper, size_t *len)
{
	unsigned int count = 0;
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, len);

	if (!out)
		return NULL;
	for (unsigned int i = 0; i < keeper->config->service_count; i++) {
		const struct lb_service_config *service = &keeper->config->services[i];

		if (!service->cache.is_on)
			continue;
		if (count++ < SERVICES_MAX)
			put_service(keeper, service, out);
		else
			warn_of_room(keeper);
	}
	if (fclose(out)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static int send_view(struct keeper *keeper)
{
	size_t len = 0;
	char *view = make_view(keeper, &len);
	const struct join_message message = { .kind = JOIN_VIEW, .length = (uint32_t)len };
	int ret;

	if (!view)
		return -ENOMEM;
	if (keeper->view && len == keeper->view_len && !memcmp(view, keeper->view, len)) {
		free(view);
		return 0;
	}
	ret = join_send(keeper->fd, &message, view, NULL, 0);
	free(keeper->view);
	keeper->view = view;
	keeper->view_len = len;
	return ret;
}

/* ---- following ------------------------------------------------------------------------------ */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The document anew, if it is another one; what cannot be read is looked at again later. */
static bool read_document(struct keeper *keeper)
{
	struct stat now = { .st_ino = 0 };
	struct lb_config *config;

	(void)stat(lb_state_path(keeper->lb), &now);
	if (keeper->config && is_same_file(&now, &keeper->document))
		return false;
	if (lb_read_intent(keeper->lb, &config, NULL))
		return false;
	lb_config_free(keeper->config);
	keeper->config = config;
	keeper->document = now;
	return true;
}

static int send_redis(struct keeper *keeper)
{
	struct join_message message = { .kind = JOIN_REDIS };
	union address redis = { .v6 = { .sin6_family = 0 } };

	if (keeper->config->redis_port) {
		address_make(&redis, &keeper->config->redis, keeper->config->redis_port);
		message.length = sizeof(redis);
	}
	if (!memcmp(&redis, &keeper->redis, sizeof(redis)))
		return 0;
	keeper->redis = redis;
	return join_send(keeper->fd, &message, &redis, NULL, 0);
}

static int follow(struct keeper *keeper)
{
	const uint64_t tables = lb_table_version(keeper->lb);
	const bool is_changed = read_document(keeper) || tables != keeper->tables;
	int ret;

	if (!is_changed || !keeper->config)
		return 0;
	keeper->tables = tables;
	ret = send_redis(keeper);
	return ret ? ret : send_view(keeper);
}

/* ---- joining -------------------------------------------------------------------------------- */

static int offer(struct keeper *keeper, const int *fds, const struct join_message *message)
{
	const unsigned int families = message->has_v6 ? 2 : 1;
	struct lb_error err;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < keeper->threads * families; i++)
		ret = lb_cache_offer(keeper->lb, i / families, i % families, fds[i], &err);
	if (ret)
		(void)fprintf(stderr, "lbcache: %s\n", err.text);
	return ret;
}

/* The sockets are lbcache's alone, so that they close when it is killed. */
static int join(struct keeper *keeper)
{
	struct join_message map = { .kind = JOIN_MAP };
	const int descriptors[] = { lb_cache_descriptor(keeper->lb),
				    lb_cache_fates_descriptor(keeper->lb, &map.backends) };
	struct join_message answer;
	int fds[JOIN_FDS_MAX], ret;
	unsigned int count = 0;
	void *data = NULL;

	ret = join_send(keeper->fd, &map, NULL, descriptors, 2);
	if (!ret)
		ret = join_receive(keeper->fd, &answer, &data, fds, &count);
	if (ret)
		return ret;
	free(data);
	ret = answer.kind == JOIN_LISTENERS && count == keeper->threads * (answer.has_v6 ? 2 : 1)
		      ? offer(keeper, fds, &answer)
		      : -EPROTO;
	for (unsigned int i = 0; i < count; i++)
		(void)close(fds[i]);
	return ret;
}

static void leave(struct keeper *keeper)
{
	lb_config_free(keeper->config);
	keeper->config = NULL;
	lb_close(keeper->lb);
	keeper->lb = NULL;
}

static int look(struct keeper *keeper)
{
	const struct join_message ready = { .kind = JOIN_READY };
	struct lb_error err;
	int ret;

	if (keeper->lb && lb_is_gone(keeper->lb))
		leave(keeper);
	if (keeper->lb)
		return follow(keeper);
	/* lbctl of another version may be at work: it will be this one's turn again. */
	if (lb_open(&keeper->lb, keeper->netns, &err))
		return 0;
	if (!lb_is_loaded(keeper->lb)) {
		leave(keeper);
		return 0;
	}
	free(keeper->view);
	keeper->view = NULL;
	ret = join(keeper);
	/* No connection may come before it is known whose it is. */
	if (!ret)
		ret = follow(keeper);
	return ret ? ret : join_send(keeper->fd, &ready, NULL, NULL, 0);
}

/*
 * The other process says something, or nothing more. At its end goes what it made where it, as
 * nobody, may not remove it.
 */
static int hear(struct keeper *keeper, const char *control_path)
{
	struct join_message message;
	int fds[JOIN_FDS_MAX];
	unsigned int count;
	void *data = NULL;
	int ret = join_receive(keeper->fd, &message, &data, fds, &count);

	free(data);
	if (ret)
		return ret;
	if (message.kind == JOIN_RENEW)
		return keeper->config ? send_view(keeper) : 0;
	if (message.kind == JOIN_LEAVE)
		(void)unlink(control_path);
	return -EPIPE;
}

_Noreturn void keeper_run(int fd, const char *netns, unsigned int threads, const char *control_path)
{
	struct keeper keeper = { .fd = fd, .netns = netns, .threads = threads };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int ret = 0;

	(void)prctl(PR_SET_NAME, "lbcache-keeper");
	/* It ends when the other process does, whoever of them is told first. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	while (!ret) {
		ret = look(&keeper);
		poll_fd.revents = 0;
		if (!ret && poll(&poll_fd, 1, keeper.lb ? LOOK_MS : RETRY_MS) > 0)
			ret = hear(&keeper, control_path);
	}
	if (ret && ret != -EPIPE && ret != -ECONNRESET)
		(void)fprintf(stderr, "lbcache: the datapath is not followed any more: %s\n",
			      strerror(-ret));
	_exit(ret ? 1 : 0);
}
