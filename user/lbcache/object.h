/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stored response: one allocation, not changed any more once it can be found, freed with its last
 * reference. Only its marks (used, stale since) move, and they are atomic.
 */
#ifndef LBCACHE_OBJECT_H
#define LBCACHE_OBJECT_H

#include "conditional.h"
#include "freshness.h"

struct piece { /* of the object's bytes */
	uint32_t at, len;
};

struct object {
	_Atomic uint32_t refs;
	uint32_t service;
	uint64_t hash;
	struct object *next;	      /* of the bucket; the store's */
	struct object *newer, *older; /* of the queue; the store's */
	_Atomic bool is_used;	      /* since the queue's hand passed */
	bool is_linked;
	bool is_mark;	    /* no response: "do not queue behind this key", and why */
	uint8_t why;	    /* enum reason, of a mark */
	uint64_t judged_by; /* of a mark: policy_digest() */
	uint16_t status;
	bool no_cache, must_revalidate, is_open;
	time_t stored_at;			 /* wall clock, for people */
	uint64_t born_ms;			 /* monotonic: when its age was 0 */
	_Atomic uint64_t fresh_until_ms;	 /* monotonic; a soft purge sets it back */
	uint64_t stale_while_ms, stale_error_ms; /* after that */
	_Atomic uint64_t hits;
	struct piece key, vary_names, vary_values, status_line;
	struct piece head;  /* fields as they are sent, without framing and Age */
	struct piece brief; /* those of a 304, RFC 9110 15.4.5 */
	struct piece etag, last_modified, date, content_type;
	struct piece tags; /* Surrogate-Key and Cache-Tag, a blank before and after each */
	struct piece body;
	size_t size; /* of the allocation */
	char bytes[];
};

static inline struct text object_text(const struct object *object, struct piece piece)
{
	return piece.len ? (struct text){ object->bytes + piece.at, piece.len } : TEXT_NONE;
}

static inline struct object *object_ref(struct object *object)
{
	(void)__atomic_add_fetch(&object->refs, 1, __ATOMIC_RELAXED);
	return object;
}

void object_unref(struct object *object); /* takes NULL */

/* What an object is made of. */
struct object_parts {
	uint32_t service;
	uint64_t hash;
	struct text key, vary_names, vary_values;
	const char *data; /* the response's head */
	const struct http_head *head;
	const struct policy *policy;
	bool is_passing; /* not stored: the one client gets Set-Cookie whatever the policy says */
	struct freshness freshness;
	time_t now;
	uint64_t now_ms; /* when the head came */
	uint64_t body_len;
};

/* With room for the body, to be filled by the caller before it is shown; NULL: out of memory. */
struct object *object_new(const struct object_parts *parts);
/* "This key's responses are not stored, because why", as long as the policy judges alike. */
struct object *object_new_mark(uint32_t service, uint64_t hash, struct text key, enum reason why,
			       const struct policy *policy, uint64_t until_ms);
/*
 * The head of the old page with the fields of a 304 in place of its own of the same names (RFC 9111
 * 3.2), as bytes to be freed, and parsed; parts as of the 304. NULL: too large, or no memory.
 */
char *object_merge_heads(const struct object *old, const struct object_parts *parts,
			 struct http_head *head);
/* The old body with such a head. */
struct object *object_new_renewed(const struct object *old, const struct object_parts *parts);

/* Of the struct and its bytes, without what the heap adds. */
size_t object_length(const struct object *object);
/* Makes a copy of an object's whole length in a heap block an object of its own, in no store. */
void object_adopt(struct object *object, uint32_t service);

/* The fields that go to a client, without framing, one-hop fields and Age; the length. */
size_t object_write_fields(const struct object_parts *parts, char *buf);
#define OBJECT_FIELDS_MAX (HTTP_HEAD_MAX + 4 * HTTP_FIELDS_MAX + 64)

struct validators object_validators(const struct object *object);
bool object_has_tag(const struct object *object, struct text tag);

#endif
