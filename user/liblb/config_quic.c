// SPDX-License-Identifier: GPL-2.0-only
/*
 * QUIC by connection id in the document: where in the id the server's number is, and which numbers
 * backends have.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define CID_SIZE 20u /* of a connection id, at most (RFC 9000, 17.2) */
#define LENGTH_MAX 4u

static bool is_cid(unsigned int offset, unsigned int length)
{
	return length >= 1 && length <= LENGTH_MAX && offset <= CID_SIZE - length;
}

/* One or two digits; what is behind them, or NULL. */
static const char *read_small(const char *text, unsigned int *out)
{
	const char *c = text;

	for (*out = 0; *c >= '0' && *c <= '9' && c - text < 2; c++)
		*out = *out * 10 + (unsigned int)(*c - '0');
	return c == text ? NULL : c;
}

int lb_cid_parse(const char *text, struct lb_service_config *service)
{
	unsigned int offset, length = 0;
	const char *rest;

	if (!strcmp(text, "off")) {
		service->cid_offset = service->cid_length = 0;
		return 0;
	}
	rest = read_small(text, &offset);
	if (rest && *rest == ':')
		rest = read_small(rest + 1, &length);
	if (!rest || *rest || !is_cid(offset, length))
		return -EINVAL;
	service->cid_offset = (__u8)offset;
	service->cid_length = (__u8)length;
	return 0;
}

const char *lb_cid_format(const struct lb_service_config *service, char buf[LB_ADDR_TEXT_SIZE])
{
	if (!service->cid_length)
		return "off";
	(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%u:%u", service->cid_offset, service->cid_length);
	return buf;
}

static const char *name_of(const struct lb_service_config *service, unsigned int backend,
			   char buf[LB_ADDR_TEXT_SIZE])
{
	const struct lb_backend_config *config = &service->backends[backend];

	return lb_endpoint_format(&config->addr, lb_backend_port(service, config), buf);
}

static int check_number(const struct lb_service_config *service, unsigned int index,
			struct lb_error *err)
{
	const struct lb_backend_config *backend = &service->backends[index];
	const __u64 limit = 1ull << 8 * service->cid_length;
	char text[LB_ADDR_TEXT_SIZE];

	if (!backend->has_server_id)
		return 0;
	name_of(service, index, text);
	if (!service->cid_length)
		return lb_fail(err, -EINVAL,
			       "backend %s has server-id %u, but the service no quic-cid that says "
			       "where in connection ids it is",
			       text, backend->server_id);
	if (backend->server_id >= limit)
		return lb_fail(
			err, -ERANGE,
			"backend %s: server-id %u does not fit the %u bytes of quic-cid %u:%u, "
			"at most %llu",
			text, backend->server_id, service->cid_length, service->cid_offset,
			service->cid_length, limit - 1);
	return 0;
}

static int compare_numbers(const void *left, const void *right)
{
	const struct lb_backend_config *a = *(const struct lb_backend_config *const *)left;
	const struct lb_backend_config *b = *(const struct lb_backend_config *const *)right;

	if (a->server_id != b->server_id)
		return a->server_id < b->server_id ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int find_same_number(const struct lb_service_config *service, struct lb_place *place,
			    struct lb_error *err)
{
	const struct lb_backend_config **sorted =
		calloc(service->backend_count + 1, sizeof(*sorted));
	char text[LB_ADDR_TEXT_SIZE], other[LB_ADDR_TEXT_SIZE];
	unsigned int count = 0;
	int ret = 0;

	if (!sorted)
		return lb_fail(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < service->backend_count; i++)
		if (service->backends[i].has_server_id)
			sorted[count++] = &service->backends[i];
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare_numbers);
	for (unsigned int i = 1; i < count && !ret; i++) {
		if (sorted[i]->server_id != sorted[i - 1]->server_id)
			continue;
		place->backend = (int)(sorted[i] - service->backends);
		ret = lb_fail(
			err, -EEXIST, "backend %s: server-id %u is the one of backend %s",
			name_of(service, (unsigned int)place->backend, text), sorted[i]->server_id,
			name_of(service, (unsigned int)(sorted[i - 1] - service->backends), other));
	}
	free(sorted);
	return ret;
}

int lb_quic_check(const struct lb_service_config *service, struct lb_place *place,
		  struct lb_error *err)
{
	int ret = 0;

	place->key = "quic-cid";
	if (service->cid_length && service->proto != IPPROTO_UDP)
		return lb_fail(err, -EINVAL, "quic-cid is for udp only, this is tcp");
	if (service->cid_length && !is_cid(service->cid_offset, service->cid_length))
		return lb_fail(
			err, -ERANGE,
			"quic-cid %u:%u is out of range, expected 1 to %u bytes in the first "
			"%u",
			service->cid_offset, service->cid_length, LENGTH_MAX, CID_SIZE);
	place->key = "server-id";
	for (unsigned int i = 0; i < service->backend_count && !ret; i++) {
		place->backend = (int)i;
		ret = check_number(service, i, err);
	}
	if (ret)
		return ret;
	place->backend = -1;
	return find_same_number(service, place, err);
}
