/* SPDX-License-Identifier: GPL-2.0-only */
/* The admin port: what is read from lbd by HTTP, and changes of backends by those who may. */
#ifndef LBD_ADMIN_H
#define LBD_ADMIN_H

#include <stdio.h>

#include <jansson.h>
#include <microhttpd.h>

#include "lbd.h"

/* ---- admin_port.c: where it is ----------------------------------------------------------------
 */

struct admin_port {
	int fd;
	bool is_local; /* a socket in the file system, whose permission is the right to change */
	struct MHD_Daemon *server;
	struct connection *connections; /* the oldest first */
	unsigned int connection_count;
	struct watch watch;
	struct timer timer;
};

/* Binds, while there are the rights to. */
void admin_bind(const struct options *options);
/* Answers from now on; what is to be changed is asked for by this socket. */
void admin_start(int changes_fd);
/* The sockets in the file system, at the end. */
void admin_remove(const struct options *options);
/* The first who asks does not wait until the maps' pages and a heap for all that text are there. */
void admin_warm(void);
/* Goes on with what its connections have for it. */
void admin_port_run(struct admin_port *port);

/* ---- admin_connection.c: how long a client may take --------------------------------------------
 */

#define ADMIN_CONNECTIONS 256u /* at each place */
#define ADMIN_REQUEST_S 10u    /* until a request is whole */
#define ADMIN_ANSWER_S 60u     /* until its answer is taken */

/* MHD's callback: one began, or ended. */
void admin_connection_notify(void *arg, struct MHD_Connection *connection, void **context,
			     enum MHD_ConnectionNotificationCode code);
/* From now on; 0: it waits for us, as long as it takes. */
void admin_connection_limit(struct MHD_Connection *connection, unsigned int seconds);

/* ---- admin.c: what is read --------------------------------------------------------------------
 */

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"

/* MHD's callback; arg is the struct admin_port. */
enum MHD_Result admin_request(void *arg, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *data_size, void **state);
/* Takes text, which free() is for. allow: of the status 405, else NULL. */
enum MHD_Result admin_reply(struct MHD_Connection *connection, unsigned int status,
			    const char *type, char *text, size_t length, const char *allow);
/* Whether the request names this host; a page of somebody else whose name was made to point here
 * asks with that name. */
bool admin_is_own_name(const struct admin_port *port, struct MHD_Connection *connection);
void admin_warm_up(void);

/* ---- admin_change.c: what is changed ------------------------------------------------------------
 */

void admin_change_open(int fd);
/* Whether it is the path of a change; then it is an enum backend_action, BACKEND_ACTIONS: none. */
bool admin_change_find(const char *url, unsigned int *action);
/* Like admin_request(), for such a path. */
enum MHD_Result admin_change_request(struct admin_port *port, struct MHD_Connection *connection,
				     unsigned int action, const char *method, const char *data,
				     size_t *data_size, void **state);
/* MHD's callback: the request is over. */
void admin_change_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code);

/* ---- token.c: who may over TCP -----------------------------------------------------------------
 */

int token_read(const char *path, struct lb_error *err);
bool token_is_there(void);
/* "Bearer ...", as RFC 6750 (2.1) has it; NULL: none was given. */
bool token_is_given(const char *authorization);

/* ---- metrics.c --------------------------------------------------------------------------------
 */

/* Prometheus' text format, 0.0.4. 0 or a negative errno. */
int metrics_print(FILE *out);

/* ---- page.c: the dashboard and the library that draws its charts, each with a NUL at its end ----
 */

extern const char page_text[], chart_library_text[];

#endif
