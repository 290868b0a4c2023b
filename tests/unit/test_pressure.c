// SPDX-License-Identifier: GPL-2.0-only
/* The share of new connections that a drowning thread of lbcache leaves to the backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lb_cache_abi.h"
#include "lbcache/pressure.h"

/* Turns of so many ms, one after the other with a pause, for duration_ms: the share at the end. */
static uint32_t work(struct pressure *pressure, uint64_t *now, uint32_t turn_ms, uint32_t pause_ms,
		     uint32_t duration_ms)
{
	const uint64_t end = *now + duration_ms;
	uint32_t share = 0;

	while (*now < end) {
		*now += turn_ms + pause_ms;
		share = pressure_note(pressure, *now, turn_ms, false);
	}
	return share;
}

static void busy_is_not_late(void **state)
{
	struct pressure pressure = { 0 };
	uint64_t now = 1000000;

	(void)state;
	assert_int_equal(work(&pressure, &now, PRESSURE_LATE_MS, 0, 5000), 0);
}

static void one_long_turn_is_forgiven(void **state)
{
	struct pressure pressure = { .window_ms = 1000000 };
	uint64_t now = 1000000;

	(void)state;
	assert_int_equal(work(&pressure, &now, PRESSURE_WINDOW_MS / 2 - 1, 0, 1), 0);
	assert_int_equal(work(&pressure, &now, 1, 9, 1000), 0);
}

static void late_turns_raise_it_to_all(void **state)
{
	struct pressure pressure = { .window_ms = 1000000 };
	uint64_t now = 1000000;
	uint32_t share;

	(void)state;
	share = work(&pressure, &now, 20, 5, 200);
	assert_in_range(share, LB_CACHE_BYPASS_ALL / 8, LB_CACHE_BYPASS_ALL / 4);
	share = work(&pressure, &now, 20, 5, 2000);
	assert_int_equal(share, LB_CACHE_BYPASS_ALL);
	share = work(&pressure, &now, 20, 5, 2000);
	assert_int_equal(share, LB_CACHE_BYPASS_ALL);
}

static void it_falls_again(void **state)
{
	struct pressure pressure = { .window_ms = 1000000, .share = LB_CACHE_BYPASS_ALL };
	uint64_t now = 1000000;
	uint32_t share;

	(void)state;
	share = work(&pressure, &now, 1, 9, 400);
	assert_in_range(share, LB_CACHE_BYPASS_ALL / 4, LB_CACHE_BYPASS_ALL - 1);
	assert_int_equal(work(&pressure, &now, 1, 9, 1000), 0);
}

static void no_room_is_all_at_once(void **state)
{
	struct pressure pressure = { .window_ms = 1000000 };

	(void)state;
	assert_int_equal(pressure_note(&pressure, 1000001, 0, true), LB_CACHE_BYPASS_ALL);
	assert_int_equal(pressure_note(&pressure, 1000002, 0, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_is_not_late),
		cmocka_unit_test(one_long_turn_is_forgiven),
		cmocka_unit_test(late_turns_raise_it_to_all),
		cmocka_unit_test(it_falls_again),
		cmocka_unit_test(no_room_is_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
