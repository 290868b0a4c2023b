// SPDX-License-Identifier: GPL-2.0-only
/* The control socket: figures, what is hot, why a page is not stored, purging. */
#include "control.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fill.h"
#include "handover.h"
#include "metrics.h"
#include "second.h"
#include "status.h"
#include "worker.h"

#define LINE_MAX_SIZE 16384
#define HOT_MAX 1000

struct control {
	struct server *server;
	int fd;
};

static uint64_t now_ms(const struct server *server)
{
	return __atomic_load_n(&server->workers[0]->now_ms, __ATOMIC_RELAXED);
}

/* ---- objects -------------------------------------------------------------------------------- */

static const char *service_name(const struct server *server, uint32_t number)
{
	for (unsigned int i = 0; i < server->service_count; i++) {
		if (server->services[i].number == number)
			return server->services[i].name;
	}
	return "?";
}

static json_t *object_json(const struct server *server, const struct object *object)
{
	uint64_t now = now_ms(server);
	struct text key = object_text(object, object->key);
	json_t *json;

	json = json_pack("{s:s, s:s%, s:I, s:I, s:I}", "service",
			 service_name(server, object->service), "url", key.at, key.len, "hits",
			 (json_int_t)object->hits, "bytes", (json_int_t)object->body.len, "ttl_s",
			 (json_int_t)((int64_t)(object->fresh_until_ms - now) / 1000));
	if (json && object->is_mark)
		(void)json_object_set_new(json, "why",
					  json_string(reason_text((enum reason)object->why)));
	else if (json)
		(void)json_object_set_new(json, "status", json_integer(object->status));
	return json;
}

struct hot {
	struct object *best[HOT_MAX]; /* most hits first, each with a reference */
	unsigned int count, limit;
};

static void take_hot(struct object *object, void *arg)
{
	struct hot *hot = arg;
	unsigned int at = hot->count;

	if (object->is_mark)
		return;
	while (at > 0 && hot->best[at - 1]->hits < object->hits)
		at--;
	if (at == hot->limit)
		return;
	if (hot->count == hot->limit)
		object_unref(hot->best[--hot->count]);
	memmove(hot->best + at + 1, hot->best + at, (hot->count - at) * sizeof(hot->best[0]));
	hot->best[at] = object_ref(object);
	hot->count++;
}

static json_t *list_hot(const struct server *server, const char *text)
{
	struct hot *hot = calloc(1, sizeof(*hot));
	json_t *array = json_array();
	int limit = atoi(text);

	if (!hot)
		return NULL;
	hot->limit = limit > 0 && limit <= HOT_MAX ? (unsigned int)limit : 20;
	store_walk(server->store, take_hot, hot);
	for (unsigned int i = 0; i < hot->count; i++) {
		(void)json_array_append_new(array, object_json(server, hot->best[i]));
		object_unref(hot->best[i]);
	}
	free(hot);
	return json_pack("{s:o}", "pages", array);
}

/* ---- by URL --------------------------------------------------------------------------------- */

/* "http://host/path" or "https://…", which is also how keys look. False: it is none. */
static bool split_url(const char *url, struct text *scheme, struct text *host, struct text *target)
{
	const char *begin = strstr(url, "://"), *slash;

	if (strncmp(url, "http://", strlen("http://")) &&
	    strncmp(url, "https://", strlen("https://")))
		return false;
	*scheme = (struct text){ url, (size_t)(begin - url) };
	begin += strlen("://");
	slash = strchr(begin, '/');
	if (!slash || slash == begin)
		return false;
	*host = (struct text){ begin, (size_t)(slash - begin) };
	*target = (struct text){ slash, strlen(slash) };
	return target->len <= HTTP_TARGET_MAX && host->len < 1024;
}

struct search {
	const struct server *server;
	uint32_t service;
	struct text key;
	json_t *array;
};

static void take_same_key(struct object *object, void *arg)
{
	struct search *search = arg;

	if (object->service == search->service &&
	    text_is_same(object_text(object, object->key), search->key))
		(void)json_array_append_new(search->array, object_json(search->server, object));
}

static json_t *refuse(const char *why)
{
	return json_pack("{s:s}", "error", why);
}

static json_t *why(const struct server *server, const char *url)
{
	struct search search = { .server = server, .array = json_array() };
	json_t *notes = json_array();
	struct text scheme, host, target;
	char key[KEY_MAX];

	if (!split_url(url, &scheme, &host, &target)) {
		json_decref(search.array);
		json_decref(notes);
		return refuse("this is no URL, expected as http://host/path or https://host/path");
	}
	for (unsigned int i = 0; i < server->service_count; i++) {
		const struct service *service = &server->services[i];
		const struct policy *policy = rules_find(service->rules, target);

		if (policy->is_pass)
			(void)json_array_append_new(notes, json_string(reason_text(WHY_POLICY)));
		search.service = service->number;
		search.key.at = key;
		search.key.len = key_make(scheme, host, target, policy, key);
		store_walk(server->store, take_same_key, &search);
	}
	if (!json_array_size(search.array) && !json_array_size(notes))
		(void)json_array_append_new(
			notes, json_string("nothing is known of it: nobody asked for it, or it was "
					   "purged or evicted"));
	return json_pack("{s:o, s:o}", "pages", search.array, "notes", notes);
}

/* ---- purge ---------------------------------------------------------------------------------- */

static bool has_prefix(const struct object *object, const void *arg)
{
	const struct text *prefix = arg;
	struct text key = object_text(object, object->key);

	return key.len >= prefix->len && !memcmp(key.at, prefix->at, prefix->len);
}

static bool begins_with(const struct fill *fill, const void *arg)
{
	const struct text *prefix = arg, key = fill->request->key;

	return key.len >= prefix->len && !memcmp(key.at, prefix->at, prefix->len);
}

static bool has_tag(const struct object *object, const void *arg)
{
	return object_has_tag(object, *(const struct text *)arg);
}

/* Of the second tier nobody can list prefixes and tags: without a service all that it holds. */
static int purge_second(const struct server *server, const char *service, struct text key)
{
	const union address *redis = server->redis;

	return redis ? second_purge(redis, service, key) : 0;
}

struct purged {
	unsigned int stored, under_way;
	int second; /* of the second tier: 0 or a negative errno */
};

/*
 * The second tier is purged before the memory, or a page would come back from there; and what was
 * begun meanwhile may have asked it before.
 */
static void purge_url(struct server *server, struct text scheme, struct text host,
		      struct text target, uint64_t stale_ms, struct purged *out)
{
	char key[KEY_MAX];

	for (unsigned int i = 0; i < server->service_count; i++) {
		const struct service *service = &server->services[i];
		const struct text page = {
			key,
			key_make(scheme, host, target, rules_find(service->rules, target), key),
		};
		const uint64_t hash =
			key_hash(key, page.len, service->number, store_seed(server->store));

		out->under_way += fill_outdate_key(server->fills, service->number, hash, page);
		if (!out->second)
			out->second = purge_second(server, service->name, page);
		(void)fill_outdate_key(server->fills, service->number, hash, page);
		out->stored +=
			store_purge_key(server->store, service->number, hash, page, stale_ms);
	}
}

/* Prefixes and tags. is_under_way NULL: all that is under way. */
static void purge_all(struct server *server, fill_test is_under_way, store_test is_stored,
		      const struct text *text, uint64_t stale_ms, struct purged *out)
{
	out->under_way = fill_outdate(server->fills, is_under_way, text);
	out->second = purge_second(server, NULL, TEXT_NONE);
	(void)fill_outdate(server->fills, is_under_way, text);
	out->stored = store_purge_if(server->store, is_stored, text, stale_ms);
}

/* words: "hard url http://…" */
static json_t *purge(struct server *server, char *words)
{
	char *rest, *how = strtok_r(words, " ", &rest), *what = strtok_r(NULL, " ", &rest);
	uint64_t stale_ms = how && !strcmp(how, "soft") ? now_ms(server) : 0;
	static const struct policy plain;
	struct text text, scheme, host, target;
	struct purged out = { 0 };
	char key[KEY_MAX];
	json_t *json;

	if (!how || !what || !*rest)
		return refuse("purge: expected hard|soft url|prefix|tag TEXT");
	text = (struct text){ rest, strlen(rest) };
	if (!strcmp(what, "tag")) { /* which tags a page will have is not known on its way */
		purge_all(server, NULL, has_tag, &text, stale_ms, &out);
	} else if (!split_url(rest, &scheme, &host, &target)) {
		return refuse("this is no URL, expected as http://host/path or https://host/path");
	} else if (!strcmp(what, "prefix")) {
		text = (struct text){ key, key_make(scheme, host, target, &plain, key) };
		purge_all(server, begins_with, has_prefix, &text, stale_ms, &out);
	} else {
		purge_url(server, scheme, host, target, stale_ms, &out);
	}
	json = json_pack("{s:i, s:i}", "purged", (int)out.stored, "under_way", (int)out.under_way);
	if (json && server->redis)
		(void)json_object_set_new(json, "second_tier_purged", json_boolean(!out.second));
	return json;
}

/* ---- the socket ----------------------------------------------------------------------------- */

static json_t *answer(struct server *server, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (!strcmp(line, "status"))
		return status_json(server);
	if (!strcmp(line, "hot"))
		return list_hot(server, rest);
	if (!strcmp(line, "why"))
		return why(server, rest);
	if (!strcmp(line, "purge"))
		return purge(server, rest);
	return refuse("unknown request");
}

/* False: it is served no more. */
static bool serve(struct server *server, int fd)
{
	const struct timeval limit = { .tv_sec = 2 };
	char line[LINE_MAX_SIZE];
	size_t len = 0;
	ssize_t ret;
	json_t *json;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	do {
		ret = recv(fd, line + len, sizeof(line) - 1 - len, 0);
		if (ret <= 0)
			return true;
		len += (size_t)ret;
	} while (line[len - 1] != '\n' && len < sizeof(line) - 1);
	line[len - 1] = '\0';
	if (!strcmp(line, "handover"))
		return !handover_give(server, fd);
	json = answer(server, line);
	if (!json)
		return true;
	(void)json_dumpfd(json, fd, JSON_COMPACT);
	json_decref(json);
	return true;
}

static void *run(void *arg)
{
	struct control *control = arg;

	for (;;) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			if (!serve(control->server, fd)) {
				(void)close(control->fd); /* before the other one hears of it */
				metrics_stop();
				handover_drain(control->server, fd);
				return NULL;
			}
			(void)close(fd);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			(void)usleep(100000); /* out of descriptors, perhaps */
		}
	}
	return NULL;
}

/* A socket that a killed process left is replaced, a living one's is not. */
static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;
	mode_t mask;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path)) {
		(void)close(fd);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		(void)close(fd);
		return -EADDRINUSE;
	}
	(void)unlink(path);
	mask = umask(0177);
	ret = bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16) ? -errno : 0;
	(void)umask(mask);
	if (ret) {
		(void)close(fd);
		return ret;
	}
	return fd;
}

int control_start(struct server *server, const char *path)
{
	struct control *control = calloc(1, sizeof(*control));
	pthread_t thread;
	int ret;

	if (!control)
		return -ENOMEM;
	control->server = server;
	json_object_seed(0); /* now: later no file can be opened for it */
	control->fd = open_socket(path);
	ret = control->fd < 0 ? control->fd : -pthread_create(&thread, NULL, run, control);
	if (ret) {
		free(control);
		return ret;
	}
	return -pthread_detach(thread);
}
