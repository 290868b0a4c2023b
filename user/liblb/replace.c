// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the program that this library was built with in the place of an older build's, on an
 * interface that goes on forwarding. The maps stay, so no flow is lost; nor is a packet, since the
 * old program works until the new one does.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "attach.h"
#include "lb.skel.h"

/* The kernel's digest of a program's instructions, which the constants of one interface are not
 * among. */
static int read_tag(int fd, __u8 tag[BPF_TAG_SIZE])
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	memcpy(tag, info.tag, BPF_TAG_SIZE);
	return 0;
}

static bool is_same_build(int fd, int old_fd)
{
	__u8 tag[BPF_TAG_SIZE], old[BPF_TAG_SIZE];

	return !read_tag(fd, tag) && !read_tag(old_fd, old) && !memcmp(tag, old, sizeof(tag));
}

/* One step of the kernel's, from the one to the other. */
static int exchange(struct lb_port *port, int fd, int old_fd)
{
	const __u32 mode = port->flags & LB_P_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	port->program_id = info.id;
	return bpf_xdp_attach((int)port->ifindex, fd, mode | XDP_FLAGS_REPLACE, &opts);
}

/* libxdp puts a dispatcher with both into force, then one without the old. */
static int join_and_leave(struct lb *lb, struct lb_port *port, char *words, struct lb_error *err)
{
	const bool is_generic = port->flags & LB_P_GENERIC;
	int ret = lb_xdp_load(lb, port, is_generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, words, err);

	return ret ?: lb_xdp_drop_others(lb, port, words);
}

static int replace(struct lb *lb, struct lb_port *port, __u32 priority, int old_fd, char *words,
		   struct lb_error *err)
{
	const bool is_moving = port->is_dispatched && priority != port->priority;
	struct lb_bpf *skeleton;
	int fd, ret = lb_program_open(lb, port, port->flags & LB_P_GENERIC, &skeleton, err);

	if (ret)
		return ret;
	lb_program_capture(words, LB_TEXT_SIZE);
	ret = lb_bpf__load(skeleton);
	fd = bpf_program__fd(lb_program_main(skeleton, port));
	port->priority = priority;
	if (!ret && (is_moving || !is_same_build(fd, old_fd)))
		ret = port->is_dispatched ? join_and_leave(lb, port, words, err)
					  : exchange(port, fd, old_fd);
	lb_program_capture(NULL, 0);
	lb_program_close(skeleton);
	return ret;
}

int lb_xdp_replace(struct lb *lb, struct lb_port *port, __u32 priority, const char *ifname,
		   __u32 *replaced, struct lb_error *err)
{
	const struct lb_port before = *port;
	const int old_fd = bpf_prog_get_fd_by_id(port->program_id);
	char words[LB_TEXT_SIZE] = "";
	int ret;

	if (old_fd < 0)
		return lb_fail(err, -errno, "interface %s: program %u: %s", ifname,
			       port->program_id, strerror(errno));
	ret = replace(lb, port, priority ?: port->priority, old_fd, words, err);
	close(old_fd);
	if (ret) {
		*port = before;
		return lb_fail(err, ret,
			       "interface %s: program %u goes on, replacing it failed: %s", ifname,
			       before.program_id, words[0] ? words : strerror(-ret));
	}
	*replaced = port->program_id == before.program_id ? 0 : before.program_id;
	return 0;
}
