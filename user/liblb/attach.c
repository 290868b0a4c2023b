// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the datapath on interfaces and takes it off, through libxdp's dispatcher where the kernel has
 * what it needs. Native mode first; what falls short of that is told to the caller, never hidden.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <xdp/libxdp.h>

#include "internal.h"
#include "lb.skel.h"

static struct lb_port *find_port(const struct lb *lb, __u32 ifindex)
{
	for (int i = 0; i < LB_PORTS_MAX; i++)
		if (lb->ports[i].ifindex == ifindex)
			return &lb->ports[i];
	return NULL;
}

static __u32 count_ports(const struct lb *lb)
{
	__u32 count = 0;

	for (int i = 0; i < LB_PORTS_MAX; i++)
		count += lb->ports[i].ifindex != 0;
	return count;
}

/* Finds our program on the interface: alone, or among the dispatcher's. NULL if it is not there. */
static struct xdp_program *find_program(const struct xdp_multiprog *programs, __u32 id)
{
	struct xdp_program *program = NULL;

	if (xdp_multiprog__is_legacy(programs)) {
		program = xdp_multiprog__main_prog(programs);
		return program && xdp_program__id(program) == id ? program : NULL;
	}
	while ((program = xdp_multiprog__next_prog(program, programs)))
		if (xdp_program__id(program) == id)
			return program;
	return NULL;
}

static struct xdp_multiprog *get_programs(__u32 ifindex)
{
	struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex((int)ifindex);

	return libxdp_get_error(programs) ? NULL : programs;
}

static bool is_running(const struct lb_port *port, bool *is_native)
{
	struct xdp_multiprog *programs = get_programs(port->ifindex);
	bool is_found;

	if (!programs)
		return false;
	is_found = find_program(programs, port->program_id);
	if (is_native)
		*is_native = xdp_multiprog__attach_mode(programs) == XDP_MODE_NATIVE;
	xdp_multiprog__close(programs);
	return is_found;
}

/* Whether a program works on this instance's maps. */
static bool is_ours(const struct lb *lb, struct xdp_program *program)
{
	__u32 ids[64], id, size = sizeof(struct bpf_map_info);
	struct bpf_map_info map = {};
	struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (__u64)(unsigned long)ids };
	int fd = bpf_prog_get_fd_by_id(xdp_program__id(program));
	bool is_found = false;

	if (fd < 0 || bpf_obj_get_info_by_fd(lb->maps[LB_MAP_CONTROL].fd, &map, &size)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	id = map.id;
	size = sizeof(info);
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		for (__u32 i = 0; i < info.nr_map_ids && i < 64; i++)
			is_found |= ids[i] == id;
	close(fd);
	return is_found;
}

/* A command killed between attaching and noting it leaves our program there, and no number. */
static void adopt_program(const struct lb *lb, struct lb_port *port)
{
	struct xdp_multiprog *programs = get_programs(port->ifindex);
	struct xdp_program *program = NULL;

	if (!programs)
		return;
	if (xdp_multiprog__is_legacy(programs))
		program = xdp_multiprog__main_prog(programs);
	else
		program = xdp_multiprog__next_prog(NULL, programs);
	while (program && !is_ours(lb, program))
		program = xdp_multiprog__is_legacy(programs)
				  ? NULL
				  : xdp_multiprog__next_prog(program, programs);
	if (program) {
		port->program_id = xdp_program__id(program);
		port->is_dispatched = !xdp_multiprog__is_legacy(programs);
		if (xdp_multiprog__attach_mode(programs) == XDP_MODE_SKB)
			port->flags |= LB_P_GENERIC;
	}
	xdp_multiprog__close(programs);
}

static int check_foreign(const char *ifname, __u32 ifindex, struct lb_error *err)
{
	struct xdp_multiprog *programs = get_programs(ifindex);
	struct xdp_program *program;
	int ret = 0;

	if (!programs)
		return 0;
	program = xdp_multiprog__main_prog(programs);
	if (xdp_multiprog__is_legacy(programs))
		ret = lb_fail(err, -EBUSY,
			      "interface %s has XDP program %u (%s) already, which is no dispatcher that "
			      "others can join: remove it with 'ip link set dev %s xdp off'",
			      ifname, program ? xdp_program__id(program) : 0,
			      program ? xdp_program__name(program) : "?", ifname);
	xdp_multiprog__close(programs);
	return ret;
}

static void set_chain(struct xdp_program *program, __u32 priority)
{
	/* Whatever is not balanced goes on to the programs behind this one. */
	xdp_program__set_run_prio(program, priority);
	xdp_program__set_chain_call_enabled(program, XDP_PASS, true);
}

/* One attempt in one mode. words gets the kernel's message. */
static int try_attach(struct lb *lb, struct lb_port *port, enum xdp_attach_mode mode, char *words,
		      size_t size, struct lb_error *err)
{
	struct xdp_program *program;
	struct lb_bpf *skeleton;
	int ret = lb_program_open(lb, port->number, mode == XDP_MODE_SKB, &skeleton, err);

	if (ret)
		return ret;
	lb_program_capture(words, size);
	program = xdp_program__from_bpf_obj(skeleton->obj, "xdp.frags");
	ret = (int)libxdp_get_error(program);
	if (!ret) {
		set_chain(program, port->priority);
		ret = xdp_program__attach(program, (int)port->ifindex, mode, 0);
		if (!ret) {
			struct xdp_multiprog *programs = get_programs(port->ifindex);

			port->program_id = xdp_program__id(program);
			port->is_dispatched = programs && !xdp_multiprog__is_legacy(programs);
			xdp_multiprog__close(programs);
		}
		xdp_program__close(program);
	}
	lb_program_capture(NULL, 0);
	lb_program_close(skeleton);
	return ret;
}

static int attach_modes(struct lb *lb, struct lb_port *port, const char *ifname,
			const struct lb_attach_options *options, struct lb_attached *out,
			struct lb_error *err)
{
	char words[LB_TEXT_SIZE] = "";
	int ret = -EOPNOTSUPP;

	if (options->mode != LB_ATTACH_GENERIC) {
		ret = try_attach(lb, port, XDP_MODE_NATIVE, words, sizeof(words), err);
		out->is_native = !ret;
		snprintf(out->kernel_message, sizeof(out->kernel_message), "%s",
			 words[0] ? words : ret ? strerror(-ret) : "");
	}
	if (ret && options->mode == LB_ATTACH_NATIVE)
		return lb_fail(err, ret,
			       "interface %s refuses native XDP: %s; 'mode generic' is slower and works on any",
			       ifname, out->kernel_message);
	if (ret) {
		out->is_fallback = options->mode == LB_ATTACH_AUTO;
		ret = try_attach(lb, port, XDP_MODE_SKB, words, sizeof(words), err);
		if (ret)
			return lb_fail(err, ret, "interface %s refuses generic XDP too: %s", ifname,
				       words[0] ? words : strerror(-ret));
		port->flags |= LB_P_GENERIC;
		if (!out->is_fallback)
			snprintf(out->kernel_message, sizeof(out->kernel_message), "%s", words);
	}
	return 0;
}

static void fill_attached(const struct lb_port *port, const char *ifname,
			  const struct lb_interface *interface, struct lb_attached *out)
{
	snprintf(out->ifname, sizeof(out->ifname), "%s", ifname);
	memcpy(out->driver, interface->driver, sizeof(out->driver));
	out->ifindex = port->ifindex;
	out->mtu = interface->mtu;
	out->program_id = port->program_id;
	out->priority = port->priority;
	out->arp = port->flags & LB_P_ARP;
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

static int new_port(struct lb *lb, const struct lb_interface *interface,
		    const struct lb_attach_options *options, const char *ifname,
		    struct lb_attached *out, struct lb_error *err)
{
	const __u32 ifindex = interface->ifindex;
	struct lb_port *port = find_port(lb, 0);
	int ret = check_foreign(ifname, ifindex, err);

	if (ret)
		return ret;
	if (!port)
		return lb_fail(err, -ENOSPC, "interface %s: %d interfaces are attached already, the most "
			       "there can be", ifname, LB_PORTS_MAX);
	port->number = port - lb->ports;
	port->priority = options->priority;
	port->mtu = interface->mtu;
	port->flags = options->arp ? LB_P_ARP : 0;
	port->program_id = 0;
	memcpy(port->mac, interface->mac, sizeof(port->mac));
	port->ifindex = ifindex;
	if (bpf_map_update_elem(lb->maps[LB_MAP_EGRESS].fd, &ifindex, &ifindex, 0))
		ret = lb_fail(err, -errno, "interface %s cannot be a target of redirects: %s", ifname,
			      strerror(errno));
	if (!ret)
		ret = attach_modes(lb, port, ifname, options, out, err);
	if (ret) {
		forget_port(lb, port);
		return ret;
	}
	lb_interface_enable_forwarding(lb, ifname);
	fill_attached(port, ifname, interface, out);
	return 0;
}

/* Takes our program off; a program that is gone already, or an interface that is, is no failure. */
static int detach_port(struct lb *lb, struct lb_port *port, struct lb_error *err)
{
	struct xdp_multiprog *programs;
	char words[LB_TEXT_SIZE] = "";
	int ret = 0;

	if (!is_running(port, NULL))
		adopt_program(lb, port);
	programs = get_programs(port->ifindex);
	if (programs) {
		struct xdp_program *program = find_program(programs, port->program_id);

		lb_program_capture(words, sizeof(words));
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
	forget_port(lb, port);
	return 0;
}

/* The maps, from the document's limits, with the document's contents. */
static int make_maps(struct lb *lb, struct lb_error *err)
{
	struct lb_config *config;
	int ret = lb_read_intent(lb, &config, err);

	if (ret)
		return ret;
	ret = lb_kernel_create(lb, &config->limits, err);
	lb_config_free(config);
	if (!ret)
		ret = lb_apply_intent(lb, err);
	if (ret && lb->is_loaded)
		lb_kernel_remove(lb, NULL);
	return ret;
}

static int change_port(struct lb *lb, struct lb_port *port, const char *ifname,
		       const struct lb_interface *interface,
		       const struct lb_attach_options *options, struct lb_attached *out)
{
	if (options->is_arp_given)
		port->flags = (port->flags & ~LB_P_ARP) | (options->arp ? LB_P_ARP : 0);
	memcpy(port->mac, interface->mac, sizeof(port->mac));
	port->mtu = interface->mtu;
	lb_interface_enable_forwarding(lb, ifname);
	fill_attached(port, ifname, interface, out);
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
		return lb_fail(err, -ENETDOWN, "interface %s is down: 'ip link set dev %s up' first",
			       ifname, ifname);
	is_first = !lb->is_loaded;
	/* Nothing is made for an interface that will not do. */
	if (is_first)
		ret = check_foreign(ifname, interface.ifindex, err) ?: make_maps(lb, err);
	if (ret)
		return ret;
	port = find_port(lb, interface.ifindex);
	if (port && !is_running(port, NULL))
		adopt_program(lb, port);
	if (port && is_running(port, &done.is_native)) {
		ret = change_port(lb, port, ifname, &interface, options, &done);
	} else {
		/* A record without a program: a command was killed, or somebody took it off. */
		if (port)
			forget_port(lb, port);
		ret = new_port(lb, &interface, options, ifname, &done, err);
	}
	if (ret && is_first)
		lb_kernel_remove(lb, NULL);
	if (ret)
		return ret;
	ret = is_first ? 0 : lb_apply_intent(lb, err);
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
		char name[IF_NAMESIZE] = "";

		if (!port->ifindex)
			continue;
		if_indextoname(port->ifindex, name);
		if (ifname && strcmp(name, ifname))
			continue;
		ret = detach_port(lb, port, err);
		done += !ret;
	}
	if (ret)
		return ret;
	if (ifname && !done)
		return lb_fail(err, -ENOTCONN, "interface %s is not attached: see 'lbctl status'", ifname);
	if (!count_ports(lb)) {
		stop_managing_neighbours(lb);
		ret = lb_kernel_remove(lb, err);
	}
	if (!ret)
		*count = done;
	return ret;
}

static void fill_interface(const struct lb_port *port, struct lb_attached *out)
{
	struct lb_interface interface = {};
	char name[IF_NAMESIZE] = "?";
	bool is_native = false;

	if (!if_indextoname(port->ifindex, name) || lb_interface_get(name, &interface, NULL))
		snprintf(name, sizeof(name), "index %u", port->ifindex);
	out->is_lost = !is_running(port, &is_native);
	fill_attached(port, name, &interface, out);
	out->is_native = is_native;
	out->was_attached = true;
}

static __u64 map_bytes(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

static __u64 count_used(struct lb *lb, enum lb_map_id id)
{
	__u64 count = 0;

	switch (id) {
	case LB_MAP_SERVICES:
		for (__u32 i = 0; i < lb->meta->services; i++)
			count += lb->services[i].flags & LB_S_IN_USE;
		return count;
	case LB_MAP_BACKENDS:
		for (__u32 i = 0; i < lb->meta->backends; i++)
			count += lb->backends[i].flags & LB_B_IN_USE;
		return count;
	case LB_MAP_ENDPOINTS:
		for (__u32 i = 0; i < lb->meta->backends; i++)
			count += lb->endpoints[i].is_in_use;
		return count;
	case LB_MAP_SLOTS: /* lines of 32 slots */
		for (__u32 i = 0; i < lb->meta->services; i++)
			if (lb->services[i].flags & LB_S_IN_USE)
				count += 2 * lb_lines_of(lb->services[i].slots);
		return count;
	case LB_MAP_FLOWS:
		for (__u32 i = 0; i < lb->meta->flows; i++)
			count += lb->flows[i].tag > LB_FLOW_BUSY;
		return count;
	case LB_MAP_PORTS:
		return count_ports(lb);
	case LB_MAP_HISTORY:
		return lb->control->histories;
	default:
		return LB_UNKNOWN;
	}
}

static void fill_map(struct lb *lb, enum lb_map_id id, struct lb_map_usage *out)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	bpf_obj_get_info_by_fd(lb->maps[id].fd, &info, &size);
	snprintf(out->name, sizeof(out->name), "%s", lb_map_name(id));
	out->limit = info.max_entries;
	if (id == LB_MAP_FLOWS)
		out->limit *= LB_FLOWS_PER_BUCKET;
	out->used = count_used(lb, id);
	out->bytes = map_bytes(lb->maps[id].fd);
}

static __u32 read_verified_insns(__u32 program_id)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.verified_insns = 0;
	close(fd);
	return info.verified_insns;
}

int lb_get_status(struct lb *lb, struct lb_status **out, struct lb_error *err)
{
	struct lb_status *status = calloc(1, sizeof(*status));

	if (!status)
		return lb_fail(err, -ENOMEM, "out of memory");
	if (!lb->is_loaded) {
		*out = status;
		return 0;
	}
	status->interfaces = calloc(LB_PORTS_MAX, sizeof(*status->interfaces));
	status->maps = calloc(LB_MAP_COUNT, sizeof(*status->maps));
	if (!status->interfaces || !status->maps) {
		lb_status_free(status);
		return lb_fail(err, -ENOMEM, "out of memory");
	}
	for (int i = 0; i < LB_PORTS_MAX; i++) {
		struct lb_attached *interface = &status->interfaces[status->interface_count];

		if (!lb->ports[i].ifindex)
			continue;
		fill_interface(&lb->ports[i], interface);
		status->has_lost |= interface->is_lost;
		status->verified_insns = read_verified_insns(interface->program_id);
		status->interface_count++;
	}
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		fill_map(lb, i, &status->maps[i]);
		status->bytes += status->maps[i].bytes;
	}
	status->map_count = LB_MAP_COUNT;
	*out = status;
	return 0;
}

void lb_status_free(struct lb_status *status)
{
	if (!status)
		return;
	free(status->interfaces);
	free(status->maps);
	free(status);
}
