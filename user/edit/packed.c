// SPDX-License-Identifier: GPL-2.0-only
/* From a JSON object to words, and to words in a message. What they mean is others' affair. */
#include "packed.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "common/cleanup.h"

DEFINE_CLEANUP(json_t *, json_decref)

static int append(struct packed *packed, const char *what, const char *word, struct lb_error *err)
{
	const size_t size = strlen(word) + 1;

	if (packed->count == PACKED_WORDS_MAX || size > PACKED_SIZE - packed->length)
		return lb_fail(err, -E2BIG, "%s: the object has more in it than this takes", what);
	memcpy(packed->text + packed->length, word, size);
	packed->length += (__u32)size;
	packed->count++;
	return 0;
}

static int append_value(struct packed *packed, const char *what, const char *key,
			const json_t *value, struct lb_error *err)
{
	const char *text = json_string_value(value);
	char number[32];

	if (json_is_integer(value)) {
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(value));
		return append(packed, what, number, err);
	}
	if (!text)
		return lb_fail(err, -EINVAL, "%s: '%s' is neither a text nor a whole number", what,
			       key);
	if (isdigit((unsigned char)*text))
		return lb_fail(err, -EINVAL, "%s: '%s' is a number in quotes, expected it without",
			       what, key);
	return append(packed, what, text, err);
}

static int append_named(struct packed *packed, const char *what, const char *key,
			const json_t *value, struct lb_error *err)
{
	if (value && !json_is_string(value))
		return lb_fail(err, -EINVAL, "%s: '%s' is no text", what, key);
	return append(packed, what, value ? json_string_value(value) : "", err);
}

static bool is_listed(const char *key, const char *const *names)
{
	while (*names && strcmp(*names, key))
		names++;
	return *names;
}

int packed_from_json(struct packed *packed, const char *what, const char *const *names,
		     const char *body, size_t length, struct lb_error *err)
{
	json_error_t why = { 0 };
	CLEANUP(json_decref_p)
	json_t *object = json_loadb(body, length, JSON_REJECT_DUPLICATES, &why);
	const char *key;
	json_t *value;
	int ret = 0;

	if (!json_is_object(object))
		return lb_fail(err, -EINVAL, "%s: the body is no JSON object%s%s", what,
			       why.text[0] ? ": " : "", why.text);
	*packed = (struct packed){ 0 };
	for (const char *const *name = names; !ret && *name; name++)
		ret = append_named(packed, what, *name, json_object_get(object, *name), err);
	json_object_foreach(object, key, value)
	{
		if (!ret && !is_listed(key, names))
			ret = append(packed, what, key, err)
				      ?: append_value(packed, what, key, value, err);
	}
	return ret;
}

int packed_list(struct packed *packed, char *list[PACKED_WORDS_MAX + 1])
{
	char *at = packed->text, *end;

	if (packed->count > PACKED_WORDS_MAX || packed->length > PACKED_SIZE)
		return -EBADMSG;
	end = at + packed->length;
	for (__u32 i = 0; i < packed->count; i++) {
		list[i] = at;
		at = memchr(at, '\0', (size_t)(end - at));
		if (!at)
			return -EBADMSG;
		at++;
	}
	list[packed->count] = NULL;
	return at == end ? 0 : -EBADMSG;
}
