// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Maglev table: shares are exact, a change moves no slot that it need not move, and slots are
 * taken as the paper says (checked against a plain, slow walk of the permutations).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maglev.h"

#define OWNERS_MAX LB_OWNER_NONE

static __u16 table[LB_SLOTS_MAX], before[LB_SLOTS_MAX], other[LB_SLOTS_MAX];
static struct lb_maglev_owner owners[OWNERS_MAX + 1];
static __u32 held[LB_OWNER_NONE + 1], held_before[LB_OWNER_NONE + 1];
static __u64 random_state;

static __u32 random_below(__u32 limit)
{
	return lb_hash_scale((__u32)(lb_hash_mix(++random_state) >> 32), limit);
}

static struct lb_maglev_owner make_owner(__u16 number, __u32 weight)
{
	return (struct lb_maglev_owner){ number, weight, lb_hash_mix(0x1234567 + number) };
}

static void set_equal(unsigned int count, __u32 weight)
{
	for (unsigned int i = 0; i < count; i++)
		owners[i] = make_owner((__u16)i, weight);
}

static void clear(__u16 *slots_of, __u32 slots)
{
	for (__u32 slot = 0; slot < slots; slot++)
		slots_of[slot] = LB_OWNER_NONE;
}

static void count_slots(const __u16 *slots_of, __u32 slots, __u32 *counts)
{
	memset(counts, 0, sizeof(held));
	for (__u32 slot = 0; slot < slots; slot++) {
		assert_in_range(slots_of[slot], 0, LB_OWNER_NONE);
		counts[slots_of[slot]]++;
	}
}

/* Builds from table[], keeps the old one in before[], and fills both counts. */
static struct lb_maglev_change build(__u32 slots, unsigned int count)
{
	struct lb_maglev_change change = { 0 };

	memcpy(before, table, slots * sizeof(*table));
	assert_int_equal(lb_maglev_build(table, slots, owners, count, &change), 0);
	count_slots(before, slots, held_before);
	count_slots(table, slots, held);
	return change;
}

static struct lb_maglev_change build_first(__u32 slots, unsigned int count)
{
	clear(table, slots);
	return build(slots, count);
}

/* Each owner has its share rounded up or down (down or up by one where the share is whole). */
static void assert_shares(__u32 slots, unsigned int count)
{
	__u64 sum = 0, total = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += owners[i].weight;
	for (unsigned int i = 0; i < count; i++) {
		__u64 floor = (__u64)slots * owners[i].weight / sum;

		assert_in_range(held[owners[i].owner], floor, floor + (owners[i].weight != 0));
		total += held[owners[i].owner];
	}
	assert_int_equal(total, slots);
}

/* Slots that differ are as many as owners gained, and as many as the build said. */
static void assert_least_moves(__u32 slots, const struct lb_maglev_change *change)
{
	__u32 gained = 0, differ = 0;

	for (__u32 owner = 0; owner < LB_OWNER_NONE; owner++)
		gained += held[owner] > held_before[owner] ? held[owner] - held_before[owner] : 0;
	for (__u32 slot = 0; slot < slots; slot++)
		differ += table[slot] != before[slot];
	assert_int_equal(differ, gained);
	assert_int_equal(change->moved, gained - held_before[LB_OWNER_NONE]);
	assert_int_equal(change->filled, held_before[LB_OWNER_NONE]);
	assert_int_equal(change->emptied, 0);
}

/* Every slot that differs went from owner or to it. */
static void assert_only_moves_of(__u32 slots, __u16 owner)
{
	for (__u32 slot = 0; slot < slots; slot++) {
		if (table[slot] != before[slot])
			assert_true(table[slot] == owner || before[slot] == owner);
	}
}

static void test_primes(void **state)
{
	static const __u32 primes[] = { 2,     3,     5,      7,      251,     16381,
					65521, 65537, 655357, 655373, 16769023 };
	unsigned int found = 0;

	(void)state;
	for (unsigned int i = 0; i < sizeof(primes) / sizeof(*primes); i++)
		assert_true(lb_is_prime(primes[i]));
	for (__u32 number = 0; number < 100000; number++)
		found += lb_is_prime(number);
	assert_int_equal(found, 9592);
	assert_false(lb_is_prime(809u * 809u));
	assert_false(lb_is_prime(65521u * 65521u));
	assert_true(lb_is_prime(4294967291u));
	assert_int_equal(lb_next_prime(0), 2);
	assert_int_equal(lb_next_prime(16381), 16381);
	assert_int_equal(lb_next_prime(16382), 16411);
	assert_int_equal(lb_next_prime(4294967292u), 0);
}

static void test_table_size(void **state)
{
	(void)state;
	assert_int_equal(lb_maglev_slots_for(0), LB_SLOTS_MIN);
	assert_int_equal(lb_maglev_slots_for(2), LB_SLOTS_MIN);
	assert_int_equal(lb_maglev_slots_for(3), 307);
	assert_in_range(lb_maglev_slots_for(150), 15000, LB_SLOTS_DEFAULT);
	assert_true(lb_maglev_slots_for(6553) <= LB_SLOTS_MAX);
	assert_int_equal(lb_maglev_slots_for(6554), 0);
	assert_int_equal(lb_maglev_slots_for(~0u), 0);
}

static void assert_refused(__u32 slots, unsigned int count)
{
	struct lb_maglev_change change = { 1, 2, 3 };

	memset(table, 0x5a, sizeof(table));
	memcpy(before, table, sizeof(table));
	assert_int_equal(lb_maglev_build(table, slots, owners, count, &change), -EINVAL);
	assert_memory_equal(table, before, sizeof(table));
	assert_int_equal(change.moved + change.filled + change.emptied, 6);
}

static void test_bad_input(void **state)
{
	(void)state;
	set_equal(3, 1);
	assert_refused(16383, 3);  /* no prime */
	assert_refused(241, 3);	   /* a prime, too small */
	assert_refused(655379, 3); /* a prime, too large */
	assert_refused(0, 3);
	assert_refused(251, LB_OWNER_NONE + 1);
	owners[2].owner = 0;
	assert_refused(251, 3);
	owners[0].weight = 0; /* twice is wrong even without weight */
	assert_refused(251, 3);
	owners[2].owner = LB_OWNER_NONE;
	assert_refused(251, 3);
	owners[2] = make_owner(2, LB_MAGLEV_WEIGHT_MAX + 1);
	assert_refused(251, 3);
}

static void test_nobody(void **state)
{
	struct lb_maglev_change change;

	(void)state;
	set_equal(3, 1);
	build_first(251, 3);
	change = build(251, 0);
	assert_int_equal(held[LB_OWNER_NONE], 251);
	assert_int_equal(change.emptied, 251);
	assert_int_equal(change.moved + change.filled, 0);
	change = build(251, 3);
	assert_int_equal(change.filled, 251);
	set_equal(3, 0);
	change = build(251, 3);
	assert_int_equal(held[LB_OWNER_NONE], 251);
	assert_int_equal(change.emptied, 251);
}

static void test_equal_weights(void **state)
{
	static const unsigned int counts[] = { 1, 2, 3, 7, 100, 150, 250, 251, 252, 5000 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		__u32 slots = counts[i] < 1000 ? 251 : LB_SLOTS_DEFAULT, least = slots, most = 0;
		struct lb_maglev_change change;

		set_equal(counts[i], 7);
		change = build_first(slots, counts[i]);
		assert_shares(slots, counts[i]);
		assert_least_moves(slots, &change);
		for (unsigned int owner = 0; owner < counts[i]; owner++) {
			least = held[owner] < least ? held[owner] : least;
			most = held[owner] > most ? held[owner] : most;
		}
		assert_in_range(most - least, 0, 1);
	}
}

static void test_weights(void **state)
{
	(void)state;
	set_equal(3, 1);
	owners[0].weight = 2;
	build_first(16381, 3);
	assert_in_range(held[0], 8190, 8191);
	assert_in_range(held[1], 4095, 4096);
	assert_in_range(held[2], 4095, 4096);
	set_equal(4, 65535);
	owners[1].weight = 1;
	owners[2].weight = 0;
	build_first(655373, 4);
	assert_shares(655373, 4);
	assert_int_equal(held[1], 5);
	assert_int_equal(held[2], 0);
}

/* The paper's pseudo-code with weighted turns: plain modulo, every turn searches and walks anew. */
static void fill_slowly(__u16 *slots_of, __u32 slots, const __u32 *order, unsigned int count,
			const __u32 *target_of)
{
	struct {
		__u32 need, taken;
		__u64 queued;
	} turn[256] = { 0 };
	__u32 rounds = 0, left = 0;

	assert_true(count <= 256);
	for (unsigned int i = 0; i < count; i++) {
		__u16 owner = owners[order[i]].owner;

		turn[i].need = target_of[owner];
		for (__u32 slot = 0; slot < slots; slot++)
			turn[i].need -= slots_of[slot] == owner;
		turn[i].queued = i;
		left += turn[i].need;
		rounds = turn[i].need > rounds ? turn[i].need : rounds;
	}
	for (__u64 now = count; left; left--, now++) {
		unsigned int first = 0;
		__u64 best = ~0ull, hash;
		__u32 slot, skip;

		for (unsigned int i = 0; i < count; i++) {
			__u64 step = turn[i].need ? ((__u64)rounds << 32) / turn[i].need : 0;
			__u64 due = (turn[i].taken * step + step / 2) >> 32;

			if (turn[i].taken < turn[i].need && (due << 32 | turn[i].queued) < best) {
				best = due << 32 | turn[i].queued;
				first = i;
			}
		}
		hash = lb_hash_mix(owners[order[first]].identity);
		skip = 1 + lb_hash_scale((__u32)(hash >> 32), slots - 1);
		slot = lb_hash_scale((__u32)hash, slots);
		while (slots_of[slot] != LB_OWNER_NONE)
			slot = (slot + skip) % slots;
		slots_of[slot] = owners[order[first]].owner;
		turn[first].taken++;
		turn[first].queued = now;
	}
}

/* The order of turns among equal weights: who is rounded up already, then by identity. */
static __u32 whole_share;

static int compare_turns(const void *left, const void *right)
{
	const struct lb_maglev_owner *a = &owners[*(const __u32 *)left];
	const struct lb_maglev_owner *b = &owners[*(const __u32 *)right];
	bool is_a_up = held_before[a->owner] > whole_share;
	bool is_b_up = held_before[b->owner] > whole_share;

	if (is_a_up != is_b_up)
		return is_a_up ? -1 : 1;
	return (a->identity > b->identity) - (a->identity < b->identity);
}

/* Fills other[] slowly from what it has, and compares it with table[]. */
static void assert_filled_alike(__u32 slots, unsigned int count)
{
	__u32 order[256] = { 0 };

	whole_share = slots / count;
	for (__u32 i = 0; i < count; i++)
		order[i] = i;
	qsort(order, count, sizeof(*order), compare_turns);
	fill_slowly(other, slots, order, count, held);
	assert_memory_equal(table, other, slots * sizeof(*table));
}

static void test_first_build_is_maglev(void **state)
{
	static const unsigned int counts[] = { 1, 3, 10, 150 };

	(void)state;
	for (unsigned int k = 0; k < 4; k++) {
		set_equal(counts[k], 10);
		build_first(5003, counts[k]);
		clear(other, 5003);
		assert_filled_alike(5003, counts[k]);
	}
	/* Weights that divide the table evenly leave the order to the identity alone. */
	set_equal(3, 1000);
	owners[1].weight = 2003;
	owners[2].weight = 2000;
	build_first(5003, 3);
	clear(other, 5003);
	assert_filled_alike(5003, 3);
}

/* Takes the last owner away and checks that the others take its slots by their permutations. */
static void check_freed(__u32 slots, unsigned int count)
{
	build_first(slots, count);
	build(slots, --count);
	for (__u32 slot = 0; slot < slots; slot++)
		other[slot] = table[slot] == before[slot] ? table[slot] : LB_OWNER_NONE;
	assert_filled_alike(slots, count);
}

static void test_freed_slots_by_permutation(void **state)
{
	(void)state;
	for (unsigned int count = 3; count <= 200; count = count * 2 + 1) {
		set_equal(count, 10);
		check_freed(5003, count);
	}
	set_equal(3, 1000);
	owners[2].weight = 1;
	check_freed(655373, 3);
}

static void test_one_change(void **state)
{
	static const __u32 weights[] = { 10, 9, 5, 1, 0, 1, 10, 11, 20, 500, 65535, 10 };
	struct lb_maglev_change change;

	(void)state;
	set_equal(101, 10);
	build_first(65537, 100);
	for (unsigned int i = 0; i < sizeof(weights) / sizeof(*weights); i++) {
		owners[42].weight = weights[i];
		change = build(65537, 100);
		assert_shares(65537, 100);
		assert_least_moves(65537, &change);
		assert_only_moves_of(65537, 42);
	}
	change = build(65537, 101);
	assert_shares(65537, 101);
	assert_least_moves(65537, &change);
	assert_only_moves_of(65537, 100);
	assert_in_range(change.moved, 648, 649);
	owners[17] = owners[100]; /* 17 goes, its place in the list is taken by another */
	change = build(65537, 100);
	assert_shares(65537, 100);
	assert_least_moves(65537, &change);
	assert_only_moves_of(65537, 17);
	assert_int_equal(held[17], 0);
}

/* Many changes at once, unequal weights, owners come and go: still exact, still the least. */
static void test_random_changes(void **state)
{
	unsigned int count = 60;

	(void)state;
	random_state = 1;
	for (unsigned int i = 0; i < count; i++)
		owners[i] = make_owner((__u16)(i * 500), random_below(1000));
	clear(table, 16381);
	for (int step = 0; step < 300; step++) {
		struct lb_maglev_change change = build(16381, count);

		assert_shares(16381, count);
		assert_least_moves(16381, &change);
		change = build(16381, count);
		assert_int_equal(change.moved + change.filled + change.emptied, 0);
		assert_memory_equal(table, before, 16381 * sizeof(*table));
		for (__u32 changes = 1 + random_below(4); changes; changes--) {
			struct lb_maglev_owner *owner = &owners[random_below(count)];

			if (random_below(3))
				owner->weight = random_below(random_below(2) ? 10 : 65536);
			else
				*owner = make_owner((__u16)(owner->owner + 1), random_below(1000));
		}
	}
}

/* Among unequal weights, one that grows takes slots; another gains one at most, by rounding. */
static void test_growing_takes_only(void **state)
{
	(void)state;
	random_state = 2;
	for (int round = 0; round < 50; round++) {
		for (unsigned int i = 0; i < 40; i++)
			owners[i] = make_owner((__u16)i, 1 + random_below(500));
		build_first(16381, 40);
		owners[round % 40].weight += 1 + random_below(500);
		build(16381, 40);
		for (int i = 0; i < 40; i++) {
			if (i != round % 40)
				assert_true(held[i] <= held_before[i] + 1);
		}
	}
}

static void test_slow_start(void **state)
{
	__u32 in_steps = 0, at_once;

	(void)state;
	set_equal(100, 100);
	build_first(65537, 99);
	memcpy(other, table, sizeof(other));
	at_once = build(65537, 100).moved;
	memcpy(table, other, sizeof(other));
	for (__u32 weight = 10; weight <= 100; weight += 10) {
		owners[99].weight = weight;
		in_steps += build(65537, 100).moved;
		assert_only_moves_of(65537, 99);
	}
	assert_in_range(in_steps, at_once - 1, at_once + 1);
	assert_in_range(at_once, 655, 656);
}

static void test_same_answer_always(void **state)
{
	(void)state;
	random_state = 3;
	for (unsigned int i = 0; i < 100; i++)
		owners[i] = make_owner((__u16)i, 1 + random_below(5)); /* many are equal */
	build_first(16381, 100);
	memcpy(other, table, sizeof(other));
	for (unsigned int i = 0; i < 100; i++) { /* any order of the list */
		struct lb_maglev_owner swapped = owners[i];
		unsigned int with = random_below(100);

		owners[i] = owners[with];
		owners[with] = swapped;
	}
	build_first(16381, 100);
	assert_memory_equal(table, other, 16381 * sizeof(*table));
	for (__u32 slot = 0; slot < 16381; slot += 3) /* history bits in, none out */
		table[slot] |= LB_OWNER_HISTORY;
	assert_int_equal(lb_maglev_build(table, 16381, owners, 100, NULL), 0);
	assert_memory_equal(table, other, 16381 * sizeof(*table));
	for (unsigned int i = 0; i < 100; i++) /* another balancer's numbers */
		owners[i].owner = 1000 - owners[i].owner;
	build_first(16381, 100);
	for (__u32 slot = 0; slot < 16381; slot++)
		assert_int_equal(table[slot], 1000 - other[slot]);
}

/* What a change moves lies all over the table: of 64 regions none has far more than its part. */
static void test_no_region_favoured(void **state)
{
	__u32 in_region[64] = { 0 };
	struct lb_maglev_change change;

	(void)state;
	set_equal(101, 10);
	build_first(65537, 100);
	for (unsigned int i = 0; i < 100; i++)
		owners[i].weight = 9;
	owners[100].weight = 1000;
	change = build(65537, 101);
	for (__u32 slot = 0; slot < 65537; slot++) {
		if (table[slot] != before[slot])
			in_region[(__u64)slot * 64 / 65537]++;
	}
	for (unsigned int i = 0; i < 64; i++) {
		assert_in_range(in_region[i] * 64, change.moved * 80 / 100,
				change.moved * 120 / 100);
	}
}

static void test_limits(void **state)
{
	struct lb_maglev_change change;

	(void)state;
	set_equal(OWNERS_MAX, LB_MAGLEV_WEIGHT_MAX);
	change = build_first(655373, OWNERS_MAX);
	assert_shares(655373, OWNERS_MAX);
	assert_least_moves(655373, &change);
	assert_int_equal(held[LB_OWNER_NONE], 0);
	for (unsigned int i = 1; i < OWNERS_MAX; i++)
		owners[i].weight = 1;
	change = build(655373, OWNERS_MAX);
	assert_shares(655373, OWNERS_MAX);
	assert_least_moves(655373, &change);
	change = build_first(251, OWNERS_MAX);
	assert_shares(251, OWNERS_MAX);
	assert_least_moves(251, &change);
	memset(owners, 0, sizeof(owners)); /* one identity for all: slower to spread, not wrong */
	for (unsigned int i = 0; i < 50; i++)
		owners[i] = (struct lb_maglev_owner){ (__u16)i, 1, 0 };
	change = build_first(16381, 50);
	assert_shares(16381, 50);
	assert_least_moves(16381, &change);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primes),
		cmocka_unit_test(test_table_size),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_equal_weights),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_first_build_is_maglev),
		cmocka_unit_test(test_freed_slots_by_permutation),
		cmocka_unit_test(test_one_change),
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_growing_takes_only),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_same_answer_always),
		cmocka_unit_test(test_no_region_favoured),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("maglev", tests, NULL, NULL);
}
