// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the admin port is: addresses and sockets in the file system, each served by libmicrohttpd
 * in lbd's own event loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin.h"
#include "lbd.h"

#define IDLE_S 10u
#define BACKLOG 512
#define GROUP "lbd"

static struct admin_port ports[ADMIN_PORTS];
static unsigned int port_count;

/* ---- in lbd's loop ----------------------------------------------------------------------------
 */

void admin_port_run(struct admin_port *port)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(port->server);
	if (MHD_get_timeout(port->server, &ms) == MHD_YES)
		(void)timers_set(&lbd.timers, &port->timer, now_ns() + ms * MS);
	else
		timers_cancel(&lbd.timers, &port->timer);
}

static void on_ready(struct watch *watch, unsigned int events)
{
	(void)events;
	admin_port_run(CONTAINER_OF(watch, struct admin_port, watch));
}

static void on_timer(struct timer *timer)
{
	admin_port_run(CONTAINER_OF(timer, struct admin_port, timer));
}

/* ---- beginning and end ------------------------------------------------------------------------
 */

/* Of an earlier lbd, or one's own at the end; nothing else that may be there. */
static void remove_socket(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		(void)unlink(path);
}

/* The group may use the socket, if there is one. Made so, as it takes rights to change it later. */
static int bind_in_group(int fd, const struct sockaddr_un *addr)
{
	/* There is one thread. */
	/* cppcheck-suppress getgrnamCalled */
	const struct group *group = getgrnam(GROUP);
	const gid_t before = getegid();
	int ret;

	if (group)
		(void)setfsgid(group->gr_gid);
	ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	(void)setfsgid(before);
	/* Nobody connects before it listens. */
	if (!ret && chmod(addr->sun_path, 0660))
		ret = -errno;
	return ret;
}

static int bind_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	remove_socket(path);
	ret = bind_in_group(fd, &addr);
	if (!ret)
		return fd;
	(void)close(fd);
	return ret;
}

static int bind_address(const union lb_addr *at, __u16 port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const bool is_v4 = lb_addr_is_v4(at);
	const int yes = 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	v4.sin_addr.s_addr = at->words[3];
	memcpy(&v6.sin6_addr, at, sizeof(v6.sin6_addr));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	ret = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
		    : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (!ret)
		return fd;
	ret = -errno;
	(void)close(fd);
	return ret;
}

static void bind_port(const char *where)
{
	struct admin_port *port = &ports[port_count];
	struct lb_error err;
	union lb_addr addr;
	__u16 number;
	int fd;

	if (!strcmp(where, "none"))
		return;
	port->is_local = where[0] == '/';
	if (port->is_local) {
		fd = bind_path(where);
	} else if (lb_endpoint_parse(where, &addr, &number, NULL, &err)) {
		say("no admin port: %s", err.text);
		return;
	} else {
		fd = bind_address(&addr, number);
	}
	/* Backends are checked all the same. */
	if (fd < 0 || listen(fd, BACKLOG)) {
		say("no admin port at %s: %s; choose another with '-a'", where,
		    strerror(fd < 0 ? -fd : errno));
		return;
	}
	port->fd = fd;
	port_count++;
}

void admin_bind(const struct options *options)
{
	for (unsigned int i = 0; i < options->admin_count; i++)
		bind_port(options->admin[i]);
}

static void start_port(struct admin_port *port)
{
	const union MHD_DaemonInfo *info;

	port->server = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, admin_request, port,
		MHD_OPTION_LISTEN_SOCKET, port->fd, MHD_OPTION_CONNECTION_LIMIT, ADMIN_CONNECTIONS,
		MHD_OPTION_NOTIFY_CONNECTION, admin_connection_notify, port,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_NOTIFY_COMPLETED,
		admin_change_end, NULL, MHD_OPTION_END);
	info = port->server ? MHD_get_daemon_info(port->server, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		say("no admin port: libmicrohttpd does not start");
		return;
	}
	port->watch = (struct watch){ .fd = -1, .ready = on_ready };
	port->timer.fire = on_timer;
	if (watch_set(&port->watch, info->epoll_fd, EPOLLIN))
		say("no admin port: %s", strerror(errno));
	admin_port_run(port);
}

void admin_start(int changes_fd)
{
	admin_change_open(changes_fd);
	for (unsigned int i = 0; i < port_count; i++)
		start_port(&ports[i]);
}

void admin_warm(void)
{
	if (port_count)
		admin_warm_up();
}

void admin_remove(const struct options *options)
{
	for (unsigned int i = 0; i < options->admin_count; i++)
		if (options->admin[i][0] == '/')
			remove_socket(options->admin[i]);
}
