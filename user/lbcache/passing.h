/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of a client's fields a backend sees: what a stored page may depend on, and nothing else. */
#ifndef LBCACHE_PASSING_H
#define LBCACHE_PASSING_H

#include "policy.h"

/*
 * Whether a request's field goes to the backend as it came. is_shared: the answer may be stored, so
 * what is one client's own stays behind, and what backends obey though no key tells it apart.
 */
bool field_passes(const char *data, const struct http_head *head, const struct http_field *field,
		  const struct policy *policy, bool is_shared);

/*
 * RFC 9110 7.6.2: how often an OPTIONS or TRACE may still be passed on. False: nothing is said, or
 * nothing that can be read.
 */
bool max_forwards_read(const char *data, const struct http_head *head, uint64_t *left);

#endif
