// SPDX-License-Identifier: GPL-2.0-only
/* What a service may say of its clients' side: protocol, port, and what goes with the protocol. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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

#define LEAST_V4 8u /* bits of a prefix: with fewer it is a mistake */
#define LEAST_V6 16u

static int check_address(const struct lb_service_config *service, struct lb_error *err)
{
	const bool is_v4 = lb_addr_is_v4(&service->vip);
	const __u32 length = service->vip_length;
	char text[LB_FRONT_TEXT_SIZE];
	union lb_addr prefix;

	if (service->port == 0)
		return lb_fail(err, -EINVAL, "port 0 is not possible, expected 1 to 65535");
	if (service->port_last && service->port_last <= service->port)
		return lb_fail(err, -EINVAL, "ports %u-%u are no range", service->port,
			       service->port_last);
	if (!length)
		return 0;
	lb_addr_mask(&prefix, &service->vip, lb_front_length(&service->vip, length));
	if (length >= (is_v4 ? 32 : 128) || !lb_addr_is_equal(&prefix, &service->vip))
		return lb_fail(err, -EINVAL, "address %s is no prefix",
			       lb_front_format(service, text));
	if (length < (is_v4 ? LEAST_V4 : LEAST_V6))
		return lb_fail(err, -EINVAL, "address %s is too wide, expected at least /%u",
			       lb_front_format(service, text), is_v4 ? LEAST_V4 : LEAST_V6);
	return 0;
}

/* What needs to know of one address and port. */
static int check_company(const struct lb_service_config *service, const char **key,
			 struct lb_error *err)
{
	const enum lb_check_type type = service->health.type;
	char text[LB_FRONT_TEXT_SIZE];

	*key = "cache";
	if (service->cache.is_on && lb_front_is_wide(service))
		return lb_fail(err, -EINVAL, "a cache needs one address and port, this is %s",
			       lb_front_format(service, text));
	*key = "health";
	if (service->port_last && !service->health.port && type != LB_CHECK_NONE &&
	    type != LB_CHECK_PING && type != LB_CHECK_EXEC)
		return lb_fail(err, -EINVAL,
			       "health: which port of %s to check is not known; name it with "
			       "'port'",
			       lb_front_format(service, text));
	return 0;
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
	ret = check_address(service, err);
	return ret ? ret : check_company(service, key, err);
}

/* Services of one zone, and in it of equal width, begin one behind the other if they are apart. */
static int compare_fronts(const void *left, const void *right)
{
	const struct lb_service_config *a = *(const struct lb_service_config *const *)left;
	const struct lb_service_config *b = *(const struct lb_service_config *const *)right;
	const int width_a = a->port_last ? a->port_last - a->port : 0;
	const int width_b = b->port_last ? b->port_last - b->port : 0;
	const int order = memcmp(&a->vip, &b->vip, sizeof(a->vip));

	if (order)
		return order;
	if (a->vip_length != b->vip_length)
		return a->vip_length - b->vip_length;
	if (a->proto != b->proto)
		return a->proto - b->proto;
	if (width_a != width_b)
		return width_a - width_b;
	if (a->port != b->port)
		return a->port - b->port;
	return a < b ? -1 : a > b;
}

static bool is_overlap(const struct lb_service_config *a, const struct lb_service_config *b)
{
	const int width_a = a->port_last ? a->port_last - a->port : 0;
	const int width_b = b->port_last ? b->port_last - b->port : 0;

	return lb_addr_is_equal(&a->vip, &b->vip) && a->vip_length == b->vip_length &&
	       a->proto == b->proto && width_a == width_b && b->port <= a->port + width_a;
}

int lb_front_find_overlap(const struct lb_config *config, struct lb_place *place,
			  struct lb_error *err)
{
	const struct lb_service_config **wide = calloc(config->service_count, sizeof(*wide));
	char text[LB_FRONT_TEXT_SIZE], other[LB_FRONT_TEXT_SIZE];
	unsigned int count = 0;
	int ret = 0;

	if (!wide)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < config->service_count; i++)
		if (lb_front_is_wide(&config->services[i]))
			wide[count++] = &config->services[i];
	if (count)
		qsort(wide, count, sizeof(*wide), compare_fronts);
	for (unsigned int i = 1; i < count && !ret; i++) {
		if (!is_overlap(wide[i - 1], wide[i]))
			continue;
		place->service = (int)(wide[i] - config->services);
		place->key = "address";
		ret = lb_fail(
			err, -EEXIST,
			"service %s: %s %s overlaps %s of service %s, and neither is the more "
			"specific one",
			wide[i]->name, lb_proto_name(wide[i]->proto),
			lb_front_format(wide[i], text), lb_front_format(wide[i - 1], other),
			wide[i - 1]->name);
	}
	free(wide);
	return ret;
}
