/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The certificates of an lbcache by itself. A process that meets no client keeps the right to open
 * their files, those of the command line and no others, and hands over what is in them when asked.
 */
#ifndef LBCACHE_READER_H
#define LBCACHE_READER_H

#include "options.h"

/* Starts the process; before any thread. -errno. */
int reader_start(const struct options *options);
/* The service's certificates as the files are now; on failure those it has stay. Says what fails.
 */
int reader_renew(struct server *server, struct service *service);

/*
 * Files as they came from who may read them: puts them into force if they are others than before;
 * none: in clear. Bad ones leave those that the service has. -EKEYREJECTED: it has none, and nobody
 * could answer its clients. Says what fails. One caller at a time.
 */
int certificates_take(struct server *server, struct service *service, struct text files,
		      enum tls_backends kind);
/* At SIGHUP: of this lbcache, whether it is by itself or beside the datapath. */
void certificates_renew(struct server *server);

#endif
