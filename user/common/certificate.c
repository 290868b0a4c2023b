// SPDX-License-Identifier: GPL-2.0-only
/* Certificates out of PEM files; what they are for is not known here. */
#include "certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* Appends what an open file holds and a line end, which not every file has at its end. */
static int append_open(int fd, char **bytes, size_t *len)
{
	struct stat stat;
	char *grown;
	ssize_t ret;

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return S_ISDIR(stat.st_mode) ? -EISDIR : -EINVAL;
	if (stat.st_size > CERTIFICATE_FILE_MAX)
		return -EFBIG;
	grown = realloc(*bytes, *len + (size_t)stat.st_size + 1);
	if (!grown)
		return -ENOMEM;
	*bytes = grown;
	ret = read(fd, grown + *len, (size_t)stat.st_size);
	if (ret < 0)
		return -errno;
	*len += (size_t)ret;
	grown[(*len)++] = '\n';
	return 0;
}

static int append(const char *path, char **bytes, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;

	if (fd < 0)
		return -errno;
	ret = append_open(fd, bytes, len);
	(void)close(fd);
	return ret;
}

int certificate_load(const char *file, const char *key_file, char **pem, size_t *len,
		     const char **which)
{
	char *bytes = NULL;
	size_t count = 0;
	int ret;

	*which = file;
	ret = append(file, &bytes, &count);
	if (!ret && key_file && *key_file) {
		*which = key_file;
		ret = append(key_file, &bytes, &count);
	}
	if (ret) {
		free(bytes);
		return ret;
	}
	*pem = bytes;
	*len = count;
	return 0;
}

STACK_OF(X509) * certificate_list(const char *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	STACK_OF(X509) *list = sk_X509_new_null();
	X509 *one;

	while (bio && list && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (!sk_X509_push(list, one))
			X509_free(one);
	ERR_clear_error();
	BIO_free(bio);
	if (list && sk_X509_num(list))
		return list;
	sk_X509_free(list);
	return NULL;
}

void certificate_list_free(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

/* Nobody is asked for one. */
static int no_password(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	*(bool *)arg = true;
	return -1;
}

int certificate_parse(struct certificate *out, const char *pem, size_t len, const char **why)
{
	STACK_OF(X509) *list = certificate_list(pem, len);
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	bool is_encrypted = false;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &is_encrypted) : NULL;

	BIO_free(bio);
	*why = NULL;
	if (!list)
		*why = "there is no certificate in it, expected PEM";
	else if (is_encrypted)
		*why = "its key is encrypted, and there is nobody to ask for the password";
	else if (!key)
		*why = "there is no key in it or beside it, expected PEM";
	else if (X509_check_private_key(sk_X509_value(list, 0), key) != 1)
		*why = "the key does not belong to it";
	ERR_clear_error();
	if (*why) {
		certificate_list_free(list);
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	out->leaf = sk_X509_shift(list);
	out->chain = list;
	out->key = key;
	return 0;
}

void certificate_free(struct certificate *certificate)
{
	X509_free(certificate->leaf);
	certificate_list_free(certificate->chain);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct certificate){ NULL, NULL, NULL };
}
