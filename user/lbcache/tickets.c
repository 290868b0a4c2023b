// SPDX-License-Identifier: GPL-2.0-only
/* Keys of session tickets: made when needed, forgotten in time, never written anywhere. */
#include "tickets.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#define HOUR_S 3600
#define KEPT (TICKET_LIFE_S / HOUR_S + 1) /* the newest, and those that living tickets have */

static struct {
	pthread_mutex_t lock;
	struct {
		struct ticket_key key;
		time_t made; /* 0: there is none */
	} ring[KEPT];	     /* the newest first */
} tickets = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A clock that was set back makes a new one too. */
static bool is_current(time_t now)
{
	return tickets.ring[0].made && now >= tickets.ring[0].made &&
	       now - tickets.ring[0].made < HOUR_S;
}

static bool turn(time_t now)
{
	struct ticket_key key;

	if (is_current(now))
		return true;
	if (RAND_bytes((unsigned char *)&key, sizeof(key)) != 1)
		return false;
	memmove(&tickets.ring[1], &tickets.ring[0], sizeof(tickets.ring[0]) * (KEPT - 1));
	tickets.ring[0].key = key;
	tickets.ring[0].made = now;
	OPENSSL_cleanse(&key, sizeof(key));
	return true;
}

bool tickets_newest(time_t now, struct ticket_key *out)
{
	bool is_there;

	(void)pthread_mutex_lock(&tickets.lock);
	is_there = turn(now);
	if (is_there)
		*out = tickets.ring[0].key;
	(void)pthread_mutex_unlock(&tickets.lock);
	return is_there;
}

bool tickets_find(time_t now, const unsigned char *name, struct ticket_key *out, bool *is_newest)
{
	bool is_there = false;

	(void)pthread_mutex_lock(&tickets.lock);
	for (unsigned int i = 0; i < KEPT && !is_there; i++) {
		if (!tickets.ring[i].made || now - tickets.ring[i].made >= TICKET_LIFE_S + HOUR_S ||
		    memcmp(tickets.ring[i].key.name, name, TICKET_NAME_SIZE))
			continue;
		*out = tickets.ring[i].key;
		*is_newest = i == 0 && is_current(now);
		is_there = true;
	}
	(void)pthread_mutex_unlock(&tickets.lock);
	return is_there;
}
