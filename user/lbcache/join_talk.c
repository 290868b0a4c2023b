// SPDX-License-Identifier: GPL-2.0-only
/* One message between lbcache and its keeper. Knows nothing of what they say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "join.h"

#define MESSAGE_MAX (64u << 20)

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t ret = send(fd, data, len, MSG_NOSIGNAL);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return -errno;
		data += ret;
		len -= (size_t)ret;
	}
	return 0;
}

static int receive_all(int fd, char *data, size_t len)
{
	while (len) {
		ssize_t ret = recv(fd, data, len, 0);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return ret ? -errno : -EPIPE;
		data += ret;
		len -= (size_t)ret;
	}
	return 0;
}

int join_send(int fd, const struct join_message *message, const void *data, const int *fds,
	      unsigned int fd_count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(JOIN_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *part;
	ssize_t ret;

	if (fd_count) {
		head.msg_control = control.bytes;
		head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		part = CMSG_FIRSTHDR(&head);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(part), fds, fd_count * sizeof(int));
	}
	do
		ret = sendmsg(fd, &head, MSG_NOSIGNAL);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	/* So short a beginning is not cut. */
	return (size_t)ret == sizeof(*message) ? send_all(fd, data, message->length) : -EIO;
}

static void take_fds(struct msghdr *head, int *fds, unsigned int *fd_count)
{
	*fd_count = 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(head); part; part = CMSG_NXTHDR(head, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (unsigned int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(part), *fd_count * sizeof(int));
	}
}

int join_receive(int fd, struct join_message *message, void **data, int *fds,
		 unsigned int *fd_count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(JOIN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = message, .iov_len = sizeof(*message) };
	struct msghdr head = { .msg_iov = &iov,
			       .msg_iovlen = 1,
			       .msg_control = control.bytes,
			       .msg_controllen = sizeof(control.bytes) };
	char *bytes = NULL;
	ssize_t ret;
	int err;

	do
		ret = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
	while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return ret ? -errno : -EPIPE;
	take_fds(&head, fds, fd_count);
	err = receive_all(fd, (char *)message + ret, sizeof(*message) - (size_t)ret);
	if (!err && message->length > MESSAGE_MAX)
		err = -EMSGSIZE;
	if (!err && message->length) {
		bytes = malloc(message->length);
		err = bytes ? receive_all(fd, bytes, message->length) : -ENOMEM;
	}
	if (err) {
		free(bytes);
		return err;
	}
	*data = bytes;
	return 0;
}
