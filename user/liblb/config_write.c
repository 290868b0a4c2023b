// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the document to YAML. Keys that have their default are left out, so that a saved file reads
 * as a person would have written it. Without libcyaml: libyaml's emitter does not indent lists.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

/* A key with a number, unless it is the default; the section's head goes before the first. */
static void print_number(FILE *out, const char **head, const char *indent, const char *key,
			 __u32 value, __u32 standard)
{
	if (value == standard)
		return;
	if (*head)
		(void)fputs(*head, out);
	*head = NULL;
	(void)fprintf(out, "%s%s: %u\n", indent, key, value);
}

static void print_limits(FILE *out, const struct lb_limits *limits)
{
	const char *head = "limits:\n", *indent = "  ";

	print_number(out, &head, indent, "services", limits->services, LB_SERVICES_DEFAULT);
	print_number(out, &head, indent, "backends", limits->backends, LB_BACKENDS_DEFAULT);
	print_number(out, &head, indent, "slots", limits->slots,
		     limits->services * LB_SLOTS_PER_SERVICE);
	print_number(out, &head, indent, "flows", limits->flows, LB_FLOWS_DEFAULT);
}

static void print_timeouts(FILE *out, const struct lb_timeouts *timeouts)
{
	const char *head = "    timeouts:\n", *indent = "      ";
	struct lb_service_config standard;

	lb_service_config_init(&standard);
	print_number(out, &head, indent, "syn", timeouts->syn, standard.timeouts.syn);
	print_number(out, &head, indent, "established", timeouts->established,
		     standard.timeouts.established);
	print_number(out, &head, indent, "fin", timeouts->fin, standard.timeouts.fin);
	print_number(out, &head, indent, "udp", timeouts->udp, standard.timeouts.udp);
}

static void print_backend(FILE *out, const struct lb_backend_config *backend)
{
	char text[LB_ADDR_TEXT_SIZE];

	if (backend->port)
		lb_endpoint_format(&backend->addr, backend->port, text);
	else
		lb_addr_format(&backend->addr, text);
	(void)fprintf(out, "      - address: \"%s\"\n", text);
	if (backend->weight != 1)
		(void)fprintf(out, "        weight: %u\n", backend->weight);
	if (backend->is_drained)
		(void)fputs("        drain: true\n", out);
	if (backend->mode != LB_MODE_INHERIT)
		(void)fprintf(out, "        mode: %s\n", lb_mode_name(backend->mode));
	if (backend->has_server_id)
		(void)fprintf(out, "        server-id: %u\n", backend->server_id);
}

static void print_service(FILE *out, const struct lb_service_config *service)
{
	char text[LB_FRONT_TEXT_SIZE], prefix[LB_PREFIX_TEXT_SIZE];

	(void)fprintf(out, "  - name: %s\n    protocol: %s\n    address: \"%s\"\n", service->name,
		      lb_proto_name(service->proto), lb_front_format(service, text));
	if (service->mode != LB_MODE_INHERIT && service->mode != LB_MODE_FULLNAT)
		(void)fprintf(out, "    mode: %s\n", lb_mode_name(service->mode));
	if (service->slots != LB_SLOTS_DEFAULT)
		(void)fprintf(out, "    slots: %u\n", service->slots);
	if (service->is_stateless)
		(void)fputs("    stateless: true\n", out);
	if (service->mss != LB_MSS_AUTO)
		(void)fprintf(out, "    mss-clamp: %s\n", lb_mss_format(service->mss, text));
	if (service->cid_length)
		(void)fprintf(out, "    quic-cid: \"%s\"\n", lb_cid_format(service, text));
	if (service->fragments != LB_FRAGMENTS_TABLE)
		(void)fprintf(out, "    fragments: %s\n", lb_fragments_name(service->fragments));
	if (service->source_count)
		(void)fputs("    sources:\n", out);
	for (unsigned int i = 0; i < service->source_count; i++)
		(void)fprintf(out, "      - \"%s\"\n", lb_addr_format(&service->sources[i], text));
	if (service->tunnel_source_count)
		(void)fputs("    tunnel-sources:\n", out);
	for (unsigned int i = 0; i < service->tunnel_source_count; i++)
		(void)fprintf(out, "      - \"%s\"\n",
			      lb_prefix_format(&service->tunnel_sources[i], prefix));
	print_timeouts(out, &service->timeouts);
	lb_health_print(out, &service->health);
	lb_cache_print(out, &service->cache);
	if (service->backend_count)
		(void)fputs("    backends:\n", out);
	for (unsigned int i = 0; i < service->backend_count; i++)
		print_backend(out, &service->backends[i]);
}

int lb_config_print(const struct lb_config *config, FILE *out)
{
	(void)fprintf(out, "version: %d\n", LB_CONFIG_VERSION);
	print_limits(out, &config->limits);
	lb_cache_print_redis(out, config);
	(void)fputs(config->service_count ? "services:\n" : "services: []\n", out);
	for (unsigned int i = 0; i < config->service_count; i++)
		print_service(out, &config->services[i]);
	return ferror(out) ? -EIO : 0;
}

static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	int fd, ret = 0;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return -errno;
	/* File systems without it (EINVAL) have nothing to make durable. */
	if (fsync(fd) && errno != EINVAL)
		ret = -errno;
	(void)close(fd);
	return ret;
}

static int fill(int fd, const struct lb_config *config, mode_t mode, bool is_durable)
{
	FILE *out = fdopen(fd, "w");
	int ret;

	if (!out) {
		ret = -errno;
		(void)close(fd);
		return ret;
	}
	ret = lb_config_print(config, out);
	if (!ret && (fflush(out) || fchmod(fd, mode)))
		ret = -errno;
	if (!ret && is_durable && fsync(fd) && errno != EINVAL)
		ret = -errno;
	if (fclose(out) && !ret)
		ret = -errno;
	return ret;
}

/* Fills the open file called name, which then takes path's place or is removed. */
static int put_in_place(int fd, const char *name, const struct lb_config *config, const char *path,
			mode_t mode, bool is_durable)
{
	int ret = fill(fd, config, mode, is_durable);

	if (!ret && rename(name, path))
		ret = -errno;
	if (ret)
		(void)unlink(name);
	return ret;
}

/* Beside a user's file may be anything: the new one's name is one that nothing has. */
static int write_beside(const struct lb_config *config, const char *path, const struct stat *old)
{
	const char *slash = strrchr(path, '/');
	const int length = slash ? (int)(slash - path) + 1 : 0;
	char *name;
	int fd, ret;

	if (asprintf(&name, "%.*s.%s.lbctl-XXXXXX", length, path, path + length) < 0)
		return -ENOMEM;
	fd = mkostemp(name, O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret && old && fchown(fd, old->st_uid, old->st_gid)) {
		ret = -errno;
		(void)close(fd);
		(void)unlink(name);
	}
	if (!ret)
		ret = put_in_place(fd, name, config, path, old ? old->st_mode & 07777 : 0644, true);
	free(name);
	return ret;
}

/* In a directory of our own, by who holds the lock: a killed writer leaves at most this one file.
 */
int lb_config_store(const struct lb_config *config, const char *path, struct lb_error *err)
{
	char *name;
	int fd, ret;

	if (asprintf(&name, "%s.new", path) < 0)
		return lb_fail(err, -ENOMEM, "out of memory");
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : put_in_place(fd, name, config, path, 0644, false);
	free(name);
	return ret ? lb_fail(err, ret, "%s: cannot be written: %s", path, strerror(-ret)) : 0;
}

int lb_config_write(const struct lb_config *config, const char *path, struct lb_error *err)
{
	/* Of a link the file that it names is replaced, not the link. */
	char *real = realpath(path, NULL);
	const char *target = real ?: path;
	struct stat old;
	const bool is_there = !stat(target, &old);
	int ret;

	if (is_there && !S_ISREG(old.st_mode))
		ret = lb_fail(err, -EINVAL,
			      "%s: cannot be written: it is no regular file; '-' is the standard "
			      "output",
			      path);
	else if ((ret = write_beside(config, target, is_there ? &old : NULL)))
		(void)lb_fail(err, ret, "%s: cannot be written: %s", path, strerror(-ret));
	else if ((ret = sync_directory(target)))
		(void)lb_fail(err, ret, "%s: its directory cannot be synced: %s", path,
			      strerror(-ret));
	free(real);
	return ret;
}
