// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services whose fragments go by three-tuple: what of the rest of the document that allows. A later
 * fragment shows both addresses and the protocol, and has to find the one service by them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const char *const names[] = {
	[LB_FRAGMENTS_TABLE] = "table",
	[LB_FRAGMENTS_THREE_TUPLE] = "three-tuple",
};

const char *lb_fragments_name(enum lb_fragments fragments)
{
	return names[fragments == LB_FRAGMENTS_THREE_TUPLE];
}

int lb_fragments_parse(const char *text, enum lb_fragments *out)
{
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*out = (enum lb_fragments)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Why a mode needs the ports; NULL: it does not. */
static const char *why_not(enum lb_mode mode)
{
	if (mode == LB_MODE_NAT)
		return "later fragments of an answer do not show which service it is from";
	if (mode == LB_MODE_LOCAL)
		return "no process gets a datagram that came in fragments";
	return lb_mode_keeps_packet(mode) ? NULL
					  : "a client has another source towards the backend for "
					    "each of its ports";
}

int lb_fragments_check(const struct lb_service_config *service, struct lb_place *place,
		       struct lb_error *err)
{
	const char *why = why_not(lb_service_mode(service));
	char text[LB_ADDR_TEXT_SIZE];

	if (service->fragments != LB_FRAGMENTS_THREE_TUPLE)
		return 0;
	place->key = "fragments";
	if (service->proto != IPPROTO_UDP)
		return lb_fail(err, -EINVAL, "fragments three-tuple is for udp only, this is tcp");
	if (service->cid_length)
		return lb_fail(err, -EINVAL,
			       "fragments three-tuple and quic-cid exclude each other: later "
			       "fragments carry no connection id, and QUIC makes none");
	if (why)
		return lb_fail(err, -EINVAL,
			       "fragments three-tuple needs mode dsr, ipip or gue: in %s %s",
			       lb_mode_name(lb_service_mode(service)), why);
	for (unsigned int i = 0; i < service->backend_count; i++) {
		const struct lb_backend_config *backend = &service->backends[i];

		why = why_not(lb_backend_mode(service, backend));
		if (!why)
			continue;
		place->backend = (int)i;
		return lb_fail(
			err, -EINVAL,
			"backend %s: fragments three-tuple needs mode dsr, ipip or gue: in "
			"%s %s",
			lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text),
			lb_mode_name(lb_backend_mode(service, backend)), why);
	}
	return 0;
}

static bool is_within(const struct lb_service_config *service,
		      const struct lb_service_config *prefix)
{
	union lb_addr addr;

	lb_addr_mask(&addr, &service->vip, lb_front_length(&prefix->vip, prefix->vip_length));
	return lb_addr_is_equal(&addr, &prefix->vip);
}

/* A prefix stands before or beside all that is within it. */
static int compare_addresses(const void *left, const void *right)
{
	const struct lb_service_config *a = *(const struct lb_service_config *const *)left;
	const struct lb_service_config *b = *(const struct lb_service_config *const *)right;
	const int order = memcmp(&a->vip, &b->vip, sizeof(a->vip));

	return order ? order : a < b ? -1 : a > b;
}

static int refuse_company(const struct lb_config *config, const struct lb_service_config *a,
			  const struct lb_service_config *b, struct lb_place *place,
			  struct lb_error *err)
{
	const bool is_a = a->fragments == LB_FRAGMENTS_THREE_TUPLE;
	const struct lb_service_config *loner = is_a ? a : b, *other = is_a ? b : a;
	char text[LB_FRONT_TEXT_SIZE];

	place->service = (int)(loner - config->services);
	place->key = "fragments";
	return lb_fail(err, -EEXIST,
		       "service %s: fragments three-tuple needs its addresses alone in udp, since "
		       "later fragments carry no port; service %s is at %s",
		       loner->name, other->name, lb_front_format(other, text));
}

int lb_fragments_find_company(const struct lb_config *config, struct lb_place *place,
			      struct lb_error *err)
{
	const struct lb_service_config **sorted = calloc(config->service_count, sizeof(*sorted));
	/* Those that cover the one at hand. One by three-tuple is there alone, or was refused. */
	const struct lb_service_config **around = calloc(config->service_count, sizeof(*around));
	unsigned int count = 0, depth = 0;
	int ret = sorted && around ? 0 : lb_fail(err, -ENOMEM, "out of memory");

	for (unsigned int i = 0; i < config->service_count && !ret; i++)
		if (config->services[i].proto == IPPROTO_UDP)
			sorted[count++] = &config->services[i];
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare_addresses);
	for (unsigned int i = 0; i < count && !ret; i++) {
		while (depth && !is_within(sorted[i], around[depth - 1]))
			depth--;
		if (depth && (sorted[i]->fragments == LB_FRAGMENTS_THREE_TUPLE ||
			      around[depth - 1]->fragments == LB_FRAGMENTS_THREE_TUPLE))
			ret = refuse_company(config, sorted[i], around[depth - 1], place, err);
		around[depth++] = sorted[i];
	}
	free(sorted);
	free(around);
	return ret;
}
