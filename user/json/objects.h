/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The library's objects as JSON, for lbctl -j and lbd's API alike. The caller owns what is
 * answered; NULL when out of memory.
 */
#ifndef JSON_OBJECTS_H
#define JSON_OBJECTS_H

#include <jansson.h>

#include "liblb.h"

/* state or health NULL: not known, the live figures are null. */
/* A count, or null where it is LB_UNKNOWN. */
json_t *json_count(__u64 count);
json_t *tunnel_sources_json(const struct lb_service_config *service);
json_t *service_json(const struct lb_service_config *service, unsigned int backend_count,
		     const struct lb_service_state *state);
json_t *backend_json(const struct lb_service_config *service,
		     const struct lb_backend_config *backend, const struct lb_backend_state *state);
json_t *attached_json(const struct lb_attached *attached);
json_t *maps_json(const struct lb_status *status);
json_t *health_json(const struct lb_service_config *service,
		    const struct lb_backend_config *backend,
		    const struct lb_backend_health *health);
json_t *event_json(const struct lb_event *event);
/* What was changed: "add", "set", "del", "drain" or "ready", and of which object; backend may be
 * NULL. */
json_t *change_json(const char *action, const char *service, const char *backend);
/* Milliseconds since the last change of health. */
__u64 health_age_ms(const struct lb_backend_health *health);
const char *verdict_name(enum lb_verdict verdict); /* "sent", "passed", "dropped" */
json_t *services_json(const struct lb_stats *stats);
json_t *backends_json(const struct lb_stats *stats);
json_t *reasons_json(const struct lb_stats *stats);
/* All of them and the totals; "cache" only where some service is cached. */
json_t *stats_json(const struct lb_stats *stats);

/* ---- lists.c, config.c: by the document ---------------------------------------------------------
 */

/* NULL: not there, or stats are NULL. index: where it is likely to be. */
const struct lb_service_state *find_service_state(const struct lb_stats *stats, const char *name);
const struct lb_backend_state *find_backend_state(const struct lb_service_state *state,
						  const union lb_addr *addr, __u16 port,
						  unsigned int index);
/* The document's services, or their backends, with the live figures of stats, which may be NULL.
 * only: of this one; NULL: of all. */
json_t *service_list_json(const struct lb_config *config, const struct lb_service_config *only,
			  const struct lb_stats *stats);
json_t *backend_list_json(const struct lb_config *config, const struct lb_service_config *only,
			  const struct lb_stats *stats);
/* A complete document: every key, also those with their defaults. */
json_t *config_json(const struct lb_config *config);

#endif
