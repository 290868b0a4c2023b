// SPDX-License-Identifier: GPL-2.0-only
/* Signs of a backend: who passes it over for how long, and the counters that lbd reads. */
#include "sign.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fetch.h"

#include "lb_abi.h"

/* The first waits are short: what failed by chance is no loss, and lbd has its answer soon. */
#define FAILED_MS 10u
#define FAILED_MAX_MS 1000u

struct fates {
	uint32_t count;
	struct lb_cache_fate *list;
};

static struct fates *_Atomic known;

int sign_map(int fd, uint32_t backends)
{
	struct fates *fates = malloc(sizeof(*fates));
	void *list = mmap(NULL, backends * sizeof(*fates->list), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);

	(void)close(fd);
	if (!fates || list == MAP_FAILED) {
		free(fates);
		return -ENOMEM;
	}
	*fates = (struct fates){ .count = backends, .list = list };
	/* Old ones stay, since threads write to them: one for each time that lbctl attaches anew.
	 */
	known = fates;
	return 0;
}

static __u64 *counter(struct lb_cache_fate *fate, enum sign sign)
{
	switch (sign) {
	case SIGN_ASKED:
		return &fate->asked;
	case SIGN_HEAD:
		return &fate->heads;
	case SIGN_WHOLE:
		return &fate->whole;
	case SIGN_UNCONNECTED:
		return &fate->unconnected;
	case SIGN_LATE:
		return &fate->late;
	case SIGN_CUT:
		return &fate->cut;
	case SIGN_MALFORMED:
		return &fate->malformed;
	default:
		return &fate->reserved;
	}
}

void sign_note(const struct backend *backend, enum sign sign)
{
	const struct fates *fates = known;

	if (fates && backend->number < fates->count && sign != SIGN_OURS)
		(void)__atomic_add_fetch(counter(&fates->list[backend->number], sign), 1,
					 __ATOMIC_RELAXED);
}

void sign_answered(struct backend *backend)
{
	backend->failures = 0;
	sign_note(backend, SIGN_WHOLE);
}

void sign_failed(struct worker *worker, struct backend *backend, enum sign sign)
{
	const uint32_t wait =
		backend->failures < 7 ? FAILED_MS << backend->failures : FAILED_MAX_MS;

	backend->failures++;
	backend->failed_until_ms = worker->now_ms + wait;
	worker->counters.backend_failures++;
	sign_note(backend, sign);
}
