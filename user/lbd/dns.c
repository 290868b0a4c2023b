// SPDX-License-Identifier: GPL-2.0-only
/* A DNS question and what its answer is worth (RFC 1035, section 4). Knows no sockets. */
#include "dns.h"

#include <string.h>

#define HEADER 12u
#define TYPE_A 1u
#define TYPE_NS 2u
#define TYPE_AAAA 28u
#define FLAG_RESPONSE 0x80u

/* The length of the name in labels, or 0. */
static size_t put_name(uint8_t *out, const char *name)
{
	uint8_t *at = out;

	if (!strcmp(name, "."))
		name = "";
	while (*name) {
		size_t length = strcspn(name, ".");

		if (length == 0 || length > 63 || (size_t)(at - out) + length + 2 > 255)
			return 0;
		*at++ = (uint8_t)length;
		memcpy(at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	*at++ = 0;
	return (size_t)(at - out);
}

size_t dns_query(uint8_t buf[DNS_QUERY_MAX], uint16_t id, const char *name, int is_v6)
{
	const uint8_t header[HEADER] = {
		(uint8_t)(id >> 8), (uint8_t)id, 1 /* recursion */, 0, 0, 1
	};
	size_t length = put_name(buf + HEADER, name);
	uint8_t *tail = buf + HEADER + length;

	if (!length)
		return 0;
	memcpy(buf, header, HEADER);
	tail[0] = 0;
	tail[1] = length == 1 ? TYPE_NS : is_v6 ? TYPE_AAAA : TYPE_A;
	tail[2] = 0;
	tail[3] = 1; /* class IN */
	return HEADER + length + 4;
}

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

enum dns_answer dns_answer(const uint8_t *query, size_t query_length, const uint8_t *answer,
			   size_t length, uint16_t *code)
{
	*code = 0;
	if (length < HEADER || !(answer[2] & FLAG_RESPONSE))
		return DNS_MALFORMED;
	if (answer[0] != query[0] || answer[1] != query[1])
		return DNS_OTHER;
	*code = answer[3] & 0xf;
	/* An error may come without the question. */
	if (*code)
		return DNS_ERROR;
	if (length < query_length)
		return DNS_MALFORMED;
	for (size_t i = HEADER; i < query_length; i++)
		if (lower(query[i]) != lower(answer[i]))
			return DNS_OTHER;
	return answer[6] || answer[7] ? DNS_GOOD : DNS_EMPTY;
}
