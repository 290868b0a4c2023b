// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a target is probed, how long it may take, and what errors of sockets mean. How it is probed
 * is in probe_<kind>.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lbd.h"

#define JITTER_PERCENT 10u

static const struct probe *probe_of(const struct target *target)
{
	static const struct probe *const probes[LB_CHECK_TYPES] = {
		[LB_CHECK_TCP] = &probe_tcp,	[LB_CHECK_HTTP] = &probe_http,
		[LB_CHECK_HTTPS] = &probe_http, [LB_CHECK_DNS] = &probe_dns,
		[LB_CHECK_UDP] = &probe_udp,	[LB_CHECK_PING] = &probe_ping,
		[LB_CHECK_EXEC] = &probe_exec,
	};

	return probes[target->check->config.type];
}

static void on_deadline(struct timer *timer)
{
	struct target *target = CONTAINER_OF(timer, struct target, deadline);

	probe_done(target, probe_of(target)->late(target), 0);
}

void target_ask(struct target *target, __u64 deadline_ns)
{
	target->started_ns = now_ns();
	target->is_running = true;
	target->stage = 0;
	target->own = NULL;
	target->deadline.fire = on_deadline;
	(void)timers_set(&lbd.timers, &target->deadline, deadline_ns);
	if (target->through)
		through_begin(target);
	probe_of(target)->start(target);
}

static void on_due(struct timer *timer)
{
	struct target *target = CONTAINER_OF(timer, struct target, due);

	target_ask(target, now_ns() + target->check->config.timeout_ms * MS);
}

void target_begin(struct target *target, __u32 within_ms)
{
	target->due.fire = on_due;
	(void)timers_set(&lbd.timers, &target->due,
			 now_ns() + random_below(within_ms * 1000 + 1) * 1000ull);
}

static void stop(struct target *target)
{
	timers_cancel(&lbd.timers, &target->deadline);
	probe_of(target)->end(target);
	target->is_running = false;
}

void target_stop(struct target *target)
{
	if (target->is_running)
		stop(target);
}

void target_end(struct target *target)
{
	target_stop(target);
	if (target->through)
		through_stop(target);
	timers_cancel(&lbd.timers, &target->due);
}

void target_restart(struct target *target)
{
	target_stop(target);
	if (target->through)
		through_stop(target);
	target_begin(target, target->check->config.interval_ms);
}

void probe_done(struct target *target, __u8 reason, __u16 detail)
{
	const __u64 now = now_ns(), took_us = (now - target->started_ns) / 1000;
	const __u32 interval = target->check->config.interval_ms;
	/* Only ever earlier, so that fall × interval stays the bound that it says. */
	const __u32 early = random_below(interval * JITTER_PERCENT / 100 + 1);
	const __u64 next = target->started_ns + (interval - early) * MS;

	stop(target);
	if (target->through && through_waits(target, &reason, &detail))
		return;
	(void)timers_set(&lbd.timers, &target->due, next > now ? next : now);
	for (struct member *member = target->members; member; member = member->neighbour)
		member_take(member, reason, detail, (__u32)took_us);
}

void probe_failed(struct target *target, int error)
{
	switch (error) {
	case ECONNREFUSED:
		probe_done(target, LB_C_REFUSED, 0);
		break;
	case ETIMEDOUT:
		probe_done(target, LB_C_CONNECT_TIMEOUT, 0);
		break;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		probe_done(target, LB_C_RESET, 0);
		break;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case ENOPROTOOPT:
	case EPROTO:
		probe_done(target, LB_C_UNREACHABLE, 0);
		break;
	default:
		probe_done(target, LB_C_LOCAL, (__u16)error);
	}
}

int probe_socket(struct target *target, int type)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	union lb_addr addr;
	__u16 port;
	bool is_v4;
	int fd, ret;

	through_peer(target, &addr, &port);
	is_v4 = lb_addr_is_v4(&addr);
	fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	v4.sin_port = v6.sin6_port = htons(port);
	v4.sin_addr.s_addr = addr.words[3];
	memcpy(&v6.sin6_addr, &addr, sizeof(v6.sin6_addr));
	ret = through_bind(target, fd);
	if (!ret && (is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
			   : connect(fd, (struct sockaddr *)&v6, sizeof(v6))))
		ret = -errno;
	if (ret && ret != -EINPROGRESS) {
		(void)close(fd);
		return ret;
	}
	return fd;
}

bool probe_matches(const struct target *target, const char *answer, size_t length)
{
	const char *expect = target->check->config.expect;

	return !expect[0] || memmem(answer, length, expect, strlen(expect));
}
