// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passive health: what becomes of live connections, as the datapath counts it. A backend whose last
 * attempts all failed is taken out at once; where no check could bring it back, it is let in again
 * for a trial after a while. What may be judged is in judge().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"

#define TICK_MS 25u
#define ATTEMPTS 5u	  /* in a row, of several flows: one client alone proves nothing */
#define TRIAL_ATTEMPTS 3u /* of a backend that has failed before */
#define PATIENCE_MS 100u  /* without any answer, longer where answers take long */
#define PATIENCE_MAX_MS 1000u
#define BACKOFF_MS 1000u /* until it may come back; doubled with each time in a row */
#define BACKOFFS 6u
#define FORGIVEN_MS 60000u
#define TRIAL_CUT (LB_CUT_WHOLE - LB_CUT_WHOLE / 10)

static struct member **watched;
static unsigned int watched_count, watched_limit;
static __u32 *numbers;
static struct lb_fate *fates;

static bool is_out(const struct member *member)
{
	return member->wanted.cut == LB_CUT_WHOLE;
}

static bool is_on_trial(const struct member *member)
{
	return member->wanted.health == LB_HEALTH_DOWN && !is_out(member);
}

/* ---- out and in ------------------------------------------------------------------------------ */

static void count_left(struct member *member, void *arg)
{
	struct member *const *leaving = arg;

	if (member != *leaving && !strcmp(member->service, (*leaving)->service) &&
	    member->has_weight && member->wanted.health != LB_HEALTH_DOWN)
		(*leaving)->passive.others++;
}

/* Whoever is left alone stays: its service would be worse off without. */
static bool is_last(struct member *member)
{
	member->passive.others = 0;
	members_each(count_left, &member);
	return !member->passive.others;
}

static void restart(struct passive *passive)
{
	passive->since = passive->seen;
	passive->first_ns = 0;
}

static void restart_all(struct passive *passive)
{
	restart(passive);
	passive_fetch_restart(&passive->fetch, &passive->seen.fetches);
}

/* After so many attempts, of which the first was seen at began. */
static void take_out(struct member *member, __u8 reason, __u64 attempts, __u64 began, __u64 now)
{
	struct passive *passive = &member->passive;
	const bool was_on_trial = is_on_trial(member);

	if (!was_on_trial && is_last(member)) {
		restart_all(passive);
		return;
	}
	if (now > passive->back_ns + FORGIVEN_MS * MS)
		passive->strikes = 0;
	passive->hold_ns = now + ((__u64)BACKOFF_MS << passive->strikes) * MS;
	if (passive->strikes < BACKOFFS)
		passive->strikes++;
	member->wanted.reason = reason;
	member->wanted.detail = attempts < 0xffff ? (__u16)attempts : 0xffff;
	member->wanted.took_us = (__u32)((now - began) / 1000);
	member_change(member, LB_HEALTH_DOWN);
	restart_all(passive);
}

static void begin_trial(struct member *member)
{
	member->wanted.reason = LB_C_LIVE_TRIAL;
	member->wanted.detail = 0;
	member->wanted.took_us = 0;
	member->wanted.cut = TRIAL_CUT;
	member->has_verdict = true;
	restart_all(&member->passive);
	member_tell(member, LB_EVENT_WEIGHT);
	lbd.is_dirty = true;
}

/* It is, where no check has the say: after an answer, for which the first attempt waited so long.
 */
static void find_good(struct member *member, __u64 wait_ns)
{
	if (!is_on_trial(member) && (member->target || member->wanted.health != LB_HEALTH_UNKNOWN))
		return;
	member->wanted.reason = LB_C_LIVE_ANSWERED;
	member->wanted.detail = 0;
	member->wanted.took_us = (__u32)(wait_ns / 1000);
	member_change(member, LB_HEALTH_UP);
}

bool passive_holds(const struct member *member)
{
	return member->wanted.health == LB_HEALTH_DOWN && now_ns() < member->passive.hold_ns;
}

void passive_note_up(struct member *member)
{
	member->passive.back_ns = now_ns();
	restart_all(&member->passive);
}

/* ---- judging --------------------------------------------------------------------------------- */

/* An answer came: how long the first attempt after the last one has waited for it. */
static void note_answer(struct member *member, __u64 now)
{
	struct passive *passive = &member->passive;
	const __u64 waited = passive->first_ns ? now - passive->first_ns : 0;

	passive->wait_ns -= passive->wait_ns / 16;
	if (waited > passive->wait_ns)
		passive->wait_ns = waited;
	passive->has_answered = true;
	restart(passive);
	find_good(member, passive->wait_ns);
}

static __u64 patience_ns(const struct passive *passive)
{
	const __u64 wanted = 2 * passive->wait_ns;

	if (wanted < PATIENCE_MS * MS)
		return PATIENCE_MS * MS;
	return wanted < PATIENCE_MAX_MS * MS ? wanted : PATIENCE_MAX_MS * MS;
}

/*
 * Why the backend is to be taken out, or LB_C_NONE. All attempts since the last answer count, so
 * one answer acquits it: whoever sends packets that nobody would answer brings down no backend that
 * has clients of its own. That ICMP says unreachable counts for no more than the attempts that
 * there were, since anybody may send it.
 */
static __u8 judge(const struct member *member, __u64 least, __u64 now)
{
	const struct passive *passive = &member->passive;
	const struct lb_fate *seen = &passive->seen, *since = &passive->since;
	const __u64 refused = seen->refused - since->refused;
	const __u64 unreachable = seen->unreachable - since->unreachable;

	if (seen->attempts - since->attempts < least)
		return LB_C_NONE;
	if (refused >= least)
		return LB_C_LIVE_REFUSED;
	if (refused + unreachable >= least)
		return LB_C_LIVE_UNREACHABLE;
	if (member->is_heard && (member->is_tcp || passive->has_answered) &&
	    now - passive->first_ns >= patience_ns(passive))
		return LB_C_LIVE_UNANSWERED;
	return LB_C_NONE;
}

/* What lbcache asks is judged by itself: a server that opens connections may still cut answers. */
static bool watch_fetches(struct member *member, __u64 least, __u64 now)
{
	struct passive_fetch *fetch = &member->passive.fetch;
	__u64 attempts;
	__u8 reason;

	if (passive_fetch_note(fetch, &member->passive.seen.fetches, now)) {
		find_good(member, fetch->wait_ns);
		return false;
	}
	reason = passive_fetch_judge(fetch, least, now, &attempts);
	if (reason)
		take_out(member, reason, attempts, fetch->first_ns, now);
	return reason;
}

static void watch(struct member *member, const struct lb_fate *fate, __u64 now)
{
	struct passive *passive = &member->passive;
	const bool is_answered = fate->answered != passive->seen.answered;
	const __u64 least = is_on_trial(member) ? TRIAL_ATTEMPTS : ATTEMPTS;
	__u8 reason;

	passive->seen = *fate;
	if (is_out(member)) {
		restart_all(passive);
		if (!member->target && member->wanted.health == LB_HEALTH_DOWN &&
		    now >= passive->hold_ns)
			begin_trial(member);
		return;
	}
	if (watch_fetches(member, least, now))
		return;
	if (is_answered) {
		note_answer(member, now);
		return;
	}
	if (fate->attempts == passive->since.attempts)
		return;
	if (!passive->first_ns)
		passive->first_ns = now;
	reason = judge(member, least, now);
	if (reason)
		take_out(member, reason, passive->seen.attempts - passive->since.attempts,
			 passive->first_ns, now);
	else if (!is_on_trial(member) && now - passive->first_ns > PASSIVE_WINDOW_MS * MS)
		restart(passive);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int compare_numbers(const void *left, const void *right)
{
	const struct member *const *a = left, *const *b = right;

	return ((*a)->passive.number > (*b)->passive.number) -
	       ((*a)->passive.number < (*b)->passive.number);
}

/* Those that the maps have, in order of their numbers; new ones have not been seen before. */
static unsigned int find_numbers(void)
{
	struct lb_backend_health found;
	unsigned int count = 0;
	bool is_sorted = true;

	for (unsigned int i = 0; i < watched_count; i++) {
		struct member *member = watched[i];
		__u32 number = ~0u;

		if (!lb_get_health(lbd.lb, member->service, &member->addr, member->port,
				   &member->hint, &found))
			number = member->hint;
		member->passive.is_new |= number != member->passive.number;
		is_sorted &= number == member->passive.number;
		member->passive.number = number;
	}
	if (!is_sorted)
		qsort(watched, watched_count, sizeof(*watched), compare_numbers);
	while (count < watched_count && watched[count]->passive.number != ~0u) {
		numbers[count] = watched[count]->passive.number;
		count++;
	}
	return count;
}

static void look(void)
{
	const unsigned int count = find_numbers();
	const __u64 now = now_ns();

	if (lb_get_fates(lbd.lb, numbers, count, fates))
		return;
	for (unsigned int i = 0; i < count; i++) {
		struct passive *passive = &watched[i]->passive;

		if (passive->is_new) {
			passive->is_new = false;
			passive->seen = fates[i];
			passive->has_answered = fates[i].answered;
			restart_all(passive);
		}
		watch(watched[i], &fates[i], now);
	}
}

static void on_tick(struct timer *timer)
{
	if (lb_is_loaded(lbd.lb) && !lb_is_gone(lbd.lb))
		look();
	if (watched_count)
		(void)timers_set(&lbd.timers, timer, now_ns() + TICK_MS * MS);
}

static void collect(struct member *member, void *arg)
{
	(void)arg;
	if (member->check->config.is_passive && watched_count < watched_limit)
		watched[watched_count++] = member;
}

static int make_room(unsigned int limit)
{
	void *grown;

	if (limit <= watched_limit)
		return 0;
	grown = reallocarray(watched, limit, sizeof(*watched));
	if (!grown)
		return -ENOMEM;
	watched = grown;
	grown = reallocarray(numbers, limit, sizeof(*numbers));
	if (!grown)
		return -ENOMEM;
	numbers = grown;
	grown = reallocarray(fates, limit, sizeof(*fates));
	if (!grown)
		return -ENOMEM;
	fates = grown;
	watched_limit = limit;
	return 0;
}

int passive_load(void)
{
	int ret = make_room(lbd.member_count + 1);

	watched_count = 0;
	if (ret)
		return ret;
	members_each(collect, NULL);
	qsort(watched, watched_count, sizeof(*watched), compare_numbers);
	lbd.look.fire = on_tick;
	if (watched_count && !lbd.look.place)
		(void)timers_set(&lbd.timers, &lbd.look, now_ns());
	return 0;
}
