// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of a client's fields go to a backend. The same answer makes the variants of Vary, so that
 * nobody has a page stored by a value that the backend never saw.
 */
#include "passing.h"

#include <errno.h>
#include <string.h>

/* They change what is asked for: "GET" then deletes, or the page of another path comes. */
static const char *const overrides[] = {
	"x-http-method",  "x-http-method-override", "x-method-override",
	"x-original-url", "x-rewrite-url",
};

/*
 * They change links, redirects and answers of many frameworks. The last two, which lbcache writes
 * itself, come here only in the spelling below.
 */
static const char *const addresses[] = {
	"x-forwarded-host", "x-forwarded-port",	  "x-forwarded-server", "x-forwarded-scheme",
	"x-forwarded-ssl",  "x-forwarded-prefix", "x-url-scheme",	"x-scheme",
	"x-host",	    "x-forwarded-for",	  "x-forwarded-proto",
};

/* CGI and WSGI cannot tell X_Host from X-Host. */
static bool is_named(struct text name, const char *word)
{
	size_t len = strlen(word);

	if (name.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name.at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if ((c == '_' ? '-' : c) != word[i])
			return false;
	}
	return true;
}

static bool is_one_of(struct text name, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_named(name, words[i]))
			return true;
	}
	return false;
}

/* An answer to HEAD renews the stored page (RFC 9111 4.3.5), also where it passes by. */
static bool is_unkeyed(struct text name, enum http_method method, bool is_shared)
{
	const bool is_safe = method == HTTP_M_GET || method == HTTP_M_HEAD;

	if (!is_safe || !name.len || (name.at[0] | 0x20) != 'x')
		return false;
	if (is_one_of(name, overrides, sizeof(overrides) / sizeof(overrides[0])))
		return true;
	return (is_shared || method == HTTP_M_HEAD) &&
	       is_one_of(name, addresses, sizeof(addresses) / sizeof(addresses[0]));
}

bool max_forwards_read(const char *data, const struct http_head *head, uint64_t *left)
{
	if (head->method != HTTP_M_OPTIONS && head->method != HTTP_M_TRACE)
		return false;
	switch (text_number(http_value(data, head, HTTP_MAX_FORWARDS), left)) {
	case 0:
		return true;
	case -ERANGE:
		*left = INT64_MAX;
		return true;
	default:
		return false;
	}
}

bool field_passes(const char *data, const struct http_head *head, const struct http_field *field,
		  const struct policy *policy, bool is_shared)
{
	uint64_t left;

	if (http_is_hop_field(data, head, field))
		return false;
	switch (field->id) {
	case HTTP_HOST:
	case HTTP_CONTENT_LENGTH:
	case HTTP_FORWARDED:
	case HTTP_VIA:
	case HTTP_X_FORWARDED_FOR:
	case HTTP_X_FORWARDED_PROTO:
		return false;
	case HTTP_IF_NONE_MATCH:
	case HTTP_IF_MODIFIED_SINCE:
	case HTTP_IF_RANGE:
	case HTTP_RANGE:
		return !is_shared;
	case HTTP_COOKIE:
		return !is_shared || !policy->is_cookie_ignored;
	case HTTP_MAX_FORWARDS: /* one less is written */
		return !max_forwards_read(data, head, &left);
	case HTTP_OTHER:
		return !is_unkeyed(http_text(data, field->name), (enum http_method)head->method,
				   is_shared);
	default:
		return true;
	}
}
