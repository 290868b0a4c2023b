// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lbd shares with the commands beside the maps: the file that says it is running, the writers'
 * lock without waiting, and the file of events. All are opened while lbd still has the rights to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

_Static_assert(sizeof(struct lb_event) == 208, "the file of events has records of this size");

static int open_in(const struct lb *lb, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", lb->run_dir, name);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

bool lb_daemon_is_running(const struct lb *lb)
{
	int fd = open_in(lb, "lbd.lock", O_RDONLY, 0);
	bool is_locked;

	if (fd < 0)
		return false;
	is_locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return is_locked;
}

int lb_daemon_claim(struct lb *lb, struct lb_error *err)
{
	/* Who may read it could hold it, and be taken for lbd. */
	int fd = open_in(lb, "lbd.lock", O_RDWR | O_CREAT, 0600);
	int ret;

	if (fd < 0)
		return lb_fail(err, -errno, "%s/lbd.lock: %s", lb->run_dir, strerror(errno));
	(void)fchmod(fd, 0600); /* it may be there already */
	/* A command that asks whether lbd runs holds it for an instant. */
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		ret = -errno;
		if (tries < 20) {
			usleep(5000);
			continue;
		}
		close(fd);
		return lb_fail(
			err, ret == -EWOULDBLOCK ? -EEXIST : ret,
			"another lbd runs for this instance: 'fuser -v %s/lbd.lock' finds it",
			lb->run_dir);
	}
	return fd;
}

static int find_last_event(struct lb *lb)
{
	struct lb_event event;

	for (unsigned int i = 0; i < LB_EVENTS; i++) {
		if (pread(lb->events_fd, &event, sizeof(event), (off_t)(i * sizeof(event))) !=
		    sizeof(event))
			break;
		if (event.number == event.end && event.number % LB_EVENTS == i &&
		    event.number > lb->last_event)
			lb->last_event = event.number;
	}
	return 0;
}

int lb_daemon_begin(struct lb *lb, struct lb_error *err)
{
	lb->kept_lock_fd = open_in(lb, "lock", O_RDWR | O_CREAT, 0600);
	if (lb->kept_lock_fd < 0)
		return lb_fail(err, -errno, "%s/lock: %s", lb->run_dir, strerror(errno));
	lb->events_fd = open_in(lb, "events", O_RDWR | O_CREAT, 0644);
	if (lb->events_fd < 0)
		return lb_fail(err, -errno, "%s/events: %s", lb->run_dir, strerror(errno));
	/* Its place is taken now: a disk that fills up later stops nothing. */
	if (posix_fallocate(lb->events_fd, 0, LB_EVENTS * sizeof(struct lb_event)))
		lb_notice(lb, "%s/events: no room, events may get lost", lb->run_dir);
	return find_last_event(lb);
}

const char *lb_run_dir(const struct lb *lb)
{
	return lb->run_dir;
}

bool lb_is_gone(const struct lb *lb)
{
	return lb->is_loaded && lb->control->is_gone;
}

int lb_try_lock(struct lb *lb)
{
	if (flock(lb->kept_lock_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK || errno == EINTR ? -EBUSY : -errno;
	if (lb_is_gone(lb)) {
		(void)flock(lb->kept_lock_fd, LOCK_UN);
		return -ESTALE;
	}
	lb->lock_fd = lb->kept_lock_fd;
	return 0;
}

void lb_unlock(struct lb *lb)
{
	(void)flock(lb->kept_lock_fd, LOCK_UN);
	lb->lock_fd = -1;
}

int lb_add_event(struct lb *lb, struct lb_event *event)
{
	struct timespec now;
	ssize_t written;
	off_t at;

	if (!event->time_ms) {
		clock_gettime(CLOCK_REALTIME, &now);
		event->time_ms = (__u64)now.tv_sec * 1000 + (__u64)now.tv_nsec / 1000000;
	}
	event->number = event->end = ++lb->last_event;
	at = (off_t)(event->number % LB_EVENTS * sizeof(*event));
	written = pwrite(lb->events_fd, event, sizeof(*event), at);
	if (written == sizeof(*event))
		return 0;
	return written < 0 ? -errno : -ENOSPC;
}

void lb_events_path(const struct lb *lb, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/events", lb->run_dir);
}

static int compare_events(const void *left, const void *right)
{
	const struct lb_event *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

int lb_walk_events(struct lb *lb, __u64 after, lb_event_fn fn, void *arg, struct lb_error *err)
{
	const size_t size = LB_EVENTS * sizeof(struct lb_event);
	struct lb_event *events = malloc(size);
	size_t count = 0;
	ssize_t got;
	int fd, ret = 0;

	if (!events)
		return lb_fail(err, -ENOMEM, "out of memory");
	fd = open_in(lb, "events", O_RDONLY, 0);
	if (fd < 0) {
		free(events);
		return lb_fail(err, -errno, "%s/events: %s; lbd writes it when it runs",
			       lb->run_dir, strerror(errno));
	}
	got = pread(fd, events, size, 0);
	close(fd);
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(*events); i++)
		if (events[i].number > after && events[i].number == events[i].end)
			events[count++] = events[i];
	qsort(events, count, sizeof(*events), compare_events);
	for (size_t i = 0; i < count && !ret; i++) {
		events[i].service[LB_NAME_SIZE - 1] = '\0';
		events[i].object[sizeof(events[i].object) - 1] = '\0';
		events[i].text[sizeof(events[i].text) - 1] = '\0';
		ret = fn(&events[i], arg);
	}
	free(events);
	return ret;
}
