/* SPDX-License-Identifier: GPL-2.0-only */
/* Asking lbcache over its control socket, never for long. */
#ifndef LBCTL_CACHE_ASK_H
#define LBCTL_CACHE_ASK_H

#include "lbctl.h"

/* Sends one line; the answer is the caller's. An exit code; what is wrong is said. */
int cache_ask(const struct lbctl *ctl, const char *line, json_t **out);
uint64_t cache_number(const json_t *json, const char *key);

#endif
