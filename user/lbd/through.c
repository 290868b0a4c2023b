// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes through the datapath: to the service's own address, and by the mark of their port to one
 * backend. What fails on that way is asked directly too, in the same time, so that the reason can
 * be told from a backend that is dead.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "through.h"

/* ---- a round -------------------------------------------------------------------------------- */

static void ask_directly(struct through *through)
{
	struct target *main = through->main;

	through->direct.check = main->check;
	target_ask(&through->direct, main->started_ns + main->check->config.timeout_ms * MS);
}

static void on_half(struct timer *timer)
{
	ask_directly(CONTAINER_OF(timer, struct through, half));
}

void through_begin(struct target *target)
{
	struct through *through = target->through;
	struct lb_error err;

	if (target != through->main)
		return;
	through->is_used = !through_find_way(through, &err);
	if (!through->is_used) {
		if (err.text[0])
			through_tell(through, err.text);
		return;
	}
	lb_probe_mark(lbd.lb, through->proto, through->kept_port, through->way.number);
	if (through->is_again)
		return;
	through->is_waiting = through->has_direct = false;
	through->half.fire = on_half;
	/* When it is known to fail, both have the whole time. */
	(void)timers_set(
		&lbd.timers, &through->half,
		target->started_ns +
			(through->has_failed ? 0 : target->check->config.timeout_ms * MS / 2));
}

/* ---- sockets -------------------------------------------------------------------------------- */

bool through_is_used(const struct target *target)
{
	return target->through && target == target->through->main && target->through->is_used;
}

void through_peer(const struct target *target, union lb_addr *addr, __u16 *port)
{
	*addr = through_is_used(target) ? target->through->vip : target->addr;
	*port = through_is_used(target) ? target->through->port : target->port;
}

int through_bind(const struct target *target, int fd)
{
	/* Closed by a reset, since the same port is needed again at once. */
	const struct linger at_once = { .l_onoff = 1 };
	const __u32 mark = LB_PROBE_MARK;
	const int yes = 1;

	if (!through_is_used(target))
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)))
		return -errno;
	if (target->through->way.is_by_link &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, LB_PROBE_LINK, sizeof(LB_PROBE_LINK)))
		return -errno;
	return through_bind_to(fd, &target->through->way.source, target->through->kept_port);
}

/* ---- results -------------------------------------------------------------------------------- */

/* What a failure on the way looks like, and not one of the server behind it. */
static bool is_lost(const struct through *through)
{
	switch (through->reason) {
	case LB_C_CONNECT_TIMEOUT:
	case LB_C_UNREACHABLE:
		return true;
	case LB_C_ANSWER_TIMEOUT:
		return through->proto == IPPROTO_UDP;
	case LB_C_REFUSED:
	case LB_C_RESET:
		/* In the other modes it is the backend that says so. */
		return through->mode != LB_MODE_NAT && through->mode != LB_MODE_FULLNAT;
	default:
		return false;
	}
}

static __u8 reason_of_mode(const struct through *through)
{
	switch (through->mode) {
	case LB_MODE_NAT:
		return LB_C_VIA_NAT;
	case LB_MODE_DSR:
		return LB_C_VIA_DSR;
	case LB_MODE_IPIP:
	case LB_MODE_GUE:
		return LB_C_VIA_TUNNEL;
	default:
		return LB_C_VIA_FULLNAT;
	}
}

/* The backend answers directly; why it does not through the datapath. */
static void explain(struct through *through, __u8 *reason, __u16 *detail)
{
	const __u16 port = through->kept_port;
	const enum lb_reason fate = lb_probe_fate(lbd.lb, through->proto, port);
	struct lb_error err = { "" };

	*reason = through->reason;
	*detail = through->detail;
	/* What was a way may be none any more, or begin elsewhere: no fault of the backend. */
	if (through_find_way(through, &err) || port != through->kept_port || fate == LB_R_NONE)
		*reason = LB_C_DIRECT;
	else if (fate == LB_R_FLOWS_FULL) /* for all backends alike */
		*reason = LB_C_LOCAL;
	else if (fate != LB_R_FORWARDED && fate != LB_R_LEFT_TO_KERNEL)
		*reason = LB_C_VIA_UNSENT;
	else if (is_lost(through))
		*reason = reason_of_mode(through);
	else
		return;
	*detail = *reason == LB_C_VIA_UNSENT ? (__u16)fate : *reason == LB_C_LOCAL ? ENOSPC : 0;
	if (*reason == LB_C_DIRECT)
		through_tell(through,
			     err.text[0] ? err.text : "packets do not get through " LB_PROBE_LINK);
}

/* Both answers are there. True: it is asked once more. */
static bool settle(struct through *through, __u8 *reason, __u16 *detail)
{
	struct target *main = through->main;

	through->is_waiting = false;
	if (lb_check_reason_verdict(through->direct_reason) != LB_CHECK_GOOD) {
		*reason = through->direct_reason;
		*detail = through->direct_detail;
		return false;
	}
	/* The direct probe has found the link address that the datapath lacked. */
	if (!through->is_again &&
	    lb_probe_fate(lbd.lb, through->proto, through->kept_port) == LB_R_NO_NEIGHBOUR) {
		through->is_again = true;
		target_ask(main, now_ns() + main->check->config.timeout_ms * MS);
		return true;
	}
	explain(through, reason, detail);
	return false;
}

static bool take_direct(struct through *through, __u8 reason, __u16 detail)
{
	through->has_direct = true;
	through->direct_reason = reason;
	through->direct_detail = detail;
	if (through->is_waiting)
		probe_done(through->main, through->reason, through->detail);
	return true;
}

bool through_waits(struct target *target, __u8 *reason, __u16 *detail)
{
	struct through *through = target->through;
	const enum lb_check_verdict verdict = lb_check_reason_verdict(*reason);

	if (target != through->main)
		return take_direct(through, *reason, *detail);
	if (!through->is_used) {
		if (*reason == LB_C_OK)
			*reason = LB_C_DIRECT;
		return false;
	}
	through->has_failed = verdict != LB_CHECK_GOOD;
	if (!through->has_failed)
		through_untell(through);
	through->reason = *reason;
	through->detail = *detail;
	timers_cancel(&lbd.timers, &through->half);
	if (verdict != LB_CHECK_GOOD && !through->has_direct) {
		through->is_waiting = true;
		target->is_running = true;
		if (!through->direct.is_running)
			ask_directly(through);
		return true;
	}
	if (verdict != LB_CHECK_GOOD && settle(through, reason, detail))
		return true;
	through_stop(target);
	return false;
}

void through_stop(struct target *target)
{
	struct through *through = target->through;

	through->is_waiting = through->has_direct = through->is_again = false;
	timers_cancel(&lbd.timers, &through->half);
	target_stop(&through->direct);
}
