/* SPDX-License-Identifier: GPL-2.0-only */
/* A change of one backend in the document, by words: what lbctl backend does, and lbd's API alike.
 */
#ifndef EDIT_BACKEND_H
#define EDIT_BACKEND_H

#include "words.h"

enum backend_action {
	BACKEND_ADD,
	BACKEND_SET,
	BACKEND_DRAIN,
	BACKEND_READY,
	BACKEND_DEL,
	BACKEND_ACTIONS,
};

struct backend_edit {
	enum backend_action action;
	const char *service, *address; /* of the words */
	char **settings;	       /* those of set, which read as pairs */
	struct lb_backend_config backend;
	bool has_port;
};

const char *backend_action_name(enum backend_action action); /* "add", "set" … */

/*
 * From SERVICE ADDR[:PORT] and pairs of settings, before there is a document, so that a word that
 * is wrong waits for nobody. The words must stay. -EINVAL.
 */
int backend_edit_read(struct backend_edit *edit, enum backend_action action, struct words *words,
		      struct lb_error *err);
/*
 * Changes the document, not yet what is in force; text becomes the backend's address with its port.
 * -ENOENT: no such service or backend; -ENOTUNIQ: several have the address; -EEXIST, -EINVAL,
 * -ERANGE, -ENOMEM.
 */
int backend_edit_apply(const struct backend_edit *edit, struct lb_config *config,
		       char text[LB_ADDR_TEXT_SIZE], struct lb_error *err);
/* -ENOENT. */
int edit_find_service(struct lb_config *config, const char *name, struct lb_service_config **out,
		      struct lb_error *err);

#endif
