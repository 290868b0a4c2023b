// SPDX-License-Identifier: GPL-2.0-only
/* Keys of stored pages: bytes in, bytes out. */
#include "key.h"
#include "passing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX 256

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t put(char *buf, size_t at, struct text text)
{
	if (text.len)
		memcpy(buf + at, text.at, text.len);
	return at + text.len;
}

static struct text without_default_port(struct text scheme, struct text host)
{
	const char *port = scheme.len == 5 ? ":443" : ":80";
	size_t len = strlen(port);

	if (host.len > len && !memcmp(host.at + host.len - len, port, len))
		host.len -= len;
	return host;
}

bool key_is_same_host(struct text scheme, struct text a, struct text b)
{
	return text_is_same_word(without_default_port(scheme, a), without_default_port(scheme, b));
}

/* "utm_*" matches by its beginning. */
static bool is_dropped(struct text name, const char *patterns)
{
	struct text list = { patterns, strlen(patterns) }, pattern;

	while (text_next_member(&list, &pattern)) {
		struct text begin = name;

		if (pattern.at[pattern.len - 1] == '*' && name.len >= pattern.len - 1)
			begin.len = --pattern.len;
		if (text_is_same(begin, pattern))
			return true;
	}
	return false;
}

static int compare_text(const void *a, const void *b)
{
	const struct text *one = a, *two = b;
	size_t len = one->len < two->len ? one->len : two->len;
	int ret = memcmp(one->at, two->at, len);

	if (ret || one->len == two->len)
		return ret;
	return one->len < two->len ? -1 : 1;
}

/* The query's parameters that stay; more than PARAMETERS_MAX are left as they are: -E2BIG. */
static int split_query(struct text query, const struct policy *policy, struct text *out)
{
	int count = 0;

	while (query.len) {
		const char *end = memchr(query.at, '&', query.len);
		size_t len = end ? (size_t)(end - query.at) : query.len;
		const char *sign = memchr(query.at, '=', len);
		struct text name = { query.at, sign ? (size_t)(sign - query.at) : len };

		if (len && !is_dropped(name, policy->query_drop)) {
			if (count == PARAMETERS_MAX)
				return -E2BIG;
			out[count++] = (struct text){ query.at, len };
		}
		len += end != NULL;
		query.at += len;
		query.len -= len;
	}
	return count;
}

static size_t put_query(char *buf, size_t at, struct text query, const struct policy *policy)
{
	struct text parameters[PARAMETERS_MAX];
	int count = -E2BIG;

	if (policy->is_query_sorted || policy->query_drop[0])
		count = split_query(query, policy, parameters);
	if (count < 0) {
		buf[at++] = '?';
		return put(buf, at, query);
	}
	if (policy->is_query_sorted)
		qsort(parameters, (size_t)count, sizeof(parameters[0]), compare_text);
	for (int i = 0; i < count; i++) {
		buf[at++] = i ? '&' : '?';
		at = put(buf, at, parameters[i]);
	}
	return at;
}

size_t key_make(struct text scheme, struct text host, struct text target,
		const struct policy *policy, char *buf)
{
	const char *mark = memchr(target.at, '?', target.len);
	size_t path = mark ? (size_t)(mark - target.at) : target.len;
	size_t at = put(buf, 0, scheme);

	at = put(buf, at, (struct text){ "://", 3 });
	host = without_default_port(scheme, host);
	for (size_t i = 0; i < host.len; i++)
		buf[at++] = lower(host.at[i]);
	at = put(buf, at, (struct text){ target.at, path });
	if (mark)
		at = put_query(buf, at, (struct text){ mark + 1, target.len - path - 1 }, policy);
	return at;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product =
		(unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xc2b2ae3d27d4eb4fu);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t key_hash(const char *key, size_t len, uint32_t service, uint64_t seed)
{
	uint64_t hash = mix(seed, (uint64_t)service << 32 | len), word;

	for (; len >= 8; key += 8, len -= 8) {
		memcpy(&word, key, 8);
		hash = mix(hash ^ word, seed);
	}
	word = 0;
	if (len)
		memcpy(&word, key, len);
	return mix(hash ^ word, seed);
}

ssize_t vary_names(const char *data, const struct http_head *response, char buf[VARY_NAMES_MAX])
{
	struct text list, member;
	size_t at = 0;

	for (const struct http_field *field = http_find(response, HTTP_VARY); field;
	     field = http_find_next(response, field)) {
		list = http_text(data, field->value);
		while (text_next_member(&list, &member)) {
			if (at + member.len + 1 > VARY_NAMES_MAX)
				return -E2BIG;
			for (size_t i = 0; i < member.len; i++)
				buf[at++] = lower(member.at[i]);
			buf[at++] = '\n';
		}
	}
	return (ssize_t)at;
}

/* q=0 refuses a coding (RFC 9110 12.4.2). */
static bool is_refused(struct text member)
{
	const char *q = memchr(member.at, ';', member.len);
	size_t len = q ? member.len - (size_t)(q - member.at) : 0;
	struct text value;

	if (!q)
		return false;
	value = text_trim((struct text){ q + 1, len - 1 });
	if (value.len < 3 || lower(value.at[0]) != 'q' || value.at[1] != '=')
		return false;
	for (size_t i = 2; i < value.len; i++) {
		if (value.at[i] != '0' && value.at[i] != '.')
			return false;
	}
	return true;
}

/* Content codings of RFC 9110 8.4.1, each with its old name. */
static const struct {
	const char *name, *alias;
} codings[] = {
	{ "br", "br" },	      { "compress", "x-compress" }, { "deflate", "deflate" },
	{ "gzip", "x-gzip" }, { "zstd", "zstd" },	    { "identity", "identity" },
	{ "*", "*" },
};

enum { CODING_IDENTITY = 5, CODING_ANY, CODING_COUNT };

struct accepted {
	unsigned int is_said, is_taken; /* bits by the numbers above */
	bool is_present;
};

/* One that is not known here the backend may know: it stays as it is. */
static ssize_t put_coding(struct text name, bool is_taken, char *buf, size_t at)
{
	if (at + name.len + sizeof(";q=0,") > VARY_MAX)
		return -E2BIG;
	for (size_t i = 0; i < name.len; i++)
		buf[at++] = lower(name.at[i]);
	return (ssize_t)put(buf, at,
			    is_taken ? (struct text){ ",", 1 } : (struct text){ ";q=0,", 5 });
}

static ssize_t take_codings(struct text list, struct accepted *accepted, char *buf, size_t at)
{
	struct text member;

	accepted->is_present = true;
	while (text_next_member(&list, &member)) {
		const char *end = memchr(member.at, ';', member.len);
		struct text name = { member.at, end ? (size_t)(end - member.at) : member.len };
		const bool is_taken = !is_refused(member);
		unsigned int i = 0;
		ssize_t ret;

		name = text_trim(name);
		while (i < CODING_COUNT && !text_is(name, codings[i].name) &&
		       !text_is(name, codings[i].alias))
			i++;
		if (i < CODING_COUNT) {
			accepted->is_said |= 1u << i;
			accepted->is_taken |= (unsigned int)is_taken << i;
			continue;
		}
		ret = put_coding(name, is_taken, buf, at);
		if (ret < 0)
			return ret;
		at = (size_t)ret;
	}
	return (ssize_t)at;
}

/*
 * RFC 9110 12.5.3: '*' is for what is not said, and identity is refused by q=0 alone, of its own or
 * of '*'. Without the field any coding may come, which is not what an empty one says.
 */
static ssize_t put_accepted(const struct accepted *accepted, char *buf, size_t at)
{
	unsigned int taken = accepted->is_taken;

	if (!accepted->is_present)
		return (ssize_t)at;
	if (taken & 1u << CODING_ANY)
		taken |= ~accepted->is_said;
	else if (!(accepted->is_said & (1u << CODING_IDENTITY | 1u << CODING_ANY)))
		taken |= 1u << CODING_IDENTITY;
	for (unsigned int i = 0; i < CODING_COUNT; i++) {
		const struct text name = { codings[i].name, strlen(codings[i].name) };
		ssize_t ret;

		if (!(taken & 1u << i))
			continue;
		ret = put_coding(name, true, buf, at);
		if (ret < 0)
			return ret;
		at = (size_t)ret;
	}
	return (ssize_t)at;
}

/* All fields of the name that the backend sees, as one list without blanks around its commas. */
static ssize_t put_values(struct text name, const char *data, const struct http_head *request,
			  const struct policy *policy, char *buf, size_t at)
{
	const bool is_coding = text_is(name, "accept-encoding");
	struct accepted accepted = { 0 };
	const size_t begin = at;
	bool is_present = false;
	struct text list, member;

	for (unsigned int i = 0; i < request->field_count; i++) {
		const struct http_field *field = &request->field[i];

		if (!text_is_same_word(http_text(data, field->name), name) ||
		    !field_passes(data, request, field, policy, true))
			continue;
		is_present = true;
		list = http_text(data, field->value);
		if (is_coding) {
			ssize_t ret = take_codings(list, &accepted, buf, at);

			if (ret < 0)
				return ret;
			at = (size_t)ret;
			continue;
		}
		while (text_next_member(&list, &member)) {
			if (at + member.len + 2 > VARY_MAX)
				return -E2BIG;
			at = put(buf, at, member);
			buf[at++] = ',';
		}
	}
	if (is_coding)
		return put_accepted(&accepted, buf, at);
	if (is_present && at == begin) { /* empty is not absent */
		if (at >= VARY_MAX)
			return -E2BIG;
		buf[at++] = ',';
	}
	return (ssize_t)at;
}

ssize_t vary_values(struct text names, const char *data, const struct http_head *request,
		    const struct policy *policy, char buf[VARY_MAX])
{
	ssize_t at = 0;

	while (names.len && at >= 0) {
		const char *end = memchr(names.at, '\n', names.len);
		struct text name = { names.at, end ? (size_t)(end - names.at) : names.len };

		names.at += name.len + (end != NULL);
		names.len -= name.len + (end != NULL);
		at = put_values(name, data, request, policy, buf, (size_t)at);
		if (at >= VARY_MAX)
			return -E2BIG;
		if (at >= 0)
			buf[at++] = '\n';
	}
	return at;
}
