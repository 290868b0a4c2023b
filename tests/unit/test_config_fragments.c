// SPDX-License-Identifier: GPL-2.0-only
/* Fragments by three-tuple: which services may not stand beside one another, against a plain
 * search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define DOCUMENTS 20000
#define SERVICES 12

static unsigned int below(unsigned int limit)
{
	static __u64 state = 7;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(state >> 33) % limit;
}

/* Few addresses, so that many are within one another; of both families. */
static void fill(struct lb_service_config *service, unsigned int number, unsigned int loners)
{
	const bool is_v6 = below(2);
	const unsigned int bits = below(3) ? 0 : below(6); /* that clients may choose */
	const unsigned int host = below(64) >> bits << bits;
	char text[LB_ADDR_TEXT_SIZE];

	lb_service_config_init(service);
	(void)snprintf(service->name, sizeof(service->name), "s%u", number);
	(void)snprintf(text, sizeof(text), is_v6 ? "2001:db8::%x" : "203.0.113.%u", host);
	assert_int_equal(lb_addr_parse(text, &service->vip), 0);
	service->vip_length = bits ? (__u8)((is_v6 ? 128 : 32) - bits) : 0;
	service->proto = below(4) ? IPPROTO_UDP : IPPROTO_TCP;
	service->port = (__u16)(1 + below(3));
	service->mode = LB_MODE_DSR;
	if (service->proto == IPPROTO_UDP && below(SERVICES) < loners)
		service->fragments = LB_FRAGMENTS_THREE_TUPLE;
}

/* Whether one of them covers the other one's first address. */
static bool is_shared(const struct lb_service_config *a, const struct lb_service_config *b)
{
	const __u8 bits_a = a->vip_length ? (lb_addr_is_v4(&a->vip) ? 32 : 128) - a->vip_length : 0;
	const __u8 bits_b = b->vip_length ? (lb_addr_is_v4(&b->vip) ? 32 : 128) - b->vip_length : 0;
	const __u8 bits = bits_a > bits_b ? bits_a : bits_b;

	return !memcmp(&a->vip, &b->vip, 15) &&
	       a->vip.bytes[15] >> bits == b->vip.bytes[15] >> bits;
}

static bool has_company(const struct lb_config *config)
{
	for (unsigned int i = 0; i < config->service_count; i++)
		for (unsigned int j = 0; j < config->service_count; j++)
			if (i != j && config->services[i].fragments == LB_FRAGMENTS_THREE_TUPLE &&
			    config->services[j].proto == IPPROTO_UDP &&
			    is_shared(&config->services[i], &config->services[j]))
				return true;
	return false;
}

static void company_is_found(void **state)
{
	struct lb_config *config = lb_config_new();
	unsigned int refused = 0;

	(void)state;
	assert_non_null(config);
	config->services = calloc(SERVICES, sizeof(*config->services));
	assert_non_null(config->services);
	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		struct lb_place place = LB_PLACE_NONE;
		struct lb_error err;
		int ret;

		config->service_count = below(SERVICES + 1);
		for (unsigned int s = 0; s < config->service_count; s++)
			fill(&config->services[s], s, i % 4);
		ret = lb_fragments_find_company(config, &place, &err);
		assert_int_equal(ret, has_company(config) ? -EEXIST : 0);
		if (!ret)
			continue;
		refused++;
		assert_int_equal(config->services[place.service].fragments,
				 LB_FRAGMENTS_THREE_TUPLE);
		assert_string_equal(place.key, "fragments");
	}
	/* Both answers are met often. */
	assert_in_range(refused, DOCUMENTS / 10, DOCUMENTS * 9 / 10);
	lb_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(company_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
