// SPDX-License-Identifier: GPL-2.0-only
/*
 * From results to health: rise and fall, slow start. And from health to the maps: what members want
 * is compared with what the maps say, and the difference is put into force when the lock is free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"
#include "tell.h"

#define STEPS 10u     /* of a slow start */
#define RETRY_MS 20u  /* while a command holds the lock */
#define SYNC_MS 1000u /* commands may have made a backend's entry anew */

static void tell(const struct member *member, enum lb_event_kind kind, __u8 was)
{
	struct lb_event event = {
		.kind = kind,
		.addr = member->addr,
		.port = member->port,
		.took_us = member->wanted.took_us,
		.detail = member->wanted.detail,
		.reason = member->wanted.reason,
		.health = member->wanted.health,
		.was = was,
		.cut = member->wanted.cut,
	};

	memcpy(event.service, member->service, sizeof(event.service));
	add_event(&event);
}

static void say_health(const struct member *member)
{
	const __u16 detail = member->wanted.detail;
	char text[LB_ADDR_TEXT_SIZE], number[16] = "";

	if (detail)
		(void)snprintf(number, sizeof(number), " %u", detail);
	say("service %s: backend %s is %s: %s (%s%s%s)", member->service,
	    lb_endpoint_format(&member->addr, member->port, text),
	    lb_health_name(member->wanted.health), lb_check_reason_text(member->wanted.reason),
	    lb_check_reason_name(member->wanted.reason),
	    member->wanted.reason == LB_C_VIA_UNSENT ? " " : number,
	    member->wanted.reason == LB_C_VIA_UNSENT ? lb_reason_name(detail) : "");
}

/* ---- slow start -------------------------------------------------------------------------------
 */

static void next_step(struct member *member)
{
	const __u32 whole = member->check->config.slow_start_ms;

	(void)timers_set(&lbd.timers, &member->step, now_ns() + whole * MS / STEPS);
}

static void on_step(struct timer *timer)
{
	struct member *member = CONTAINER_OF(timer, struct member, step);
	const __u16 cut = member->wanted.cut;

	member->wanted.cut = cut > LB_CUT_WHOLE / STEPS ? cut - LB_CUT_WHOLE / STEPS : 0;
	lbd.is_dirty = true;
	member_tell(member, LB_EVENT_WEIGHT);
	if (member->wanted.cut)
		next_step(member);
}

static void begin_steps(struct member *member)
{
	member->step.fire = on_step;
	if (!member->check->config.slow_start_ms) {
		member->wanted.cut = 0;
		return;
	}
	if (member->wanted.cut == LB_CUT_WHOLE)
		member->wanted.cut = LB_CUT_WHOLE - LB_CUT_WHOLE / STEPS;
	next_step(member);
}

/* ---- rise and fall ----------------------------------------------------------------------------
 */

void member_change(struct member *member, __u8 health)
{
	const __u8 was = member->wanted.health;

	member->has_verdict = true;
	member->good = member->bad = 0;
	member->wanted.health = health;
	if (health != was)
		member->wanted.since_ns = now_ns();
	timers_cancel(&lbd.timers, &member->step);
	if (health == LB_HEALTH_DOWN)
		member->wanted.cut = LB_CUT_WHOLE;
	else if (member->wanted.cut)
		begin_steps(member);
	if (health == LB_HEALTH_UP)
		passive_note_up(member);
	lbd.is_dirty = true;
	tell(member, LB_EVENT_HEALTH, was);
	say_health(member);
	tell_all_down(member);
}

void member_tell(const struct member *member, enum lb_event_kind kind)
{
	tell(member, kind, member->wanted.health);
}

bool member_adopt(struct member *member)
{
	struct lb_backend_health found;

	if (lb_get_health(lbd.lb, member->service, &member->addr, member->port, &member->hint,
			  &found))
		return false;
	member->wanted = found;
	if (found.health == LB_HEALTH_UP && found.cut && !member->step.place)
		begin_steps(member);
	return true;
}

void member_forget(struct member *member)
{
	timers_cancel(&lbd.timers, &member->step);
}

static void note(const struct member *member)
{
	struct lb_health_change result = { .addr = member->addr,
					   .port = member->port,
					   .hint = member->hint,
					   .value = member->wanted };

	memcpy(result.service, member->service, sizeof(result.service));
	lb_note_result(lbd.lb, &result);
}

void member_take(struct member *member, __u8 reason, __u16 detail, __u32 took_us)
{
	const enum lb_check_verdict verdict = lb_check_reason_verdict(reason);
	const struct lb_health_config *config = &member->check->config;
	bool is_other, is_new;
	__u8 health;

	/* Before the command that adds it has come so far, nobody knows how it begins. */
	if (!member->has_verdict && !member_adopt(member))
		return;
	if (verdict == LB_CHECK_GOOD && passive_holds(member)) {
		member->good = 0;
		return;
	}
	is_other = member->wanted.reason != reason || member->wanted.detail != detail;
	health = member->wanted.health;
	/* A backend that gets nothing before its first result has nothing to lose by it. */
	is_new = health == LB_HEALTH_UNKNOWN && member->wanted.cut == LB_CUT_WHOLE;
	member->wanted.reason = reason;
	member->wanted.detail = detail;
	member->wanted.took_us = took_us;
	note(member);
	if (verdict == LB_CHECK_UNKNOWN) {
		if (is_other)
			tell(member, LB_EVENT_RESULT, health);
		return;
	}
	member->has_verdict = true;
	member->good = verdict == LB_CHECK_GOOD ? member->good + 1 : 0;
	member->bad = verdict == LB_CHECK_BAD ? member->bad + 1 : 0;
	if (verdict == LB_CHECK_GOOD && health != LB_HEALTH_UP &&
	    (health == LB_HEALTH_UNKNOWN || member->good >= config->rise))
		member_change(member, LB_HEALTH_UP);
	else if (verdict == LB_CHECK_BAD && health != LB_HEALTH_DOWN &&
		 (is_new || member->bad >= config->fall))
		member_change(member, LB_HEALTH_DOWN);
	else if (is_other)
		tell(member, LB_EVENT_RESULT, health);
}

/* ---- into force -------------------------------------------------------------------------------
 */

struct difference {
	struct lb_health_change *changes;
	unsigned int count, limit;
	bool is_incomplete;
};

static void add_difference(struct difference *list, const struct member *member)
{
	struct lb_health_change *grown = list->changes;

	if (list->count == list->limit) {
		list->limit = 2 * list->limit + 64;
		grown = reallocarray(list->changes, list->limit, sizeof(*grown));
		if (!grown) {
			list->limit = list->count;
			list->is_incomplete = true;
			return;
		}
		list->changes = grown;
	}
	grown[list->count] = (struct lb_health_change){ .addr = member->addr,
							.port = member->port,
							.hint = member->hint,
							.value = member->wanted };
	memcpy(grown[list->count++].service, member->service, LB_NAME_SIZE);
}

static void compare(struct member *member, void *arg)
{
	struct lb_backend_health found;

	if (!member->has_verdict) {
		(void)member_adopt(member);
		return;
	}
	if (lb_get_health(lbd.lb, member->service, &member->addr, member->port, &member->hint,
			  &found))
		return; /* the command that adds it has not come so far */
	if (found.health != member->wanted.health || found.cut != member->wanted.cut)
		add_difference(arg, member);
}

/* Those that go down first: they need no room for histories. */
static int compare_changes(const void *left, const void *right)
{
	const struct lb_health_change *a = left, *b = right;

	return (a->value.health != LB_HEALTH_DOWN) - (b->value.health != LB_HEALTH_DOWN);
}

/* One that cannot be put into force must not hold up the others. */
static void apply_each(const struct difference *list)
{
	struct lb_error err;
	unsigned int failed = 0;

	for (unsigned int i = 0; i < list->count; i++)
		failed += lb_set_health(lbd.lb, &list->changes[i], 1, &err) != 0;
	if (failed)
		say("%u of %u changes of health cannot be put into force yet: %s", failed,
		    list->count, err.text);
}

static void put_into_force(struct difference *list)
{
	const __u64 began = now_ns();
	struct lb_error err;

	tell_tables(0); /* what a command did before */
	qsort(list->changes, list->count, sizeof(*list->changes), compare_changes);
	if (lb_set_health(lbd.lb, list->changes, list->count, &err))
		apply_each(list);
	tell_tables((__u32)((now_ns() - began) / 1000) + 1);
}

void state_sync(void)
{
	struct difference list = { 0 };
	unsigned int wait_ms = SYNC_MS;
	int ret = 0;

	lbd.is_dirty = false;
	if (lb_is_loaded(lbd.lb) && !lb_is_gone(lbd.lb))
		members_each(compare, &list);
	if (list.count) {
		ret = lb_try_lock(lbd.lb);
		if (ret)
			wait_ms = RETRY_MS;
	}
	if (list.count && !ret) {
		put_into_force(&list);
		lb_unlock(lbd.lb);
	}
	free(list.changes);
	(void)timers_set(&lbd.timers, &lbd.sync, now_ns() + wait_ms * MS);
}
