/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lines of a YAML document: where a place of it stands, and whether its text has the schema's
 * shape. libcyaml knows neither the line of a value nor that "3x" is no number.
 */
#ifndef LB_CONFIG_LINES_H
#define LB_CONFIG_LINES_H

#include <cyaml/cyaml.h>

#include "config.h"

struct lb_lines;

/* name is the document's in messages, kept by the caller. -EBADMSG with "name:line: ". */
int lb_lines_load(struct lb_lines **out, const char *yaml, size_t length, const char *name,
		  struct lb_error *err);
void lb_lines_free(struct lb_lines *lines);

/* -EBADMSG with "name:line: ..." at the first value that the schema does not allow. */
int lb_lines_check(const struct lb_lines *lines, const struct cyaml_schema_value *schema,
		   struct lb_error *err);

/* The line of a place, counted from 1; of the nearest thing around it if it was not given. */
unsigned int lb_lines_find(const struct lb_lines *lines, const struct lb_place *place);

#endif
