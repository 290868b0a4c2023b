// SPDX-License-Identifier: GPL-2.0-only
/* Health and events as JSON. */
#include <time.h>

#include "objects.h"

/* Milliseconds since the last change; monotonic, so that a set clock changes nothing. */
__u64 health_age_ms(const struct lb_backend_health *health)
{
	struct timespec now;
	__u64 now_ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
	return now_ns > health->since_ns ? (now_ns - health->since_ns) / 1000000 : 0;
}

json_t *health_json(const struct lb_service_config *service,
		    const struct lb_backend_config *backend, const struct lb_backend_health *health)
{
	const bool is_known = health && lb_health_is_on(&service->health);
	char text[LB_ADDR_TEXT_SIZE];

	return json_pack(
		"{s:s, s:s, s:s, s:b, s:s?, s:o, s:s?, s:s?, s:o, s:o, s:o}", "service",
		service->name, "backend",
		lb_endpoint_format(&backend->addr, lb_backend_port(service, backend), text),
		"check", lb_check_type_name(service->health.type), "passive",
		service->health.is_passive, "health",
		is_known ? lb_health_name(health->health) : NULL, "since_ms",
		json_count(is_known && health->since_ns ? health_age_ms(health) : LB_UNKNOWN),
		"reason", is_known ? lb_check_reason_name(health->reason) : NULL, "text",
		is_known ? lb_check_reason_text(health->reason) : NULL, "detail",
		json_count(is_known && health->detail ? health->detail : LB_UNKNOWN), "took_us",
		json_count(is_known && health->reason ? health->took_us : LB_UNKNOWN),
		"weight_permille", json_count(is_known ? LB_CUT_WHOLE - health->cut : LB_UNKNOWN));
}

json_t *event_json(const struct lb_event *event)
{
	const bool is_table = event->kind == LB_EVENT_TABLE;
	const bool is_backend = event->port;
	const bool has_health = is_backend && event->kind <= LB_EVENT_WEIGHT;
	char text[LB_ADDR_TEXT_SIZE];

	return json_pack(
		"{s:I, s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:s?, s:o, s:s?}",
		"number", (json_int_t)event->number, "time_ms", (json_int_t)event->time_ms, "event",
		lb_event_name(event->kind), "service", event->service[0] ? event->service : NULL,
		"backend", is_backend ? lb_endpoint_format(&event->addr, event->port, text) : NULL,
		"health", has_health ? lb_health_name(event->health) : NULL, "was",
		event->kind == LB_EVENT_HEALTH ? lb_health_name(event->was) : NULL, "reason",
		event->reason ? lb_check_reason_name(event->reason) : NULL, "detail",
		json_count(event->detail ? event->detail : LB_UNKNOWN), "took_us",
		json_count(event->reason || (is_table && event->took_us) ? event->took_us
									 : LB_UNKNOWN),
		"weight_permille", json_count(has_health ? LB_CUT_WHOLE - event->cut : LB_UNKNOWN),
		"object", event->object[0] ? event->object : NULL, "moved",
		json_count(is_table ? event->moved : LB_UNKNOWN), "text",
		event->text[0] ? event->text : NULL);
}
