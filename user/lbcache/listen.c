// SPDX-License-Identifier: GPL-2.0-only
/* See listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "worker.h"

static int refuse(const char *what, int ret)
{
	(void)fprintf(stderr, "lbcache: %s: %s\n", what, strerror(-ret));
	return ret;
}

/* A socket of a group that the kernel spreads connections over, one for each thread. */
static int open_listener(const union address *address)
{
	const int one = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (address->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &address->any, address_size(address)) || listen(fd, 4096)) {
		int ret = -errno;

		(void)close(fd);
		return ret;
	}
	return fd;
}

static int check_inherited(int fd)
{
	if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0)
		return 0;
	(void)fprintf(stderr,
		      "lbcache: --listen systemd: descriptor %d is no listening TCP socket; "
		      "the .socket unit needs ListenStream=ADDR:PORT and Accept=no\n",
		      fd);
	return -EINVAL;
}

/* Each thread has a descriptor of its own for every socket: one closes it when it lets go. */
static int spread_inherited(const struct server *server, struct service *service, int fd)
{
	for (unsigned int i = 0; i < server->worker_count; i++) {
		int own = i ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : fd;

		if (own < 0)
			return refuse("--listen systemd", -errno);
		service->listeners[service->listener_count++] = own;
	}
	return 0;
}

int listen_inherit(struct server *server, struct service *service)
{
	const int count = sd_listen_fds(1), first = SD_LISTEN_FDS_START;
	socklen_t size = sizeof(service->listen);
	int ret = 0;

	if (count <= 0) {
		(void)fprintf(stderr, "lbcache: --listen systemd: systemd passed no socket; start "
				      "it by a .socket unit, or name ADDR:PORT\n");
		return -EINVAL;
	}
	if ((unsigned int)count * server->worker_count > WORKERS_MAX) {
		(void)fprintf(stderr,
			      "lbcache: --listen systemd: %d sockets for %u threads are too many; "
			      "fewer --threads help\n",
			      count, server->worker_count);
		return -EINVAL;
	}
	for (int fd = first; !ret && fd < first + count; fd++) {
		ret = check_inherited(fd);
		if (!ret && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
			ret = refuse("--listen systemd", -errno);
		if (!ret)
			ret = spread_inherited(server, service, fd);
	}
	if (!ret && getsockname(first, &service->listen.any, &size))
		ret = refuse("--listen systemd", -errno);
	return ret;
}

int listen_all(struct server *server)
{
	for (unsigned int i = 0; i < server->service_count; i++) {
		struct service *service = &server->services[i];
		char text[ADDRESS_TEXT_SIZE];

		/* Some may have been taken over. */
		while (service->listener_count < server->worker_count) {
			int fd = open_listener(&service->listen);

			if (fd < 0)
				return refuse(address_format(&service->listen, text), fd);
			service->listeners[service->listener_count++] = fd;
		}
		for (unsigned int n = 0; n < service->listener_count; n++) {
			struct worker *worker = server->workers[n % server->worker_count];

			if (worker_listen(worker, service, service->listeners[n]))
				return refuse("listening", -ENOMEM);
		}
	}
	return 0;
}
