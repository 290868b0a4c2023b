// SPDX-License-Identifier: GPL-2.0-only
/* Words and files of TLS in front of a cached service. */
#include "cache_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/certificate.h"

/* A list of files, by position; -EINVAL. */
static int take_files(const char *list, struct lb_cache_config *cache, bool is_key,
		      unsigned int *count)
{
	char file[LB_CACHE_FILE_SIZE];

	for (*count = 0; list; (*count)++) {
		if (*count == LB_CACHE_CERTS_MAX || !word_of_list(&list, file, sizeof(file)) ||
		    file[0] != '/')
			return -EINVAL;
		memcpy(is_key ? cache->certs[*count].key : cache->certs[*count].file, file,
		       sizeof(file));
	}
	return 0;
}

int cache_take_tls(void *into, const char *value)
{
	struct lb_cache_config *cache = into;

	memset(cache->certs, 0, sizeof(cache->certs));
	cache->cert_count = 0;
	cache->verify[0] = '\0';
	return strcmp(value, "off") ? take_files(value, cache, false, &cache->cert_count) : 0;
}

/* As many as there are certificates, after them, so that 'key' alone is none. */
int cache_take_key(void *into, const char *value)
{
	struct lb_cache_config *cache = into;
	unsigned int count;
	int ret = take_files(value, cache, true, &count);

	return ret ? ret : count == cache->cert_count ? 0 : -EINVAL;
}

int cache_take_verify(void *into, const char *value)
{
	struct lb_cache_config *cache = into;

	if (!strcmp(value, "on"))
		value = "";
	else if (strcmp(value, "off") && value[0] != '/')
		return -EINVAL;
	if (strlen(value) >= sizeof(cache->verify))
		return -EINVAL;
	memcpy(cache->verify, value, strlen(value) + 1);
	return 0;
}

static int check_pair(const char *service, const struct lb_cache_cert *cert)
{
	struct certificate certificate;
	const char *which, *why;
	char *pem;
	size_t len;
	int ret = certificate_load(cert->file, cert->key, &pem, &len, &which);

	if (ret)
		return refuse("service %s: certificate %s: %s", service, which, strerror(-ret));
	ret = certificate_parse(&certificate, pem, len, &why);
	free(pem);
	if (ret)
		return refuse("service %s: certificate %s: %s", service, cert->file, why);
	certificate_free(&certificate);
	return EXIT_OK;
}

static int check_authorities(const char *service, const char *file)
{
	STACK_OF(X509) * list;
	const char *which;
	char *pem;
	size_t len;
	int ret = certificate_load(file, NULL, &pem, &len, &which);

	if (ret)
		return refuse("service %s: verify %s: %s", service, which, strerror(-ret));
	list = certificate_list(pem, len);
	free(pem);
	if (!list)
		return refuse("service %s: verify %s: there is no certificate in it, expected PEM",
			      service, file);
	certificate_list_free(list);
	return EXIT_OK;
}

int cache_check_files(const struct lb_service_config *service)
{
	const struct lb_cache_config *cache = &service->cache;
	int code = EXIT_OK;

	for (unsigned int i = 0; !code && cache->is_on && i < cache->cert_count; i++)
		code = check_pair(service->name, &cache->certs[i]);
	if (!code && cache->is_on && cache->verify[0] == '/')
		code = check_authorities(service->name, cache->verify);
	return code;
}
