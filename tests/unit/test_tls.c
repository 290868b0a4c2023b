// SPDX-License-Identifier: GPL-2.0-only
/* Which certificate a name means, keys of tickets over time, and what a PEM file must hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "common/certificate.h"
#include "lbcache/tickets.h"
#include "lbcache/tls.h"

static struct text text_of(const char *text)
{
	return (struct text){ text, strlen(text) };
}

/* RFC 9525 6.3: an asterisk is the whole leftmost label and no more; RFC 6066 3: no case, no dot.
 */
static void names_rfc9525_6_3(void **state)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {
		{ "a.example", 0 },
		{ "A.EXAMPLE", 0 },
		{ "a.example.", 0 },
		{ "b.example", -ENOENT },
		{ "www.b.example", 1 },
		{ "WWW.b.EXAMPLE", 1 },
		{ "special.b.example", 2 }, /* itself before the asterisk */
		{ "x.www.b.example", -ENOENT },
		{ ".b.example", -ENOENT },
		{ "fooa.example", -ENOENT },
		{ "f1.c.example", -ENOENT }, /* f*.c.example covers nothing */
		{ "trick.example", -ENOENT },
		{ "", -ENOENT },
		{ ".", -ENOENT },
	};
	struct tls_names *names = tls_names_new();
	char longest[300];

	(void)state;
	assert_true(tls_names_add(names, text_of("A.example"), 0));
	assert_true(tls_names_add(names, text_of("*.b.example"), 1));
	assert_true(tls_names_add(names, text_of("special.b.example"), 2));
	assert_true(tls_names_add(names, text_of("f*.c.example"), 3));
	assert_true(tls_names_add(names, (struct text){ "trick.example\0.evil", 19 }, 4));
	assert_true(tls_names_add(names, text_of("*."), 5));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tls_names_find(names, rows[i].name), rows[i].number);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(tls_names_find(names, longest), -ENOENT);
	tls_names_free(names);
}

/* A new key every hour; old ones open tickets as long as those may live, and then no more. */
static void tickets_turn(void **state)
{
	struct ticket_key first, second, found;
	bool is_newest;

	(void)state;
	assert_true(tickets_newest(100000, &first));
	assert_true(tickets_newest(100000 + 3599, &second));
	assert_memory_equal(&first, &second, sizeof(first));
	assert_true(tickets_find(100000 + 3599, first.name, &found, &is_newest));
	assert_true(is_newest);
	assert_true(tickets_newest(100000 + 3600, &second));
	assert_memory_not_equal(&first, &second, sizeof(first));
	assert_memory_not_equal(first.name, second.name, sizeof(first.name));
	assert_true(
		tickets_find(100000 + 3600 + TICKET_LIFE_S - 1, first.name, &found, &is_newest));
	assert_false(is_newest);
	assert_memory_equal(&first, &found, sizeof(first));
	assert_false(tickets_find(100000 + 3600 + TICKET_LIFE_S, first.name, &found, &is_newest));
	second.name[0] ^= 1;
	assert_false(tickets_find(100000 + 3600, second.name, &found, &is_newest));
	/* A clock that was set back. */
	assert_true(tickets_newest(50, &found));
	assert_memory_not_equal(&found, &second, sizeof(found));
}

static EVP_PKEY *key_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static void put_certificate(BIO *out, EVP_PKEY *key)
{
	X509 *x509 = X509_new();

	assert_non_null(x509);
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x509), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x509), 3600));
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(out, x509), 1);
	X509_free(x509);
}

static void put_key(BIO *out, EVP_PKEY *key, const char *password)
{
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
				 out, key, password ? EVP_aes_128_cbc() : NULL, password,
				 password ? (int)strlen(password) : 0, NULL, NULL),
			 1);
}

static const char *why_not(BIO *pem)
{
	struct certificate certificate = { NULL, NULL, NULL };
	const char *why = NULL;
	char *bytes;
	long len = BIO_get_mem_data(pem, &bytes);
	int ret = certificate_parse(&certificate, bytes, (size_t)len, &why);

	assert_int_equal(ret, why ? -EBADMSG : 0);
	if (!ret)
		assert_int_equal(X509_check_private_key(certificate.leaf, certificate.key), 1);
	certificate_free(&certificate);
	BIO_free(pem);
	return why ? why : "good";
}

static void pem_files(void **state)
{
	EVP_PKEY *key = key_new(), *other = key_new();
	BIO *pem = BIO_new(BIO_s_mem());

	(void)state;
	put_key(pem, key, NULL); /* the key first is fine, and so is a chain */
	put_certificate(pem, key);
	put_certificate(pem, other);
	assert_string_equal(why_not(pem), "good");
	pem = BIO_new(BIO_s_mem());
	put_certificate(pem, other);
	put_certificate(pem, key);
	put_key(pem, key, NULL);
	assert_string_equal(why_not(pem), "the key does not belong to it");
	pem = BIO_new(BIO_s_mem());
	put_certificate(pem, key);
	assert_non_null(strstr(why_not(pem), "there is no key"));
	pem = BIO_new(BIO_s_mem());
	put_key(pem, key, NULL);
	assert_non_null(strstr(why_not(pem), "there is no certificate"));
	pem = BIO_new(BIO_s_mem());
	put_certificate(pem, key);
	put_key(pem, key, "secret");
	assert_non_null(strstr(why_not(pem), "encrypted"));
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_rfc9525_6_3),
		cmocka_unit_test(tickets_turn),
		cmocka_unit_test(pem_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
