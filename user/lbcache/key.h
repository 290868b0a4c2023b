/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes two requests the same: the key, and the fields that Vary names. */
#ifndef LBCACHE_KEY_H
#define LBCACHE_KEY_H

#include "policy.h"

#define KEY_MAX (HTTP_HEAD_MAX + 64)
#define VARY_MAX 4096
#define VARY_NAMES_MAX 256

/*
 * "http://host/path?query" with the host in lower case, the default port dropped and the query as
 * the policy says. Answers the length; buf has KEY_MAX bytes.
 */
size_t key_make(struct text scheme, struct text host, struct text target,
		const struct policy *policy, char *buf);

/* Whether keys of both hosts are the same: in any case, with the default port or without. */
bool key_is_same_host(struct text scheme, struct text a, struct text b);

/* Keyed, so that nobody can make keys collide on purpose. */
uint64_t key_hash(const char *key, size_t len, uint32_t service, uint64_t seed);

/*
 * The names in a response's Vary in lower case, each followed by a newline; the length, or -E2BIG.
 * Without: 0.
 */
ssize_t vary_names(const char *data, const struct http_head *response, char buf[VARY_NAMES_MAX]);
/*
 * A request's values for such names, in one normal form, each followed by a newline. -E2BIG.
 * What a backend does not see (passing.h) counts as absent.
 */
ssize_t vary_values(struct text names, const char *data, const struct http_head *request,
		    const struct policy *policy, char buf[VARY_MAX]);

#endif
