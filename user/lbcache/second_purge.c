// SPDX-License-Identifier: GPL-2.0-only
/* Purging in the second tier, by the control thread, on a connection of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "second.h"
#include "second_value.h"

#define PATIENCE_S 1 /* whoever purges waits 2 s for all of it */

size_t second_key(const char *generation, const char *service, struct text url, char *buf)
{
	const int len = snprintf(buf, SECOND_KEY_MAX, "lbcache:%s:%s:", generation, service);

	memcpy(buf + len, url.at, url.len);
	return (size_t)len + url.len;
}

static redisContext *open_context(const union address *address)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	char text[INET6_ADDRSTRLEN];
	redisContext *context;

	if (!inet_ntop(address->any.sa_family,
		       address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
							  : &address->v4.sin_addr,
		       text, sizeof(text)))
		return NULL;
	context = redisConnectWithTimeout(text, ntohs(address->v4.sin_port), patience);
	if (!context || context->err || redisSetTimeout(context, patience)) {
		if (context)
			redisFree(context);
		return NULL;
	}
	return context;
}

/* 0 if there is an answer that is no error; text as a string, if it is one. */
static int run(redisContext *context, int argc, const char **argv, const size_t *lens, char *text,
	       size_t size)
{
	redisReply *reply = redisCommandArgv(context, argc, argv, lens);
	int ret = !reply ? -ETIMEDOUT : reply->type == REDIS_REPLY_ERROR ? -EIO : 0;

	if (!ret && text && reply->type == REDIS_REPLY_STRING && reply->len < size)
		memcpy(text, reply->str, reply->len + 1);
	if (reply)
		freeReplyObject(reply);
	return ret;
}

static void new_generation(char generation[SECOND_GENERATION_MAX])
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(generation, SECOND_GENERATION_MAX, "%llx",
		       (unsigned long long)now.tv_sec * 1000000000ull +
			       (unsigned long long)now.tv_nsec);
}

static int forget(redisContext *context, const char *service, struct text key)
{
	static const uint32_t varies = SECOND_VARIES;
	char generation[SECOND_GENERATION_MAX] = "0", other[SECOND_GENERATION_MAX];
	const char *get[] = { "GET", SECOND_GENERATION };
	static char name[SECOND_KEY_MAX]; /* of the only thread that purges */
	const char *words[] = { "EVAL", SECOND_FORGET,	       "2",  SECOND_GENERATION,
				name,	(const char *)&varies, other };
	size_t lens[] = { 4, strlen(SECOND_FORGET), 1, strlen(SECOND_GENERATION),
			  0, sizeof(varies),	    0 };
	int ret = run(context, 2, get, NULL, generation, sizeof(generation));

	if (ret)
		return ret;
	new_generation(other);
	lens[4] = second_key(generation, service, key, name);
	lens[6] = strlen(other);
	return run(context, 7, words, lens, NULL, 0);
}

int second_purge(const union address *address, const char *service, struct text key)
{
	redisContext *context = open_context(address);
	char other[SECOND_GENERATION_MAX];
	const char *words[] = { "SET", SECOND_GENERATION, other };
	int ret;

	if (!context)
		return -ECONNREFUSED;
	new_generation(other);
	ret = key.len ? forget(context, service, key) : run(context, 3, words, NULL, NULL, 0);
	redisFree(context);
	return ret;
}
