// SPDX-License-Identifier: GPL-2.0-only
/* What is attached and what the maps hold and cost. Takes no lock. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach.h"

static void fill_interface(const struct lb_port *port, struct lb_attached *out)
{
	struct lb_interface interface = {};
	char name[IF_NAMESIZE] = "?";
	bool is_native = false;

	out->is_gone = lb_port_name(port, name);
	(void)lb_interface_get(name, &interface, NULL);
	out->is_lost = !lb_xdp_is_running(port, &is_native);
	lb_port_describe(port, name, &interface, out);
	out->is_native = out->is_lost ? !(port->flags & LB_P_GENERIC) : is_native;
	out->was_attached = true;
}

__u64 lb_map_bytes(int fd)
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
		return lb_port_count(lb);
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
	out->bytes = lb_map_bytes(lb->maps[id].fd);
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
	status->from_count = lb_agent_read(lb, status->from);
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
