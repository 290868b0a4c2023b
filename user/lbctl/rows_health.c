// SPDX-License-Identifier: GPL-2.0-only
/* How health and events are shown, as a row or line and as JSON. */
#include <stdio.h>
#include <time.h>

#include "lbctl.h"

/* "status 503", "exit 2": the reason with its number, where it has one. */
static const char *reason_text(__u8 reason, __u16 detail, char buf[LB_ADDR_TEXT_SIZE])
{
	if (reason == LB_C_VIA_UNSENT)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s %s", lb_check_reason_name(reason),
			       lb_reason_name(detail));
	else if (detail)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s %u", lb_check_reason_name(reason),
			       detail);
	else
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s", lb_check_reason_name(reason));
	return buf;
}

const char *health_text(const struct lb_backend_health *health, char buf[LB_ADDR_TEXT_SIZE])
{
	const unsigned int percent = (LB_CUT_WHOLE - health->cut) * 100 / LB_CUT_WHOLE;

	if (health->health == LB_HEALTH_UP && health->cut)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "up %u%%", percent);
	else if (health->health == LB_HEALTH_DOWN && health->cut < LB_CUT_WHOLE)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "trial %u%%", percent);
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
	if (!service->health.type && service->health.is_passive)
		table_cell(table, "passive");
	else
		table_cell(table, "%s%s", lb_check_type_name(service->health.type),
			   service->health.is_passive ? "+passive" : "");
	if (!health || !lb_health_is_on(&service->health)) {
		for (int i = 0; i < 5; i++)
			table_cell(table, "-");
		return;
	}
	table_cell(table, "%s", health_text(health, text));
	table_cell(table, "%s",
		   health->since_ns ? number_duration(health_age_ms(health), since) : "-");
	table_cell(table, "%s", reason_text(health->reason, health->detail, text));
	if (health->reason)
		table_cell(table, "%u.%ums", health->took_us / 1000, health->took_us % 1000 / 100);
	else
		table_cell(table, "-");
	table_cell(table, "%s", lb_check_reason_text(health->reason));
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
	(void)fprintf(out, "%s  %-9s", text, lb_event_name(event->kind));
	if (event->service[0])
		(void)fprintf(out, "  %s", event->service);
	if (event->port)
		(void)fprintf(out, " %s", lb_endpoint_format(&event->addr, event->port, text));
	if (event->kind == LB_EVENT_HEALTH)
		(void)fprintf(out, "  %s -> %s", lb_health_name(event->was),
			      lb_health_name(event->health));
	else if (event->port && event->kind <= LB_EVENT_WEIGHT)
		(void)fprintf(out, "  %s", lb_health_name(event->health));
	if (event->kind == LB_EVENT_WEIGHT)
		(void)fprintf(out, ", %u%% of its weight",
			      (LB_CUT_WHOLE - event->cut) * 100 / LB_CUT_WHOLE);
	if (event->reason)
		(void)fprintf(out, "  %s (%u.%u ms): %s",
			      reason_text(event->reason, event->detail, text),
			      event->took_us / 1000, event->took_us % 1000 / 100,
			      lb_check_reason_text(event->reason));
	if (event->object[0])
		(void)fprintf(out, "  %s", event->object);
	(void)fprintf(out, "%s%s\n", event->text[0] ? "  " : "", event->text);
}
