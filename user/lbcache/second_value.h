/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page as it stands in the second tier, where anybody may have written: what is not of the same
 * build and unbroken is no page.
 */
#ifndef LBCACHE_SECOND_VALUE_H
#define LBCACHE_SECOND_VALUE_H

#include "object.h"

#define SECOND_VALUE_MAX (1u << 20) /* of a page with its head; larger ones are not kept there */

enum second_kind {
	SECOND_PAGE = 1,
	SECOND_VARIES, /* no page, but the names by which its variants are found */
};

/* monotonic_ms as of the object's times, wall_ms what all hosts share. */
struct second_time {
	uint64_t monotonic_ms, wall_ms;
};

/* The caller's, *len bytes; NULL: out of memory. */
char *second_pack(const struct object *object, const struct second_time *now, size_t *len);
char *second_pack_names(struct text names, const struct second_time *now, size_t *len);

/* -EBADMSG: another build's, cut or changed. *kind says what it is. */
int second_look(const char *value, size_t len, enum second_kind *kind);
/*
 * Of a SECOND_PAGE that second_look() took: an object of its own, in no store. -ESTALE: its time is
 * over; -ENOMEM, -EBADMSG.
 */
int second_unpack(const char *value, size_t len, const struct second_time *now,
		  struct object **out);
/* Of a SECOND_VARIES; within value. */
struct text second_names(const char *value, size_t len);

#endif
