/* SPDX-License-Identifier: GPL-2.0-only */
/* The access log: one line an answer, in the combined format or JSON, written by a thread of its
 * own. */
#ifndef LBCACHE_LOG_H
#define LBCACHE_LOG_H

#include "client.h"

/* path "-" is standard output. -errno. */
int log_open(struct access_log **out, const char *path, bool is_json);
/* Writes what is left, if it is taken, and closes; takes NULL. */
void log_close(struct access_log *log);
/* Lines that could not be written, beside those that the threads count; takes NULL. */
uint64_t log_lost(const struct access_log *log);
/* Keeps what the line will need of the request in worker->head at data. */
void log_note(const struct worker *worker, struct client *client, const char *data);
/* Never waits: a line for which there is no room is lost and counted. */
void log_answer(struct worker *worker, const struct client *client);

#endif
