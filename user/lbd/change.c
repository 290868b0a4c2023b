// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a command would do, done for the admin port: read the words, take the lock, change the
 * document, put it into force. Runs in a child of the parent; the request is only data here.
 */
#include "change.h"

#include <errno.h>
#include <stdio.h>

#include <microhttpd.h>

#include "lbd.h"

const char *const change_names[] = { "service", "backend", NULL };

const char *change_object(enum backend_action action, char buf[32])
{
	(void)snprintf(buf, 32, "backend %s", backend_action_name(action));
	return buf;
}

/* Of a change that is refused, when the words were understood. */
static __u32 status_of(int error)
{
	switch (error) {
	case -ENOENT:
		return MHD_HTTP_NOT_FOUND;
	case -EEXIST:
	case -ENOTUNIQ:
		return MHD_HTTP_CONFLICT;
	case -EINVAL:
	case -ERANGE:
		return MHD_HTTP_BAD_REQUEST;
	case -ENOSPC:
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static __u32 commit(struct lb *lb, const struct backend_edit *edit, char text[LB_ADDR_TEXT_SIZE],
		    struct lb_error *err)
{
	struct lb_config *config;
	int ret = lb_lock(lb, err);

	if (ret)
		return ret == -EBUSY ? MHD_HTTP_SERVICE_UNAVAILABLE
				     : MHD_HTTP_INTERNAL_SERVER_ERROR;
	if (lb_read_intent(lb, &config, err))
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	ret = backend_edit_apply(edit, config, text, err) ?: lb_commit(lb, config, err);
	lb_config_free(config);
	return ret ? status_of(ret) : MHD_HTTP_OK;
}

static __u32 make(const char *netns, struct change_request *request, char text[LB_ADDR_TEXT_SIZE],
		  struct lb_error *err)
{
	char *list[PACKED_WORDS_MAX + 1], object[32];
	struct words words = { list, object };
	struct backend_edit edit;
	const char *notice;
	struct lb *lb;
	__u32 status;

	if (request->action >= BACKEND_ACTIONS || packed_list(&request->words, list)) {
		(void)lb_fail(err, -EBADMSG, "the worker's message is none");
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	(void)change_object(request->action, object);
	if (backend_edit_read(&edit, request->action, &words, err))
		return MHD_HTTP_BAD_REQUEST;
	if (lb_open(&lb, netns, err))
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	status = commit(lb, &edit, text, err);
	if (status == MHD_HTTP_OK)
		say("%s %s %s, by the admin port", object, edit.service, text);
	while ((notice = lb_next_notice(lb)))
		say("%s", notice);
	lb_close(lb);
	return status;
}

void change_make(const char *netns, struct change_request *request, struct change_answer *answer)
{
	char text[LB_ADDR_TEXT_SIZE];
	struct lb_error err = { 0 };

	answer->id = request->id;
	answer->status = make(netns, request, text, &err);
	(void)snprintf(answer->text, sizeof(answer->text), "%s",
		       answer->status == MHD_HTTP_OK ? text : err.text);
}
