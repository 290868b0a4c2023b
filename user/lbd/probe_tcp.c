// SPDX-License-Identifier: GPL-2.0-only
/* Check tcp: connects; if there is something to send or to expect, also talks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lbd.h"

#define ANSWER_MAX 4096u

enum stage {
	CONNECTING,
	TALKING,
};

struct answer {
	size_t length;
	char text[ANSWER_MAX];
};

static void talk(struct target *target)
{
	const struct lb_health_config *config = &target->check->config;
	const size_t length = strlen(config->send);

	if (!length && !config->expect[0]) {
		probe_done(target, LB_C_OK, 0);
		return;
	}
	target->stage = TALKING;
	target->own = calloc(1, sizeof(struct answer));
	if (!target->own)
		probe_done(target, LB_C_LOCAL, ENOMEM);
	/* A new connection's buffer takes 255 bytes. */
	else if (length && send(target->watch.fd, config->send, length, MSG_NOSIGNAL) < 0)
		probe_failed(target, errno);
	else if (watch_set(&target->watch, target->watch.fd, EPOLLIN))
		probe_done(target, LB_C_LOCAL, EIO);
}

static void listen_on(struct target *target)
{
	struct answer *answer = target->own;
	ssize_t got = recv(target->watch.fd, answer->text + answer->length,
			   ANSWER_MAX - answer->length, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		probe_failed(target, errno);
		return;
	}
	answer->length += (size_t)got;
	if (answer->length && probe_matches(target, answer->text, answer->length))
		probe_done(target, LB_C_OK, 0);
	else if (got == 0)
		probe_done(target, answer->length ? LB_C_MISMATCH : LB_C_CLOSED, 0);
	else if (answer->length == ANSWER_MAX)
		probe_done(target, LB_C_MISMATCH, 0);
}

static void ready(struct watch *watch, unsigned int events)
{
	struct target *target = CONTAINER_OF(watch, struct target, watch);
	socklen_t size = sizeof(int);
	int error = 0;

	if (target->stage == TALKING) {
		listen_on(target);
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP) &&
	    getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error)
		probe_failed(target, error);
	else
		talk(target);
}

static void start(struct target *target)
{
	int fd = probe_socket(target, SOCK_STREAM);

	if (fd < 0) {
		probe_failed(target, -fd);
		return;
	}
	target->watch.ready = ready;
	if (watch_set(&target->watch, fd, EPOLLOUT))
		probe_done(target, LB_C_LOCAL, EIO);
}

/* By a reset: thousands of checks must not leave thousands of sockets in TIME_WAIT. */
static void end(struct target *target)
{
	const struct linger at_once = { .l_onoff = 1 };

	/* Those that go through the datapath have been told when they were bound. */
	if (target->watch.fd >= 0 && !through_is_used(target))
		(void)setsockopt(target->watch.fd, SOL_SOCKET, SO_LINGER, &at_once,
				 sizeof(at_once));
	watch_end(&target->watch);
	free(target->own);
	target->own = NULL;
}

static __u8 late(const struct target *target)
{
	return target->stage == CONNECTING ? LB_C_CONNECT_TIMEOUT : LB_C_ANSWER_TIMEOUT;
}

const struct probe probe_tcp = { start, end, late };
