/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a service speaks TLS with: its certificates by name towards clients, and whom it trusts
 * among its backends. Never changed once a worker can see it; new files make a new one.
 */
#ifndef LBCACHE_TLS_H
#define LBCACHE_TLS_H

#include <stdio.h>

#include "server.h"

struct lb_error;
struct ssl_st;
struct ssl_ctx_st;

#define TLS_FILE_SIZE 256
#define TLS_FILES_MAX 32

enum tls_file_kind {
	TLS_CERTIFICATE = 1, /* with its key */
	TLS_AUTHORITY,	     /* whose certificates backends may have */
};

/* A file's bytes as they go from who may open it to who may not: this, and they, padded. */
struct tls_file {
	char name[TLS_FILE_SIZE];
	uint32_t kind;
	int32_t error; /* -errno: it could not be read */
	uint64_t length;
};

enum tls_backends {
	TLS_BACKENDS_CLEAR,
	TLS_BACKENDS_VERIFIED,
	TLS_BACKENDS_UNVERIFIED,
};

struct tls_site {
	uint64_t id;		     /* of no other one, never 0 */
	struct ssl_ctx_st *clients;  /* the first certificate's, which knows the others */
	struct ssl_ctx_st *backends; /* NULL: in clear */
	enum tls_backends kind;
	size_t length; /* of the files that it was made from, which follow */
	char files[];
};

/* Before the process gives up its rights: what OpenSSL reads, it reads here. */
void tls_begin(void);

/* Of struct tls_file one after the other; the first certificate is for whom no other one fits. */
int tls_site_new(struct tls_site **out, struct text files, enum tls_backends kind,
		 struct lb_error *err);
void tls_site_free(struct tls_site *site);
/* From the same files. */
bool tls_site_is_of(const struct tls_site *site, struct text files, enum tls_backends kind);
/* Puts it into force; the old one goes when no worker looks at it any more. One caller at a time.
 */
void tls_site_replace(struct server *server, struct service *service, struct tls_site *site);

/* NULL: out of memory. */
struct ssl_st *tls_accept(const struct tls_site *site, int fd);
/* host: of the request; what the backend's certificate must be for. */
struct ssl_st *tls_connect(const struct tls_site *site, int fd, struct text host);
void tls_free(struct ssl_st *tls);
/* Why the handshake with a backend failed, and whether because of its certificate. */
const char *tls_failure(const struct ssl_st *tls);
bool tls_is_distrusted(const struct ssl_st *tls);
/* Whether the client resumed a session. */
bool tls_is_resumed(const struct ssl_st *tls);
/* Whether HTTP/2 was agreed on. */
bool tls_is_h2(const struct ssl_st *tls);

/* ---- tls_name.c: which certificate, RFC 6066 3, RFC 9525 6.3 --------------------------------- */

struct tls_names; /* of the certificates of a site */

struct tls_names *tls_names_new(void);
void tls_names_free(struct tls_names *names);
/* False: out of memory. "*.example.com" stands for one label. The number is the caller's. */
bool tls_names_add(struct tls_names *names, struct text name, unsigned int number);
/* The number; a name itself before one that is covered by an asterisk. -ENOENT. */
int tls_names_find(const struct tls_names *names, const char *name);

/* ---- tls_files.c: of who may open files ------------------------------------------------------ */

/* Writes a struct tls_file, and a second file's bytes behind the first one's. */
void tls_file_put(FILE *out, enum tls_file_kind kind, const char *file, const char *key_file);

static inline size_t tls_padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

#endif
