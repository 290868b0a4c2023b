// SPDX-License-Identifier: GPL-2.0-only
/* Checks udp and dns: one datagram is sent, the right one must come back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dns.h"
#include "lbd.h"

#define ANSWER_MAX 4096

struct question {
	size_t length;
	uint8_t text[DNS_QUERY_MAX];
};

static void judge_dns(struct target *target, const uint8_t *answer, size_t length)
{
	const struct question *question = target->own;
	uint16_t code;

	switch (dns_answer(question->text, question->length, answer, length, &code)) {
	case DNS_GOOD:
		probe_done(target, LB_C_OK, 0);
		break;
	case DNS_ERROR:
		probe_done(target, LB_C_DNS_CODE, code);
		break;
	case DNS_EMPTY:
		probe_done(target, LB_C_DNS_EMPTY, 0);
		break;
	case DNS_OTHER:
		break; /* late, of an earlier check */
	case DNS_MALFORMED:
		probe_done(target, LB_C_MALFORMED, 0);
		break;
	}
}

static void ready(struct watch *watch, unsigned int events)
{
	struct target *target = CONTAINER_OF(watch, struct target, watch);
	uint8_t answer[ANSWER_MAX];
	ssize_t got = recv(watch->fd, answer, sizeof(answer), 0);

	(void)events;
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			probe_failed(target, errno);
	} else if (target->check->config.type == LB_CHECK_DNS) {
		judge_dns(target, answer, (size_t)got);
	} else {
		probe_done(target,
			   probe_matches(target, (char *)answer, (size_t)got) ? LB_C_OK
									      : LB_C_MISMATCH,
			   0);
	}
}

static void ask(struct target *target, const void *question, size_t length)
{
	int fd = probe_socket(target, SOCK_DGRAM);

	if (fd < 0) {
		probe_failed(target, -fd);
		return;
	}
	target->watch.ready = ready;
	if (watch_set(&target->watch, fd, EPOLLIN))
		probe_done(target, LB_C_LOCAL, EIO);
	else if (send(fd, question, length, MSG_NOSIGNAL) < 0)
		probe_failed(target, errno);
}

static void start_udp(struct target *target)
{
	ask(target, target->check->config.send, strlen(target->check->config.send));
}

static void start_dns(struct target *target)
{
	struct question *question = malloc(sizeof(*question));

	if (!question) {
		probe_done(target, LB_C_LOCAL, ENOMEM);
		return;
	}
	target->own = question;
	question->length = dns_query(question->text, (uint16_t)random_below(65536),
				     target->check->config.host, !lb_addr_is_v4(&target->addr));
	ask(target, question->text, question->length);
}

static void end(struct target *target)
{
	watch_end(&target->watch);
	free(target->own);
	target->own = NULL;
}

static __u8 late(const struct target *target)
{
	(void)target;
	return LB_C_ANSWER_TIMEOUT;
}

const struct probe probe_udp = { start_udp, end, late };
const struct probe probe_dns = { start_dns, end, late };
