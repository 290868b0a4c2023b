// SPDX-License-Identifier: GPL-2.0-only
/* What a backend's mode needs of the way to it, asked before anything is written. */
#include <errno.h>

#include "config.h"
#include "internal.h"

static bool has_rigid_port(const struct lb *lb)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex && lb->ports[i].flags & LB_P_RIGID)
			return true;
	return false;
}

int lb_reach_check(const struct lb *lb, const struct lb_service_config *config,
		   const struct lb_backend_change *backend, struct lb_error *err)
{
	const enum lb_mode mode = lb_backend_mode(config, backend->config);
	const union lb_addr *addr = &backend->config->addr;
	char text[LB_ADDR_TEXT_SIZE], gateway[LB_ADDR_TEXT_SIZE];

	lb_addr_format(addr, text);
	if ((mode == LB_MODE_FULLNAT || lb_mode_is_tunnel(mode)) && !backend->has_route &&
	    !lb_backend_has_pool(config, backend->config))
		return lb_fail(err, -EHOSTUNREACH,
			       "backend %s of service %s: no route to it, so %s has no source "
			       "address: add a route, or set '%s' on the service",
			       text, config->name,
			       mode == LB_MODE_FULLNAT ? "full NAT" : "the tunnel",
			       mode == LB_MODE_FULLNAT ? "source ADDR" : "tunnel-source PREFIX");
	if (lb_mode_is_tunnel(mode) && !lb->is_refresh && has_rigid_port(lb))
		return lb_fail(err, -EOPNOTSUPP,
			       "backend %s of service %s: mode %s makes packets larger, which "
			       "libxdp's dispatcher does not allow an attached program: 'lbctl "
			       "detach all', add the backend, and attach again, then without the "
			       "dispatcher",
			       text, config->name, lb_mode_name(mode));
	/* A route may be away for a moment when everything is put into force anew. */
	if (lb->is_refresh || !backend->has_route || mode != LB_MODE_DSR)
		return 0;
	if (!backend->route.is_local && !lb_addr_is_equal(&backend->route.next_hop, addr))
		return lb_fail(err, -EHOSTUNREACH,
			       "backend %s of service %s: mode dsr needs it on a network of this "
			       "host, and it is behind %s: use mode ipip or gue",
			       text, config->name,
			       lb_addr_format(&backend->route.next_hop, gateway));
	return 0;
}
