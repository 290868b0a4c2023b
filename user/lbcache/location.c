// SPDX-License-Identifier: GPL-2.0-only
/* References relative to a request's own address: bytes in, bytes out. */
#include "location.h"

#include <string.h>

#include "key.h"
#include "path.h"

/* Where the first of these bytes stands, or the end. */
static size_t find_any(struct text text, const char *bytes)
{
	size_t at = 0;

	while (at < text.len && (!text.at[at] || !strchr(bytes, text.at[at])))
		at++;
	return at;
}

static void skip(struct text *text, size_t len)
{
	text->at += len;
	text->len -= len;
}

/* Cuts "scheme:" and "//host" off. False: of another origin. */
static bool cut_origin(struct text *reference, struct text scheme, struct text host, bool *has_host)
{
	size_t len = find_any(*reference, ":/?#");
	bool is_absolute = len < reference->len && reference->at[len] == ':';

	if (is_absolute) {
		if (!text_is_same_word((struct text){ reference->at, len }, scheme))
			return false;
		skip(reference, len + 1);
	}
	if (reference->len < 2 || reference->at[0] != '/' || reference->at[1] != '/')
		return !is_absolute;
	skip(reference, 2);
	len = find_any(*reference, "/?#");
	if (!key_is_same_host(scheme, (struct text){ reference->at, len }, host))
		return false;
	skip(reference, len);
	*has_host = true;
	return true;
}

/* RFC 3986 5.2.3: of the base all up to its last '/'. */
static size_t merged_length(struct text base_path)
{
	size_t len = base_path.len;

	while (len && base_path.at[len - 1] != '/')
		len--;
	return len;
}

bool location_resolve(struct text reference, struct text scheme, struct text host, struct text base,
		      char *buf, struct text *out)
{
	struct text path = { base.at, find_any(base, "?") }, query;
	bool has_host = false;
	size_t len, own;

	reference.len = find_any(reference, "#");
	if (!reference.len || !path.len || path.at[0] != '/' ||
	    !cut_origin(&reference, scheme, host, &has_host))
		return false;
	if (has_host) /* "http://host?query" is of its '/' */
		path = (struct text){ "/", 1 };
	own = find_any(reference, "?");
	query = (struct text){ reference.at + own, reference.len - own };
	if (own)
		path.len = reference.at[0] == '/' ? 0 : merged_length(path);
	if (path.len + reference.len > HTTP_TARGET_MAX)
		return false;
	memcpy(buf, path.at, path.len);
	memcpy(buf + path.len, reference.at, own);
	len = path_remove_dots(buf, path.len + own);
	memcpy(buf + len, query.at, query.len);
	*out = (struct text){ buf, len + query.len };
	return true;
}
