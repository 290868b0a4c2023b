/* SPDX-License-Identifier: GPL-2.0-only */
/* What Location and Content-Location name (RFC 3986 5.2, RFC 9110 8.7 and 10.2.2). */
#ifndef LBCACHE_LOCATION_H
#define LBCACHE_LOCATION_H

#include "http.h"

/*
 * The target (path and query, without dot segments) that a reference names for who asked for base,
 * also a target, at this host. False: it is of another origin, none at all, or too long. buf has
 * HTTP_TARGET_MAX bytes.
 */
bool location_resolve(struct text reference, struct text scheme, struct text host, struct text base,
		      char *buf, struct text *out);

#endif
