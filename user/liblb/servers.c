// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the numbers that QUIC's connection ids carry to backends. An entry is believed only while
 * the backend says the same of itself, so the map may hold more than it should in between.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

int lb_servers_write(struct lb *lb, const struct lb_change *change, struct lb_error *err)
{
	for (unsigned int i = 0; i < change->service_count; i++) {
		const struct lb_service_change *service = &change->services[i];

		for (unsigned int b = 0; b < service->config->backend_count; b++) {
			const struct lb_backend_change *backend = &service->backends[b];
			const struct lb_server_key key = { .service = service->number,
							   .id = backend->config->server_id };

			if (backend->config->has_server_id &&
			    bpf_map_update_elem(lb->maps[LB_MAP_SERVERS].fd, &key, &backend->number,
						BPF_ANY))
				return lb_fail(err, -errno,
					       "service %s: server-id %u cannot be written: %s",
					       service->config->name, key.id, strerror(errno));
		}
	}
	return 0;
}

static bool is_true(const struct lb *lb, const struct lb_server_key *key)
{
	const struct lb_backend *backend;
	__u32 number;

	if (bpf_map_lookup_elem(lb->maps[LB_MAP_SERVERS].fd, key, &number) ||
	    number >= lb->meta->backends)
		return false;
	backend = &lb->backends[number];
	return backend->flags & LB_B_IN_USE && backend->flags & LB_B_SERVER &&
	       backend->service == key->service && backend->server_id == key->id;
}

void lb_servers_trim(struct lb *lb)
{
	const int fd = lb->maps[LB_MAP_SERVERS].fd;
	struct lb_server_key key, next;
	int ret = bpf_map_get_next_key(fd, NULL, &next);

	while (!ret) {
		key = next;
		ret = bpf_map_get_next_key(fd, &key, &next);
		if (!is_true(lb, &key))
			(void)bpf_map_delete_elem(fd, &key);
	}
}
