/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys of session tickets (RFC 5077 4, RFC 8446 4.6.1), the same for all threads and
 * certificates. */
#ifndef LBCACHE_TICKETS_H
#define LBCACHE_TICKETS_H

#include <stdbool.h>
#include <time.h>

#define TICKET_NAME_SIZE 16
#define TICKET_LIFE_S 7200 /* a session's; so long its key is kept at least */

struct ticket_key {
	unsigned char name[TICKET_NAME_SIZE], cipher[32], mac[32];
};

/* The one for new tickets at this time, another one every hour. False: no randomness. */
bool tickets_newest(time_t now, struct ticket_key *out);
/* The one with this name, if it is not too old; *is_newest: no newer one is in use. */
bool tickets_find(time_t now, const unsigned char *name, struct ticket_key *out, bool *is_newest);

#endif
