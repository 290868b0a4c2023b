// SPDX-License-Identifier: GPL-2.0-only
/* Making stored responses out of heads. What may be stored was decided before (freshness.c). */
#include "object.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_LINE_MAX 128
#define TAGS_MAX HTTP_HEAD_MAX

void object_unref(struct object *object)
{
	if (object && __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(object);
}

/* Framing is made anew for each answer, and Age counts on. */
static bool is_kept(const struct object_parts *parts, const struct http_field *field)
{
	if (http_is_hop_field(parts->data, parts->head, field))
		return false;
	if (field->id == HTTP_SET_COOKIE)
		return parts->is_passing || !parts->policy->is_set_cookie_cut;
	return field->id != HTTP_CONTENT_LENGTH && field->id != HTTP_AGE;
}

/* RFC 9110 15.4.5 */
static bool is_brief(const struct http_field *field)
{
	return field->id == HTTP_CACHE_CONTROL || field->id == HTTP_CONTENT_LOCATION ||
	       field->id == HTTP_DATE || field->id == HTTP_ETAG || field->id == HTTP_EXPIRES ||
	       field->id == HTTP_VARY || field->id == HTTP_CDN_CACHE_CONTROL;
}

static size_t put(char *buf, size_t at, struct text text)
{
	if (text.len)
		memcpy(buf + at, text.at, text.len);
	return at + text.len;
}

static size_t put_field(const struct object_parts *parts, const struct http_field *field, char *buf,
			size_t at)
{
	at = put(buf, at, http_text(parts->data, field->name));
	at = put(buf, at, (struct text){ ": ", 2 });
	at = put(buf, at, http_text(parts->data, field->value));
	return put(buf, at, (struct text){ "\r\n", 2 });
}

/* RFC 9110 6.6.1: a response without Date gets one. */
static size_t put_date(const struct object_parts *parts, char *buf, size_t at)
{
	char date[HTTP_DATE_SIZE];

	at = put(buf, at, (struct text){ "Date: ", 6 });
	at = put(buf, at, (struct text){ http_date_format(parts->now, date), HTTP_DATE_SIZE - 1 });
	return put(buf, at, (struct text){ "\r\n", 2 });
}

static size_t write_fields(const struct object_parts *parts, bool is_brief_only, char *buf)
{
	size_t at = 0;

	for (unsigned int i = 0; i < parts->head->field_count; i++) {
		const struct http_field *field = &parts->head->field[i];

		if (is_kept(parts, field) && (!is_brief_only || is_brief(field)))
			at = put_field(parts, field, buf, at);
	}
	if (!http_find(parts->head, HTTP_DATE))
		at = put_date(parts, buf, at);
	return at;
}

size_t object_write_fields(const struct object_parts *parts, char *buf)
{
	return write_fields(parts, false, buf);
}

/* " a b c ": blanks around each, so that a tag is found by searching. */
static size_t write_tags(const struct object_parts *parts, char *buf)
{
	size_t at = 0;

	for (unsigned int i = 0; i < parts->head->field_count; i++) {
		const struct http_field *field = &parts->head->field[i];
		struct text value = http_text(parts->data, field->value);

		if (field->id != HTTP_SURROGATE_KEY && field->id != HTTP_CACHE_TAG)
			continue;
		buf[at++] = ' ';
		for (size_t c = 0; c < value.len; c++)
			buf[at++] = value.at[c] == ',' || value.at[c] == '\t' ? ' ' : value.at[c];
	}
	if (at)
		buf[at++] = ' ';
	return at;
}

static size_t write_status_line(const struct object_parts *parts, char *buf)
{
	struct text reason = http_text(parts->data, parts->head->reason);

	return (size_t)snprintf(buf, STATUS_LINE_MAX, "HTTP/1.1 %u %.*s\r\n", parts->head->status,
				(int)(reason.len < 64 ? reason.len : 64),
				reason.len ? reason.at : "");
}

static struct piece add(struct object *object, size_t *at, const char *from, size_t len)
{
	struct piece piece = { (uint32_t)*at, (uint32_t)len };

	if (len && from)
		memcpy(object->bytes + *at, from, len);
	*at += len;
	return piece;
}

static struct piece add_text(struct object *object, size_t *at, struct text text)
{
	return add(object, at, text.at, text.len);
}

static struct piece add_value(struct object *object, size_t *at, const struct object_parts *parts,
			      enum http_field_id id)
{
	return add_text(object, at, http_value(parts->data, parts->head, id));
}

size_t object_length(const struct object *object)
{
	struct piece last = object->is_mark ? object->key : object->body;

	return sizeof(*object) + last.at + last.len;
}

static size_t size_of(struct object *object)
{
	return malloc_usable_size(object) + sizeof(size_t); /* its head in the heap */
}

void object_adopt(struct object *object, uint32_t service)
{
	object->refs = 1;
	object->service = service;
	object->next = object->newer = object->older = NULL;
	object->is_linked = false;
	object->size = size_of(object);
}

static struct object *allocate(size_t bytes, uint32_t service, uint64_t hash)
{
	struct object *object = malloc(sizeof(*object) + bytes);

	if (!object)
		return NULL;
	memset(object, 0, sizeof(*object));
	object->refs = 1;
	object->service = service;
	object->hash = hash;
	object->size = size_of(object);
	return object;
}

static void set_times(struct object *object, const struct object_parts *parts)
{
	const struct freshness *freshness = &parts->freshness;

	object->no_cache = freshness->no_cache;
	object->must_revalidate = freshness->must_revalidate;
	object->is_open = freshness->is_open;
	object->stored_at = parts->now;
	object->born_ms = parts->now_ms - freshness->age_ms;
	object->fresh_until_ms = object->born_ms + freshness->lifetime_ms;
	object->stale_while_ms = freshness->stale_while_ms;
	object->stale_error_ms = freshness->stale_error_ms;
}

/* The texts of a head once written out, on their way into an object. */
struct written {
	char status_line[STATUS_LINE_MAX], fields[OBJECT_FIELDS_MAX], brief[OBJECT_FIELDS_MAX],
		tags[TAGS_MAX];
	size_t status_line_len, fields_len, brief_len, tags_len;
};

static _Thread_local struct written written;

struct object *object_new(const struct object_parts *parts)
{
	static const enum http_field_id values[] = { HTTP_ETAG, HTTP_LAST_MODIFIED, HTTP_DATE,
						     HTTP_CONTENT_TYPE };
	struct object *object;
	size_t at = 0, sum;

	written.status_line_len = write_status_line(parts, written.status_line);
	written.fields_len = write_fields(parts, false, written.fields);
	written.brief_len = write_fields(parts, true, written.brief);
	written.tags_len = write_tags(parts, written.tags);
	sum = parts->key.len + parts->vary_names.len + parts->vary_values.len +
	      written.status_line_len + written.fields_len + written.brief_len + written.tags_len;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		sum += http_value(parts->data, parts->head, values[i]).len;
	object = allocate(sum + parts->body_len, parts->service, parts->hash);
	if (!object)
		return NULL;
	object->status = parts->head->status;
	set_times(object, parts);
	/* What an answer needs stands together: status line and fields are sent as one piece. */
	object->status_line = add(object, &at, written.status_line, written.status_line_len);
	object->head = add(object, &at, written.fields, written.fields_len);
	object->key = add_text(object, &at, parts->key);
	object->vary_names = add_text(object, &at, parts->vary_names);
	object->vary_values = add_text(object, &at, parts->vary_values);
	object->brief = add(object, &at, written.brief, written.brief_len);
	object->tags = add(object, &at, written.tags, written.tags_len);
	object->etag = add_value(object, &at, parts, HTTP_ETAG);
	object->last_modified = add_value(object, &at, parts, HTTP_LAST_MODIFIED);
	object->date = add_value(object, &at, parts, HTTP_DATE);
	object->content_type = add_value(object, &at, parts, HTTP_CONTENT_TYPE);
	object->body = add(object, &at, NULL, parts->body_len);
	return object;
}

struct object *object_new_mark(uint32_t service, uint64_t hash, struct text key, enum reason why,
			       const struct policy *policy, uint64_t until_ms)
{
	struct object *object = allocate(key.len, service, hash);
	size_t at = 0;

	if (!object)
		return NULL;
	object->is_mark = true;
	object->why = (uint8_t)why;
	object->judged_by = policy_digest(policy);
	object->fresh_until_ms = until_ms;
	object->key = add_text(object, &at, key);
	return object;
}

/* The stored status line, the 304's fields, the stored ones whose names it does not have. */
static size_t write_merged(const struct object *old, const struct object_parts *parts, char *buf,
			   size_t size)
{
	struct text line = object_text(old, old->status_line);
	struct text fields = object_text(old, old->head);
	char whole[OBJECT_FIELDS_MAX + STATUS_LINE_MAX];
	const struct http_field *age = http_find(parts->head, HTTP_AGE);
	struct http_head stored;
	struct object_parts from = *parts;
	size_t at, len;

	len = put(whole, 0, line);
	len = put(whole, len, fields);
	len = put(whole, len, (struct text){ "\r\n", 2 });
	if (http_parse_response(whole, len, HTTP_M_HEAD, &stored) <= 0)
		return 0;
	at = put(buf, 0, line);
	at += write_fields(parts, false, buf + at);
	if (age) /* not kept, but it counts */
		at = put_field(parts, age, buf, at);
	from.data = whole;
	from.head = &stored;
	for (unsigned int i = 0; i < stored.field_count && at + HTTP_HEAD_MAX < size; i++) {
		struct text name = http_text(whole, stored.field[i].name);
		bool is_new = stored.field[i].id == HTTP_DATE;

		for (unsigned int n = 0; n < parts->head->field_count && !is_new; n++)
			is_new = text_is_same_word(
				name, http_text(parts->data, parts->head->field[n].name));
		if (!is_new)
			at = put_field(&from, &stored.field[i], buf, at);
	}
	return put(buf, at, (struct text){ "\r\n", 2 });
}

char *object_merge_heads(const struct object *old, const struct object_parts *parts,
			 struct http_head *head)
{
	size_t size = 3 * OBJECT_FIELDS_MAX, len;
	char *buf = malloc(size);

	if (!buf)
		return NULL;
	len = write_merged(old, parts, buf, size);
	if (len && http_parse_response(buf, len, HTTP_M_HEAD, head) > 0)
		return buf;
	free(buf);
	return NULL;
}

struct object *object_new_renewed(const struct object *old, const struct object_parts *parts)
{
	struct object_parts merged = *parts;
	struct object *object;

	merged.body_len = old->body.len;
	object = object_new(&merged);
	if (object && old->body.len)
		memcpy(object->bytes + object->body.at, old->bytes + old->body.at, old->body.len);
	return object;
}

struct validators object_validators(const struct object *object)
{
	return (struct validators){
		.etag = object_text(object, object->etag),
		.last_modified = object_text(object, object->last_modified),
		.date = object_text(object, object->date),
	};
}

bool object_has_tag(const struct object *object, struct text tag)
{
	struct text tags = object_text(object, object->tags);
	const char *at = tags.at;

	if (tag.len == 0 || memchr(tag.at, ' ', tag.len))
		return false;
	while (at && (at = memmem(at, tags.len - (size_t)(at - tags.at), tag.at, tag.len))) {
		if (at[-1] == ' ' && at[tag.len] == ' ')
			return true;
		at++;
	}
	return false;
}
