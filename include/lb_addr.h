/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One address type for both families: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d
 * (RFC 4291, section 2.5.5.2). Plain inline C, shared by the datapath, the library and the tests.
 */
#ifndef LB_ADDR_H
#define LB_ADDR_H

#include <linux/types.h>
#include <stdbool.h>

union lb_addr {
	__u8 bytes[16];
	__be32 words[4];
	__u64 quads[2]; /* raw words for comparing and hashing, byte order as in memory */
};

/* The word ::ffff:0:0/96 has before the IPv4 address, and both as one quad, as they stand in
 * memory. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LB_ADDR_V4_WORD 0xffff0000u
#define LB_ADDR_V4_QUAD(v4) ((__u64)(v4) << 32 | LB_ADDR_V4_WORD)
#else
#define LB_ADDR_V4_WORD 0x0000ffffu
#define LB_ADDR_V4_QUAD(v4) ((__u64)LB_ADDR_V4_WORD << 32 | (v4))
#endif

/* Makes the 16-byte form of an IPv4 address given in network order. */
static inline void lb_addr_from_v4(union lb_addr *addr, __be32 v4)
{
	/* One store, since a quad is what is read next. */
	addr->quads[0] = 0;
	addr->quads[1] = LB_ADDR_V4_QUAD(v4);
}

static inline bool lb_addr_is_v4(const union lb_addr *addr)
{
	return addr->quads[0] == 0 && addr->words[2] == (__be32)LB_ADDR_V4_WORD;
}

/* The first length bits, 0 to 128. */
static inline void lb_addr_mask(union lb_addr *out, const union lb_addr *addr, __u32 length)
{
	const __u64 high = length >= 64 ? ~0ull : ~(~0ull >> (length & 63));
	const __u64 low = length >= 128 ? ~0ull : length <= 64 ? 0 : ~(~0ull >> (length & 63));

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	out->quads[0] = addr->quads[0] & __builtin_bswap64(high);
	out->quads[1] = addr->quads[1] & __builtin_bswap64(low);
#else
	out->quads[0] = addr->quads[0] & high;
	out->quads[1] = addr->quads[1] & low;
#endif
}

static inline bool lb_addr_is_equal(const union lb_addr *a, const union lb_addr *b)
{
	return a->quads[0] == b->quads[0] && a->quads[1] == b->quads[1];
}

#endif
