// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcyaml's schema of the document: which keys there are, of what kind, and which may be left out.
 * Ranges and what entries may not share are checked afterwards, in config_check.c.
 */
#include <netinet/in.h>

#include "config_shape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of a value that may be left out; an enum accepts its words only, no numbers. */
#define OPTIONAL (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define OPTIONAL_WORD (OPTIONAL | CYAML_FLAG_STRICT)
/* A list or section may also be left empty. */
#define OPTIONAL_EMPTY (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL)

/* libcyaml's own booleans take every unknown word for true. */
static const struct cyaml_strval yes_no[] = {
	{ "true", LB_YES }, { "false", LB_NO }, { "yes", LB_YES },
	{ "no", LB_NO },    { "on", LB_YES },	{ "off", LB_NO },
};

static const struct cyaml_strval modes[] = {
	{ "fullnat", LB_MODE_FULLNAT }, { "nat", LB_MODE_NAT },	  { "local", LB_MODE_LOCAL },
	{ "dsr", LB_MODE_DSR },		{ "ipip", LB_MODE_IPIP }, { "gue", LB_MODE_GUE },
};

static const struct cyaml_strval fragments[] = {
	{ "table", LB_FRAGMENTS_TABLE },
	{ "three-tuple", LB_FRAGMENTS_THREE_TUPLE },
};

static const struct cyaml_strval protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
};

static const struct cyaml_strval check_types[] = {
	{ "tcp", LB_CHECK_TCP },   { "http", LB_CHECK_HTTP }, { "https", LB_CHECK_HTTPS },
	{ "dns", LB_CHECK_DNS },   { "udp", LB_CHECK_UDP },   { "ping", LB_CHECK_PING },
	{ "exec", LB_CHECK_EXEC }, { "none", LB_CHECK_NONE },
};

static const struct cyaml_strval all_downs[] = {
	{ "any", LB_ALL_DOWN_ANY },
	{ "drop", LB_ALL_DOWN_DROP },
	{ "reject", LB_ALL_DOWN_REJECT },
};

static const struct cyaml_strval vias[] = {
	{ "direct", LB_VIA_DIRECT },
	{ "datapath", LB_VIA_DATAPATH },
};

#define TEXT(key, structure, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, structure, member, 1, CYAML_UNLIMITED)
#define MAYBE_TEXT(key, structure, member)                                                         \
	CYAML_FIELD_STRING_PTR(key, OPTIONAL, structure, member, 1, CYAML_UNLIMITED)
#define NUMBER(key, structure, member) CYAML_FIELD_UINT_PTR(key, OPTIONAL, structure, member)
#define WORD(key, structure, member, words)                                                        \
	CYAML_FIELD_ENUM_PTR(key, OPTIONAL_WORD, structure, member, words, COUNT(words))

/* clang-format off */
static const struct cyaml_schema_field backend_fields[] = {
	TEXT("address", struct lb_shape_backend, address),
	NUMBER("weight", struct lb_shape_backend, weight),
	WORD("drain", struct lb_shape_backend, drain, yes_no),
	WORD("mode", struct lb_shape_backend, mode, modes),
	NUMBER("server-id", struct lb_shape_backend, server_id),
	CYAML_FIELD_END
};

static const struct cyaml_schema_value backend = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct lb_shape_backend, backend_fields),
};

static const struct cyaml_schema_value source = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static const struct cyaml_schema_field timeout_fields[] = {
	NUMBER("syn", struct lb_shape_timeouts, syn),
	NUMBER("established", struct lb_shape_timeouts, established),
	NUMBER("fin", struct lb_shape_timeouts, fin),
	NUMBER("udp", struct lb_shape_timeouts, udp),
	CYAML_FIELD_END
};

static const struct cyaml_schema_field health_fields[] = {
	CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct lb_shape_health, type, check_types,
			 COUNT(check_types)),
	MAYBE_TEXT("interval", struct lb_shape_health, interval),
	MAYBE_TEXT("timeout", struct lb_shape_health, timeout),
	NUMBER("rise", struct lb_shape_health, rise),
	NUMBER("fall", struct lb_shape_health, fall),
	NUMBER("port", struct lb_shape_health, port),
	WORD("via", struct lb_shape_health, via, vias),
	MAYBE_TEXT("path", struct lb_shape_health, path),
	MAYBE_TEXT("host", struct lb_shape_health, host),
	MAYBE_TEXT("status", struct lb_shape_health, status),
	MAYBE_TEXT("body", struct lb_shape_health, body),
	WORD("verify", struct lb_shape_health, verify, yes_no),
	MAYBE_TEXT("ca", struct lb_shape_health, ca),
	MAYBE_TEXT("send", struct lb_shape_health, send),
	MAYBE_TEXT("expect", struct lb_shape_health, expect),
	MAYBE_TEXT("command", struct lb_shape_health, command),
	WORD("passive", struct lb_shape_health, passive, yes_no),
	WORD("on-all-down", struct lb_shape_health, on_all_down, all_downs),
	MAYBE_TEXT("slow-start", struct lb_shape_health, slow_start),
	CYAML_FIELD_END
};

static const struct cyaml_schema_field rule_fields[] = {
	TEXT("prefix", struct lb_shape_cache_rule, prefix),
	MAYBE_TEXT("ttl", struct lb_shape_cache_rule, option[LB_CACHE_TTL]),
	MAYBE_TEXT("negative", struct lb_shape_cache_rule, option[LB_CACHE_NEGATIVE]),
	MAYBE_TEXT("stale", struct lb_shape_cache_rule, option[LB_CACHE_STALE]),
	MAYBE_TEXT("stale-if-error", struct lb_shape_cache_rule, option[LB_CACHE_STALE_ERROR]),
	MAYBE_TEXT("cookie", struct lb_shape_cache_rule, option[LB_CACHE_COOKIE]),
	MAYBE_TEXT("set-cookie", struct lb_shape_cache_rule, option[LB_CACHE_SET_COOKIE]),
	MAYBE_TEXT("query", struct lb_shape_cache_rule, option[LB_CACHE_QUERY]),
	MAYBE_TEXT("collapse", struct lb_shape_cache_rule, option[LB_CACHE_COLLAPSE]),
	MAYBE_TEXT("query-drop", struct lb_shape_cache_rule, option[LB_CACHE_QUERY_DROP]),
	WORD("pass", struct lb_shape_cache_rule, pass, yes_no),
	CYAML_FIELD_END
};

static const struct cyaml_schema_value rule = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct lb_shape_cache_rule, rule_fields),
};

static const struct cyaml_schema_field cert_fields[] = {
	TEXT("certificate", struct lb_shape_cache_cert, certificate),
	MAYBE_TEXT("key", struct lb_shape_cache_cert, key),
	CYAML_FIELD_END
};

static const struct cyaml_schema_value cert = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct lb_shape_cache_cert, cert_fields),
};

static const struct cyaml_schema_field cache_fields[] = {
	WORD("enabled", struct lb_shape_cache, enabled, yes_no),
	MAYBE_TEXT("ttl", struct lb_shape_cache, ttl),
	MAYBE_TEXT("verify", struct lb_shape_cache, verify),
	CYAML_FIELD_SEQUENCE_COUNT("tls", OPTIONAL_EMPTY, struct lb_shape_cache, certs,
				   cert_count, &cert, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE_COUNT("rules", OPTIONAL_EMPTY, struct lb_shape_cache, rules,
				   rule_count, &rule, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};

static const struct cyaml_schema_field service_fields[] = {
	TEXT("name", struct lb_shape_service, name),
	CYAML_FIELD_ENUM("protocol", CYAML_FLAG_STRICT, struct lb_shape_service, protocol,
			 protocols, COUNT(protocols)),
	TEXT("address", struct lb_shape_service, address),
	WORD("mode", struct lb_shape_service, mode, modes),
	NUMBER("slots", struct lb_shape_service, slots),
	WORD("stateless", struct lb_shape_service, stateless, yes_no),
	MAYBE_TEXT("mss-clamp", struct lb_shape_service, mss_clamp),
	MAYBE_TEXT("quic-cid", struct lb_shape_service, quic_cid),
	WORD("fragments", struct lb_shape_service, fragments, fragments),
	CYAML_FIELD_SEQUENCE_COUNT("sources", OPTIONAL_EMPTY, struct lb_shape_service, sources,
				   source_count, &source, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE_COUNT("tunnel-sources", OPTIONAL_EMPTY, struct lb_shape_service,
				   tunnel_sources, tunnel_source_count, &source, 0,
				   CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("timeouts", OPTIONAL_EMPTY, struct lb_shape_service, timeouts,
				timeout_fields),
	CYAML_FIELD_MAPPING_PTR("health", OPTIONAL_EMPTY, struct lb_shape_service, health,
				health_fields),
	CYAML_FIELD_MAPPING_PTR("cache", OPTIONAL_EMPTY, struct lb_shape_service, cache,
				cache_fields),
	CYAML_FIELD_SEQUENCE_COUNT("backends", OPTIONAL_EMPTY, struct lb_shape_service, backends,
				   backend_count, &backend, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};

static const struct cyaml_schema_value service = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct lb_shape_service, service_fields),
};

static const struct cyaml_schema_field limit_fields[] = {
	NUMBER("services", struct lb_shape_limits, services),
	NUMBER("backends", struct lb_shape_limits, backends),
	NUMBER("slots", struct lb_shape_limits, slots),
	NUMBER("flows", struct lb_shape_limits, flows),
	CYAML_FIELD_END
};

static const struct cyaml_schema_field all_cache_fields[] = {
	MAYBE_TEXT("redis", struct lb_shape_all_caches, redis),
	CYAML_FIELD_END
};

static const struct cyaml_schema_field fields[] = {
	NUMBER("version", struct lb_shape, version),
	CYAML_FIELD_MAPPING_PTR("limits", OPTIONAL_EMPTY, struct lb_shape, limits, limit_fields),
	CYAML_FIELD_MAPPING_PTR("cache", OPTIONAL_EMPTY, struct lb_shape, cache, all_cache_fields),
	CYAML_FIELD_SEQUENCE_COUNT("services", OPTIONAL_EMPTY, struct lb_shape, services,
				   service_count, &service, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};
/* clang-format on */

const struct cyaml_schema_value lb_shape_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct lb_shape, fields),
};
