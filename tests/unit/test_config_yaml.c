// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document as YAML: each mistake gets its line and words, and any document that may be is the
 * same after writing and reading.
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
	{ "hello", "x.yaml:1: ", "keys of: version, limits, cache, services" },
	{ "- a\n- b\n", "x.yaml:1: ", "keys of: version, limits, cache, services" },
	{ "version: 2\n", "x.yaml:1: ", "expected 1" },
	{ "version: one\n", "x.yaml:1: ", "version 'one' is not a whole number" },
	{ "services: 5\n", "x.yaml:1: ", "services must hold a list" },
	{ "services:\n  - web\n", "x.yaml:2: ", "an entry of services must hold a mapping" },
	{ "servces: []\n",
	  "x.yaml:1: ", "unknown key 'servces', expected one of: version, limits, cache" },
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
	{ "limits:\n  flow: 4096\n",
	  "x.yaml:2: ", "expected one of: services, backends, slots, flows" },
	{ "limits:\n  services: 10\n  flows: 1023\n", "x.yaml:3: ", "1024 to 67108864" },
	{ "limits: {services: 4097}\n", "x.yaml:1: ", "1 to 4096" },
	{ "cache:\n  redis: 192.0.2.9\n", "x.yaml:2: ", "192.0.2.9" },
	{ "cache:\n  redis: redis.example:6379\n", "x.yaml:2: ", "redis.example" },
	{ "cache:\n  ttl: 60s\n", "x.yaml:2: ", "unknown key 'ttl'" },
	{ "limits: [4]\n", "x.yaml:1: ", "limits must hold a mapping" },
	{ HEAD, "x.yaml:3: ", "key 'address' is missing" },
	{ WEB "    mode: teleport\n", "x.yaml:6: ", "expected one of: fullnat, nat" },
	{ WEB "    mode: 1\n", "x.yaml:6: ", "mode '1' is unknown" },
	{ WEB "    slots: 16380\n", "x.yaml:6: ", "the next one is 16381" },
	{ WEB "    stateless: flase\n", "x.yaml:6: ", "stateless 'flase' is unknown" },
	{ WEB "    stateless: true\n", "x.yaml:6: ", "for udp only" },
	{ WEB "    mss-clamp: 14o0\n", "x.yaml:6: ", "expected as auto, off or a number" },
	{ WEB "    quic-cid: 1-2\n", "x.yaml:6: ", "expected as off or OFFSET:LENGTH" },
	{ WEB "    quic-cid: \"1:2\"\n", "x.yaml:6: ", "quic-cid is for udp only" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        server-id: 7\n",
	  "x.yaml:8: ", "has server-id 7, but the service no quic-cid" },
	{ WEB "    fragments: five-tuple\n", "x.yaml:6: ", "expected one of: table, three-tuple" },
	{ WEB "    mode: dsr\n    fragments: three-tuple\n",
	  "x.yaml:7: ", "fragments three-tuple is for udp only" },
	{ WEB "    colour: blue\n",
	  "x.yaml:6: ", "unknown key 'colour', expected one of: name, prot" },
	{ WEB "    timeouts: {syn: 10,\n      fin: 0}\n", "x.yaml:7: ", "fin 0 is out of range" },
	{ WEB "    timeouts:\n      sin: 3\n", "x.yaml:7: ", "syn, established, fin, udp" },
	{ WEB "    sources:\n      - 192.0.2.1\n      - here\n",
	  "x.yaml:8: ", "'here' is no address" },
	{ WEB "    sources: [192.0.2.1,\n      192.0.2.1]\n", "x.yaml:7: ", "listed twice" },
	{ WEB "    sources: [2001:db8::1]\n", "x.yaml:6: ", "one family" },
	{ WEB "    backends: none\n", "x.yaml:6: ", "backends must hold a list" },
	{ WEB "    backends:\n      - 192.0.2.11\n", "x.yaml:7: ", "address, weight, drain, mode" },
	{ WEB "    backends:\n      - weight: 3\n", "x.yaml:7: ", "'address' is missing" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        wieght: 3\n",
	  "x.yaml:8: ", "unknown key 'wieght', expected one of: address, weight, drain, mode" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        weight: 3x\n",
	  "x.yaml:8: ", "weight '3x' is not a whole number" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n        weight: 65536\n",
	  "x.yaml:8: ", "0 to 65535" },
	{ WEB "    backends:\n      - address: 192.0.2.11:0\n", "x.yaml:7: ", "port '0'" },
	{ WEB "    backends:\n      - address: \"192.0.2.11\\0\"\n", "x.yaml:7: ", "NUL" },
	{ WEB "    backends:\n      - address: [2001:db8::1]:80\n", "x.yaml:", "needs quotes" },
	{ WEB "    backends:\n      - address: 192.0.2.11\n      - address: 192.0.2.11:80\n",
	  "x.yaml:8: ", "backend 192.0.2.11:80 is listed twice" },
	{ WEB "    backends:\n      - {address: &a 192.0.2.11}\n      - {address: *a}\n", "x.yaml",
	  "aliases" },
	{ WEB "    health:\n      type: icmp\n", "x.yaml:7: ", "expected one of: tcp, http" },
	{ WEB "    health:\n      interval: 2s\n", "x.yaml:7: ", "key 'type' is missing" },
	{ WEB "    health:\n      type: tcp\n      interval: 2 s\n",
	  "x.yaml:8: ", "'2 s' is no duration, expected as 2s or 500ms" },
	{ WEB "    health:\n      type: tcp\n      rise: 70000\n", "x.yaml:8: ", "too large" },
	{ WEB "    health:\n      type: http\n      status: 2xx\n",
	  "x.yaml:8: ", "'2xx' is no HTTP status" },
	{ WEB "    health:\n      type: tcp\n      timeout: 1ms\n",
	  "x.yaml:8: ", "service web: health: timeout 1ms is out of range" },
	{ WEB "    health:\n      type: tcp\n      path: /x\n", "x.yaml:8: ", "no meaning" },
	{ WEB "  - name: web\n    protocol: tcp\n    address: 203.0.113.10:81\n",
	  "x.yaml:6: ", "service web is there twice" },
	{ WEB "  - name: b\n    protocol: tcp\n    address: 203.0.113.10:80\n",
	  "x.yaml:8: ", "already the address of service web" },
	{ "services:\n  - name: a/b\n    protocol: tcp\n    address: 203.0.113.10:80\n",
	  "x.yaml:2: ", "'a/b' is no name" },
	{ "services:\n  - name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    protocol: tcp\n"
	  "    address: 203.0.113.10:80\n",
	  "x.yaml:2: ", "too long" },
	{ "services:\n  - name: a\n    protocol: sctp\n    address: 203.0.113.10:80\n",
	  "x.yaml:3: ", "expected one of: tcp, udp" },
	{ "services:\n  - name: a\n    protocol: tcp\n    address: 203.0.113.10\n",
	  "x.yaml:4: ", "has no port" },
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
	static const char good[] =
		WEB "    backends:\n      - {address: \"192.0.2.11:1\", weight: 3}\n";
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
	"  - {name: dns, protocol: udp, address: \"[2001:db8::10]:53\", mode: nat, stateless: "
	"true}\n";

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
	static const char text[] =
		"limits:\n  services: 4\nservices:\n  - name: a\n    protocol: tcp\n"
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

/* ---- any document -----------------------------------------------------------------------------
 */

/* Printable or not, quotes and backslashes too, and what is not ASCII. */
static void fill_text(char text[LB_CHECK_TEXT_SIZE], const char *prefix, bool is_free)
{
	size_t length = strlen(prefix);
	const size_t end = length + random_below(20);

	memcpy(text, prefix, length + 1);
	for (; length < end; length++)
		text[length] = (char)(is_free ? 1 + random_below(126) : 'a' + random_below(26));
	text[length] = '\0';
}

static void fill_health(struct lb_health_config *health)
{
	lb_health_config_init(health, (enum lb_check_type)random_below(LB_CHECK_TYPES));
	if (health->type == LB_CHECK_NONE)
		return;
	health->interval_ms = 1000 + random_below(100000);
	health->timeout_ms = random_below(2) ? 0 : 10 + random_below(900);
	health->slow_start_ms = random_below(2) ? 0 : random_below(100000);
	health->rise = (__u16)(1 + random_below(100));
	health->fall = (__u16)(1 + random_below(100));
	health->on_all_down = (enum lb_all_down)random_below(2);
	if (health->type != LB_CHECK_PING && health->type != LB_CHECK_EXEC)
		health->via = (enum lb_via)random_below(2);
	if (health->type != LB_CHECK_PING)
		health->port = random_below(2) ? 0 : (__u16)random_below(65536);
	if (health->type == LB_CHECK_EXEC)
		fill_text(health->command, "exec ", true);
	if (health->type == LB_CHECK_DNS)
		fill_text(health->host, "www.", false);
	if (health->type == LB_CHECK_TCP || health->type == LB_CHECK_UDP) {
		fill_text(health->send, "", true);
		fill_text(health->expect, "", true);
	}
	if (health->type != LB_CHECK_HTTP && health->type != LB_CHECK_HTTPS)
		return;
	fill_text(health->path, "/", false);
	fill_text(health->host, "h", false);
	fill_text(health->body, "", true);
	health->status_low = (__u16)(100 + random_below(250));
	health->status_high = (__u16)(400 + random_below(200));
	health->is_verified = health->type == LB_CHECK_HTTPS && random_below(2);
	if (health->is_verified)
		fill_text(health->ca, "/etc/", true);
}

static void assert_same_health(const struct lb_health_config *left,
			       const struct lb_health_config *right)
{
	assert_int_equal(left->type, right->type);
	assert_int_equal(left->interval_ms, right->interval_ms);
	assert_int_equal(left->timeout_ms, right->timeout_ms);
	assert_int_equal(left->slow_start_ms, right->slow_start_ms);
	assert_int_equal(left->rise, right->rise);
	assert_int_equal(left->fall, right->fall);
	assert_int_equal(left->port, right->port);
	assert_int_equal(left->via, right->via);
	assert_int_equal(left->on_all_down, right->on_all_down);
	assert_int_equal(left->status_low, right->status_low);
	assert_int_equal(left->status_high, right->status_high);
	assert_int_equal(left->is_verified, right->is_verified);
	assert_string_equal(left->path, right->path);
	assert_string_equal(left->host, right->host);
	assert_string_equal(left->body, right->body);
	assert_string_equal(left->ca, right->ca);
	assert_string_equal(left->send, right->send);
	assert_string_equal(left->expect, right->expect);
	assert_string_equal(left->command, right->command);
}

/* Of a service that is filled: a prefix, or a range of ports, in modes that can serve it. */
static void make_wide(struct lb_service_config *service, bool is_v6, unsigned int number)
{
	char text[LB_FRONT_TEXT_SIZE];

	service->mode = (enum lb_mode)(LB_MODE_LOCAL + random_below(4));
	for (unsigned int i = 0; i < service->backend_count; i++) {
		service->backends[i].mode = LB_MODE_INHERIT;
		service->backends[i].port = 0;
	}
	(void)snprintf(text, sizeof(text), is_v6 ? "[2001:db8:%x::/%u]:%u" : "172.%u.0.0/%u:%u",
		       100 + number, 16 + (is_v6 ? 32 : 0) + random_below(9), service->port);
	if (random_below(2))
		assert_int_equal(lb_front_parse(text, service, NULL), 0);
	else if (service->health.type == LB_CHECK_NONE && service->port < 60000)
		service->port_last = service->port + 1 + (__u16)random_below(5000);
}

static bool can_be_three_tuple(const struct lb_service_config *service)
{
	bool is_kept = lb_mode_keeps_packet(lb_service_mode(service));

	for (unsigned int i = 0; i < service->backend_count; i++)
		is_kept = is_kept &&
			  lb_mode_keeps_packet(lb_backend_mode(service, &service->backends[i]));
	return is_kept;
}

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
	service->mode = LB_MODE_FULLNAT;
	if (!random_below(4))
		service->mode = (enum lb_mode)(LB_MODE_NAT + random_below(5));
	service->slots = primes[random_below(4)];
	service->is_stateless = service->proto == IPPROTO_UDP && random_below(2);
	if (service->proto == IPPROTO_UDP && random_below(2)) {
		service->cid_offset = (__u8)random_below(17);
		service->cid_length = (__u8)(1 + random_below(4));
	}
	if (random_below(2))
		service->mss =
			(__u16[]){ LB_MSS_OFF, LB_MSS_AUTO, 88,
				   1400 }[random_below(service->proto == IPPROTO_TCP ? 4 : 2)];
	if (random_below(2))
		service->timeouts = (struct lb_timeouts){ 1 + random_below(86400), 900,
							  1 + random_below(86400), 120 };
	fill_health(&service->health);
	service->source_count = random_below(3) ? 0 : random_below(LB_SOURCES_MAX + 1);
	for (unsigned int i = 0; i < service->source_count; i++) {
		(void)snprintf(text, sizeof(text), is_v6 ? "2001:db8:1::%x" : "198.51.100.%u",
			       i + 1);
		service->sources[i] = addr_of(text);
	}
	service->tunnel_source_count = random_below(3);
	for (unsigned int i = 0; i < service->tunnel_source_count; i++)
		assert_int_equal(lb_prefix_parse(i ? "2001:db8:64::/64" : "198.51.100.64/26",
						 &service->tunnel_sources[i]),
				 0);
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
		backend->has_server_id = service->cid_length && random_below(2);
		backend->server_id = backend->has_server_id ? i * 31 : 0;
		backend->mode = (enum lb_mode)random_below(7);
		if (lb_mode_keeps_packet(lb_backend_mode(service, backend)) ||
		    service->proto == IPPROTO_UDP)
			backend->port = 0;
	}
	if (!random_below(4))
		make_wide(service, is_v6, number);
	if (service->proto == IPPROTO_UDP && !service->cid_length && can_be_three_tuple(service))
		service->fragments = (enum lb_fragments)random_below(2);
}

static void assert_same_backend(const struct lb_backend_config *left,
				const struct lb_backend_config *right)
{
	assert_true(lb_addr_is_equal(&left->addr, &right->addr));
	assert_int_equal(left->port, right->port);
	assert_int_equal(left->weight, right->weight);
	assert_int_equal(left->is_drained, right->is_drained);
	assert_int_equal(left->mode, right->mode);
	assert_int_equal(left->has_server_id, right->has_server_id);
	assert_int_equal(left->server_id, right->server_id);
}

static void assert_same(const struct lb_config *a, const struct lb_config *b)
{
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_int_equal(a->service_count, b->service_count);
	for (unsigned int i = 0; i < a->service_count; i++) {
		const struct lb_service_config *left = &a->services[i], *right = &b->services[i];

		assert_string_equal(left->name, right->name);
		assert_int_equal(left->tunnel_source_count, right->tunnel_source_count);
		for (unsigned int j = 0; j < left->tunnel_source_count; j++) {
			const struct lb_prefix *mine = &left->tunnel_sources[j];

			assert_true(lb_addr_is_equal(&mine->addr, &right->tunnel_sources[j].addr));
			assert_int_equal(mine->length, right->tunnel_sources[j].length);
		}
		assert_int_equal(left->proto, right->proto);
		assert_true(lb_addr_is_equal(&left->vip, &right->vip));
		assert_int_equal(left->port, right->port);
		assert_int_equal(left->port_last, right->port_last);
		assert_int_equal(left->vip_length, right->vip_length);
		assert_int_equal(left->mode, right->mode);
		assert_int_equal(left->slots, right->slots);
		assert_int_equal(left->is_stateless, right->is_stateless);
		assert_int_equal(left->fragments, right->fragments);
		assert_int_equal(left->mss, right->mss);
		assert_int_equal(left->cid_offset, right->cid_offset);
		assert_int_equal(left->cid_length, right->cid_length);
		assert_memory_equal(&left->timeouts, &right->timeouts, sizeof(left->timeouts));
		assert_same_health(&left->health, &right->health);
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

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* What is beside the file stays, a link stays one, and the file keeps its mode. */
static void what_is_beside_stays(void **state)
{
	char path[] = "/tmp/lb-test-config-XXXXXX", text[8] = "";
	struct lb_config *empty = lb_config_new();
	struct lb_error err;
	struct stat info;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	write_text("lb.yaml", "mine\n");
	write_text("lb.yaml.new", "mine\n");
	assert_int_equal(chmod("lb.yaml", 0640), 0);
	assert_int_equal(symlink("lb.yaml", "link.yaml"), 0);
	if (lb_config_write(empty, "link.yaml", &err))
		fail_msg("%s", err.text);
	assert_int_equal(lstat("link.yaml", &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_int_equal(stat("lb.yaml", &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_true(info.st_size > 5);
	file = fopen("lb.yaml.new", "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, "mine\n");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(lb_config_write(empty, "pipe", &err), -EINVAL);
	assert_non_null(strstr(err.text, "pipe: cannot be written: it is no regular file"));
	assert_int_equal(unlink("pipe") | unlink("link.yaml") | unlink("lb.yaml.new") |
				 unlink("lb.yaml"),
			 0);
	assert_int_equal(chdir("/"), 0);
	/* Nothing else was left beside it. */
	assert_int_equal(rmdir(path), 0);
	lb_config_free(empty);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_have_lines),	 cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(reads_the_sample),	 cmocka_unit_test(reads_what_is_left_out),
		cmocka_unit_test(any_document_survives), cmocka_unit_test(what_is_beside_stays),
		cmocka_unit_test(files_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
