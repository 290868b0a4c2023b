// SPDX-License-Identifier: GPL-2.0-only
/* How many clients there may be, in all and of one address, and who goes when it is too many. */
#include "client.h"

#define IDLE_MS 1000 /* without a request, so that there is none on its way */

static uint32_t slot_of(const struct server *server, const union address *peer)
{
	const char *bytes = peer->any.sa_family == AF_INET ? (const char *)&peer->v4.sin_addr
							   : (const char *)&peer->v6.sin6_addr;
	/* of IPv6 the network: a client has all of it */
	size_t len = peer->any.sa_family == AF_INET ? 4 : 8;

	return key_hash(bytes, len, 0, store_seed(server->store)) % PER_ADDRESS_SLOTS;
}

bool client_is_full(const struct server *server)
{
	const uint32_t limit = server->limits.connections;

	return __atomic_load_n(&server->connections, __ATOMIC_RELAXED) >= limit - limit / 16;
}

/*
 * Near the cap the longest idle goes first. Who came just now may have asked already, unread, and
 * goes only at the cap itself.
 */
static void make_room(struct worker *worker)
{
	const uint32_t limit = worker->server->limits.connections;
	const uint32_t count = __atomic_load_n(&worker->server->connections, __ATOMIC_RELAXED);
	struct timer *oldest;

	if (count <= limit / 5 * 4)
		return;
	oldest = timer_oldest(worker, TIMER_KEEP, count < limit ? IDLE_MS : 0);
	if (oldest) {
		timer_stop(oldest);
		oldest->on_due(worker, oldest);
	}
}

bool client_admit(struct worker *worker, const union address *peer)
{
	struct server *server = worker->server;
	_Atomic uint16_t *slot = &server->per_address[slot_of(server, peer)];

	make_room(worker);
	if (__atomic_load_n(&server->connections, __ATOMIC_RELAXED) >= server->limits.connections ||
	    __atomic_load_n(slot, __ATOMIC_RELAXED) >= server->limits.per_address)
		return false;
	(void)__atomic_add_fetch(&server->connections, 1, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(slot, 1, __ATOMIC_RELAXED);
	return true;
}

void client_leave(struct worker *worker, const union address *peer)
{
	struct server *server = worker->server;

	(void)__atomic_sub_fetch(&server->connections, 1, __ATOMIC_RELAXED);
	(void)__atomic_sub_fetch(&server->per_address[slot_of(server, peer)], 1, __ATOMIC_RELAXED);
}
