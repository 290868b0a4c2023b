// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link that health probes take into the datapath: a veth pair with probe.bpf.c at its far end,
 * and for packets with lbd's mark a table of their own whose only ways lead there. It has no
 * addresses; both ends have one link address and no ARP, so that whatever is sent arrives.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>

#include "netlink.h"

#define FAR_END "lbprobe1"
#define TABLE 27746u /* "lb" */
#define ROUTE_PROTOCOL 108

static const __u8 link_addr[6] = { 0x02, 0x6c, 0x62, 0x70, 0x72, 0x00 };
static const int families[] = { AF_INET, AF_INET6 };

/* ---- requests ------------------------------------------------------------------------------- */

static struct nlmsghdr *begin(char *buffer, __u16 type, __u16 flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return message;
}

static int make_pair(struct lb *lb)
{
	char buffer[512];
	struct nlmsghdr *message = begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *peer;

	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_str(message, IFLA_IFNAME, LB_PROBE_LINK);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(link_addr), link_addr);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_str(message, IFLA_IFNAME, FAR_END);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(link_addr), link_addr);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return lb_netlink_talk(lb, message, NULL, NULL);
}

static int remove_pair(struct lb *lb)
{
	char buffer[256];
	struct nlmsghdr *message = begin(buffer, RTM_DELLINK, 0);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = (int)if_nametoindex(LB_PROBE_LINK);
	return link->ifi_index ? lb_netlink_talk(lb, message, NULL, NULL) : 0;
}

/* ---- the rule ------------------------------------------------------------------------------- */

/* With the first preference of all, behind what has it already. */
static int change_rule(struct lb *lb, int family, __u16 type, __u32 table)
{
	char buffer[256];
	struct nlmsghdr *message = begin(buffer, type, type == RTM_NEWRULE ? NLM_F_CREATE : 0);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(message, sizeof(*rule));

	rule->family = family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(message, FRA_TABLE, table);
	if (type == RTM_NEWRULE || table == RT_TABLE_LOCAL)
		mnl_attr_put_u32(message, FRA_PRIORITY, 0);
	if (type == RTM_NEWRULE && table == RT_TABLE_LOCAL)
		mnl_attr_put_u8(message, FRA_PROTOCOL, RTPROT_KERNEL);
	if (table != RT_TABLE_LOCAL) {
		mnl_attr_put_u32(message, FRA_FWMARK, LB_PROBE_MARK);
		mnl_attr_put_u32(message, FRA_FWMASK, ~0u);
	}
	return lb_netlink_talk(lb, message, NULL, NULL);
}

/* Rules that lead to the local table before all others, whatever packet it is. */
static int count_local(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(message);
	unsigned int *count = data;
	const struct nlattr *attr;
	bool is_first = !rule->src_len && !rule->dst_len;

	mnl_attr_for_each (attr, message, sizeof(*rule)) {
		const __u16 type = mnl_attr_get_type(attr);

		if ((type == FRA_PRIORITY && mnl_attr_get_u32(attr)) || type == FRA_FWMARK)
			is_first = false;
	}
	*count += is_first && rule->table == RT_TABLE_LOCAL;
	return MNL_CB_OK;
}

/*
 * Before the local table, too, so that a service's address that is this host's own, as lbcache
 * needs it, is asked through the datapath like any other. The kernel puts a rule behind those of
 * its preference: so the one of the local table is added once more, and then taken away before
 * it. There is no moment without.
 */
static int add_rule(struct lb *lb, int family)
{
	unsigned int count = 0;
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct fib_rule_hdr *head;
	int ret = change_rule(lb, family, RTM_NEWRULE, TABLE);

	message->nlmsg_type = RTM_GETRULE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->family = family;
	if (!ret)
		ret = lb_netlink_talk(lb, message, count_local, &count);
	if (!ret && count) /* else somebody has moved it already */
		ret = change_rule(lb, family, RTM_NEWRULE, RT_TABLE_LOCAL);
	for (; !ret && count; count--)
		ret = change_rule(lb, family, RTM_DELRULE, RT_TABLE_LOCAL);
	return ret;
}

/* ---- routes --------------------------------------------------------------------------------- */

/* ifindex 0: nowhere, so that a probe without its link does not go the host's other ways. */
static int add_route(struct lb *lb, int family, __u32 ifindex)
{
	char buffer[256];
	struct nlmsghdr *message = begin(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));

	route->rtm_family = family;
	route->rtm_protocol = ROUTE_PROTOCOL;
	route->rtm_scope = ifindex && family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	route->rtm_type = ifindex ? RTN_UNICAST : RTN_UNREACHABLE;
	mnl_attr_put_u32(message, RTA_TABLE, TABLE);
	mnl_attr_put_u32(message, RTA_PRIORITY, ifindex ? 1 : 0xffff);
	if (ifindex)
		mnl_attr_put_u32(message, RTA_OIF, ifindex);
	return lb_netlink_talk(lb, message, NULL, NULL);
}

static void remove_route(struct lb *lb, int family)
{
	char buffer[256];
	struct nlmsghdr *message = begin(buffer, RTM_DELROUTE, 0);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));

	route->rtm_family = family;
	route->rtm_scope = RT_SCOPE_NOWHERE;
	mnl_attr_put_u32(message, RTA_TABLE, TABLE);
	(void)lb_netlink_talk(lb, message, NULL, NULL);
}

/* ---- the two ends --------------------------------------------------------------------------- */

static void set(const char *ifname, const char *family, const char *key, int value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
	lb_interface_switch(path, value);
}

/* The near end takes answers whose source is the service's address, wherever that is routed. */
static void set_switches(void)
{
	static const char *const ends[] = { LB_PROBE_LINK, FAR_END };

	for (int i = 0; i < 2; i++) {
		set(ends[i], "ipv4", "rp_filter", 0);
		set(ends[i], "ipv4", "accept_local", 1);
		set(ends[i], "ipv6", "addr_gen_mode", 1);
		set(ends[i], "ipv6", "accept_ra", 0);
	}
	/* The kernel's routing answers XDP only there. */
	set(FAR_END, "ipv4", "forwarding", 1);
	set(FAR_END, "ipv6", "force_forwarding", 1);
	set(FAR_END, "ipv6", "forwarding", 1);
}

static int bring_up(int fd, const char *ifname)
{
	/* XDP needs checksums that are complete, and redirects to here a NAPI to end in. */
	struct ethtool_value settings[] = { { .cmd = ETHTOOL_STXCSUM, .data = 0 },
					    { .cmd = ETHTOOL_SGRO, .data = 1 } };
	struct ifreq request = {};

	strncpy(request.ifr_name, ifname, IFNAMSIZ - 1);
	for (int i = 0; i < 2; i++) {
		request.ifr_data = (void *)&settings[i];
		if (ioctl(fd, SIOCETHTOOL, &request))
			return -errno;
	}
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return -errno;
	request.ifr_flags |= IFF_UP | IFF_NOARP;
	return ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
}

static int bring_up_both(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = bring_up(fd, LB_PROBE_LINK) ?: bring_up(fd, FAR_END);
	close(fd);
	return ret;
}

/* Generic mode: what it sends on leaves by any interface, whatever that one's driver can. */
static int put_program(struct lb *lb, struct lb_error *err)
{
	struct lb_port *port = &lb->ports[LB_PORT_PROBE];
	struct lb_interface interface;
	int fd, ret = lb_interface_get(FAR_END, &interface, err);

	if (ret)
		return ret;
	ret = lb_program_load_probe(lb, &fd, err);
	if (ret)
		return ret;
	ret = bpf_xdp_attach((int)interface.ifindex, fd, XDP_FLAGS_SKB_MODE, NULL);
	close(fd);
	if (ret)
		return lb_fail(err, ret, FAR_END " refuses XDP: %s", strerror(-ret));
	if (bpf_map_update_elem(lb->maps[LB_MAP_EGRESS].fd, &interface.ifindex, &interface.ifindex,
				0))
		return lb_fail(err, -errno, FAR_END " cannot be a target of redirects: %s",
			       strerror(errno));
	*port = (struct lb_port){ .number = LB_PORT_PROBE, .mtu = interface.mtu };
	memcpy(port->mac, interface.mac, sizeof(port->mac));
	port->ifindex = interface.ifindex;
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void take_down(struct lb *lb)
{
	for (int i = 0; i < 2; i++) {
		/* Killed again and again, lbd may have left some. */
		while (!change_rule(lb, families[i], RTM_DELRULE, TABLE))
			;
		remove_route(lb, families[i]);
	}
	(void)remove_pair(lb);
}

int lb_probe_open(struct lb *lb, struct lb_error *err)
{
	__u32 ifindex;
	int ret;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached");
	take_down(lb);
	ret = make_pair(lb);
	if (ret)
		return lb_fail(err, ret, "the veth pair " LB_PROBE_LINK ": %s", strerror(-ret));
	set_switches();
	ret = bring_up_both();
	ifindex = if_nametoindex(LB_PROBE_LINK);
	if (!ret)
		ret = add_route(lb, AF_INET, 0) ?: add_route(lb, AF_INET, ifindex)
						?: add_rule(lb, AF_INET);
	/* A host without IPv6 has no probes over it either. */
	if (!ret && !access("/proc/sys/net/ipv6/conf/" LB_PROBE_LINK, F_OK))
		ret = add_route(lb, AF_INET6, 0) ?: add_route(lb, AF_INET6, ifindex)
						 ?: add_rule(lb, AF_INET6);
	if (ret)
		lb_fail(err, ret, "the way to " LB_PROBE_LINK ": %s", strerror(-ret));
	else
		ret = put_program(lb, err);
	if (ret)
		take_down(lb);
	return ret;
}

void lb_probe_remove(void)
{
	struct lb scratch = {};

	take_down(&scratch);
	lb_route_close(&scratch);
}
