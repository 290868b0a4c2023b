/* SPDX-License-Identifier: GPL-2.0-only */
/* A DNS question and what its answer is worth (RFC 1035, section 4). Knows no sockets. */
#ifndef LBD_DNS_H
#define LBD_DNS_H

#include <stddef.h>
#include <stdint.h>

#define DNS_QUERY_MAX 288

/*
 * The length of the query in buf. "" and "." ask for the root's name servers, any other name for
 * its addresses (A, or AAAA with is_v6). 0 for a name that is none.
 */
size_t dns_query(uint8_t buf[DNS_QUERY_MAX], uint16_t id, const char *name, int is_v6);

enum dns_answer {
	DNS_GOOD,
	DNS_ERROR, /* code is not 0 */
	DNS_EMPTY, /* no answer in it */
	DNS_OTHER, /* the answer to another question */
	DNS_MALFORMED,
};

enum dns_answer dns_answer(const uint8_t *query, size_t query_length, const uint8_t *answer,
			   size_t length, uint16_t *code);

#endif
