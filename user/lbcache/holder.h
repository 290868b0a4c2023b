/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes the sockets of a killed lbcache close before its memory is given back. */
#ifndef LBCACHE_HOLDER_H
#define LBCACHE_HOLDER_H

/*
 * Starts a process that has this one's memory and nothing else of it, sleeps, and ends
 * once it has ended. 0 or -errno.
 *
 * A process that is killed gives back its memory first, and then closes its files (do_exit() in
 * kernel/exit.c): with 400 MB in memory connections came to the dead process for 170 ms. While
 * another process has the memory as well, the files are closed at once, and the other one, which
 * has none, takes its time.
 */
int holder_start(void);

#endif
