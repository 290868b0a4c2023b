/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QUIC by connection id: the backend whose number stands in the id, whatever the client's address
 * is. A backend without weight or that drains still is the one; one that is down is not.
 */
#ifndef LB_SERVER_H
#define LB_SERVER_H

#include "maps.h"
#include "parse_quic.h"

#define LB_NO_SERVER (-1)

/*
 * The owner that the packet's connection id names, or LB_NO_SERVER. A function, so that it costs
 * lb_xdp neither registers nor stack; not a global one, since it reads the packet.
 */
static __noinline int lb_find_server(const struct lb_service *service, __u32 number,
				     const void *udp, const void *end)
{
	/*
	 * Adds nothing, but the verifier cannot know. Else it would keep apart how far the caller's
	 * packet was looked at here, and walk all that follows once for each.
	 */
	const void *apart = udp + (service->cid_length >> 3);
	const long id = lb_parse_server_id(apart, end, service->cid_offset, service->cid_length);
	const struct lb_server_key key = { .service = number, .id = (__u32)id };
	const struct lb_backend *backend;
	const __u32 *found;
	__u32 at;

	if (id == LB_QUIC_NO_ID)
		return LB_NO_SERVER;
	found = bpf_map_lookup_elem(&lb_servers, &key);
	if (!found)
		return LB_NO_SERVER;
	at = *found;
	backend = bpf_map_lookup_elem(&lb_backends, &at);
	/* The entry may be older than the backend. */
	if (!backend || backend->service != number || backend->server_id != key.id ||
	    (backend->flags & (LB_B_IN_USE | LB_B_SERVER | LB_B_DOWN)) !=
		    (LB_B_IN_USE | LB_B_SERVER))
		return LB_NO_SERVER;
	return (at - service->backend_base) & LB_OWNER_MASK;
}

#endif
