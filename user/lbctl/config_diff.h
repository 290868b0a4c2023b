/* SPDX-License-Identifier: GPL-2.0-only */
/* Two documents compared: for lbctl config. */
#ifndef LBCTL_CONFIG_DIFF_H
#define LBCTL_CONFIG_DIFF_H

#include <jansson.h>

#include "liblb.h"

/*
 * What makes now into then: an array of objects with action ("add", "remove", "change"), service
 * (null for limits), backend (null for the service itself) and what, a text. NULL: out of memory.
 */
json_t *config_diff(const struct lb_config *now, const struct lb_config *then);
/* One line each; an exit code. */
int config_diff_print(const json_t *changes);

#endif
