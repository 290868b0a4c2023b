// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients that wait for a fetch: whether what comes is for them, and what they wait for if it is
 * not.
 */
#include "client.h"
#include "second.h"

#define GATHERED_MAX 3 /* of a page that varies by something else each time: then alone */

void client_await(struct worker *worker, struct client *client, struct fill *fill)
{
	struct client **first = &fill->readers[worker->index];

	(void)pthread_mutex_lock(&fill->lock);
	client->segment = fill->first ? segment_ref(fill->first) : NULL;
	(void)pthread_mutex_unlock(&fill->lock);
	client->offset = 0;
	client->fill = fill;
	client->state = CLIENT_WAITING;
	client->prev_reader = NULL;
	client->next_reader = *first;
	if (*first)
		(*first)->prev_reader = client;
	*first = client;
	(void)__atomic_or_fetch(&fill->listeners, 1ull << worker->index, __ATOMIC_RELEASE);
}

void client_fetch_alone(struct worker *worker, struct client *client, struct object *stale,
			enum reason why)
{
	struct fill *fill = fill_new(worker, client->request, stale);
	bool is_own = client->request->key.len == 0;

	if (!fill) {
		reply_error(worker, client, 503, true);
		return;
	}
	fill->why = (uint8_t)why;
	client->why = (uint8_t)why;
	if (!is_own)
		fill_list_alone(fill);
	client_await(worker, client, fill);
	fetch_start(worker, fill, is_own ? client : NULL);
}

/* Whether a page that was fetched for another request also answers this one. */
static bool is_same_variant(const struct client *client, struct text names, struct text stored,
			    bool is_open)
{
	const struct request *request = client->request;
	char values[VARY_MAX];
	ssize_t len;

	if (http_find(&request->head, HTTP_AUTHORIZATION) && !is_open)
		return false;
	len = vary_values(names, request->data, &request->head, request->policy, values);
	return len >= 0 && text_is_same((struct text){ values, (size_t)len }, stored);
}

static bool is_for_me(const struct client *client, const struct fill *fill)
{
	const struct object *object = fill->object;

	if (client->request == fill->request)
		return true;
	if (object)
		return is_same_variant(client, object_text(object, object->vary_names),
				       object_text(object, object->vary_values), object->is_open);
	return fill->is_storing &&
	       is_same_variant(client, (struct text){ fill->vary_names, fill->vary_names_len },
			       (struct text){ fill->vary_values, fill->vary_values_len },
			       fill->freshness.is_open);
}

/* Nothing queues behind a page that cannot be stored: each on its own. */
static void release(struct worker *worker, struct client *client, enum reason why)
{
	client_leave_fill(worker, client);
	client->source = FROM_MISS;
	client_fetch_alone(worker, client, NULL, why);
}

/* What came is another variant, or one client's own, and leaves open whether this page is stored.
 */
static bool is_of_others(const struct client *client, const struct fill *fill)
{
	const struct object *object = fill->object;
	const bool is_page = object || fill->is_storing;

	if (client->gathered == GATHERED_MAX)
		return false;
	if (http_find(&client->request->head, HTTP_AUTHORIZATION))
		return is_page && (object ? object->is_open : fill->freshness.is_open);
	return is_page || reason_is_own((enum reason)fill->why);
}

/* The page by the names in Vary that came: those of one variant wait for one fetch. */
static void join_variant(struct worker *worker, struct client *client, struct text names)
{
	const struct request *request = client->request;
	const struct store_query query = {
		.service = request->service->number,
		.hash = request->hash,
		.key = request->key,
		.data = request->data,
		.request = &request->head,
		.policy = request->policy,
		.now_ms = worker->now_ms,
	};
	struct object *stale = store_find(worker->server->store, &query), *object;
	struct fill *fill;
	bool is_new;

	if (stale && (stale->is_mark ||
		      (http_find(&request->head, HTTP_AUTHORIZATION) && !stale->is_open))) {
		object_unref(stale);
		stale = NULL;
	}
	fill = fill_join(worker, client->request, stale, names, &is_new, &object);
	object_unref(stale);
	if (object && !object->is_mark) {
		client->source = FROM_COLLAPSED;
		reply_object(worker, client, object, request->data, &request->head);
		return;
	}
	object_unref(object);
	if (!fill) {
		client_fetch_alone(worker, client, NULL, WHY_REMEMBERED);
		return;
	}
	client->source = is_new ? FROM_MISS : FROM_COLLAPSED;
	client_await(worker, client, fill);
	if (is_new && !second_ask(worker, fill))
		fetch_start(worker, fill, NULL);
	else if (!is_new)
		client_progress(worker, client);
}

static void gather(struct worker *worker, struct client *client)
{
	struct fill *fill = fill_ref(client->fill);
	const struct object *object = fill->object;
	struct text names = object ? object_text(object, object->vary_names) : TEXT_NONE;

	if (!object && fill->is_storing)
		names = (struct text){ fill->vary_names, fill->vary_names_len };
	client->gathered++;
	client_leave_fill(worker, client);
	join_variant(worker, client, names);
	fill_unref(fill);
}

static void take_object(struct worker *worker, struct client *client, struct fill *fill)
{
	struct object *object = object_ref(fill->object);

	if (fill->is_second)
		client->source = FROM_SECOND;
	else if (fill->is_revalidated)
		client->source = fill->has_failed ? FROM_STALE : FROM_REVALIDATED;
	client_leave_fill(worker, client);
	reply_object(worker, client, object, client->request->data, &client->request->head);
}

/* The backends are late: whom the stale copy fits gets it, and the fetch goes on without. */
static void take_late(struct worker *worker, struct client *client, struct fill *fill)
{
	struct object *stale = late_take(worker, fill);

	if (!stale)
		return;
	if (client->request != fill->request &&
	    !is_same_variant(client, object_text(stale, stale->vary_names),
			     object_text(stale, stale->vary_values), stale->is_open)) {
		object_unref(stale);
		return;
	}
	client->source = FROM_STALE;
	client_leave_fill(worker, client);
	reply_object(worker, client, stale, client->request->data, &client->request->head);
}

void client_progress(struct worker *worker, struct client *client)
{
	struct fill *fill = client->fill;
	enum fill_state state;

	/* Afterwards the client may wait for another fill. */
	if (client->state == CLIENT_SENDING) {
		if (!client->is_blocked)
			client_send(worker, client);
		return;
	}
	if (client->state != CLIENT_WAITING || !fill)
		return;
	(void)pthread_mutex_lock(&fill->lock);
	state = fill->state;
	(void)pthread_mutex_unlock(&fill->lock);
	if (state == FILL_WAITING) {
		if (__atomic_load_n(&fill->is_late, __ATOMIC_ACQUIRE))
			take_late(worker, client, fill);
		return;
	}
	if (state == FILL_FAILED && !fill->fields) {
		reply_error(worker, client, fill->status, false);
	} else if (!is_for_me(client, fill) && is_of_others(client, fill)) {
		gather(worker, client);
	} else if (!is_for_me(client, fill) || !client->segment) {
		release(worker, client, (enum reason)fill->why);
	} else if (fill->object && fill->is_revalidated) {
		take_object(worker, client, fill);
	} else if (client->is_patient && fill->object) {
		take_object(worker, client, fill);
	} else if (!client->is_patient || !fill->is_storing || state != FILL_BODY) {
		reply_fill(worker, client);
	}
}
