// SPDX-License-Identifier: GPL-2.0-only
/* The role of a backend: which balancers' outer packets the datapath takes. */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

/* An IPv4 prefix is one of its 16-byte form. */
static struct lb_from to_key(const struct lb_prefix *prefix)
{
	struct lb_from key = { .length = prefix->length };

	if (lb_addr_is_v4(&prefix->addr))
		key.length += 96;
	memcpy(key.addr, &prefix->addr, sizeof(key.addr));
	return key;
}

static struct lb_prefix from_key(const struct lb_from *key)
{
	struct lb_prefix prefix = { .length = (__u8)key->length };

	memcpy(&prefix.addr, key->addr, sizeof(prefix.addr));
	if (key->length >= 96 && lb_addr_is_v4(&prefix.addr))
		prefix.length -= 96;
	return prefix;
}

unsigned int lb_agent_read(const struct lb *lb, struct lb_prefix out[LB_FROM_MAX])
{
	const int fd = lb->maps[LB_MAP_FROM].fd;
	struct lb_from key, next;
	unsigned int count = 0;
	const void *at = NULL;

	while (count < LB_FROM_MAX && !bpf_map_get_next_key(fd, at, &next)) {
		out[count++] = from_key(&next);
		key = next;
		at = &key;
	}
	return count;
}

static bool has_prefix(const struct lb_attach_options *options, const struct lb_prefix *prefix)
{
	for (unsigned int i = 0; i < options->from_count; i++)
		if (options->from[i].length == prefix->length &&
		    lb_addr_is_equal(&options->from[i].addr, &prefix->addr))
			return true;
	return false;
}

/* What is new first, so that no packet of a prefix that stays is refused meanwhile. */
int lb_agent_write(struct lb *lb, const struct lb_attach_options *options, const char *ifname,
		   struct lb_error *err)
{
	const int fd = lb->maps[LB_MAP_FROM].fd;
	struct lb_prefix known[LB_FROM_MAX];
	const unsigned int count = lb_agent_read(lb, known);
	const __u32 one = 1;

	if (!options->from_count && !count)
		return lb_fail(
			err, -EINVAL,
			"interface %s: role backend takes packets from nobody yet: say 'from "
			"PREFIX', where the balancers' outer packets come from",
			ifname);
	for (unsigned int i = 0; i < options->from_count; i++) {
		const struct lb_from key = to_key(&options->from[i]);

		if (bpf_map_update_elem(fd, &key, &one, 0))
			return lb_fail(err, -errno, "interface %s: from: %s", ifname,
				       strerror(errno));
	}
	for (unsigned int i = 0; options->from_count && i < count; i++) {
		const struct lb_from key = to_key(&known[i]);

		if (!has_prefix(options, &known[i]))
			bpf_map_delete_elem(fd, &key);
	}
	return 0;
}
