/* SPDX-License-Identifier: GPL-2.0-only */
/* What lbcache may do once all is open: take and make connections, and little else. */
#ifndef LBCACHE_RIGHTS_H
#define LBCACHE_RIGHTS_H

/*
 * Root becomes the user; in any case no program is started any more, no file opened, no right
 * gained, by any thread. 0, or -errno with *what naming what failed.
 */
/* Whether there is such a user to become, where the process is root: 0 or -errno. */
int rights_look(const char *user);
int rights_drop(const char *user, const char **what);

#endif
