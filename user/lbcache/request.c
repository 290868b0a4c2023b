// SPDX-License-Identifier: GPL-2.0-only
/* Requests on their way to a backend: nothing is copied through that was not parsed. */
#include "request.h"
#include "passing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request *request_new(struct service *service, const struct policy *policy,
			    const union address *client, const char *data,
			    const struct http_head *head, struct text key, uint64_t hash)
{
	struct request *request = malloc(sizeof(*request) + head->length + key.len);
	char *port;

	if (!request)
		return NULL;
	memset(request, 0, offsetof(struct request, head));
	request->refs = 1;
	request->service = service;
	request->policy = policy;
	request->client = *client;
	(void)address_format(client, request->client_text);
	port = strrchr(request->client_text, ':');
	if (port)
		*port = '\0';
	memcpy(&request->head, head,
	       offsetof(struct http_head, field) + head->field_count * sizeof(head->field[0]));
	request->hash = hash;
	request->data = (char *)(request + 1);
	memcpy(request->data, data, head->length);
	if (key.len)
		memcpy(request->data + head->length, key.at, key.len);
	request->key = (struct text){ request->data + head->length, key.len };
	return request;
}

void request_unref(struct request *request)
{
	if (request && __atomic_sub_fetch(&request->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(request);
}

enum reason request_judge(const struct policy *policy, const char *data,
			  const struct http_head *head)
{
	if (policy->is_pass)
		return WHY_POLICY;
	if ((head->method != HTTP_M_GET && head->method != HTTP_M_HEAD) ||
	    head->framing != HTTP_BODY_NONE)
		return WHY_METHOD;
	if (head->has_upgrade)
		return WHY_UPGRADE;
	if (http_find(head, HTTP_IF_MATCH) || http_find(head, HTTP_IF_UNMODIFIED_SINCE))
		return WHY_PRECONDITION;
	if (http_find(head, HTTP_COOKIE) && !policy->is_cookie_ignored)
		return WHY_COOKIE;
	if (http_find(head, HTTP_HOST) == NULL)
		return WHY_METHOD;
	(void)data;
	return WHY_STORED;
}

struct writer {
	char *buf;
	size_t at, size;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
						      ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(writer->buf + writer->at, writer->size - writer->at, format, args);
	va_end(args);
	if (len > 0 && (size_t)len < writer->size - writer->at)
		writer->at += (size_t)len;
}

static void put_line(struct writer *writer, const char *name, struct text value)
{
	put(writer, "%s: %.*s\r\n", name, (int)value.len, value.at ? value.at : "");
}

/* All fields of a name as one list, and one member more at its end. */
static void put_list(struct writer *writer, const struct request *request, const char *name,
		     enum http_field_id id, const char *last)
{
	put(writer, "%s: ", name);
	for (const struct http_field *field = http_find(&request->head, id); field;
	     field = http_find_next(&request->head, field)) {
		struct text value = http_text(request->data, field->value);

		if (value.len)
			put(writer, "%.*s, ", (int)value.len, value.at);
	}
	put(writer, "%s\r\n", last);
}

static void put_forwarded(struct writer *writer, const struct request *request)
{
	const char *client = request->client_text;
	bool is_v6 = client[0] == '[';
	struct text host = http_text(request->data, request->head.host);
	const struct text scheme = service_scheme(request->service);
	char last[HTTP_HEAD_MAX / 4];

	(void)snprintf(last, sizeof(last), "for=%s%s%s;host=\"%.*s\";proto=%.*s", is_v6 ? "\"" : "",
		       client, is_v6 ? "\"" : "", (int)(host.len < 1024 ? host.len : 1024),
		       host.at ? host.at : "", (int)scheme.len, scheme.at);
	put_list(writer, request, "Forwarded", HTTP_FORWARDED, last);
	(void)snprintf(last, sizeof(last), "%.*s", (int)strcspn(client + is_v6, "]"),
		       client + is_v6);
	put_list(writer, request, "X-Forwarded-For", HTTP_X_FORWARDED_FOR, last);
	put_line(writer, "X-Forwarded-Proto", scheme);
	put_list(writer, request, "Via", HTTP_VIA,
		 request->head.is_h2   ? "2.0 lbcache"
		 : request->head.minor ? "1.1 lbcache"
				       : "1.0 lbcache");
}

static void put_max_forwards(struct writer *writer, const struct request *request)
{
	uint64_t left;

	if (max_forwards_read(request->data, &request->head, &left) && left)
		put(writer, "Max-Forwards: %llu\r\n", (unsigned long long)left - 1);
}

static void put_fields(struct writer *writer, const struct request *request, bool is_shared)
{
	for (unsigned int i = 0; i < request->head.field_count; i++) {
		const struct http_field *field = &request->head.field[i];

		if (!field_passes(request->data, &request->head, field, request->policy, is_shared))
			continue;
		put(writer, "%.*s: %.*s\r\n", field->name.len, request->data + field->name.at,
		    field->value.len, request->data + field->value.at);
	}
}

static void put_framing(struct writer *writer, const struct http_head *head)
{
	if (head->framing == HTTP_BODY_LENGTH)
		put(writer, "Content-Length: %llu\r\n", (unsigned long long)head->content_length);
	else if (head->framing == HTTP_BODY_CHUNKED)
		put(writer, "Transfer-Encoding: chunked\r\n");
}

char *request_write(const struct request *request, bool is_shared, const struct object *stale,
		    size_t *len)
{
	const struct http_head *head = &request->head;
	char vip[ADDRESS_TEXT_SIZE];
	struct writer writer = { .size = 4 * HTTP_HEAD_MAX };
	struct text host = http_text(request->data, head->host);

	writer.buf = malloc(writer.size);
	if (!writer.buf)
		return NULL;
	if (host.len == 0) {
		(void)address_format(&request->service->listen, vip);
		host = (struct text){ vip, strlen(vip) };
	}
	/* HEAD is asked as it came: only a GET fills the memory. */
	put(&writer, "%.*s %.*s HTTP/1.1\r\n", head->method_name.len,
	    request->data + head->method_name.at, head->target.len,
	    request->data + head->target.at);
	put_line(&writer, "Host", host);
	put_fields(&writer, request, is_shared);
	put_max_forwards(&writer, request);
	if (stale && stale->etag.len)
		put_line(&writer, "If-None-Match", object_text(stale, stale->etag));
	if (stale && stale->last_modified.len)
		put_line(&writer, "If-Modified-Since", object_text(stale, stale->last_modified));
	put_forwarded(&writer, request);
	put_framing(&writer, head);
	if (head->has_upgrade) {
		put(&writer, "Connection: upgrade\r\n");
		put_line(&writer, "Upgrade", http_value(request->data, head, HTTP_UPGRADE));
	}
	put(&writer, "\r\n");
	*len = writer.at;
	return writer.buf;
}
