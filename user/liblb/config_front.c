// SPDX-License-Identifier: GPL-2.0-only
/* What a service may say of its clients' side: protocol, port, and what goes with the protocol. */
#include <errno.h>
#include <netinet/in.h>

#include "config.h"

static int check_mss(const struct lb_service_config *service, struct lb_error *err)
{
	if (service->mss == LB_MSS_OFF || service->mss == LB_MSS_AUTO)
		return 0;
	if (service->proto != IPPROTO_TCP)
		return lb_fail(err, -EINVAL, "mss-clamp is for tcp only, this is udp");
	if (service->mss >= LB_MSS_LEAST && service->mss <= LB_MSS_MOST)
		return 0;
	return lb_fail(err, -ERANGE, "mss-clamp %u is out of range, expected %d to %d, auto or off",
		       service->mss, LB_MSS_LEAST, LB_MSS_MOST);
}

int lb_front_check(const struct lb_service_config *service, const char **key, struct lb_error *err)
{
	int ret;

	*key = "protocol";
	if (service->proto != IPPROTO_TCP && service->proto != IPPROTO_UDP)
		return lb_fail(err, -EINVAL, "protocol %u is unknown, expected tcp or udp",
			       service->proto);
	*key = "stateless";
	if (service->is_stateless && service->proto != IPPROTO_UDP)
		return lb_fail(err, -EINVAL, "stateless is for udp only, this is tcp");
	*key = "mss-clamp";
	ret = check_mss(service, err);
	if (ret)
		return ret;
	*key = "address";
	if (service->port == 0)
		return lb_fail(err, -EINVAL, "port 0 is not possible, expected 1 to 65535");
	return 0;
}
