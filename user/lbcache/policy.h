/* SPDX-License-Identifier: GPL-2.0-only */
/* What the operator says about a path: one struct, with every option's default in policy_init. */
#ifndef LBCACHE_POLICY_H
#define LBCACHE_POLICY_H

#include "http.h"

#define POLICY_DROP_SIZE 128

struct policy {
	uint32_t ttl;		/* s, of a 200 without freshness of its own; 0: none */
	uint32_t negative_ttl;	/* s, the same of 301, 308, 404, 405, 410, 414 */
	uint32_t stale_while;	/* s, stale-while-revalidate where the response says nothing */
	uint32_t stale_error;	/* s, stale-if-error likewise */
	bool is_pass;		/* never stored, never looked up */
	bool is_cookie_ignored; /* neither a reason to pass nor sent to the backend */
	bool is_set_cookie_cut; /* Set-Cookie is taken off and the rest stored */
	bool is_query_sorted;
	bool is_alone;			   /* no collapsing: every miss asks the backend */
	char query_drop[POLICY_DROP_SIZE]; /* "utm_*,fbclid" */
};

void policy_init(struct policy *policy);
/* Of all that decides whether a response is stored. */
uint64_t policy_digest(const struct policy *policy);

#endif
