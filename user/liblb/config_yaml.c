// SPDX-License-Identifier: GPL-2.0-only
/*
 * From YAML to the document. Three passes over the text: its lines and shape (config_lines.c), the
 * values by libcyaml, and what they mean together (config_check.c). Every fault gets one line that
 * begins with "name:line: ".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_lines.h"
#include "config_shape.h"

#define DOCUMENT_MAX (64u << 20)

struct reader {
	const char *name;
	const struct lb_lines *lines;
	struct lb_place place;
	struct lb_error *err;
};

/* Puts the line of the reader's place before a text without one. */
static int fault_here(struct reader *reader, int code, const char *text)
{
	return lb_fail(reader->err, code, "%s:%u: %s", reader->name,
		       lb_lines_find(reader->lines, &reader->place), text);
}

static void take(__u32 *out, const __u32 *value)
{
	if (value)
		*out = *value;
}

static int read_backend(struct reader *reader, const struct lb_shape_backend *shape,
			struct lb_backend_config *out)
{
	struct lb_error err;
	bool has_port;

	lb_backend_config_init(out);
	if (shape->weight) {
		reader->place.key = "weight";
		if (*shape->weight > LB_WEIGHT_MAX)
			return fault_here(reader, -EBADMSG,
					  "weight is out of range, expected 0 to 65535");
		out->weight = (__u16)*shape->weight;
	}
	out->is_drained = shape->drain && *shape->drain == LB_YES;
	if (shape->mode)
		out->mode = *shape->mode;
	out->has_server_id = shape->server_id;
	take(&out->server_id, shape->server_id);
	reader->place.key = "address";
	if (lb_endpoint_parse(shape->address, &out->addr, &out->port, &has_port, &err))
		return fault_here(reader, -EBADMSG, err.text);
	return 0;
}

static int read_backends(struct reader *reader, const struct lb_shape_service *shape,
			 struct lb_service_config *out)
{
	int ret = 0;

	if (shape->backend_count == 0)
		return 0;
	out->backends = calloc(shape->backend_count, sizeof(*out->backends));
	if (!out->backends)
		return lb_fail(reader->err, -ENOMEM, "out of memory");
	for (; out->backend_count < shape->backend_count && !ret; out->backend_count++) {
		reader->place.backend = (int)out->backend_count;
		ret = read_backend(reader, &shape->backends[out->backend_count],
				   &out->backends[out->backend_count]);
	}
	if (!ret)
		reader->place.backend = -1;
	return ret;
}

static int read_sources(struct reader *reader, const struct lb_shape_service *shape,
			struct lb_service_config *out)
{
	char text[LB_TEXT_SIZE];

	reader->place.key = "sources";
	if (shape->source_count > LB_SOURCES_MAX)
		return fault_here(reader, -EBADMSG, "too many sources, expected at most 16");
	for (; out->source_count < shape->source_count; out->source_count++) {
		const char *source = shape->sources[out->source_count];

		if (!lb_addr_parse(source, &out->sources[out->source_count]))
			continue;
		reader->place.source = (int)out->source_count;
		(void)snprintf(text, sizeof(text),
			       "source '%.64s' is no address, expected as 192.0.2.1 or 2001:db8::1",
			       source);
		return fault_here(reader, -EBADMSG, text);
	}
	return 0;
}

static int read_tunnel_sources(struct reader *reader, const struct lb_shape_service *shape,
			       struct lb_service_config *out)
{
	char text[LB_TEXT_SIZE];

	reader->place.key = "tunnel-sources";
	if (shape->tunnel_source_count > LB_TUNNEL_SOURCES_MAX)
		return fault_here(reader, -EBADMSG,
				  "too many tunnel-sources, expected at most one for IPv4 and one "
				  "for IPv6");
	for (; out->tunnel_source_count < shape->tunnel_source_count; out->tunnel_source_count++) {
		const char *source = shape->tunnel_sources[out->tunnel_source_count];

		if (!lb_prefix_parse(source, &out->tunnel_sources[out->tunnel_source_count]))
			continue;
		(void)snprintf(text, sizeof(text),
			       "tunnel-source '%.64s' is no prefix, expected as 192.0.2.64/26 or "
			       "2001:db8:64::/64, without bits behind its length",
			       source);
		return fault_here(reader, -EBADMSG, text);
	}
	return 0;
}

static int read_service(struct reader *reader, const struct lb_shape_service *shape,
			struct lb_service_config *out)
{
	struct lb_error err;
	int ret;

	lb_service_config_init(out);
	reader->place.key = "name";
	if (lb_name_check(shape->name, &err))
		return fault_here(reader, -EBADMSG, err.text);
	memcpy(out->name, shape->name, strlen(shape->name) + 1);
	out->proto = (__u8)shape->protocol;
	if (shape->mode)
		out->mode = *shape->mode;
	take(&out->slots, shape->slots);
	out->is_stateless = shape->stateless && *shape->stateless == LB_YES;
	if (shape->fragments)
		out->fragments = *shape->fragments;
	reader->place.key = "mss-clamp";
	if (shape->mss_clamp && lb_mss_parse(shape->mss_clamp, &out->mss))
		return fault_here(reader, -EBADMSG,
				  "mss-clamp is expected as auto, off or a number from 88 to "
				  "65495");
	reader->place.key = "quic-cid";
	if (shape->quic_cid && lb_cid_parse(shape->quic_cid, out))
		return fault_here(
			reader, -EBADMSG,
			"quic-cid is expected as off or OFFSET:LENGTH, 1 to 4 bytes of the "
			"first 20");
	if (shape->timeouts) {
		take(&out->timeouts.syn, shape->timeouts->syn);
		take(&out->timeouts.established, shape->timeouts->established);
		take(&out->timeouts.fin, shape->timeouts->fin);
		take(&out->timeouts.udp, shape->timeouts->udp);
	}
	if (shape->health) {
		reader->place.section = "health";
		if (lb_health_read(shape->health, &out->health, &reader->place.key, &err))
			return fault_here(reader, -EBADMSG, err.text);
		reader->place.section = NULL;
	}
	if (shape->cache) {
		reader->place.section = "cache";
		if (lb_cache_read(shape->cache, &out->cache, &reader->place.key, &err))
			return fault_here(reader, -EBADMSG, err.text);
		reader->place.section = NULL;
	}
	reader->place.key = "address";
	if (lb_front_parse(shape->address, out, &err))
		return fault_here(reader, -EBADMSG, err.text);
	ret = read_sources(reader, shape, out);
	if (!ret)
		ret = read_tunnel_sources(reader, shape, out);
	if (!ret)
		ret = read_backends(reader, shape, out);
	return ret;
}

static int read_services(struct reader *reader, const struct lb_shape *shape,
			 struct lb_config *config)
{
	int ret = 0;

	if (shape->service_count == 0)
		return 0;
	config->services = calloc(shape->service_count, sizeof(*config->services));
	if (!config->services)
		return lb_fail(reader->err, -ENOMEM, "out of memory");
	for (; config->service_count < shape->service_count && !ret; config->service_count++) {
		reader->place = LB_PLACE_NONE;
		reader->place.service = (int)config->service_count;
		ret = read_service(reader, &shape->services[config->service_count],
				   &config->services[config->service_count]);
	}
	return ret;
}

static void read_limits(const struct lb_shape_limits *shape, struct lb_limits *limits)
{
	take(&limits->services, shape->services);
	take(&limits->backends, shape->backends);
	limits->slots = lb_limits_slots(limits->services);
	take(&limits->slots, shape->slots);
	take(&limits->flows, shape->flows);
}

static int read_shape(struct reader *reader, const struct lb_shape *shape, struct lb_config *config)
{
	struct lb_error err;
	int ret;

	reader->place.key = "version";
	if (shape->version && *shape->version != LB_CONFIG_VERSION)
		return fault_here(reader, -EBADMSG, "unknown version of the document, expected 1");
	if (shape->limits)
		read_limits(shape->limits, &config->limits);
	if (shape->cache) {
		reader->place.section = "cache";
		reader->place.key = "redis";
		if (lb_cache_read_redis(shape->cache, config, &err))
			return fault_here(reader, -EBADMSG, err.text);
	}
	ret = read_services(reader, shape, config);
	if (ret)
		return ret;
	reader->place = LB_PLACE_NONE;
	if (lb_config_find_fault(config, &reader->place, &err))
		return fault_here(reader, -EBADMSG, err.text);
	return 0;
}

/* Keeps the first line of libcyaml's log; the ones after it are its backtrace. */
__attribute__((format(printf, 3, 0))) static void keep_log(cyaml_log_t level, void *ctx,
							   const char *format, va_list args)
{
	struct lb_error *log = ctx;

	(void)level;
	if (!log->text[0])
		(void)vsnprintf(log->text, sizeof(log->text), format, args);
}

static int load_shape(struct reader *reader, const char *yaml, size_t length,
		      struct lb_config *config)
{
	struct lb_error log = { "" };
	const struct cyaml_config cyaml = {
		.log_fn = keep_log,
		.log_ctx = &log,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_data_t *shape = NULL;
	cyaml_err_t failed;
	int ret;

	failed = cyaml_load_data((const uint8_t *)yaml, length, &cyaml, &lb_shape_schema, &shape,
				 NULL);
	if (failed == CYAML_ERR_ALIAS)
		return lb_fail(reader->err, -EBADMSG,
			       "%s: aliases (*name) are not supported, write the value again",
			       reader->name);
	if (failed)
		return lb_fail(reader->err, -EBADMSG, "%s: %s: %.*s", reader->name,
			       cyaml_strerror(failed), (int)strcspn(log.text, "\n"), log.text);
	ret = read_shape(reader, shape, config);
	cyaml_free(&cyaml, &lb_shape_schema, shape, 0);
	return ret;
}

int lb_config_parse(struct lb_config **out, const char *yaml, size_t length, const char *name,
		    struct lb_error *err)
{
	struct reader reader = { .name = name, .place = LB_PLACE_NONE, .err = err };
	struct lb_config *config;
	struct lb_lines *lines;
	int ret;

	ret = lb_lines_load(&lines, yaml, length, name, err);
	if (ret)
		return ret;
	reader.lines = lines;
	config = lb_config_new();
	if (!config)
		ret = lb_fail(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = lb_lines_check(lines, &lb_shape_schema, err);
	if (!ret)
		ret = load_shape(&reader, yaml, length, config);
	lb_lines_free(lines);
	if (ret)
		lb_config_free(config);
	else
		*out = config;
	return ret;
}

/* The whole of an open file, with a NUL after it. */
static int read_all(int fd, const char *path, char **out, size_t *length, struct lb_error *err)
{
	size_t size = 65536, used = 0;
	char *text = NULL, *grown;
	ssize_t got = 1;

	while (got > 0) {
		if (!text || used + 1 >= size) {
			size *= 2;
			grown = size > DOCUMENT_MAX ? NULL : realloc(text, size);
			if (!grown) {
				free(text);
				return lb_fail(err, -EFBIG, "%s: larger than %u MiB", path,
					       DOCUMENT_MAX >> 21);
			}
			text = grown;
		}
		got = read(fd, text + used, size - used - 1);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			used += (size_t)got;
	}
	if (got < 0) {
		int code = -errno;

		free(text);
		return lb_fail(err, code, "%s: cannot be read: %s", path, strerror(-code));
	}
	text[used] = '\0';
	*out = text;
	*length = used;
	return 0;
}

int lb_config_read(struct lb_config **out, const char *path, struct lb_error *err)
{
	char *text = NULL;
	size_t length = 0;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		return lb_fail(err, ret, "%s: cannot be opened: %s", path, strerror(-ret));
	}
	ret = read_all(fd, path, &text, &length, err);
	(void)close(fd);
	if (ret)
		return ret;
	ret = lb_config_parse(out, text, length, path, err);
	free(text);
	return ret;
}
