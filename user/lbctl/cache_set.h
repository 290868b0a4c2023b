/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs of 'lbctl cache' that change or show what is wanted, not what lbcache does. */
#ifndef LBCTL_CACHE_SET_H
#define LBCTL_CACHE_SET_H

#include "lbctl.h"

int cache_on(const struct lbctl *ctl, struct words *words);
int cache_off(const struct lbctl *ctl, struct words *words);
int cache_rule(const struct lbctl *ctl, struct words *words);
int cache_redis(const struct lbctl *ctl, struct words *words);
int cache_list(const struct lbctl *ctl, struct words *words);

#endif
