/* SPDX-License-Identifier: GPL-2.0-only */
/* The backends that a service's misses go to, each by its weight. */
#ifndef LBCACHE_CANDIDATES_H
#define LBCACHE_CANDIDATES_H

#include "server.h"

/* Never changed once a worker can see it; a change makes a new one. */
struct candidates {
	unsigned int count;
	uint64_t total; /* of all weights */
	struct candidate {
		union address address;
		uint32_t number; /* in the maps, or SIGN_NOWHERE */
		uint64_t end;	 /* of its part: the weights up to and with it */
	} list[];
};

/* Empty, with room for so many; NULL: out of memory. */
struct candidates *candidates_new(unsigned int room);
/* Within the room. */
void candidates_add(struct candidates *candidates, const union address *address, uint32_t weight,
		    uint32_t number);
/*
 * The position in the list for a turn: turns one after the other are spread by weight as evenly as
 * can be. The list must not be empty.
 */
unsigned int candidates_pick(const struct candidates *candidates, uint64_t turn);
/* Puts it into force; the old one goes when no worker looks at it any more. One caller at a time.
 */
void candidates_replace(struct server *server, struct service *service,
			struct candidates *candidates);

#endif
