// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFC 9111 4.3.5: what a backend's answer to HEAD says of the page that is stored. One that is the
 * same page renews it, as a 304 would; another one leaves it stale.
 */
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where both say it, they say the same; the length is that of the body that is here. */
static bool is_same_page(const struct object *object, const char *data,
			 const struct http_head *head)
{
	const struct validators stored = object_validators(object);
	const struct text etag = http_value(data, head, HTTP_ETAG);
	const struct text modified = http_value(data, head, HTTP_LAST_MODIFIED);
	const struct text length = http_value(data, head, HTTP_CONTENT_LENGTH);
	char own[24];

	(void)snprintf(own, sizeof(own), "%u", object->body.len);
	return (!etag.len || text_is_same(etag, stored.etag)) &&
	       (!modified.len || text_is_same(modified, stored.last_modified)) &&
	       (!length.len || text_is(length, own)) && (etag.len || modified.len);
}

static struct object *renew(struct worker *worker, const struct fill *fill,
			    const struct object *old, struct object_parts parts, uint32_t delay_ms)
{
	struct http_head page;
	char *merged = object_merge_heads(old, &parts, &page);
	struct object *object = NULL;
	struct response_facts facts = {
		.data = merged, .head = &page, .now = worker->now, .delay_ms = delay_ms
	};

	if (merged &&
	    freshness_judge(fill->request->policy, &facts, &parts.freshness) == WHY_STORED) {
		parts.data = merged;
		parts.head = &page;
		object = object_new_renewed(old, &parts);
	}
	free(merged);
	return object;
}

void heading_note(struct worker *worker, const struct fill *fill, const char *data,
		  const struct http_head *head, uint32_t delay_ms)
{
	const struct request *request = fill->request;
	struct store *store = worker->server->store;
	char key[KEY_MAX];
	struct store_query query = { .service = request->service->number,
				     .data = request->data,
				     .request = &request->head,
				     .policy = request->policy,
				     .now_ms = worker->now_ms };
	struct object *old, *object = NULL;
	struct object_parts parts;

	/* One that passed by for another reason may be somebody's own page. */
	if (request->head.method != HTTP_M_HEAD || fill->why != WHY_METHOD || head->status != 200)
		return;
	query.key.at = key;
	query.key.len = key_make(
		service_scheme(request->service), http_text(request->data, request->head.host),
		http_text(request->data, request->head.target), request->policy, key);
	query.hash = key_hash(key, query.key.len, query.service, store_seed(store));
	old = store_find(store, &query);
	if (!old)
		return;
	parts = (struct object_parts){ .service = query.service,
				       .hash = query.hash,
				       .key = query.key,
				       .vary_names = object_text(old, old->vary_names),
				       .vary_values = object_text(old, old->vary_values),
				       .data = data,
				       .head = head,
				       .policy = request->policy,
				       .now = worker->now,
				       .now_ms = worker->now_ms };
	if (!old->is_mark && old->status == 200 && is_same_page(old, data, head))
		object = renew(worker, fill, old, parts, delay_ms);
	if (object)
		(void)store_put(store, object);
	else if (!old->is_mark && old->fresh_until_ms > worker->now_ms)
		old->fresh_until_ms = worker->now_ms;
	object_unref(old);
}
