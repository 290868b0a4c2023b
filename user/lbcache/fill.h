/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A response on its way: one thread fills it from a backend, clients of all threads read along. At
 * most one is shared by key, so that a page that many ask for is fetched once.
 */
#ifndef LBCACHE_FILL_H
#define LBCACHE_FILL_H

#include "request.h"
#include "worker.h"

#define SEGMENT_SIZE 32768
#define FILL_AHEAD (512u << 10) /* of a body that is not stored, beyond what its reader took */

/* Counts against the memory's limit from its beginning to its end. */
struct segment {
	_Atomic uint32_t refs;
	uint32_t len;
	struct segment *next;
	struct fill *fill; /* which its readers hold */
	char data[SEGMENT_SIZE];
};

enum fill_state {
	FILL_WAITING, /* no head yet */
	FILL_BODY,
	FILL_DONE,
	FILL_FAILED,
};

struct fill {
	_Atomic uint32_t refs;
	pthread_mutex_t lock;
	struct fill *next; /* in the table */
	bool is_listed;	   /* in the table: others may join, purges find it */
	bool is_alone;	   /* but nobody joins */
	struct worker *owner;
	struct fetch *fetch;	 /* the owner's, NULL once it has ended */
	struct request *request; /* that began it */
	struct object *stale;	 /* that it revalidates */
	/* What the answer is thought to vary by, and this request's values; empty: nothing known.
	 */
	char expected_names[VARY_NAMES_MAX];
	size_t expected_names_len;
	struct text expected_values;
	/* from here on under the lock, until the state says that they stay */
	enum fill_state state;
	uint16_t status; /* of the response; of a failure what to answer: 502 or 504 */
	bool is_storing, has_length;
	bool is_revalidated, has_failed; /* by a 304, or the stale copy for want of better */
	bool is_second;			 /* came from the second tier */
	uint8_t why;			 /* enum reason */
	char *data;			 /* the response's head as it came */
	struct http_head *head;
	char *fields; /* what goes to clients */
	size_t fields_len;
	char vary_names[VARY_NAMES_MAX];
	size_t vary_names_len;
	char *vary_values;
	size_t vary_values_len;
	struct freshness freshness;
	uint64_t born_ms;	      /* from which its age counts */
	bool has_age;		      /* it was not new when it came */
	struct object *object;	      /* once stored */
	struct segment *first, *last; /* first: only while it is stored or none has begun */
	uint64_t filled;
	_Atomic bool is_outdated;	     /* purged on its way */
	_Atomic bool is_late;		     /* the stale copy is served meanwhile */
	_Atomic int64_t live;		     /* bytes in segments */
	_Atomic uint64_t listeners;	     /* bit a worker that has readers */
	struct client *readers[WORKERS_MAX]; /* each worker's own list, touched by it alone */
};

struct fill *fill_new(struct worker *owner, struct request *request, struct object *stale);
void fill_unref(struct fill *fill);
static inline struct fill *fill_ref(struct fill *fill)
{
	(void)__atomic_add_fetch(&fill->refs, 1, __ATOMIC_RELAXED);
	return fill;
}

/* Has every worker with readers, and the owner, look at it. */
void fill_tell(struct fill *fill, struct worker *from);
/* Appends to the body. -ENOMEM. */
int fill_append(struct fill *fill, struct text bytes);

struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);

enum fill_answer {
	FILL_A_DATA,
	FILL_A_WAIT,
	FILL_A_END,
	FILL_A_BROKEN,
};

/* What a reader who took *offset bytes of *segment may send next; moves on to the next segment. */
enum fill_answer fill_read(struct fill *fill, struct segment **segment, uint32_t *offset,
			   struct text *out);

struct fill_table *fill_table_new(void);
void fill_table_free(struct fill_table *table);
/*
 * The fill under way for the request's page with a reference, or a new one of the worker that is
 * listed; *is_new says which. NULL with *object set (a reference) if the page was stored meanwhile,
 * NULL without when out of memory. names: what the page is known to vary by, as vary_names() has
 * it: then those of other variants do not join.
 */
struct fill *fill_join(struct worker *worker, struct request *request, struct object *stale,
		       struct text names, bool *is_new, struct object **object);
/* One that purges are to find, and nobody is to join. */
void fill_list_alone(struct fill *fill);
/* No one joins any more. */
void fill_unlist(struct fill *fill);

typedef bool (*fill_test)(const struct fill *fill, const void *arg);
/*
 * A purge: what is on its way was asked for before it. Fills for which test says so (NULL: all) go
 * on for those who wait, but nobody joins them any more, and they are not kept. To be called before
 * the store is purged. Answers how many there were.
 */
unsigned int fill_outdate(struct fill_table *table, fill_test test, const void *arg);
/* The same for one key of a service. */
unsigned int fill_outdate_key(struct fill_table *table, uint32_t service, uint64_t hash,
			      struct text key);
/* Stores the object that came, and answers true, unless there is no room or it is outdated. */
bool fill_keep(struct fill *fill, struct object *object);

#endif
