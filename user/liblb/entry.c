// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the maps as they may be believed. lbd's worker, which has no rights, holds the same
 * memory for writing: what is used as a number or a size is read once, and measured against what
 * the kernel says the maps hold.
 */
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

static __u32 entries_of(const struct lb *lb, enum lb_map_id id)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(lb->maps[id].fd, &info, &size) ? 0 : info.max_entries;
}

void lb_meta_take(struct lb *lb)
{
	struct lb_meta *own = &lb->own_meta;

	lb->meta = NULL;
	if (!lb->maps[LB_MAP_META].memory)
		return;
	*own = *(const struct lb_meta *)lb->maps[LB_MAP_META].memory;
	own->services = entries_of(lb, LB_MAP_SERVICES);
	own->backends = entries_of(lb, LB_MAP_BACKENDS);
	own->lines = entries_of(lb, LB_MAP_SLOTS);
	own->flows = entries_of(lb, LB_MAP_FLOWS) * LB_FLOWS_PER_BUCKET;
	own->buckets[LB_LOOKUP_SERVICES] = entries_of(lb, LB_MAP_SERVICE_HASH) / 2;
	own->buckets[LB_LOOKUP_ENDPOINTS] = entries_of(lb, LB_MAP_BACKEND_HASH) / 2;
	own->histories = entries_of(lb, LB_MAP_HISTORY);
	lb->meta = own;
}

__u32 lb_hz(const struct lb *lb)
{
	const __u32 hz = LB_READ(lb->control->hz);

	return hz ? hz : 1;
}

/* Its tables within the map, the one in force one of its two, its backends' numbers in a window. */
static bool is_sound(const struct lb *lb, const struct lb_service *service)
{
	const __u32 lines = lb_lines_of(service->slots);

	return service->slots >= LB_SLOTS_MIN && service->slots <= LB_SLOTS_MAX &&
	       service->first_line + 2ull * lines <= lb->meta->lines &&
	       (service->line == service->first_line ||
		service->line == service->first_line + lines) &&
	       service->backend_base % LB_BACKEND_WINDOW == 0 &&
	       service->backend_base < lb->meta->backends && service->vip_length <= 128;
}

/* False where there is none. */
static bool copy(const struct lb *lb, __u32 number, struct lb_service *out)
{
	if (number >= lb->meta->services)
		return false;
	memcpy(out, &lb->services[number], sizeof(*out));
	/* From here on nobody reads the map again instead of the copy. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	out->name[LB_NAME_SIZE - 1] = '\0';
	return out->flags & LB_S_IN_USE;
}

bool lb_service_get(const struct lb *lb, __u32 number, struct lb_service *out)
{
	struct lb_service found;

	if (!copy(lb, number, &found) || !is_sound(lb, &found))
		return false;
	*out = found;
	return true;
}

bool lb_service_is_lost(const struct lb *lb, __u32 number)
{
	struct lb_service found;

	return copy(lb, number, &found) && !is_sound(lb, &found);
}

bool lb_backend_is_within(const struct lb *lb, __u32 base, __u32 number)
{
	return number < lb->meta->backends && number >= base && number - base < LB_BACKEND_WINDOW;
}

__u32 lb_flow_backend(const struct lb *lb, const struct lb_flow *flow)
{
	const __u16 service = LB_READ(flow->service);
	__u32 number;

	if (service >= lb->meta->services)
		return LB_NO_BACKEND;
	number = LB_READ(lb->services[service].backend_base) + LB_READ(flow->backend);
	return number < lb->meta->backends ? number : LB_NO_BACKEND;
}
