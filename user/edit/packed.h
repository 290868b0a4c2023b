/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words of a request, as JSON brings them and as they go to a process that trusts nobody: a fixed
 * size, each with a NUL behind it.
 */
#ifndef EDIT_PACKED_H
#define EDIT_PACKED_H

#include "liblb.h"

#define PACKED_SIZE 504
#define PACKED_WORDS_MAX 16

struct packed {
	__u32 count, length; /* words, bytes */
	char text[PACKED_SIZE];
};

/*
 * A JSON object as lbctl's words: first the texts under names (which end with NULL; one that is
 * missing is an empty word), then the other keys, each with its value. A value is a text or a whole
 * number, and a number does not come as a text. what is for messages: "backend add". -EINVAL,
 * -E2BIG.
 */
int packed_from_json(struct packed *packed, const char *what, const char *const *names,
		     const char *body, size_t length, struct lb_error *err);
/* The words, ended by NULL; they are in packed. -EBADMSG for what no packed_from_json() has made.
 */
int packed_list(struct packed *packed, char *list[PACKED_WORDS_MAX + 1]);

#endif
