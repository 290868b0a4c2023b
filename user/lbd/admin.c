// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the admin port has to read: metrics, the figures that lbctl -j prints, and a page that shows
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "json/objects.h"

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

/* By the document, with live figures. */
static json_t *with_document(json_t *(*make)(const struct lb_config *config,
					     const struct lb_service_config *only,
					     const struct lb_stats *stats))
{
	struct lb_stats *stats;
	json_t *json;

	if (!lbd.config || lb_get_stats(lbd.lb, &stats, NULL))
		return json_null();
	json = make(lbd.config, NULL, stats);
	lb_stats_free(stats);
	return json;
}

static json_t *get_service_list(void)
{
	return with_document(service_list_json);
}

static json_t *get_backend_list(void)
{
	return with_document(backend_list_json);
}

static json_t *get_config(void)
{
	return lbd.config && lb_is_loaded(lbd.lb) ? config_json(lbd.config) : json_null();
}

/* By its member, who knows where in the maps it was found last; false: they do not have it. */
static bool find_health(const struct lb_service_config *service,
			const struct lb_backend_config *backend, struct lb_backend_health *out)
{
	const __u16 port = lb_backend_port(service, backend);
	struct member *member = member_find(service->name, &backend->addr, port);

	return member &&
	       !lb_get_health(lbd.lb, service->name, &backend->addr, port, &member->hint, out);
}

static json_t *get_health(void)
{
	json_t *array = json_array();

	for (unsigned int i = 0; lbd.config && i < lbd.config->service_count; i++) {
		const struct lb_service_config *service = &lbd.config->services[i];

		for (unsigned int b = 0; b < service->backend_count; b++) {
			const struct lb_backend_config *backend = &service->backends[b];
			struct lb_backend_health health;
			bool is_known = find_health(service, backend, &health);

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
	{ "/healthz", TYPE_TEXT, print_health, NULL },
	{ "/api/v1/stats", TYPE_JSON, NULL, get_stats },
	{ "/api/v1/stats/services", TYPE_JSON, NULL, get_services },
	{ "/api/v1/stats/backends", TYPE_JSON, NULL, get_backends },
	{ "/api/v1/stats/drops", TYPE_JSON, NULL, get_drops },
	{ "/api/v1/service", TYPE_JSON, NULL, get_service_list },
	{ "/api/v1/backend", TYPE_JSON, NULL, get_backend_list },
	{ "/api/v1/config", TYPE_JSON, NULL, get_config },
	{ "/api/v1/health", TYPE_JSON, NULL, get_health },
	{ "/api/v1/health/log", TYPE_JSON, NULL, get_log },
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

enum MHD_Result admin_reply(struct MHD_Connection *connection, unsigned int status,
			    const char *type, char *text, size_t length, const char *allow)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ret;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(
		response, "Content-Security-Policy",
		"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src "
		"'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", allow);
	if (status == MHD_HTTP_UNAUTHORIZED)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"lbd\"");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	admin_connection_limit(connection, ADMIN_ANSWER_S);
	ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *line)
{
	char *text = strdup(line);

	return text ? admin_reply(connection, status, TYPE_TEXT, text, strlen(text), "GET, HEAD")
		    : MHD_NO;
}

bool admin_is_own_name(const struct admin_port *port, struct MHD_Connection *connection)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	char name[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;
	bool has_port;
	__u16 number;

	if (port->is_local || !host || !*host)
		return true;
	if (!strncmp(host, "localhost", 9) && (!host[9] || host[9] == ':'))
		return true;
	(void)snprintf(name, sizeof(name), "%s", host);
	return !lb_endpoint_parse(name, &addr, &number, &has_port, NULL);
}

static enum MHD_Result get(const struct admin_port *port, struct MHD_Connection *connection,
			   const char *url, const char *method)
{
	const struct resource *resource;
	size_t length;
	char *text;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "only GET; lbctl changes things, and POST to /api/v1/backend/\n");
	if (!admin_is_own_name(port, connection))
		return refuse(connection, MHD_HTTP_FORBIDDEN, "not the name of this host\n");
	resource = find(url);
	if (!resource)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
	text = make_text(resource, &length);
	if (!text)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return admin_reply(connection, MHD_HTTP_OK, resource->type, text, length, NULL);
}

enum MHD_Result admin_request(void *arg, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *data_size, void **state)
{
	unsigned int action;

	(void)version;
	if (admin_change_find(url, &action))
		return admin_change_request(arg, connection, action, method, data, data_size,
					    state);
	return get(arg, connection, url, method);
}

void admin_warm_up(void)
{
	size_t length;

	free(make_text(find(METRICS), &length));
}
