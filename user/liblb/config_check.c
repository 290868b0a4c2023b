// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may stand in a document: names, ranges, families, and what two services may not share.
 * The first fault ends the check; it is described, and its place is kept for the reader of YAML.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "maglev.h"

struct check {
	const struct lb_config *config;
	struct lb_place place;
	struct lb_error *err;
	char label[LB_LABEL_SIZE]; /* of the service at hand */
};

#define FAULT(check, code, ...) lb_fail((check)->err, (code), __VA_ARGS__)

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

int lb_name_check(const char *name, struct lb_error *err)
{
	size_t len = strnlen(name, LB_NAME_SIZE);

	if (len == 0)
		return lb_fail(err, -EINVAL, "a service's name is empty");
	if (len == LB_NAME_SIZE)
		return lb_fail(err, -EINVAL,
			       "'%.*s...' is too long for a service's name, at most %d characters",
			       LB_NAME_SIZE - 1, name, LB_NAME_SIZE - 1);
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(name[i]) || (i == 0 && name[i] == '-'))
			return lb_fail(err, -EINVAL,
				       "'%s' is no name for a service, expected letters, digits, "
				       "'_', '.', and '-' after the first character",
				       name);
	}
	return 0;
}

const char *lb_service_label(const struct lb_config *config, unsigned int index,
			     char buf[LB_LABEL_SIZE])
{
	const char *name = config->services[index].name;

	if (lb_name_check(name, NULL))
		(void)snprintf(buf, LB_LABEL_SIZE, "service number %u", index + 1);
	else
		(void)snprintf(buf, LB_LABEL_SIZE, "service %.31s", name);
	return buf;
}

static int check_range(struct check *check, const char *what, const char *key, __u32 value,
		       __u32 low, __u32 high)
{
	check->place.key = key;
	if (value >= low && value <= high)
		return 0;
	return FAULT(check, -ERANGE, "%s%s%s %u is out of range, expected %u to %u", what,
		     what[0] ? ": " : "", key, value, low, high);
}

static int check_limits(struct check *check)
{
	const struct lb_limits *limits = &check->config->limits;
	int ret;

	check->place.section = "limits";
	ret = check_range(check, "limits", "services", limits->services, 1, LB_SERVICES_LIMIT);
	if (!ret)
		ret = check_range(check, "limits", "backends", limits->backends, 1,
				  LB_BACKENDS_LIMIT);
	if (!ret)
		ret = check_range(check, "limits", "slots", limits->slots, LB_LIMIT_SLOTS_MIN,
				  LB_LIMIT_SLOTS_MAX);
	if (!ret)
		ret = check_range(check, "limits", "flows", limits->flows, LB_LIMIT_FLOWS_MIN,
				  LB_LIMIT_FLOWS_MAX);
	return ret;
}

/* The whole must fit the maps; the fault is of the first service that does not. */
static int check_totals(struct check *check)
{
	const struct lb_config *config = check->config;
	__u64 slots = 0, backends = 0;

	if (config->service_count > config->limits.services) {
		check->place.service = (int)config->limits.services;
		return FAULT(check, -ERANGE,
			     "%u services are more than 'limits: services: %u' allows",
			     config->service_count, config->limits.services);
	}
	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];

		slots += (service->slots + LB_OWNERS_PER_LINE - 1) / LB_OWNERS_PER_LINE *
			 LB_OWNERS_PER_LINE;
		backends += service->backend_count;
		check->place.service = (int)i;
		lb_service_label(config, i, check->label);
		if (slots > config->limits.slots)
			return FAULT(check, -ERANGE,
				     "all services' slots, from %s on, are more than 'limits: "
				     "slots: %u': raise it and attach anew",
				     check->label, config->limits.slots);
		if (backends > config->limits.backends)
			return FAULT(check, -ERANGE,
				     "all services' backends, from %s on, are more than 'limits: "
				     "backends: %u': raise it and attach anew",
				     check->label, config->limits.backends);
	}
	return 0;
}

/* What no host can be reached at; NULL for an address that is good. */
static const char *unusable_kind(const union lb_addr *addr)
{
	static const union lb_addr unspecified;
	__u32 v4 = ntohl(addr->words[3]);

	if (lb_addr_is_v4(addr)) {
		if (v4 == INADDR_BROADCAST)
			return "the broadcast address";
		if (v4 >> 24 == 0)
			return "an unspecified address";
		return IN_MULTICAST(v4) ? "a multicast address" : NULL;
	}
	if (lb_addr_is_equal(addr, &unspecified))
		return "the unspecified address";
	if (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80)
		return "a link-local address, which says nothing without its link";
	return addr->bytes[0] == 0xff ? "a multicast address" : NULL;
}

static int check_address(struct check *check, const char *what, const union lb_addr *addr)
{
	const char *kind = unusable_kind(addr);
	char text[LB_ADDR_TEXT_SIZE];

	if (!kind)
		return 0;
	return FAULT(check, -EINVAL, "%s: %s %s is %s; expected one host's", check->label, what,
		     lb_addr_format(addr, text), kind);
}

const char *lb_family_name(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? "IPv4" : "IPv6";
}

static int check_slots(struct check *check, const struct lb_service_config *service)
{
	__u32 prime;
	int ret = check_range(check, check->label, "slots", service->slots, LB_SLOTS_MIN,
			      LB_SLOTS_MAX);

	if (ret || lb_is_prime(service->slots))
		return ret;
	prime = lb_next_prime(service->slots);
	return FAULT(check, -EINVAL, "%s: slots %u is not a prime number; the next one is %u",
		     check->label, service->slots, prime);
}

static int check_timeouts(struct check *check, const struct lb_timeouts *timeouts)
{
	char what[LB_LABEL_SIZE + 16];
	int ret;

	(void)snprintf(what, sizeof(what), "%s: timeouts", check->label);
	check->place.section = "timeouts";
	ret = check_range(check, what, "syn", timeouts->syn, 1, LB_TIMEOUT_MAX);
	if (!ret)
		ret = check_range(check, what, "established", timeouts->established, 1,
				  LB_TIMEOUT_ESTABLISHED_MAX);
	if (!ret)
		ret = check_range(check, what, "fin", timeouts->fin, 1, LB_TIMEOUT_MAX);
	if (!ret)
		ret = check_range(check, what, "udp", timeouts->udp, 1, LB_TIMEOUT_MAX);
	if (!ret)
		check->place.section = NULL;
	return ret;
}

static int check_health(struct check *check, const struct lb_health_config *health)
{
	struct lb_error err;
	int ret;

	check->place.section = "health";
	ret = lb_health_check(health, &check->place.key, &err);
	if (ret)
		return FAULT(check, ret, "%s: health: %s", check->label, err.text);
	check->place.section = NULL;
	return 0;
}

static int check_cache(struct check *check, const struct lb_service_config *service)
{
	struct lb_error err;
	int ret;

	check->place.section = "cache";
	ret = lb_cache_check(service, &check->place.key, &err);
	if (ret)
		return FAULT(check, ret, "%s: cache: %s", check->label, err.text);
	check->place.section = NULL;
	return 0;
}

static int check_source(struct check *check, const struct lb_service_config *service,
			unsigned int index)
{
	const union lb_addr *source = &service->sources[index];
	char text[LB_ADDR_TEXT_SIZE];

	check->place.source = (int)index;
	lb_addr_format(source, text);
	if (lb_addr_is_v4(source) != lb_addr_is_v4(&service->vip))
		return FAULT(check, -EINVAL,
			     "%s: source %s is %s but the service's address is %s; they must be "
			     "of one family",
			     check->label, text, lb_family_name(source),
			     lb_family_name(&service->vip));
	for (unsigned int i = 0; i < index; i++) {
		if (lb_addr_is_equal(source, &service->sources[i]))
			return FAULT(check, -EEXIST, "%s: source %s is listed twice", check->label,
				     text);
	}
	return check_address(check, "source", source);
}

static int check_sources(struct check *check, const struct lb_service_config *service)
{
	int ret = 0;

	check->place.key = "sources";
	if (service->source_count > LB_SOURCES_MAX)
		return FAULT(check, -ERANGE, "%s: %u sources are too many, at most %d",
			     check->label, service->source_count, LB_SOURCES_MAX);
	for (unsigned int i = 0; i < service->source_count && !ret; i++)
		ret = check_source(check, service, i);
	if (!ret)
		check->place.source = -1;
	return ret;
}

static int check_tunnel_sources(struct check *check, const struct lb_service_config *service)
{
	const struct lb_prefix *sources = service->tunnel_sources;
	char text[LB_PREFIX_TEXT_SIZE];
	int ret = 0;

	check->place.key = "tunnel-sources";
	if (service->tunnel_source_count > LB_TUNNEL_SOURCES_MAX ||
	    (service->tunnel_source_count == LB_TUNNEL_SOURCES_MAX &&
	     lb_addr_is_v4(&sources[0].addr) == lb_addr_is_v4(&sources[1].addr)))
		return FAULT(check, -EINVAL,
			     "%s: tunnel-sources are at most one prefix for IPv4 and one for IPv6",
			     check->label);
	for (unsigned int i = 0; i < service->tunnel_source_count && !ret; i++) {
		ret = check_address(check, "tunnel-source", &sources[i].addr);
		if (!ret && sources[i].length < LB_TUNNEL_PREFIX_MIN)
			ret = FAULT(check, -EINVAL,
				    "%s: tunnel-source %s is too wide, expected at least /%u",
				    check->label, lb_prefix_format(&sources[i], text),
				    LB_TUNNEL_PREFIX_MIN);
	}
	return ret;
}

static bool is_mode(enum lb_mode mode)
{
	return mode >= LB_MODE_INHERIT && mode <= LB_MODE_GUE;
}

static int check_backend(struct check *check, const struct lb_service_config *service,
			 const struct lb_backend_config *backend)
{
	struct lb_error err;
	int ret;

	check->place.key = "mode";
	if (!is_mode(backend->mode))
		return FAULT(check, -EINVAL, "%s: backend mode %d is unknown", check->label,
			     (int)backend->mode);
	check->place.key = "address";
	ret = lb_mode_check(service, backend, &err);
	if (ret)
		return FAULT(check, ret, "%s: %s", check->label, err.text);
	return check_address(check, "backend", &backend->addr);
}

static int check_backends(struct check *check, const struct lb_service_config *service)
{
	int ret = 0;

	check->place.key = "backends";
	if (service->backend_count > LB_SERVICE_BACKENDS_MAX)
		return FAULT(check, -ERANGE, "%s: %u backends are too many, at most %u",
			     check->label, service->backend_count, LB_SERVICE_BACKENDS_MAX);
	for (unsigned int i = 0; i < service->backend_count && !ret; i++) {
		check->place.backend = (int)i;
		ret = check_backend(check, service, &service->backends[i]);
	}
	if (!ret)
		check->place.backend = -1;
	return ret;
}

static int check_front(struct check *check, const struct lb_service_config *service)
{
	struct lb_error err;
	int ret;

	check->place.key = "mode";
	if (!is_mode(service->mode))
		return FAULT(check, -EINVAL, "%s: mode %d is unknown", check->label,
			     (int)service->mode);
	ret = lb_front_check(service, &check->place.key, &err);
	if (ret)
		return FAULT(check, ret, "%s: %s", check->label, err.text);
	check->place.key = "address";
	return check_address(check, "address", &service->vip);
}

static int check_udp(struct check *check, const struct lb_service_config *service)
{
	struct lb_error err;
	int ret = lb_quic_check(service, &check->place, &err)
			  ?: lb_fragments_check(service, &check->place, &err);

	return ret ? FAULT(check, ret, "%s: %s", check->label, err.text) : 0;
}

static int check_service(struct check *check, unsigned int index)
{
	const struct lb_service_config *service = &check->config->services[index];
	int ret;

	check->place = LB_PLACE_NONE;
	check->place.service = (int)index;
	check->place.key = "name";
	ret = lb_name_check(service->name, check->err);
	if (ret)
		return ret;
	lb_service_label(check->config, index, check->label);
	ret = check_front(check, service);
	if (!ret)
		ret = check_slots(check, service);
	if (!ret)
		ret = check_timeouts(check, &service->timeouts);
	if (!ret)
		ret = check_health(check, &service->health);
	if (!ret)
		ret = check_cache(check, service);
	if (!ret)
		ret = check_sources(check, service);
	if (!ret)
		ret = check_tunnel_sources(check, service);
	if (!ret)
		ret = check_backends(check, service);
	return ret ?: check_udp(check, service);
}

int lb_config_find_fault(const struct lb_config *config, struct lb_place *place,
			 struct lb_error *err)
{
	struct check check = { .config = config, .place = LB_PLACE_NONE, .err = err };
	int ret = check_limits(&check);

	for (unsigned int i = 0; i < config->service_count && !ret; i++)
		ret = check_service(&check, i);
	if (!ret) {
		check.place = LB_PLACE_NONE;
		ret = check_totals(&check);
	}
	if (!ret) {
		check.place = LB_PLACE_NONE;
		ret = lb_config_find_twin(config, &check.place, err);
	}
	if (ret)
		*place = check.place;
	return ret;
}

int lb_config_check(const struct lb_config *config, struct lb_error *err)
{
	struct lb_place place;

	return lb_config_find_fault(config, &place, err);
}
