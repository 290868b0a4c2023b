// SPDX-License-Identifier: GPL-2.0-only
/* Names of certificates, and which one a client's server name means. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 254 /* RFC 1035 2.3.4, with the end */

struct tls_names {
	size_t count;
	struct name {
		char *text; /* in lower case; of "*.example.com" what follows the asterisk */
		size_t len;
		unsigned int number;
		bool is_wild;
	} * list;
};

struct tls_names *tls_names_new(void)
{
	return calloc(1, sizeof(struct tls_names));
}

void tls_names_free(struct tls_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].text);
	free(names->list);
	free(names);
}

static void copy_lower(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] | 0x20) : from[i];
	to[len] = '\0';
}

bool tls_names_add(struct tls_names *names, struct text name, unsigned int number)
{
	struct name added = { .number = number }, *grown;

	if (name.len > 2 && name.at[0] == '*' && name.at[1] == '.') {
		added.is_wild = true;
		name.at++;
		name.len--;
	}
	/* An asterisk elsewhere means nothing, and bytes behind a NUL are a trick. */
	if (!name.len || name.len >= NAME_MAX_SIZE || memchr(name.at, '*', name.len) ||
	    memchr(name.at, '\0', name.len))
		return true;
	grown = realloc(names->list, (names->count + 1) * sizeof(*grown));
	if (!grown)
		return false;
	names->list = grown;
	added.text = malloc(name.len + 1);
	if (!added.text)
		return false;
	copy_lower(added.text, name.at, name.len);
	added.len = name.len;
	grown[names->count++] = added;
	return true;
}

static int find(const struct tls_names *names, const char *text, bool is_wild)
{
	const size_t len = strlen(text);

	for (size_t i = 0; i < names->count; i++) {
		const struct name *name = &names->list[i];

		if (name->is_wild == is_wild && name->len == len && !memcmp(name->text, text, len))
			return (int)name->number;
	}
	return -ENOENT;
}

int tls_names_find(const struct tls_names *names, const char *name)
{
	size_t len = strlen(name);
	char text[NAME_MAX_SIZE];
	const char *dot;
	int ret;

	if (len && name[len - 1] == '.')
		len--;
	if (!len || len >= sizeof(text))
		return -ENOENT;
	copy_lower(text, name, len);
	ret = find(names, text, false);
	dot = strchr(text, '.');
	return ret < 0 && dot && dot != text ? find(names, dot, true) : ret;
}
