// SPDX-License-Identifier: GPL-2.0-only
/* See holder.h. */
#include "holder.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "lbcache-memory"

static int owner = -1; /* a pidfd */
static char stack[16384] __attribute__((aligned(16)));

/* It shares the main thread's errno too: nothing here fails as long as there is such a thread. */
static int hold(void *arg)
{
	struct pollfd end = { .fd = owner, .events = POLLIN };

	(void)arg;
	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (owner > 0)
		(void)syscall(SYS_close_range, 0u, (unsigned int)owner - 1, 0u);
	(void)syscall(SYS_close_range, (unsigned int)owner + 1, ~0u, 0u);
	/* PR_SET_PDEATHSIG would wake it at the end of one thread, when others have files yet. */
	while (poll(&end, 1, -1) != 1)
		;
	return 0;
}

int holder_start(void)
{
	sigset_t all, before;
	int ret = 0;

	owner = (int)syscall(SYS_pidfd_open, getpid(), 0u);
	if (owner < 0)
		return -errno;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (clone(hold, stack + sizeof(stack), CLONE_VM, NULL) < 0)
		ret = -errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)close(owner);
	return ret;
}
