// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a daemon compares with what it saw before: tables, interfaces, whether services are cached.
 * Works with the maps alone, since a daemon has no rights to more.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "internal.h"
#include "lb_watch.h"

__u32 lb_watch_services(const struct lb *lb)
{
	return lb->is_loaded ? lb->meta->services : 0;
}

__u32 lb_watch_backends(const struct lb *lb)
{
	return lb->is_loaded ? lb->meta->backends : 0;
}

/* ---- tables --------------------------------------------------------------------------------- */

unsigned int lb_list_tables(const struct lb *lb, struct lb_table_info *list)
{
	unsigned int count = 0;

	for (__u32 i = 0; lb->is_loaded && i < lb->meta->services; i++) {
		struct lb_service service;

		if (!lb_service_get(lb, i, &service))
			continue;
		list[count] = (struct lb_table_info){ .number = i,
						      .version = service.line,
						      .slots = service.slots };
		memcpy(list[count++].service, service.name, LB_NAME_SIZE);
	}
	return count;
}

/* The table before is still there, in the half that is not in force. */
__u32 lb_table_moved(const struct lb *lb, __u32 number)
{
	struct lb_service service, before;
	__u32 moved = 0;

	if (!lb_service_get(lb, number, &service))
		return 0;
	before = service;
	before.line = service.line == service.first_line
			      ? service.first_line + lb_lines_of(service.slots)
			      : service.first_line;
	for (__u32 i = 0; i < service.slots; i++)
		moved += ((*lb_table_slot(lb, &service, i) ^ *lb_table_slot(lb, &before, i)) &
			  LB_OWNER_MASK) != 0;
	return moved;
}

/* ---- interfaces ----------------------------------------------------------------------------- */

static void read_link(int fd, struct lb_link *link)
{
	struct ifreq request = { .ifr_ifindex = (int)link->ifindex };

	if (ioctl(fd, SIOCGIFNAME, &request))
		return;
	memcpy(link->name, request.ifr_name, sizeof(link->name));
	if (!ioctl(fd, SIOCGIFFLAGS, &request))
		link->is_up = request.ifr_flags & IFF_UP && request.ifr_flags & IFF_RUNNING;
}

/* Behind a dispatcher the kernel names the dispatcher's program only. */
static bool is_lost(const struct lb_port *port)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, options);
	const bool is_generic = port->flags & LB_P_GENERIC;
	__u32 id;

	if (bpf_xdp_query((int)port->ifindex, is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE,
			  &options))
		return true;
	id = is_generic ? options.skb_prog_id : options.drv_prog_id;
	return !id || (!port->is_dispatched && id != port->program_id);
}

unsigned int lb_list_links(const struct lb *lb, struct lb_link *list)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int count = 0;

	for (int i = 0; fd >= 0 && lb->is_loaded && i < LB_PORTS_MAX; i++) {
		const struct lb_port *port = &lb->ports[i];
		struct lb_link *link = &list[count];

		/* A command that attaches it is not through while there is no program. */
		if (!port->ifindex || !port->program_id)
			continue;
		*link = (struct lb_link){ .ifindex = port->ifindex,
					  .is_generic = port->flags & LB_P_GENERIC,
					  .is_alone = !port->is_dispatched,
					  .is_rigid = port->flags & LB_P_RIGID,
					  .is_backend = port->flags & LB_P_AGENT };
		read_link(fd, link);
		link->is_lost = link->name[0] && is_lost(port);
		count++;
	}
	if (fd >= 0)
		(void)close(fd);
	return count;
}

/* ---- lbcache -------------------------------------------------------------------------------- */

bool lb_cache_is_wanted(const struct lb *lb)
{
	for (__u32 i = 0; lb->is_loaded && i < lb->meta->services; i++) {
		const __u32 flags = lb->services[i].flags;

		if (flags & LB_S_IN_USE && flags & LB_S_CACHED && !(flags & LB_S_CACHE_OFF))
			return true;
	}
	return false;
}
