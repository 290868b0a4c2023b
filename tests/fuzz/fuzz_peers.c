// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares the parser of requests with two others, http-parser and llhttp: what it accepts, they
 * must accept, and understand as the same target, fields, body and end, or a request could be
 * smuggled past one of them to the other (RFC 9112 11.2). It may refuse what they accept. Built
 * with -DPLANTED it lets a blank before a colon pass, as lenient parsers do, which the run must
 * find.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbcache/http.h"

#include "peer.h"

#define REQUIRE(peer, condition)                                                                   \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "ERROR: %s differs: %s (%s)\n", (peer)->name,        \
				      #condition,                                                  \
				      (peer)->said.refusal ? (peer)->said.refusal : "accepted");   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What our parser makes of a request. */
struct message {
	struct http_head head;
	const char *bytes;
	bool is_whole; /* with its body */
	/* A chunk's extension behind one with a value, or in quotes: llhttp does not know all. */
	bool has_odd_extension;
	size_t len; /* of the head, and of the body if it is whole */
	struct peer_bytes fields, body;
};

struct named_peer {
	const char *name;
	void (*parse)(struct peer *peer, const char *bytes, size_t len, size_t cut, bool *early);
	struct peer said;
};

static void read_chunks(struct message *message, size_t size, bool *is_bad)
{
	const char *const body = message->bytes + message->len, *value;
	struct http_chunked chunked = { 0 };
	struct text piece;
	size_t left;

	while (message->len < size && !chunked.is_done) {
		ssize_t ret = http_chunk_take(&chunked, message->bytes + message->len,
					      size - message->len, &piece);

		if (ret < 0) {
			*is_bad = true;
			return;
		}
		if (piece.len)
			(void)peer_add(&message->body, piece.at, piece.len);
		message->len += (size_t)ret;
	}
	value = memchr(body, '=', message->len - (size_t)(body - message->bytes));
	left = value ? message->len - (size_t)(value - message->bytes) : 0;
	message->has_odd_extension =
		value && (memchr(value, ';', left) || memchr(value, '"', left));
	message->is_whole = chunked.is_done;
}

/* False unless it is accepted as far as it goes. */
static bool read_message(struct message *message, const char *bytes, size_t size)
{
	struct http_head *head = &message->head;
	ssize_t ret = http_parse_request(bytes, size, head);
	bool is_bad = false;

	if (ret < 0)
		return false;
	message->bytes = bytes;
	message->len = (size_t)ret;
	for (unsigned int i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->field[i];

		(void)peer_add(&message->fields, bytes + field->name.at, field->name.len);
		(void)peer_add(&message->fields, ":", 1);
		(void)peer_add(&message->fields, bytes + field->value.at, field->value.len);
		(void)peer_add(&message->fields, "\n", 1);
	}
	if (head->framing == HTTP_BODY_NONE) {
		message->is_whole = true;
	} else if (head->framing == HTTP_BODY_CHUNKED) {
		read_chunks(message, size, &is_bad);
	} else {
		const size_t left = size - message->len;
		const size_t len =
			left < head->content_length ? left : (size_t)head->content_length;

		(void)peer_add(&message->body, bytes + message->len, len);
		message->len += len;
		message->is_whole = len == head->content_length;
	}
	return !is_bad;
}

static bool is_same(const struct peer_bytes *a, const struct peer_bytes *b)
{
	return a->len == b->len && !memcmp(a->at, b->at, a->len);
}

/* The absolute form is cut by us: what is left must be its end. */
static bool is_target(const struct peer_bytes *theirs, struct text ours)
{
	return theirs->len >= ours.len &&
	       !memcmp(theirs->at + theirs->len - ours.len, ours.at, ours.len);
}

/* A tab behind a length is no blank to either of them. */
static bool has_blank_behind_length(const struct message *message)
{
	const struct http_field *length = http_find(&message->head, HTTP_CONTENT_LENGTH);

	return length && message->bytes[length->value.at + length->value.len] != '\r';
}

/* http-parser takes "Transfer-EncodingX" for a coding that it does not know. */
static bool has_longer_coding(const struct message *message)
{
	static const char name[] = "transfer-encoding";

	for (unsigned int i = 0; i < message->head.field_count; i++) {
		struct text start = http_text(message->bytes, message->head.field[i].name);

		if (start.len < sizeof(name))
			continue;
		start.len = sizeof(name) - 1;
		if (text_is(start, name))
			return true;
	}
	return false;
}

static bool is_about_framing(const char *refusal)
{
	return strstr(refusal, "TRANSFER_ENCODING") || strstr(refusal, "CONTENT_LENGTH");
}

/* Refusals that say nothing about the request. */
static bool is_excused(const struct named_peer *peer, const struct message *message)
{
	if (!peer->said.refusal)
		return false;
	/* They know some forty methods, and that is not what is compared. */
	if (message->head.method == HTTP_M_OTHER || has_blank_behind_length(message))
		return true;
	/* They read trailers as if they were fields of the head; ours are dropped unread. */
	if (peer->said.is_head_whole && is_about_framing(peer->said.refusal))
		return true;
	return peer->parse == peer_llhttp ? message->has_odd_extension : has_longer_coding(message);
}

static void compare(struct named_peer *peer, const struct message *message, const char *bytes)
{
	const struct http_head *head = &message->head;
	struct peer *said = &peer->said;
	bool early;

	/* Whole after the last byte, and not before it. */
	peer->parse(said, bytes, message->len, message->len - 1, &early);
	if (is_excused(peer, message))
		return;
	REQUIRE(peer, !said->refusal);
	REQUIRE(peer, said->is_head_whole);
	REQUIRE(peer, !early);
	REQUIRE(peer, said->is_whole == message->is_whole);
	REQUIRE(peer, said->minor == head->minor);
	/* Not whether the connection goes on: they overlook members of Connection behind an empty
	 * one, or before many blanks. */
	REQUIRE(peer, is_target(&said->target, http_text(message->bytes, head->target)));
	REQUIRE(peer, is_same(&said->fields, &message->fields));
	REQUIRE(peer, is_same(&said->body, &message->body));
}

/* The bytes as our parser gets them: as they are, but for the planted mistake. */
static size_t make_ours(char *ours, const uint8_t *data, size_t size)
{
	memcpy(ours, data, size);
#ifdef PLANTED
	for (char *colon = ours; (colon = memchr(colon, ':', size - (size_t)(colon - ours)));
	     colon++) {
		if (colon > ours && colon[-1] == ' ') {
			colon[-1] = ':';
			*colon = ' ';
		}
	}
#endif
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct named_peer peers[] = {
		{ .name = "http-parser", .parse = peer_http_parser },
		{ .name = "llhttp", .parse = peer_llhttp },
	};
	struct message *message = calloc(1, sizeof(*message));
	char *ours = malloc(size ? size : 1);

	if (message && ours && size <= PEER_BYTES_MAX / 2 &&
	    read_message(message, ours, make_ours(ours, data, size))) {
		for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
			memset(&peers[i].said, 0, sizeof(peers[i].said));
			compare(&peers[i], message, (const char *)data);
		}
	}
	free(ours);
	free(message);
	return 0;
}
