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
	{ "fullnat", LB_MODE_FULLNAT },
	{ "nat", LB_MODE_NAT },
	{ "local", LB_MODE_LOCAL },
};

static const struct cyaml_strval protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
};

#define TEXT(key, structure, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, structure, member, 1, CYAML_UNLIMITED)
#define NUMBER(key, structure, member) CYAML_FIELD_UINT_PTR(key, OPTIONAL, structure, member)
#define WORD(key, structure, member, words)                                                        \
	CYAML_FIELD_ENUM_PTR(key, OPTIONAL_WORD, structure, member, words, COUNT(words))

/* clang-format off */
static const struct cyaml_schema_field backend_fields[] = {
	TEXT("address", struct lb_shape_backend, address),
	NUMBER("weight", struct lb_shape_backend, weight),
	WORD("drain", struct lb_shape_backend, drain, yes_no),
	WORD("mode", struct lb_shape_backend, mode, modes),
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

static const struct cyaml_schema_field service_fields[] = {
	TEXT("name", struct lb_shape_service, name),
	CYAML_FIELD_ENUM("protocol", CYAML_FLAG_STRICT, struct lb_shape_service, protocol,
			 protocols, COUNT(protocols)),
	TEXT("address", struct lb_shape_service, address),
	WORD("mode", struct lb_shape_service, mode, modes),
	NUMBER("slots", struct lb_shape_service, slots),
	WORD("stateless", struct lb_shape_service, stateless, yes_no),
	CYAML_FIELD_SEQUENCE_COUNT("sources", OPTIONAL_EMPTY, struct lb_shape_service, sources,
				   source_count, &source, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("timeouts", OPTIONAL_EMPTY, struct lb_shape_service, timeouts,
				timeout_fields),
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

static const struct cyaml_schema_field fields[] = {
	NUMBER("version", struct lb_shape, version),
	CYAML_FIELD_MAPPING_PTR("limits", OPTIONAL_EMPTY, struct lb_shape, limits, limit_fields),
	CYAML_FIELD_SEQUENCE_COUNT("services", OPTIONAL_EMPTY, struct lb_shape, services,
				   service_count, &service, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};
/* clang-format on */

const struct cyaml_schema_value lb_shape_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct lb_shape, fields),
};
