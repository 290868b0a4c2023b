/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lbcache beside the datapath. A keeper process with the rights to open the maps reads the document
 * and the tables, follows their changes and hands them over; the process that meets clients has no
 * such rights. What the two say to one another stands here.
 */
#ifndef LBCACHE_JOIN_H
#define LBCACHE_JOIN_H

#include "server.h"

struct options;
struct lb_cache_rule;

/* Of both over one stream; descriptors come with the first byte. */
enum join_kind {
	JOIN_MAP = 1,	/* keeper: of struct lb_cache and struct lb_cache_fate, two descriptors */
	JOIN_LISTENERS, /* the answer: two descriptors a thread, IPv4 and IPv6; -1 is left out */
	JOIN_READY,	/* keeper: the datapath has them */
	JOIN_VIEW,	/* keeper: services that follow */
	JOIN_LEAVE,	/* the end, and nobody takes over */
	JOIN_RENEW,	/* to it, or to the reader: files are to be read anew */
	JOIN_FILES,	/* reader: those that follow */
	JOIN_REDIS,	/* keeper: the second tier's union address follows, or nothing: none */
};

struct join_message {
	uint32_t kind;
	uint32_t length; /* of what follows */
	uint32_t threads;
	uint32_t has_v6;   /* of JOIN_LISTENERS */
	uint32_t backends; /* of JOIN_MAP: that there may be */
};

#define JOIN_FDS_MAX (2 * WORKERS_MAX)
#define VIEW_BACKENDS_MAX 1024

/* A view: struct view_service, its struct lb_cache_rule, its backends, its files (tls.h); the next
 * service. */
struct view_service {
	char name[NAME_SIZE];
	union address address;
	uint32_t ttl_s, rule_count, backend_count;
	uint32_t tls_length, tls_kind; /* bytes of the files, 0: in clear; enum tls_backends */
};

struct view_backend {
	union address address;
	uint32_t slots, number;
};

/* ---- join.c: of the process that meets clients ---------------------------------------------- */

/* Opens the sockets, and starts the keeper; before any thread. Says what fails; 0 or 1. */
int join_prepare(struct server *server, const struct options *options);
/*
 * Gives the workers their sockets, and starts to follow the keeper. is_second: another process has
 * the clients still, so it also waits until the datapath knows this one, but not for ever. -errno.
 */
int join_start(struct server *server, bool is_second);
/* What was counted, into the maps, now and then; of one thread. */
void join_publish(uint64_t now_ms);
/* Has the keeper read certificates anew. */
void join_renew(void);
/* New connections go to the backends from here on. What main should answer. */
int join_leave(void);
/* The place of a service, made if need be, from before the keeper tells of it. NULL: no room. */
struct service *join_place(struct server *server, const char *name, const union address *address);
/* Whose connection this is, by its own address; NULL: nobody's. */
struct service *join_service(struct server *server, int fd);

/* ---- join_rules.c --------------------------------------------------------------------------- */

/* From now on these are the service's; what they do not say is as in standard. -ENOMEM. */
int join_take_rules(struct service *service, const struct policy *standard,
		    const struct view_service *view, const struct lb_cache_rule *list);

/* ---- join_listen.c -------------------------------------------------------------------------- */

/* Opens one a thread and family, if the host has it. -errno. */
int join_open(unsigned int threads);
/* Of the keeper, which has none. */
void join_close(void);
/* Gives them to the threads. -ENOMEM. */
int join_listen(struct server *server);
/* The listening sockets, for another process: count of them, IPv4 and IPv6 in turn if has_v6. */
const int *join_sockets(unsigned int *count, bool *has_v6);
/* One of another process, in the order of join_sockets(); after join_prepare(). */
void join_adopt(int fd, bool is_v6);
/* ---- keeper.c ------------------------------------------------------------------------------- */

/* Does not return. */
_Noreturn void keeper_run(int fd, const char *netns, unsigned int threads,
			  const char *control_path);

/* ---- join_talk.c ---------------------------------------------------------------------------- */

/* -errno; fds may be NULL. */
int join_send(int fd, const struct join_message *message, const void *data, const int *fds,
	      unsigned int fd_count);
/*
 * *data is the caller's, NULL if nothing follows. fds has room for JOIN_FDS_MAX. -EPIPE: the other
 * one has ended.
 */
int join_receive(int fd, struct join_message *message, void **data, int *fds,
		 unsigned int *fd_count);

#endif
