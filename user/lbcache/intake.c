// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a response means for its fill: stored or not, the marks and purges that follow from it, and
 * who is told. Knows neither sockets nor clients.
 */
#include "conditional.h"
#include "fetch.h"
#include "handover.h"
#include "location.h"
#include "second.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MS 120000 /* how long a page is known not to be storable */

static bool is_error(const struct http_head *head)
{
	return head->status >= 500;
}

static struct object_parts parts_of(const struct worker *worker, const struct fill *fill,
				    const char *data, const struct http_head *head)
{
	return (struct object_parts){
		.service = fill->request->service->number,
		.hash = fill->request->hash,
		.key = fill->request->key,
		.vary_names = { fill->vary_names, fill->vary_names_len },
		.vary_values = { fill->vary_values, fill->vary_values_len },
		.data = data,
		.head = head,
		.policy = fill->request->policy,
		.freshness = fill->freshness,
		.now = worker->now,
		.now_ms = worker->now_ms,
	};
}

/* What the response varies by, with this request's values; WHY_STORED if both have room. */
static enum reason read_vary(struct fill *fill, const char *data, const struct http_head *head)
{
	const struct request *request = fill->request;
	ssize_t len = vary_names(data, head, fill->vary_names);
	char values[VARY_MAX];

	if (len <= 0)
		return len ? WHY_VARY : WHY_STORED;
	fill->vary_names_len = (size_t)len;
	len = vary_values((struct text){ fill->vary_names, fill->vary_names_len }, request->data,
			  &request->head, request->policy, values);
	fill->vary_values = len < 0 ? NULL : malloc((size_t)len + 1);
	if (!fill->vary_values)
		return WHY_LONG_REQUEST;
	memcpy(fill->vary_values, values, (size_t)len);
	fill->vary_values_len = (size_t)len;
	return WHY_STORED;
}

static enum reason judge(struct worker *worker, struct fill *fill, const char *data,
			 const struct http_head *head, uint32_t delay_ms)
{
	const struct request *request = fill->request;
	const struct response_facts facts = {
		.data = data,
		.head = head,
		.has_authorization = http_find(&request->head, HTTP_AUTHORIZATION),
		.now = worker->now,
		.delay_ms = delay_ms,
	};
	enum reason why;
	uint64_t age;

	fill->has_age = !text_number(http_value(data, head, HTTP_AGE), &age);
	fill->born_ms = worker->now_ms - freshness_age_ms(&facts);
	if (request->key.len == 0)
		return (enum reason)fill->why;
	why = freshness_judge(request->policy, &facts, &fill->freshness);
	if (why == WHY_STORED && head->framing == HTTP_BODY_LENGTH &&
	    head->content_length > worker->server->limits.object)
		why = WHY_TOO_LARGE;
	return why == WHY_STORED ? read_vary(fill, data, head) : why;
}

/* The next ones for this page do not queue. */
static void put_mark(struct worker *worker, const struct fill *fill, enum reason why)
{
	const struct request *request = fill->request;
	struct object *mark;

	if (request->key.len == 0 || why == WHY_BROKEN || reason_is_own(why) || fill->status >= 500)
		return;
	mark = object_new_mark(request->service->number, request->hash, request->key, why,
			       request->policy, worker->now_ms + MARK_MS);
	if (mark)
		(void)store_put(worker->server->store, mark);
}

static void purge(struct worker *worker, const struct service *service, struct text key)
{
	struct store *store = worker->server->store;
	const uint64_t hash = key_hash(key.at, key.len, service->number, store_seed(store));

	(void)fill_outdate_key(worker->server->fills, service->number, hash, key);
	(void)store_purge_key(store, service->number, hash, key, 0);
	second_forget(worker, service, key);
	handover_tell(service, key);
}

static void purge_location(struct worker *worker, const struct fill *fill, const char *data,
			   const struct http_head *head, enum http_field_id id)
{
	const struct request *request = fill->request;
	const struct text own = http_text(request->data, request->head.host),
			  base = http_text(request->data, request->head.target),
			  scheme = service_scheme(request->service);
	char key[KEY_MAX], buf[HTTP_TARGET_MAX];
	struct text target;
	size_t len;

	if (!location_resolve(http_value(data, head, id), scheme, own, base, buf, &target))
		return;
	len = key_make(scheme, own, target, rules_find(request->service->rules, target), key);
	purge(worker, request->service, (struct text){ key, len });
}

/* RFC 9111 4.4: what an unsafe method changed is not served any more. */
static void invalidate(struct worker *worker, const struct fill *fill, const char *data,
		       const struct http_head *head)
{
	const struct request *request = fill->request;
	char key[KEY_MAX];
	size_t len;

	switch (request->head.method) {
	case HTTP_M_GET:
	case HTTP_M_HEAD:
	case HTTP_M_OPTIONS:
	case HTTP_M_TRACE:
		return;
	default:
		break;
	}
	if (head->status < 200 || head->status >= 400)
		return;
	len = key_make(service_scheme(request->service),
		       http_text(request->data, request->head.host),
		       http_text(request->data, request->head.target), request->policy, key);
	purge(worker, request->service, (struct text){ key, len });
	purge_location(worker, fill, data, head, HTTP_LOCATION);
	purge_location(worker, fill, data, head, HTTP_CONTENT_LOCATION);
}

/* Ends the fill with an object that answers whoever waits. */
static void end_with(struct worker *worker, struct fill *fill, struct object *object,
		     bool has_failed)
{
	(void)pthread_mutex_lock(&fill->lock);
	fill->object = object;
	fill->is_revalidated = true;
	fill->has_failed = has_failed;
	fill->state = FILL_DONE;
	(void)pthread_mutex_unlock(&fill->lock);
	fill_unlist(fill);
	fill_tell(fill, worker);
}

void intake_second(struct worker *worker, struct fill *fill, struct object *object)
{
	(void)pthread_mutex_lock(&fill->lock);
	fill->is_second = true;
	(void)pthread_mutex_unlock(&fill->lock);
	end_with(worker, fill, object, false);
}

/* RFC 9111 4.3.4: the page with what the 304 says, judged as if it had come so. */
static bool take_304(struct worker *worker, struct fill *fill, const char *data,
		     const struct http_head *head, uint32_t delay_ms)
{
	struct object_parts parts = parts_of(worker, fill, data, head);
	struct object *object = NULL;
	struct http_head page;
	char *merged = object_merge_heads(fill->stale, &parts, &page);

	if (merged && judge(worker, fill, merged, &page, delay_ms) == WHY_STORED) {
		parts = parts_of(worker, fill, merged, &page);
		object = object_new_renewed(fill->stale, &parts);
	}
	if (object && fill_keep(fill, object))
		second_keep(worker, fill->request->service, object);
	else if (!object)
		store_drop(worker->server->store, fill->stale);
	free(merged);
	worker->counters.revalidated++;
	end_with(worker, fill, object ? object : object_ref(fill->stale), false);
	return false;
}

/* Copies what clients of other threads will need, before the state says that it is there. */
static bool keep_head(struct worker *worker, struct fill *fill, const char *data,
		      const struct http_head *head, bool is_storing)
{
	struct object_parts parts = parts_of(worker, fill, data, head);
	char *fitting;

	parts.is_passing = !is_storing;
	fill->data = malloc(head->length);
	fill->head = malloc(sizeof(*head));
	fill->fields = malloc(OBJECT_FIELDS_MAX);
	if (!fill->data || !fill->head || !fill->fields)
		return false;
	memcpy(fill->data, data, head->length);
	memcpy(fill->head, head, sizeof(*head));
	fill->fields_len = object_write_fields(&parts, fill->fields);
	/* Most of the room is not needed; a smaller one always fits. */
	fitting = realloc(fill->fields, fill->fields_len + 1);
	if (fitting)
		fill->fields = fitting;
	fill->status = head->status;
	fill->has_length = head->framing == HTTP_BODY_LENGTH || head->framing == HTTP_BODY_NONE;
	return true;
}

/* The page is another one by now: it goes, and the fill waits for an answer without conditions. */
static bool drop_stale(struct worker *worker, struct fill *fill)
{
	struct object *stale = fill->stale;

	store_drop(worker->server->store, stale);
	(void)pthread_mutex_lock(&fill->lock);
	fill->stale = NULL;
	(void)pthread_mutex_unlock(&fill->lock);
	object_unref(stale);
	return false;
}

bool intake_head(struct worker *worker, struct fill *fill, const char *data,
		 const struct http_head *head, uint32_t delay_ms)
{
	struct segment *first = NULL;
	enum reason why;

	if (head->status == 304 && fill->stale) {
		const struct validators validators = object_validators(fill->stale);

		if (!conditional_is_of(data, head, &validators))
			return drop_stale(worker, fill);
		return take_304(worker, fill, data, head, delay_ms);
	}
	if (is_error(head) && late_serves_stale(worker, fill)) {
		end_with(worker, fill, object_ref(fill->stale), true);
		return false;
	}
	invalidate(worker, fill, data, head);
	heading_note(worker, fill, data, head, delay_ms);
	why = judge(worker, fill, data, head, delay_ms);
	if (!keep_head(worker, fill, data, head, why == WHY_STORED)) {
		intake_failure(worker, fill, 502);
		return false;
	}
	/* One that passes by was counted when it came. */
	if (fill->request->key.len)
		worker->counters.why[why]++;
	if (why != WHY_STORED) {
		put_mark(worker, fill, why);
		/* A page that once could be stored and now cannot: the old one is outdated. */
		if (fill->stale && !is_error(head))
			store_drop(worker->server->store, fill->stale);
		fill_unlist(fill);
	}
	(void)pthread_mutex_lock(&fill->lock);
	fill->why = (uint8_t)why;
	fill->is_storing = why == WHY_STORED;
	if (!fill->is_storing) {
		first = fill->first;
		fill->first = NULL;
	}
	fill->state = FILL_BODY;
	(void)pthread_mutex_unlock(&fill->lock);
	segment_unref(first);
	fill_tell(fill, worker);
	return true;
}

static void stop_storing(struct worker *worker, struct fill *fill, enum reason why)
{
	struct segment *first;

	if (!fill->is_storing)
		return;
	fill_unlist(fill);
	put_mark(worker, fill, why);
	(void)pthread_mutex_lock(&fill->lock);
	fill->is_storing = false;
	fill->why = (uint8_t)why;
	first = fill->first;
	fill->first = NULL;
	(void)pthread_mutex_unlock(&fill->lock);
	segment_unref(first);
}

void intake_slow(struct worker *worker, struct fill *fill)
{
	stop_storing(worker, fill, WHY_TOO_SLOW);
	fill_tell(fill, worker);
}

int intake_body(struct worker *worker, struct fill *fill, struct text bytes)
{
	int ret;

	if (fill->is_storing && fill->filled + bytes.len > worker->server->limits.object)
		stop_storing(worker, fill, WHY_TOO_LARGE);
	ret = fill_append(fill, bytes);
	fill_tell(fill, worker);
	return ret;
}

static struct object *make_object(struct worker *worker, struct fill *fill)
{
	struct object_parts parts = parts_of(worker, fill, fill->data, fill->head);
	struct object *object;
	size_t at;

	parts.body_len = fill->filled;
	object = object_new(&parts);
	if (!object)
		return NULL;
	at = object->body.at;
	for (struct segment *segment = fill->first; segment; segment = segment->next) {
		memcpy(object->bytes + at, segment->data, segment->len);
		at += segment->len;
	}
	return object;
}

void intake_end(struct worker *worker, struct fill *fill)
{
	struct object *object = NULL;
	bool was_storing = fill->is_storing;

	if (was_storing) {
		/* For a moment the body is there twice. */
		store_reserve(worker->server->store, (int64_t)fill->filled);
		object = make_object(worker, fill);
		store_reserve(worker->server->store, -(int64_t)fill->filled);
	}
	if (object && fill_keep(fill, object))
		second_keep(worker, fill->request->service, object);
	else if (object && !fill->is_outdated)
		put_mark(worker, fill, WHY_TOO_LARGE);
	(void)pthread_mutex_lock(&fill->lock);
	fill->object = object;
	fill->state = FILL_DONE;
	(void)pthread_mutex_unlock(&fill->lock);
	fill_unlist(fill);
	fill_tell(fill, worker);
}

void intake_failure(struct worker *worker, struct fill *fill, uint16_t status)
{
	if (fill->state == FILL_WAITING && late_serves_stale(worker, fill)) {
		end_with(worker, fill, object_ref(fill->stale), true);
		return;
	}
	stop_storing(worker, fill, WHY_BROKEN);
	/* One whose client has left is no error. */
	if (__atomic_load_n(&fill->listeners, __ATOMIC_ACQUIRE))
		worker->counters.errors++;
	(void)pthread_mutex_lock(&fill->lock);
	if (fill->state == FILL_WAITING)
		fill->status = status;
	fill->state = FILL_FAILED;
	(void)pthread_mutex_unlock(&fill->lock);
	fill_unlist(fill);
	fill_tell(fill, worker);
}
