// SPDX-License-Identifier: GPL-2.0-only
/* How health and events are shown, as a row or line and as JSON. */
#include <stdio.h>
#include <time.h>

#include "lbctl.h"

/* "status 503", "exit 2": the reason with its number, where it has one. */
static const char *reason_text(__u8 reason, __u16 detail, char buf[LB_ADDR_TEXT_SIZE])
{
	if (detail)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s %u", lb_check_reason_name(reason),
			       detail);
	else
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s", lb_check_reason_name(reason));
	return buf;
}

/* Milliseconds since the last change; monotonic, so that a set clock changes nothing. */
static __u64 age_ms(const struct lb_backend_health *health)
{
	struct timespec now;
	__u64 now_ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
	return now_ns > health->since_ns ? (now_ns - health->since_ns) / 1000000 : 0;
}

const char *health_text(const struct lb_backend_health *health, char buf[LB_ADDR_TEXT_SIZE])
{
	const unsigned int percent = (LB_CUT_WHOLE - health->cut) * 100 / LB_CUT_WHOLE;

	if (health->health == LB_HEALTH_UP && health->cut)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "up %u%%", percent);
	else
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s", lb_health_name(health->health));
	return buf;
}

struct table *health_table(void)
{
	return table_new("SERVICE BACKEND CHECK HEALTH SINCE REASON >TIME TEXT");
}

void health_row(struct table *table, const struct lb_service_config *service,
		const struct lb_backend_config *backend, const struct lb_backend_health *health)
{
	char text[LB_ADDR_TEXT_SIZE], since[NUMBER_TEXT_SIZE];

	table_cell(table, "%s", service->name);
	table_cell(table, "%s",
		   lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text));
	table_cell(table, "%s", lb_check_type_name(service->health.type));
	if (!health || service->health.type == LB_CHECK_NONE) {
		for (int i = 0; i < 5; i++)
			table_cell(table, "-");
		return;
	}
	table_cell(table, "%s", health_text(health, text));
	table_cell(table, "%s", health->since_ns ? number_duration(age_ms(health), since) : "-");
	table_cell(table, "%s", reason_text(health->reason, health->detail, text));
	if (health->reason)
		table_cell(table, "%u.%ums", health->took_us / 1000, health->took_us % 1000 / 100);
	else
		table_cell(table, "-");
	table_cell(table, "%s", lb_check_reason_text(health->reason));
}

json_t *health_json(const struct lb_service_config *service,
		    const struct lb_backend_config *backend, const struct lb_backend_health *health)
{
	const bool is_known = health && service->health.type != LB_CHECK_NONE;
	char text[LB_ADDR_TEXT_SIZE];

	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:o, s:s?, s:s?, s:o, s:o, s:o}", "service", service->name,
		"backend",
		lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text),
		"check", lb_check_type_name(service->health.type), "health",
		is_known ? lb_health_name(health->health) : NULL, "since_ms",
		json_count(is_known && health->since_ns ? age_ms(health) : LB_UNKNOWN), "reason",
		is_known ? lb_check_reason_name(health->reason) : NULL, "text",
		is_known ? lb_check_reason_text(health->reason) : NULL, "detail",
		json_count(is_known && health->detail ? health->detail : LB_UNKNOWN), "took_us",
		json_count(is_known && health->reason ? health->took_us : LB_UNKNOWN),
		"weight_permille", json_count(is_known ? LB_CUT_WHOLE - health->cut : LB_UNKNOWN));
}

static void time_text(__u64 time_ms, char buf[LB_ADDR_TEXT_SIZE])
{
	const time_t seconds = (time_t)(time_ms / 1000);
	struct tm local;
	size_t len;

	if (!localtime_r(&seconds, &local)) {
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "?");
		return;
	}
	len = strftime(buf, LB_ADDR_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &local);
	(void)snprintf(buf + len, LB_ADDR_TEXT_SIZE - len, ".%03u", (unsigned int)(time_ms % 1000));
}

void event_print(const struct lb_event *event, FILE *out)
{
	char text[LB_ADDR_TEXT_SIZE];

	time_text(event->time_ms, text);
	(void)fprintf(out, "%s  %-8s", text, lb_event_name(event->kind));
	if (event->service[0])
		(void)fprintf(out, "  %s", event->service);
	if (event->port)
		(void)fprintf(out, " %s", lb_endpoint_format(&event->addr, event->port, text));
	if (event->kind == LB_EVENT_HEALTH)
		(void)fprintf(out, "  %s -> %s", lb_health_name(event->was),
			      lb_health_name(event->health));
	else if (event->port)
		(void)fprintf(out, "  %s", lb_health_name(event->health));
	if (event->kind == LB_EVENT_WEIGHT)
		(void)fprintf(out, ", %u%% of its weight",
			      (LB_CUT_WHOLE - event->cut) * 100 / LB_CUT_WHOLE);
	if (event->reason)
		(void)fprintf(out, "  %s (%u.%u ms): %s",
			      reason_text(event->reason, event->detail, text),
			      event->took_us / 1000, event->took_us % 1000 / 100,
			      lb_check_reason_text(event->reason));
	(void)fprintf(out, "%s%s\n", event->text[0] ? "  " : "", event->text);
}

json_t *event_json(const struct lb_event *event)
{
	const bool is_backend = event->port;
	char text[LB_ADDR_TEXT_SIZE];

	return json_pack(
		"{s:I, s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:s?}", "number",
		(json_int_t)event->number, "time_ms", (json_int_t)event->time_ms, "event",
		lb_event_name(event->kind), "service", event->service[0] ? event->service : NULL,
		"backend", is_backend ? lb_endpoint_format(&event->addr, event->port, text) : NULL,
		"health", is_backend ? lb_health_name(event->health) : NULL, "was",
		event->kind == LB_EVENT_HEALTH ? lb_health_name(event->was) : NULL, "reason",
		event->reason ? lb_check_reason_name(event->reason) : NULL, "detail",
		json_count(event->detail ? event->detail : LB_UNKNOWN), "took_us",
		json_count(event->reason ? event->took_us : LB_UNKNOWN), "weight_permille",
		json_count(is_backend ? LB_CUT_WHOLE - event->cut : LB_UNKNOWN), "text",
		event->text[0] ? event->text : NULL);
}
