// SPDX-License-Identifier: GPL-2.0-only
/* hiredis in a thread's loop: which events it waits for, and the end of its connection. */
#include <arpa/inet.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "second.h"

/* hiredis reads as it likes, so it is told as long as there is something. */
static void wait_for(struct second_link *link, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = &link->watch };

	link->events = events;
	if (link->watch.fd >= 0)
		(void)epoll_ctl(link->worker->epoll_fd, EPOLL_CTL_MOD, link->watch.fd, &event);
}

static void add_read(void *arg)
{
	struct second_link *link = arg;

	wait_for(link, link->events | EPOLLIN);
}

static void del_read(void *arg)
{
	struct second_link *link = arg;

	wait_for(link, link->events & ~(uint32_t)EPOLLIN);
}

static void add_write(void *arg)
{
	struct second_link *link = arg;

	wait_for(link, link->events | EPOLLOUT);
}

static void del_write(void *arg)
{
	struct second_link *link = arg;

	wait_for(link, link->events & ~(uint32_t)EPOLLOUT);
}

/* The descriptor is hiredis' own, which closes it. */
static void clean_up(void *arg)
{
	struct second_link *link = arg;

	if (link->watch.fd >= 0)
		(void)epoll_ctl(link->worker->epoll_fd, EPOLL_CTL_DEL, link->watch.fd, NULL);
	link->watch.fd = -1;
	link->context = NULL;
}

static void on_event(struct worker *worker, struct watch *watch, uint32_t events)
{
	struct second_link *link = (struct second_link *)watch;

	(void)worker;
	if (link->context && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		redisAsyncHandleRead(link->context);
	if (link->context && events & EPOLLOUT)
		redisAsyncHandleWrite(link->context);
}

bool second_link_open(struct second_link *link)
{
	const union address *address = link->address;
	char text[INET6_ADDRSTRLEN];
	redisAsyncContext *context;
	const void *from = address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
							      : &address->v4.sin_addr;

	if (link->context)
		return true;
	if (link->watch.fd >= 0) /* of the one before, which hiredis has not closed yet */
		return false;
	if (!inet_ntop(address->any.sa_family, from, text, sizeof(text)))
		return false;
	/* The port stands at the same place in both families. */
	context = redisAsyncConnect(text, ntohs(address->v4.sin_port));
	if (!context || context->err) {
		if (context)
			redisAsyncFree(context);
		return false;
	}
	link->context = context;
	link->events = 0;
	worker_watch(link->worker, &link->watch, context->c.fd, on_event);
	context->ev.data = link;
	context->ev.addRead = add_read;
	context->ev.delRead = del_read;
	context->ev.addWrite = add_write;
	context->ev.delWrite = del_write;
	context->ev.cleanup = clean_up;
	wait_for(link, EPOLLIN | EPOLLOUT);
	return true;
}

void second_link_close(struct second_link *link)
{
	redisAsyncContext *context = link->context;

	link->context = NULL;
	if (context)
		redisAsyncFree(context);
}
