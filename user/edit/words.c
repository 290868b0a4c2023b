// SPDX-License-Identifier: GPL-2.0-only
/* Words of a change, read one by one and as "name value" pairs by a table. */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"

const char *word_take(struct words *words)
{
	return *words->next ? *words->next++ : NULL;
}

int words_require(struct words *words, const char *what, const char **out, struct lb_error *err)
{
	const char *word = word_take(words);

	if (!word || !word[0])
		return lb_fail(err, -EINVAL, "%s: %s is missing; see 'lbctl %s help'",
			       words->object, what, words->object);
	*out = word;
	return 0;
}

int words_finish(const struct words *words, struct lb_error *err)
{
	if (!*words->next)
		return 0;
	return lb_fail(err, -EINVAL, "%s: unexpected '%s', expected nothing more", words->object,
		       *words->next);
}

static int fail_word(const struct words *words, const char *word, const struct setting *settings,
		     struct lb_error *err)
{
	char names[256] = "";
	size_t len = 0;

	for (const struct setting *setting = settings; setting->name && len < sizeof(names);
	     setting++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
					setting->name);
	return lb_fail(err, -EINVAL, "%s: unknown word '%s', expected one of: %s", words->object,
		       word, names);
}

int words_pairs(struct words *words, const struct setting *settings, void *into,
		struct lb_error *err)
{
	const char *word, *value;
	unsigned int seen = 0;

	while ((word = word_take(words))) {
		const struct setting *setting = settings;

		while (setting->name && strcmp(setting->name, word))
			setting++;
		if (!setting->name)
			return fail_word(words, word, settings, err);
		value = word_take(words);
		if (!value)
			return lb_fail(err, -EINVAL, "%s: '%s' has no value, expected %s",
				       words->object, word, setting->expected);
		if (seen & 1u << (setting - settings))
			return lb_fail(err, -EINVAL, "%s: '%s' is given twice", words->object,
				       word);
		seen |= 1u << (setting - settings);
		if (setting->take(into, value))
			return lb_fail(err, -EINVAL, "%s: %s '%s' is not possible, expected %s",
				       words->object, word, value, setting->expected);
	}
	return 0;
}

bool word_of_list(const char **list, char *word, size_t size)
{
	const size_t len = strcspn(*list, ",");

	if (len >= size)
		return false;
	memcpy(word, *list, len);
	word[len] = '\0';
	*list = (*list)[len] ? *list + len + 1 : NULL;
	return true;
}

int word_number(const char *value, __u32 low, __u32 high, __u32 *out)
{
	uint64_t number;
	int ret = number_parse(value, low, high, &number);

	if (!ret)
		*out = (__u32)number;
	return ret;
}

int word_switch(const char *value, bool *out)
{
	if (!strcmp(value, "on"))
		*out = true;
	else if (!strcmp(value, "off"))
		*out = false;
	else
		return -EINVAL;
	return 0;
}
