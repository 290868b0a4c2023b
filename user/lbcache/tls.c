// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service's TLS by OpenSSL: a context for each certificate, chosen by the name that the client
 * asks for, and one for backends. TLS 1.2 at least, ephemeral keys and authenticated ciphers only.
 */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/certificate.h"
#include "liblb.h"
#include "tls_context.h"

#define HOST_MAX 254

void tls_begin(void)
{
	(void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
}

/* ---- a site from its files ------------------------------------------------------------------- */

static int refuse(struct lb_error *err, int code, const char *file, const char *why)
{
	(void)snprintf(err->text, sizeof(err->text), "certificate %s: %s", file, why);
	return code;
}

struct making {
	struct tls_names *names;
	SSL_CTX *list[TLS_FILES_MAX];
	unsigned int count;
	SSL_CTX *backends;
};

static int add_certificate(struct making *making, const struct tls_file *file, const char *pem,
			   struct lb_error *err)
{
	struct certificate certificate;
	const char *why;
	SSL_CTX *context;
	int ret;

	if (making->count == TLS_FILES_MAX)
		return refuse(err, -E2BIG, file->name, "there are too many");
	ret = certificate_parse(&certificate, pem, file->length, &why);
	if (ret)
		return refuse(err, ret, file->name, why);
	context = tls_context_of(&certificate);
	if (context && tls_context_names(making->names, certificate.leaf, making->count))
		making->list[making->count++] = context;
	else
		ret = -EBADMSG;
	if (ret) {
		SSL_CTX_free(context);
		(void)refuse(err, ret, file->name,
			     "OpenSSL does not take it (its key may be too short)");
	}
	certificate_free(&certificate);
	return ret;
}

static int add_file(struct making *making, const struct tls_file *file, const char *pem,
		    struct lb_error *err)
{
	if (file->error)
		return refuse(err, file->error, file->name, strerror(-file->error));
	if (file->kind == TLS_CERTIFICATE) {
		int ret = add_certificate(making, file, pem, err);

		if (ret)
			return ret;
	}
	/* A backend that has the service's own certificates is what a backend should be. */
	if (making->backends && !tls_context_trust(making->backends, pem, file->length))
		return refuse(err, -EBADMSG, file->name, "there is no certificate in it");
	return 0;
}

static int add_files(struct making *making, struct text files, struct lb_error *err)
{
	int ret = 0;

	while (!ret && files.len) {
		const struct tls_file *file = (const void *)files.at;
		const char *pem = (const char *)(file + 1);

		if (files.len < sizeof(*file) || file->length > CERTIFICATE_FILE_MAX * 3 ||
		    files.len - sizeof(*file) < tls_padded(file->length))
			return refuse(err, -EPROTO, "files", "cut off");
		ret = add_file(making, file, pem, err);
		files.at = pem + tls_padded(file->length);
		files.len -= sizeof(*file) + tls_padded(file->length);
	}
	return ret;
}

static struct tls_site *finish(struct making *making, struct text files, enum tls_backends kind)
{
	static _Atomic uint64_t last_id;
	struct tls_site *site = malloc(sizeof(*site) + files.len);

	if (!site || !tls_context_join(making->list, making->count, making->names)) {
		free(site);
		return NULL;
	}
	making->names = NULL; /* the first context's now, as the others are */
	site->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	site->clients = making->list[0];
	site->backends = making->backends;
	site->kind = kind;
	site->length = files.len;
	memcpy(site->files, files.at, files.len);
	return site;
}

static void drop(struct making *making)
{
	for (unsigned int i = 0; i < making->count; i++)
		SSL_CTX_free(making->list[i]);
	SSL_CTX_free(making->backends);
	tls_names_free(making->names);
	ERR_clear_error();
}

int tls_site_new(struct tls_site **out, struct text files, enum tls_backends kind,
		 struct lb_error *err)
{
	struct making making = { .names = tls_names_new() };
	struct tls_site *site = NULL;
	int ret = making.names ? 0 : -ENOMEM;

	(void)snprintf(err->text, sizeof(err->text), "out of memory");
	if (!ret && kind != TLS_BACKENDS_CLEAR) {
		making.backends = tls_context_of_backends(kind == TLS_BACKENDS_VERIFIED);
		ret = making.backends ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = add_files(&making, files, err);
	if (!ret && !making.count)
		ret = refuse(err, -ENOENT, "for clients", "there is none");
	if (!ret) {
		site = finish(&making, files, kind);
		ret = site ? 0 : -ENOMEM;
	}
	if (ret)
		drop(&making);
	else
		*out = site;
	return ret;
}

void tls_site_free(struct tls_site *site)
{
	if (!site)
		return;
	SSL_CTX_free(site->clients);
	SSL_CTX_free(site->backends);
	free(site);
}

bool tls_site_is_of(const struct tls_site *site, struct text files, enum tls_backends kind)
{
	return site && site->kind == kind && site->length == files.len &&
	       !memcmp(site->files, files.at, files.len);
}

void tls_site_replace(struct server *server, struct service *service, struct tls_site *site)
{
	struct tls_site *old = service->tls;

	__atomic_store_n(&service->tls, site, __ATOMIC_SEQ_CST);
	/* A worker hangs: it stays, rather than being read when it is gone. */
	if (old && server_wait_turn(server))
		tls_site_free(old);
}

/* ---- connections ----------------------------------------------------------------------------- */

struct ssl_st *tls_accept(const struct tls_site *site, int fd)
{
	SSL *tls = SSL_new(site->clients);

	if (!tls || !SSL_set_fd(tls, fd)) {
		SSL_free(tls);
		return NULL;
	}
	SSL_set_accept_state(tls);
	return tls;
}

/* The host of "host:port" or "[address]:port". */
static bool host_of(struct text authority, char host[HOST_MAX])
{
	const char *end;

	if (authority.len && authority.at[0] == '[') {
		end = memchr(authority.at, ']', authority.len);
		authority.at++;
	} else {
		end = memchr(authority.at, ':', authority.len);
		if (!end)
			end = authority.at + authority.len;
	}
	if (!end || end <= authority.at || end - authority.at >= HOST_MAX)
		return false;
	memcpy(host, authority.at, (size_t)(end - authority.at));
	host[end - authority.at] = '\0';
	return true;
}

static bool set_host(SSL *tls, const char *host)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(tls);

	if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host)) {
		ERR_clear_error();
		return true;
	}
	ERR_clear_error();
	SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls, host) && SSL_set_tlsext_host_name(tls, host);
}

struct ssl_st *tls_connect(const struct tls_site *site, int fd, struct text authority)
{
	SSL *tls = SSL_new(site->backends);
	char host[HOST_MAX];

	if (!tls || !SSL_set_fd(tls, fd) || !host_of(authority, host) || !set_host(tls, host)) {
		SSL_free(tls);
		return NULL;
	}
	SSL_set_connect_state(tls);
	return tls;
}

void tls_free(struct ssl_st *tls)
{
	SSL_free(tls);
}

const char *tls_failure(const struct ssl_st *tls)
{
	const long result = SSL_get_verify_result(tls);

	return result == X509_V_OK ? "the handshake failed" : X509_verify_cert_error_string(result);
}

bool tls_is_distrusted(const struct ssl_st *tls)
{
	return SSL_get_verify_result(tls) != X509_V_OK;
}

bool tls_is_resumed(const struct ssl_st *tls)
{
	return SSL_session_reused(tls);
}

bool tls_is_h2(const struct ssl_st *tls)
{
	const unsigned char *chosen;
	unsigned int len;

	SSL_get0_alpn_selected(tls, &chosen, &len);
	return len == 2 && !memcmp(chosen, "h2", 2);
}
