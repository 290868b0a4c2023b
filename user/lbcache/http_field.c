// SPDX-License-Identifier: GPL-2.0-only
/* Field names and values: which field it is, lists, numbers. */
#include "http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http_class.h"

#define NAME_MAX_LEN 19 /* of the longest name in the list */

struct name {
	const char *text;
	uint8_t len;
};

static const struct name names[HTTP_FIELD_IDS] = {
#define X(id, name) [HTTP_##id] = { name, sizeof(name) - 1 },
	HTTP_FIELD_NAMES(X)
#undef X
};

/* Where the names with a first letter begin: they are sorted. Made by the compiler's own switch. */
static unsigned int first_with(char letter)
{
	switch (letter) {
	case 'a':
		return HTTP_AGE;
	case 'c':
		return HTTP_CACHE_CONTROL;
	case 'd':
		return HTTP_DATE;
	case 'e':
		return HTTP_ETAG;
	case 'f':
		return HTTP_FORWARDED;
	case 'h':
		return HTTP_HOST;
	case 'i':
		return HTTP_IF_MATCH;
	case 'k':
		return HTTP_KEEP_ALIVE;
	case 'l':
		return HTTP_LAST_MODIFIED;
	case 'm':
		return HTTP_MAX_FORWARDS;
	case 'p':
		return HTTP_PRAGMA;
	case 'r':
		return HTTP_RANGE;
	case 's':
		return HTTP_SET_COOKIE;
	case 't':
		return HTTP_TE;
	case 'u':
		return HTTP_UPGRADE;
	case 'v':
		return HTTP_VARY;
	case 'x':
		return HTTP_X_FORWARDED_FOR;
	default:
		return HTTP_OTHER;
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

enum http_field_id http_field_id(const char *name, size_t len)
{
	char letter = len ? lower(name[0]) : '\0';
	unsigned int id = first_with(letter);

	if (id == HTTP_OTHER || len > NAME_MAX_LEN)
		return HTTP_OTHER;
	for (; id < HTTP_FIELD_IDS && names[id].text[0] == letter; id++) {
		if (names[id].len == len && !strncasecmp(names[id].text, name, len))
			return (enum http_field_id)id;
	}
	return HTTP_OTHER;
}

const struct http_field *http_find_next(const struct http_head *head,
					const struct http_field *field)
{
	const struct http_field *end = head->field + head->field_count;

	for (const struct http_field *next = field + 1; next < end; next++) {
		if (next->id == field->id)
			return next;
	}
	return NULL;
}

struct text http_value(const char *data, const struct http_head *head, enum http_field_id id)
{
	const struct http_field *field = http_find(head, id);

	return field ? http_text(data, field->value) : TEXT_NONE;
}

bool text_is(struct text text, const char *word)
{
	return text.len == strlen(word) && !strncasecmp(text.at, word, text.len);
}

bool text_is_same(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.at, b.at, a.len));
}

bool text_is_same_word(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || !strncasecmp(a.at, b.at, a.len));
}

struct text text_trim(struct text text)
{
	while (text.len && http_is(text.at[0], HTTP_C_BLANK)) {
		text.at++;
		text.len--;
	}
	while (text.len && http_is(text.at[text.len - 1], HTTP_C_BLANK))
		text.len--;
	return text;
}

int text_number(struct text text, uint64_t *out)
{
	uint64_t number = 0;

	if (text.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (!http_is(text.at[i], HTTP_C_DIGIT))
			return -EINVAL;
		if (number > (INT64_MAX - 9) / 10)
			return -ERANGE;
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	*out = number;
	return 0;
}

bool text_next_member(struct text *list, struct text *member)
{
	while (list->len) {
		bool is_quoted = false;
		size_t len = 0;

		for (; len < list->len && (is_quoted || list->at[len] != ','); len++) {
			if (list->at[len] == '"')
				is_quoted = !is_quoted;
			else if (is_quoted && list->at[len] == '\\' && len + 1 < list->len)
				len++;
		}
		*member = text_trim((struct text){ list->at, len });
		len += len < list->len; /* the comma */
		list->at += len;
		list->len -= len;
		if (member->len)
			return true;
	}
	return false;
}

bool http_has_member(const char *data, const struct http_head *head, enum http_field_id id,
		     const char *word)
{
	struct text list, member;

	for (const struct http_field *field = http_find(head, id); field;
	     field = http_find_next(head, field)) {
		list = http_text(data, field->value);
		while (text_next_member(&list, &member)) {
			if (text_is(member, word))
				return true;
		}
	}
	return false;
}

static bool is_named_by_connection(const char *data, const struct http_head *head, struct text name)
{
	struct text list, member;

	for (const struct http_field *field = http_find(head, HTTP_CONNECTION); field;
	     field = http_find_next(head, field)) {
		list = http_text(data, field->value);
		while (text_next_member(&list, &member)) {
			if (text_is_same_word(member, name))
				return true;
		}
	}
	return false;
}

bool http_is_hop_field(const char *data, const struct http_head *head,
		       const struct http_field *field)
{
	switch (field->id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_AUTHENTICATE:
	case HTTP_PROXY_AUTHORIZATION:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return true;
	default:
		return http_find(head, HTTP_CONNECTION) &&
		       is_named_by_connection(data, head, http_text(data, field->name));
	}
}
