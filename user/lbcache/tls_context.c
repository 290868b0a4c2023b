// SPDX-License-Identifier: GPL-2.0-only
/* How OpenSSL is set up, towards clients and towards backends. */
#include "tls_context.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tickets.h"

/* Of TLS 1.2; those of 1.3 are all as they should be. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		return NULL;
	(void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
	    SSL_CTX_set_cipher_list(context, CIPHERS))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* ---- tickets --------------------------------------------------------------------------------- */

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters);
}

/* 1: go on; 2: and give the client a newer one; 0: no such key; -1 failure. */
static int on_ticket(SSL *tls, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int is_encrypting)
{
	struct ticket_key key;
	bool is_newest = true;
	int ret = 1;

	(void)tls;
	if (is_encrypting) {
		if (!tickets_newest(time(NULL), &key) ||
		    RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
		memcpy(name, key.name, sizeof(key.name));
		if (!EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv))
			ret = -1;
	} else if (!tickets_find(time(NULL), name, &key, &is_newest)) {
		return 0;
	} else if (!EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv)) {
		ret = -1;
	}
	if (ret > 0 && !set_mac(mac, &key))
		ret = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	return ret > 0 && !is_newest ? 2 : ret;
}

/* ---- what the client asks for ---------------------------------------------------------------- */

/* RFC 7301 3.2: the best of those that both know; none is an alert, not a guess. */
static int on_protocols(SSL *tls, const unsigned char **out, unsigned char *out_len,
			const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char known[] = "\x02h2\x08http/1.1";
	unsigned char *chosen;

	(void)tls;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, known, sizeof(known) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_context_of(const struct certificate *certificate)
{
	SSL_CTX *context = context_new(TLS_server_method());

	if (!context)
		return NULL;
	(void)SSL_CTX_set_options(context,
				  SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_timeout(context, TICKET_LIFE_S);
	SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
	if (SSL_CTX_set_session_id_context(context, (const unsigned char *)"lbcache", 7) &&
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) &&
	    SSL_CTX_use_certificate(context, certificate->leaf) == 1 &&
	    SSL_CTX_use_PrivateKey(context, certificate->key) == 1 &&
	    SSL_CTX_set1_chain(context, certificate->chain))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool add_common_name(struct tls_names *names, X509 *leaf, unsigned int number)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *text;

	if (at < 0)
		return true;
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	return tls_names_add(names,
			     (struct text){ (const char *)ASN1_STRING_get0_data(text),
					    (size_t)ASN1_STRING_length(text) },
			     number);
}

bool tls_context_names(struct tls_names *names, X509 *leaf, unsigned int number)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool has_any = false, is_ok = true;

	for (int i = 0; is_ok && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);

		if (name->type != GEN_DNS)
			continue;
		has_any = true;
		is_ok = tls_names_add(
			names,
			(struct text){ (const char *)ASN1_STRING_get0_data(name->d.dNSName),
				       (size_t)ASN1_STRING_length(name->d.dNSName) },
			number);
	}
	GENERAL_NAMES_free(list);
	return is_ok && (has_any || add_common_name(names, leaf, number));
}

/* What the context that chooses owns, for as long as a connection of it lives. */
struct choice {
	struct tls_names *names;
	unsigned int count;
	SSL_CTX *others[]; /* from the second certificate on */
};

static void free_choice(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number,
			void *arg)
{
	struct choice *choice = data;

	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)arg;
	if (!choice)
		return;
	for (unsigned int i = 0; i < choice->count; i++)
		SSL_CTX_free(choice->others[i]);
	tls_names_free(choice->names);
	free(choice);
}

/* RFC 6066 3: a name that nobody has gets the first certificate, as a client without a name does.
 */
static int on_name(SSL *tls, int *alert, void *arg)
{
	const struct choice *choice = arg;
	const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
	int number = name ? tls_names_find(choice->names, name) : 0;

	(void)alert;
	if (number > 0)
		(void)SSL_set_SSL_CTX(tls, choice->others[number - 1]);
	return SSL_TLSEXT_ERR_OK;
}

bool tls_context_join(SSL_CTX **list, unsigned int count, struct tls_names *names)
{
	static int index = -1; /* one caller at a time */
	struct choice *choice = malloc(sizeof(*choice) + count * sizeof(list[0]));

	if (!choice)
		return false;
	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_choice);
	if (index < 0 || !SSL_CTX_set_ex_data(list[0], index, choice)) {
		free(choice);
		return false;
	}
	choice->names = names;
	choice->count = count - 1;
	memcpy((void *)choice->others, list + 1, (count - 1) * sizeof(list[0]));
	(void)SSL_CTX_set_tlsext_servername_callback(list[0], on_name);
	(void)SSL_CTX_set_tlsext_servername_arg(list[0], choice);
	return true;
}

/* ---- backends -------------------------------------------------------------------------------- */

SSL_CTX *tls_context_of_backends(bool is_verified)
{
	static const unsigned char known[] = "\x08http/1.1";
	SSL_CTX *context = context_new(TLS_client_method());

	if (!context)
		return NULL;
	SSL_CTX_set_verify(context, is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	(void)SSL_CTX_set_alpn_protos(context, known, sizeof(known) - 1);
	return context;
}

bool tls_context_trust(SSL_CTX *context, const char *pem, size_t len)
{
	STACK_OF(X509) *list = certificate_list(pem, len);

	for (int i = 0; i < sk_X509_num(list); i++)
		(void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context), sk_X509_value(list, i));
	ERR_clear_error();
	if (!list)
		return false;
	certificate_list_free(list);
	return true;
}
