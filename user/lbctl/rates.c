// SPDX-License-Identifier: GPL-2.0-only
/* What happens each second: the difference of two readings of the live figures. */
#include <string.h>
#include <time.h>

#include "lbctl.h"

#define RATE_MS 250 /* between the two readings */

int session_two_stats(struct session *session, struct lb_stats **earlier, struct lb_stats **out)
{
	const struct timespec pause = { .tv_nsec = RATE_MS * 1000000l };
	int code = session_stats(session, earlier);

	*out = NULL;
	if (code || !*earlier)
		return code;
	(void)nanosleep(&pause, NULL);
	return session_need_stats(session, out);
}

__u64 rate_of(__u64 fresh)
{
	return fresh * 1000 / RATE_MS;
}

__u64 rate_of_backend(const struct lb_stats *earlier, const char *service,
		      const struct lb_backend_state *backend)
{
	const struct lb_backend_state *was;

	if (!backend)
		return LB_UNKNOWN;
	was = find_backend_state(find_service_state(earlier, service), &backend->config.addr,
				 backend->config.port, 0);
	if (!was || was->traffic.connections > backend->traffic.connections)
		return LB_UNKNOWN; /* added since, or anew */
	return rate_of(backend->traffic.connections - was->traffic.connections);
}
