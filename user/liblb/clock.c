// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's clock as programs read it, and the wait for packets that are under way. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include <bpf/bpf.h>

#include "internal.h"

#define SETTLE_FALLBACK_MS 100

__u64 lb_kernel_jiffies(const struct lb *lb)
{
	__u64 jiffies = 0;
	/* A syscall program answers in its input; the kernel refuses ctx_out. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &jiffies, .ctx_size_in = sizeof(jiffies));

	return bpf_prog_test_run_opts(lb->clock_fd, &opts) ? 0 : jiffies;
}

void lb_kernel_settle(void)
{
	const struct timespec wait = { .tv_nsec = SETTLE_FALLBACK_MS * 1000000l };

	/* The kernel waits for an RCU grace period; a packet's whole way is one read-side section.
	 */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&wait, NULL);
}
