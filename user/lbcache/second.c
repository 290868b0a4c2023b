// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asking the second tier, and keeping pages there. Each thread has a connection of its own and
 * judges by itself whether it helps: what fails several times in a row is left alone for a while.
 */
#include "second.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/async.h>

#include "fetch.h"
#include "second_value.h"

#define FAILURES 5u	      /* in a row, of answers that did not come or were none */
#define REST_MS 2000u	      /* then nothing is asked for so long, and after that one thing */
#define LEAST_MS 1000u	      /* a page that is fresh for less is not kept */
#define UNSENT_MAX (8u << 20) /* bytes on their way there, of one thread */
#define STEPS 3u	      /* the page, of another generation, a variant */

struct second {
	struct second_link link; /* first */
	unsigned int failures, asking;
	uint64_t rests_until_ms;
	size_t unsent;
	char generation[SECOND_GENERATION_MAX];
};

struct look { /* one question, until hiredis has done with it */
	struct second *second;
	struct worker *worker;
	struct fill *fill; /* NULL: nobody waits any more */
	struct timer timer;
	unsigned int steps;
	size_t key_len;
	char key[];
};

static bool has_said; /* of all threads */

int second_new(struct worker *worker)
{
	worker->second = calloc(1, sizeof(*worker->second));
	if (!worker->second)
		return -ENOMEM;
	worker->second->link.worker = worker;
	worker->second->link.watch.fd = -1;
	(void)snprintf(worker->second->generation, SECOND_GENERATION_MAX, "0");
	return 0;
}

/* ---- the breaker ----------------------------------------------------------------------------- */

static struct second_time time_of(const struct worker *worker)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (struct second_time){ worker->now_ms, (uint64_t)now.tv_sec * 1000 +
							     (uint64_t)now.tv_nsec / 1000000 };
}

static void note_failure(struct worker *worker)
{
	struct second *second = worker->second;

	worker->counters.second_failures++;
	if (++second->failures < FAILURES)
		return;
	second->rests_until_ms = worker->now_ms + REST_MS;
	__atomic_store_n(&worker->is_second_resting, true, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&has_said, true, __ATOMIC_RELAXED))
		(void)fprintf(stderr, "lbcache: note: Redis does not answer, so it is not asked "
				      "for a while; pages come from the backends\n");
	second_link_close(&second->link);
}

static void note_success(struct worker *worker)
{
	worker->second->failures = 0;
	if (!worker->is_second_resting)
		return;
	__atomic_store_n(&worker->is_second_resting, false, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(&has_said, false, __ATOMIC_RELAXED))
		(void)fprintf(stderr, "lbcache: note: Redis answers again\n");
}

/* Another Redis, or none any more: what the one before did counts for nothing. */
static bool has_redis(struct worker *worker)
{
	struct second *second = worker->second;
	const union address *address = worker->server->redis;

	if (second && second->link.address != address) {
		second->link.address = address;
		second->failures = 0;
		second->rests_until_ms = 0;
		__atomic_store_n(&worker->is_second_resting, false, __ATOMIC_RELAXED);
		__atomic_store_n(&has_said, false, __ATOMIC_RELAXED);
		second_link_close(&second->link);
	}
	return second && address;
}

/* After a rest one question tries whether it is over. */
static bool may_ask(struct worker *worker)
{
	struct second *second = worker->second;

	if (!has_redis(worker) || worker->now_ms < second->rests_until_ms ||
	    (second->failures >= FAILURES && second->asking))
		return false;
	if (second_link_open(&second->link))
		return true;
	note_failure(worker);
	return false;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void on_reply(redisAsyncContext *context, void *answer, void *arg);

static bool send_question(struct look *look, size_t len)
{
	struct second *second = look->second;
	const char *words[] = { "MGET", SECOND_GENERATION, look->key };
	const size_t lens[] = { 4, strlen(SECOND_GENERATION), len };

	look->steps++;
	return second->link.context && redisAsyncCommandArgv(second->link.context, on_reply, look,
							     3, words, lens) == REDIS_OK;
}

/* Nobody waits for the look any more; the page is fetched, unless it has come. */
static void leave(struct look *look, bool is_wanted)
{
	struct fill *fill = look->fill;

	look->fill = NULL;
	timer_stop(&look->timer);
	look->second->asking--;
	if (is_wanted)
		fetch_start(look->worker, fill, NULL);
	fill_unref(fill);
}

static void on_look_due(struct worker *worker, struct timer *timer)
{
	leave(CONTAINER(timer, struct look, timer), true);
	note_failure(worker);
}

/* It must be the page, whatever stands at its key. */
static bool is_wanted(const struct fill *fill, const struct object *object)
{
	const struct request *request = fill->request;
	struct text names = object_text(object, object->vary_names);
	char values[VARY_MAX];
	ssize_t len;

	if (!text_is_same(object_text(object, object->key), request->key) ||
	    (http_find(&request->head, HTTP_AUTHORIZATION) && !object->is_open))
		return false;
	if (!names.len)
		return true;
	len = vary_values(names, request->data, &request->head, request->policy, values);
	return len >= 0 && text_is_same(object_text(object, object->vary_values),
					(struct text){ values, (size_t)len });
}

static bool take_page(struct look *look, const char *value, size_t len)
{
	struct worker *worker = look->worker;
	struct fill *fill = look->fill;
	const struct second_time now = time_of(worker);
	struct object *object;

	if (second_unpack(value, len, &now, &object))
		return false;
	if (!is_wanted(fill, object)) {
		free(object);
		return false;
	}
	object_adopt(object, fill->request->service->number);
	object->hash = fill->request->hash;
	worker->counters.second_hits++;
	(void)fill_keep(fill, object);
	intake_second(worker, fill, object);
	return true;
}

/* True: another question is on its way. */
static bool ask_variant(struct look *look, struct text names)
{
	const struct request *request = look->fill->request;
	char copy[VARY_NAMES_MAX];
	ssize_t len;

	if (look->steps >= STEPS || names.len > sizeof(copy))
		return false;
	memcpy(copy, names.at, names.len);
	len = vary_values((struct text){ copy, names.len }, request->data, &request->head,
			  request->policy, look->key + look->key_len + 1);
	if (len < 0)
		return false;
	look->key[look->key_len] = '\n';
	return send_question(look, look->key_len + 1 + (size_t)len);
}

/* Something has purged all: the page may be there under another name. */
static bool ask_anew(struct look *look, const char *generation)
{
	struct second *second = look->second;

	(void)snprintf(second->generation, SECOND_GENERATION_MAX, "%s", generation);
	look->key_len = second_key(second->generation, look->fill->request->service->name,
				   look->fill->request->key, look->key);
	return look->steps < STEPS && send_question(look, look->key_len);
}

/* True: it goes on. */
static bool take_answer(struct look *look, const redisReply *answer)
{
	const redisReply *generation = answer->element[0], *value = answer->element[1];
	const char *now = generation->type == REDIS_REPLY_STRING ? generation->str : "0";
	enum second_kind kind;

	if (strlen(now) < SECOND_GENERATION_MAX && strcmp(now, look->second->generation))
		return ask_anew(look, now);
	if (value->type != REDIS_REPLY_STRING || second_look(value->str, value->len, &kind))
		return false;
	if (kind == SECOND_VARIES)
		return ask_variant(look, second_names(value->str, value->len));
	if (!take_page(look, value->str, value->len))
		return false;
	leave(look, false);
	return true;
}

static void on_reply(redisAsyncContext *context, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct look *look = arg;
	const bool is_good = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;

	(void)context;
	if (!look->fill) { /* too late */
		free(look);
		return;
	}
	if (is_good)
		note_success(look->worker);
	if (is_good && take_answer(look, reply)) {
		if (!look->fill)
			free(look);
		return;
	}
	leave(look, true);
	if (!is_good)
		note_failure(look->worker);
	free(look);
}

bool second_ask(struct worker *worker, struct fill *fill)
{
	struct second *second = worker->second;
	struct look *look;

	if (!fill->request->key.len || fill->stale || !may_ask(worker))
		return false;
	look = malloc(sizeof(*look) + SECOND_KEY_MAX);
	if (!look)
		return false;
	*look = (struct look){ .second = second, .worker = worker, .fill = fill };
	look->key_len = second_key(second->generation, fill->request->service->name,
				   fill->request->key, look->key);
	if (!send_question(look, look->key_len)) {
		free(look);
		note_failure(worker);
		return false;
	}
	(void)fill_ref(fill);
	second->asking++;
	worker->counters.second_asked++;
	timer_start(worker, &look->timer, TIMER_SECOND, on_look_due);
	return true;
}

/* ---- keeping --------------------------------------------------------------------------------- */

struct note { /* of what is on its way */
	struct worker *worker;
	size_t len;
};

static void on_kept(redisAsyncContext *context, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct note *note = arg;

	(void)context;
	note->worker->second->unsent -= note->len;
	if (reply && reply->type != REDIS_REPLY_ERROR)
		note->worker->counters.second_kept++;
	free(note);
}

static void send_words(struct worker *worker, int argc, const char **words, const size_t *lens,
		       size_t len)
{
	struct second *second = worker->second;
	struct note *note = malloc(sizeof(*note));

	if (!note)
		return;
	*note = (struct note){ .worker = worker, .len = len };
	second->unsent += len;
	if (redisAsyncCommandArgv(second->link.context, on_kept, note, argc, words, lens) !=
	    REDIS_OK) {
		second->unsent -= len;
		free(note);
	}
}

/* Takes over value. */
static void set(struct worker *worker, const char *key, size_t key_len, char *value, size_t len,
		uint64_t left_ms)
{
	char time[24];
	const char *words[] = { "SET", key, value, "PX", time };
	const size_t lens[] = { 3, key_len, len, 2,
				(size_t)snprintf(time, sizeof(time), "%llu",
						 (unsigned long long)left_ms) };

	if (value)
		send_words(worker, 5, words, lens, len);
	free(value);
}

/* One that rests is not written to, and one that is slow not without an end. */
static bool may_write(const struct worker *worker, size_t len)
{
	const struct second *second = worker->second;

	return second && second->link.context && !worker->is_second_resting &&
	       second->unsent + len <= UNSENT_MAX;
}

void second_keep(struct worker *worker, const struct service *service, const struct object *object)
{
	const size_t length = object_length(object);
	struct text names = object_text(object, object->vary_names);
	struct text values = object_text(object, object->vary_values);
	struct second_time now;
	char key[SECOND_KEY_MAX];
	uint64_t left_ms;
	size_t key_len, len;
	char *value;

	if (!may_write(worker, length) || length > SECOND_VALUE_MAX ||
	    object->fresh_until_ms < worker->now_ms + LEAST_MS)
		return;
	now = time_of(worker);
	left_ms = object->fresh_until_ms - worker->now_ms;
	key_len = second_key(worker->second->generation, service->name,
			     object_text(object, object->key), key);
	if (names.len) {
		value = second_pack_names(names, &now, &len);
		set(worker, key, key_len, value, len, left_ms);
		key[key_len++] = '\n';
		memcpy(key + key_len, values.at, values.len);
		key_len += values.len;
	}
	value = second_pack(object, &now, &len);
	set(worker, key, key_len, value, len, left_ms);
}

void second_forget(struct worker *worker, const struct service *service, struct text key)
{
	static const uint32_t varies = SECOND_VARIES;
	const struct second_time now = worker->second ? time_of(worker) : (struct second_time){ 0 };
	char name[SECOND_KEY_MAX], other[SECOND_GENERATION_MAX];
	const char *words[] = { "EVAL", SECOND_FORGET,	       "2",  SECOND_GENERATION,
				name,	(const char *)&varies, other };
	size_t lens[] = { 4, strlen(SECOND_FORGET), 1, strlen(SECOND_GENERATION),
			  0, sizeof(varies),	    0 };

	if (!worker->second || !may_ask(worker))
		return;
	lens[4] = second_key(worker->second->generation, service->name, key, name);
	lens[6] = (size_t)snprintf(other, sizeof(other), "%llx",
				   (unsigned long long)now.wall_ms * 1000000ull);
	send_words(worker, 7, words, lens, lens[4]);
}
