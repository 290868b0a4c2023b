// SPDX-License-Identifier: GPL-2.0-only
/*
 * The listening sockets beside the datapath, on the loopback address that it steers connections to:
 * one a thread and family, opened here or taken over from another process.
 */
#include "join.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

static struct {
	unsigned int threads;
	bool has_v6;
	int own[JOIN_FDS_MAX];	 /* IPv4 and IPv6 in turn */
	int extra[JOIN_FDS_MAX]; /* of another process that had more threads */
	unsigned int extra_count, adopted[2];
} sockets;

static int open_listener(int family)
{
	union address address = { .v4 = { .sin_family = AF_INET } };
	const int one = 1;
	int fd;

	address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (family == AF_INET6)
		address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &address.any, address_size(&address)) || listen(fd, 4096)) {
		int ret = -errno;

		(void)close(fd);
		return ret;
	}
	return fd;
}

static unsigned int families(void)
{
	return sockets.has_v6 ? 2 : 1;
}

/* A host may have no IPv6 at all; its services then have none either. */
int join_open(unsigned int threads)
{
	int fd = open_listener(AF_INET6);

	sockets.threads = threads;
	sockets.has_v6 = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
	for (unsigned int i = 0; i < threads * families(); i++) {
		fd = open_listener(i % families() ? AF_INET6 : AF_INET);
		if (fd < 0)
			return fd;
		sockets.own[i] = fd;
	}
	return 0;
}

void join_close(void)
{
	for (unsigned int i = 0; i < sockets.threads * families(); i++)
		(void)close(sockets.own[i]);
}

const int *join_sockets(unsigned int *count, bool *has_v6)
{
	*count = sockets.threads * families();
	*has_v6 = sockets.has_v6;
	return sockets.own;
}

void join_adopt(int fd, bool is_v6)
{
	const unsigned int thread = sockets.adopted[is_v6]++;

	if (thread < sockets.threads && (!is_v6 || sockets.has_v6)) {
		int *own = &sockets.own[thread * families() + is_v6];

		(void)close(*own);
		*own = fd;
	} else if (sockets.extra_count < JOIN_FDS_MAX) {
		/* Nobody new comes there, but some may wait. */
		sockets.extra[sockets.extra_count++] = fd;
	} else {
		(void)close(fd);
	}
}

int join_listen(struct server *server)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < sockets.threads * families(); i++)
		ret = worker_listen(server->workers[i / families()], NULL, sockets.own[i]);
	for (unsigned int i = 0; !ret && i < sockets.extra_count; i++)
		ret = worker_listen(server->workers[i % server->worker_count], NULL,
				    sockets.extra[i]);
	return ret;
}
