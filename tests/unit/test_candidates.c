// SPDX-License-Identifier: GPL-2.0-only
/* Backends of misses by weight: shares over many turns, and over the first few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lbcache/candidates.h"

static struct candidates *make(const uint32_t *weights, unsigned int count)
{
	struct candidates *candidates = candidates_new(count);
	union address address;

	assert_non_null(candidates);
	memset(&address, 0, sizeof(address));
	for (unsigned int i = 0; i < count; i++)
		candidates_add(candidates, &address, weights[i], i);
	return candidates;
}

static void follow_the_weights(void **state)
{
	static const uint32_t weights[] = { 8190, 1, 4095, 4095 };
	struct candidates *candidates = make(weights, 4);
	unsigned int got[4] = { 0 };

	(void)state;
	for (uint64_t turn = 1000; turn < 1000 + 163810; turn++)
		got[candidates_pick(candidates, turn)]++;
	for (unsigned int i = 0; i < 4; i++)
		assert_in_range(got[i] + 10, 10 * weights[i], 10 * weights[i] + 20);
	free(candidates);
}

/* Not one after the other in long runs, as the slots of a table lie. */
static void take_turns(void **state)
{
	static const uint32_t weights[] = { 5461, 5460, 5460 };
	struct candidates *candidates = make(weights, 3);

	(void)state;
	for (uint64_t turn = 0; turn < 1000; turn++) {
		unsigned int seen = 0;

		for (uint64_t i = 0; i < 5; i++)
			seen |= 1u << candidates_pick(candidates, turn + i);
		assert_int_equal(seen, 7);
	}
	free(candidates);
}

static void one_is_all(void **state)
{
	static const uint32_t weight = 1;
	struct candidates *candidates = make(&weight, 1);

	(void)state;
	assert_int_equal(candidates_pick(candidates, 0), 0);
	assert_int_equal(candidates_pick(candidates, ~0ull), 0);
	free(candidates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follow_the_weights),
		cmocka_unit_test(take_turns),
		cmocka_unit_test(one_is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
