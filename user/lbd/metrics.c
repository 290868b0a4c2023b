// SPDX-License-Identifier: GPL-2.0-only
/* Figures in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "json/objects.h"
#include "lbd.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_reasons(FILE *out, const struct lb_stats *stats)
{
	head(out, "lb_received_packets_total", "counter", "Packets that came in.");
	(void)fprintf(out, "lb_received_packets_total %llu\n", stats->received);
	head(out, "lb_packets_total", "counter", "Packets by what became of them.");
	for (enum lb_reason reason = LB_R_NONE + 1; reason < LB_R_COUNT; reason++)
		(void)fprintf(out, "lb_packets_total{verdict=\"%s\",reason=\"%s\"} %llu\n",
			      verdict_name(lb_reason_verdict(reason)), lb_reason_name(reason),
			      stats->reasons[reason]);
	head(out, "lb_flows", "gauge", "Entries of the flow table in use.");
	(void)fprintf(out, "lb_flows %llu\n", stats->flows);
	head(out, "lb_flows_limit", "gauge", "Entries that the flow table has.");
	(void)fprintf(out, "lb_flows_limit %llu\n", stats->flows_limit);
}

static const struct figure {
	const char *name, *type, *help;
	size_t offset; /* in struct lb_traffic */
} figures[] = {
#define FIGURE(name, type, field, help)                                                            \
	{                                                                                          \
		name, type, help, offsetof(struct lb_traffic, field)                               \
	}
	FIGURE("packets_in_total", "counter", packets_in, "Packets from clients."),
	FIGURE("packets_out_total", "counter", packets_out, "Packets to clients."),
	FIGURE("bytes_in_total", "counter", bytes_in, "Bytes from clients, whole frames."),
	FIGURE("bytes_out_total", "counter", bytes_out, "Bytes to clients, whole frames."),
	FIGURE("connections_total", "counter", connections, "Connections opened."),
	FIGURE("refused_total", "counter", refused, "Connections refused by a reset."),
	FIGURE("unreachable_total", "counter", unreachable, "ICMP errors that say unreachable."),
	FIGURE("unanswered_total", "counter", unanswered,
	       "Full NAT: connections whose client had to ask again."),
	FIGURE("resets_total", "counter", resets, "Open connections reset by a backend."),
	FIGURE("active_connections", "gauge", active, "Connections recorded now."),
#undef FIGURE
};

/* False where it is not known. */
static bool value_of(const struct lb_traffic *traffic, const struct figure *figure, __u64 *value)
{
	*value = *(const __u64 *)((const char *)traffic + figure->offset);
	return *value != LB_UNKNOWN;
}

static void print_services(FILE *out, const struct lb_stats *stats)
{
	char name[64];
	__u64 value;

	for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
		(void)snprintf(name, sizeof(name), "lb_service_%s", figures[f].name);
		head(out, name, figures[f].type, figures[f].help);
		for (unsigned int i = 0; i < stats->service_count; i++)
			if (value_of(&stats->services[i].traffic, &figures[f], &value))
				(void)fprintf(out, "%s{service=\"%s\"} %llu\n", name,
					      stats->services[i].config.name, value);
	}
	head(out, "lb_service_stopped_packets_total", "counter",
	     "Packets of a service that were not sent, by reason.");
	for (unsigned int i = 0; i < stats->service_count; i++)
		for (enum lb_reason reason = LB_R_NONE + 1; reason < LB_R_COUNT; reason++)
			if (stats->services[i].reasons[reason])
				(void)fprintf(out,
					      "lb_service_stopped_packets_total{service=\"%s\","
					      "reason=\"%s\"} %llu\n",
					      stats->services[i].config.name,
					      lb_reason_name(reason),
					      stats->services[i].reasons[reason]);
}

/* A backend with the labels of all its lines, which are made once. */
struct labelled {
	const struct lb_backend_state *backend;
	char labels[LB_NAME_SIZE + LB_ADDR_TEXT_SIZE + 32];
};

struct labelled_list {
	struct labelled *all;
	unsigned int count;
};

static int label_backends(const struct lb_stats *stats, struct labelled_list *out)
{
	char text[LB_ADDR_TEXT_SIZE];
	unsigned int count = 0;

	for (unsigned int i = 0; i < stats->service_count; i++)
		count += stats->services[i].backend_count;
	*out = (struct labelled_list){ .all = calloc(count + 1, sizeof(*out->all)) };
	if (!out->all)
		return -ENOMEM;
	for (unsigned int i = 0; i < stats->service_count; i++) {
		const struct lb_service_state *service = &stats->services[i];

		for (unsigned int b = 0; b < service->backend_count; b++) {
			struct labelled *one = &out->all[out->count++];

			one->backend = &service->backends[b];
			(void)snprintf(one->labels, sizeof(one->labels),
				       "service=\"%s\",backend=\"%s\"", service->config.name,
				       lb_endpoint_format(&one->backend->config.addr,
							  one->backend->config.port, text));
		}
	}
	return 0;
}

typedef void (*backend_fn)(FILE *out, const char *labels, const struct lb_backend_state *backend,
			   const void *arg);

static void each_backend(FILE *out, const struct labelled_list *list, backend_fn print,
			 const void *arg)
{
	for (unsigned int i = 0; i < list->count; i++)
		print(out, list->all[i].labels, list->all[i].backend, arg);
}

static void print_figure(FILE *out, const char *labels, const struct lb_backend_state *backend,
			 const void *arg)
{
	const struct figure *figure = arg;
	__u64 value;

	if (value_of(&backend->traffic, figure, &value))
		(void)fprintf(out, "lb_backend_%s{%s} %llu\n", figure->name, labels, value);
}

static void print_slots(FILE *out, const char *labels, const struct lb_backend_state *backend,
			const void *arg)
{
	(void)arg;
	(void)fprintf(out, "lb_backend_slots{%s} %u\n", labels, backend->slots);
}

static void print_weight(FILE *out, const char *labels, const struct lb_backend_state *backend,
			 const void *arg)
{
	(void)arg;
	(void)fprintf(out, "lb_backend_weight{%s} %u\n", labels, backend->config.weight);
}

/* Only of backends that are checked. */
static void print_up(FILE *out, const char *labels, const struct lb_backend_state *backend,
		     const void *arg)
{
	(void)arg;
	if (backend->health.health != LB_HEALTH_UNKNOWN)
		(void)fprintf(out, "lb_backend_up{%s} %d\n", labels,
			      backend->health.health == LB_HEALTH_UP);
}

static void print_took(FILE *out, const char *labels, const struct lb_backend_state *backend,
		       const void *arg)
{
	(void)arg;
	if (backend->health.reason != LB_C_NONE)
		(void)fprintf(out, "lb_backend_check_seconds{%s,reason=\"%s\"} %u.%06u\n", labels,
			      lb_check_reason_name(backend->health.reason),
			      backend->health.took_us / 1000000, backend->health.took_us % 1000000);
}

static void print_backends(FILE *out, const struct labelled_list *list)
{
	char name[64];

	for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
		(void)snprintf(name, sizeof(name), "lb_backend_%s", figures[f].name);
		head(out, name, figures[f].type, figures[f].help);
		each_backend(out, list, print_figure, &figures[f]);
	}
	head(out, "lb_backend_slots", "gauge", "Slots of the service's table.");
	each_backend(out, list, print_slots, NULL);
	head(out, "lb_backend_weight", "gauge", "Weight as configured.");
	each_backend(out, list, print_weight, NULL);
	head(out, "lb_backend_up", "gauge", "Health: 1 up, 0 down.");
	each_backend(out, list, print_up, NULL);
	head(out, "lb_backend_check_seconds", "gauge",
	     "How long the last check took, and its result.");
	each_backend(out, list, print_took, NULL);
}

int metrics_print(FILE *out)
{
	struct labelled_list list;
	struct lb_stats *stats;
	int ret;

	head(out, "lb_attached", "gauge", "Whether the balancer is attached to an interface.");
	(void)fprintf(out, "lb_attached %d\n", lb_is_loaded(lbd.lb));
	head(out, "lbd_targets", "gauge", "Distinct checks of distinct backends.");
	(void)fprintf(out, "lbd_targets %u\n", lbd.target_count);
	if (!lb_is_loaded(lbd.lb))
		return 0;
	ret = lb_get_stats(lbd.lb, &stats, NULL);
	if (ret)
		return ret;
	ret = label_backends(stats, &list);
	if (ret) {
		lb_stats_free(stats);
		return ret;
	}
	print_reasons(out, stats);
	print_services(out, stats);
	print_backends(out, &list);
	free(list.all);
	lb_stats_free(stats);
	return 0;
}
