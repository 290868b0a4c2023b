// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing over, both sides. Pages go as they are in memory, so only between processes of the same
 * build; others start with an empty memory. Monotonic times mean the same to both.
 */
#include "handover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "join.h"
#include "worker.h"

#include "liblb.h"

#define REQUEST "handover\n"
#define PATIENCE_S 30 /* until the other side must have done its part */
#define BUILD_SIZE 32

/* What comes first. */
struct greeting {
	char build[BUILD_SIZE];
	uint32_t object_size, page_size, listeners;
};

/* Before each page; the last one has no length. */
struct page {
	char service[NAME_SIZE];
	union address listen;
	uint64_t len; /* of struct object and its bytes */
};

static struct greeting greeting_of(uint32_t listeners)
{
	struct greeting greeting = { .object_size = sizeof(struct object),
				     .page_size = sizeof(struct page),
				     .listeners = listeners };

	(void)snprintf(greeting.build, BUILD_SIZE, "%s", LB_VERSION);
	return greeting;
}

static void be_patient(int fd)
{
	const struct timeval limit = { .tv_sec = PATIENCE_S };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int send_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t ret = send(fd, at, len, MSG_NOSIGNAL);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return ret < 0 ? -errno : -EPIPE;
		at += ret;
		len -= (size_t)ret;
	}
	return 0;
}

static int receive_all(int fd, void *bytes, size_t len)
{
	char *at = bytes;

	while (len) {
		ssize_t ret = recv(fd, at, len, 0);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return ret < 0 ? -errno : -EPIPE;
		at += ret;
		len -= (size_t)ret;
	}
	return 0;
}

/* Beside the datapath the keeper has not told of any yet. */
static struct service *find_service(struct server *server, const char *name,
				    const union address *listen)
{
	if (server->is_joined)
		return *name ? join_place(server, name, listen) : NULL;
	for (unsigned int i = 0; i < server->service_count; i++) {
		if (!strncmp(server->services[i].name, name, NAME_SIZE))
			return &server->services[i];
	}
	return NULL;
}

/* ---- the old one ---------------------------------------------------------------------------- */

static void name_service(const struct server *server, uint32_t number, struct page *page)
{
	for (unsigned int i = 0; i < server->service_count; i++) {
		if (server->services[i].number == number) {
			memcpy(page->service, server->services[i].name, NAME_SIZE);
			page->listen = server->services[i].listen;
		}
	}
}

static int send_page(const struct server *server, int fd, const struct object *object)
{
	struct page page = { .len = object_length(object) };
	int ret;

	name_service(server, object->service, &page);
	ret = send_all(fd, &page, sizeof(page));
	return ret ? ret : send_all(fd, object, page.len);
}

static int send_pages(const struct server *server, int fd)
{
	const struct page end = { 0 };
	struct object **list = NULL;
	size_t count = 0;
	int ret = store_list(server->store, &list, &count);

	for (size_t i = 0; i < count; i++) {
		if (!ret)
			ret = send_page(server, fd, list[i]);
		object_unref(list[i]);
	}
	free(list);
	return ret ? ret : send_all(fd, &end, sizeof(end));
}

/* One descriptor with the address that it listens at. */
static int send_listener(int fd, const union address *address, int listener)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)address, sizeof(*address) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &listener, sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof(*address) ? 0 : -EPIPE;
}

/* Beside the datapath they are nobody's in particular: the address says the family. */
static int send_joined(int fd, const int *listeners, unsigned int count, bool has_v6)
{
	int ret = 0;

	for (unsigned int i = 0; i < count && !ret; i++) {
		const union address address = { .any.sa_family =
							has_v6 && i % 2 ? AF_INET6 : AF_INET };

		ret = send_listener(fd, &address, listeners[i]);
	}
	return ret;
}

bool handover_give(struct server *server, int fd)
{
	struct greeting greeting;
	unsigned int listeners = 0;
	const int *joined;
	bool has_v6;
	char word;
	int ret;

	be_patient(fd);
	handover_news_begin();
	joined = join_sockets(&listeners, &has_v6);
	for (unsigned int i = 0; i < server->service_count; i++)
		listeners += server->services[i].listener_count;
	greeting = greeting_of(listeners);
	ret = send_all(fd, &greeting, sizeof(greeting));
	if (!ret)
		ret = send_pages(server, fd);
	if (!ret && server->is_joined)
		ret = send_joined(fd, joined, listeners, has_v6);
	for (unsigned int i = 0; i < server->service_count; i++) {
		const struct service *service = &server->services[i];

		for (unsigned int n = 0; n < service->listener_count && !ret; n++)
			ret = send_listener(fd, &service->listen, service->listeners[n]);
	}
	if (!ret && !receive_all(fd, &word, 1))
		return true;
	handover_news_end();
	return false;
}

void handover_drain(struct server *server, int fd)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct counters sum;

	__atomic_store_n(&server->is_draining, true, __ATOMIC_RELAXED);
	(void)send_all(fd, "\n", 1);
	for (unsigned int i = 0; i < server->worker_count; i++)
		worker_wake(server->workers[i]);
	for (unsigned int i = 0; i < 10 * PATIENCE_S; i++) {
		handover_news_send(fd);
		(void)nanosleep(&pause, NULL);
		server_sum(server, &sum);
		if (sum.active == 0)
			break;
	}
	handover_news_send(fd);
	(void)pthread_kill(server->main_thread, SIGTERM);
}

/* ---- the new one ---------------------------------------------------------------------------- */

/* Into the store, unless no service has its name any more. */
static int take_page(struct server *server, int fd, const struct page *page)
{
	struct service *service = find_service(server, page->service, &page->listen);
	struct object *object = malloc(page->len);
	int ret = object ? receive_all(fd, object, page->len) : -ENOMEM;
	struct text key;

	if (ret || !service) {
		free(object);
		return ret;
	}
	object_adopt(object, service->number);
	key = object_text(object, object->key);
	object->hash = key_hash(key.at, key.len, service->number, store_seed(server->store));
	(void)store_put(server->store, object);
	return 0;
}

static int take_pages(struct server *server, int fd)
{
	struct page page;
	int ret;

	for (;;) {
		ret = receive_all(fd, &page, sizeof(page));
		if (ret || !page.len)
			return ret;
		ret = take_page(server, fd, &page);
		if (ret)
			return ret;
	}
}

static int take_listener(struct server *server, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	union address address;
	struct iovec iov = { &address, sizeof(address) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *head;
	int listener;

	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof(address))
		return -EPIPE;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&listener, CMSG_DATA(head), sizeof(int));
	if (server->is_joined) {
		join_adopt(listener, address.any.sa_family == AF_INET6);
		return 0;
	}
	for (unsigned int i = 0; i < server->service_count; i++) {
		struct service *service = &server->services[i];

		if (address_is_same(&service->listen, &address) &&
		    service->listener_count < WORKERS_MAX) {
			service->listeners[service->listener_count++] = listener;
			return 0;
		}
	}
	(void)close(listener);
	return 0;
}

static int take_all(struct server *server, int fd)
{
	struct greeting greeting, own = greeting_of(0);
	int ret = send_all(fd, REQUEST, strlen(REQUEST));

	if (!ret)
		ret = receive_all(fd, &greeting, sizeof(greeting));
	if (ret)
		return ret;
	if (strncmp(greeting.build, own.build, BUILD_SIZE) ||
	    greeting.object_size != own.object_size || greeting.page_size != own.page_size)
		return -EPROTO;
	ret = take_pages(server, fd);
	for (uint32_t i = 0; i < greeting.listeners && !ret; i++)
		ret = take_listener(server, fd);
	return ret;
}

int handover_take(struct server *server, const char *path, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	*out = -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
		(void)close(fd);
		return ret;
	}
	be_patient(fd);
	ret = take_all(server, fd);
	if (ret) {
		(void)close(fd);
		return ret;
	}
	*out = fd;
	return 0;
}

int handover_end(struct server *server, int fd)
{
	char word;
	int ret = send_all(fd, "\n", 1);

	/* Once it has let go of its control socket, unless it has ended already. */
	if (!ret)
		ret = receive_all(fd, &word, 1);
	if (!ret)
		ret = handover_listen(server, fd);
	if (ret)
		(void)close(fd);
	return ret == -EPIPE ? 0 : ret;
}
