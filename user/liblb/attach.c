// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the datapath on interfaces and takes it off, through libxdp's dispatcher where the kernel
 * has what it needs. Native mode first; what falls short of that is told to the caller.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <xdp/libxdp.h>

#include "attach.h"
#include "config.h"
#include "local.h"

static struct lb_port *find_port(const struct lb *lb, __u32 ifindex)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex == ifindex)
			return &lb->ports[i];
	return NULL;
}

__u32 lb_port_count(const struct lb *lb)
{
	__u32 count = 0;

	for (int i = 0; i < LB_PORTS_MAX; i++)
		count += lb->ports[i].ifindex != 0;
	return count;
}

static int attach_modes(struct lb *lb, struct lb_port *port, const char *ifname,
			const struct lb_attach_options *options, struct lb_attached *out,
			struct lb_error *err)
{
	char words[LB_TEXT_SIZE] = "";
	int ret = -EOPNOTSUPP;

	if (options->mode != LB_ATTACH_GENERIC) {
		ret = lb_xdp_load(lb, port, XDP_MODE_NATIVE, words, err);
		out->is_native = !ret;
		snprintf(out->kernel_message, sizeof(out->kernel_message), "%s",
			 words[0] ? words
			 : ret	  ? strerror(-ret)
				  : "");
	}
	if (ret && options->mode == LB_ATTACH_NATIVE)
		return lb_fail(err, ret,
			       "interface %s refuses native XDP: %s; 'mode generic' is slower and "
			       "works on any",
			       ifname, out->kernel_message);
	if (ret) {
		out->is_fallback = options->mode == LB_ATTACH_AUTO;
		ret = lb_xdp_load(lb, port, XDP_MODE_SKB, words, err);
		if (ret)
			return lb_fail(err, ret, "interface %s refuses generic XDP too: %s", ifname,
				       words[0] ? words : strerror(-ret));
		port->flags |= LB_P_GENERIC;
		if (!out->is_fallback)
			snprintf(out->kernel_message, sizeof(out->kernel_message), "%s", words);
	}
	return 0;
}

void lb_port_describe(const struct lb_port *port, const char *ifname,
		      const struct lb_interface *interface, struct lb_attached *out)
{
	snprintf(out->ifname, sizeof(out->ifname), "%s", ifname);
	memcpy(out->driver, interface->driver, sizeof(out->driver));
	out->ifindex = port->ifindex;
	out->mtu = interface->mtu;
	out->program_id = port->program_id;
	out->priority = port->priority;
	out->arp = port->flags & LB_P_ARP;
	out->is_backend = port->flags & LB_P_AGENT;
	out->is_rigid = port->flags & LB_P_RIGID;
	out->is_joined = port->flags & LB_P_GENERIC && !out->is_backend && interface->has_gro;
	out->no_ping = port->flags & LB_P_NO_PING;
	out->is_alone = !port->is_dispatched;
}

static bool is_by_port(const struct lb_flow *flow, const void *arg)
{
	return flow->kind != LB_FLOW_RECORD && flow->port == *(const __u16 *)arg;
}

/* Its number is given again; flows must not answer by somebody else's interface. */
static void forget_port(struct lb *lb, struct lb_port *port)
{
	const __u32 ifindex = port->ifindex;
	const __u16 number = port->number;

	lb_flows_sweep(lb, is_by_port, &number);
	bpf_map_delete_elem(lb->maps[LB_MAP_EGRESS].fd, &ifindex);
	*port = (struct lb_port){};
}

bool lb_port_name(const struct lb_port *port, char name[IF_NAMESIZE])
{
	if (if_indextoname(port->ifindex, name))
		return false;
	snprintf(name, IF_NAMESIZE, "if%u", port->ifindex);
	return true;
}

/* Of interfaces that were removed: one of the same name is another one to the kernel. */
static void forget_removed(struct lb *lb)
{
	char name[IF_NAMESIZE];

	for (int i = 0; i < LB_PORTS_MAX; i++) {
		struct lb_port *port = &lb->ports[i];

		if (!port->ifindex || if_indextoname(port->ifindex, name) || errno != ENXIO)
			continue;
		lb_local_uncover(lb, port->ifindex);
		forget_port(lb, port);
	}
}

static int new_port(struct lb *lb, const struct lb_interface *interface,
		    const struct lb_attach_options *options, const char *ifname,
		    struct lb_attached *out, struct lb_error *err)
{
	const __u32 ifindex = interface->ifindex;
	struct lb_port *port = find_port(lb, 0);
	int ret = lb_xdp_check_foreign(ifname, ifindex, err);

	if (ret)
		return ret;
	if (!port)
		return lb_fail(err, -ENOSPC,
			       "interface %s: %d interfaces are attached already, the most "
			       "there can be",
			       ifname, LB_PORTS_MAX);
	port->number = port - lb->ports;
	port->priority = options->priority ?: LB_PRIORITY_DEFAULT;
	port->mtu = interface->mtu;
	port->flags = (options->arp ? LB_P_ARP : 0) | (options->no_ping ? LB_P_NO_PING : 0) |
		      (options->is_backend ? LB_P_AGENT : 0);
	port->program_id = 0;
	memcpy(port->mac, interface->mac, sizeof(port->mac));
	port->ifindex = ifindex;
	if (bpf_map_update_elem(lb->maps[LB_MAP_EGRESS].fd, &ifindex, &ifindex, 0))
		ret = lb_fail(err, -errno, "interface %s cannot be a target of redirects: %s",
			      ifname, strerror(errno));
	/* What XDP passes up for a local backend must find its socket. */
	if (!ret)
		ret = lb_local_cover(lb, ifindex, err);
	if (!ret && options->is_backend)
		ret = lb_agent_write(lb, options, ifname, err);
	if (!ret)
		ret = attach_modes(lb, port, ifname, options, out, err);
	if (ret) {
		lb_local_uncover(lb, ifindex);
		forget_port(lb, port);
		return ret;
	}
	if (!(port->flags & LB_P_AGENT))
		lb_interface_enable_forwarding(lb, ifname);
	lb_port_describe(port, ifname, interface, out);
	return 0;
}

/* Takes our program off; a program that is gone already, or an interface that is, is no failure. */
static int detach_port(struct lb *lb, struct lb_port *port, struct lb_error *err)
{
	struct xdp_multiprog *programs;
	char words[LB_TEXT_SIZE] = "";
	int ret = 0;

	if (!lb_xdp_is_running(port, NULL))
		lb_xdp_adopt(lb, port);
	programs = lb_xdp_get(port->ifindex);
	if (programs) {
		struct xdp_program *program = lb_xdp_find(programs, port->program_id);

		lb_program_capture(words, sizeof(words));
		if (program && port->is_dispatched)
			(void)lb_xdp_drop_others(lb, port, words);
		if (program && xdp_multiprog__is_legacy(programs))
			ret = xdp_multiprog__detach(programs);
		else if (program)
			ret = xdp_program__detach(program, (int)port->ifindex,
						  xdp_multiprog__attach_mode(programs), 0);
		lb_program_capture(NULL, 0);
		xdp_multiprog__close(programs);
	}
	if (ret) {
		char ifname[IF_NAMESIZE] = "?";

		if_indextoname(port->ifindex, ifname);
		return lb_fail(err, ret, "interface %s: cannot take the program off: %s", ifname,
			       words[0] ? words : strerror(-ret));
	}
	lb_local_uncover(lb, port->ifindex);
	forget_port(lb, port);
	return 0;
}

/* Makes them the document's; is_dry only tries whether they can be. */
static int set_limits(struct lb *lb, const struct lb_limits *limits, bool is_dry,
		      struct lb_error *err)
{
	struct lb_config *config;
	int ret = lb_read_intent(lb, &config, err);

	if (ret)
		return ret;
	config->limits = *limits;
	ret = lb_config_check(config, err);
	if (!ret && !is_dry)
		ret = lb_config_store(config, lb->state_path, err);
	lb_config_free(config);
	return ret;
}

static int check_limits(struct lb *lb, const struct lb_limits *limits, const char *ifname,
			struct lb_error *err)
{
	int ret = set_limits(lb, limits, true, err);

	if (ret || !lb->is_loaded || lb_limits_are_in_force(lb, limits))
		return ret;
	return lb_fail(err, -EBUSY,
		       "%s: limits cannot change while anything is attached: 'lbctl detach all', "
		       "then attach with the new ones",
		       ifname);
}

/* The maps, from limits or else from the document's, with the document's contents. */
static int make_maps(struct lb *lb, const struct lb_limits *limits, struct lb_error *err)
{
	struct lb_config *config;
	int ret = lb_read_intent(lb, &config, err);

	if (ret)
		return ret;
	ret = lb_kernel_create(lb, limits ?: &config->limits, err);
	lb_config_free(config);
	if (!ret)
		ret = lb_apply_intent(lb, err);
	if (ret && lb->is_loaded)
		lb_kernel_remove(lb, NULL);
	return ret;
}

/* Of an interface that is attached: its options, and the program if another build made it. */
static int change_port(struct lb *lb, struct lb_port *port, const char *ifname,
		       const struct lb_interface *interface,
		       const struct lb_attach_options *options, struct lb_attached *out,
		       struct lb_error *err)
{
	int ret = 0;

	if (options->mode != LB_ATTACH_AUTO &&
	    (options->mode == LB_ATTACH_NATIVE) != out->is_native)
		return lb_fail(err, -EBUSY,
			       "interface %s is attached in %s mode: 'lbctl detach %s' first",
			       ifname, out->is_native ? "native" : "generic", ifname);
	if (options->is_backend != !!(port->flags & LB_P_AGENT))
		return lb_fail(err, -EBUSY,
			       "interface %s is attached in the role of a %s: 'lbctl detach %s' "
			       "first",
			       ifname, options->is_backend ? "balancer" : "backend", ifname);
	if (options->is_backend)
		ret = lb_agent_write(lb, options, ifname, err);
	ret = ret ?: lb_xdp_replace(lb, port, options->priority, ifname, &out->replaced_id, err);
	if (ret)
		return ret;
	if (options->is_arp_given)
		port->flags = (port->flags & ~LB_P_ARP) | (options->arp ? LB_P_ARP : 0);
	if (options->is_ping_given)
		port->flags = (port->flags & ~LB_P_NO_PING) | (options->no_ping ? LB_P_NO_PING : 0);
	memcpy(port->mac, interface->mac, sizeof(port->mac));
	port->mtu = interface->mtu;
	if (!(port->flags & LB_P_AGENT))
		lb_interface_enable_forwarding(lb, ifname);
	lb_port_describe(port, ifname, interface, out);
	out->was_attached = true;
	return 0;
}

int lb_attach(struct lb *lb, const char *ifname, const struct lb_attach_options *options,
	      struct lb_attached *out, struct lb_error *err)
{
	struct lb_attached done = {};
	struct lb_interface interface;
	struct lb_port *port;
	bool is_first;
	int ret = lb_interface_get(ifname, &interface, err);

	if (ret)
		return ret;
	if (!interface.is_up)
		return lb_fail(err, -ENETDOWN,
			       "interface %s is down: 'ip link set dev %s up' first", ifname,
			       ifname);
	is_first = !lb->is_loaded;
	if (options->limits)
		ret = check_limits(lb, options->limits, ifname, err);
	if (ret)
		return ret;
	/* Nothing is made for an interface that will not do. */
	if (is_first)
		ret = lb_xdp_check_foreign(ifname, interface.ifindex, err)
			      ?: make_maps(lb, options->limits, err);
	if (ret)
		return ret;
	forget_removed(lb);
	port = find_port(lb, interface.ifindex);
	if (port && !lb_xdp_is_running(port, NULL))
		lb_xdp_adopt(lb, port);
	if (port && lb_xdp_is_running(port, &done.is_native)) {
		ret = change_port(lb, port, ifname, &interface, options, &done, err);
	} else {
		/* A record without a program: a command was killed, or somebody took it off. */
		if (port)
			forget_port(lb, port);
		ret = new_port(lb, &interface, options, ifname, &done, err);
	}
	if (ret && is_first) {
		lb_local_remove(lb);
		lb_kernel_remove(lb, NULL);
	}
	if (ret)
		return ret;
	ret = is_first ? 0 : lb_apply_intent(lb, err);
	if (!ret && options->limits)
		ret = set_limits(lb, options->limits, false, err);
	if (!ret)
		*out = done;
	return ret;
}

static void stop_managing_neighbours(struct lb *lb)
{
	for (__u32 i = 0; i < lb->meta->backends; i++) {
		struct lb_route_answer route;

		if (lb->backends[i].flags & LB_B_IN_USE &&
		    !lb_route_get(lb, &lb->backends[i].addr, &route) && !route.is_local)
			lb_neighbour_manage(lb, route.ifindex, &route.next_hop, false);
	}
}

int lb_detach(struct lb *lb, const char *ifname, unsigned int *count, struct lb_error *err)
{
	unsigned int done = 0;
	int ret = 0;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "%s%snothing is attached", ifname ? ifname : "",
			       ifname ? ": " : "");
	for (int i = 0; !ret && i < LB_PORTS_MAX; i++) {
		struct lb_port *port = &lb->ports[i];
		char name[IF_NAMESIZE];

		if (!port->ifindex)
			continue;
		/* The name of a removed one may be another's own. */
		if (lb_port_name(port, name) && ifname && if_nametoindex(ifname))
			continue;
		if (ifname && strcmp(name, ifname))
			continue;
		ret = detach_port(lb, port, err);
		done += !ret;
	}
	if (ret)
		return ret;
	if (ifname && !done)
		return lb_fail(err, -ENOTCONN, "interface %s is not attached: see 'lbctl status'",
			       ifname);
	if (!lb_port_count(lb)) {
		stop_managing_neighbours(lb);
		lb_local_remove(lb);
		ret = lb_kernel_remove(lb, err);
	}
	if (!ret)
		*count = done;
	return ret;
}
