/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of lbd share. A target is probed; its members are the services' backends that want
 * to know. One thread, one epoll; a probe is a small state machine that ends in probe_done().
 */
#ifndef LBD_H
#define LBD_H

#include <stddef.h>

#include "common/cleanup.h"
#include "liblb.h"
#include "timers.h"

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define MS 1000000ull /* nanoseconds */

enum exit_code {
	EXIT_OK = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_AGAIN = 75, /* of the worker: open everything anew, with the rights to */
};

#define ADMIN_PORTS 4

/* What it was started with. */
struct options {
	const char *netns;
	const char *admin[ADMIN_PORTS]; /* "ADDR:PORT", "/PATH" of a socket, or "none" */
	unsigned int admin_count;
	const char *token_file; /* NULL: none */
};

/* A descriptor in the epoll; ready gets the events. fd is -1 while there is none. */
struct watch {
	int fd;
	void (*ready)(struct watch *watch, unsigned int events);
};

/* What a check asks, apart from whom; shared by all backends of a service. */
struct check {
	struct check *next;
	struct lb_health_config config;
	bool is_kept; /* by the document that is being read */
};

struct through;

struct target {
	struct target *next;	 /* in its hash chain */
	struct through *through; /* NULL: probed directly */
	const struct check *check;
	union lb_addr addr;
	__u16 port;
	struct member *members;
	struct timer due, deadline;
	uint64_t started_ns;
	bool is_running;
	/* of the probe under way */
	struct watch watch;
	unsigned int stage;
	void *own;
};

/* What passive_fetch.c knows of it: of lbcache's requests, whose answers are heard to their end. */
struct passive_fetch {
	struct lb_cache_fate seen,
		since;		 /* as read last, as they were when one was answered last */
	__u64 first_ns, wait_ns; /* as below */
};

/* What passive.c knows of a backend. */
struct passive {
	__u32 number; /* whose counters these are, ~0: not in the maps */
	bool is_new;  /* they were not read before */
	bool has_answered;
	struct lb_fate seen;  /* as read last */
	struct lb_fate since; /* as they were when an answer came last */
	__u64 first_ns;	      /* when the first attempt since then was seen; 0: none yet */
	__u64 wait_ns;	      /* how long answers take, the longest of late */
	__u64 hold_ns;	      /* down: what it may not come back before */
	__u64 back_ns;	      /* when it came back last */
	unsigned int strikes; /* times it was taken out in a row */
	unsigned int others;  /* of its service, that would be left */
	struct passive_fetch fetch;
};

struct member {
	struct member *next;	  /* in its hash chain */
	struct member *neighbour; /* at the same target */
	struct target *target;	  /* NULL: only live connections are watched */
	const struct check *check;
	char service[LB_NAME_SIZE];
	union lb_addr addr;
	__u16 port;
	__u32 hint;
	unsigned int generation; /* of the document that has it */
	unsigned int good, bad;	 /* results in a row */
	bool has_verdict;	 /* before that, the maps' word counts */
	bool has_weight, is_tcp;
	bool is_heard; /* its answers to new connections pass through the datapath */
	struct passive passive;
	struct lb_backend_health wanted;
	struct timer step; /* slow start */
};

#define CHAINS 4096u

struct lbd {
	struct lb *lb;
	const char *netns;
	struct lb_config *config; /* the document as it was read last; NULL before */
	int epoll_fd;
	struct timers timers;
	struct check *checks;
	struct target *targets[CHAINS];
	struct member *members[CHAINS];
	unsigned int target_count, member_count, generation;
	bool is_dirty; /* the maps may not say yet what members want */
	struct timer sync, beat, look;
	struct watch signals, changes;
	bool has_link;		      /* probes can go through the datapath */
	char link_text[LB_TEXT_SIZE]; /* else why not; empty: nobody wanted them to */
	int ping_fd[2];		      /* raw sockets, IPv4 and IPv6; -1 */
	uint64_t random;
	int exit; /* -1 while running */
};

extern struct lbd lbd;

/* ---- parent.c: answers an exit code -----------------------------------------------------------
 */

int parent_run(const struct options *options);

/* ---- worker.c -------------------------------------------------------------------------------- */

/* changes: the socket by which the parent is asked for changes. */
int worker_run(const struct options *options, int changes);
/* Adds or changes; a negative errno. */
int watch_set(struct watch *watch, int fd, unsigned int events);
/* Forgets and closes. */
void watch_end(struct watch *watch);
__u32 random_below(__u32 limit);

/* ---- say.c ------------------------------------------------------------------------------------
 */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void add_event(struct lb_event *event);
/* An event about lbd itself, which is also said. */
void say_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- rights.c ---------------------------------------------------------------------------------
 */

/* Of the parent: what it takes to start a worker, no more. */
int rights_of_parent(struct lb_error *err);
/*
 * Of the worker, when all is open: another user, CAP_BPF for the maps, CAP_NET_RAW where probes are
 * marked, a filter of system calls.
 */
int rights_of_worker(struct lb_error *err);
/* Of a command that checks: none. In the child. */
void rights_of_command(void);

/* ---- members.c: from the document to members and targets ------------------------------------- */

int members_load(struct lb_error *err);
/* NULL where there is none. */
struct member *member_find(const char *service, const union lb_addr *addr, __u16 port);
void members_each(void (*fn)(struct member *member, void *arg), void *arg);
void targets_each(void (*fn)(struct target *target));

/* ---- state.c: from results to health, from health to the maps ---------------------------------
 */

/* What the maps say of a backend without a verdict; false: they do not have it. */
bool member_adopt(struct member *member);
void member_take(struct member *member, __u8 reason, __u16 detail, __u32 took_us);
void member_forget(struct member *member);
/* The new health counts at once, by the reason in wanted. */
void member_change(struct member *member, __u8 health);
void member_tell(const struct member *member, enum lb_event_kind kind);
void state_sync(void);

/* ---- passive.c: what becomes of live connections ------------------------------------------------
 */

int passive_load(void); /* -ENOMEM */
/* Taken out so short a time ago that good results do not count yet. */
bool passive_holds(const struct member *member);
void passive_note_up(struct member *member);
#define PASSIVE_WINDOW_MS 3000u /* attempts lie within; a client that asks again takes longer */

/* ---- passive_fetch.c: what becomes of lbcache's requests ----------------------------------------
 */

/* From here on, as if nothing had been asked before. */
void passive_fetch_restart(struct passive_fetch *fetch, const struct lb_cache_fate *seen);
/* Another look. True: a whole answer has come since the last one. */
bool passive_fetch_note(struct passive_fetch *fetch, const struct lb_cache_fate *seen, __u64 now);
/* Why the backend is to be taken out, by how many attempts of at least so many; or LB_C_NONE. */
__u8 passive_fetch_judge(struct passive_fetch *fetch, __u64 least, __u64 now, __u64 *attempts);

/* ---- probe.c: when a target is probed ----------------------------------------------------------
 */

struct probe {
	/* Begins; may call probe_done() at once. */
	void (*start)(struct target *target);
	/* Takes back what start took; also after probe_done(). */
	void (*end)(struct target *target);
	/* The reason when the time is up. */
	__u8 (*late)(const struct target *target);
};

extern const struct probe probe_tcp, probe_udp, probe_dns, probe_ping, probe_http, probe_exec;

void target_begin(struct target *target, __u32 within_ms);
void target_end(struct target *target);
void target_restart(
	struct target *target); /* forgets the probe under way, its time was not its own */
/* One round at once, which ends in through_waits(); the deadline is the caller's. */
void target_ask(struct target *target, __u64 deadline_ns);
void target_stop(struct target *target);
void probe_done(struct target *target, __u8 reason, __u16 detail);
void probe_failed(struct target *target, int error); /* of a socket call, an errno */

/* ---- through.c: the way of a probe through the datapath
 * ------------------------------------------
 */

/* Makes the link if a check wants it, while there are the rights to. */
void through_open(void);
/* Whether backends of such a service are probed by such a check through the datapath. */
bool through_is_wanted(const struct lb_service_config *service,
		       const struct lb_backend_config *backend);
struct through *through_new(struct target *target, const struct lb_service_config *service,
			    enum lb_mode mode); /* NULL: out of memory */
void through_free(struct through *through);
bool through_is(const struct through *through, const struct lb_service_config *service,
		enum lb_mode mode);
/* A probe begins: by which way. */
void through_begin(struct target *target);
/* The probe under way takes it. */
bool through_is_used(const struct target *target);
/* Where the probe under way connects to. */
void through_peer(const struct target *target, union lb_addr *addr, __u16 *port);
/* Prepares a socket before it connects; a negative errno. */
int through_bind(const struct target *target, int fd);
/* A result that another probe must explain first; or the result becomes another. */
bool through_waits(struct target *target, __u8 *reason, __u16 *detail);
void through_stop(struct target *target);

/* Shared by the probes of sockets. A negative errno. */
int probe_socket(struct target *target, int type);
bool probe_matches(const struct target *target, const char *answer, size_t length);

/* Opens what a probe needs rights for. */
void ping_open(void);
int http_open(void);

#endif
