/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hashes of the datapath: multilinear hashing with secret odd multipliers (Lemire and Kaser,
 * "Strongly universal string hashing is fast", 2014), closed by MurmurHash3's 64-bit finalizer.
 * The products do not depend on one another, so the CPU computes them side by side.
 * Plain inline C, shared by the datapath, the library and the tests.
 */
#ifndef LB_HASH_H
#define LB_HASH_H

#include "lb_addr.h"

#define LB_HASH_WORDS 5

/* word[]: odd multipliers; seed: the sum's first term. All parties that must agree share one key.
 */
struct lb_hash_key {
	__u64 seed;
	__u64 word[LB_HASH_WORDS];
};

/*
 * Half an address as a number, so that what counts up (subnets, hosts) is at its low end: a product
 * modulo 2^64 carries a difference upwards only, and two at the top would meet in a few bits.
 */
static inline __u64 lb_hash_quad(__u64 quad)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(quad);
#else
	return quad;
#endif
}

static inline __u64 lb_hash_mix(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 29;
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 32;
	return h;
}

/* Hash of a five-tuple. Ports as on the wire; proto is the IP protocol number. */
static inline __u64 lb_hash_tuple(const struct lb_hash_key *key, const union lb_addr *src,
				  const union lb_addr *dst, __be16 src_port, __be16 dst_port,
				  __u8 proto)
{
	__u64 ports = (__u64)proto << 32 | (__u32)dst_port << 16 | src_port;

	return lb_hash_mix(key->seed + lb_hash_quad(src->quads[0]) * key->word[0] +
			   lb_hash_quad(src->quads[1]) * key->word[1] +
			   lb_hash_quad(dst->quads[0]) * key->word[2] +
			   lb_hash_quad(dst->quads[1]) * key->word[3] + ports * key->word[4]);
}

/* Hash of an address and 64 bits of the caller's: port, protocol, numbers, a seed. */
static inline __u64 lb_hash_addr(const struct lb_hash_key *key, const union lb_addr *addr,
				 __u64 extra)
{
	return lb_hash_mix(key->seed + lb_hash_quad(addr->quads[0]) * key->word[0] +
			   lb_hash_quad(addr->quads[1]) * key->word[1] + extra * key->word[2]);
}

/* Maps 32 bits evenly to 0 … size - 1 without a division (Lemire, 2016). */
static inline __u32 lb_hash_scale(__u32 hash, __u32 size)
{
	return (__u32)((__u64)hash * size >> 32);
}

/*
 * Where (address, port, protocol) stands in the look-up table: the bucket by the low bits; the
 * whole is the entry's tag, never 0. All that follows waits for it, and user space tries seeds
 * until all entries fit, so half a finalizer is enough. port as on the wire; proto and port 0 for
 * an address alone.
 */
static inline __u32 lb_hash_lookup(const struct lb_hash_key *key, const union lb_addr *addr,
				   __be16 port, __u8 proto, __u32 seed)
{
	const __u64 extra = (__u64)seed << 32 | (__u32)proto << 16 | port;
	__u64 h = key->seed + lb_hash_quad(addr->quads[0]) * key->word[0] +
		  lb_hash_quad(addr->quads[1]) * key->word[1] + extra * key->word[2];

	h ^= h >> 32;
	h *= 0xff51afd7ed558ccdull;
	return (__u32)(h >> 32) | 0x80000000u;
}

/* A flow as the client's packets show it, and as the backend's do; the two never share a hash. */
static inline __u64 lb_hash_forward(const struct lb_hash_key *key, const union lb_addr *client,
				    __be16 client_port, __u16 service)
{
	return lb_hash_addr(key, client, (__u64)service << 16 | client_port);
}

static inline __u64 lb_hash_reply(const struct lb_hash_key *key, const union lb_addr *source,
				  __be16 source_port, __u16 endpoint)
{
	return lb_hash_addr(key, source, 1ull << 32 | (__u64)endpoint << 16 | source_port);
}

/* The Maglev slot of a five-tuple hash. */
static inline __u32 lb_hash_slot(__u64 hash, __u32 size)
{
	return lb_hash_scale((__u32)(hash >> 32), size);
}

#endif
