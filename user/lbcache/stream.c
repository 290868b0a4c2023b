// SPDX-License-Identifier: GPL-2.0-only
/* TLS behind the face of a socket that does not block. */
#include "stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define RECORD 16384 /* bytes of one record at most, RFC 8446 5.1 */

/* What OpenSSL says after a call, as a socket's answer. */
static ssize_t answer(struct watch *watch, int ret)
{
	const int error = errno;

	switch (SSL_get_error(watch->tls, ret)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_SYSCALL:
		errno = error ? error : ECONNRESET;
		return -1;
	default: /* an end without a word of farewell also: what came may be cut */
		errno = ECONNRESET;
		return -1;
	}
}

ssize_t stream_read_tls(struct watch *watch, void *buf, size_t len)
{
	size_t got = 0, part;

	while (got < len) {
		int ret;

		ERR_clear_error();
		errno = 0;
		ret = SSL_read_ex(watch->tls, (char *)buf + got, len - got, &part);
		/* An end shows again in the next call. */
		if (ret <= 0)
			return got ? (ssize_t)got : answer(watch, ret);
		got += part;
	}
	return (ssize_t)got;
}

/* The next record's bytes: where they lie if they do so together, else gathered. */
static struct iovec next_record(const struct iovec *iov, size_t count, size_t skip)
{
	static __thread char buf[RECORD];
	struct iovec out = { buf, 0 };

	while (count && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		count--;
	}
	if (count && (iov->iov_len - skip >= RECORD || count == 1))
		return (struct iovec){ (char *)iov->iov_base + skip, iov->iov_len - skip < RECORD
									     ? iov->iov_len - skip
									     : RECORD };
	for (; count && out.iov_len < RECORD; iov++, count--, skip = 0) {
		size_t part = iov->iov_len - skip;

		if (part > RECORD - out.iov_len)
			part = RECORD - out.iov_len;
		memcpy(buf + out.iov_len, (char *)iov->iov_base + skip, part);
		out.iov_len += part;
	}
	return out;
}

ssize_t stream_send_tls(struct watch *watch, const struct iovec *iov, size_t count)
{
	size_t sent = 0, part;

	for (;;) {
		const struct iovec record = next_record(iov, count, sent);
		int ret;

		if (!record.iov_len)
			return (ssize_t)sent;
		ERR_clear_error();
		errno = 0;
		ret = SSL_write_ex(watch->tls, record.iov_base, record.iov_len, &part);
		if (ret <= 0)
			return sent ? (ssize_t)sent : answer(watch, ret);
		sent += part;
	}
}

int stream_shake(struct watch *watch)
{
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(watch->tls);
	if (ret == 1)
		return 1;
	return answer(watch, ret) < 0 && errno == EAGAIN ? 0 : -1;
}

void stream_end(struct watch *watch)
{
	if (watch->tls && SSL_is_init_finished(watch->tls)) {
		ERR_clear_error();
		(void)SSL_shutdown(watch->tls);
	}
	(void)shutdown(watch->fd, SHUT_WR);
}

void stream_break(struct watch *watch)
{
	(void)shutdown(watch->fd, SHUT_RDWR);
}

int stream_connect(const union address *address)
{
	const int one = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &address->any, address_size(address)) && errno != EINPROGRESS) {
		int ret = -errno;

		(void)close(fd);
		return ret;
	}
	return fd;
}
