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

const struct lb_service_state *find_service_state(const struct lb_stats *stats, const char *name)
{
	for (unsigned int i = 0; stats && i < stats->service_count; i++) {
		if (!strcmp(stats->services[i].config.name, name))
			return &stats->services[i];
	}
	return NULL;
}

const struct lb_backend_state *find_backend_state(const struct lb_service_state *state,
						  const union lb_addr *addr, __u16 port,
						  unsigned int index)
{
	for (unsigned int i = 0; state && i < state->backend_count; i++) {
		const struct lb_backend_state *backend =
			&state->backends[(index + i) % state->backend_count];

		if (backend->config.port == port && lb_addr_is_equal(&backend->config.addr, addr))
			return backend;
	}
	return NULL;
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
