/* SPDX-License-Identifier: GPL-2.0-only */
/* lb_walk() of a whole frame, for all that is off the hot path. */
#ifndef LB_WALK_H
#define LB_WALK_H

#include "ctx.h"

/* Global, so that the verifier forgets by which way the offsets were found (see flow.h). */
__noinline long lb_walk_frame(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data;
	void *data_end = (void *)(long)xdp->data_end;

	return lb_walk(data, data_end);
}

#endif
