// SPDX-License-Identifier: GPL-2.0-only
/* Partial answers: one range straight from the object, several as multipart/byteranges. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PART_HEAD_MAX 256
#define BOUNDARY_SIZE 33

static void add(struct client *client, const void *at, size_t len)
{
	client->iov[client->iov_count++] = (struct iovec){ (void *)(uintptr_t)at, len };
}

static int put_head(struct client *client)
{
	return snprintf(client->first, FIRST_SIZE, "HTTP/1.1 206 Partial Content\r\n");
}

static bool one_range(struct client *client, const struct object *object, const struct range *range,
		      size_t at)
{
	size_t len = (size_t)(range->last - range->first) + 1;

	at += (size_t)snprintf(client->line + at, LINE_SIZE - at,
			       "Content-Range: bytes %llu-%llu/%u\r\nContent-Length: %zu\r\n\r\n",
			       (unsigned long long)range->first, (unsigned long long)range->last,
			       object->body.len, len);
	add(client, client->first, (size_t)put_head(client));
	add(client, object->bytes + object->head.at, object->head.len);
	add(client, client->line, at);
	add(client, object->bytes + object->body.at + range->first, len);
	return true;
}

/* The stored fields but Content-Type, which is the parts'. */
static size_t copy_fields(const struct object *object, char *buf)
{
	struct text fields = object_text(object, object->head);
	size_t at = 0;

	while (fields.len) {
		const char *end = memchr(fields.at, '\n', fields.len);
		size_t len = end ? (size_t)(end - fields.at) + 1 : fields.len;

		if (len < 13 || !text_is((struct text){ fields.at, 13 }, "content-type:")) {
			memcpy(buf + at, fields.at, len);
			at += len;
		}
		fields.at += len;
		fields.len -= len;
	}
	return at;
}

static bool make_boundary(char boundary[BOUNDARY_SIZE])
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	(void)snprintf(boundary, BOUNDARY_SIZE, "%016llx%016llx", (unsigned long long)random[0],
		       (unsigned long long)random[1]);
	return true;
}

static bool many_ranges(struct client *client, const struct object *object,
			const struct range *ranges, unsigned int count, size_t at)
{
	struct text type = object_text(object, object->content_type);
	size_t sum = object->head.len + PART_HEAD_MAX, fields, body;
	char boundary[BOUNDARY_SIZE];

	if (type.len > PART_HEAD_MAX / 4)
		type = TEXT_NONE;
	for (unsigned int i = 0; i < count; i++)
		sum += (size_t)(ranges[i].last - ranges[i].first) + 1 + PART_HEAD_MAX;
	client->owned = malloc(sum);
	if (!client->owned || !make_boundary(boundary))
		return false;
	body = fields = copy_fields(object, client->owned);
	for (unsigned int i = 0; i < count; i++) {
		size_t len = (size_t)(ranges[i].last - ranges[i].first) + 1;

		body += (size_t)snprintf(
			client->owned + body, PART_HEAD_MAX,
			"\r\n--%s\r\n%s%.*s%sContent-Range: bytes %llu-%llu/%u\r\n\r\n", boundary,
			type.len ? "Content-Type: " : "", (int)type.len, type.len ? type.at : "",
			type.len ? "\r\n" : "", (unsigned long long)ranges[i].first,
			(unsigned long long)ranges[i].last, object->body.len);
		memcpy(client->owned + body, object->bytes + object->body.at + ranges[i].first,
		       len);
		body += len;
	}
	body += (size_t)snprintf(client->owned + body, PART_HEAD_MAX, "\r\n--%s--\r\n", boundary);
	at += (size_t)snprintf(client->line + at, LINE_SIZE - at,
			       "Content-Type: multipart/byteranges; boundary=%s\r\n"
			       "Content-Length: %zu\r\n\r\n",
			       boundary, body - fields);
	add(client, client->first, (size_t)put_head(client));
	add(client, client->owned, fields);
	add(client, client->line, at);
	add(client, client->owned + fields, body - fields);
	return true;
}

bool reply_ranges(struct client *client, const struct object *object, const struct range *ranges,
		  unsigned int count, size_t at)
{
	if (count == 1)
		return one_range(client, object, ranges, at);
	return many_ranges(client, object, ranges, count, at);
}
