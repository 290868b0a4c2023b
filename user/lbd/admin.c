// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin port, by libmicrohttpd in lbd's own event loop: metrics, the figures that lbctl -j
 * prints, and a page that shows them. Only GET: who may change something uses lbctl.
 */
#include "admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "json/objects.h"
#include "lbd.h"

#define CONNECTIONS 32u
#define IDLE_S 10u
#define BACKLOG 64

static int listen_fd = -1;
static struct MHD_Daemon *server;
static struct watch server_watch;
static struct timer server_timer;

/* ---- what is answered -------------------------------------------------------------------------
 */

static json_t *with_stats(json_t *(*make)(const struct lb_stats *stats))
{
	struct lb_stats *stats;
	json_t *json;

	if (lb_get_stats(lbd.lb, &stats, NULL))
		return json_null();
	json = make(stats);
	lb_stats_free(stats);
	return json;
}

static json_t *get_stats(void)
{
	return with_stats(stats_json);
}

static json_t *get_services(void)
{
	return with_stats(services_json);
}

static json_t *get_backends(void)
{
	return with_stats(backends_json);
}

static json_t *get_drops(void)
{
	return with_stats(reasons_json);
}

static json_t *get_health(void)
{
	json_t *array = json_array();

	for (unsigned int i = 0; lbd.config && i < lbd.config->service_count; i++) {
		const struct lb_service_config *service = &lbd.config->services[i];

		for (unsigned int b = 0; b < service->backend_count; b++) {
			const struct lb_backend_config *backend = &service->backends[b];
			struct lb_backend_health health;
			__u32 hint = ~0u;
			bool is_known =
				!lb_get_health(lbd.lb, service->name, &backend->addr,
					       lb_backend_port(service, backend), &hint, &health);

			(void)json_array_append_new(
				array, health_json(service, backend, is_known ? &health : NULL));
		}
	}
	return array;
}

static int append_event(const struct lb_event *event, void *arg)
{
	(void)json_array_append_new(arg, event_json(event));
	return 0;
}

static json_t *get_log(void)
{
	json_t *array = json_array();

	(void)lb_walk_events(lbd.lb, 0, append_event, array, NULL);
	return array;
}

static int print_health(FILE *out)
{
	(void)fprintf(out, "ok\n%s\n", lb_is_loaded(lbd.lb) ? "attached" : "nothing is attached");
	return 0;
}

static int print_page(FILE *out)
{
	return fputs(page_text, out) < 0 ? -EIO : 0;
}

static int print_chart_library(FILE *out)
{
	return fputs(chart_library_text, out) < 0 ? -EIO : 0;
}

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"
#define METRICS "/metrics"

/* Either text or JSON. Below /api/v1/ the path is the words of lbctl -j. */
static const struct resource {
	const char *path, *type;
	int (*print)(FILE *out);
	json_t *(*get)(void);
} resources[] = {
	{ "/", "text/html; charset=utf-8", print_page, NULL },
	{ "/d3.js", "text/javascript; charset=utf-8", print_chart_library, NULL },
	{ METRICS, "text/plain; version=0.0.4; charset=utf-8", metrics_print, NULL },
	{ "/healthz", TEXT, print_health, NULL },
	{ "/api/v1/stats", JSON, NULL, get_stats },
	{ "/api/v1/stats/services", JSON, NULL, get_services },
	{ "/api/v1/stats/backends", JSON, NULL, get_backends },
	{ "/api/v1/stats/drops", JSON, NULL, get_drops },
	{ "/api/v1/health", JSON, NULL, get_health },
	{ "/api/v1/health/log", JSON, NULL, get_log },
};

static const struct resource *find(const char *path)
{
	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
		if (!strcmp(path, resources[i].path))
			return &resources[i];
	return NULL;
}

/* The text of a resource; the caller frees it. NULL when out of memory. */
static char *make_text(const struct resource *resource, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);
	json_t *json = resource->get ? resource->get() : NULL;
	int ret = out ? 0 : -ENOMEM;

	if (!ret && resource->print)
		ret = resource->print(out);
	if (!ret && resource->get)
		ret = json ? json_dumpf(json, out,
					JSON_INDENT(2) | JSON_REAL_PRECISION(6) | JSON_ENCODE_ANY)
			   : -ENOMEM;
	if (!ret && resource->get)
		(void)fputc('\n', out);
	json_decref(json);
	if (out && fclose(out))
		ret = -ENOMEM;
	if (!ret)
		return text;
	free(text);
	return NULL;
}

/* ---- HTTP -------------------------------------------------------------------------------------
 */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned int status,
			     struct MHD_Response *response, const char *type)
{
	enum MHD_Result ret;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(
		response, "Content-Security-Policy",
		"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src "
		"'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'");
	ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	return reply(
		connection, status,
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT),
		TEXT);
}

/* A page of somebody else whose name was made to point here asks with that name. */
static bool is_own_name(struct MHD_Connection *connection)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	char name[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;
	bool has_port;
	__u16 port;

	if (!host || !*host)
		return true;
	if (!strncmp(host, "localhost", 9) && (!host[9] || host[9] == ':'))
		return true;
	(void)snprintf(name, sizeof(name), "%s", host);
	return !lb_endpoint_parse(name, &addr, &port, &has_port, NULL);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	const struct resource *resource;
	size_t length;
	char *text;

	(void)arg;
	(void)version;
	(void)data;
	(void)data_size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "only GET; lbctl changes things\n");
	if (!is_own_name(connection))
		return refuse(connection, MHD_HTTP_FORBIDDEN, "not the name of this host\n");
	resource = find(url);
	if (!resource)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
	text = make_text(resource, &length);
	if (!text)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return reply(connection, MHD_HTTP_OK,
		     MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE),
		     resource->type);
}

/* ---- in lbd's loop ----------------------------------------------------------------------------
 */

static void run_server(void)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(server);
	if (MHD_get_timeout(server, &ms) == MHD_YES)
		(void)timers_set(&lbd.timers, &server_timer, now_ns() + ms * MS);
	else
		timers_cancel(&lbd.timers, &server_timer);
}

static void on_ready(struct watch *watch, unsigned int events)
{
	(void)watch;
	(void)events;
	run_server();
}

static void on_server_timer(struct timer *timer)
{
	(void)timer;
	run_server();
}

static int bind_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Of an earlier lbd: there is one for each instance. */
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0660))
		return -errno;
	return fd;
}

static int bind_address(const union lb_addr *at, __u16 port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const bool is_v4 = lb_addr_is_v4(at);
	const int yes = 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	v4.sin_addr.s_addr = at->words[3];
	memcpy(&v6.sin6_addr, at, sizeof(v6.sin6_addr));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	ret = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
		    : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (!ret)
		return fd;
	ret = -errno;
	(void)close(fd);
	return ret;
}

void admin_bind(const char *where)
{
	struct lb_error err;
	union lb_addr addr;
	__u16 port;
	int fd;

	if (!strcmp(where, "none"))
		return;
	if (where[0] == '/') {
		fd = bind_path(where);
	} else if (lb_endpoint_parse(where, &addr, &port, NULL, &err)) {
		say("no admin port: %s", err.text);
		return;
	} else {
		fd = bind_address(&addr, port);
	}
	/* Backends are checked all the same. */
	if (fd < 0 || listen(fd, BACKLOG))
		say("no admin port at %s: %s; choose another with '-a'", where,
		    strerror(fd < 0 ? -fd : errno));
	else
		listen_fd = fd;
}

void admin_start(void)
{
	const union MHD_DaemonInfo *info;

	if (listen_fd < 0)
		return;
	server = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL,
				  MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
				  CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
				  MHD_OPTION_END);
	info = server ? MHD_get_daemon_info(server, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		say("no admin port: libmicrohttpd does not start");
		return;
	}
	server_watch = (struct watch){ .fd = -1, .ready = on_ready };
	server_timer.fire = on_server_timer;
	if (watch_set(&server_watch, info->epoll_fd, EPOLLIN))
		say("no admin port: %s", strerror(errno));
	run_server();
}

void admin_warm(void)
{
	size_t length;

	if (server)
		free(make_text(find(METRICS), &length));
}
