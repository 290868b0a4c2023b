// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares a YAML document with libcyaml's schema before libcyaml reads it, and says of the first
 * difference where it is, what is wrong and what was expected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_lines_internal.h"

#define WORDS_SIZE 256

struct lint {
	const struct lb_lines *lines;
	struct lb_error *err;
};

#define FAULT(lint, node, format, ...)                                                             \
	lb_fail((lint)->err, -EBADMSG, "%s:%zu: " format, (lint)->lines->name,                     \
		(node)->start_mark.line + 1, __VA_ARGS__)

static int check_value(struct lint *lint, const yaml_node_t *node, const char *key,
		       const struct cyaml_schema_value *schema);

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void append_word(char words[WORDS_SIZE], const char *word)
{
	size_t len = strlen(words);

	(void)snprintf(words + len, WORDS_SIZE - len, "%s%s", len ? ", " : "", word);
}

static const char *list_keys(const struct cyaml_schema_value *schema, char words[WORDS_SIZE])
{
	words[0] = '\0';
	for (const struct cyaml_schema_field *field = schema->mapping.fields; field->key; field++)
		append_word(words, field->key);
	return words;
}

static const struct cyaml_schema_field *find_field(const struct cyaml_schema_value *schema,
						   const char *key)
{
	const struct cyaml_schema_field *field = schema->mapping.fields;

	while (field->key && strcmp(field->key, key))
		field++;
	return field->key ? field : NULL;
}

/* A key that stands there twice would silently win over its first value. */
static bool is_repeated(const struct lint *lint, const yaml_node_t *node,
			const yaml_node_pair_t *pair)
{
	const char *key = text_of(lb_lines_node(lint->lines, pair->key));

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < pair; p++) {
		if (!strcmp(text_of(lb_lines_node(lint->lines, p->key)), key))
			return true;
	}
	return false;
}

static int check_pair(struct lint *lint, const yaml_node_t *node, const yaml_node_pair_t *pair,
		      const struct cyaml_schema_value *schema)
{
	const yaml_node_t *key = lb_lines_node(lint->lines, pair->key);
	const struct cyaml_schema_field *field;
	char words[WORDS_SIZE];

	if (key->type != YAML_SCALAR_NODE)
		return FAULT(lint, key,
			     "a list or mapping stands in place of a key, expected "
			     "one of: %s",
			     list_keys(schema, words));
	field = find_field(schema, text_of(key));
	if (!field)
		return FAULT(lint, key, "unknown key '%.64s', expected one of: %s", text_of(key),
			     list_keys(schema, words));
	if (is_repeated(lint, node, pair))
		return FAULT(lint, key, "key '%s' is there twice", field->key);
	return check_value(lint, lb_lines_node(lint->lines, pair->value), field->key,
			   &field->value);
}

static int check_mapping(struct lint *lint, const yaml_node_t *node, const char *key,
			 const struct cyaml_schema_value *schema)
{
	const struct cyaml_schema_field *field;
	char words[WORDS_SIZE];
	int ret = 0;

	if (node->type != YAML_MAPPING_NODE)
		return FAULT(lint, node, "%s must hold a mapping with keys of: %s", key,
			     list_keys(schema, words));
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !ret; pair++)
		ret = check_pair(lint, node, pair, schema);
	for (field = schema->mapping.fields; field->key && !ret; field++) {
		bool is_there = field->value.flags & CYAML_FLAG_OPTIONAL;

		for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		     pair < node->data.mapping.pairs.top && !is_there; pair++)
			is_there =
				!strcmp(text_of(lb_lines_node(lint->lines, pair->key)), field->key);
		if (!is_there)
			ret = FAULT(lint, node, "key '%s' is missing here", field->key);
	}
	return ret;
}

static int check_sequence(struct lint *lint, const yaml_node_t *node, const char *key,
			  const struct cyaml_schema_value *schema)
{
	char entry[64];
	int ret = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return FAULT(lint, node, "%s must hold a list, each entry after a '-'", key);
	(void)snprintf(entry, sizeof(entry), "an entry of %s", key);
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && !ret; item++)
		ret = check_value(lint, lb_lines_node(lint->lines, *item), entry,
				  schema->sequence.entry);
	return ret;
}

static int check_number(struct lint *lint, const yaml_node_t *node, const char *key)
{
	const char *text = text_of(node), *c = text;
	__u64 number = 0;

	/* libcyaml would read 010 as 8, 3x as 3, and take a wrapped negative number. */
	for (; *c >= '0' && *c <= '9' && number <= 0xffffffffu; c++)
		number = number * 10 + (unsigned int)(*c - '0');
	if (c == text || (*c && (*c < '0' || *c > '9')) || (text[0] == '0' && text[1]))
		return FAULT(lint, node, "%s '%.64s' is not a whole number", key, text);
	if (number > 0xffffffffu)
		return FAULT(lint, node, "%s '%.64s' is too large", key, text);
	return 0;
}

static int check_word(struct lint *lint, const yaml_node_t *node, const char *key,
		      const struct cyaml_schema_value *schema)
{
	char words[WORDS_SIZE] = "";

	for (__u32 i = 0; i < schema->enumeration.count; i++) {
		const char *word = schema->enumeration.strings[i].str;

		if (!strcmp(text_of(node), word))
			return 0;
		append_word(words, word);
	}
	return FAULT(lint, node, "%s '%.64s' is unknown, expected one of: %s", key, text_of(node),
		     words);
}

static int check_scalar(struct lint *lint, const yaml_node_t *node, const char *key,
			const struct cyaml_schema_value *schema)
{
	if (node->type != YAML_SCALAR_NODE)
		return FAULT(lint, node,
			     "%s must hold one value, found a %s (text with brackets or a colon "
			     "needs quotes)",
			     key, node->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
	if (node->data.scalar.length == 0)
		return FAULT(lint, node, "%s has no value", key);
	if (strlen(text_of(node)) != node->data.scalar.length)
		return FAULT(lint, node, "%s holds a NUL character", key);
	if (schema->type == CYAML_UINT)
		return check_number(lint, node, key);
	if (schema->type == CYAML_ENUM)
		return check_word(lint, node, key, schema);
	return 0;
}

static int check_value(struct lint *lint, const yaml_node_t *node, const char *key,
		       const struct cyaml_schema_value *schema)
{
	bool may_be_empty = (schema->flags & CYAML_FLAG_POINTER_NULL) == CYAML_FLAG_POINTER_NULL;

	if (may_be_empty && is_empty(node))
		return 0;
	if (schema->type == CYAML_MAPPING)
		return check_mapping(lint, node, key, schema);
	if (schema->type == CYAML_SEQUENCE)
		return check_sequence(lint, node, key, schema);
	return check_scalar(lint, node, key, schema);
}

int lb_lines_check(const struct lb_lines *lines, const struct cyaml_schema_value *schema,
		   struct lb_error *err)
{
	struct lint lint = { lines, err };

	return check_value(&lint, lb_lines_node(lines, 1), "the document", schema);
}
