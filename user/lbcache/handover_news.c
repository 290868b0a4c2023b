// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes outdated at the old process once its pages have gone over: each key is told to the
 * new one on the connection of the handover, which stays until the old one ends. Nobody waits for
 * that: what the connection does not take at once waits here.
 */
#include "handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fill.h"

#define NEWS_MAX (16u << 20) /* bytes that wait; who loses more has far too many */

/* The key follows. */
struct news {
	char service[NAME_SIZE];
	uint64_t len;
};

/* ---- the old one ---------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	_Atomic bool is_open; /* pages go over, or have gone */
	int fd;		      /* -1: they still do */
	char *bytes;
	size_t len, at, limit;
} outbox = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

void handover_news_begin(void)
{
	__atomic_store_n(&outbox.is_open, true, __ATOMIC_SEQ_CST);
}

static void send_locked(void)
{
	while (outbox.fd >= 0 && outbox.at < outbox.len) {
		ssize_t ret = send(outbox.fd, outbox.bytes + outbox.at, outbox.len - outbox.at,
				   MSG_DONTWAIT | MSG_NOSIGNAL);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return;
		outbox.at += (size_t)ret;
	}
	outbox.len = outbox.at = 0;
}

void handover_news_send(int fd)
{
	(void)pthread_mutex_lock(&outbox.lock);
	outbox.fd = fd;
	send_locked();
	(void)pthread_mutex_unlock(&outbox.lock);
}

void handover_news_end(void)
{
	(void)pthread_mutex_lock(&outbox.lock);
	__atomic_store_n(&outbox.is_open, false, __ATOMIC_SEQ_CST);
	free(outbox.bytes);
	outbox.bytes = NULL;
	outbox.len = outbox.at = outbox.limit = 0;
	outbox.fd = -1;
	(void)pthread_mutex_unlock(&outbox.lock);
}

static bool has_room_locked(size_t len)
{
	const size_t limit = outbox.len + len + 4096;
	char *grown;

	if (outbox.len + len <= outbox.limit)
		return true;
	grown = limit <= NEWS_MAX ? realloc(outbox.bytes, limit) : NULL;
	if (!grown)
		return false;
	outbox.bytes = grown;
	outbox.limit = limit;
	return true;
}

void handover_tell(const struct service *service, struct text key)
{
	struct news news = { .len = key.len };

	if (!__atomic_load_n(&outbox.is_open, __ATOMIC_SEQ_CST))
		return;
	memcpy(news.service, service->name, NAME_SIZE);
	(void)pthread_mutex_lock(&outbox.lock);
	if (outbox.is_open && has_room_locked(sizeof(news) + key.len)) {
		memcpy(outbox.bytes + outbox.len, &news, sizeof(news));
		memcpy(outbox.bytes + outbox.len + sizeof(news), key.at, key.len);
		outbox.len += sizeof(news) + key.len;
		send_locked();
	}
	(void)pthread_mutex_unlock(&outbox.lock);
}

/* ---- the new one ---------------------------------------------------------------------------- */

struct listening {
	struct server *server;
	int fd;
};

static void outdate(const struct server *server, const char *name, struct text key)
{
	const unsigned int count = __atomic_load_n(&server->service_count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		const struct service *service = &server->services[i];
		const uint64_t hash =
			key_hash(key.at, key.len, service->number, store_seed(server->store));

		if (strncmp(service->name, name, NAME_SIZE))
			continue;
		(void)fill_outdate_key(server->fills, service->number, hash, key);
		(void)store_purge_key(server->store, service->number, hash, key, 0);
	}
}

static bool receive(int fd, void *bytes, size_t len)
{
	ssize_t ret;

	do
		ret = recv(fd, bytes, len, MSG_WAITALL);
	while (ret < 0 && errno == EINTR);
	return ret == (ssize_t)len;
}

static void *run(void *arg)
{
	struct listening *listening = arg;
	char key[KEY_MAX];
	struct news news;

	while (receive(listening->fd, &news, sizeof(news)) && news.len && news.len <= KEY_MAX &&
	       receive(listening->fd, key, news.len))
		outdate(listening->server, news.service, (struct text){ key, news.len });
	(void)close(listening->fd);
	free(listening);
	return NULL;
}

int handover_listen(struct server *server, int fd)
{
	const struct timeval no_limit = { 0 };
	struct listening *listening = malloc(sizeof(*listening));
	pthread_t thread;
	int ret;

	if (!listening)
		return -ENOMEM;
	*listening = (struct listening){ server, fd };
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &no_limit, sizeof(no_limit));
	ret = -pthread_create(&thread, NULL, run, listening);
	if (ret) {
		free(listening);
		return ret;
	}
	return -pthread_detach(thread);
}
