// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libxdp says of the programs on an interface: ours, alone or in the dispatcher, and others.
 */
#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach.h"

/* Finds our program on the interface: alone, or among the dispatcher's. NULL if it is not there. */
struct xdp_program *lb_xdp_find(const struct xdp_multiprog *programs, __u32 id)
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

struct xdp_multiprog *lb_xdp_get(__u32 ifindex)
{
	struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex((int)ifindex);

	return libxdp_get_error(programs) ? NULL : programs;
}

bool lb_xdp_is_running(const struct lb_port *port, bool *is_native)
{
	struct xdp_multiprog *programs = lb_xdp_get(port->ifindex);
	bool is_found;

	if (!programs)
		return false;
	is_found = lb_xdp_find(programs, port->program_id);
	if (is_native)
		*is_native = xdp_multiprog__attach_mode(programs) == XDP_MODE_NATIVE;
	xdp_multiprog__close(programs);
	return is_found;
}

bool lb_xdp_is_ours(const struct lb *lb, __u32 program_id)
{
	__u32 ids[64] = {}, id, size = sizeof(struct bpf_map_info);
	struct bpf_map_info map = {};
	struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (__u64)(unsigned long)ids };
	int fd = bpf_prog_get_fd_by_id(program_id);
	bool is_found = false;

	if (fd < 0 || bpf_obj_get_info_by_fd(lb->maps[LB_MAP_COUNTERS].fd, &map, &size)) {
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
void lb_xdp_adopt(const struct lb *lb, struct lb_port *port)
{
	struct xdp_multiprog *programs = lb_xdp_get(port->ifindex);
	struct xdp_program *program = NULL;

	if (!programs)
		return;
	if (xdp_multiprog__is_legacy(programs))
		program = xdp_multiprog__main_prog(programs);
	else
		program = xdp_multiprog__next_prog(NULL, programs);
	while (program && !lb_xdp_is_ours(lb, xdp_program__id(program)))
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

int lb_xdp_drop_others(const struct lb *lb, const struct lb_port *port, char *words)
{
	int ret = 0;

	/* Each step makes a new dispatcher, so the walk begins anew. */
	for (bool is_more = true; is_more && !ret;) {
		struct xdp_multiprog *programs = lb_xdp_get(port->ifindex);
		struct xdp_program *program = NULL;

		if (!programs || xdp_multiprog__is_legacy(programs)) {
			xdp_multiprog__close(programs);
			return 0;
		}
		do
			program = xdp_multiprog__next_prog(program, programs);
		while (program && (xdp_program__id(program) == port->program_id ||
				   !lb_xdp_is_ours(lb, xdp_program__id(program))));
		is_more = program;
		lb_program_capture(words, LB_TEXT_SIZE);
		if (program)
			ret = xdp_program__detach(program, (int)port->ifindex,
						  xdp_multiprog__attach_mode(programs), 0);
		lb_program_capture(NULL, 0);
		xdp_multiprog__close(programs);
	}
	return ret;
}

int lb_xdp_check_foreign(const char *ifname, __u32 ifindex, struct lb_error *err)
{
	struct xdp_multiprog *programs = lb_xdp_get(ifindex);
	struct xdp_program *program;
	int ret = 0;

	if (!programs)
		return 0;
	program = xdp_multiprog__main_prog(programs);
	if (xdp_multiprog__is_legacy(programs))
		ret = lb_fail(
			err, -EBUSY,
			"interface %s has XDP program %u (%s) already, which is no dispatcher that "
			"others can join: remove it with 'ip link set dev %s xdp off'",
			ifname, program ? xdp_program__id(program) : 0,
			program ? xdp_program__name(program) : "?", ifname);
	xdp_multiprog__close(programs);
	return ret;
}
