// SPDX-License-Identifier: GPL-2.0-only
/* What a backend's mode needs of the way to it, asked before anything is written. */
#include <errno.h>
#include <net/if.h>

#include "config.h"
#include "internal.h"

static bool has_rigid_port(const struct lb *lb)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex && lb->ports[i].flags & LB_P_RIGID)
			return true;
	return false;
}

/* What every link must carry (RFC 8200, 5), and what every IPv4 host must take (RFC 791). */
#define LEAST_V6 1280u
#define LEAST_V4 576u

static __u32 outer_bytes(enum lb_mode mode, const union lb_addr *addr)
{
	return (lb_addr_is_v4(addr) ? 20 : 40) + (mode == LB_MODE_GUE ? 8 : 0);
}

/* A client whose smallest packets do not fit could do nothing about it. */
static int check_room(const struct lb_service_config *config,
		      const struct lb_backend_change *backend, enum lb_mode mode,
		      struct lb_error *err)
{
	const bool is_v4 = lb_addr_is_v4(&config->vip);
	const __u32 least = is_v4 ? LEAST_V4 : LEAST_V6;
	const __u32 outer = outer_bytes(mode, &backend->config->addr);
	struct lb_interface interface = {};
	char text[LB_ADDR_TEXT_SIZE], ifname[IF_NAMESIZE] = "?";
	__u32 mtu = backend->route.mtu;

	if (if_indextoname(backend->route.ifindex, ifname) && !mtu &&
	    !lb_interface_get(ifname, &interface, NULL))
		mtu = interface.mtu;
	if (!mtu || mtu >= least + outer)
		return 0;
	return lb_fail(err, -EINVAL,
		       "backend %s of service %s: the way to it carries %u bytes and mode %s takes "
		       "%u of them, so %u are missing for %s packets of %u: raise the MTU of %s or "
		       "of the route",
		       lb_addr_format(&backend->config->addr, text), config->name, mtu,
		       lb_mode_name(mode), outer, least + outer - mtu, lb_family_name(&config->vip),
		       least, ifname);
}

int lb_reach_check(const struct lb *lb, const struct lb_service_config *config,
		   const struct lb_backend_change *backend, struct lb_error *err)
{
	const enum lb_mode mode = lb_backend_mode(config, backend->config);
	const union lb_addr *addr = &backend->config->addr;
	char text[LB_ADDR_TEXT_SIZE], gateway[LB_ADDR_TEXT_SIZE];

	lb_addr_format(addr, text);
	/* A route may be away for a moment when everything is put into force anew. */
	if (!lb->is_refresh && (mode == LB_MODE_FULLNAT || lb_mode_is_tunnel(mode)) &&
	    !backend->has_route && !lb_backend_has_pool(config, backend->config))
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
	if (lb_mode_is_tunnel(mode) && !lb->is_refresh && backend->has_route) {
		const int ret = check_room(config, backend, mode, err);

		if (ret)
			return ret;
	}
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
