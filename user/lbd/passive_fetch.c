// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passive health of what lbcache asks. It hears answers to their end and is believed, so it may say
 * more than packets do: that an answer was cut off, or was none. How long a page may take is the
 * application's affair, so silence counts late. Knows nothing of members and maps.
 */
#include "lbd.h"

#define PATIENCE_MS 3000u /* without any answer's head, four times as long as it took of late */
#define PATIENCE_MAX_MS 30000u

void passive_fetch_restart(struct passive_fetch *fetch, const struct lb_cache_fate *seen)
{
	fetch->seen = fetch->since = *seen;
	fetch->first_ns = 0;
}

bool passive_fetch_note(struct passive_fetch *fetch, const struct lb_cache_fate *seen, __u64 now)
{
	const bool is_answered = seen->whole != fetch->seen.whole;
	const bool has_head = seen->heads != fetch->seen.heads;
	const __u64 waited = fetch->first_ns ? now - fetch->first_ns : 0;

	fetch->seen = *seen;
	if (is_answered || has_head) {
		fetch->wait_ns -= fetch->wait_ns / 16;
		if (waited > fetch->wait_ns)
			fetch->wait_ns = waited;
	}
	if (is_answered)
		passive_fetch_restart(fetch, seen);
	else if (!fetch->first_ns && seen->asked != fetch->since.asked)
		fetch->first_ns = now;
	return is_answered;
}

static __u64 patience_ns(const struct passive_fetch *fetch)
{
	const __u64 wanted = 4 * fetch->wait_ns;

	if (wanted < PATIENCE_MS * MS)
		return PATIENCE_MS * MS;
	return wanted < PATIENCE_MAX_MS * MS ? wanted : PATIENCE_MAX_MS * MS;
}

/* Why most of them failed. */
static __u8 reason_of(const struct lb_cache_fate *seen, const struct lb_cache_fate *since,
		      __u64 *attempts)
{
	const struct {
		__u64 count;
		__u8 reason;
	} kinds[] = {
		{ seen->unconnected - since->unconnected, LB_C_FETCH_UNCONNECTED },
		{ seen->late - since->late, LB_C_FETCH_LATE },
		{ seen->cut - since->cut, LB_C_FETCH_CUT },
		{ seen->malformed - since->malformed, LB_C_FETCH_MALFORMED },
	};
	unsigned int most = 0;

	*attempts = 0;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		*attempts += kinds[i].count;
		if (kinds[i].count > kinds[most].count)
			most = i;
	}
	return kinds[most].reason;
}

__u8 passive_fetch_judge(struct passive_fetch *fetch, __u64 least, __u64 now, __u64 *attempts)
{
	const struct lb_cache_fate *seen = &fetch->seen, *since = &fetch->since;
	const __u8 reason = reason_of(seen, since, attempts);
	const bool is_silent = seen->heads == since->heads;

	if (*attempts >= least)
		return reason;
	*attempts = seen->asked - since->asked;
	if (!*attempts)
		return LB_C_NONE;
	if (is_silent && *attempts >= least && now - fetch->first_ns >= patience_ns(fetch))
		return LB_C_FETCH_UNANSWERED;
	/* Failures lie within a while; what has no answer yet is waited for. */
	if (now - fetch->first_ns > PASSIVE_WINDOW_MS * MS && (!is_silent || *attempts < least))
		passive_fetch_restart(fetch, seen);
	return LB_C_NONE;
}
