// SPDX-License-Identifier: GPL-2.0-only
/* The cache part of a service in the document: reading, what may stand there, writing. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config_shape.h"

/* ---- durations of pages: seconds, up to a year --------------------------------------------- */

static const struct {
	char unit;
	__u32 seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

int lb_ttl_parse(const char *text, __u32 *ttl_s)
{
	__u64 number = 0;
	__u32 factor = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9'; c++) {
		number = number * 10 + (__u64)(*c - '0');
		if (number > LB_CACHE_TTL_MAX)
			return -ERANGE;
	}
	if (c == text)
		return -EINVAL;
	if (!*c)
		factor = 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*c == units[i].unit && !c[1])
			factor = units[i].seconds;
	if (!factor)
		return -EINVAL;
	if (number * factor > LB_CACHE_TTL_MAX)
		return -ERANGE;
	*ttl_s = (__u32)(number * factor);
	return 0;
}

const char *lb_ttl_format(__u32 ttl_s, char buf[LB_ADDR_TEXT_SIZE])
{
	size_t i = 0;

	/* Two minutes are where a person would leave the seconds. */
	while (ttl_s < 120 ? units[i].unit != 's' : ttl_s % units[i].seconds != 0)
		i++;
	(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%u%c", ttl_s / units[i].seconds, units[i].unit);
	return buf;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_ttl(const char *text, __u32 *out, struct lb_error *err)
{
	if (!text || !lb_ttl_parse(text, out))
		return 0;
	return lb_fail(
		err, -EBADMSG,
		"'%.32s' is no time that a page can be kept, expected as 60s, 10m, 2h or 1d, "
		"up to 365d",
		text);
}

static int read_rule(const struct lb_shape_cache_rule *shape, struct lb_cache_config *out,
		     struct lb_error *err)
{
	struct lb_cache_rule rule = { .is_pass = shape->pass && *shape->pass == LB_YES };

	if (strlen(shape->prefix) >= sizeof(rule.prefix))
		return lb_fail(err, -EBADMSG, "'%.32s...' is too long, at most %d characters",
			       shape->prefix, LB_CACHE_PREFIX_SIZE - 1);
	memcpy(rule.prefix, shape->prefix, strlen(shape->prefix) + 1);
	if (lb_cache_find_rule(out, rule.prefix))
		return lb_fail(err, -EBADMSG, "there are two rules for '%s'", rule.prefix);
	for (unsigned int i = 0; i < LB_CACHE_OPTIONS; i++)
		if (shape->option[i] && lb_cache_rule_say(&rule, i, shape->option[i]))
			return lb_fail(err, -EBADMSG,
				       "%s '%.32s' of the rule for '%s' is not possible, expected "
				       "%s",
				       lb_cache_option_name(i), shape->option[i], rule.prefix,
				       lb_cache_option_expected(i));
	if (lb_cache_set_rule(out, &rule))
		return lb_fail(err, -ENOMEM, "out of memory");
	return 0;
}

static int read_file(const char *text, char out[LB_CACHE_FILE_SIZE], struct lb_error *err)
{
	if (text && strlen(text) >= LB_CACHE_FILE_SIZE)
		return lb_fail(err, -EBADMSG, "'%.32s...' is too long, at most %d characters", text,
			       LB_CACHE_FILE_SIZE - 1);
	if (text)
		memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int read_certs(const struct lb_shape_cache *shape, struct lb_cache_config *out,
		      struct lb_error *err)
{
	int ret = 0;

	if (shape->cert_count > LB_CACHE_CERTS_MAX)
		return lb_fail(err, -EBADMSG, "%u certificates are too many, at most %d",
			       shape->cert_count, LB_CACHE_CERTS_MAX);
	out->cert_count = shape->cert_count;
	for (unsigned int i = 0; !ret && i < shape->cert_count; i++) {
		ret = read_file(shape->certs[i].certificate, out->certs[i].file, err);
		if (!ret)
			ret = read_file(shape->certs[i].key, out->certs[i].key, err);
	}
	return ret;
}

int lb_cache_read(const struct lb_shape_cache *shape, struct lb_cache_config *out, const char **key,
		  struct lb_error *err)
{
	int ret;

	out->is_on = !shape->enabled || *shape->enabled == LB_YES;
	*key = "ttl";
	ret = read_ttl(shape->ttl, &out->ttl_s, err);
	if (ret)
		return ret;
	*key = "tls";
	ret = read_certs(shape, out, err);
	if (ret)
		return ret;
	*key = "verify";
	ret = read_file(shape->verify, out->verify, err);
	if (ret)
		return ret;
	*key = "rules";
	for (unsigned int i = 0; !ret && i < shape->rule_count; i++)
		ret = read_rule(&shape->rules[i], out, err);
	return ret;
}

int lb_cache_read_redis(const struct lb_shape_all_caches *shape, struct lb_config *out,
			struct lb_error *err)
{
	if (!shape->redis)
		return 0;
	return lb_endpoint_parse(shape->redis, &out->redis, &out->redis_port, NULL, err);
}

/* ---- what may stand there ------------------------------------------------------------------- */

static int check_prefix(const char *prefix, struct lb_error *err)
{
	for (const char *c = prefix; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '#')
			return lb_fail(err, -EINVAL,
				       "a path has no blanks, control characters or '#', as the "
				       "rule for '%s' has",
				       prefix);
	if (prefix[0] == '/')
		return 0;
	return lb_fail(err, -EINVAL, "'%s' is no path, expected one that begins with '/'", prefix);
}

static int check_rule(const struct lb_cache_rule *rule, struct lb_error *err)
{
	if (!rule->is_pass && !rule->said)
		return lb_fail(err, -EINVAL,
			       "the rule for '%s' says nothing: it needs 'ttl', 'pass' or another "
			       "option",
			       rule->prefix);
	if (rule->is_pass && rule->said)
		return lb_fail(err, -EINVAL,
			       "the rule for '%s' says 'pass', so nothing is kept there that "
			       "another option could be for",
			       rule->prefix);
	return check_prefix(rule->prefix, err);
}

static int check_file(const char *file, struct lb_error *err)
{
	if (file[0] != '/')
		return lb_fail(err, -EINVAL, "'%s' is no path from the root, as lbcache needs it",
			       file);
	for (const char *c = file; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == ',')
			return lb_fail(err, -EINVAL,
				       "a file of certificates has no control characters or commas "
				       "in its name");
	return 0;
}

static int check_tls(const struct lb_cache_config *cache, const char **key, struct lb_error *err)
{
	int ret = 0;

	*key = "tls";
	for (unsigned int i = 0; !ret && i < cache->cert_count; i++) {
		ret = check_file(cache->certs[i].file, err);
		if (!ret && cache->certs[i].key[0])
			ret = check_file(cache->certs[i].key, err);
	}
	*key = "verify";
	if (!ret && cache->verify[0] && !cache->cert_count)
		return lb_fail(err, -EINVAL,
			       "'verify' is for backends in TLS, and 'tls' has no certificate");
	if (!ret && cache->verify[0] && strcmp(cache->verify, "off"))
		ret = check_file(cache->verify, err);
	return ret;
}

int lb_cache_check(const struct lb_service_config *service, const char **key, struct lb_error *err)
{
	const struct lb_cache_config *cache = &service->cache;
	int ret = 0;

	*key = "enabled";
	if (cache->is_on && service->proto != IPPROTO_TCP)
		return lb_fail(err, -EINVAL, "there are pages in HTTP over tcp only, this is %s",
			       lb_proto_name(service->proto));
	*key = "ttl";
	if (cache->ttl_s > LB_CACHE_TTL_MAX)
		return lb_fail(err, -ERANGE, "ttl %us is out of range, expected up to 365d",
			       cache->ttl_s);
	*key = "rules";
	if (cache->rule_count > LB_CACHE_RULES_MAX)
		return lb_fail(err, -ERANGE, "%u rules are too many, at most %d", cache->rule_count,
			       LB_CACHE_RULES_MAX);
	for (unsigned int i = 0; !ret && i < cache->rule_count; i++)
		ret = check_rule(&cache->rules[i], err);
	return ret ? ret : check_tls(cache, key, err);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void print_text(FILE *out, const char *before, const char *text)
{
	(void)fprintf(out, "%s\"", before);
	for (const char *c = text; *c; c++)
		(void)fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	(void)fputs("\"\n", out);
}

static void print_tls(FILE *out, const struct lb_cache_config *cache)
{
	if (!cache->cert_count)
		return;
	(void)fputs("      tls:\n", out);
	for (unsigned int i = 0; i < cache->cert_count; i++) {
		print_text(out, "        - certificate: ", cache->certs[i].file);
		if (cache->certs[i].key[0])
			print_text(out, "          key: ", cache->certs[i].key);
	}
	if (cache->verify[0])
		print_text(out, "      verify: ", cache->verify);
}

void lb_cache_print_redis(FILE *out, const struct lb_config *config)
{
	char text[LB_ADDR_TEXT_SIZE];

	if (config->redis_port)
		(void)fprintf(out, "cache:\n  redis: \"%s\"\n",
			      lb_endpoint_format(&config->redis, config->redis_port, text));
}

static void print_rule(FILE *out, const struct lb_cache_rule *rule)
{
	char text[LB_CACHE_DROP_SIZE];

	print_text(out, "        - prefix: ", rule->prefix);
	if (rule->is_pass)
		(void)fputs("          pass: true\n", out);
	for (unsigned int i = 0; i < LB_CACHE_OPTIONS; i++) {
		if (!lb_cache_rule_text(rule, i, text))
			continue;
		(void)fprintf(out, "          %s:", lb_cache_option_name(i));
		if (i == LB_CACHE_QUERY_DROP) /* '*' has a meaning in YAML */
			print_text(out, " ", text);
		else
			(void)fprintf(out, " %s\n", text);
	}
}

void lb_cache_print(FILE *out, const struct lb_cache_config *cache)
{
	char text[LB_ADDR_TEXT_SIZE];

	if (!cache->is_on && !cache->ttl_s && !cache->rule_count && !cache->cert_count)
		return;
	(void)fputs("    cache:\n", out);
	if (!cache->is_on)
		(void)fputs("      enabled: false\n", out);
	(void)fprintf(out, "      ttl: %s\n", lb_ttl_format(cache->ttl_s, text));
	print_tls(out, cache);
	if (cache->rule_count)
		(void)fputs("      rules:\n", out);
	for (unsigned int i = 0; i < cache->rule_count; i++)
		print_rule(out, &cache->rules[i]);
}
