// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFC 9111 as plain functions of a response's head: may it be stored, for how long is it fresh.
 * Where a directive is malformed the safer reading holds. Knows no clock and no store.
 */
#include "freshness.h"
#include "key.h"

#include <errno.h>
#include <string.h>

void policy_init(struct policy *policy)
{
	*policy = (struct policy){ .stale_error = 86400 };
}

uint64_t policy_digest(const struct policy *policy)
{
	const uint32_t parts[] = { policy->ttl, policy->negative_ttl, policy->stale_while,
				   policy->is_set_cookie_cut, policy->is_cookie_ignored };

	return key_hash((const char *)parts, sizeof(parts), 0, 0);
}

/* delta-seconds; one that cannot be read counts as 0: already stale (RFC 9111 4.2.1). */
static int64_t seconds_of(struct text text)
{
	uint64_t number;
	int ret;

	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"') {
		text.at++;
		text.len -= 2;
	}
	ret = text_number(text, &number);
	if (ret)
		return ret == -ERANGE ? DIRECTIVE_MAX : 0;
	return number > DIRECTIVE_MAX ? DIRECTIVE_MAX : (int64_t)number;
}

/* Of two, the shorter counts. */
static void take_seconds(int64_t *out, struct text value)
{
	int64_t seconds = seconds_of(value);

	if (*out == DIRECTIVE_NONE || seconds < *out)
		*out = seconds;
}

static void take_directive(struct directives *out, struct text name, struct text value)
{
	if (text_is(name, "no-store"))
		out->no_store = true;
	else if (text_is(name, "no-cache"))
		out->no_cache = true;
	else if (text_is(name, "private"))
		out->is_private = true;
	else if (text_is(name, "public"))
		out->is_public = true;
	else if (text_is(name, "must-revalidate"))
		out->must_revalidate = true;
	else if (text_is(name, "proxy-revalidate"))
		out->proxy_revalidate = true;
	else if (text_is(name, "only-if-cached"))
		out->only_if_cached = true;
	else if (text_is(name, "max-age"))
		take_seconds(&out->max_age, value);
	else if (text_is(name, "s-maxage"))
		take_seconds(&out->s_maxage, value);
	else if (text_is(name, "stale-while-revalidate"))
		take_seconds(&out->stale_while, value);
	else if (text_is(name, "stale-if-error"))
		take_seconds(&out->stale_error, value);
}

void directives_read(const char *data, const struct http_head *head, enum http_field_id id,
		     struct directives *out)
{
	struct text list, member, value;
	const char *sign;

	*out = (struct directives){ .max_age = DIRECTIVE_NONE,
				    .s_maxage = DIRECTIVE_NONE,
				    .stale_while = DIRECTIVE_NONE,
				    .stale_error = DIRECTIVE_NONE };
	for (const struct http_field *field = http_find(head, id); field;
	     field = http_find_next(head, field)) {
		out->is_present = true;
		list = http_text(data, field->value);
		while (text_next_member(&list, &member)) {
			sign = memchr(member.at, '=', member.len);
			value = TEXT_NONE;
			if (sign) {
				size_t len = (size_t)(sign - member.at);

				value = (struct text){ sign + 1, member.len - len - 1 };
				member.len = len;
			}
			take_directive(out, member, value);
		}
	}
}

static bool is_negative(uint16_t status)
{
	return status == 301 || status == 308 || status == 404 || status == 405 || status == 410 ||
	       status == 414;
}

/* Statuses that are understood; the others only pass by. 5xx never replace a page. */
static bool is_understood(uint16_t status)
{
	return status == 200 || status == 203 || status == 204 || status == 300 || status == 302 ||
	       status == 307 || is_negative(status);
}

static bool read_date(const struct response_facts *facts, enum http_field_id id, time_t *out)
{
	struct text text = http_value(facts->data, facts->head, id);

	return text.at && !http_date_parse(text, facts->now, out);
}

uint32_t freshness_age_ms(const struct response_facts *facts)
{
	uint64_t age = 0, apparent = 0;
	time_t date;

	if (text_number(http_value(facts->data, facts->head, HTTP_AGE), &age))
		age = 0;
	if (age > DIRECTIVE_MAX / 1000)
		age = DIRECTIVE_MAX / 1000;
	age = age * 1000 + facts->delay_ms;
	if (read_date(facts, HTTP_DATE, &date) && date < facts->now)
		apparent = (uint64_t)(facts->now - date) * 1000;
	if (apparent > age)
		age = apparent;
	return age > DIRECTIVE_MAX ? DIRECTIVE_MAX : (uint32_t)age;
}

/* Expires less Date; a date that cannot be read is in the past (RFC 9111 5.3). */
static int64_t expires_seconds(const struct response_facts *facts)
{
	time_t expires, date = facts->now;

	if (!http_find(facts->head, HTTP_EXPIRES))
		return DIRECTIVE_NONE;
	if (!read_date(facts, HTTP_EXPIRES, &expires))
		return 0;
	(void)read_date(facts, HTTP_DATE, &date);
	return expires > date ? expires - date : 0;
}

/* RFC 9111 4.2.2: a tenth of the time since the last change, at most a day. */
static int64_t heuristic_seconds(const struct response_facts *facts)
{
	time_t modified, date = facts->now;

	if (!read_date(facts, HTTP_LAST_MODIFIED, &modified))
		return DIRECTIVE_NONE;
	(void)read_date(facts, HTTP_DATE, &date);
	if (date <= modified)
		return 0;
	return (date - modified) / 10 < 86400 ? (date - modified) / 10 : 86400;
}

/* What the response itself says; DIRECTIVE_NONE if nothing. */
static int64_t explicit_seconds(const struct response_facts *facts,
				const struct directives *directives, bool is_targeted)
{
	if (!is_targeted && directives->s_maxage != DIRECTIVE_NONE)
		return directives->s_maxage;
	if (directives->max_age != DIRECTIVE_NONE)
		return directives->max_age;
	return is_targeted ? DIRECTIVE_NONE : expires_seconds(facts);
}

static int64_t lifetime_seconds(const struct policy *policy, const struct response_facts *facts,
				int64_t seconds)
{
	uint16_t status = facts->head->status;

	if (seconds != DIRECTIVE_NONE)
		return seconds;
	if (is_negative(status))
		return policy->negative_ttl ? (int64_t)policy->negative_ttl : DIRECTIVE_NONE;
	if (status != 200 && status != 203)
		return DIRECTIVE_NONE;
	return policy->ttl ? (int64_t)policy->ttl : heuristic_seconds(facts);
}

/*
 * RFC 9111 4.1; also what lbcache writes itself, and not from the key alone, has no variants. What
 * stays behind (passing.h) is absent for all, and X-Forwarded-Proto is the key's scheme.
 */
static bool varies_by_client(const struct response_facts *facts)
{
	static const char *const names[] = {
		"*", "forwarded", "via", "x-forwarded-for", "if-none-match", "if-modified-since"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (http_has_member(facts->data, facts->head, HTTP_VARY, names[i]))
			return true;
	}
	return false;
}

static enum reason judge_storing(const struct policy *policy, const struct response_facts *facts,
				 const struct directives *directives)
{
	if (!is_understood(facts->head->status))
		return WHY_STATUS;
	if (directives->no_store)
		return WHY_NO_STORE;
	if (directives->is_private)
		return WHY_PRIVATE;
	if (facts->has_authorization && !directives->is_public && !directives->must_revalidate &&
	    directives->s_maxage == DIRECTIVE_NONE)
		return WHY_AUTHORIZATION;
	if (http_find(facts->head, HTTP_SET_COOKIE) && !policy->is_set_cookie_cut)
		return WHY_SET_COOKIE;
	if (varies_by_client(facts))
		return WHY_VARY;
	return WHY_STORED;
}

static uint64_t stale_ms(int64_t said, uint32_t standard)
{
	return 1000 * (said == DIRECTIVE_NONE ? standard : (uint64_t)said);
}

enum reason freshness_judge(const struct policy *policy, const struct response_facts *facts,
			    struct freshness *out)
{
	struct directives directives;
	bool is_targeted, has_validator;
	enum reason reason;
	int64_t seconds;

	/* RFC 9213 2.2: where the targeted field is, Cache-Control and Expires do not count. */
	directives_read(facts->data, facts->head, HTTP_CDN_CACHE_CONTROL, &directives);
	is_targeted = directives.is_present;
	if (!is_targeted)
		directives_read(facts->data, facts->head, HTTP_CACHE_CONTROL, &directives);
	reason = judge_storing(policy, facts, &directives);
	if (reason != WHY_STORED)
		return reason;
	seconds = explicit_seconds(facts, &directives, is_targeted);
	seconds = lifetime_seconds(policy, facts, seconds);
	if (seconds == DIRECTIVE_NONE && directives.no_cache)
		seconds = 0;
	if (seconds == DIRECTIVE_NONE)
		return WHY_NO_FRESHNESS;
	out->age_ms = freshness_age_ms(facts);
	out->lifetime_ms = directives.no_cache ? 0 : 1000 * (uint64_t)seconds;
	out->no_cache = directives.no_cache;
	/* RFC 9111 5.2.2.10: s-maxage says that a shared cache revalidates. */
	out->must_revalidate = directives.no_cache || directives.must_revalidate ||
			       directives.proxy_revalidate ||
			       (!is_targeted && directives.s_maxage != DIRECTIVE_NONE &&
				directives.stale_while == DIRECTIVE_NONE &&
				directives.stale_error == DIRECTIVE_NONE);
	out->is_open = directives.is_public || directives.must_revalidate ||
		       directives.s_maxage != DIRECTIVE_NONE;
	out->stale_while_ms = out->stale_error_ms = 0;
	if (!out->must_revalidate) {
		out->stale_while_ms = stale_ms(directives.stale_while, policy->stale_while);
		out->stale_error_ms = stale_ms(directives.stale_error, policy->stale_error);
	}
	has_validator =
		http_find(facts->head, HTTP_ETAG) || http_find(facts->head, HTTP_LAST_MODIFIED);
	/* Never fresh, and no cheaper to ask for again: no use in keeping it. */
	if (out->lifetime_ms <= out->age_ms && !has_validator &&
	    out->lifetime_ms + out->stale_while_ms <= out->age_ms)
		return WHY_NO_FRESHNESS;
	return WHY_STORED;
}
