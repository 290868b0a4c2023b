/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change that the admin port asks for: the worker, which may not make it, sends the request to
 * the parent, which does not believe a word of it, and gets the answer by the same socket.
 */
#ifndef LBD_CHANGE_H
#define LBD_CHANGE_H

#include "edit/backend.h"
#include "edit/packed.h"

struct change_request {
	__u32 id;     /* the answer's */
	__u32 action; /* enum backend_action */
	struct packed words;
};

struct change_answer {
	__u32 id;
	__u32 status;		 /* of HTTP: 200, or why not */
	char text[LB_TEXT_SIZE]; /* the backend's address, or what is wrong in one line */
};

/* The arguments that lbctl takes without naming them. */
extern const char *const change_names[]; /* ends with NULL */
/* "backend add", for messages. Returns buf. */
const char *change_object(enum backend_action action, char buf[32]);

/* In a process of its own, with the rights of a command, which it then has done. */
void change_make(const char *netns, struct change_request *request, struct change_answer *answer);

#endif
