// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document: each mistake gets its line and words, each rule of lb_config_check its failure, and
 * any document that may be is the same after writing and reading.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "liblb.h"

static __u64 random_state;

static __u32 random_below(__u32 limit)
{
	return lb_hash_scale((__u32)(lb_hash_mix(++random_state) >> 32), limit);
}

static union lb_addr addr_of(const char *text)
{
	union lb_addr addr;

	assert_int_equal(lb_addr_parse(text, &addr), 0);
	return addr;
}

/* ---- mistakes in YAML ------------------------------------------------------------------------ */

#define HEAD "version: 1\nservices:\n  - name: web\n    protocol: tcp\n"
#define WEB HEAD "    address: \"203.0.113.10:80\"\n"

static const struct {
	const char *yaml, *line, *words;
} mistakes[] = {
	{ "", "x.yaml:1: ", "empty" },
	{ "# nothing but a comment\n", "x.yaml:1: ", "empty" },
	{ "hello", "x.yaml:1: ", "keys of: version, limits, services" },
	{ "- a\n- b\n", "x.yaml:1: ", "keys of: version, limits, services" },
	{ "version: 2\n", "x.yaml:1: ", "expected 1" },
	{ "version: one\n", "x.yaml:1: ", "version 'one' is not a whole number" },
	{ "services: 5\n", "x.yaml:1: ", "services must hold a list" },
	{ "services:\n  - web\n", "x.yaml:2: ", "an entry of services must hold a mapping" },
	{ "servces: []\n", "x.yaml:1: ", "unknown key 'servces', expected one of: version, limits" },
	{ "services: []\nservices: []\n", "x.yaml:2: ", "key 'services' is there twice" },
	{ "services: []\n---\nservices: []\n", "x.yaml:2: ", "second document" },
	{ "services:\n  - name: [unclosed\n", "x.yaml:3: ", "" },
	{ "services:\n\t- name: a\n", "x.yaml:2: ", "" },
	{ "a: b: c\n", "x.yaml:1: ", "" },
	{ "a: \"\xff\"\n", "x.yaml:1: ", "" },
	{ "limits:\n  flows: 12k\n", "x.yaml:2: ", "flows '12k' is not a whole number" },
	{ "limits:\n  flows: 0x800\n", "x.yaml:2: ", "not a whole number" },
	{ "limits:\n  flows: 010000\n", "x.yaml:2: ", "not a whole number" },
	{ "limits:\n  flows: -4096\n", "x.yaml:2: ", "not a whole number" },
	{ "limits:\n  flows: 99999999999\n", "x.yaml:2: ", "too large" },
	{ "limits:\n  flows:\n", "x.yaml:2: ", "flows has no value" },
	{ "limits:\n  flows: [1]\n", "x.yaml:2: ", "one value, found a list" },
	{ "limits:\n  flow: 4096\n", "x.yaml:2: ", "expected one of: services, backends, slots, flows" },
	{ "limits:\n  services: 10\n  flows: 1023\n", "x.yaml:3: ", "1024 to 67108864" },
	{ "limits: {services: 4097}\n", "x.yaml:1: ", "1 to 4096" },
	{ "limits: [4]\n", "x.yaml:1: ", "limits must hold a mapping" },
	{ HEAD, "x.yaml:3: ", "key 'address' is missing" },
	{ WEB "    mode: teleport\n", "x.yaml:6: ", "expected one of: fullnat, nat" },
	{ WEB "    mode: 1\n", "x.yaml:6: ", "mode '1' is unknown" },
	{ WEB "    slots: 16380\n", "x.yaml:6: ", "the next one is 16381" },
	{ WEB "    stateless: flase\n", "x.yaml:6: ", "stateless 'flase' is unknown" },
	{ WEB "    stateless: true\n", "x.yaml:6: ", "for udp only" },
	{ WEB "    colour: blue\n", "x.yaml:6: ", "unknown key 'colour', expected one of: name, prot" },
	{ WEB "    timeouts: {syn: 10,\n      fin: 0}\n", "x.yaml:7: ", "fin 0 is out of range" },
	{ WEB "    timeouts:\n      sin: 3\n", "x.yaml:7: ", "syn, established, fin, udp" },
	{ WEB "    sources:\n      - 192.0.2.1\n      - here\n", "x.yaml:8: ", "'here' is no address" },
	{ WEB "    sources: [192.0.2.1,\n      192.0.2.1]\n", "x.yaml:7: ", "listed twice" },
	{ WEB "    sources: [2001:db8::1]\n", "x.yaml:6: ", "one family" },
	{ WEB "    backends: none\n", "x.yaml:6: ", "backends must hold a list" },
	{ WEB "    backends:\n      - 192.0.2.11\n", "x.yaml:7: ", "address, weight, drain, mode" },
	{ WEB "    backends:\n      - weight: 3\n", "x.yaml:7: ", "'address' is missing" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        wieght: 3\n", "x.yaml:8: ",
	  "unknown key 'wieght', expected one of: address, weight, drain, mode" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        weight: 3x\n", "x.yaml:8: ",
	  "weight '3x' is not a whole number" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        weight: 65536\n", "x.yaml:8: ",
	  "0 to 65535" },
	{ WEB "    backends:\n      - address: 192.0.2.11:0\n", "x.yaml:7: ", "port '0'" },
	{ WEB "    backends:\n      - address: \"192.0.2.11\\0\"\n", "x.yaml:7: ", "NUL" },
	{ WEB "    backends:\n      - address: [2001:db8::1]:80\n", "x.yaml:", "needs quotes" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n      - address: 192.0.2.11:80\n",
	  "x.yaml:8: ", "backend 192.0.2.11:80 is listed twice" },
	{ WEB "    backends:\n      - {address: &a 192.0.2.11}\n      - {address: *a}\n", "x.yaml",
	  "aliases" },
	{ WEB "  - name: web\n    protocol: tcp\n    address: 203.0.113.10:81\n", "x.yaml:6: ",
	  "service web is there twice" },
	{ WEB "  - name: b\n    protocol: tcp\n    address: 203.0.113.10:80\n", "x.yaml:8: ",
	  "already the address of service web" },
	{ "services:\n  - name: a/b\n    protocol: tcp\n    address: 203.0.113.10:80\n", "x.yaml:2: ",
	  "'a/b' is no name" },
	{ "services:\n  - name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    protocol: tcp\n"
	  "    address: 203.0.113.10:80\n",
	  "x.yaml:2: ", "too long" },
	{ "services:\n  - name: a\n    protocol: sctp\n    address: 203.0.113.10:80\n", "x.yaml:3: ",
	  "expected one of: tcp, udp" },
	{ "services:\n  - name: a\n    protocol: tcp\n    address: 203.0.113.10\n", "x.yaml:4: ",
	  "has no port" },
};

static void mistakes_have_lines(void **state)
{
	struct lb_config *config, *const before = (struct lb_config *)&random_state;
	struct lb_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const char *yaml = mistakes[i].yaml;

		config = before;
		memset(&err, 0, sizeof(err));
		if (lb_config_parse(&config, yaml, strlen(yaml), "x.yaml", &err) != -EBADMSG)
			fail_msg("taken, or of another code (%s):\n%s", err.text, yaml);
		assert_ptr_equal(config, before);
		if (strncmp(err.text, mistakes[i].line, strlen(mistakes[i].line)) ||
		    !strstr(err.text, mistakes[i].words))
			fail_msg("'%s', not '%s...%s', for:\n%s", err.text, mistakes[i].line,
				 mistakes[i].words, yaml);
		assert_null(strchr(err.text, '\n'));
	}
}

/* Whatever the bytes, one line or a document that stands the check. */
static void garbage_is_refused(void **state)
{
	static const char good[] = WEB "    backends:\n      - {address: \"192.0.2.11:1\", weight: 3}\n";
	struct lb_config *config;
	struct lb_error err;
	char text[sizeof(good)];

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		memcpy(text, good, sizeof(good));
		for (unsigned int i = random_below(4) + 1; i > 0; i--)
			text[random_below(sizeof(good) - 1)] = (char)random_below(256);
		err.text[0] = '\0';
		if (lb_config_parse(&config, text, sizeof(good) - 1, "x", &err)) {
			assert_true(err.text[0]);
			continue;
		}
		assert_int_equal(lb_config_check(config, NULL), 0);
		lb_config_free(config);
	}
}

/* ---- a document as the sample has it --------------------------------------------------------- */

static const char sample[] =
	"version: 1\n"
	"limits: {services: 10, backends: 64, slots: 65536, flows: 4096}\n"
	"services:\n"
	"  - name: web\n"
	"    protocol: tcp\n"
	"    address: \"203.0.113.10:80\"\n"
	"    mode: fullnat\n"
	"    slots: 251\n"
	"    stateless: no\n"
	"    sources: [192.0.2.1]\n"
	"    timeouts: {syn: 11, established: 604800, fin: 31, udp: 121}\n"
	"    backends:\n"
	"      - {address: \"192.0.2.11:5000\", weight: 2, drain: true, mode: nat}\n"
	"      - address: 192.0.2.12\n"
	"  - {name: dns, protocol: udp, address: \"[2001:db8::10]:53\", mode: nat, stateless: true}\n";

static void reads_the_sample(void **state)
{
	const struct lb_service_config *web, *dns;
	struct lb_config *config;

	(void)state;
	assert_int_equal(lb_config_parse(&config, sample, strlen(sample), "s", NULL), 0);
	assert_int_equal(config->limits.services, 10);
	assert_int_equal(config->limits.slots, 65536);
	assert_int_equal(config->service_count, 2);
	web = &config->services[0];
	assert_string_equal(web->name, "web");
	assert_int_equal(web->proto, IPPROTO_TCP);
	assert_int_equal(web->port, 80);
	assert_int_equal(web->slots, 251);
	assert_false(web->is_stateless);
	assert_int_equal(web->source_count, 1);
	assert_int_equal(web->timeouts.syn, 11);
	assert_int_equal(web->timeouts.established, 604800);
	assert_int_equal(web->backend_count, 2);
	assert_int_equal(web->backends[0].port, 5000);
	assert_int_equal(web->backends[0].weight, 2);
	assert_true(web->backends[0].is_drained);
	assert_int_equal(lb_backend_mode(web, &web->backends[0]), LB_MODE_NAT);
	assert_int_equal(web->backends[1].weight, 1);
	assert_int_equal(lb_backend_port(web, &web->backends[1]), 80);
	assert_int_equal(lb_backend_mode(web, &web->backends[1]), LB_MODE_FULLNAT);
	dns = &config->services[1];
	assert_true(dns->is_stateless);
	assert_int_equal(dns->mode, LB_MODE_NAT);
	assert_int_equal(dns->slots, LB_SLOTS_DEFAULT);
	assert_int_equal(dns->timeouts.udp, 120);
	lb_config_free(config);
}

/* Sections and lists may be left empty, and slots follow the number of services. */
static void reads_what_is_left_out(void **state)
{
	static const char text[] = "limits:\n  services: 4\nservices:\n  - name: a\n    protocol: tcp\n"
				   "    address: 203.0.113.1:1\n    backends:\n    sources: []\n"
				   "    timeouts:\n";
	struct lb_config *config;

	(void)state;
	assert_int_equal(lb_config_parse(&config, text, strlen(text), "s", NULL), 0);
	assert_int_equal(config->limits.slots, 4 * 16384);
	assert_int_equal(config->limits.backends, 4096);
	assert_int_equal(config->services[0].backend_count, 0);
	assert_int_equal(config->services[0].timeouts.fin, 30);
	lb_config_free(config);
	assert_int_equal(lb_config_parse(&config, "services:", 9, "s", NULL), 0);
	assert_int_equal(config->service_count, 0);
	lb_config_free(config);
}

/* ---- the rules -------------------------------------------------------------------------------- */

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
	{ limit_services, -ERANGE, "2 services are more than 'limits: services: 1'" },
	{ limit_services_zero, -ERANGE, "limits: services 0" },
	{ limit_services_many, -ERANGE, "expected 1 to 4096" },
	{ limit_backends, -ERANGE, "service two: its 2 backends are more than 'limits: backends: 3'" },
	{ limit_backends_many, -ERANGE, "expected 1 to 65534" },
	{ limit_slots, -ERANGE, "service two: its 16381 slots are more than 'limits: slots: 16384'" },
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
	one->backends[0].addr = one->vip; /* another port of the service's address */
	assert_int_equal(lb_config_check(config, NULL), 0);
	config->limits.slots = 32768;
	config->limits.backends = 4;
	config->limits.services = 2;
	assert_int_equal(lb_config_check(config, NULL), 0);
	lb_config_free(config);
}

/* ---- editing ---------------------------------------------------------------------------------- */

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
	assert_string_equal(err.text, "backend 192.0.2.1:5001 is already in service three (weight 1); "
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

/* ---- any document ----------------------------------------------------------------------------- */

static void fill_service(struct lb_service_config *service, unsigned int number)
{
	static const __u32 primes[] = { 251, 257, 1009, LB_SLOTS_DEFAULT };
	bool is_v6 = random_below(2);
	char text[LB_ADDR_TEXT_SIZE];

	lb_service_config_init(service);
	(void)snprintf(service->name, sizeof(service->name), "%s%u",
		       (const char *[]){ "s", "_x.", "0", "true-" }[random_below(4)], number);
	service->proto = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	(void)snprintf(text, sizeof(text), is_v6 ? "2001:db8::%x" : "203.0.113.%u", number + 1);
	service->vip = addr_of(text);
	service->port = (__u16)(1 + random_below(65535));
	service->mode = random_below(4) ? LB_MODE_FULLNAT : LB_MODE_NAT;
	service->slots = primes[random_below(4)];
	service->is_stateless = service->proto == IPPROTO_UDP && random_below(2);
	if (random_below(2))
		service->timeouts = (struct lb_timeouts){ 1 + random_below(86400), 900,
							  1 + random_below(86400), 120 };
	service->source_count = random_below(3) ? 0 : random_below(LB_SOURCES_MAX + 1);
	for (unsigned int i = 0; i < service->source_count; i++) {
		(void)snprintf(text, sizeof(text), is_v6 ? "2001:db8:1::%x" : "198.51.100.%u",
			       i + 1);
		service->sources[i] = addr_of(text);
	}
	service->backend_count = random_below(8);
	service->backends = calloc(service->backend_count + 1, sizeof(*service->backends));
	for (unsigned int i = 0; i < service->backend_count; i++) {
		struct lb_backend_config *backend = &service->backends[i];

		lb_backend_config_init(backend);
		(void)snprintf(text, sizeof(text), is_v6 ? "2001:db8:2:%x::%x" : "10.0.%u.%u",
			       number, i + 1);
		backend->addr = addr_of(text);
		backend->port = random_below(2) ? 0 : (__u16)(1 + random_below(65535));
		backend->weight = random_below(2) ? 1 : (__u16)random_below(65536);
		backend->is_drained = !random_below(4);
		backend->mode = (enum lb_mode)random_below(3);
	}
}

static void assert_same_backend(const struct lb_backend_config *left,
				const struct lb_backend_config *right)
{
	assert_true(lb_addr_is_equal(&left->addr, &right->addr));
	assert_int_equal(left->port, right->port);
	assert_int_equal(left->weight, right->weight);
	assert_int_equal(left->is_drained, right->is_drained);
	assert_int_equal(left->mode, right->mode);
}

static void assert_same(const struct lb_config *a, const struct lb_config *b)
{
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_int_equal(a->service_count, b->service_count);
	for (unsigned int i = 0; i < a->service_count; i++) {
		const struct lb_service_config *left = &a->services[i], *right = &b->services[i];

		assert_string_equal(left->name, right->name);
		assert_int_equal(left->proto, right->proto);
		assert_true(lb_addr_is_equal(&left->vip, &right->vip));
		assert_int_equal(left->port, right->port);
		assert_int_equal(left->mode, right->mode);
		assert_int_equal(left->slots, right->slots);
		assert_int_equal(left->is_stateless, right->is_stateless);
		assert_memory_equal(&left->timeouts, &right->timeouts, sizeof(left->timeouts));
		assert_int_equal(left->source_count, right->source_count);
		assert_memory_equal(left->sources, right->sources,
				    left->source_count * sizeof(left->sources[0]));
		assert_int_equal(left->backend_count, right->backend_count);
		for (unsigned int j = 0; j < left->backend_count; j++)
			assert_same_backend(&left->backends[j], &right->backends[j]);
	}
}

static void any_document_survives(void **state)
{
	char path[] = "/tmp/lb-test-config-XXXXXX";
	struct lb_error err;
	struct stat info;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	for (unsigned int round = 0; round < 500; round++) {
		struct lb_config *config = lb_config_new(), *copy, *read = NULL;

		if (random_below(2))
			config->limits.flows = 1024 + random_below(100000);
		if (random_below(2))
			config->limits.services = 300 + random_below(3000);
		if (random_below(2))
			config->limits.slots = config->limits.services * 16384;
		config->service_count = random_below(12);
		config->services = calloc(config->service_count + 1, sizeof(*config->services));
		for (unsigned int i = 0; i < config->service_count; i++)
			fill_service(&config->services[i], i);
		if (lb_config_write(config, "lb.yaml", &err))
			fail_msg("%s", err.text);
		if (lb_config_read(&read, "lb.yaml", &err))
			fail_msg("%s", err.text);
		assert_same(config, read);
		copy = lb_config_copy(config);
		assert_same(config, copy);
		lb_config_free(copy);
		lb_config_free(read);
		lb_config_free(config);
	}
	assert_int_equal(stat("lb.yaml", &info), 0);
	assert_int_equal(info.st_mode & 07777, 0644);
	assert_int_equal(unlink("lb.yaml"), 0);
	assert_int_equal(chdir("/"), 0);
	/* Nothing else was left beside it. */
	assert_int_equal(rmdir(path), 0);
}

static void files_that_cannot_be(void **state)
{
	struct lb_config *config = NULL, *empty = lb_config_new();
	struct lb_error err;

	(void)state;
	assert_int_equal(lb_config_read(&config, "/nonexistent/lb.yaml", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/lb.yaml: cannot be opened"));
	assert_int_equal(lb_config_read(&config, "/", &err), -EISDIR);
	assert_int_equal(lb_config_write(empty, "/nonexistent/lb.yaml", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/lb.yaml: cannot be written"));
	assert_null(config);
	lb_config_free(empty);
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
		cmocka_unit_test(mistakes_have_lines), cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(reads_the_sample),    cmocka_unit_test(reads_what_is_left_out),
		cmocka_unit_test(rules_are_kept),      cmocka_unit_test(what_may_be),
		cmocka_unit_test(adds_and_removes),    cmocka_unit_test(any_document_survives),
		cmocka_unit_test(files_that_cannot_be), cmocka_unit_test(slots_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
