// SPDX-License-Identifier: GPL-2.0-only
/* Backends by weight, and how one list of them takes the place of another. */
#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "worker.h"

#define GOLDEN 0x9e3779b97f4a7c15ull /* 2^64 / 1.618…: its multiples are spread evenly */

struct candidates *candidates_new(unsigned int room)
{
	return calloc(1, sizeof(struct candidates) + room * sizeof(struct candidate));
}

void candidates_add(struct candidates *candidates, const union address *address, uint32_t weight,
		    uint32_t number)
{
	candidates->total += weight;
	candidates->list[candidates->count++] = (struct candidate){ .address = *address,
								    .number = number,
								    .end = candidates->total };
}

unsigned int candidates_pick(const struct candidates *candidates, uint64_t turn)
{
	const uint64_t at =
		(uint64_t)((unsigned __int128)(turn * GOLDEN) * candidates->total >> 64);
	unsigned int low = 0, high = candidates->count - 1;

	while (low < high) {
		const unsigned int middle = (low + high) / 2;

		if (at < candidates->list[middle].end)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void candidates_replace(struct server *server, struct service *service,
			struct candidates *candidates)
{
	struct candidates *old = service->candidates;

	__atomic_store_n(&service->candidates, candidates, __ATOMIC_SEQ_CST);
	/* A worker hangs: the list stays, rather than being read when it is gone. */
	if (old && server_wait_turn(server))
		free(old);
}
