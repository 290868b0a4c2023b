// SPDX-License-Identifier: GPL-2.0-only
/* What began under an earlier document, and is looked up as long as it lives. */
#include "local.h"

__u32 lb_flags_kept(const struct lb *lb, __u32 number, __u32 wanted)
{
	const __u32 gone = lb->services[number].flags & ~wanted;
	__u32 kept = 0;

	if (gone & LB_S_TRACKED && lb_flows_has_service(lb, number))
		kept |= LB_S_TRACKED;
	/* Connections that lbcache has; it gets no new ones. */
	if (gone & LB_S_CACHED && lb_cache_is_used(lb))
		kept |= LB_S_CACHED | LB_S_CACHE_OFF;
	return kept;
}
