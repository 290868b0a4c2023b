/* SPDX-License-Identifier: GPL-2.0-only */
/* Certificates of cached services: the words for them, and whether the files are good. */
#ifndef LBCTL_CACHE_TLS_H
#define LBCTL_CACHE_TLS_H

#include "lbctl.h"

#define CACHE_FILES_EXPECTED "files in PEM by their paths from '/', with commas between"

/* Settings of 'cache on': into a struct lb_cache_config. */
int cache_take_tls(void *into, const char *value);
int cache_take_key(void *into, const char *value);
int cache_take_verify(void *into, const char *value);

/* Refuses files that lbcache would refuse, so that it never meets them. */
int cache_check_files(const struct lb_service_config *service);

#endif
