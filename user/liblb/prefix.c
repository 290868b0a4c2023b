// SPDX-License-Identifier: GPL-2.0-only
/* Address prefixes: their words and their bits. Knows no document and no kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liblb.h"

static __u32 whole(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? 32 : 128;
}

/* Digits only, so that "+8" and " 8" are no lengths. */
static int parse_length(const char *text, __u32 limit, __u8 *out)
{
	const size_t digits = strspn(text, "0123456789");
	unsigned long value;

	if (!digits || digits > 3 || text[digits])
		return -EINVAL;
	value = strtoul(text, NULL, 10);
	if (value > limit)
		return -EINVAL;
	*out = (__u8)value;
	return 0;
}

/* Whether bits are set behind the length. */
static bool has_host_bits(const struct lb_prefix *prefix)
{
	const bool is_v4 = lb_addr_is_v4(&prefix->addr);
	const __u8 *bytes = prefix->addr.bytes + (is_v4 ? 12 : 0);

	for (__u32 bit = prefix->length; bit < whole(&prefix->addr); bit++)
		if (bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

int lb_prefix_parse(const char *text, struct lb_prefix *out)
{
	const char *slash = strchr(text, '/');
	const size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char host[LB_ADDR_TEXT_SIZE];
	struct lb_prefix prefix;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (lb_addr_parse(host, &prefix.addr))
		return -EINVAL;
	prefix.length = (__u8)whole(&prefix.addr);
	if (slash && parse_length(slash + 1, whole(&prefix.addr), &prefix.length))
		return -EINVAL;
	if (has_host_bits(&prefix))
		return -EINVAL;
	*out = prefix;
	return 0;
}

const char *lb_prefix_format(const struct lb_prefix *prefix, char buf[LB_PREFIX_TEXT_SIZE])
{
	char text[LB_ADDR_TEXT_SIZE];

	lb_addr_format(&prefix->addr, text);
	if (prefix->length == whole(&prefix->addr))
		(void)snprintf(buf, LB_PREFIX_TEXT_SIZE, "%s", text);
	else
		(void)snprintf(buf, LB_PREFIX_TEXT_SIZE, "%s/%u", text, prefix->length);
	return buf;
}

__be32 lb_prefix_spread(const struct lb_prefix *prefix)
{
	const __u32 free_bits = whole(&prefix->addr) - prefix->length;

	return free_bits >= 32 ? 0xffffffffu : htonl((1u << free_bits) - 1);
}
