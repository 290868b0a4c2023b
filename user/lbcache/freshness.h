/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a response may be stored, and for how long it is fresh (RFC 9111 3 and 4.2). */
#ifndef LBCACHE_FRESHNESS_H
#define LBCACHE_FRESHNESS_H

#include "policy.h"

#define DIRECTIVE_NONE (-1)
#define DIRECTIVE_MAX 0x7fffffff /* RFC 9111 1.2.2: larger ones mean this */

struct directives { /* Cache-Control, or a targeted field (RFC 9213) */
	bool is_present;
	bool no_store, no_cache, is_private, is_public, must_revalidate, proxy_revalidate,
		only_if_cached;
	int64_t max_age, s_maxage, stale_while, stale_error; /* s, or DIRECTIVE_NONE */
};

void directives_read(const char *data, const struct http_head *head, enum http_field_id id,
		     struct directives *out);

/* Why a response is stored or not; also of a request that passes by. Words in reason.c. */
enum reason {
	WHY_STORED,
	WHY_POLICY,
	WHY_METHOD,
	WHY_COOKIE,
	WHY_AUTHORIZATION,
	WHY_PRECONDITION,
	WHY_UPGRADE,
	WHY_REQUEST_NO_STORE,
	WHY_NO_STORE,
	WHY_PRIVATE,
	WHY_SET_COOKIE,
	WHY_VARY,
	WHY_STATUS,
	WHY_NO_FRESHNESS,
	WHY_TOO_LARGE,
	WHY_TOO_SLOW,
	WHY_BROKEN,
	WHY_REMEMBERED,
	WHY_LONG_REQUEST,
	WHY_COUNT,
};

const char *reason_word(enum reason reason); /* for Cache-Status and metrics */
const char *reason_text(enum reason reason); /* for people */
/* It is of one request, and says nothing of the page. */
static inline bool reason_is_own(enum reason reason)
{
	return reason == WHY_AUTHORIZATION || reason == WHY_LONG_REQUEST;
}

struct freshness {
	uint32_t age_ms; /* corrected initial age, RFC 9111 4.2.3 */
	uint64_t lifetime_ms;
	uint64_t stale_while_ms, stale_error_ms;
	bool no_cache;	      /* every use needs a revalidation */
	bool must_revalidate; /* never served stale */
	bool is_open;	      /* may answer requests with Authorization */
};

struct response_facts {
	const char *data;
	const struct http_head *head;
	bool has_authorization; /* the request */
	time_t now;		/* wall clock at which the head came */
	uint32_t delay_ms;	/* since the request was sent */
};

/* The corrected initial age of any response, stored or not (RFC 9111 4.2.3). */
uint32_t freshness_age_ms(const struct response_facts *facts);

enum reason freshness_judge(const struct policy *policy, const struct response_facts *facts,
			    struct freshness *out);

#endif
