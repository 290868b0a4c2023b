// SPDX-License-Identifier: GPL-2.0-only
/* Conditional and range requests: plain functions of the request's fields and the stored ones. */
#include "conditional.h"

#include <errno.h>
#include <string.h>

static bool is_weak(struct text tag)
{
	return tag.len >= 2 && tag.at[0] == 'W' && tag.at[1] == '/';
}

bool etag_is_same(struct text a, struct text b, bool is_strong)
{
	if (is_strong && (is_weak(a) || is_weak(b)))
		return false;
	if (is_weak(a))
		a = (struct text){ a.at + 2, a.len - 2 };
	if (is_weak(b))
		b = (struct text){ b.at + 2, b.len - 2 };
	return a.len >= 2 && a.at[0] == '"' && text_is_same(a, b);
}

static bool none_match(const char *data, const struct http_head *request,
		       const struct validators *stored)
{
	struct text list, member;

	for (const struct http_field *field = http_find(request, HTTP_IF_NONE_MATCH); field;
	     field = http_find_next(request, field)) {
		list = http_text(data, field->value);
		while (text_next_member(&list, &member)) {
			if (text_is(member, "*") ||
			    (stored->etag.at && etag_is_same(member, stored->etag, false)))
				return false;
		}
	}
	return true;
}

bool conditional_is_unchanged(const char *data, const struct http_head *request,
			      const struct validators *stored, time_t now)
{
	struct text since = http_value(data, request, HTTP_IF_MODIFIED_SINCE);
	struct text changed = stored->last_modified.at ? stored->last_modified : stored->date;
	time_t asked, modified;

	if (http_find(request, HTTP_IF_NONE_MATCH))
		return !none_match(data, request, stored);
	return since.at && changed.at && !http_date_parse(since, now, &asked) &&
	       !http_date_parse(changed, now, &modified) && modified <= asked;
}

bool conditional_is_of(const char *data, const struct http_head *response,
		       const struct validators *stored)
{
	const struct text etag = http_value(data, response, HTTP_ETAG);
	const struct text modified = http_value(data, response, HTTP_LAST_MODIFIED);

	if (etag.len) /* some servers leave out the quotes */
		return text_is_same(etag, stored->etag) || etag_is_same(etag, stored->etag, false);
	return !modified.len || text_is_same(modified, stored->last_modified);
}

/* RFC 9110 13.1.5: a strong tag, or exactly the stored date. */
static bool if_range_holds(const char *data, const struct http_head *request,
			   const struct validators *stored)
{
	struct text text = http_value(data, request, HTTP_IF_RANGE);

	if (!text.at)
		return true;
	if (text.len && (text.at[0] == '"' || is_weak(text)))
		return stored->etag.at && etag_is_same(text, stored->etag, true);
	return stored->last_modified.at && text_is_same(text, stored->last_modified);
}

/* "2-5", "2-", "-3". 1 read, 0 not satisfiable, -EINVAL. */
static int read_spec(struct text spec, uint64_t size, struct range *out)
{
	const char *dash = memchr(spec.at, '-', spec.len);
	size_t head = dash ? (size_t)(dash - spec.at) : 0;
	struct text from = { spec.at, head }, to;
	uint64_t first, last = size ? size - 1 : 0;

	if (!dash)
		return -EINVAL;
	to = (struct text){ dash + 1, spec.len - head - 1 };
	if (from.len == 0) { /* the last bytes */
		uint64_t count;

		if (text_number(to, &count))
			return -EINVAL;
		if (count == 0 || size == 0)
			return 0;
		*out = (struct range){ count < size ? size - count : 0, last };
		return 1;
	}
	if (text_number(from, &first))
		return -EINVAL;
	if (to.len && (text_number(to, &last) || last < first))
		return -EINVAL;
	if (first >= size)
		return 0;
	*out = (struct range){ first, last < size ? last : size - 1 };
	return 1;
}

/* RFC 9110 14.2: many, or overlapping ones are an attack rather than a wish. */
static bool is_greedy(const struct range *ranges, int count, uint64_t size)
{
	uint64_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += ranges[i].last - ranges[i].first + 1;
	return count > 1 && sum > size;
}

int range_read(const char *data, const struct http_head *request, const struct validators *stored,
	       uint64_t size, struct range ranges[RANGES_MAX])
{
	const struct http_field *field = http_find(request, HTTP_RANGE);
	struct text list, member;
	int count = 0, ret;
	bool has_any = false;

	if (!field || http_find_next(request, field) || !if_range_holds(data, request, stored))
		return 0;
	list = http_text(data, field->value);
	if (list.len < 6 || !text_is((struct text){ list.at, 6 }, "bytes="))
		return 0;
	list = (struct text){ list.at + 6, list.len - 6 };
	while (text_next_member(&list, &member)) {
		if (count == RANGES_MAX)
			return 0;
		ret = read_spec(member, size, &ranges[count]);
		if (ret < 0)
			return 0;
		has_any = true;
		count += ret;
	}
	if (has_any && count == 0)
		return -ERANGE;
	return is_greedy(ranges, count, size) ? 0 : count;
}
