// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interfaces: attached and detached, lost and back, and what of an attachment falls short. The
 * kernel says when a link changes; what it is then is asked anew.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "lbd.h"
#include "tell.h"

#define SETTLE_MS 100u /* a change of a link comes in several messages */

enum state {
	LINK_GOOD,
	LINK_GONE,
	LINK_WITHOUT, /* the program */
	LINK_DOWN,
};

static struct known {
	struct lb_link link;
	char name[16];
	enum state state;
	bool is_there; /* in the list that was read last */
} known[LB_PORTS_MAX];
static unsigned int known_count;

static struct watch messages;
static struct timer settle;

static enum state state_of(const struct lb_link *link)
{
	if (!link->name[0])
		return LINK_GONE;
	if (link->is_lost)
		return LINK_WITHOUT;
	return link->is_up ? LINK_GOOD : LINK_DOWN;
}

static void tell_state(const struct known *one)
{
	struct lb_event event = tell_about(LB_EVENT_INTERFACE, one->name);

	switch (one->state) {
	case LINK_GOOD:
		tell_event(&event, true, "back");
		break;
	case LINK_GONE:
		tell_event(&event, true,
			   "lost: it was removed; when it is there again: 'lbctl attach %s'",
			   one->name);
		break;
	case LINK_WITHOUT:
		tell_event(&event, true, "lost: the program was taken off: 'lbctl attach %s'",
			   one->name);
		break;
	case LINK_DOWN:
		tell_event(&event, true, "lost: it is down or has no carrier");
		break;
	}
}

static void tell_shortfalls(const struct known *one)
{
	struct lb_event event = tell_about(LB_EVENT_FALLBACK, one->name);

	if (one->link.is_generic)
		tell_event(&event, true, "in generic mode, which is slower: no native XDP there");
	if (one->link.is_alone)
		tell_event(&event, true, "without dispatcher: no other XDP program can join");
	if (one->link.is_rigid)
		tell_event(&event, true,
			   "the dispatcher keeps packets' sizes: no ICMP errors are made");
}

static void tell_attached(const struct known *one)
{
	struct lb_event event = tell_about(LB_EVENT_INTERFACE, one->name);

	tell_event(&event, true, "attached in %s mode, as %s",
		   one->link.is_generic ? "generic" : "native",
		   one->link.is_backend ? "backend" : "balancer");
	tell_shortfalls(one);
	if (one->state != LINK_GOOD)
		tell_state(one);
}

static struct known *find(__u32 ifindex)
{
	for (unsigned int i = 0; i < known_count; i++)
		if (known[i].link.ifindex == ifindex)
			return &known[i];
	return NULL;
}

static void take_new(const struct lb_link *link)
{
	struct known *one = &known[known_count++];

	*one = (struct known){ .link = *link, .state = state_of(link), .is_there = true };
	if (link->name[0])
		memcpy(one->name, link->name, sizeof(one->name));
	else
		(void)snprintf(one->name, sizeof(one->name), "index %u", link->ifindex);
	tell_attached(one);
}

static void take(struct known *one, const struct lb_link *link)
{
	const enum state state = state_of(link);

	one->is_there = true;
	one->link = *link;
	if (link->name[0])
		memcpy(one->name, link->name, sizeof(one->name));
	if (state == one->state)
		return;
	one->state = state;
	tell_state(one);
}

static void drop(unsigned int i)
{
	struct lb_event event = tell_about(LB_EVENT_INTERFACE, known[i].name);

	if (known[i].state != LINK_GONE)
		tell_event(&event, true, "detached");
	known[i] = known[--known_count];
}

void tell_links(void)
{
	struct lb_link list[LB_PORTS_MAX];
	const unsigned int count = lb_list_links(lbd.lb, list);

	for (unsigned int i = 0; i < known_count; i++)
		known[i].is_there = false;
	for (unsigned int i = 0; i < count; i++) {
		struct known *one = find(list[i].ifindex);

		if (one)
			take(one, &list[i]);
	}
	for (unsigned int i = known_count; i-- > 0;)
		if (!known[i].is_there)
			drop(i);
	for (unsigned int i = 0; i < count; i++)
		if (!find(list[i].ifindex))
			take_new(&list[i]);
}

/* Not in the middle of a command, which is told of by the lock when it is through. */
static void on_settled(struct timer *timer)
{
	(void)timer;
	if (lb_try_lock(lbd.lb))
		return;
	tell_links();
	lb_unlock(lbd.lb);
}

/* What the messages say is not read: some may have been lost. */
static void on_message(struct watch *watch, unsigned int events)
{
	char buf[16384];

	(void)events;
	while (recv(watch->fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		;
	if (!settle.place)
		(void)timers_set(&lbd.timers, &settle, now_ns() + SETTLE_MS * MS);
}

void tell_links_begin(void)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	messages = (struct watch){ .fd = -1, .ready = on_message };
	settle.fire = on_settled;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) ||
	    watch_set(&messages, fd, EPOLLIN))
		say("lost interfaces are not noticed: netlink: %s", strerror(errno));
	tell_links();
}

void tell_links_end(void)
{
	while (known_count)
		drop(known_count - 1);
}
