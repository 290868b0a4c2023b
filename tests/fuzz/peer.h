/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request as another parser understood it. Each peer has a file of its own, since their headers
 * use the same names for different things.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PEER_BYTES_MAX 4096

struct peer_bytes {
	size_t len;
	char at[PEER_BYTES_MAX];
};

struct peer {
	const char *refusal; /* the peer's own words, NULL while it has none */
	bool is_head_whole, is_whole;
	bool is_in_value;
	unsigned int minor;
	struct peer_bytes target, body;
	struct peer_bytes fields; /* "name:value\n" each, in the order of the request */
};

static inline int peer_add(struct peer_bytes *bytes, const char *at, size_t len)
{
	if (len > sizeof(bytes->at) - bytes->len)
		return -1;
	memcpy(bytes->at + bytes->len, at, len);
	bytes->len += len;
	return 0;
}

static inline int peer_add_name(struct peer *peer, const char *at, size_t len)
{
	if (peer->is_head_whole) /* a trailer */
		return 0;
	if (peer->is_in_value && peer_add(&peer->fields, "\n", 1))
		return -1;
	peer->is_in_value = false;
	return peer_add(&peer->fields, at, len);
}

static inline int peer_add_value(struct peer *peer, const char *at, size_t len)
{
	if (peer->is_head_whole)
		return 0;
	while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	if (!peer->is_in_value && peer_add(&peer->fields, ":", 1))
		return -1;
	peer->is_in_value = true;
	return peer_add(&peer->fields, at, len);
}

static inline int peer_end_head(struct peer *peer, unsigned int minor)
{
	if (peer->is_in_value && peer_add(&peer->fields, "\n", 1))
		return -1;
	peer->is_head_whole = true;
	peer->minor = minor;
	return 0;
}

/*
 * Feed bytes[0, len) to the peer in two pieces, the first of cut bytes; early tells whether it took
 * the request for whole after the first one.
 */
void peer_http_parser(struct peer *peer, const char *bytes, size_t len, size_t cut, bool *early);
void peer_llhttp(struct peer *peer, const char *bytes, size_t len, size_t cut, bool *early);

#endif
