// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a program and attaches it by libxdp: the whole one through the dispatcher if it may be, and
 * what else is possible if not.
 */
#include <errno.h>
#include <stdlib.h>

#include <xdp/libxdp.h>

#include "attach.h"
#include "lb.skel.h"

static void set_chain(struct xdp_program *program, __u32 priority)
{
	/* Whatever is not balanced goes on to the programs behind this one. */
	xdp_program__set_run_prio(program, priority);
	xdp_program__set_chain_call_enabled(program, XDP_PASS, true);
}

static int load_once(struct lb *lb, struct lb_port *port, enum xdp_attach_mode mode, char *words,
		     struct lb_error *err)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts);
	struct xdp_program *program;
	struct lb_bpf *skeleton;
	int ret = lb_program_open(lb, port, mode == XDP_MODE_SKB, &skeleton, err);

	if (ret)
		return ret;
	lb_program_capture(words, LB_TEXT_SIZE);
	opts.obj = skeleton->obj;
	opts.prog_name = bpf_program__name(lb_program_main(skeleton, port));
	program = xdp_program__create(&opts);
	ret = (int)libxdp_get_error(program);
	if (!ret) {
		set_chain(program, port->priority);
		ret = xdp_program__attach(program, (int)port->ifindex, mode, 0);
		if (!ret) {
			struct xdp_multiprog *programs = lb_xdp_get(port->ifindex);

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

static bool has_tunnels(const struct lb *lb)
{
	for (__u32 i = 0; i < lb->meta->backends; i++)
		if (lb->backends[i].flags & LB_B_IN_USE &&
		    lb_mode_is_tunnel((enum lb_mode)lb->backends[i].mode))
			return true;
	return false;
}

/* libxdp reads its wish from the environment. */
static int load_alone(struct lb *lb, struct lb_port *port, enum xdp_attach_mode mode, char *words,
		      struct lb_error *err)
{
	int ret;

	if (setenv("LIBXDP_SKIP_DISPATCHER", "1", 1))
		return -errno;
	ret = load_once(lb, port, mode, words, err);
	unsetenv("LIBXDP_SKIP_DISPATCHER");
	return ret;
}

/*
 * The whole program, else one that leaves packets their size, for a dispatcher that does; tunnels
 * need the whole one, if need be without the dispatcher. words: what is in the way.
 */
int lb_xdp_load(struct lb *lb, struct lb_port *port, enum xdp_attach_mode mode, char *words,
		struct lb_error *err)
{
	char second[LB_TEXT_SIZE] = "";
	int ret = load_once(lb, port, mode, words, err);

	if (!ret || port->flags & LB_P_RIGID)
		return ret;
	if ((port->flags & LB_P_AGENT || has_tunnels(lb)) &&
	    !load_alone(lb, port, mode, second, err))
		return 0;
	if (port->flags & LB_P_AGENT)
		return ret;
	port->flags |= LB_P_RIGID;
	if (!load_once(lb, port, mode, second, err))
		return 0;
	port->flags &= ~(__u32)LB_P_RIGID;
	(void)snprintf(words, LB_TEXT_SIZE, "%s", second);
	return ret;
}
