// SPDX-License-Identifier: GPL-2.0-only
/* Open addressing with linear probing, at most half full. See index.h. */
#include <errno.h>
#include <stdlib.h>

#include "index.h"

int lb_index_init(struct lb_index *index, __u32 count)
{
	__u32 size = 16;

	while (size < 2 * (__u64)count)
		size *= 2;
	index->cells = calloc(size, sizeof(*index->cells));
	index->mask = size - 1;
	return index->cells ? 0 : -ENOMEM;
}

void lb_index_free(struct lb_index *index)
{
	free(index->cells);
	index->cells = NULL;
}

void lb_index_add(struct lb_index *index, __u64 hash, __u32 number)
{
	__u32 at = (__u32)hash & index->mask;

	while (index->cells[at])
		at = (at + 1) & index->mask;
	index->cells[at] = number + 1;
}

bool lb_index_next(const struct lb_index *index, __u64 hash, __u32 *at, __u32 *number)
{
	const __u32 cell = index->cells[((__u32)hash + *at) & index->mask];

	if (!cell)
		return false;
	(*at)++;
	*number = cell - 1;
	return true;
}

__u64 lb_index_hash(const union lb_addr *addr, __be16 port, __u32 other)
{
	static const struct lb_hash_key key = {
		.seed = 0x2545f4914f6cdd1dull,
		.word = { 0x9e3779b97f4a7c15ull, 0xbf58476d1ce4e5b9ull, 0x94d049bb133111ebull },
	};

	return lb_hash_addr(&key, addr, (__u64)other << 16 | port);
}
