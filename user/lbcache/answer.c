// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which request gets which answer: from memory, stale while it is fetched anew, from a fetch that
 * is under way, or from a backend alone.
 */
#include "client.h"
#include "passing.h"
#include "second.h"

#include <string.h>

static bool copy_request(struct worker *worker, struct client *client, const char *data,
			 const struct policy *policy, struct text key, uint64_t hash)
{
	client->request =
		request_new(client->service, policy, &client->peer, data, &worker->head, key, hash);
	if (!client->request)
		reply_error(worker, client, 503, true);
	return client->request;
}

static void pass(struct worker *worker, struct client *client, const char *data,
		 const struct policy *policy, enum reason why)
{
	client->source = FROM_PASS;
	worker->counters.passes++;
	service_counters_of(worker, client->service)->passes++;
	worker->counters.why[why]++;
	if (copy_request(worker, client, data, policy, TEXT_NONE, 0))
		client_fetch_alone(worker, client, NULL, why);
}

static void hit(struct worker *worker, struct client *client, struct object *object,
		const char *data, enum client_source source)
{
	struct service_counters *own = service_counters_of(worker, client->service);

	client->source = (uint8_t)source;
	(void)__atomic_add_fetch(&object->hits, 1, __ATOMIC_RELAXED);
	if (source == FROM_STALE) {
		worker->counters.stale_hits++;
		own->stale_hits++;
	} else {
		worker->counters.hits++;
		own->hits++;
	}
	reply_object(worker, client, object, data, &worker->head);
}

/* Has the page fetched anew while its old copy is served. */
static void refresh(struct worker *worker, struct client *client, const char *data,
		    const struct store_query *query, struct object *stale)
{
	struct request *request = request_new(client->service, query->policy, &client->peer, data,
					      &worker->head, query->key, query->hash);
	struct object *object;
	struct fill *fill;
	bool is_new;

	if (!request)
		return;
	fill = fill_join(worker, request, stale, object_text(stale, stale->vary_names), &is_new,
			 &object);
	if (fill && is_new)
		fetch_start(worker, fill, NULL);
	fill_unref(fill);
	object_unref(object);
	request_unref(request);
}

/* Joins the fetch of the page, or begins one. Takes over stale. */
static void miss(struct worker *worker, struct client *client, const char *data,
		 const struct store_query *query, struct object *stale)
{
	struct object *object;
	struct fill *fill;
	bool is_new;

	if (!copy_request(worker, client, data, query->policy, query->key, query->hash)) {
		object_unref(stale);
		return;
	}
	worker->counters.misses++;
	service_counters_of(worker, client->service)->misses++;
	client->source = FROM_MISS;
	if (query->policy->is_alone) {
		client_fetch_alone(worker, client, stale, WHY_STORED);
		object_unref(stale);
		return;
	}
	fill = fill_join(worker, client->request, stale,
			 stale ? object_text(stale, stale->vary_names) : TEXT_NONE, &is_new,
			 &object);
	object_unref(stale);
	if (object && !object->is_mark) {
		worker->counters.misses--;
		service_counters_of(worker, client->service)->misses--;
		hit(worker, client, object, data, FROM_HIT);
		return;
	}
	if (!fill) { /* a mark, made since the look-up, or no memory */
		object_unref(object);
		client_fetch_alone(worker, client, NULL, WHY_REMEMBERED);
		return;
	}
	if (!is_new) {
		worker->counters.collapsed++;
		client->source = FROM_COLLAPSED;
	}
	client_await(worker, client, fill);
	if (is_new && !second_ask(worker, fill))
		fetch_start(worker, fill, NULL);
	else if (!is_new)
		client_progress(worker, client);
}

static bool is_fresh(const struct worker *worker, const struct object *object)
{
	return object && !object->is_mark && worker->now_ms < object->fresh_until_ms;
}

static bool is_in(uint64_t now, uint64_t until, uint64_t window)
{
	return now < until + window;
}

/* There is a copy. Takes it over. */
static void from_memory(struct worker *worker, struct client *client, const char *data,
			const struct store_query *query, struct object *object)
{
	uint64_t now = worker->now_ms, until = object->fresh_until_ms;

	if (http_find(&worker->head, HTTP_AUTHORIZATION) && !object->is_open) {
		object_unref(object);
		pass(worker, client, data, query->policy, WHY_AUTHORIZATION);
	} else if (now < until) {
		hit(worker, client, object, data, FROM_HIT);
	} else if (!object->must_revalidate && is_in(now, until, object->stale_while_ms)) {
		if (!client->is_heading) /* whose answer would be a page without its body */
			refresh(worker, client, data, query, object);
		hit(worker, client, object, data, FROM_STALE);
	} else if (client->is_heading) {
		object_unref(object);
		pass(worker, client, data, query->policy, WHY_METHOD);
	} else {
		miss(worker, client, data, query, object);
	}
}

static void look_up(struct worker *worker, struct client *client, const char *data,
		    const struct policy *policy)
{
	const struct http_head *head = &worker->head;
	struct store_query query = {
		.service = client->service->number,
		.data = data,
		.request = head,
		.policy = policy,
		.now_ms = worker->now_ms,
	};
	struct directives directives;
	struct object *object;

	query.key.at = worker->key;
	query.key.len = key_make(service_scheme(client->service), http_text(data, head->host),
				 http_text(data, head->target), policy, worker->key);
	query.hash = key_hash(worker->key, query.key.len, query.service,
			      store_seed(worker->server->store));
	object = store_find(worker->server->store, &query);
	if (http_find(head, HTTP_CACHE_CONTROL) && !is_fresh(worker, object)) {
		directives_read(data, head, HTTP_CACHE_CONTROL, &directives);
		if (directives.only_if_cached && (!object || object->is_mark)) {
			object_unref(object);
			reply_error(worker, client, 504, false); /* RFC 9111 5.2.1.7 */
			return;
		}
		if (directives.no_store) { /* RFC 9111 5.2.1.5: no answer to it is stored */
			object_unref(object);
			pass(worker, client, data, policy, WHY_REQUEST_NO_STORE);
			return;
		}
	}
	if (object && object->is_mark) {
		enum reason why = (enum reason)object->why;

		object_unref(object);
		pass(worker, client, data, policy, why);
	} else if (object) {
		from_memory(worker, client, data, &query, object);
	} else if (client->is_heading) {
		object_unref(object);
		pass(worker, client, data, policy, WHY_METHOD);
	} else {
		object_unref(object);
		miss(worker, client, data, &query, NULL);
	}
}

void client_answer(struct worker *worker, struct client *client, const char *data)
{
	const struct rules *rules = client->service->rules;
	const struct policy *policy = rules_find(rules, http_text(data, worker->head.target));
	enum reason why = request_judge(policy, data, &worker->head);
	uint64_t left;

	if (why == WHY_STORED)
		look_up(worker, client, data, policy);
	else if (worker->head.method == HTTP_M_TRACE ||
		 (max_forwards_read(data, &worker->head, &left) && !left))
		reply_here(worker, client, &worker->head);
	else
		pass(worker, client, data, policy, why);
}
