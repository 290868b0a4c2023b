// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mode local in the control plane: backends that are processes of this host. Their services'
 * addresses are made local, and a filter behind XDP, and on lo for the host's own clients, gives
 * the packets their sockets. All of it is there only while some service has a local backend.
 * Addresses of cached services are made local too, for lbcache, which cache.c steers them to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "local.h"

#define LOOPBACK_IFINDEX 1

int lb_local_check(struct lb *lb, const struct lb_config *config, struct lb_error *err)
{
	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];

		for (unsigned int b = 0; b < service->backend_count; b++) {
			const struct lb_backend_config *backend = &service->backends[b];
			struct lb_route_answer route = {};
			char text[LB_ADDR_TEXT_SIZE];

			if (lb_backend_mode(service, backend) != LB_MODE_LOCAL ||
			    (!lb_route_get(lb, &backend->addr, &route) && route.is_local))
				continue;
			return lb_fail(err, -EINVAL,
				       "service %s: backend %s is no address of this host, so mode "
				       "local cannot reach it: use 127.0.0.1 or [::1], or another "
				       "mode",
				       service->name,
				       lb_endpoint_format(&backend->addr,
							  lb_backend_port(service, backend), text));
		}
	}
	return 0;
}

static bool is_local(const struct lb_service_change *service)
{
	for (unsigned int i = 0; i < service->config->backend_count; i++)
		if (lb_backend_mode(service->config, &service->config->backends[i]) ==
		    LB_MODE_LOCAL)
			return true;
	return false;
}

/* What the services of a change need of the host. */
struct wanted {
	struct lb_host_routes routes;
	bool has_local, has_cached;
};

static int list_wanted(const struct lb_change *change, struct wanted *out)
{
	struct lb_host_routes *list = &out->routes;

	list->routes = calloc(change->service_count + 1, sizeof(*list->routes));
	if (!list->routes)
		return -ENOMEM;
	for (unsigned int i = 0; i < change->service_count; i++) {
		const bool has_local = is_local(&change->services[i]);
		const bool is_cached = change->services[i].value.flags & LB_S_CACHED;

		out->has_local |= has_local;
		out->has_cached |= is_cached;
		if (has_local || is_cached)
			list->routes[list->count++] = (struct lb_host_route){
				.addr = change->services[i].value.vip,
				.prefix =
					(__u8)lb_front_length(&change->services[i].value.vip,
							      change->services[i].value.vip_length),
			};
	}
	return 0;
}

static int attach_filters(struct lb *lb, struct lb_error *err)
{
	int ret = lb_filter_attach(lb, LOOPBACK_IFINDEX, err);

	for (int i = 0; !ret && i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex)
			ret = lb_filter_attach(lb, lb->ports[i].ifindex, err);
	return ret;
}

static void accept_local(struct lb *lb)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex)
			lb_interface_accept_local(lb, lb->ports[i].ifindex);
}

static void detach_filters(struct lb *lb)
{
	/* lo's is the first to come and the last to go. */
	if (!lb_filter_is_attached(lb, LOOPBACK_IFINDEX))
		return;
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex)
			lb_filter_detach(lb, lb->ports[i].ifindex);
	lb_filter_detach(lb, LOOPBACK_IFINDEX);
}

int lb_local_prepare(struct lb *lb, const struct lb_change *change, struct lb_error *err)
{
	struct wanted wanted = {};
	int ret = list_wanted(change, &wanted);

	if (ret)
		return lb_fail(err, ret, "out of memory");
	if (wanted.has_local)
		ret = attach_filters(lb, err);
	if (!ret && wanted.has_cached)
		ret = lb_cache_attach(lb, err);
	if (!ret && wanted.routes.count)
		ret = lb_host_routes_add(lb, &wanted.routes, err);
	if (!ret && wanted.routes.count)
		accept_local(lb);
	free(wanted.routes.routes);
	return ret;
}

int lb_local_trim(struct lb *lb, const struct lb_change *change, struct lb_error *err)
{
	struct wanted wanted = {};
	int ret = list_wanted(change, &wanted);

	if (ret)
		return lb_fail(err, ret, "out of memory");
	ret = lb_host_routes_trim(lb, &wanted.routes, err);
	if (!wanted.has_local)
		detach_filters(lb);
	if (!wanted.has_cached)
		lb_cache_detach(lb);
	free(wanted.routes.routes);
	return ret;
}

static bool has_local_backend(const struct lb *lb)
{
	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (lb->backends[i].flags & LB_B_IN_USE && lb->backends[i].mode == LB_MODE_LOCAL)
			return true;
	return false;
}

static bool has_cached_service(const struct lb *lb)
{
	const __u32 wanted = LB_S_IN_USE | LB_S_CACHED;

	for (__u32 i = 0; i < lb->meta->services; i++)
		if ((lb->services[i].flags & wanted) == wanted)
			return true;
	return false;
}

int lb_local_cover(struct lb *lb, __u32 ifindex, struct lb_error *err)
{
	const bool has_local = has_local_backend(lb);

	if (has_local || has_cached_service(lb))
		lb_interface_accept_local(lb, ifindex);
	return has_local ? lb_filter_attach(lb, ifindex, err) : 0;
}

void lb_local_uncover(struct lb *lb, __u32 ifindex)
{
	lb_filter_detach(lb, ifindex);
}

void lb_local_remove(struct lb *lb)
{
	const struct lb_host_routes none = {};

	lb_host_routes_trim(lb, &none, NULL);
	detach_filters(lb);
}
