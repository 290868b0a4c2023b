/* SPDX-License-Identifier: GPL-2.0-only */
/* A certificate with its chain and its key, out of PEM files. */
#ifndef COMMON_CERTIFICATE_H
#define COMMON_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#define CERTIFICATE_FILE_MAX (1u << 20)

struct certificate {
	X509 *leaf;		/* the first one */
	STACK_OF(X509) * chain; /* the others, in their order */
	EVP_PKEY *key;		/* the leaf's */
};

/*
 * The bytes of a file and, unless it is NULL or empty, of a second one behind it; the caller's.
 * -errno, with the file that fails in *which.
 */
int certificate_load(const char *file, const char *key_file, char **pem, size_t *len,
		     const char **which);
/* Certificates and a key in any order. -EBADMSG with what is wrong with it in *why. */
int certificate_parse(struct certificate *out, const char *pem, size_t len, const char **why);
void certificate_free(struct certificate *certificate);
/* All certificates there are, without any key; NULL if there is none. The caller's. */
STACK_OF(X509) * certificate_list(const char *pem, size_t len);
void certificate_list_free(STACK_OF(X509) * list);

#endif
