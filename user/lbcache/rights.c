// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving up rights. lbd's filter names what is refused, since its checks start programs; this
 * process does a fixed set of things, so its filter names what is allowed.
 */
#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <seccomp.h>

static const int allowed[] = {
	/* connections */
	SCMP_SYS(accept4),
	SCMP_SYS(accept),
	SCMP_SYS(socket),
	SCMP_SYS(connect),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(listen),
	/* descriptors that are open */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	/* waiting */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(getrandom),
	/* the end */
	SCMP_SYS(unlink),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
};

/* holder.c */
static const int allowed_to_holder[] = { SCMP_SYS(pidfd_open), SCMP_SYS(close_range) };

/* Memory that may be written is never run. */
static const int allowed_without_exec[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };

/* A process with the same memory and the same filter, no other. */
static int allow_holder(scmp_filter_ctx filter)
{
	int ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_EQ, CLONE_VM));

	for (size_t i = 0; !ret && i < sizeof(allowed_to_holder) / sizeof(int); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_to_holder[i], 0);
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				       SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	return ret;
}

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret = filter ? 0 : -ENOMEM;

	/* The threads run already. */
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; !ret && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !ret && i < sizeof(allowed_without_exec) / sizeof(int); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_without_exec[i], 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = allow_holder(filter);
	if (!ret)
		ret = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return ret;
}

static int find_user(const char *name, const struct passwd **out)
{
	errno = 0;
	/* No other thread asks. */
	/* cppcheck-suppress getpwnamCalled */
	*out = getpwnam(name);
	if (*out)
		return 0;
	return errno ? -errno : -ESRCH;
}

int rights_look(const char *user)
{
	const struct passwd *found;

	return geteuid() ? 0 : find_user(user, &found);
}

static int become(const char *name)
{
	const struct passwd *user;
	int ret = find_user(name, &user);

	if (ret)
		return ret;
	if (setgroups(0, NULL) || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
		return -errno;
	return 0;
}

int rights_drop(const char *user, const char **what)
{
	int ret = geteuid() == 0 ? become(user) : 0;

	*what = user;
	if (ret)
		return ret;
	*what = "the filter of system calls";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return filter_calls();
}
