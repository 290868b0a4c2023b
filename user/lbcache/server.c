// SPDX-License-Identifier: GPL-2.0-only
/* Small things that all of lbcache needs: addresses as text, sums of the threads' figures. */
#include "log.h"
#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lb_cache_abi.h"

#define WAIT_STEP_US 5000
#define WAIT_STEPS 400

int server_use_redis(struct server *server, const union address *address)
{
	union address *copy = NULL;

	if (address) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = *address;
	}
	server->redis = copy; /* threads may still read the one before */
	return 0;
}

const char *address_format(const union address *address, char buf[ADDRESS_TEXT_SIZE])
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (address->any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
		(void)snprintf(buf, ADDRESS_TEXT_SIZE, "%s:%u", text, ntohs(address->v4.sin_port));
	} else {
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
		(void)snprintf(buf, ADDRESS_TEXT_SIZE, "[%s]:%u", text,
			       ntohs(address->v6.sin6_port));
	}
	return buf;
}

socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

void address_make(union address *out, const union lb_addr *addr, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	if (lb_addr_is_v4(addr)) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, &addr->words[3], sizeof(out->v4.sin_addr));
	} else {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(port);
		memcpy(&out->v6.sin6_addr, addr, sizeof(out->v6.sin6_addr));
	}
}

bool address_is_same(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port &&
	       !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr));
}

void server_sum(const struct server *server, struct counters *out)
{
	uint64_t *to = (uint64_t *)out;

	*out = (struct counters){ 0 };
	for (unsigned int n = 0; n < server->worker_count; n++) {
		const uint64_t *from = (const uint64_t *)&server->workers[n]->counters;

		for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
	out->log_lost += log_lost(server->log);
}

void server_sum_service(const struct server *server, unsigned int service,
			struct service_counters *out)
{
	uint64_t *to = (uint64_t *)out;

	*out = (struct service_counters){ 0 };
	for (unsigned int n = 0; n < server->worker_count; n++) {
		const uint64_t *from = (const uint64_t *)&server->workers[n]->by_service[service];

		for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}

double service_hit_ratio(const struct service_counters *counters)
{
	const uint64_t hits = counters->hits + counters->stale_hits;

	return counters->requests ? (double)hits / (double)counters->requests : 0;
}

unsigned int server_resting(const struct server *server)
{
	unsigned int count = 0;

	for (unsigned int n = 0; n < server->worker_count; n++)
		count += __atomic_load_n(&server->workers[n]->is_second_resting, __ATOMIC_RELAXED);
	return count;
}

double server_bypass_ratio(const struct server *server)
{
	uint64_t sum = 0;

	for (unsigned int n = 0; n < server->worker_count; n++)
		sum += __atomic_load_n(&server->workers[n]->bypass, __ATOMIC_RELAXED);
	return (double)sum / LB_CACHE_BYPASS_ALL / server->worker_count;
}

double counters_hit_ratio(const struct counters *counters)
{
	uint64_t hits = counters->hits + counters->stale_hits;

	return counters->requests ? (double)hits / (double)counters->requests : 0;
}

struct text service_scheme(const struct service *service)
{
	return service->tls ? (struct text){ "https", 5 } : (struct text){ "http", 4 };
}

static bool has_turned(const struct server *server, const uint64_t *turns)
{
	for (unsigned int i = 0; i < server->worker_count; i++)
		if (__atomic_load_n(&server->workers[i]->turns, __ATOMIC_ACQUIRE) == turns[i])
			return false;
	return true;
}

bool server_wait_turn(const struct server *server)
{
	uint64_t turns[WORKERS_MAX];

	for (unsigned int i = 0; i < server->worker_count; i++)
		turns[i] = __atomic_load_n(&server->workers[i]->turns, __ATOMIC_SEQ_CST);
	for (unsigned int step = 0; step < WAIT_STEPS; step++) {
		if (has_turned(server, turns))
			return true;
		(void)usleep(WAIT_STEP_US);
	}
	return false;
}
