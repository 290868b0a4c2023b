// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asking lbcache over its control socket. One that is stopped, or hangs, keeps its socket: the
 * kernel goes on to connect for it until the queue is full, so nothing here waits without an end.
 */
#include "cache_ask.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 2

static int socket_path(const struct lb *lb, struct sockaddr_un *out)
{
	char *copy = strdup(lb_state_path(lb));
	int len;

	if (!copy)
		return refuse("out of memory");
	out->sun_family = AF_UNIX;
	len = snprintf(out->sun_path, sizeof(out->sun_path), "%s/lbcache.sock", dirname(copy));
	free(copy);
	if (len < 0 || (size_t)len >= sizeof(out->sun_path))
		return refuse("the control socket's path is too long");
	return EXIT_OK;
}

/* Where 'lbcache' of this instance makes its socket. */
static int find_socket(const struct lbctl *ctl, struct sockaddr_un *out)
{
	struct lb_error err;
	struct lb *lb;
	int code;

	if (lb_open(&lb, ctl->netns, &err))
		return refuse_error(&err);
	code = socket_path(lb, out);
	lb_close(lb);
	return code;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All that comes until the other end closes. -ETIMEDOUT, -EPIPE when nothing came. */
static int read_all(int fd, char **text, size_t *size)
{
	const int64_t end = now_ms() + PATIENCE_S * 1000;
	FILE *out = open_memstream(text, size);
	char part[4096];
	int ret = 0;

	if (!out)
		return -ENOMEM;
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		const int64_t left = end - now_ms();
		ssize_t got;

		if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
			ret = -ETIMEDOUT;
			break;
		}
		got = recv(fd, part, sizeof(part), 0);
		if (got <= 0)
			break;
		(void)fwrite(part, 1, (size_t)got, out);
	}
	if (fclose(out))
		return -ENOMEM;
	return ret ? ret : *size ? 0 : -EPIPE;
}

static int refuse_hung(const struct lbctl *ctl, int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	const char *name = ctl->netns ? ctl->netns : "";

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || !peer.pid)
		return refuse("lbcache hangs: no answer within %d s; end it and start it anew with "
			      "'lbcache%s%s'",
			      PATIENCE_S, ctl->netns ? " -n " : "", name);
	return refuse("lbcache (pid %d) hangs: no answer within %d s; 'kill -9 %d' and start it "
		      "anew with 'lbcache%s%s'",
		      (int)peer.pid, PATIENCE_S, (int)peer.pid, ctl->netns ? " -n " : "", name);
}

static int read_answer(const struct lbctl *ctl, int fd, json_t **out)
{
	char *text = NULL;
	size_t size = 0;
	json_t *json;
	int code, ret = read_all(fd, &text, &size);

	json = ret ? NULL : json_loadb(text, size, 0, NULL);
	free(text);
	if (ret == -ETIMEDOUT)
		return refuse_hung(ctl, fd);
	if (!json)
		return refuse("lbcache gave no answer; is it of another version?");
	if (json_object_get(json, "error")) {
		const char *words = json_string_value(json_object_get(json, "error"));

		code = refuse("%s", words ? words : "refused");
		json_decref(json);
		return code;
	}
	*out = json;
	return EXIT_OK;
}

int cache_ask(const struct lbctl *ctl, const char *line, json_t **out)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { 0 };
	int fd, code = find_socket(ctl, &address);

	if (code)
		return code;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		code = refuse("no socket: %s", strerror(errno));
	else if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		code = errno == EAGAIN
			       ? refuse_hung(ctl, fd)
			       : refuse("lbcache does not run here (%s: %s); start it with "
					"'lbcache%s%s ...'",
					address.sun_path, strerror(errno), ctl->netns ? " -n " : "",
					ctl->netns ? ctl->netns : "");
	else if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line))
		code = errno == EAGAIN ? refuse_hung(ctl, fd)
				       : refuse("lbcache does not listen: %s", strerror(errno));
	else
		code = read_answer(ctl, fd, out);
	if (fd >= 0)
		(void)close(fd);
	return code;
}

uint64_t cache_number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}
