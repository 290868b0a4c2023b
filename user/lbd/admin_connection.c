// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a client of the admin port may take. One that sends a byte now and then is never idle to
 * libmicrohttpd, and would keep its place from others for ever.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "admin.h"

#define SPARE 16u /* places for those who have something to say */

struct connection {
	struct connection *next; /* begun later */
	struct admin_port *port;
	int fd;
	bool is_reading; /* its request is not whole */
	struct timer timer;
};

/* libmicrohttpd sees the end, and closes. */
static void end(struct connection *one)
{
	timers_cancel(&lbd.timers, &one->timer);
	one->is_reading = false;
	(void)shutdown(one->fd, SHUT_RDWR);
}

static void on_timer(struct timer *timer)
{
	end(CONTAINER_OF(timer, struct connection, timer));
}

/* Who has been at it longest makes room, before new ones have to wait. */
static void make_room(struct admin_port *port)
{
	struct connection *one = port->connections;

	if (port->connection_count <= ADMIN_CONNECTIONS - SPARE)
		return;
	while (one && !one->is_reading)
		one = one->next;
	if (one)
		end(one);
}

static void limit(struct connection *one, unsigned int seconds)
{
	one->is_reading = seconds == ADMIN_REQUEST_S;
	if (seconds)
		(void)timers_set(&lbd.timers, &one->timer, now_ns() + seconds * 1000 * MS);
	else
		timers_cancel(&lbd.timers, &one->timer);
}

static struct connection *begin(struct admin_port *port, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *one = calloc(1, sizeof(*one)), **at = &port->connections;

	if (!one || !info) {
		free(one);
		return NULL;
	}
	one->port = port;
	one->fd = info->connect_fd;
	one->timer.fire = on_timer;
	limit(one, ADMIN_REQUEST_S);
	make_room(port);
	while (*at)
		at = &(*at)->next;
	*at = one;
	port->connection_count++;
	return one;
}

static void forget(struct connection *one)
{
	struct connection **at = &one->port->connections;

	while (*at != one)
		at = &(*at)->next;
	*at = one->next;
	one->port->connection_count--;
	timers_cancel(&lbd.timers, &one->timer);
	free(one);
}

void admin_connection_notify(void *arg, struct MHD_Connection *connection, void **context,
			     enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = begin(arg, connection);
	} else if (*context) {
		forget(*context);
		*context = NULL;
	}
}

void admin_connection_limit(struct MHD_Connection *connection, unsigned int seconds)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info && info->socket_context)
		limit(info->socket_context, seconds);
}
