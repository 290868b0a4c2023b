/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The document's shape as libcyaml reads it: plain text and numbers, NULL for what was not given.
 * config_yaml.c turns it into struct lb_config. A new key begins here.
 */
#ifndef LB_CONFIG_SHAPE_H
#define LB_CONFIG_SHAPE_H

#include <cyaml/cyaml.h>

#include "config.h"

enum lb_yes_no {
	LB_NO,
	LB_YES,
};

struct lb_shape_backend {
	char *address;
	__u32 *weight;
	enum lb_yes_no *drain;
	enum lb_mode *mode;
	__u32 *server_id;
};

struct lb_shape_timeouts {
	__u32 *syn, *established, *fin, *udp;
};

struct lb_shape_health {
	enum lb_check_type type;
	char *interval, *timeout, *slow_start, *path, *host, *status, *body, *ca, *send, *expect,
		*command;
	__u32 *rise, *fall, *port;
	enum lb_yes_no *verify, *passive;
	enum lb_all_down *on_all_down;
	enum lb_via *via;
};

struct lb_shape_cache_rule {
	char *prefix, *option[LB_CACHE_OPTIONS];
	enum lb_yes_no *pass;
};

struct lb_shape_cache_cert {
	char *certificate, *key;
};

struct lb_shape_cache {
	enum lb_yes_no *enabled;
	char *ttl, *verify;
	struct lb_shape_cache_cert *certs;
	unsigned int cert_count;
	struct lb_shape_cache_rule *rules;
	unsigned int rule_count;
};

struct lb_shape_service {
	char *name;
	int protocol; /* IPPROTO_* */
	char *address;
	enum lb_mode *mode;
	__u32 *slots;
	enum lb_yes_no *stateless;
	char *mss_clamp, *quic_cid;
	enum lb_fragments *fragments;
	char **sources;
	unsigned int source_count;
	char **tunnel_sources;
	unsigned int tunnel_source_count;
	struct lb_shape_timeouts *timeouts;
	struct lb_shape_health *health;
	struct lb_shape_cache *cache;
	struct lb_shape_backend *backends;
	unsigned int backend_count;
};

struct lb_shape_limits {
	__u32 *services, *backends, *slots, *flows;
};

struct lb_shape_all_caches {
	char *redis;
};

struct lb_shape {
	__u32 *version;
	struct lb_shape_limits *limits;
	struct lb_shape_all_caches *cache;
	struct lb_shape_service *services;
	unsigned int service_count;
};

/* config_health.c; on a failure *key names where. Ranges are checked by lb_health_check(). */
int lb_health_read(const struct lb_shape_health *shape, struct lb_health_config *out,
		   const char **key, struct lb_error *err);

/* config_cache.c; likewise, and lb_cache_check(). */
int lb_cache_read(const struct lb_shape_cache *shape, struct lb_cache_config *out, const char **key,
		  struct lb_error *err);
int lb_cache_read_redis(const struct lb_shape_all_caches *shape, struct lb_config *out,
			struct lb_error *err);

extern const struct cyaml_schema_value lb_shape_schema;

#endif
