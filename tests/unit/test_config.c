// SPDX-License-Identifier: GPL-2.0-only
/* The document in memory: each rule of lb_config_check and its failure, and editing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "liblb.h"

static union lb_addr addr_of(const char *text)
{
	union lb_addr addr;

	assert_int_equal(lb_addr_parse(text, &addr), 0);
	return addr;
}

/* ---- the rules --------------------------------------------------------------------------------
 */

/* Two services that may stand beside each other, to be broken by one step. */
static struct lb_config *make_pair(void)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->services = calloc(3, sizeof(*config->services));
	config->service_count = 2;
	for (unsigned int i = 0; i < 2; i++) {
		struct lb_service_config *service = &config->services[i];

		lb_service_config_init(service);
		(void)snprintf(service->name, sizeof(service->name), "%s", i ? "two" : "one");
		service->proto = IPPROTO_TCP;
		service->vip = addr_of(i ? "203.0.113.2" : "203.0.113.1");
		service->port = 80;
		service->backends = calloc(2, sizeof(*service->backends));
		service->backend_count = 2;
		for (unsigned int j = 0; j < 2; j++) {
			lb_backend_config_init(&service->backends[j]);
			service->backends[j].addr = addr_of(j ? "192.0.2.2" : "192.0.2.1");
			service->backends[j].port = (__u16)(5000 + i);
		}
	}
	return config;
}

#define RULE(name, step)                                                                           \
	static void name(struct lb_config *config, struct lb_service_config *one,                  \
			 struct lb_service_config *two)                                            \
	{                                                                                          \
		(void)config;                                                                      \
		(void)one;                                                                         \
		(void)two;                                                                         \
		step;                                                                              \
	}

static struct lb_prefix prefix_of(const char *text)
{
	struct lb_prefix prefix;

	assert_int_equal(lb_prefix_parse(text, &prefix), 0);
	return prefix;
}

/* clang-format off */
RULE(name_empty, one->name[0] = '\0')
RULE(name_odd, one->name[1] = ' ')
RULE(name_dash, one->name[0] = '-')
RULE(name_endless, memset(one->name, 'x', sizeof(one->name)))
RULE(name_twice, memcpy(two->name, "one", 4))
RULE(proto_odd, one->proto = 132)
RULE(mode_odd, one->mode = (enum lb_mode)9)
RULE(backend_mode_odd, one->backends[1].mode = (enum lb_mode)9)
RULE(stateless_tcp, one->is_stateless = true)
RULE(mss_udp, one->proto = IPPROTO_UDP; one->mss = 1400)
RULE(mss_small, one->mss = 87)
RULE(mss_large, one->mss = 65496)
RULE(quic_tcp, one->cid_length = 2)
RULE(quic_long, one->proto = IPPROTO_UDP; one->cid_offset = 19; one->cid_length = 2)
RULE(quic_none, one->backends[1].has_server_id = true; one->backends[1].server_id = 7)
RULE(quic_large, one->proto = IPPROTO_UDP; one->cid_length = 1; one->backends[1].has_server_id = true;
     one->backends[1].server_id = 256)
RULE(quic_same, one->proto = IPPROTO_UDP; one->cid_length = 4; one->backends[0].has_server_id = true;
     one->backends[1].has_server_id = true)
RULE(pieces_tcp, one->mode = LB_MODE_DSR; one->backend_count = 0;
     one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(pieces_fullnat, one->proto = IPPROTO_UDP; one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(pieces_nat, one->proto = IPPROTO_UDP; one->mode = LB_MODE_NAT; one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(pieces_local, one->proto = IPPROTO_UDP; one->mode = LB_MODE_LOCAL; one->backend_count = 0;
     one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(pieces_backend, one->proto = IPPROTO_UDP; one->mode = LB_MODE_GUE; one->fragments = LB_FRAGMENTS_THREE_TUPLE;
     one->backends[0].port = 0; one->backends[1].mode = LB_MODE_FULLNAT)
RULE(pieces_quic, one->proto = IPPROTO_UDP; one->mode = LB_MODE_DSR; one->backend_count = 0; one->cid_length = 2;
     one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(pieces_company, one->proto = two->proto = IPPROTO_UDP; two->vip = one->vip; two->port = 81;
     one->mode = LB_MODE_DSR; one->backend_count = 0; one->fragments = LB_FRAGMENTS_THREE_TUPLE)
RULE(range_turned, one->port_last = 79)
RULE(range_fullnat, one->port_last = 90)
RULE(range_nat, one->port_last = 90; one->mode = LB_MODE_NAT)
RULE(prefix_fullnat, one->vip = addr_of("203.0.113.0"); one->vip_length = 24)
RULE(prefix_bits, one->vip_length = 24)
RULE(prefix_whole, one->vip_length = 32)
RULE(prefix_wide, one->vip = addr_of("128.0.0.0"); one->vip_length = 1)
RULE(range_port, one->port_last = 90; one->mode = LB_MODE_IPIP)
RULE(range_overlap, one->backend_count = two->backend_count = 0; one->port_last = 89;
     two->vip = one->vip; two->port = 85; two->port_last = 94)
RULE(range_same, one->backend_count = two->backend_count = 0; one->port_last = 89;
     two->vip = one->vip; two->port = 80; two->port_last = 89)
RULE(port_zero, two->port = 0)
RULE(vip_twice, two->vip = one->vip)
RULE(vip_any, one->vip = addr_of("0.0.0.0"))
RULE(vip_multicast, one->vip = addr_of("224.0.0.1"))
RULE(vip_broadcast, one->vip = addr_of("255.255.255.255"))
RULE(backend_any, one->backends[0].addr = addr_of("0.0.0.0"))
RULE(backend_multicast, two->backends[1].addr = addr_of("239.1.1.1"))
RULE(backend_family, one->backends[1].addr = addr_of("2001:db8::1"))
RULE(backend_twice, one->backends[1].addr = one->backends[0].addr)
RULE(backend_is_vip, one->backends[1].addr = one->vip; one->backends[1].port = 0)
RULE(backend_is_other_vip, one->backends[1].addr = two->vip; one->backends[1].port = 80)
RULE(slots_even, one->slots = 16382)
RULE(slots_few, one->slots = 241)
RULE(slots_many, one->slots = 655379)
RULE(timeout_zero, one->timeouts.udp = 0)
RULE(timeout_long, one->timeouts.fin = 86401)
RULE(timeout_week, one->timeouts.established = 604801)
RULE(source_family, one->sources[0] = addr_of("2001:db8::1"); one->source_count = 1)
RULE(source_any, one->sources[0] = addr_of("0.0.0.0"); one->source_count = 1)
RULE(source_twice, one->sources[0] = one->sources[1] = addr_of("192.0.2.9"); one->source_count = 2)
RULE(sources_many, one->source_count = LB_SOURCES_MAX + 1)
RULE(nat_shared, one->mode = two->mode = LB_MODE_NAT; two->backends[1].port = 5000)
RULE(nat_mixed, two->backends[0].mode = LB_MODE_NAT; two->backends[0].port = 5000)
RULE(local_family, one->mode = LB_MODE_LOCAL; one->backends[0].addr = addr_of("::1"))
RULE(local_udp_port, one->proto = IPPROTO_UDP; one->backends[0].mode = LB_MODE_LOCAL)
RULE(health_type, one->health.type = (enum lb_check_type)99)
RULE(health_often, one->health.type = LB_CHECK_TCP; one->health.interval_ms = 99)
RULE(health_slow, one->health.type = LB_CHECK_TCP; one->health.timeout_ms = 2001)
RULE(health_rise, one->health.type = LB_CHECK_TCP; one->health.rise = 0)
RULE(health_fall, one->health.type = LB_CHECK_TCP; one->health.fall = 101)
RULE(health_stray, one->health.type = LB_CHECK_TCP; memcpy(one->health.body, "x", 2))
RULE(health_path, one->health.type = LB_CHECK_HTTP; memcpy(one->health.path, "x", 2))
RULE(health_split, one->health.type = LB_CHECK_HTTP; memcpy(one->health.path, "/\r\nx", 5))
RULE(health_host, one->health.type = LB_CHECK_HTTP; memcpy(one->health.host, "a/b", 4))
RULE(health_status, one->health.type = LB_CHECK_HTTP; one->health.status_low = 99)
RULE(health_verify, one->health.type = LB_CHECK_HTTPS; one->health.is_verified = true)
RULE(health_ca, one->health.type = LB_CHECK_HTTPS; memcpy(one->health.ca, "x", 2))
RULE(health_dns, one->health.type = LB_CHECK_DNS; memcpy(one->health.host, "a..b", 5))
RULE(health_exec, one->health.type = LB_CHECK_EXEC)
RULE(health_ping_port, one->health.type = LB_CHECK_PING; one->health.port = 7)
RULE(nat_mixed_late, one->backends[0].mode = LB_MODE_IPIP; one->backends[0].port = 80;
     two->backends[0].addr = two->backends[1].addr = one->backends[0].addr;
     two->backends[0].port = 80; two->backends[1].port = 81; one->backends[1] = one->backends[0];
     one->backends[1].port = 81; one->backends[1].mode = LB_MODE_FULLNAT; two->mode = LB_MODE_NAT)
RULE(dsr_port, one->backends[0].mode = LB_MODE_DSR)
RULE(ipip_port, one->mode = LB_MODE_IPIP)
RULE(tunnel_sources_family, one->tunnel_source_count = 2;
     one->tunnel_sources[0] = prefix_of("192.0.2.64/26");
     one->tunnel_sources[1] = prefix_of("192.0.2.128/26"))
RULE(tunnel_source_wide, one->tunnel_source_count = 1;
     one->tunnel_sources[0] = prefix_of("2000::/3"))
RULE(limit_services, config->limits.services = 1)
RULE(limit_services_zero, config->limits.services = 0)
RULE(limit_services_many, config->limits.services = 4097)
RULE(limit_backends, config->limits.backends = 3)
RULE(limit_backends_many, config->limits.backends = 65535)
RULE(limit_slots, config->limits.slots = 16384)
RULE(limit_slots_few, config->limits.slots = 16383)
RULE(limit_flows_few, config->limits.flows = 1023)
RULE(limit_flows_many, config->limits.flows = 67108865)

static const struct {
	void (*step)(struct lb_config *config, struct lb_service_config *one,
		     struct lb_service_config *two);
	int code;
	const char *words;
} rules[] = {
	{ name_empty, -EINVAL, "name is empty" },
	{ name_odd, -EINVAL, "'o e' is no name for a service" },
	{ name_dash, -EINVAL, "'-ne' is no name" },
	{ name_endless, -EINVAL, "too long" },
	{ name_twice, -EEXIST, "service one is there twice" },
	{ proto_odd, -EINVAL, "service one: protocol 132" },
	{ mode_odd, -EINVAL, "service one: mode 9" },
	{ backend_mode_odd, -EINVAL, "backend mode 9" },
	{ stateless_tcp, -EINVAL, "service one: stateless is for udp only" },
	{ mss_udp, -EINVAL, "service one: mss-clamp is for tcp only" },
	{ mss_small, -ERANGE, "service one: mss-clamp 87 is out of range" },
	{ mss_large, -ERANGE, "service one: mss-clamp 65496 is out of range" },
	{ quic_tcp, -EINVAL, "service one: quic-cid is for udp only, this is tcp" },
	{ quic_long, -ERANGE, "service one: quic-cid 19:2 is out of range" },
	{ quic_none, -EINVAL, "service one: backend 192.0.2.2:5000 has server-id 7, but the service no quic-cid" },
	{ quic_large, -ERANGE, "service one: backend 192.0.2.2:5000: server-id 256 does not fit the 1 bytes of quic-cid 0:1, at most 255" },
	{ quic_same, -EEXIST, "service one: backend 192.0.2.2:5000: server-id 0 is the one of backend 192.0.2.1:5000" },
	{ pieces_tcp, -EINVAL, "service one: fragments three-tuple is for udp only, this is tcp" },
	{ pieces_fullnat, -EINVAL, "service one: fragments three-tuple needs mode dsr, ipip or gue: in fullnat a client has another source" },
	{ pieces_nat, -EINVAL, "in nat later fragments of an answer do not show" },
	{ pieces_local, -EINVAL, "in local no process gets a datagram" },
	{ pieces_backend, -EINVAL, "service one: backend 192.0.2.2:5000: fragments three-tuple needs mode dsr, ipip or gue: in fullnat" },
	{ pieces_quic, -EINVAL, "service one: fragments three-tuple and quic-cid exclude each other" },
	{ pieces_company, -EEXIST, "service one: fragments three-tuple needs its addresses alone in udp, since later fragments carry no port; service two is at 203.0.113.1:81" },
	{ range_turned, -EINVAL, "service one: ports 80-79 are no range" },
	{ range_fullnat, -EINVAL, "in mode fullnat an answer does not show which part of" },
	{ range_nat, -EINVAL, "in mode nat an answer does not show which part of" },
	{ prefix_fullnat, -EINVAL, "which part of 203.0.113.0/24:80 the client asked for" },
	{ prefix_bits, -EINVAL, "service one: address 203.0.113.1/24:80 is no prefix" },
	{ prefix_whole, -EINVAL, "service one: address 203.0.113.1/32:80 is no prefix" },
	{ prefix_wide, -EINVAL, "service one: address 128.0.0.0/1:80 is too wide" },
	{ range_port, -EINVAL, "leave the backend's port out" },
	{ range_overlap, -EEXIST, "service two: tcp 203.0.113.1:85-94 overlaps 203.0.113.1:80-89" },
	{ range_same, -EEXIST, "service two: tcp 203.0.113.1:80-89 overlaps" },
	{ port_zero, -EINVAL, "service two: port 0" },
	{ vip_twice, -EEXIST, "service two: tcp 203.0.113.1:80 is already the address of service one" },
	{ vip_any, -EINVAL, "an unspecified address" },
	{ vip_multicast, -EINVAL, "a multicast address" },
	{ vip_broadcast, -EINVAL, "the broadcast address" },
	{ backend_any, -EINVAL, "service one: backend 0.0.0.0 is an unspecified address" },
	{ backend_multicast, -EINVAL, "service two: backend 239.1.1.1 is a multicast address" },
	{ backend_family, -EINVAL, "cannot bridge address families" },
	{ backend_twice, -EEXIST, "service one: backend 192.0.2.1:5000 is listed twice" },
	{ backend_is_vip, -EINVAL, "the service's own address and port" },
	{ backend_is_other_vip, -EINVAL, "is the address and port of service two" },
	{ slots_even, -EINVAL, "slots 16382 is not a prime number; the next one is 16411" },
	{ slots_few, -ERANGE, "slots 241 is out of range, expected 251 to 655373" },
	{ slots_many, -ERANGE, "slots 655379 is out of range" },
	{ timeout_zero, -ERANGE, "service one: timeouts: udp 0 is out of range, expected 1 to 86400" },
	{ timeout_long, -ERANGE, "fin 86401" },
	{ timeout_week, -ERANGE, "established 604801 is out of range, expected 1 to 604800" },
	{ source_family, -EINVAL, "source 2001:db8::1 is IPv6 but the service's address is IPv4" },
	{ source_any, -EINVAL, "source 0.0.0.0" },
	{ source_twice, -EEXIST, "source 192.0.2.9 is listed twice" },
	{ sources_many, -ERANGE, "17 sources are too many" },
	{ nat_shared, -EINVAL, "service two: backend 192.0.2.2:5000 is already in service one" },
	{ nat_mixed, -EINVAL, "is nat here and fullnat in service one" },
	{ local_family, -EINVAL, "cannot bridge address families" },
	{ local_udp_port, -EINVAL, "service one: backend 192.0.2.1:5000 is local and answers from its own port, which for udp must be the service's, 80" },
	{ health_type, -EINVAL, "service one: health: type 99 is unknown" },
	{ health_often, -ERANGE, "interval 99ms is out of range, expected 100ms to 3600s" },
	{ health_slow, -ERANGE, "timeout 2001ms is out of range, expected 10ms to 2s" },
	{ health_rise, -ERANGE, "rise 0" },
	{ health_fall, -ERANGE, "fall 101 is out of range, expected 1 to 100" },
	{ health_stray, -EINVAL, "body has no meaning for checks of type tcp" },
	{ health_path, -EINVAL, "path 'x' must begin with '/'" },
	{ health_split, -EINVAL, "have no blanks" },
	{ health_host, -EINVAL, "host 'a/b' is no host's name" },
	{ health_status, -ERANGE, "status 99-399" },
	{ health_verify, -EINVAL, "verify is for https with a host" },
	{ health_ca, -EINVAL, "ca has no meaning without" },
	{ health_dns, -EINVAL, "host 'a..b' is no DNS name" },
	{ health_exec, -EINVAL, "need a command" },
	{ health_ping_port, -EINVAL, "port has no meaning for checks of type ping" },
	{ nat_mixed_late, -EINVAL, "is nat here and fullnat in service one" },
	{ dsr_port, -EINVAL, "backend 192.0.2.1:5000: mode dsr leaves the packet as it is, so the port is the service's, 80" },
	{ ipip_port, -EINVAL, "mode ipip leaves the packet as it is" },
	{ tunnel_sources_family, -EINVAL, "at most one prefix for IPv4 and one for IPv6" },
	{ tunnel_source_wide, -EINVAL, "tunnel-source 2000::/3 is too wide" },
	{ limit_services, -ERANGE, "2 services are more than 'limits: services: 1'" },
	{ limit_services_zero, -ERANGE, "limits: services 0" },
	{ limit_services_many, -ERANGE, "expected 1 to 4096" },
	{ limit_backends, -ERANGE, "all services' backends, from service two on, are more than 'limits: backends: 3'" },
	{ limit_backends_many, -ERANGE, "expected 1 to 65534" },
	{ limit_slots, -ERANGE, "all services' slots, from service two on, are more than 'limits: slots: 16384'" },
	{ limit_slots_few, -ERANGE, "limits: slots 16383" },
	{ limit_flows_few, -ERANGE, "limits: flows 1023" },
	{ limit_flows_many, -ERANGE, "limits: flows 67108865" },
};
/* clang-format on */

static void rules_are_kept(void **state)
{
	struct lb_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct lb_config *config = make_pair();

		assert_int_equal(lb_config_check(config, &err), 0);
		rules[i].step(config, &config->services[0], &config->services[1]);
		err.text[0] = '\0';
		assert_int_equal(lb_config_check(config, &err), rules[i].code);
		if (!strstr(err.text, rules[i].words))
			fail_msg("'%s', not '%s'", err.text, rules[i].words);
		lb_config_free(config);
	}
}

/* What looks alike and may be. */
static void what_may_be(void **state)
{
	struct lb_config *config = make_pair();
	struct lb_service_config *one = &config->services[0], *two = &config->services[1];

	(void)state;
	two->backends[0].port = two->backends[1].port = 5000; /* both by full NAT */
	assert_int_equal(lb_config_check(config, NULL), 0);
	two->proto = IPPROTO_UDP; /* another protocol is another endpoint */
	one->mode = LB_MODE_NAT;
	two->vip = one->vip;
	assert_int_equal(lb_config_check(config, NULL), 0);
	two->is_stateless = true;
	two->mode = LB_MODE_DSR;
	two->backend_count = 0;
	two->fragments = LB_FRAGMENTS_THREE_TUPLE; /* tcp at its address does not matter */
	assert_int_equal(lb_config_check(config, NULL), 0);
	two->mode = LB_MODE_INHERIT;
	two->backend_count = 2;
	two->fragments = LB_FRAGMENTS_TABLE;
	one->backends[0].addr = one->vip; /* another port of the service's address */
	assert_int_equal(lb_config_check(config, NULL), 0);
	/* Tunnels bridge families, and their backends' replies come from the service's address. */
	two->proto = IPPROTO_TCP;
	two->vip = addr_of("203.0.113.2");
	two->is_stateless = false;
	two->mode = LB_MODE_GUE;
	two->backends[0].port = two->backends[1].port = 0;
	two->backends[0].addr = addr_of("2001:db8::5");
	two->backends[1].addr = one->backends[1].addr;
	one->backends[1].port = two->port;
	assert_int_equal(lb_config_check(config, NULL), 0);
	config->limits.slots = 32768;
	config->limits.backends = 4;
	config->limits.services = 2;
	assert_int_equal(lb_config_check(config, NULL), 0);
	lb_config_free(config);
}

/* ---- editing ----------------------------------------------------------------------------------
 */

static void adds_and_removes(void **state)
{
	struct lb_config *config = make_pair(), *copy;
	struct lb_service_config three = config->services[1], *found;
	struct lb_backend_config backend = config->services[0].backends[0];
	struct lb_error err;

	(void)state;
	assert_int_equal(lb_config_add_service(config, &three, &err), -EEXIST);
	assert_non_null(strstr(err.text, "service two exists already"));
	memcpy(three.name, "three", 6);
	assert_int_equal(lb_config_add_service(config, &three, &err), -EEXIST);
	assert_int_equal(config->service_count, 2);
	three.port = 81;
	assert_int_equal(lb_config_add_service(config, &three, &err), 0);
	assert_int_equal(config->service_count, 3);
	found = lb_config_find_service(config, "three");
	assert_non_null(found);
	assert_ptr_not_equal(found->backends, config->services[1].backends);

	assert_int_equal(lb_config_add_backend(config, found, &found->backends[0], &err), -EEXIST);
	assert_string_equal(err.text,
			    "backend 192.0.2.1:5001 is already in service three (weight 1); "
			    "change it with 'lbctl backend set'");
	backend.addr = addr_of("2001:db8::1");
	assert_int_equal(lb_config_add_backend(config, found, &backend, &err), -EINVAL);
	assert_int_equal(found->backend_count, 2);
	backend.addr = addr_of("192.0.2.77");
	backend.port = 0;
	assert_int_equal(lb_config_add_backend(config, found, &backend, &err), 0);
	assert_ptr_equal(lb_config_find_backend(found, &backend.addr, 81), &found->backends[2]);
	assert_ptr_equal(lb_config_find_backend(found, &backend.addr, 0), &found->backends[2]);
	assert_null(lb_config_find_backend(found, &backend.addr, 80));

	copy = lb_config_copy(config);
	lb_config_del_backend(found, &found->backends[0]);
	assert_int_equal(found->backend_count, 2);
	assert_int_equal(found->backends[1].port, 0);
	lb_config_del_service(config, &config->services[0]);
	assert_null(lb_config_find_service(config, "one"));
	assert_non_null(lb_config_find_service(config, "three"));
	assert_int_equal(copy->service_count, 3);
	assert_int_equal(copy->services[2].backend_count, 3);
	lb_config_free(copy);
	lb_config_free(config);
	lb_config_free(NULL);
}

static void slots_wanted(void **state)
{
	(void)state;
	assert_int_equal(lb_slots_wanted(0), 251);
	assert_int_equal(lb_slots_wanted(2), 251);
	assert_int_equal(lb_slots_wanted(100), 10007);
	assert_int_equal(lb_slots_wanted(7000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_kept),
		cmocka_unit_test(what_may_be),
		cmocka_unit_test(adds_and_removes),
		cmocka_unit_test(slots_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
