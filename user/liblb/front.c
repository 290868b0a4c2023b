// SPDX-License-Identifier: GPL-2.0-only
/*
 * What clients connect to: an address or a prefix, and a port, a range or all ports. Its words, and
 * what it covers. Knows no kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define PORT_MOST 65535u

static int parse_port(const char *text, size_t length, __u16 *out)
{
	unsigned int port = 0;

	if (!length || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	if (!port || port > PORT_MOST)
		return -EINVAL;
	*out = (__u16)port;
	return 0;
}

/* "80", "5000-5999" or "*". */
static int parse_ports(const char *text, __u16 *first, __u16 *last)
{
	const char *dash = strchr(text, '-');

	if (!strcmp(text, "*")) {
		*first = 1;
		*last = PORT_MOST;
		return 0;
	}
	if (!dash) {
		*last = 0;
		return parse_port(text, strlen(text), first);
	}
	if (parse_port(text, (size_t)(dash - text), first) ||
	    parse_port(dash + 1, strlen(dash + 1), last) || *last < *first)
		return -EINVAL;
	if (*last == *first)
		*last = 0;
	return 0;
}

/* The address of a prefix: without its length, between brackets as before. */
static int take_length(const char *text, const char *slash, size_t end,
		       char host[LB_PREFIX_TEXT_SIZE + 2], struct lb_service_config *out)
{
	char prefix[LB_PREFIX_TEXT_SIZE];
	struct lb_prefix parsed;
	const bool has_brackets = text[0] == '[';

	if (end >= LB_PREFIX_TEXT_SIZE)
		return -EINVAL;
	(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - 2 * has_brackets),
		       text + has_brackets);
	if (lb_prefix_parse(prefix, &parsed) || has_brackets == lb_addr_is_v4(&parsed.addr))
		return -EINVAL;
	out->vip_length =
		parsed.length < (lb_addr_is_v4(&parsed.addr) ? 32 : 128) ? parsed.length : 0;
	(void)snprintf(host, LB_PREFIX_TEXT_SIZE + 2, "%.*s%s", (int)(slash - text), text,
		       has_brackets ? "]" : "");
	return 0;
}

int lb_front_parse(const char *text, struct lb_service_config *service, struct lb_error *err)
{
	const char *closing = text[0] == '[' ? strchr(text, ']') : NULL;
	const size_t end = closing ? (size_t)(closing + 1 - text) : strcspn(text, ":");
	const char *slash = memchr(text, '/', end);
	struct lb_service_config front = {};
	char host[LB_PREFIX_TEXT_SIZE + 2];
	const char *ports = text[end] == ':' ? text + end + 1 : NULL;
	__u16 none;
	int ret;

	if (!slash && (!ports || !strpbrk(ports, "-*"))) {
		ret = lb_endpoint_parse(text, &front.vip, &front.port, NULL, err);
		if (ret)
			return ret;
	} else if (slash && take_length(text, slash, end, host, &front)) {
		return lb_fail(err, -EINVAL,
			       "'%.80s' is no prefix with a port, expected as 192.0.2.0/24:80 or "
			       "[2001:db8::/64]:80, without bits behind the length",
			       text);
	} else {
		if (!slash)
			(void)snprintf(host, sizeof(host), "%.*s",
				       (int)(end < LB_PREFIX_TEXT_SIZE ? end : 0), text);
		(void)snprintf(host + strlen(host), sizeof(host) - strlen(host), ":1");
		if (!ports || parse_ports(ports, &front.port, &front.port_last))
			return lb_fail(err, -EINVAL,
				       "'%.80s': port '%.20s' is not a number from 1 to 65535, a "
				       "range as 5000-5999, or *",
				       text, ports ? ports : "");
		ret = lb_endpoint_parse(host, &front.vip, &none, NULL, err);
		if (ret)
			return ret;
	}
	service->vip = front.vip;
	service->vip_length = front.vip_length;
	service->port = front.port;
	service->port_last = front.port_last;
	return 0;
}

const char *lb_front_format(const struct lb_service_config *service, char buf[LB_FRONT_TEXT_SIZE])
{
	const bool is_v4 = lb_addr_is_v4(&service->vip);
	char addr[LB_ADDR_TEXT_SIZE], length[8] = "", ports[16];

	lb_addr_format(&service->vip, addr);
	if (service->vip_length)
		(void)snprintf(length, sizeof(length), "/%u", service->vip_length);
	if (service->port == 1 && service->port_last == PORT_MOST)
		(void)snprintf(ports, sizeof(ports), "*");
	else if (service->port_last)
		(void)snprintf(ports, sizeof(ports), "%u-%u", service->port, service->port_last);
	else
		(void)snprintf(ports, sizeof(ports), "%u", service->port);
	(void)snprintf(buf, LB_FRONT_TEXT_SIZE, "%s%.46s%s%s:%s", is_v4 ? "" : "[", addr, length,
		       is_v4 ? "" : "]", ports);
	return buf;
}

bool lb_front_is_wide(const struct lb_service_config *service)
{
	return service->vip_length || service->port_last;
}

__u32 lb_front_length(const union lb_addr *vip, __u8 vip_length)
{
	if (!vip_length)
		return 128;
	return lb_addr_is_v4(vip) ? vip_length + 96u : vip_length;
}

bool lb_front_covers(const struct lb_service_config *service, const union lb_addr *addr, __u16 port)
{
	const __u16 last = service->port_last ? service->port_last : service->port;
	union lb_addr prefix;

	lb_addr_mask(&prefix, addr, lb_front_length(&service->vip, service->vip_length));
	return lb_addr_is_equal(&prefix, &service->vip) && port >= service->port && port <= last;
}

static __u32 width_of(const struct lb_service_config *service)
{
	return service->port_last ? service->port_last - service->port : 0;
}

const struct lb_service_config *lb_front_find(const struct lb_config *config, __u8 proto,
					      const union lb_addr *addr, __u16 port)
{
	const struct lb_service_config *best = NULL;
	__u32 best_length = 0;

	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];
		const __u32 length = lb_front_length(&service->vip, service->vip_length);

		if (service->proto != proto || !lb_front_covers(service, addr, port))
			continue;
		if (!best || length > best_length ||
		    (length == best_length && width_of(service) < width_of(best))) {
			best = service;
			best_length = length;
		}
	}
	return best;
}
