/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree behind struct lb_lines, for config_lines.c and config_lint.c only. */
#ifndef LB_CONFIG_LINES_INTERNAL_H
#define LB_CONFIG_LINES_INTERNAL_H

#include <yaml.h>

#include "config_lines.h"

struct lb_lines {
	yaml_document_t document;
	const char *name;
};

yaml_node_t *lb_lines_node(const struct lb_lines *lines, int number);

#endif
