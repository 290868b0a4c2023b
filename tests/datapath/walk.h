/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random walks over a nat service's life: backends drained, re-weighted, removed and brought back,
 * while connections open with re-used five-tuples, send, and fall silent. Each walk remembers which
 * backend its connections began with. Many walk at once, so that one commit serves all of them.
 */
#ifndef TEST_WALK_H
#define TEST_WALK_H

#include "world.h"

#define WALKS 30 /* at once, a service each */
#define WALK_BACKENDS 6
#define WALK_TUPLES 24
#define WALK_UNIT_S 60	/* one unit of a walk's time */
#define WALK_TIMEOUT 50 /* units that a connection may be idle */

struct walk_connection {
	bool is_open;
	__u8 backend;
	int seen, end; /* units */
};

struct walk {
	struct walk_connection connection[WALK_TUPLES];
	bool is_present[WALK_BACKENDS];
	int number;
};

struct walk_sums {
	unsigned int opened, sent, commits, broken;
};

/* Routes for all walks' backends; then the document that they begin with. */
void walk_make_routes(void);
struct lb_config *walk_config(void);
/* All walks make so many steps from there; before each, meddle may do harm. sums are added to. */
void walk_all(struct lb_config *config, int steps, void (*meddle)(int step),
	      struct walk_sums *sums);

#endif
