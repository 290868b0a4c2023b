// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of backends by the admin port: who may, and what is asked of the parent, whose answer the
 * connection waits for while lbd's loop goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin.h"
#include "change.h"
#include "common/number.h"
#include "json/objects.h"

#define PREFIX "/api/v1/backend/"
#define BODY_MAX 4096u
#define DRAIN_MAX (1u << 20) /* bytes, read to the end so that the client hears why not */

/* A request under way. */
struct call {
	struct call *next; /* of those that wait for the parent */
	struct admin_port *port;
	struct MHD_Connection *connection;
	struct change_request request;
	unsigned int status;	 /* of the answer; 0: not known yet */
	char text[LB_TEXT_SIZE]; /* as in struct change_answer */
	bool is_waiting;
	uint64_t length; /* of the body, as announced; 0: not */
	size_t have, dropped;
	char body[BODY_MAX];
};

static struct call *waiting;
static struct watch parent = { .fd = -1 };
static __u32 last_id;

/* ---- the answer -------------------------------------------------------------------------------
 */

static void decide(struct call *call, unsigned int status, const char *text)
{
	call->status = status;
	(void)snprintf(call->text, sizeof(call->text), "%s", text);
}

/* What lbctl -j prints, or the line that it says. */
static json_t *make_json(struct call *call)
{
	char *list[PACKED_WORDS_MAX + 1];

	if (call->status != MHD_HTTP_OK)
		return json_pack("{s:s}", "error", call->text);
	if (packed_list(&call->request.words, list))
		return NULL;
	return change_json(backend_action_name(call->request.action), list[0], call->text);
}

static enum MHD_Result answer(struct call *call)
{
	json_t *json = make_json(call);
	char *line = json ? json_dumps(json, JSON_INDENT(2)) : NULL, *text = NULL;
	int length = line ? asprintf(&text, "%s\n", line) : -1;

	free(line);
	json_decref(json);
	if (length < 0)
		return MHD_NO;
	return admin_reply(call->connection, call->status, TYPE_JSON, text, (size_t)length, "POST");
}

/* ---- who may ----------------------------------------------------------------------------------
 */

static const char *header(const struct call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* Commands of exec checks run as lbd's own user, and are to find out, not to change. */
static bool is_own_user(const struct call *call)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) ||
	       peer.uid == geteuid();
}

static void judge_sender(struct call *call)
{
	if (header(call, "Origin"))
		return decide(call, MHD_HTTP_FORBIDDEN,
			      "a web page changes nothing: the request has an Origin");
	/* Who has it is no page that was led here by a name. */
	if (token_is_given(header(call, "Authorization")))
		return;
	if (!admin_is_own_name(call->port, call->connection))
		return decide(call, MHD_HTTP_FORBIDDEN, "not the name of this host");
	if (call->port->is_local && is_own_user(call))
		return decide(
			call, MHD_HTTP_FORBIDDEN,
			"lbd's own user, as which commands of exec checks run, changes nothing");
	if (call->port->is_local)
		return;
	if (token_is_there())
		return decide(call, MHD_HTTP_UNAUTHORIZED,
			      "nothing is changed over TCP without the token: send it as "
			      "'Authorization: Bearer TOKEN', or use lbd's Unix socket");
	decide(call, MHD_HTTP_FORBIDDEN,
	       "nothing is changed over TCP: use lbd's Unix socket ('curl --unix-socket PATH'), or "
	       "start lbd with a token ('-t FILE')");
}

static bool is_json(const char *type)
{
	const size_t length = strlen(TYPE_JSON);

	return type && !strncasecmp(type, TYPE_JSON, length) &&
	       (!type[length] || strchr("; \t", type[length]));
}

static void judge(struct call *call, const char *method)
{
	const char *length = header(call, "Content-Length");

	if (length)
		(void)number_parse(length, 0, UINT64_MAX, &call->length);
	if (call->request.action == BACKEND_ACTIONS)
		return decide(call, MHD_HTTP_NOT_FOUND,
			      "no such change: expected " PREFIX "add, set, drain, ready or del");
	if (strcmp(method, MHD_HTTP_METHOD_POST))
		return decide(call, MHD_HTTP_METHOD_NOT_ALLOWED, "changes are asked for by POST");
	judge_sender(call);
	if (call->status)
		return;
	if (!is_json(header(call, "Content-Type")))
		return decide(call, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			      "expected the header 'Content-Type: " TYPE_JSON "'");
	if (header(call, "Transfer-Encoding"))
		return decide(call, MHD_HTTP_LENGTH_REQUIRED, "expected a Content-Length");
	if (call->length > BODY_MAX)
		decide(call, MHD_HTTP_CONTENT_TOO_LARGE,
		       "the body is too large, at most 4,096 bytes are read");
}

/* ---- what is asked ----------------------------------------------------------------------------
 */

/* The words are read here too, so that what is not understood goes no further. */
static void ask(struct call *call)
{
	struct change_request *request = &call->request;
	char *list[PACKED_WORDS_MAX + 1], object[32];
	struct words words = { list, change_object(request->action, object) };
	struct backend_edit edit;
	struct lb_error err;

	if (packed_from_json(&request->words, object, change_names, call->body, call->have, &err) ||
	    packed_list(&request->words, list) ||
	    backend_edit_read(&edit, request->action, &words, &err))
		return decide(call, MHD_HTTP_BAD_REQUEST, err.text);
	request->id = ++last_id;
	if (send(parent.fd, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    sizeof(*request))
		return decide(call, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "too many changes wait for their turn: try again");
	admin_connection_limit(call->connection, 0);
	call->is_waiting = true;
	call->next = waiting;
	waiting = call;
	(void)MHD_suspend_connection(call->connection);
}

static void forget(struct call *call)
{
	struct call **at = &waiting;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	call->is_waiting = false;
}

static void resume(struct call *call, unsigned int status, const char *text)
{
	struct admin_port *port = call->port;

	forget(call);
	decide(call, status, text);
	(void)MHD_resume_connection(call->connection);
	admin_port_run(port);
}

static void on_answer(struct watch *watch, unsigned int events)
{
	struct change_answer from_parent;
	ssize_t length = recv(watch->fd, &from_parent, sizeof(from_parent), MSG_DONTWAIT);
	struct call *call = waiting;

	(void)events;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length != sizeof(from_parent)) {
		watch_end(watch);
		while (waiting)
			resume(waiting, MHD_HTTP_INTERNAL_SERVER_ERROR,
			       "lbd ends; see 'lbctl config show' for what is so");
		return;
	}
	while (call && call->request.id != from_parent.id)
		call = call->next;
	if (call)
		resume(call, from_parent.status, from_parent.text);
}

/* ---- HTTP -------------------------------------------------------------------------------------
 */

void admin_change_open(int fd)
{
	parent.ready = on_answer;
	if (watch_set(&parent, fd, EPOLLIN))
		say("no changes by the admin port: %s", strerror(errno));
}

bool admin_change_find(const char *url, unsigned int *action)
{
	if (strncmp(url, PREFIX, strlen(PREFIX)))
		return false;
	*action = 0;
	while (*action < BACKEND_ACTIONS &&
	       strcmp(url + strlen(PREFIX), backend_action_name(*action)) != 0)
		(*action)++;
	return true;
}

static enum MHD_Result begin(struct admin_port *port, struct MHD_Connection *connection,
			     unsigned int action, const char *method, void **state)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return MHD_NO;
	*state = call;
	call->port = port;
	call->connection = connection;
	call->request.action = action;
	judge(call, method);
	return call->status && call->length > DRAIN_MAX ? answer(call) : MHD_YES;
}

/* A part of the body. Of one that is refused already nothing is kept. */
static enum MHD_Result take(struct call *call, const char *data, size_t size)
{
	if (call->status) {
		call->dropped += size;
		return call->dropped > DRAIN_MAX ? MHD_NO : MHD_YES;
	}
	if (size > BODY_MAX - call->have)
		return MHD_NO;
	memcpy(call->body + call->have, data, size);
	call->have += size;
	return MHD_YES;
}

enum MHD_Result admin_change_request(struct admin_port *port, struct MHD_Connection *connection,
				     unsigned int action, const char *method, const char *data,
				     size_t *data_size, void **state)
{
	struct call *call = *state;

	if (!call)
		return begin(port, connection, action, method, state);
	if (*data_size) {
		const enum MHD_Result ret = take(call, data, *data_size);

		*data_size = 0;
		return ret;
	}
	if (!call->status)
		ask(call);
	return call->is_waiting ? MHD_YES : answer(call);
}

void admin_change_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	struct call *call = *state;

	(void)arg;
	(void)code;
	/* The next one is to come, whole, within its time. */
	admin_connection_limit(connection, ADMIN_REQUEST_S);
	if (!call)
		return;
	forget(call);
	free(call);
	*state = NULL;
}
