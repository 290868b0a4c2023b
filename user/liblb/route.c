// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the kernel's routing table, and has the kernel keep next hops resolved: XDP cannot send ARP,
 * and a packet with the balancer's own source address could not be left to the kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "netlink.h"

int lb_netlink_family(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

size_t lb_netlink_length(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? 4 : 16;
}

const void *lb_netlink_data(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? (const void *)&addr->words[3] : (const void *)addr;
}

void lb_netlink_read_addr(const struct nlattr *attr, union lb_addr *out)
{
	if (mnl_attr_get_payload_len(attr) == 4) {
		lb_addr_from_v4(out, mnl_attr_get_u32(attr));
	} else if (mnl_attr_get_payload_len(attr) == sizeof(*out)) {
		memcpy(out, mnl_attr_get_payload(attr), sizeof(*out));
	}
}

/* Sends one request and reads its answers to the end; parse may be NULL. */
int lb_netlink_talk(struct lb *lb, struct nlmsghdr *message, mnl_cb_t parse, void *data)
{
	const bool is_dump = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	static __u32 sequence;
	char buffer[32768];
	ssize_t length;
	int more;

	if (!lb->netlink) {
		lb->netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
		if (!lb->netlink)
			return -errno;
		if (mnl_socket_bind(lb->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
			return -errno;
	}
	message->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(lb->netlink, message, message->nlmsg_len) < 0)
		return -errno;
	do {
		length = mnl_socket_recvfrom(lb->netlink, buffer, sizeof(buffer));
		if (length < 0)
			return -errno;
		more = mnl_cb_run(buffer, length, message->nlmsg_seq,
				  mnl_socket_get_portid(lb->netlink), parse, data);
	} while (is_dump && more > MNL_CB_STOP);
	return more < 0 ? -errno : 0;
}

void lb_route_close(struct lb *lb)
{
	if (lb->netlink)
		mnl_socket_close(lb->netlink);
	lb->netlink = NULL;
}

static __u32 read_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics) if (mnl_attr_get_type(attr) ==
						    RTAX_MTU) return mnl_attr_get_u32(attr);
	return 0;
}

static int parse_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct lb_route_answer *out = data;
	const struct nlattr *attr;

	out->is_local = route->rtm_type == RTN_LOCAL;
	if (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*route)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			out->ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_PREFSRC:
			lb_netlink_read_addr(attr, &out->source);
			break;
		case RTA_GATEWAY:
			lb_netlink_read_addr(attr, &out->next_hop);
			break;
		case RTA_METRICS:
			out->mtu = read_mtu(attr);
			break;
		}
	}
	return MNL_CB_OK;
}

/* Answers the route's interface, source and next hop; -EHOSTUNREACH, -ENETUNREACH, … as the kernel
 * says. */
int lb_route_get(struct lb *lb, const union lb_addr *addr, struct lb_route_answer *out)
{
	char buffer[512];
	struct lb_route_answer found = { .next_hop = *addr };
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct rtmsg *route;
	int ret;

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = lb_netlink_family(addr);
	route->rtm_dst_len = lb_netlink_length(addr) * 8;
	mnl_attr_put(message, RTA_DST, lb_netlink_length(addr), lb_netlink_data(addr));
	ret = lb_netlink_talk(lb, message, parse_route, &found);
	if (!ret && !found.ifindex)
		ret = -EHOSTUNREACH;
	if (!ret)
		*out = found;
	return ret;
}

static int parse_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);

	*(__u16 *)data = neighbour->ndm_state;
	return MNL_CB_OK;
}

static struct ndmsg *put_neighbour(struct nlmsghdr *message, __u16 type, __u16 flags, __u32 ifindex,
				   const union lb_addr *addr)
{
	struct ndmsg *neighbour;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
	neighbour->ndm_family = lb_netlink_family(addr);
	neighbour->ndm_ifindex = (int)ifindex;
	mnl_attr_put(message, NDA_DST, lb_netlink_length(addr), lb_netlink_data(addr));
	return neighbour;
}

int lb_neighbour_manage(struct lb *lb, __u32 ifindex, const union lb_addr *addr, bool is_on)
{
	char buffer[512];
	__u16 state = 0;

	put_neighbour(mnl_nlmsg_put_header(buffer), RTM_GETNEIGH, 0, ifindex, addr);
	if (lb_netlink_talk(lb, (struct nlmsghdr *)buffer, parse_neighbour, &state))
		state = 0;
	/* What the operator pinned stays as it is. */
	if (state & (NUD_PERMANENT | NUD_NOARP))
		return 0;
	if (!is_on) {
		put_neighbour(mnl_nlmsg_put_header(buffer), RTM_DELNEIGH, NLM_F_ACK, ifindex, addr);
		return lb_netlink_talk(lb, (struct nlmsghdr *)buffer, NULL, NULL);
	}
	put_neighbour(mnl_nlmsg_put_header(buffer), RTM_NEWNEIGH,
		      NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, ifindex, addr);
	mnl_attr_put_u32((struct nlmsghdr *)buffer, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return lb_netlink_talk(lb, (struct nlmsghdr *)buffer, NULL, NULL);
}
