// SPDX-License-Identifier: GPL-2.0-only
/* lbctl monitor: events as they happen, a line each; with -j a JSON object a line. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lbctl.h"

struct monitor {
	const struct lbctl *ctl;
	__u64 last;
	bool is_silent; /* what happened before is not told */
};

static int tell(const struct lb_event *event, void *arg)
{
	struct monitor *monitor = arg;

	monitor->last = event->number;
	if (monitor->is_silent)
		return 0;
	if (monitor->ctl->is_json) {
		json_t *json = event_json(event);

		(void)json_dumpf(json, stdout, JSON_COMPACT);
		(void)putchar('\n');
		json_decref(json);
	} else {
		event_print(event, stdout);
	}
	return fflush(stdout) ? -EPIPE : 0;
}

/* Waits for the next write; its directory is watched too, since lbd may make the file anew. */
static void wait_for_more(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buf[4096];

	if (poll(&poll_fd, 1, 1000) == 1)
		(void)!read(fd, buf, sizeof(buf));
}

static int run(const struct lbctl *ctl, struct words *words)
{
	struct monitor monitor = { .ctl = ctl, .is_silent = true };
	CLEANUP(session_end) struct session session = { .ctl = ctl };
	char path[PATH_MAX];
	int fd, code = words_end(words);
	int ret;

	if (code)
		return code;
	if (lb_open(&session.lb, ctl->netns, &session.err))
		return refuse_error(&session.err);
	if (!lb_daemon_is_running(session.lb))
		note(ctl, "lbd is not running: events come when it is started");
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return refuse("monitor: inotify: %s", strerror(errno));
	lb_events_path(session.lb, path, sizeof(path));
	for (;;) {
		(void)inotify_add_watch(fd, path, IN_MODIFY);
		ret = lb_walk_events(session.lb, monitor.last, tell, &monitor, &session.err);
		if (ret && ret != -ENOENT)
			break;
		monitor.is_silent = false;
		wait_for_more(fd);
	}
	(void)close(fd);
	return ret == -EPIPE ? EXIT_OK : refuse_error(&session.err);
}

const struct command cmd_monitor = {
	.name = "monitor",
	.summary = "Events as lbd tells them, until it is interrupted",
	.details = "A line each; with -j one JSON object a line. 'lbctl health log' shows earlier "
		   "ones.\n",
	.verbs = (const struct verb[]){ { "", NULL, "", run }, { 0 } },
};
