// SPDX-License-Identifier: GPL-2.0-only
/*
 * The datapath's hashes on the inputs that a balancer really sees, which are sequences: ports and
 * addresses that count up. They must spread like random numbers, and no two keys may meet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lb_hash.h"

#define KEYS 4
#define SAMPLES 262144
#define SLOTS_MOST 65537

struct tuple {
	union lb_addr src, dst;
	__be16 src_port, dst_port;
	__u8 proto;
};

typedef void (*sequence_fn)(struct tuple *tuple, __u32 i);

static __u64 hashes[SAMPLES];
static __u32 counts[SLOTS_MOST];

/* A generator of another make than the hash under test (Steele et al., splitmix64). */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static struct lb_hash_key make_key(__u64 number)
{
	struct lb_hash_key key = { .seed = next_random(&number) };

	for (int i = 0; i < LB_HASH_WORDS; i++)
		key.word[i] = next_random(&number) | 1;
	return key;
}

static __u64 hash_tuple(const struct lb_hash_key *key, const struct tuple *t)
{
	return lb_hash_tuple(key, &t->src, &t->dst, t->src_port, t->dst_port, t->proto);
}

static void set_v6(union lb_addr *addr, __u32 high, __u32 low)
{
	addr->words[0] = htonl(0x20010db8);
	addr->words[1] = htonl(high);
	addr->words[2] = 0;
	addr->words[3] = htonl(low);
}

static struct tuple base_v4(void)
{
	struct tuple tuple = { .src_port = htons(40000), .dst_port = htons(80), .proto = 6 };

	lb_addr_from_v4(&tuple.src, htonl(0xc6336407)); /* 198.51.100.7 */
	lb_addr_from_v4(&tuple.dst, htonl(0xcb00710a)); /* 203.0.113.10 */
	return tuple;
}

static struct tuple base_v6(void)
{
	struct tuple tuple = base_v4();

	set_v6(&tuple.src, 7, 1);
	set_v6(&tuple.dst, 0, 10);
	return tuple;
}

/* One client's ports, then the next client's. */
static void v4_ports(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	tuple->src_port = htons((__u16)i);
	lb_addr_from_v4(&tuple->src, htonl(0xc6336400 + (i >> 16)));
}

/* Even ports only, as Linux gives them to connect(). */
static void v4_even_ports(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	tuple->src_port = htons((__u16)(32768 + i % 14000 * 2));
	lb_addr_from_v4(&tuple->src, htonl(0xc6336400 + i / 14000));
}

static void v4_clients(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	lb_addr_from_v4(&tuple->src, htonl(0xc6120000 + i));
}

/* One host of each /24: only the middle bytes count up. */
static void v4_networks(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	lb_addr_from_v4(&tuple->src, htonl(i << 8 | 1));
}

/* Many services: address and port of the destination count up together. */
static void v4_services(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	lb_addr_from_v4(&tuple->dst, htonl(0xcb007100 + (i >> 8)));
	tuple->dst_port = htons((__u16)(8000 + (i & 255)));
}

/* The port follows the address, so that a plain sum of the two would hardly change. */
static void v4_opposite(struct tuple *tuple, __u32 i)
{
	*tuple = base_v4();
	lb_addr_from_v4(&tuple->src, htonl(0xc6120000 + i));
	tuple->src_port = htons((__u16)(0xffff - i));
}

static void v6_ports(struct tuple *tuple, __u32 i)
{
	*tuple = base_v6();
	set_v6(&tuple->src, 7, 1 + (i >> 16));
	tuple->src_port = htons((__u16)i);
}

static void v6_clients(struct tuple *tuple, __u32 i)
{
	*tuple = base_v6();
	set_v6(&tuple->src, 7, i);
}

static void v6_networks(struct tuple *tuple, __u32 i)
{
	*tuple = base_v6();
	set_v6(&tuple->src, i, 1);
}

/* A /64 for each rack, small host numbers in it: both halves count up, each at its end. */
static void v6_racks(struct tuple *tuple, __u32 i)
{
	*tuple = base_v6();
	set_v6(&tuple->src, i >> 8 & 255, i & 255);
	set_v6(&tuple->dst, 256, 10 + (i >> 16));
}

static const struct {
	const char *name;
	sequence_fn make;
} sequences[] = {
	{ "v4 ports", v4_ports },	{ "v4 even ports", v4_even_ports },
	{ "v4 clients", v4_clients },	{ "v4 networks", v4_networks },
	{ "v4 services", v4_services }, { "v4 opposite", v4_opposite },
	{ "v6 ports", v6_ports },	{ "v6 clients", v6_clients },
	{ "v6 networks", v6_networks }, { "v6 racks", v6_racks },
};

#define SEQUENCES (sizeof(sequences) / sizeof(*sequences))

static void fill_hashes(const struct lb_hash_key *key, sequence_fn make)
{
	for (__u32 i = 0; i < SAMPLES; i++) {
		struct tuple tuple;

		make(&tuple, i);
		hashes[i] = hash_tuple(key, &tuple);
	}
}

/*
 * Chi-square of how hashes[] fill the slots, as a distance from its mean in standard deviations.
 * With as many slots as here it is normal enough; too even is as suspect as too uneven.
 */
static double slot_deviation(__u32 slots)
{
	double expected = (double)SAMPLES / slots, chi_square = 0, freedom = slots - 1;

	memset(counts, 0, sizeof(counts));
	for (__u32 i = 0; i < SAMPLES; i++) {
		__u32 slot = lb_hash_slot(hashes[i], slots);

		assert_in_range(slot, 0, slots - 1);
		counts[slot]++;
	}
	for (__u32 slot = 0; slot < slots; slot++)
		chi_square += (counts[slot] - expected) * (counts[slot] - expected) / expected;
	return (chi_square - freedom) / sqrt(2 * freedom);
}

static void test_slots_are_even(void **state)
{
	static const __u32 sizes[] = { 251, 4093, 16381, SLOTS_MOST };
	bool is_even = true;

	(void)state;
	for (__u64 k = 0; k < KEYS; k++) {
		struct lb_hash_key key = make_key(k);

		for (size_t s = 0; s < SEQUENCES; s++) {
			fill_hashes(&key, sequences[s].make);
			for (int i = 0; i < 4; i++) {
				double deviation = slot_deviation(sizes[i]);

				if (fabs(deviation) < 5)
					continue;
				print_error("%s, key %u, %u slots: %.1f deviations off\n",
					    sequences[s].name, (unsigned int)k, sizes[i],
					    deviation);
				is_even = false;
			}
		}
	}
	assert_true(is_even);
}

static int compare_hashes(const void *left, const void *right)
{
	__u64 a = *(const __u64 *)left, b = *(const __u64 *)right;

	return (a > b) - (a < b);
}

static void assert_all_differ(__u64 *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_hashes);
	for (size_t i = 1; i < count; i++)
		assert_int_not_equal(values[i - 1], values[i]);
}

/* Distinct tuples have distinct hashes: 64 bits make a chance meeting one in 500 million. */
static void test_no_collisions(void **state)
{
	(void)state;
	for (__u64 k = 0; k < KEYS; k++) {
		struct lb_hash_key key = make_key(k);

		for (size_t s = 0; s < SEQUENCES; s++) {
			fill_hashes(&key, sequences[s].make);
			assert_all_differ(hashes, SAMPLES);
		}
	}
}

/* A flow and its reverse are two keys, and so is one with addresses or ports swapped alone. */
static void test_swapped_tuples_differ(void **state)
{
	struct lb_hash_key key = make_key(0);

	(void)state;
	for (size_t s = 0; s < SEQUENCES; s++) {
		for (__u32 i = 0; i < SAMPLES / 4; i++) {
			struct tuple t;
			__u64 hash[4];

			sequences[s].make(&t, i);
			if (t.src_port == t.dst_port)
				t.src_port ^= 1;
			hash[0] = hash_tuple(&key, &t);
			hash[1] = lb_hash_tuple(&key, &t.dst, &t.src, t.dst_port, t.src_port,
						t.proto);
			hash[2] = lb_hash_tuple(&key, &t.dst, &t.src, t.src_port, t.dst_port,
						t.proto);
			hash[3] = lb_hash_tuple(&key, &t.src, &t.dst, t.dst_port, t.src_port,
						t.proto);
			assert_all_differ(hash, 4);
		}
	}
}

/* TCP and UDP of the same addresses and ports, and other keys, give unrelated slots. */
static void test_keys_and_protocols_differ(void **state)
{
	struct lb_hash_key key = make_key(0), other = make_key(1);
	__u32 same_proto = 0, same_key = 0;

	(void)state;
	for (__u32 i = 0; i < SAMPLES; i++) {
		struct tuple tuple;
		__u32 slot;

		v4_clients(&tuple, i);
		slot = lb_hash_slot(hash_tuple(&key, &tuple), 251);
		same_key += slot == lb_hash_slot(hash_tuple(&other, &tuple), 251);
		tuple.proto = 17;
		same_proto += slot == lb_hash_slot(hash_tuple(&key, &tuple), 251);
	}
	assert_in_range(same_key, SAMPLES / 251 * 4 / 5, SAMPLES / 251 * 6 / 5);
	assert_in_range(same_proto, SAMPLES / 251 * 4 / 5, SAMPLES / 251 * 6 / 5);
}

static void flip_bit(struct tuple *tuple, unsigned int bit)
{
	if (bit < 128)
		tuple->src.bytes[bit / 8] ^= (__u8)(1u << bit % 8);
	else if (bit < 256)
		tuple->dst.bytes[(bit - 128) / 8] ^= (__u8)(1u << bit % 8);
	else if (bit < 272)
		tuple->src_port ^= (__be16)(1u << (bit - 256));
	else if (bit < 288)
		tuple->dst_port ^= (__be16)(1u << (bit - 272));
	else
		tuple->proto ^= (__u8)(1u << (bit - 288));
}

/* One bit of the tuple changes each bit of the hash in about half of the cases. */
static void test_avalanche(void **state)
{
	enum { TRIES = 4096, IN = 296, OUT = 64 };
	static __u32 flips[IN][OUT];
	struct lb_hash_key key = make_key(0);
	__u64 random = 5;

	(void)state;
	memset(flips, 0, sizeof(flips));
	for (int try = 0; try < TRIES; try++) {
		struct tuple tuple = { .proto = (__u8)next_random(&random) };
		__u64 ports = next_random(&random), hash;

		for (int i = 0; i < 2; i++) {
			tuple.src.quads[i] = next_random(&random);
			tuple.dst.quads[i] = next_random(&random);
		}
		memcpy(&tuple.src_port, &ports, 2);
		tuple.dst_port = (__be16)(ports >> 48);
		hash = hash_tuple(&key, &tuple);
		for (unsigned int in = 0; in < IN; in++) {
			struct tuple flipped = tuple;
			__u64 change;

			flip_bit(&flipped, in);
			change = hash ^ hash_tuple(&key, &flipped);
			for (unsigned int out = 0; out < OUT; out++)
				flips[in][out] += change >> out & 1;
		}
	}
	for (unsigned int in = 0; in < IN; in++) {
		for (unsigned int out = 0; out < OUT; out++)
			assert_in_range(flips[in][out], TRIES * 44 / 100, TRIES * 56 / 100);
	}
}

static void endpoint(union lb_addr *addr, __be16 *port, __u32 i)
{
	if (i % 2)
		lb_addr_from_v4(addr, htonl(0xc0000200 + (i >> 9)));
	else
		set_v6(addr, 0, i >> 9);
	*port = htons((__u16)((i >> 1 & 255) + 5000));
}

/* The look-up table takes its tag from the whole and its bucket from the low bits. */
static void test_lookup(void **state)
{
	(void)state;
	for (__u64 k = 0; k < KEYS; k++) {
		struct lb_hash_key key = make_key(k);
		__u32 same_bucket = 0;

		for (__u32 i = 0; i < SAMPLES; i++) {
			union lb_addr addr;
			__be16 port;
			__u64 reseeded;

			endpoint(&addr, &port, i);
			hashes[i] = lb_hash_lookup(&key, &addr, port, 6, 1);
			reseeded = lb_hash_lookup(&key, &addr, port, 6, 2);
			assert_true(hashes[i] >> 31 & 1); /* so no tag is 0 */
			same_bucket += (hashes[i] & 255) == (reseeded & 255);
		}
		assert_in_range(same_bucket, SAMPLES / 256 * 4 / 5, SAMPLES / 256 * 6 / 5);
		for (__u32 i = 0; i < SAMPLES; i++)
			hashes[i] <<= 64 - 14; /* slot_deviation() reads from the top */
		assert_true(fabs(slot_deviation(1 << 14)) < 5);
	}
}

/* Backends numbered by rack and host: whose hashes meet under one seed part under another. */
static void test_lookup_of_racks(void **state)
{
	(void)state;
	for (__u64 k = 0; k < KEYS; k++) {
		struct lb_hash_key key = make_key(k);

		for (__u32 i = 0; i < SAMPLES; i++) {
			union lb_addr addr;

			set_v6(&addr, i >> 8, i & 255);
			hashes[i] = lb_hash_lookup(&key, &addr, htons(80), 6, 1);
			hashes[i] |= (__u64)lb_hash_lookup(&key, &addr, htons(80), 6, 2) << 32;
		}
		assert_all_differ(hashes, SAMPLES);
	}
}

/* A flow's two directions, in the flow table under one key, never meet. */
static void test_flows(void **state)
{
	(void)state;
	for (__u64 k = 0; k < KEYS; k++) {
		struct lb_hash_key key = make_key(k);

		for (__u32 i = 0; i < SAMPLES; i += 2) {
			union lb_addr addr;
			__be16 port;

			endpoint(&addr, &port, i / 2);
			hashes[i] = lb_hash_forward(&key, &addr, port, 3);
			hashes[i + 1] = lb_hash_reply(&key, &addr, port, 3);
		}
		assert_true(fabs(slot_deviation(251)) < 5);
		assert_true(fabs(slot_deviation(16381)) < 5);
		assert_all_differ(hashes, SAMPLES);
	}
}

static void test_scale(void **state)
{
	(void)state;
	assert_int_equal(lb_hash_scale(0, 655373), 0);
	assert_int_equal(lb_hash_scale(~0u, 655373), 655372);
	assert_int_equal(lb_hash_scale(~0u, 1), 0);
	assert_int_equal(lb_hash_scale(0x80000000u, 1000), 500);
	assert_int_equal(lb_hash_slot(0x80000000ffffffffull, 1000), 500); /* the high half alone */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_are_even),
		cmocka_unit_test(test_no_collisions),
		cmocka_unit_test(test_swapped_tuples_differ),
		cmocka_unit_test(test_keys_and_protocols_differ),
		cmocka_unit_test(test_avalanche),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_lookup_of_racks),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
