// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the flow table, which the datapath writes meanwhile: an entry is copied, and taken only if
 * its tag stood still. Expiry is judged by the datapath's rules.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "internal.h"

static __u32 timeout_of(const struct lb_service *service, __u8 state)
{
	if (service->proto == IPPROTO_UDP)
		return service->timeout_udp;
	if (state <= LB_FLOW_ANSWERED)
		return service->timeout_syn;
	return state == LB_FLOW_CLOSED ? service->timeout_fin : service->timeout_established;
}

static bool copy_flow(const struct lb_flow *from, struct lb_flow *to)
{
	const __u32 tag = __atomic_load_n(&from->tag, __ATOMIC_ACQUIRE);

	if (tag <= LB_FLOW_BUSY)
		return false;
	memcpy(to, from, sizeof(*to));
	return __atomic_load_n(&from->tag, __ATOMIC_ACQUIRE) == tag;
}

/* idle and timeout in jiffies; both may be NULL. A flow is idle only if both directions are. */
bool lb_flow_is_live(const struct lb *lb, const struct lb_flow *flow, __u32 now, __u32 *idle,
		     __u32 *timeout)
{
	const struct lb_service *service;
	const __u16 number = LB_READ(flow->service);
	const __u32 partner = LB_READ(flow->partner);
	__u32 quiet = now - flow->seen, limit;

	if (number >= lb->meta->services)
		return false;
	service = &lb->services[number];
	if (!(service->flags & LB_S_IN_USE))
		return false;
	if (flow->kind != LB_FLOW_RECORD && partner < lb->meta->flows) {
		const __u32 other = now - lb->flows[partner].seen;

		/* The clock was read before: what was seen since counts as now. */
		if ((__s32)other < 0)
			quiet = 0;
		else if (other < quiet)
			quiet = other;
	}
	if ((__s32)quiet < 0)
		quiet = 0;
	limit = timeout_of(service, flow->state);
	if (idle)
		*idle = quiet;
	if (timeout)
		*timeout = limit;
	return quiet <= limit;
}

void lb_flows_sweep(struct lb *lb, lb_flow_test is_stale, const void *arg)
{
	for (__u32 i = 0; i < lb->meta->flows; i++) {
		struct lb_flow *flow = &lb->flows[i], copy;
		__u32 tag;

		if (!copy_flow(flow, &copy) || !is_stale(&copy, arg))
			continue;
		tag = copy.tag;
		__atomic_compare_exchange_n(&flow->tag, &tag, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	}
}

/* Whether full-NAT flows of a service live, so that their packets must still be looked up. */
bool lb_flows_has_service(const struct lb *lb, __u32 service)
{
	const __u32 now = (__u32)lb_kernel_jiffies(lb);

	for (__u32 i = 0; i < lb->meta->flows; i++) {
		struct lb_flow flow;

		if (lb->flows[i].tag > LB_FLOW_BUSY && lb->flows[i].service == service &&
		    copy_flow(&lb->flows[i], &flow) && flow.kind == LB_FLOW_FORWARD &&
		    lb_flow_is_live(lb, &flow, now, NULL, NULL))
			return true;
	}
	return false;
}

static void describe(const struct lb *lb, const struct lb_flow *flow, __u32 idle, __u32 timeout,
		     struct lb_flow_info *info)
{
	const struct lb_service *service = &lb->services[flow->service];
	const __u32 number = lb_flow_backend(lb, flow);
	const struct lb_backend *backend = &lb->backends[number == LB_NO_BACKEND ? 0 : number];
	const __u32 hz = lb_hz(lb);

	memset(info, 0, sizeof(*info));
	memcpy(info->service, service->name, sizeof(info->service) - 1);
	info->proto = service->proto;
	info->client = flow->client;
	info->client_port = ntohs(flow->client_port);
	/* A record of a service of several ports or addresses says which of them it was. */
	info->vip = service->flags & LB_S_WIDE ? flow->source : service->vip;
	info->vip_port = ntohs(service->flags & LB_S_WIDE ? flow->source_port : service->port);
	info->source = flow->source;
	info->source_port = ntohs(flow->source_port);
	info->backend = backend->addr;
	info->backend_port = backend->port ? ntohs(backend->port) : info->vip_port;
	info->is_three_tuple = service->flags & LB_S_THREE_TUPLE;
	if (info->is_three_tuple && service->port_last)
		info->vip_port = 0;
	info->mode = flow->kind == LB_FLOW_RECORD ? backend->mode : LB_MODE_FULLNAT;
	info->state = flow->state;
	info->idle_ms = (__u32)((__u64)idle * 1000 / hz);
	info->expires_ms = (__u32)((__u64)(timeout - idle) * 1000 / hz);
}

int lb_walk_flows(struct lb *lb, lb_flow_fn fn, void *arg, struct lb_error *err)
{
	__u32 now, idle, timeout;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached: 'lbctl attach IF' first");
	now = (__u32)lb_kernel_jiffies(lb);
	for (__u32 i = 0; i < lb->meta->flows; i++) {
		struct lb_flow_info info;
		struct lb_flow flow;
		int ret;

		if (!copy_flow(&lb->flows[i], &flow) || flow.kind == LB_FLOW_REPLY ||
		    flow.port == LB_PORT_PROBE || !lb_flow_is_live(lb, &flow, now, &idle, &timeout))
			continue;
		describe(lb, &flow, idle, timeout, &info);
		ret = fn(&info, arg);
		if (ret)
			return ret;
	}
	return 0;
}

const char *lb_flow_state_name(__u8 state, __u8 proto)
{
	switch (state) {
	case LB_FLOW_SYN:
		return proto == IPPROTO_UDP ? "unanswered" : "syn";
	case LB_FLOW_REPEATED:
		return "syn-again";
	case LB_FLOW_ANSWERED:
		return proto == IPPROTO_UDP ? "answered" : "syn-ack";
	case LB_FLOW_ESTABLISHED:
		return "established";
	case LB_FLOW_CLIENT_FIN:
		return "client-fin";
	case LB_FLOW_BACKEND_FIN:
		return "backend-fin";
	default:
		return "closed";
	}
}

int lb_schedule(struct lb *lb, __u8 proto, const union lb_addr *client, __u16 client_port,
		const union lb_addr *vip, __u16 port, struct lb_backend_config *out, __u32 *slot,
		struct lb_error *err)
{
	const struct lb_backend *backend;
	struct lb_service service;
	char text[LB_ADDR_TEXT_SIZE];
	bool has_ports;
	__u32 number, at;
	__u64 hash;
	__u16 owner;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached: 'lbctl attach IF' first");
	if (lb_service_find(lb, proto, vip, port, &number) || !lb_service_get(lb, number, &service))
		return lb_fail(err, -ENOENT, "no service at %s %s: see 'lbctl service list'",
			       lb_proto_name(proto), lb_endpoint_format(vip, port, text));
	has_ports = !(service.flags & LB_S_THREE_TUPLE);
	hash = lb_hash_tuple(&lb->meta->tuple_key, client, vip, has_ports ? htons(client_port) : 0,
			     has_ports ? htons(port) : service.port, proto);
	at = lb_hash_slot(hash, service.slots);
	owner = LB_READ(*lb_table_slot(lb, &service, at)) & LB_OWNER_MASK;
	if (owner == LB_OWNER_NONE || service.backend_base + owner >= lb->meta->backends)
		return lb_fail(err, -EHOSTUNREACH, "service %s has no backend with weight",
			       service.name);
	backend = &lb->backends[service.backend_base + owner];
	lb_backend_config_init(out);
	out->addr = backend->addr;
	out->port = backend->port ? ntohs(backend->port) : port;
	out->weight = backend->weight;
	out->mode = backend->mode;
	out->is_drained = backend->flags & LB_B_DRAIN;
	if (slot)
		*slot = at;
	return 0;
}
