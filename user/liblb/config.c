// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document in memory: making, copying, finding, adding and removing. What may stand in it is
 * decided in config_check.c, how it is written in config_yaml.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "maglev.h"

void lb_limits_init(struct lb_limits *limits)
{
	*limits = (struct lb_limits){
		.services = LB_SERVICES_DEFAULT,
		.backends = LB_BACKENDS_DEFAULT,
		.slots = LB_SERVICES_DEFAULT * LB_SLOTS_PER_SERVICE,
		.flows = LB_FLOWS_DEFAULT,
	};
}

struct lb_config *lb_config_new(void)
{
	struct lb_config *config = calloc(1, sizeof(*config));

	if (config)
		lb_limits_init(&config->limits);
	return config;
}

static void free_service(struct lb_service_config *service)
{
	free(service->backends);
	free(service->cache.rules);
}

void lb_config_free(struct lb_config *config)
{
	if (!config)
		return;
	for (unsigned int i = 0; i < config->service_count; i++)
		free_service(&config->services[i]);
	free(config->services);
	free(config);
}

/* A copy of count elements; NULL for none. false when out of memory. */
static bool copy_array(void **out, const void *from, size_t count, size_t size)
{
	*out = NULL;
	if (count == 0)
		return true;
	*out = calloc(count, size);
	if (*out)
		memcpy(*out, from, count * size);
	return *out;
}

static bool copy_service(struct lb_service_config *out, const struct lb_service_config *from)
{
	const struct lb_cache_config *cache = &from->cache;
	void *backends, *rules;

	if (!copy_array(&backends, from->backends, from->backend_count, sizeof(*from->backends)))
		return false;
	if (!copy_array(&rules, cache->rules, cache->rule_count, sizeof(*cache->rules))) {
		free(backends);
		return false;
	}
	*out = *from;
	out->backends = backends;
	out->cache.rules = rules;
	return true;
}

struct lb_config *lb_config_copy(const struct lb_config *config)
{
	struct lb_config *copy = lb_config_new();

	if (!copy)
		return NULL;
	copy->limits = config->limits;
	copy->redis = config->redis;
	copy->redis_port = config->redis_port;
	if (config->service_count == 0)
		return copy;
	copy->services = calloc(config->service_count, sizeof(*copy->services));
	if (!copy->services)
		goto failed;
	for (; copy->service_count < config->service_count; copy->service_count++) {
		if (!copy_service(&copy->services[copy->service_count],
				  &config->services[copy->service_count]))
			goto failed;
	}
	return copy;

failed:
	lb_config_free(copy);
	return NULL;
}

void lb_service_config_init(struct lb_service_config *service)
{
	*service = (struct lb_service_config){
		.mode = LB_MODE_FULLNAT,
		.slots = LB_SLOTS_DEFAULT,
		.mss = LB_MSS_AUTO,
		.timeouts = { .syn = 10, .established = 900, .fin = 30, .udp = 120 },
	};
	lb_health_config_init(&service->health, LB_CHECK_NONE);
}

void lb_backend_config_init(struct lb_backend_config *backend)
{
	*backend = (struct lb_backend_config){ .weight = 1 };
}

struct lb_service_config *lb_config_find_service(struct lb_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->service_count; i++) {
		if (!strcmp(config->services[i].name, name))
			return &config->services[i];
	}
	return NULL;
}

struct lb_backend_config *lb_config_find_backend(struct lb_service_config *service,
						 const union lb_addr *addr, __u16 port)
{
	if (port == 0 && !service->port_last)
		port = service->port;
	for (unsigned int i = 0; i < service->backend_count; i++) {
		struct lb_backend_config *backend = &service->backends[i];

		if (lb_backend_port(service, backend) == port &&
		    lb_addr_is_equal(&backend->addr, addr))
			return backend;
	}
	return NULL;
}

__u16 lb_backend_port(const struct lb_service_config *service,
		      const struct lb_backend_config *backend)
{
	if (backend->port || service->port_last)
		return backend->port;
	return service->port;
}

enum lb_mode lb_service_mode(const struct lb_service_config *service)
{
	return service->mode == LB_MODE_INHERIT ? LB_MODE_FULLNAT : service->mode;
}

enum lb_mode lb_backend_mode(const struct lb_service_config *service,
			     const struct lb_backend_config *backend)
{
	if (backend->mode != LB_MODE_INHERIT)
		return backend->mode;
	return lb_service_mode(service);
}

const struct lb_prefix *lb_tunnel_source(const struct lb_service_config *service,
					 const union lb_addr *backend)
{
	for (unsigned int i = 0; i < service->tunnel_source_count; i++)
		if (lb_addr_is_v4(&service->tunnel_sources[i].addr) == lb_addr_is_v4(backend))
			return &service->tunnel_sources[i];
	return NULL;
}

bool lb_backend_has_pool(const struct lb_service_config *service,
			 const struct lb_backend_config *backend)
{
	if (lb_mode_is_tunnel(lb_backend_mode(service, backend)))
		return lb_tunnel_source(service, &backend->addr);
	return service->source_count;
}

int lb_config_add_service(struct lb_config *config, const struct lb_service_config *service,
			  struct lb_error *err)
{
	struct lb_service_config *grown;
	int ret;

	if (lb_config_find_service(config, service->name))
		return lb_fail(err, -EEXIST,
			       "service %s exists already; change it with 'lbctl service set'",
			       service->name);
	grown = realloc(config->services, (config->service_count + 1) * sizeof(*grown));
	if (!grown)
		return lb_fail(err, -ENOMEM, "out of memory");
	config->services = grown;
	if (!copy_service(&grown[config->service_count], service))
		return lb_fail(err, -ENOMEM, "out of memory");
	config->service_count++;
	ret = lb_config_check(config, err);
	if (ret)
		free_service(&config->services[--config->service_count]);
	return ret;
}

int lb_config_add_backend(struct lb_config *config, struct lb_service_config *service,
			  const struct lb_backend_config *backend, struct lb_error *err)
{
	const struct lb_backend_config *found;
	struct lb_backend_config *grown;
	int ret;

	found = lb_config_find_backend(service, &backend->addr, backend->port);
	if (found) {
		char text[LB_ADDR_TEXT_SIZE];

		return lb_fail(
			err, -EEXIST,
			"backend %s is already in service %s (weight %u); change it with "
			"'lbctl backend set'",
			lb_endpoint_format(&found->addr, lb_backend_port(service, found), text),
			service->name, found->weight);
	}
	grown = realloc(service->backends, (service->backend_count + 1) * sizeof(*grown));
	if (!grown)
		return lb_fail(err, -ENOMEM, "out of memory");
	service->backends = grown;
	grown[service->backend_count++] = *backend;
	ret = lb_config_check(config, err);
	if (ret)
		service->backend_count--;
	return ret;
}

void lb_config_del_service(struct lb_config *config, struct lb_service_config *service)
{
	size_t index = (size_t)(service - config->services);

	free_service(service);
	config->service_count--;
	memmove(service, service + 1, (config->service_count - index) * sizeof(*service));
}

void lb_config_del_backend(struct lb_service_config *service, struct lb_backend_config *backend)
{
	size_t index = (size_t)(backend - service->backends);

	service->backend_count--;
	memmove(backend, backend + 1, (service->backend_count - index) * sizeof(*backend));
}

__u32 lb_slots_wanted(unsigned int backends)
{
	return lb_maglev_slots_for(backends);
}
