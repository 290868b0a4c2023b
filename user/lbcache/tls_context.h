/* SPDX-License-Identifier: GPL-2.0-only */
/* OpenSSL's contexts, as tls.c puts them together. */
#ifndef LBCACHE_TLS_CONTEXT_H
#define LBCACHE_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "common/certificate.h"
#include "tls.h"

/* For clients, with this certificate; NULL where OpenSSL takes it not. */
SSL_CTX *tls_context_of(const struct certificate *certificate);
/* The certificate's names (RFC 9525: those of subjectAltName, else the common name). */
bool tls_context_names(struct tls_names *names, X509 *leaf, unsigned int number);
/* The first of the list is who chooses; it owns names and the others from now on. */
bool tls_context_join(SSL_CTX **list, unsigned int count, struct tls_names *names);

SSL_CTX *tls_context_of_backends(bool is_verified);
/* All certificates in pem are to be believed. False: there is none. */
bool tls_context_trust(SSL_CTX *context, const char *pem, size_t len);

#endif
