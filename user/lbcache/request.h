/* SPDX-License-Identifier: GPL-2.0-only */
/* A request that outlives its bytes: its head copied, its key, and what the rules say of it. */
#ifndef LBCACHE_REQUEST_H
#define LBCACHE_REQUEST_H

#include "server.h"

struct request {
	_Atomic uint32_t refs;
	struct service *service;
	const struct policy *policy;
	union address client;
	char client_text[ADDRESS_TEXT_SIZE]; /* without port */
	struct http_head head;
	uint64_t hash;
	struct text key; /* empty of one that passes by */
	char *data;	 /* the head, then the key */
};

struct request *request_new(struct service *service, const struct policy *policy,
			    const union address *client, const char *data,
			    const struct http_head *head, struct text key, uint64_t hash);
void request_unref(struct request *request);
static inline struct request *request_ref(struct request *request)
{
	(void)__atomic_add_fetch(&request->refs, 1, __ATOMIC_RELAXED);
	return request;
}

/*
 * Why a request passes by without the memory being asked: WHY_STORED if it does not.
 */
enum reason request_judge(const struct policy *policy, const char *data,
			  const struct http_head *head);

/*
 * The head that is sent to a backend, rebuilt from fields; is_shared: for the memory, so without
 * what makes it one client's, and with stale's validators. Owned by the caller; NULL: out of
 * memory.
 */
char *request_write(const struct request *request, bool is_shared, const struct object *stale,
		    size_t *len);

#endif
