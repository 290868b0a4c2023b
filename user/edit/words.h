/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of a change, of lbctl's command line or of a request to lbd: reading them one by one,
 * and as "name value" pairs by a table. What answers an int answers -EINVAL and a line for words
 * that are not understood.
 */
#ifndef EDIT_WORDS_H
#define EDIT_WORDS_H

#include <stdbool.h>

#include "liblb.h"

/* Those that are still to be read. */
struct words {
	char **next;	    /* ends with NULL */
	const char *object; /* for messages: "service add" */
};

/* One "name value" pair; take answers a negative errno for a value that is none. */
struct setting {
	const char *name, *expected;
	int (*take)(void *into, const char *value);
};

/* The next word, or NULL at the end. */
const char *word_take(struct words *words);
/* A word that must be there. */
int words_require(struct words *words, const char *what, const char **out, struct lb_error *err);
/* No words are left. */
int words_finish(const struct words *words, struct lb_error *err);
/* Reads all words as pairs. settings ends with an entry without name. */
int words_pairs(struct words *words, const struct setting *settings, void *into,
		struct lb_error *err);
/* The next of a list with commas between; false for one that is too long. *list is NULL after the
 * last. */
bool word_of_list(const char **list, char *word, size_t size);
int word_number(const char *value, __u32 low, __u32 high, __u32 *out); /* or -ERANGE */
int word_switch(const char *value, bool *out);			       /* on, off */

#endif
