// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses that are this host's only because a process here answers for them: routes of type local
 * to lo, told from all others by their protocol number, so that nothing else has to remember them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "local.h"
#include "netlink.h"

#define ROUTE_PROTOCOL 108 /* 'ip route show table local' names it so */
#define LOOPBACK_IFINDEX 1

static __u8 own_bits(const struct lb_host_route *route)
{
	return lb_addr_is_v4(&route->addr) ? route->prefix - 96 : route->prefix;
}

static const char *format(const struct lb_host_route *route, char buf[LB_ADDR_TEXT_SIZE + 8])
{
	char text[LB_ADDR_TEXT_SIZE];

	lb_addr_format(&route->addr, text);
	if (route->prefix == 128)
		snprintf(buf, LB_ADDR_TEXT_SIZE, "%s", text);
	else
		snprintf(buf, LB_ADDR_TEXT_SIZE + 8, "%s/%u", text, own_bits(route));
	return buf;
}

static bool is_same(const struct lb_host_route *a, const struct lb_host_route *b)
{
	return a->prefix == b->prefix && lb_addr_is_equal(&a->addr, &b->addr);
}

static bool is_among(const struct lb_host_routes *list, const struct lb_host_route *route)
{
	for (unsigned int i = 0; i < list->count; i++)
		if (is_same(&list->routes[i], route))
			return true;
	return false;
}

static int append(struct lb_host_routes *list, const struct lb_host_route *route)
{
	struct lb_host_route *grown =
		realloc(list->routes, (list->count + 1) * sizeof(*list->routes));

	if (!grown)
		return -ENOMEM;
	list->routes = grown;
	grown[list->count++] = *route;
	return 0;
}

static int parse_own(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct lb_host_route route = {};
	const struct nlattr *attr;

	if (head->rtm_type != RTN_LOCAL || head->rtm_protocol != ROUTE_PROTOCOL ||
	    head->rtm_table != RT_TABLE_LOCAL)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, message, sizeof(*head)) {
		if (mnl_attr_get_type(attr) == RTA_DST)
			lb_netlink_read_addr(attr, &route.addr);
	}
	route.prefix = head->rtm_dst_len + (head->rtm_family == AF_INET ? 96 : 0);
	return append(data, &route) ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Those that this library made, into lb->host_routes. */
static int read_own(struct lb *lb)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char buffer[256];
	int ret = 0;

	free(lb->host_routes.routes);
	lb->host_routes = (struct lb_host_routes){};
	for (int i = 0; !ret && i < 2; i++) {
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		struct rtmsg *head;

		message->nlmsg_type = RTM_GETROUTE;
		message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
		head->rtm_family = families[i];
		ret = lb_netlink_talk(lb, message, parse_own, &lb->host_routes);
	}
	return ret;
}

static int change(struct lb *lb, const struct lb_host_route *route, bool is_on)
{
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct rtmsg *head;

	message->nlmsg_type = is_on ? RTM_NEWROUTE : RTM_DELROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (is_on ? NLM_F_CREATE | NLM_F_EXCL : 0);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtm_family = lb_netlink_family(&route->addr);
	head->rtm_dst_len = own_bits(route);
	head->rtm_table = RT_TABLE_LOCAL;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_scope = RT_SCOPE_HOST;
	head->rtm_type = RTN_LOCAL;
	mnl_attr_put(message, RTA_DST, lb_netlink_length(&route->addr),
		     lb_netlink_data(&route->addr));
	mnl_attr_put_u32(message, RTA_OIF, LOOPBACK_IFINDEX);
	return lb_netlink_talk(lb, message, NULL, NULL);
}

int lb_host_routes_add(struct lb *lb, const struct lb_host_routes *wanted, struct lb_error *err)
{
	char text[LB_ADDR_TEXT_SIZE + 8];
	int ret = read_own(lb);

	if (ret)
		return lb_fail(err, ret, "cannot read the table of local routes: %s",
			       strerror(-ret));
	for (unsigned int i = 0; !ret && i < wanted->count; i++) {
		const struct lb_host_route *route = &wanted->routes[i];
		struct lb_route_answer answer = {};

		format(route, text);
		/* An address that an interface has is local already, and stays when ours go. */
		if (is_among(&lb->host_routes, route) ||
		    (route->prefix == 128 && !lb_route_get(lb, &route->addr, &answer) &&
		     answer.is_local))
			continue;
		ret = change(lb, route, true) ?: append(&lb->host_routes, route);
		if (ret)
			return lb_fail(err, ret,
				       "%s cannot be made local to this host: %s; is lo up?", text,
				       strerror(-ret));
		lb_notice(lb,
			  "%s is local to this host now (route to lo), so that its processes can "
			  "answer for it%s",
			  text,
			  lb_addr_is_v4(&route->addr)
				  ? "; where lbctl is attached, ARP is answered only with 'arp on'"
				  : "");
	}
	return 0;
}

int lb_host_routes_trim(struct lb *lb, const struct lb_host_routes *wanted, struct lb_error *err)
{
	char text[LB_ADDR_TEXT_SIZE + 8];
	int ret = read_own(lb);

	if (ret)
		return lb_fail(err, ret, "cannot read the table of local routes: %s",
			       strerror(-ret));
	for (unsigned int i = 0; i < lb->host_routes.count; i++) {
		const struct lb_host_route *route = &lb->host_routes.routes[i];

		if (is_among(wanted, route))
			continue;
		ret = change(lb, route, false);
		format(route, text);
		if (ret && ret != -ESRCH)
			return lb_fail(err, ret, "%s cannot be made not local again: %s", text,
				       strerror(-ret));
		lb_notice(lb, "%s is not local to this host any more", text);
	}
	return read_own(lb);
}

bool lb_host_routes_has(const struct lb *lb, const union lb_addr *addr, __u8 prefix)
{
	const struct lb_host_route route = { *addr, prefix };

	return is_among(&lb->host_routes, &route);
}
