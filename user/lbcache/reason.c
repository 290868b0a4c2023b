// SPDX-License-Identifier: GPL-2.0-only
/* Why something is not from the cache, in words: one list for Cache-Status, metrics and 'why'. */
#include "freshness.h"

static const struct {
	const char *word, *text;
} reasons[WHY_COUNT] = {
	[WHY_STORED] = { "stored", "it may be stored" },
	[WHY_POLICY] = { "rule", "a rule says that this path passes by" },
	[WHY_METHOD] = { "method", "only GET, and HEAD of a stored GET, are answered from memory" },
	[WHY_COOKIE] = { "cookie",
			 "the request has a Cookie; a rule with 'cookie ignore' would store" },
	[WHY_AUTHORIZATION] = { "authorization",
				"the request has Authorization, and the response does not say "
				"public, s-maxage or must-revalidate" },
	[WHY_PRECONDITION] = { "precondition",
			       "If-Match and If-Unmodified-Since are the origin's" },
	[WHY_UPGRADE] = { "upgrade", "the request asks for another protocol" },
	[WHY_REQUEST_NO_STORE] = { "request-no-store", "the request says no-store" },
	[WHY_NO_STORE] = { "no-store", "the response says no-store" },
	[WHY_PRIVATE] = { "private", "the response says private" },
	[WHY_SET_COOKIE] = { "set-cookie",
			     "the response has Set-Cookie; a rule with 'set-cookie strip' "
			     "would store it without" },
	[WHY_VARY] = { "vary", "the response says Vary: *" },
	[WHY_STATUS] = { "status", "responses with this status are not stored" },
	[WHY_NO_FRESHNESS] = { "no-freshness",
			       "nothing says how long the response is fresh; a rule with 'ttl' "
			       "would" },
	[WHY_TOO_LARGE] = { "too-large", "the response is larger than an object may be" },
	[WHY_TOO_SLOW] = { "too-slow", "the response came slower than 240 bytes a second" },
	[WHY_BROKEN] = { "broken", "the backend broke off or lied about its response" },
	[WHY_REMEMBERED] = { "remembered", "an earlier response could not be stored" },
	[WHY_LONG_REQUEST] = { "long-request", "the request says more than 4 KiB in the fields "
					       "that the page varies by" },
};

const char *reason_word(enum reason reason)
{
	return reason < WHY_COUNT ? reasons[reason].word : "unknown";
}

const char *reason_text(enum reason reason)
{
	return reason < WHY_COUNT ? reasons[reason].text : "unknown";
}
