// SPDX-License-Identifier: GPL-2.0-only
/*
 * The incremental weighted Maglev table, in four steps: how many slots each owner is due, which
 * slots the owners above that give back, in which order the others take turns, and which free slot
 * a turn takes. Knows nothing of backends, maps or history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maglev.h"

#define NOBODY 0xffffu

/* An owner with weight. */
struct claimant {
	__u64 identity;
	__u64 remainder; /* of its share, in parts of the sum of weights */
	__u64 due;	 /* round of its next turn, 32 fraction bits */
	__u64 step;	 /* rounds between two of its turns, likewise */
	__u32 target;
	__u32 need;
	__u32 at;      /* next slot of its permutation */
	__u32 skip;    /* from each slot of its permutation to the next */
	__u32 inverse; /* of skip, modulo slots; 0 until it is wanted */
	__u16 owner;
	__u16 next; /* claimant with a turn in the same round */
	bool has_extra;
};

struct build {
	__u16 *table;
	__u32 slots;
	struct claimant *claimants;
	unsigned int count;
	__u64 weight_sum;
	__u32 *held;	 /* by owner number: slots now, later those above its target */
	__u64 *free_map; /* a bit for each slot, small enough for the first-level cache */
	__u32 free_count;
	__u32 *free_list; /* in no order, when no more than list_limit are left */
	__u32 list_limit;
	__u16 *rounds; /* the last claimant of each round's ring */
	__u32 round_count;
};

bool lb_is_prime(__u32 number)
{
	if (number < 4)
		return number >= 2;
	if (number % 2 == 0)
		return false;
	for (__u32 divisor = 3; divisor <= number / divisor; divisor += 2) {
		if (number % divisor == 0)
			return false;
	}
	return true;
}

__u32 lb_next_prime(__u32 number)
{
	while (!lb_is_prime(number)) {
		if (++number == 0)
			return 0;
	}
	return number;
}

__u32 lb_maglev_slots_for(unsigned int backends)
{
	if (backends > LB_SLOTS_MAX / LB_MAGLEV_SLOTS_PER_BACKEND)
		return 0;
	if (backends * LB_MAGLEV_SLOTS_PER_BACKEND <= LB_SLOTS_MIN)
		return LB_SLOTS_MIN;
	return lb_next_prime(backends * LB_MAGLEV_SLOTS_PER_BACKEND);
}

/*
 * Who is first in line for a slot that rounding leaves over, and for a turn: whoever has such a
 * slot already, so that rounding alone moves nothing; then the largest remainder; then by identity,
 * which unlike the owner's number is the same on every balancer.
 */
static int compare_claimants(const void *left, const void *right)
{
	const struct claimant *a = left, *b = right;

	if (a->has_extra != b->has_extra)
		return a->has_extra ? -1 : 1;
	if (a->remainder != b->remainder)
		return a->remainder > b->remainder ? -1 : 1;
	if (a->identity != b->identity)
		return a->identity < b->identity ? -1 : 1;
	return (a->owner > b->owner) - (a->owner < b->owner);
}

static int add_claimants(struct build *b, const struct lb_maglev_owner *owners, unsigned int count)
{
	__u64 listed[(LB_OWNER_MASK + 1) / 64] = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		const struct lb_maglev_owner *from = &owners[i];
		__u64 bit = 1ull << from->owner % 64;
		__u64 hash = lb_hash_mix(from->identity);

		if (from->owner >= LB_OWNER_NONE || from->weight > LB_MAGLEV_WEIGHT_MAX ||
		    (listed[from->owner / 64] & bit))
			return -EINVAL;
		listed[from->owner / 64] |= bit;
		if (!from->weight)
			continue;
		b->weight_sum += from->weight;
		b->claimants[b->count++] = (struct claimant){
			.identity = from->identity,
			.target = from->weight, /* until set_targets() */
			.at = lb_hash_scale((__u32)hash, b->slots),
			.skip = 1 + lb_hash_scale((__u32)(hash >> 32), b->slots - 1),
			.owner = from->owner,
		};
	}
	return 0;
}

/* Shares rounded so that their sum is the table's size; held[] becomes what is above them. */
static void set_targets(struct build *b)
{
	__u32 left = b->slots;

	for (unsigned int i = 0; i < b->count; i++) {
		struct claimant *c = &b->claimants[i];
		__u64 share = (__u64)b->slots * c->target;

		c->target = (__u32)(share / b->weight_sum);
		c->remainder = share % b->weight_sum;
		c->has_extra = b->held[c->owner] > c->target;
		left -= c->target;
	}
	qsort(b->claimants, b->count, sizeof(*b->claimants), compare_claimants);
	for (unsigned int i = 0; i < b->count; i++) {
		struct claimant *c = &b->claimants[i];
		__u32 held = b->held[c->owner];

		c->target += i < left;
		c->need = c->target > held ? c->target - held : 0;
		b->held[c->owner] = held > c->target ? held - c->target : 0;
		if (c->need > b->round_count)
			b->round_count = c->need;
	}
}

/*
 * Frees the slots that are above their owners' targets. The stride is near the golden section of
 * the table, so that wherever the scan ends, what it has passed is spread over the whole table.
 */
static __u32 release_slots(struct build *b)
{
	__u32 stride = (__u32)((__u64)b->slots * 618034 / 1000000);
	__u32 slot = 0, excess = 0, released;

	for (__u32 owner = 0; owner < LB_OWNER_NONE; owner++)
		excess += b->held[owner];
	for (released = 0; released < excess;) {
		__u16 owner = b->table[slot];

		if (b->held[owner]) {
			b->held[owner]--;
			b->table[slot] = LB_OWNER_NONE;
			released++;
		}
		slot += stride;
		if (slot >= b->slots)
			slot -= b->slots;
	}
	return released;
}

static void find_free(struct build *b)
{
	for (__u32 slot = 0; slot < b->slots; slot++) {
		__u64 is_free = b->table[slot] == LB_OWNER_NONE;

		b->free_map[slot / 64] |= is_free << slot % 64;
		b->free_count += (__u32)is_free;
	}
}

static void list_free(struct build *b)
{
	__u32 length = 0;

	for (__u32 i = 0; i <= b->slots / 64; i++) {
		for (__u64 word = b->free_map[i]; word; word &= word - 1)
			b->free_list[length++] = i * 64 + (__u32)__builtin_ctzll(word);
	}
}

/* Euclid's algorithm, extended; slots is prime and 0 < number < slots. */
static __u32 invert(__u32 number, __u32 slots)
{
	__s64 factor = 1, last_factor = 0;
	__u32 rest = number, last_rest = slots;

	while (rest != 1) {
		__u32 quotient = last_rest / rest;
		__u32 new_rest = last_rest % rest;
		__s64 new_factor = last_factor - quotient * factor;

		last_rest = rest;
		rest = new_rest;
		last_factor = factor;
		factor = new_factor;
	}
	return (__u32)(factor < 0 ? factor + slots : factor);
}

/* The next free slot of the claimant's permutation, by walking it. */
static __u32 walk_to_free(struct build *b, struct claimant *c)
{
	__u32 at = c->at, skip = c->skip, slots = b->slots, found;

	do {
		found = at;
		at += skip;
		at = at >= slots ? at - slots : at;
	} while (!(b->free_map[found / 64] >> found % 64 & 1));
	c->at = at;
	b->free_map[found / 64] &= ~(1ull << found % 64);
	return found;
}

/*
 * The same slot when few are left and the walk is long: the one of the list that the walk would
 * meet first. Slot s is met after (s - at) / skip steps, modulo slots. The remainder is taken by a
 * multiplication (Shoup): with 40 fraction bits the quotient is exact, since slots < 2^20.
 */
static __u32 nearest_free(struct build *b, struct claimant *c)
{
	__u32 slots = b->slots, best = 0, best_steps = slots, found;
	__u64 scaled;

	if (!c->inverse)
		c->inverse = invert(c->skip, slots);
	scaled = ((__u64)c->inverse << 40) / slots;
	for (__u32 i = 0; i < b->free_count; i++) {
		__u32 slot = b->free_list[i];
		__u32 way = slot >= c->at ? slot - c->at : slot + slots - c->at;
		__u64 quotient = way * scaled >> 40;
		__u32 steps = (__u32)((__u64)way * c->inverse - quotient * slots);

		if (steps < best_steps) {
			best_steps = steps;
			best = i;
		}
	}
	found = b->free_list[best];
	b->free_list[best] = b->free_list[b->free_count - 1];
	return found;
}

/* Appends the claimant to the ring of the round its next turn is due in. */
static void queue_turn(struct build *b, __u16 number)
{
	struct claimant *c = &b->claimants[number];
	__u16 *last = &b->rounds[c->due >> 32];

	if (*last == NOBODY) {
		c->next = number;
	} else {
		c->next = b->claimants[*last].next;
		b->claimants[*last].next = number;
	}
	*last = number;
}

static void take_turn(struct build *b, __u16 number)
{
	struct claimant *c = &b->claimants[number];
	__u32 slot = b->free_count > b->list_limit ? walk_to_free(b, c) : nearest_free(b, c);

	b->table[slot] = c->owner;
	if (--b->free_count == b->list_limit)
		list_free(b);
	c->due += c->step;
	if (--c->need)
		queue_turn(b, number);
}

/*
 * Maglev's turns: the neediest owner has one in each round, the others have theirs spread evenly
 * over the rounds. Owners that need the same, as in a first build with equal weights, alternate.
 */
static void take_turns(struct build *b)
{
	memset(b->rounds, 0xff, b->round_count * sizeof(*b->rounds));
	for (unsigned int i = 0; i < b->count; i++) {
		struct claimant *c = &b->claimants[i];

		if (!c->need)
			continue;
		c->step = ((__u64)b->round_count << 32) / c->need;
		c->due = c->step / 2;
		queue_turn(b, (__u16)i);
	}
	if (b->free_count <= b->list_limit)
		list_free(b);
	for (__u32 round = 0; round < b->round_count; round++) {
		__u16 last = b->rounds[round];
		__u16 next = last == NOBODY ? NOBODY : b->claimants[last].next;

		while (next != NOBODY) {
			__u16 number = next;

			next = number == last ? NOBODY : b->claimants[number].next;
			take_turn(b, number);
		}
	}
}

static void free_build(struct build *b)
{
	free(b->claimants);
	free(b->held);
	free(b->free_map);
	free(b->free_list);
	free(b->rounds);
}

/* Everything up to the first write to the table: what can fail is behind us then. */
static int prepare(struct build *b, const struct lb_maglev_owner *owners, unsigned int count)
{
	int err;

	while (b->list_limit * b->list_limit < b->slots)
		b->list_limit++;
	b->claimants = calloc(count + 1, sizeof(*b->claimants));
	b->held = calloc(LB_OWNER_MASK + 1, sizeof(*b->held));
	b->free_map = calloc(b->slots / 64 + 1, sizeof(*b->free_map));
	b->free_list = malloc(b->list_limit * sizeof(*b->free_list));
	if (!b->claimants || !b->held || !b->free_map || !b->free_list)
		return -ENOMEM;
	err = add_claimants(b, owners, count);
	if (err)
		return err;
	for (__u32 slot = 0; slot < b->slots; slot++)
		b->held[b->table[slot] & LB_OWNER_MASK]++;
	b->held[LB_OWNER_NONE] = 0;
	set_targets(b);
	b->rounds = malloc((b->round_count + 1) * sizeof(*b->rounds));
	return b->rounds ? 0 : -ENOMEM;
}

int lb_maglev_build(__u16 *table, __u32 slots, const struct lb_maglev_owner *owners,
		    unsigned int count, struct lb_maglev_change *change)
{
	__attribute__((cleanup(free_build))) struct build b = { .table = table, .slots = slots };
	__u32 released;
	int err;

	if (slots < LB_SLOTS_MIN || slots > LB_SLOTS_MAX || !lb_is_prime(slots) ||
	    count > LB_OWNER_NONE)
		return -EINVAL;
	err = prepare(&b, owners, count);
	if (err)
		return err;
	for (__u32 slot = 0; slot < slots; slot++)
		table[slot] &= LB_OWNER_MASK;
	released = release_slots(&b);
	find_free(&b);
	if (change) {
		change->moved = b.count ? released : 0;
		change->filled = b.count ? b.free_count - released : 0;
		change->emptied = b.count ? 0 : released;
	}
	take_turns(&b);
	return 0;
}
