/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that are written in many ways: bytes in, bytes out. A path begins with '/'. */
#ifndef LBCACHE_PATH_H
#define LBCACHE_PATH_H

#include "http.h"

/* Takes "." and ".." out of a path without a query, in place (RFC 3986 5.2.4): its new length. */
size_t path_remove_dots(char *path, size_t len);

/* Whether a backend may read the target's path as another one than stands there. */
bool path_has_spellings(struct text target);

/*
 * The target with its path decoded once, slashes merged and dot segments taken out, in that order;
 * its query stays. is_bare: without what follows ';' in each segment, as Java's servers read it.
 * buf has target.len bytes; answers the length.
 */
size_t path_normalise(struct text target, bool is_bare, char *buf);

/* The same of what paths begin with: its last segment is not whole, so no dot segment. */
size_t path_normalise_prefix(struct text prefix, char *buf);

#endif
