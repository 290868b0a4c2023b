// SPDX-License-Identifier: GPL-2.0-only
/* See service_manager.h. Without a manager nothing is told, and it only waits. */
#include "service_manager.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "reader.h"
#include "worker.h"

struct rounds {
	uint64_t turns[WORKERS_MAX]; /* as they were counted last */
};

static bool have_all_turned(const struct server *server, struct rounds *before)
{
	bool have = true;

	for (unsigned int i = 0; i < server->worker_count; i++) {
		const uint64_t turns =
			__atomic_load_n(&server->workers[i]->turns, __ATOMIC_ACQUIRE);

		have = have && turns != before->turns[i];
		before->turns[i] = turns;
	}
	return have;
}

/* Half of the time after which it would be taken for dead; NULL: nobody watches. */
static const struct timespec *find_period(struct timespec *period)
{
	uint64_t limit_us;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return NULL;
	*period = (struct timespec){ .tv_sec = (time_t)(limit_us / 2000000),
				     .tv_nsec = (long)(limit_us / 2 % 1000000) * 1000 };
	return period;
}

void serve_until(struct server *server, const sigset_t *signals)
{
	struct rounds rounds = { 0 };
	struct timespec time;
	const struct timespec *period = find_period(&time);

	(void)have_all_turned(server, &rounds);
	(void)sd_notify(0, "READY=1");
	/* No period: for ever. */
	for (;;) {
		const int signal = sigtimedwait(signals, NULL, period);

		if (signal == SIGHUP)
			certificates_renew(server);
		else if (signal > 0)
			break;
		else if (errno == EAGAIN && have_all_turned(server, &rounds))
			(void)sd_notify(0, "WATCHDOG=1");
	}
	(void)sd_notify(0, "STOPPING=1");
}
