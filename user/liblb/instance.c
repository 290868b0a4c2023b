// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handle: which network namespace, where its pins and its document are, and the writers' lock.
 * Each namespace is an instance of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include <bpf/libbpf.h>

#include "internal.h"

#define NET_INITIAL 0xeffffff9u
#define MNT_INITIAL 0xeffffff8u

void lb_notice(struct lb *lb, const char *format, ...)
{
	va_list args;

	if (lb->notice_count == LB_NOTICES) {
		lb->notices_left_out++;
		return;
	}
	va_start(args, format);
	vsnprintf(lb->notices[lb->notice_count++], LB_TEXT_SIZE, format, args);
	va_end(args);
}

const char *lb_next_notice(struct lb *lb)
{
	if (lb->notice_next < lb->notice_count)
		return lb->notices[lb->notice_next++];
	if (!lb->notices_left_out)
		return NULL;
	snprintf(lb->notices[LB_NOTICES], LB_TEXT_SIZE, "and %u more", lb->notices_left_out);
	lb->notices_left_out = 0;
	return lb->notices[LB_NOTICES];
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/*
 * Whether this process is in the host's (or container's) own namespace: that of process 1; where
 * that cannot be read, the one with the number that kernels from 6.18 on give the initial
 * namespace.
 */
static bool is_initial(const char *kind, ino_t initial)
{
	char mine[64], first[64];
	struct stat a, b;

	snprintf(mine, sizeof(mine), "/proc/self/ns/%s", kind);
	snprintf(first, sizeof(first), "/proc/1/ns/%s", kind);
	if (stat(mine, &a))
		return false;
	return stat(first, &b) ? a.st_ino == initial : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The name that `ip netns` has for the namespace this process is in, if it has one. */
static bool find_netns_name(char *name, size_t size)
{
	DIR *dir = opendir(LB_NETNS_DIR);
	struct dirent *entry;
	bool is_found = false;

	while (dir && !is_found && (entry = readdir(dir))) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), LB_NETNS_DIR "/%s", entry->d_name);
		is_found = entry->d_name[0] != '.' && is_same_file(path, "/proc/self/ns/net");
		if (is_found)
			snprintf(name, size, "netns-%.100s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

bool lb_netns_is_name(const char *netns)
{
	return *netns && !strchr(netns, '/') && strlen(netns) <= 100;
}

static int enter_namespace(struct lb *lb, const char *netns, struct lb_error *err)
{
	char path[PATH_MAX];
	int fd, ret;

	if (!netns) {
		struct stat st;

		if (is_initial("net", NET_INITIAL))
			snprintf(lb->instance, sizeof(lb->instance), "default");
		else if (!find_netns_name(lb->instance, sizeof(lb->instance)))
			snprintf(lb->instance, sizeof(lb->instance), "inode-%llu",
				 stat("/proc/self/ns/net", &st) ? 0ull
								: (unsigned long long)st.st_ino);
		return 0;
	}
	if (!lb_netns_is_name(netns))
		return lb_fail(err, -EINVAL,
			       "'%s' is no name of a network namespace: see 'ip netns list'",
			       netns);
	snprintf(path, sizeof(path), LB_NETNS_DIR "/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return lb_fail(err, -errno, "network namespace %s: %s; see 'ip netns list'", netns,
			       strerror(errno));
	ret = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	if (ret)
		return lb_fail(err, ret, "network namespace %s: cannot enter it: %s", netns,
			       strerror(-ret));
	snprintf(lb->instance, sizeof(lb->instance), "netns-%s", netns);
	return 0;
}

static int check_bpffs(struct lb *lb, struct lb_error *err)
{
	struct statfs fs;

	if (!statfs(LB_BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC)
		return 0;
	/* A mount made in somebody's private mount namespace would be gone with the command. */
	if (!is_initial("mnt", MNT_INITIAL))
		return lb_fail(err, -ENODEV,
			       "no bpffs at " LB_BPFFS
			       " in this mount namespace (as inside 'ip netns "
			       "exec'): run 'lbctl -n NAME ...' from outside instead");
	if (mount("bpf", LB_BPFFS, "bpf", 0, "mode=0700"))
		return lb_fail(err, -ENODEV, "no bpffs at " LB_BPFFS " and mounting one failed: %s",
			       strerror(errno));
	lb_notice(lb, "mounted a bpffs at " LB_BPFFS);
	return 0;
}

static int make_dirs(const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		size_t length = slash ? (size_t)(slash - path) : strlen(path);

		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
	}
}

/* A namespace's cookie is never used again before the next boot, unlike its inode. */
static __u64 read_cookie(void)
{
	__u64 cookie = 0;
	socklen_t length = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length))
		cookie = 0;
	close(fd);
	return cookie;
}

/* A document of an earlier namespace of the same name is not this one's intent. */
static void drop_foreign_state(struct lb *lb)
{
	char path[PATH_MAX];
	unsigned long long known = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/namespace", lb->run_dir);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%llu", &known) != 1)
			known = 0;
		fclose(file);
	}
	if (known == lb->cookie)
		return;
	if (known && !unlink(lb->state_path))
		lb_notice(lb, "dropped the configuration of an earlier namespace %s", lb->instance);
	file = fopen(path, "we");
	if (file) {
		fprintf(file, "%llu\n", (unsigned long long)lb->cookie);
		fclose(file);
	}
}

/* Pins of another ABI version hold state that this program would misread. */
static int check_other_abi(struct lb *lb, struct lb_error *err)
{
	DIR *dir = opendir(LB_BPFFS "/lbctl");
	struct dirent *entry;
	int ret = 0;

	while (dir && !ret && (entry = readdir(dir))) {
		char path[PATH_MAX];
		int version = entry->d_name[0] == 'v' ? atoi(entry->d_name + 1) : 0;

		snprintf(path, sizeof(path), LB_BPFFS "/lbctl/%s/%s", entry->d_name, lb->pin_name);
		if (version <= 0 || version == LB_ABI_VERSION)
			continue;
		if (!access(path, F_OK))
			ret = lb_fail(
				err, -EPROTO,
				"%s: pinned maps of ABI version %d, this lbctl has version %d: "
				"detach with the lbctl that attached, then attach with this one",
				path, version, LB_ABI_VERSION);
		/* One that nobody uses any more is empty; of any other this takes nothing. */
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	if (dir)
		closedir(dir);
	return ret;
}

void lb_pin_name_fix(char *name)
{
	for (; (name = strchr(name, '.')); name++)
		*name = ':';
}

static void find_paths(struct lb *lb)
{
	const bool is_default = !strcmp(lb->instance, "default");

	memcpy(lb->pin_name, lb->instance, sizeof(lb->pin_name));
	lb_pin_name_fix(lb->pin_name);
	snprintf(lb->pin_dir, sizeof(lb->pin_dir), LB_BPFFS "/lbctl/v%d/%s", LB_ABI_VERSION,
		 lb->pin_name);
	snprintf(lb->run_dir, sizeof(lb->run_dir), LB_RUN_DIR "%s%s", is_default ? "" : "/",
		 is_default ? "" : lb->instance);
	snprintf(lb->state_path, sizeof(lb->state_path), "%s/state.yaml", lb->run_dir);
}

static int open_instance(struct lb *lb, const char *netns, struct lb_error *err)
{
	int ret;

	if (geteuid() != 0)
		return lb_fail(err, -EPERM, "this needs root: run it with sudo");
	ret = enter_namespace(lb, netns, err) ?: check_bpffs(lb, err);
	if (ret)
		return ret;
	find_paths(lb);
	lb->cookie = read_cookie();
	ret = make_dirs(lb->run_dir);
	if (ret)
		return lb_fail(err, ret, "%s: %s", lb->run_dir, strerror(-ret));
	drop_foreign_state(lb);
	ret = check_other_abi(lb, err);
	if (ret)
		return ret;
	ret = lb_kernel_open(lb, err);
	return ret == -ENOENT ? 0 : ret;
}

int lb_open(struct lb **out, const char *netns, struct lb_error *err)
{
	struct lb *lb = calloc(1, sizeof(*lb));
	int ret;

	if (!lb)
		return lb_fail(err, -ENOMEM, "out of memory");
	lb->lock_fd = -1;
	lb->kept_lock_fd = -1;
	lb->events_fd = -1;
	lb->clock_fd = -1;
	lb->cpus = libbpf_num_possible_cpus();
	lb_program_capture(NULL, 0);
	ret = open_instance(lb, netns, err);
	if (ret) {
		lb_close(lb);
		return ret;
	}
	*out = lb;
	return 0;
}

void lb_close(struct lb *lb)
{
	if (!lb)
		return;
	lb_kernel_close(lb);
	lb_route_close(lb);
	free(lb->host_routes.routes);
	if (lb->lock_fd >= 0 && lb->lock_fd != lb->kept_lock_fd)
		close(lb->lock_fd);
	if (lb->kept_lock_fd >= 0)
		close(lb->kept_lock_fd);
	if (lb->events_fd >= 0)
		close(lb->events_fd);
	free(lb);
}

const char *lb_pin_dir(const struct lb *lb)
{
	return lb->pin_dir;
}

const char *lb_state_path(const struct lb *lb)
{
	return lb->state_path;
}

bool lb_is_loaded(const struct lb *lb)
{
	return lb->is_loaded;
}

/* A command was killed after it had written the document: what it began is finished first. */
static void finish_killed(struct lb *lb)
{
	struct lb_error err;

	if (!lb->control->is_dirty)
		return;
	if (lb_apply_intent(lb, &err))
		lb_notice(lb, "an earlier command was cut off and cannot be finished: %s",
			  err.text);
	else
		lb_notice(lb, "finished what an earlier command that was cut off had begun");
}

int lb_lock(struct lb *lb, struct lb_error *err)
{
	const struct timespec step = { .tv_nsec = 20 * 1000 * 1000 };
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/lock", lb->run_dir);
	lb->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lb->lock_fd < 0)
		return lb_fail(err, -errno, "%s: %s", path, strerror(errno));
	for (int tries = LB_LOCK_WAIT_S * 50; flock(lb->lock_fd, LOCK_EX | LOCK_NB); tries--) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return lb_fail(err, -errno, "%s: %s", path, strerror(errno));
		if (tries == 0)
			return lb_fail(
				err, -EBUSY,
				"another command has held %s for %d s: try again, or find it with "
				"'fuser -v %s'",
				path, LB_LOCK_WAIT_S, path);
		nanosleep(&step, NULL);
	}
	/* While this one waited, another may have made or removed the maps. */
	lb_kernel_close(lb);
	ret = lb_kernel_open(lb, err);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	finish_killed(lb);
	return 0;
}

int lb_read_intent(struct lb *lb, struct lb_config **out, struct lb_error *err)
{
	struct lb_config *config;
	int ret;

	if (!access(lb->state_path, F_OK))
		return lb_config_read(out, lb->state_path, err);
	ret = errno;
	if (ret != ENOENT)
		return lb_fail(err, -ret, "%s: %s", lb->state_path, strerror(ret));
	config = lb_config_new();
	if (!config)
		return lb_fail(err, -ENOMEM, "out of memory");
	*out = config;
	return 0;
}
