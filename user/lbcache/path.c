// SPDX-License-Identifier: GPL-2.0-only
/* RFC 3986 2.1, 3.3, 5.2.4 and 6.2.2: percent-encoding, parameters, dot segments. */
#include "path.h"

#include <string.h>

#include "http_class.h"

size_t path_remove_dots(char *path, size_t len)
{
	size_t to = 0, end;

	for (size_t at = 0; at < len; at = end) {
		const char *segment = path + at + 1;
		size_t segment_len;

		for (end = at + 1; end < len && path[end] != '/';)
			end++;
		segment_len = end - at - 1;
		if (segment_len == 2 && segment[0] == '.' && segment[1] == '.') {
			while (to > 0 && path[--to] != '/')
				;
		} else if (segment_len != 1 || segment[0] != '.') {
			memmove(path + to, path + at, end - at);
			to += end - at;
			continue;
		}
		if (end == len)
			path[to++] = '/';
	}
	return to;
}

static size_t path_length(struct text target)
{
	const char *mark = memchr(target.at, '?', target.len);

	return mark ? (size_t)(mark - target.at) : target.len;
}

bool path_has_spellings(struct text target)
{
	for (size_t i = 0; i < target.len && target.at[i] != '?'; i++) {
		char next = i + 1 < target.len ? target.at[i + 1] : '\0';

		if (target.at[i] == '%' || target.at[i] == ';' ||
		    (target.at[i] == '/' && (next == '/' || next == '.')))
			return true;
	}
	return false;
}

static unsigned int digit(char c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)((c | 0x20) - 'a' + 10);
}

/* What is no encoding stays as it is. */
static size_t decode(struct text path, char *buf)
{
	size_t to = 0;

	for (size_t i = 0; i < path.len; i++) {
		char c = path.at[i];

		if (c == '%' && i + 2 < path.len && http_is(path.at[i + 1], HTTP_C_HEX) &&
		    http_is(path.at[i + 2], HTTP_C_HEX)) {
			c = (char)(digit(path.at[i + 1]) << 4 | digit(path.at[i + 2]));
			i += 2;
		}
		buf[to++] = c;
	}
	return to;
}

static size_t remove_parameters(char *path, size_t len)
{
	bool is_parameter = false;
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		if (path[i] == '/')
			is_parameter = false;
		else if (path[i] == ';')
			is_parameter = true;
		if (!is_parameter)
			path[to++] = path[i];
	}
	return to;
}

static size_t merge_slashes(char *path, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		if (path[i] != '/' || to == 0 || path[to - 1] != '/')
			path[to++] = path[i];
	}
	return to;
}

size_t path_normalise(struct text target, bool is_bare, char *buf)
{
	const size_t path = path_length(target);
	size_t len = decode((struct text){ target.at, path }, buf);

	if (is_bare)
		len = remove_parameters(buf, len);
	len = path_remove_dots(buf, merge_slashes(buf, len));
	memcpy(buf + len, target.at + path, target.len - path);
	return len + target.len - path;
}

size_t path_normalise_prefix(struct text prefix, char *buf)
{
	const size_t path = path_length(prefix);
	size_t len = merge_slashes(buf, decode((struct text){ prefix.at, path }, buf)), whole = len;
	size_t to;

	while (whole > 0 && buf[whole - 1] != '/')
		whole--;
	to = path_remove_dots(buf, whole);
	memmove(buf + to, buf + whole, len - whole);
	to += len - whole;
	memcpy(buf + to, prefix.at + path, prefix.len - path);
	return to + prefix.len - path;
}
