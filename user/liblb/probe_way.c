// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a backend is probed through the datapath: from which of the host's addresses, and whether the
 * answers can come back at all. And what the datapath notes of a probe.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "netlink.h"

static struct lb_probe *probe_at(const struct lb *lb, __u8 proto, __u16 port)
{
	struct lb_probe_port *probes = &lb->probes[port];

	return proto == IPPROTO_TCP ? &probes->tcp : &probes->udp;
}

void lb_probe_mark(struct lb *lb, __u8 proto, __u16 port, __u32 number)
{
	struct lb_probe mark = { .mark = (__u16)(number + 1) };

	if (lb->is_loaded)
		__atomic_store(probe_at(lb, proto, port), &mark, __ATOMIC_RELAXED);
}

enum lb_reason lb_probe_fate(const struct lb *lb, __u8 proto, __u16 port)
{
	const struct lb_probe *probe = lb->is_loaded ? probe_at(lb, proto, port) : NULL;

	return probe ? __atomic_load_n(&probe->fate, __ATOMIC_RELAXED) : LB_R_NONE;
}

/* ---- the address that stands for clients ---------------------------------------------------- */

struct choice {
	const struct lb *lb;
	int family;
	__u32 except; /* the interface towards the backend */
	bool is_found;
	union lb_addr addr;
};

static bool is_balancing(const struct lb *lb, __u32 ifindex)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex == ifindex && !(lb->ports[i].flags & LB_P_AGENT))
			return true;
	return false;
}

static int parse_addr(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	struct choice *choice = data;
	const struct nlattr *attr;

	if (choice->is_found || head->ifa_family != choice->family ||
	    head->ifa_scope != RT_SCOPE_UNIVERSE || head->ifa_index == choice->except ||
	    head->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_SECONDARY) ||
	    !is_balancing(choice->lb, head->ifa_index))
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*head)) {
		const __u16 type = mnl_attr_get_type(attr);

		/* Of a point-to-point link IFA_ADDRESS is the other end's. */
		if (type != IFA_LOCAL && (type != IFA_ADDRESS || choice->family == AF_INET))
			continue;
		lb_netlink_read_addr(attr, &choice->addr);
		choice->is_found = true;
	}
	return MNL_CB_OK;
}

/*
 * The host's address on the clients' side: where the service's address is routed, else of another
 * attached interface than the backend's. Untouched where there is none.
 */
static void find_client_side(struct lb *lb, const union lb_addr *vip,
			     const struct lb_route_answer *to_backend, union lb_addr *out)
{
	struct choice choice = { .lb = lb,
				 .family = lb_netlink_family(vip),
				 .except = to_backend->ifindex };
	struct lb_route_answer to_vip = {};
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *head;

	if (!lb_route_get(lb, vip, &to_vip) && to_vip.ifindex != to_backend->ifindex &&
	    (to_vip.source.quads[0] || to_vip.source.quads[1]) &&
	    is_balancing(lb, to_vip.ifindex)) {
		*out = to_vip.source;
		return;
	}
	message->nlmsg_type = RTM_GETADDR;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifa_family = choice.family;
	if (!lb_netlink_talk(lb, message, parse_addr, &choice) && choice.is_found)
		*out = choice.addr;
}

/* ---- what stands in the way ----------------------------------------------------------------- */

/* The kernel takes the larger of the host's and the interface's. */
static int switch_of(const char *ifname, const char *key)
{
	char path[128];
	int all, own;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", ifname, key);
	own = lb_interface_read_switch(path);
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/all/%s", key);
	all = lb_interface_read_switch(path);
	return own > all ? own : all;
}

/* Whether answers from the service's address are taken where they come in. */
static int check_answers(struct lb *lb, const struct lb_service *service, const char *ifname,
			 __u32 ifindex, struct lb_error *err)
{
	char text[LB_ADDR_TEXT_SIZE];
	struct lb_route_answer to_vip = {};
	const int ret = lb_route_get(lb, &service->vip, &to_vip);
	const bool is_v4 = lb_addr_is_v4(&service->vip);
	const int filter = is_v4 ? switch_of(ifname, "rp_filter") : 0;

	lb_addr_format(&service->vip, text);
	if (!ret && to_vip.is_local && is_v4 && switch_of(ifname, "accept_local") < 1)
		return lb_fail(err, -EADDRINUSE,
			       "accept_local of %s is off, and %s is this host's own", ifname,
			       text);
	if (filter == 1 && (ret || to_vip.ifindex != ifindex))
		return lb_fail(err, -EPERM, "rp_filter of %s is strict, and %s is not routed there",
			       ifname, text);
	if (filter > 1 && ret)
		return lb_fail(err, -EPERM, "rp_filter of %s is on, and there is no route to %s",
			       ifname, text);
	return 0;
}

int lb_probe_way(struct lb *lb, __u32 number, struct lb_probe_way *out, struct lb_error *err)
{
	struct lb_probe_way way = { .number = number };
	struct lb_route_answer to_backend = {};
	const struct lb_backend *backend;
	struct lb_service service;
	char text[LB_ADDR_TEXT_SIZE], ifname[IF_NAMESIZE] = LB_PROBE_LINK;
	__u32 ifindex;
	int ret;

	if (!lb->is_loaded || number >= lb->meta->backends ||
	    !lb_service_get(lb, LB_READ(lb->backends[number].service), &service))
		return lb_fail(err, -ENOENT, "the maps have no such backend");
	backend = &lb->backends[number];
	way.vip = service.vip;
	way.port = ntohs(service.port);
	way.proto = service.proto;
	way.is_by_link = backend->mode == LB_MODE_FULLNAT;
	ifindex = if_nametoindex(LB_PROBE_LINK);
	if (!ifindex)
		return lb_fail(err, -ENODEV, LB_PROBE_LINK " is gone");
	ret = lb_route_get(lb, &backend->addr, &to_backend);
	if (ret)
		return lb_fail(err, ret, "no route to the backend: %s", strerror(-ret));
	if (!way.is_by_link) {
		ifindex = to_backend.ifindex;
		if (!if_indextoname(ifindex, ifname))
			return lb_fail(err, -ENODEV, "the interface to the backend is gone");
	}
	ret = check_answers(lb, &service, ifname, ifindex, err);
	if (ret)
		return ret;
	way.source = to_backend.source;
	/* A tunnel joins two families; the client is of the service's. */
	if (backend->mode == LB_MODE_NAT ||
	    lb_addr_is_v4(&way.source) != lb_addr_is_v4(&service.vip))
		find_client_side(lb, &service.vip, &to_backend, &way.source);
	if (lb_addr_is_v4(&way.source) != lb_addr_is_v4(&service.vip))
		return lb_fail(err, -EADDRNOTAVAIL, "this host has no address of the family of %s",
			       lb_addr_format(&service.vip, text));
	*out = way;
	return 0;
}
