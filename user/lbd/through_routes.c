// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the host's interfaces, addresses, routes, rules or rp_filter changed last. What probes found
 * of their way before that is looked at again, and not otherwise: it takes a dozen system calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "through.h"

#define PAUSE_NS (1000 * MS) /* whoever loads a million routes is not listened to meanwhile */
#define GROUP(name) (1u << (RTNLGRP_##name - 1))

static struct watch messages = { .fd = -1 };
static struct timer pause_end;
static __u64 changed_ns = ~0ull; /* never known to stand while nobody listens */

/* What the messages say is not read: some may have been lost. */
static void drain(void)
{
	char buf[16384];

	while (recv(messages.fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		;
}

static void on_message(struct watch *watch, unsigned int events)
{
	const __u64 now = now_ns();

	(void)events;
	drain();
	changed_ns = now;
	(void)watch_set(watch, watch->fd, 0);
	(void)timers_set(&lbd.timers, &pause_end, now + PAUSE_NS);
}

static void on_pause_end(struct timer *timer)
{
	(void)timer;
	drain();
	changed_ns = now_ns();
	(void)watch_set(&messages, messages.fd, EPOLLIN);
}

void through_watch_routes(void)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = GROUP(LINK) | GROUP(IPV4_IFADDR) | GROUP(IPV6_IFADDR) |
			     GROUP(IPV4_ROUTE) | GROUP(IPV6_ROUTE) | GROUP(IPV4_RULE) |
			     GROUP(IPV6_RULE) | GROUP(IPV4_NETCONF) | GROUP(IPV6_NETCONF),
	};
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	messages.ready = on_message;
	pause_end.fire = on_pause_end;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) ||
	    watch_set(&messages, fd, EPOLLIN))
		say("changes of routes are looked for again and again: netlink: %s",
		    strerror(errno));
	else
		changed_ns = now_ns();
}

bool through_routes_stood(__u64 since_ns)
{
	return changed_ns < since_ns;
}
