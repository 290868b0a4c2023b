// SPDX-License-Identifier: GPL-2.0-only
/*
 * A YAML document as a tree with line numbers: syntax errors, and finding the line of a place. What
 * the tree may hold is compared with the schema in config_lint.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_lines_internal.h"

/* The line of a byte: libyaml gives only an offset for bytes that are no UTF-8. */
static size_t line_of_offset(const char *yaml, size_t length, size_t offset)
{
	size_t line = 0;

	for (size_t i = 0; i < length && i < offset; i++)
		line += yaml[i] == '\n';
	return line;
}

/* An IPv6 address without quotes is the one mistake whose message of libyaml helps nobody. */
static bool has_bare_brackets(const char *yaml, size_t length, size_t line)
{
	for (const char *at = yaml, *end = yaml + length; at < end; line--) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((next ? next : end) - at);
		const char *colon = memmem(at, len, "]:", 2);

		if (line <= 1 && colon && memmem(at, (size_t)(colon - at), ": [", 3))
			return true;
		if (line == 0 || !next)
			return false;
		at = next + 1;
	}
	return false;
}

static int syntax_error(const yaml_parser_t *parser, const char *yaml, size_t length,
			const char *name, struct lb_error *err)
{
	size_t line = parser->problem_mark.line;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return lb_fail(err, -ENOMEM, "out of memory");
	if (parser->error == YAML_READER_ERROR)
		line = line_of_offset(yaml, length, parser->problem_offset);
	if (has_bare_brackets(yaml, length, line))
		problem = "an IPv6 address needs quotes, as \"[2001:db8::1]:80\"";
	return lb_fail(err, -EBADMSG, "%s:%zu: %s", name, line + 1, problem);
}

/* libcyaml reads one document and is silent about what comes after it. */
static int check_end(yaml_parser_t *parser, const char *yaml, size_t length, const char *name,
		     struct lb_error *err)
{
	yaml_document_t next;
	int ret = 0;

	if (!yaml_parser_load(parser, &next))
		return syntax_error(parser, yaml, length, name, err);
	if (yaml_document_get_root_node(&next))
		ret = lb_fail(err, -EBADMSG, "%s:%zu: a second document begins, expected one only",
			      name, next.start_mark.line + 1);
	yaml_document_delete(&next);
	return ret;
}

int lb_lines_load(struct lb_lines **out, const char *yaml, size_t length, const char *name,
		  struct lb_error *err)
{
	struct lb_lines *lines = calloc(1, sizeof(*lines));
	yaml_parser_t parser;
	int ret;

	if (!lines || !yaml_parser_initialize(&parser)) {
		free(lines);
		return lb_fail(err, -ENOMEM, "out of memory");
	}
	lines->name = name;
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, length);
	if (!yaml_parser_load(&parser, &lines->document)) {
		ret = syntax_error(&parser, yaml, length, name, err);
		free(lines);
		goto out;
	}
	if (yaml_document_get_root_node(&lines->document))
		ret = check_end(&parser, yaml, length, name, err);
	else
		ret = lb_fail(err, -EBADMSG,
			      "%s:1: the document is empty, expected at least 'services: []'",
			      name);
	if (ret)
		lb_lines_free(lines);
	else
		*out = lines;
out:
	yaml_parser_delete(&parser);
	return ret;
}

void lb_lines_free(struct lb_lines *lines)
{
	if (!lines)
		return;
	yaml_document_delete(&lines->document);
	free(lines);
}

yaml_node_t *lb_lines_node(const struct lb_lines *lines, int number)
{
	/* libyaml reads only, but its function takes no const document. */
	return yaml_document_get_node((yaml_document_t *)&lines->document, number);
}

/* The value of a key, or NULL. */
static yaml_node_t *find_key(const struct lb_lines *lines, const yaml_node_t *node, const char *key)
{
	if (!node || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *found = lb_lines_node(lines, pair->key);

		if (found->type == YAML_SCALAR_NODE &&
		    !strcmp((const char *)found->data.scalar.value, key))
			return lb_lines_node(lines, pair->value);
	}
	return NULL;
}

static yaml_node_t *find_item(const struct lb_lines *lines, const yaml_node_t *node, int index)
{
	yaml_node_item_t *item;

	if (!node || node->type != YAML_SEQUENCE_NODE || index < 0)
		return NULL;
	item = node->data.sequence.items.start + index;
	return item < node->data.sequence.items.top ? lb_lines_node(lines, *item) : NULL;
}

/* Goes from *node into what a key or a number names, if it is there. */
static void enter(yaml_node_t **node, yaml_node_t *next)
{
	if (next)
		*node = next;
}

unsigned int lb_lines_find(const struct lb_lines *lines, const struct lb_place *place)
{
	yaml_node_t *node = lb_lines_node(lines, 1);

	if (place->service >= 0) {
		enter(&node, find_key(lines, node, "services"));
		enter(&node, find_item(lines, node, place->service));
	}
	if (place->backend >= 0) {
		enter(&node, find_key(lines, node, "backends"));
		enter(&node, find_item(lines, node, place->backend));
	}
	if (place->source >= 0) {
		enter(&node, find_key(lines, node, "sources"));
		enter(&node, find_item(lines, node, place->source));
	}
	if (place->section)
		enter(&node, find_key(lines, node, place->section));
	if (place->key)
		enter(&node, find_key(lines, node, place->key));
	return (unsigned int)node->start_mark.line + 1;
}
