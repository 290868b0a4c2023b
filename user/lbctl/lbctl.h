/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of lbctl share: the table's entry, the words after the object, the transaction,
 * and how a failure is said. A command answers the process's exit code.
 */
#ifndef LBCTL_H
#define LBCTL_H

#include <jansson.h>
#include <stdbool.h>

#include "common/cleanup.h"
#include "common/number.h"
#include "common/table.h"
#include "edit/words.h"
#include "json/objects.h"
#include "liblb.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
};

struct lbctl { /* the global options */
	bool is_json, is_verbose, is_quiet;
	const char *netns;
};

struct verb {
	const char *name, *alias; /* alias may be NULL */
	const char *usage;	  /* what follows the verb; "" for nothing */
	int (*run)(const struct lbctl *ctl, struct words *words);
};

/* One command, one file, one entry in the table of main.c. */
struct command {
	const char *name, *alias; /* alias may be NULL */
	const char *summary;
	const char *details; /* shown by `lbctl NAME help`; may be NULL */
	/* Ends with an entry without name. The first is the default; name "" takes all words. */
	const struct verb *verbs;
};

extern const struct command cmd_attach, cmd_cache, cmd_detach, cmd_status, cmd_service, cmd_backend,
	cmd_stats, cmd_flow, cmd_health, cmd_monitor, cmd_config, cmd_version, cmd_help;
extern const struct command *const commands[]; /* ends with NULL */

/* ---- dispatch.c ----------------------------------------------------------------------------- */

const struct command *command_find(const char *name);
int command_run(const struct lbctl *ctl, const struct command *command, char **words);
void command_help(const struct command *command, const struct verb *only);
int help_overview(void);

/* ---- say.c: one line each -------------------------------------------------------------------- */

/* "lbctl: ..." on stderr; EXIT_REFUSED or EXIT_USAGE. */
int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
int refuse_error(const struct lb_error *err);
int refuse_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "lbctl: note: ..." unless -q. */
void note(const struct lbctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees; EXIT_REFUSED when there is no memory for it. */
int print_table(struct table *table);
int print_json(json_t *json);

/* ---- words.c --------------------------------------------------------------------------------- */

/* A word that must be there, or NULL after a line that says what is missing. */
const char *word_need(struct words *words, const char *what);
/* EXIT_USAGE if words are left. */
int words_end(const struct words *words);
/* Reads all words as pairs. settings ends with an entry without name. */
int words_settings(struct words *words, const struct setting *settings, void *into);

/* ---- session.c ------------------------------------------------------------------------------- */

/* One command's view of an instance. Ended by session_end, also after a failure. */
struct session {
	const struct lbctl *ctl;
	struct lb *lb;
	struct lb_config *config; /* the intent, to be edited in place */
	struct lb_error err;
};

/* Opens and reads the intent; for a change it takes the lock first. Answers an exit code. */
int session_begin(struct session *session, const struct lbctl *ctl, bool is_change);
/* Puts the edited intent into force. */
int session_commit(struct session *session);
/* The same, and for -j says what was changed: "add", "set", "del", "drain" or "ready", and of which
 * object. backend may be NULL. */
int session_change(struct session *session, const char *action, const char *service,
		   const char *backend);
void session_end(struct session *session);

/* EXIT_REFUSED after a line if there is none of that name. */
int session_find_service(struct session *session, const char *name, struct lb_service_config **out);
/* A note for each service (or the one named) with more backends than its table spreads evenly. */
void session_note_slots(const struct lbctl *ctl, const struct lb_config *config, const char *name);
/* The live figures; *out is NULL, and the answer EXIT_OK, where nothing is attached. */
int session_stats(struct session *session, struct lb_stats **out);
/* Refuses where nothing is attached. */
int session_need_stats(struct session *session, struct lb_stats **out);

/* ---- rates.c: from two readings ---------------------------------------------------------------
 */

/* For tables. Reads twice, with a pause between; both are NULL where nothing is attached. */
int session_two_stats(struct session *session, struct lb_stats **earlier, struct lb_stats **out);
/* fresh: how many there are more than in the earlier reading. */
__u64 rate_of(__u64 fresh);
/* New connections a second of a backend; LB_UNKNOWN if it is NULL or was not there earlier. */
__u64 rate_of_backend(const struct lb_stats *earlier, const char *service,
		      const struct lb_backend_state *backend);

/* ---- rows.c: one line, or one JSON object, of each kind ------------------------------------- */

/* state NULL: nothing is attached, live figures are "-" or null. */
struct table *service_table(const struct lbctl *ctl);
void service_row(const struct lbctl *ctl, struct table *table,
		 const struct lb_service_config *service, unsigned int backend_count,
		 const struct lb_service_state *state);
/* rate: new connections a second, LB_UNKNOWN: not known */
struct table *backend_table(const struct lbctl *ctl);
void backend_row(const struct lbctl *ctl, struct table *table,
		 const struct lb_service_config *service, const struct lb_backend_config *backend,
		 const struct lb_backend_state *state, __u64 rate);
int print_maps(const struct lbctl *ctl, const struct lb_status *status);

/* ---- rows_health.c; health NULL: not known ----------------------------------------------------
 */

/* "up", "up 40%", "down", "unknown". Returns buf. */
const char *health_text(const struct lb_backend_health *health, char buf[LB_ADDR_TEXT_SIZE]);
struct table *health_table(void);
void health_row(struct table *table, const struct lb_service_config *service,
		const struct lb_backend_config *backend, const struct lb_backend_health *health);
void event_print(const struct lb_event *event, FILE *out);

DEFINE_CLEANUP(struct lb_stats *, lb_stats_free)
DEFINE_CLEANUP(struct lb_status *, lb_status_free)
DEFINE_CLEANUP(struct lb_config *, lb_config_free)
DEFINE_CLEANUP(struct lb_plan *, lb_plan_free)

#endif
