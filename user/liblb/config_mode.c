// SPDX-License-Identifier: GPL-2.0-only
/* What a mode allows in the document: which families and ports of service and backend go together.
 */
#include <errno.h>
#include <netinet/in.h>

#include "config.h"

/* Of a service of several ports or addresses. */
static int check_wide(const struct lb_service_config *service,
		      const struct lb_backend_config *backend, struct lb_error *err)
{
	const enum lb_mode mode = lb_backend_mode(service, backend);
	char text[LB_ADDR_TEXT_SIZE], front[LB_FRONT_TEXT_SIZE];

	lb_endpoint_format(&backend->addr, backend->port, text);
	lb_front_format(service, front);
	if (mode == LB_MODE_NAT || mode == LB_MODE_FULLNAT)
		return lb_fail(err, -EINVAL,
			       "backend %s: in mode %s an answer does not show which part of %s "
			       "the client asked for; dsr, ipip, gue and local can serve it",
			       text, lb_mode_name(mode), front);
	if (!service->port_last || !backend->port)
		return 0;
	if (lb_mode_keeps_packet(mode) || service->proto == IPPROTO_UDP)
		return lb_fail(err, -EINVAL,
			       "backend %s: mode %s leaves each of the ports of %s as it is; leave "
			       "the backend's port out",
			       text, lb_mode_name(mode), front);
	return 0;
}

int lb_mode_check(const struct lb_service_config *service, const struct lb_backend_config *backend,
		  struct lb_error *err)
{
	const enum lb_mode mode = lb_backend_mode(service, backend);
	const __u16 port = lb_backend_port(service, backend) ?: service->port;
	char text[LB_ADDR_TEXT_SIZE];

	if (lb_front_is_wide(service) && check_wide(service, backend, err))
		return -EINVAL;
	if (lb_front_covers(service, &backend->addr, port))
		return lb_fail(err, -EINVAL, "backend %s is the service's own address and port",
			       lb_endpoint_format(&backend->addr, port, text));
	if (lb_mode_keeps_packet(mode) && port != service->port)
		return lb_fail(err, -EINVAL,
			       "backend %s: mode %s leaves the packet as it is, so the port is the "
			       "service's, %u; leave it out",
			       lb_endpoint_format(&backend->addr, port, text), lb_mode_name(mode),
			       service->port);
	if (mode == LB_MODE_LOCAL && service->proto == IPPROTO_UDP && port != service->port)
		return lb_fail(err, -EINVAL,
			       "backend %s is local and answers from its own port, which for udp "
			       "must be the service's, %u; several processes can listen at "
			       "127.0.0.1, 127.0.0.2, ...",
			       lb_endpoint_format(&backend->addr, port, text), service->port);
	if (lb_mode_keeps_packet(mode) ||
	    lb_addr_is_v4(&backend->addr) == lb_addr_is_v4(&service->vip))
		return 0;
	return lb_fail(err, -EINVAL,
		       "backend %s is %s but the service's address is %s; mode %s cannot bridge "
		       "address families, ipip and gue can",
		       lb_addr_format(&backend->addr, text), lb_family_name(&backend->addr),
		       lb_family_name(&service->vip), lb_mode_name(mode));
}
