// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, routes and the document of the packet table's services. */
#include <string.h>

#include "cast.h"

const char *const cast_client[2] = { "198.51.100.7", "2001:db8:c::7" };
const char *const cast_stranger[2] = { "198.51.100.99", "2001:db8:c::99" };
const char *const cast_router[2] = { "198.51.100.201", "2001:db8:99::1" };
const char *const cast_source[2] = { "192.0.2.1", "2001:db8:b::1" };

static const struct {
	const char *name;
	enum lb_mode mode;
	const char *vip[2];
	const char *backend[2]; /* NULL: none */
} parts[PARTS] = {
	[NAT] = { "nat",
		  LB_MODE_NAT,
		  { "203.0.113.10", "2001:db8::10" },
		  { "192.0.2.11", "2001:db8:b::11" } },
	[FULL] = { "full",
		   LB_MODE_FULLNAT,
		   { "203.0.113.20", "2001:db8::20" },
		   { "192.0.2.12", "2001:db8:b::12" } },
	[PLAIN_UDP] = { "plain",
			LB_MODE_NAT,
			{ "203.0.113.30", "2001:db8::30" },
			{ "192.0.2.13", "2001:db8:b::13" } },
	[EMPTY] = { "empty", LB_MODE_NAT, { "203.0.113.40", "2001:db8::40" }, {} },
	[SHUT] = { "shut", LB_MODE_FULLNAT, { "203.0.113.53", "2001:db8::53" }, {} },
	[FAR] = { "far",
		  LB_MODE_NAT,
		  { "203.0.113.41", "2001:db8::41" },
		  { "192.0.2.141", "2001:db8:d::41" } },
	[HOLE] = { "hole",
		   LB_MODE_NAT,
		   { "203.0.113.42", "2001:db8::42" },
		   { "203.0.113.242", "2001:db8:e::42" } },
	[SLIM] = { "slim",
		   LB_MODE_NAT,
		   { "203.0.113.43", "2001:db8::43" },
		   { "192.0.2.70", "2001:db8:f::43" } },
	[LOST] = { "lost",
		   LB_MODE_NAT,
		   { "203.0.113.44", "2001:db8::44" },
		   { "192.0.2.24", "2001:db8:b::24" } },
	[LOST_FULL] = { "lost-full",
			LB_MODE_FULLNAT,
			{ "203.0.113.45", "2001:db8::45" },
			{ "192.0.2.25", "2001:db8:b::25" } },
	[GONE] = { "gone",
		   LB_MODE_FULLNAT,
		   { "203.0.113.46", "2001:db8::46" },
		   { "192.0.2.16", "2001:db8:b::16" } },
	[BARE] = { "bare",
		   LB_MODE_FULLNAT,
		   { "203.0.113.47", "2001:db8::47" },
		   { "192.0.2.17", "2001:db8:b::17" } },
	[SELF] = { "self",
		   LB_MODE_NAT,
		   { "203.0.113.49", "2001:db8::49" },
		   { "192.0.2.129", "2001:db8:d::1" } },
	[SELF_FULL] = { "self-full",
			LB_MODE_FULLNAT,
			{ "203.0.113.50", "2001:db8::50" },
			{ "198.51.100.1", "2001:db8:c::1" } },
	[ONE_ARM] = { "one-arm",
		      LB_MODE_NAT,
		      { "203.0.113.48", "2001:db8::48" },
		      { "198.51.100.18", "2001:db8:c::18" } },
	[LOCAL] = { "local",
		    LB_MODE_LOCAL,
		    { "203.0.113.52", "2001:db8::52" },
		    { "127.0.0.1", "::1" } },
};

const char *cast_vip(enum part part, bool is_v6)
{
	return parts[part].vip[is_v6];
}

const char *cast_backend(enum part part, bool is_v6)
{
	return parts[part].backend[is_v6];
}

void cast_make_routes(void)
{
	static const enum part known[] = { NAT, FULL, PLAIN_UDP, SLIM, GONE, BARE };
	char lines[4096] =
		"route add blackhole 203.0.113.242/32\n"
		"route add blackhole 2001:db8:e::/64\n"
		"route add 192.0.2.70/32 dev b0 mtu lock 1280\n"
		"route add 2001:db8:f::/64 dev b0 mtu lock 1280\n"
		"neighbour add 192.0.2.141 lladdr 02:00:00:00:0d:41 nud permanent dev u0\n"
		"neighbour add 2001:db8:d::41 lladdr 02:00:00:00:0d:41 nud permanent dev u0\n"
		"neighbour add 198.51.100.18 lladdr 02:00:00:00:0b:11 nud permanent dev c0\n"
		"neighbour add 2001:db8:c::18 lladdr 02:00:00:00:0b:11 nud permanent dev c0\n";
	size_t used = strlen(lines);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (int is_v6 = 0; is_v6 < 2; is_v6++)
			used += (size_t)snprintf(
				lines + used, sizeof(lines) - used,
				"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent "
				"dev b0\n",
				parts[known[i]].backend[is_v6]);
	world_ip(lines);
}

static void add_part(struct lb_config *config, enum part part, bool is_v6, __u8 proto, bool is_gone)
{
	struct lb_service_config *service;
	char name[LB_NAME_SIZE];

	snprintf(name, sizeof(name), "%s-%s-%d", parts[part].name,
		 proto == IPPROTO_TCP ? "tcp" : "udp", is_v6 ? 6 : 4);
	service = world_add_service(config, name, proto, parts[part].vip[is_v6], CAST_SERVICE_PORT,
				    parts[part].mode);
	service->slots = LB_SLOTS_MIN;
	service->is_stateless = part == PLAIN_UDP;
	if (part == SHUT) {
		service->health.is_passive = true;
		service->health.on_all_down = LB_ALL_DOWN_REJECT;
	}
	if (parts[part].backend[is_v6] && !(part == GONE && is_gone))
		world_add_backend(config, name, parts[part].backend[is_v6],
				  part == LOCAL && proto == IPPROTO_UDP ? CAST_SERVICE_PORT
									: CAST_BACKEND_PORT,
				  1);
	/* A second one, out of use, keeps the service tracking its flows when the first is gone. */
	if (part == GONE)
		world_add_backend(config, name, parts[FULL].backend[is_v6], CAST_BACKEND_PORT + 1,
				  0);
}

struct lb_config *cast_config(bool is_gone)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 64;
	config->limits.backends = 128;
	config->limits.slots = 65536;
	config->limits.flows = 4096;
	for (int is_v6 = 0; is_v6 < 2; is_v6++)
		for (int part = 0; part < PARTS; part++) {
			add_part(config, part, is_v6, IPPROTO_UDP, is_gone);
			if (part != PLAIN_UDP)
				add_part(config, part, is_v6, IPPROTO_TCP, is_gone);
		}
	return config;
}
