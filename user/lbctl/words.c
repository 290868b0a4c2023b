// SPDX-License-Identifier: GPL-2.0-only
/* The words after the object: what is not understood is said, and ends the command. */
#include "lbctl.h"

const char *word_need(struct words *words, const char *what)
{
	struct lb_error err;
	const char *word;

	if (!words_require(words, what, &word, &err))
		return word;
	(void)refuse_usage("%s", err.text);
	return NULL;
}

int words_end(const struct words *words)
{
	struct lb_error err;

	return words_finish(words, &err) ? refuse_usage("%s", err.text) : EXIT_OK;
}

int words_settings(struct words *words, const struct setting *settings, void *into)
{
	struct lb_error err;

	return words_pairs(words, settings, into, &err) ? refuse_usage("%s", err.text) : EXIT_OK;
}
