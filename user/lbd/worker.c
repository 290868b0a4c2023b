// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker: opens all it needs, gives its rights up, and waits for what happens. It ends with
 * EXIT_AGAIN when maps came or went, since it has no rights to open new ones.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "admin.h"
#include "lbd.h"
#include "tell.h"

#define HEAP_KEPT (32 << 20) /* bytes */
#define BEAT_MS 1000u
#define PATIENCE_MS 200u
#define STALL_MS 2000u /* waking so late means that we, not the backends, were away */

struct lbd lbd;

int watch_set(struct watch *watch, int fd, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->fd == fd)
		return epoll_ctl(lbd.epoll_fd, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
	watch->fd = fd;
	return epoll_ctl(lbd.epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void watch_end(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	/* By itself closing does that only if no child that was just begun has it too. */
	(void)epoll_ctl(lbd.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	(void)close(watch->fd);
	watch->fd = -1;
}

__u32 random_below(__u32 limit)
{
	lbd.random = lbd.random * 6364136223846793005ull + 1442695040888963407ull;
	return lb_hash_scale((__u32)(lbd.random >> 32), limit);
}

static void load_document(void)
{
	struct lb_error err;

	if (members_load(&err))
		say_event("the document is not read, what was before goes on: %s", err.text);
}

/* ---- what wakes it ----------------------------------------------------------------------------
 */

static void on_signal(struct watch *watch, unsigned int events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		load_document();
	else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		lbd.exit = EXIT_OK;
}

/* A command has renamed a document into place, or given the lock back after a change. */
static void on_change(struct watch *watch, unsigned int events)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t length = read(watch->fd, buf, sizeof(buf));
	const struct inotify_event *event;
	bool has_document = false, has_lock = false;

	(void)events;
	for (char *at = buf; length > 0 && at < buf + length; at += sizeof(*event) + event->len) {
		event = (const struct inotify_event *)at;
		has_document |= event->len && !strcmp(event->name, "state.yaml");
		has_lock |= event->len && !strcmp(event->name, "lock");
	}
	if (has_document)
		load_document();
	if (has_lock && !lb_is_loaded(lbd.lb))
		lbd.exit = EXIT_AGAIN;
	if (has_lock)
		tell_change();
	lbd.is_dirty |= has_lock;
}

static void on_sync(struct timer *timer)
{
	(void)timer;
	state_sync();
}

static void on_beat(struct timer *timer)
{
	if (lb_is_gone(lbd.lb))
		lbd.exit = EXIT_AGAIN;
	(void)sd_notify(0, "WATCHDOG=1");
	(void)timers_set(&lbd.timers, timer, now_ns() + BEAT_MS * MS);
}

/* Stopped, suspended, or starved: what is under way has had no fair time. */
static void after_stall(uint64_t late_ns)
{
	say_event("was away for %llu ms; checks under way are begun anew",
		  (unsigned long long)(late_ns / MS));
	targets_each(target_restart);
}

static void run(void)
{
	struct epoll_event event;
	uint64_t fired = now_ns();

	while (lbd.exit < 0) {
		uint64_t before, now;
		int wait_ms, count;

		if (lbd.is_dirty)
			state_sync();
		before = now_ns();
		wait_ms = timers_wait_ms(&lbd.timers, before);
		/* One at a time, so that nothing in the list can be gone when its turn comes. */
		count = epoll_wait(lbd.epoll_fd, &event, 1, wait_ms);
		now = now_ns();
		if (now > before + ((unsigned int)wait_ms + STALL_MS) * MS)
			after_stall(now - before);
		else if (count == 1)
			((struct watch *)event.data.ptr)->ready(event.data.ptr, event.events);
		/* Answers that are there go before deadlines, but not for ever. */
		if (count != 1 || now > fired + PATIENCE_MS * MS) {
			timers_run(&lbd.timers, now);
			fired = now;
		}
	}
}

/* ---- beginning and end ------------------------------------------------------------------------
 */

static int watch_signals(void)
{
	sigset_t wanted;

	(void)sigemptyset(&wanted);
	(void)sigaddset(&wanted, SIGHUP);
	(void)sigaddset(&wanted, SIGTERM);
	(void)sigaddset(&wanted, SIGINT);
	(void)sigprocmask(SIG_SETMASK, &wanted, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	lbd.signals = (struct watch){ .fd = -1, .ready = on_signal };
	return watch_set(&lbd.signals, signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC), EPOLLIN);
}

static int watch_changes(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 ||
	    inotify_add_watch(fd, lb_run_dir(lbd.lb), IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE) < 0)
		return -errno;
	lbd.changes = (struct watch){ .fd = -1, .ready = on_change };
	return watch_set(&lbd.changes, fd, EPOLLIN);
}

static int open_all(struct lb_error *err)
{
	int ret = lb_open(&lbd.lb, lbd.netns, err) ?: lb_daemon_begin(lbd.lb, err);

	if (ret)
		return ret;
	if (getrandom(&lbd.random, sizeof(lbd.random), 0) != sizeof(lbd.random))
		lbd.random = now_ns();
	lbd.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ret = lbd.epoll_fd < 0 ? -errno : watch_signals() ?: watch_changes() ?: http_open();
	if (ret)
		return lb_fail(err, ret, "cannot begin: %s", strerror(-ret));
	ping_open();
	return 0;
}

static void say_notices(void)
{
	const char *text;

	while ((text = lb_next_notice(lbd.lb)))
		say("%s", text);
}

/* What a scrape took stays for the next one, rather than going back to the system page by page. */
static void keep_heap(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
}

int worker_run(const struct options *options, int changes)
{
	struct lb_error err;

	keep_heap();
	lbd.netns = options->netns;
	lbd.exit = -1;
	if (open_all(&err)) {
		say("%s", err.text);
		return EXIT_REFUSED;
	}
	through_open();
	admin_bind(options);
	if (rights_of_worker(&err)) {
		say("%s", err.text);
		return EXIT_REFUSED;
	}
	say_notices();
	lbd.sync.fire = on_sync;
	lbd.beat.fire = on_beat;
	on_beat(&lbd.beat);
	admin_start(changes);
	if (lb_is_loaded(lbd.lb))
		load_document();
	say_event("%s: %u backends of services, %u to be checked",
		  lb_is_loaded(lbd.lb) ? "running" : "waiting for 'lbctl attach'", lbd.member_count,
		  lbd.target_count);
	tell_begin();
	admin_warm();
	(void)sd_notifyf(0, "READY=1\nSTATUS=%u backends checked", lbd.target_count);
	run();
	if (lb_is_gone(lbd.lb))
		tell_end();
	if (lbd.exit == EXIT_OK)
		say_event("ends; health stays as it is");
	return lbd.exit;
}
