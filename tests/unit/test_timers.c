// SPDX-License-Identifier: GPL-2.0-only
/* lbd's deadlines: they fire in order, once, however often they were moved or cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "lbd/timers.c"

#define COUNT 2000

static struct timer list[COUNT];
static uint64_t last;
static unsigned int fired;

static void fire(struct timer *timer)
{
	assert_true(timer->at_ns >= last);
	assert_int_equal(timer->place, 0);
	last = timer->at_ns;
	fired++;
}

static void fires_in_order(void **state)
{
	struct timers timers = { 0 };
	unsigned int set = 0;

	(void)state;
	srandom(7);
	for (unsigned int i = 0; i < 20 * COUNT; i++) {
		struct timer *timer = &list[random() % COUNT];

		timer->fire = fire;
		if (random() % 3)
			assert_int_equal(timers_set(&timers, timer, (uint64_t)random() % 100000),
					 0);
		else
			timers_cancel(&timers, timer);
	}
	for (unsigned int i = 0; i < COUNT; i++)
		set += list[i].place != 0;
	assert_int_equal(timers.count, set);
	for (uint64_t now = 0; now < 100000; now += 777) {
		timers_run(&timers, now);
		assert_true(last <= now);
	}
	timers_run(&timers, 100000);
	assert_int_equal(fired, set);
	assert_int_equal(timers_wait_ms(&timers, 0), -1);
	timers_free(&timers);
}

static void waits_until_the_first(void **state)
{
	struct timers timers = { 0 };
	struct timer one = { .fire = fire }, two = { .fire = fire };

	(void)state;
	assert_int_equal(timers_set(&timers, &one, 5000001), 0);
	assert_int_equal(timers_set(&timers, &two, 9000000), 0);
	assert_int_equal(timers_wait_ms(&timers, 0), 6); /* never too early */
	assert_int_equal(timers_wait_ms(&timers, 5000001), 0);
	timers_cancel(&timers, &one);
	timers_cancel(&timers, &one);
	assert_int_equal(timers_wait_ms(&timers, 0), 9);
	timers_free(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_order),
		cmocka_unit_test(waits_until_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
