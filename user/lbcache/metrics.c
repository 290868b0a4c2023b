// SPDX-License-Identifier: GPL-2.0-only
/* Figures in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#include "metrics.h"

#include <errno.h>
#include <string.h>

#include <microhttpd.h>

#include "worker.h"

#define CONNECTIONS 16u
#define IDLE_S 10u
#define TEXT "text/plain; version=0.0.4; charset=utf-8"

static struct MHD_Daemon *serving;

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP lbcache_%s %s\n# TYPE lbcache_%s %s\n", name, help, name, type);
}

static void print(FILE *out, const char *name, const char *type, uint64_t value, const char *help)
{
	head(out, name, type, help);
	(void)fprintf(out, "lbcache_%s %llu\n", name, (unsigned long long)value);
}

static const struct figure {
	const char *name, *help;
	size_t offset; /* in struct counters */
} figures[] = {
#define FIGURE(name, field, help)                                                                  \
	{                                                                                          \
		name "_total", help, offsetof(struct counters, field)                              \
	}
	FIGURE("requests", requests, "Requests that were understood."),
	FIGURE("hits", hits, "Answered from memory while fresh."),
	FIGURE("stale_hits", stale_hits, "Answered from memory while stale."),
	FIGURE("misses", misses, "Not in memory, or stale there: fetched."),
	FIGURE("collapsed", collapsed, "Of the misses, those that waited for another's fetch."),
	FIGURE("passes", passes, "Not looked for in memory."),
	FIGURE("revalidated", revalidated, "Pages that a 304 renewed."),
	FIGURE("refused", refused, "Connections and requests that were refused."),
	FIGURE("timeouts", timeouts, "Clients that were too slow."),
	FIGURE("closed_idle", closed_idle, "Idle connections of clients that were closed."),
	FIGURE("connections", connections, "Connections of clients."),
	FIGURE("sent_bytes", bytes_out, "Bytes sent to clients."),
	FIGURE("fetches", fetches, "Requests to backends."),
	FIGURE("retries", retries, "Requests sent to a backend once more."),
	FIGURE("backend_failures", backend_failures, "Backends that failed or lied."),
	FIGURE("errors", errors, "Fetches that came to nothing while a client waited."),
	FIGURE("second_tier_asked", second_asked, "Misses for which Redis was asked."),
	FIGURE("second_tier_hits", second_hits, "Of these, pages that it had."),
	FIGURE("second_tier_kept", second_kept, "Pages that it took."),
	FIGURE("second_tier_failures", second_failures, "Times that it did not answer in time."),
	FIGURE("tls_handshakes", tls_handshakes, "Handshakes of clients in TLS."),
	FIGURE("tls_resumed", tls_resumed, "Of them, those of sessions that were resumed."),
	FIGURE("tls_failures", tls_failures, "Handshakes that failed."),
	FIGURE("h2_connections", h2_connections, "Connections of clients in HTTP/2."),
	FIGURE("h2_streams", h2_streams, "Requests that came in HTTP/2."),
	FIGURE("log_lost_lines", log_lost, "Lines of the access log that were lost."),
#undef FIGURE
};

static const struct figure service_figures[] = {
#define FIGURE(name, field, help)                                                                  \
	{                                                                                          \
		"service_" name "_total", help, offsetof(struct service_counters, field)           \
	}
	FIGURE("requests", requests, "Requests for a service that were understood."),
	FIGURE("hits", hits, "Of these, answered from memory while fresh."),
	FIGURE("stale_hits", stale_hits, "Of these, answered from memory while stale."),
	FIGURE("misses", misses, "Of these, not in memory, or stale there: fetched."),
	FIGURE("passes", passes, "Of these, not looked for in memory."),
	FIGURE("sent_bytes", bytes_out, "Bytes sent to clients of a service."),
#undef FIGURE
};

/* A service that is not cached any more keeps its figures. Names have nothing to be escaped. */
static void print_services(FILE *out, const struct server *server)
{
	const unsigned int count = __atomic_load_n(&server->service_count, __ATOMIC_ACQUIRE);
	struct service_counters sum;

	for (size_t f = 0; count && f < sizeof(service_figures) / sizeof(service_figures[0]); f++) {
		const struct figure *figure = &service_figures[f];

		head(out, figure->name, "counter", figure->help);
		for (unsigned int i = 0; i < count; i++) {
			server_sum_service(server, i, &sum);
			(void)fprintf(out, "lbcache_%s{service=\"%s\"} %llu\n", figure->name,
				      server->services[i].name,
				      (unsigned long long)*(const uint64_t *)((const char *)&sum +
									      figure->offset));
		}
	}
}

static void print_store(FILE *out, const struct server *server)
{
	struct store_counts counts;

	store_count(server->store, &counts);
	print(out, "pages", "gauge", counts.objects, "Pages in memory.");
	print(out, "memory_bytes", "gauge", counts.bytes + counts.filling,
	      "Memory of pages, those on their way included.");
	print(out, "memory_limit_bytes", "gauge", counts.limit, "The most that it may be.");
	print(out, "evicted_total", "counter", counts.evicted, "Pages that made room for others.");
}

static void print_all(FILE *out, const struct server *server)
{
	struct counters sum;

	server_sum(server, &sum);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		print(out, figures[i].name, "counter",
		      *(const uint64_t *)((const char *)&sum + figures[i].offset), figures[i].help);
	print(out, "active_connections", "gauge", sum.active, "Connections of clients now.");
	head(out, "bypass_ratio", "gauge", "Of new connections, the share left to the backends.");
	(void)fprintf(out, "lbcache_bypass_ratio %.3f\n", server_bypass_ratio(server));
	head(out, "hit_ratio", "gauge", "Hits of all requests since the start, stale ones too.");
	(void)fprintf(out, "lbcache_hit_ratio %.6f\n", counters_hit_ratio(&sum));
	print(out, "second_tier_resting_threads", "gauge", server_resting(server),
	      "Threads that do not ask Redis for now, since it failed.");
	head(out, "not_stored_total", "counter", "Answers that were not stored, by reason.");
	for (unsigned int i = WHY_STORED + 1; i < WHY_COUNT; i++)
		(void)fprintf(out, "lbcache_not_stored_total{reason=\"%s\"} %llu\n",
			      reason_word((enum reason)i), (unsigned long long)sum.why[i]);
	print_services(out, server);
	print_store(out, server);
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned int status, char *text,
			     size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result ret;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", TEXT);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	static char elsewhere[] = "only GET /metrics\n";
	char *text = NULL;
	size_t len;
	FILE *out;

	(void)version;
	(void)data;
	(void)data_size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) || strcmp(url, "/metrics"))
		return reply(connection, MHD_HTTP_NOT_FOUND, elsewhere, strlen(elsewhere),
			     MHD_RESPMEM_PERSISTENT);
	out = open_memstream(&text, &len);
	if (!out)
		return MHD_NO;
	print_all(out, arg);
	if (fclose(out))
		return MHD_NO;
	return reply(connection, MHD_HTTP_OK, text, len, MHD_RESPMEM_MUST_FREE);
}

int metrics_start(const struct server *server, const union address *address)
{
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;

	if (address->any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	serving = MHD_start_daemon(flags, 0, NULL, NULL, on_request, (void *)(uintptr_t)server,
				   MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_CONNECTION_LIMIT,
				   CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
				   MHD_OPTION_END);
	if (serving)
		return 0;
	return errno ? -errno : -EADDRINUSE;
}

void metrics_stop(void)
{
	if (serving)
		MHD_stop_daemon(serving);
	serving = NULL;
}
