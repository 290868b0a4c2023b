/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes from and to a watched socket, in clear or in TLS. All answer as the socket does: -1 with
 * EAGAIN where more must wait for an event. In TLS any event may be the one.
 */
#ifndef LBCACHE_STREAM_H
#define LBCACHE_STREAM_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "worker.h"

ssize_t stream_read_tls(struct watch *watch, void *buf, size_t len);
ssize_t stream_send_tls(struct watch *watch, const struct iovec *iov, size_t count);

/* As recv(). Fewer bytes than len: no more are there now. */
static inline ssize_t stream_read(struct watch *watch, void *buf, size_t len)
{
	return watch->tls ? stream_read_tls(watch, buf, len) : recv(watch->fd, buf, len, 0);
}

/*
 * As sendmsg(). What did not go out must come again, at the same place in front of whatever else:
 * in TLS it may be half out.
 */
static inline ssize_t stream_send(struct watch *watch, struct iovec *iov, size_t count)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = count };

	return watch->tls ? stream_send_tls(watch, iov, count)
			  : sendmsg(watch->fd, &message, MSG_NOSIGNAL);
}

static inline ssize_t stream_send_one(struct watch *watch, const void *at, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)at, len };

	return stream_send(watch, &iov, 1);
}

/* A socket on its way to an address; -errno. */
int stream_connect(const union address *address);
/* The handshake goes on: 1 it is done, 0 later, -1 it has failed. */
int stream_shake(struct watch *watch);
/* Says that no more will be sent. */
void stream_end(struct watch *watch);
/* Of both directions, at once; nothing that follows gets through. */
void stream_break(struct watch *watch);

#endif
