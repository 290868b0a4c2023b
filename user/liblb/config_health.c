// SPDX-License-Identifier: GPL-2.0-only
/* The health part of a service in the document: defaults, reading, what may stand there, writing.
 */
#include <errno.h>
#include <string.h>

#include "config_shape.h"

#define INTERVAL_DEFAULT_MS 2000u
#define INTERVAL_MIN_MS 100u
#define INTERVAL_MAX_MS 3600000u
#define TIMEOUT_DEFAULT_MS 1000u
#define TIMEOUT_MIN_MS 10u
#define SLOW_START_MAX_MS 3600000u
#define STREAK_MAX 100u

/* Of the others there is nothing that a client could ask in the same way. */
static bool has_way(enum lb_check_type type)
{
	return type == LB_CHECK_TCP || type == LB_CHECK_HTTP || type == LB_CHECK_HTTPS ||
	       type == LB_CHECK_DNS || type == LB_CHECK_UDP;
}

void lb_health_config_init(struct lb_health_config *health, enum lb_check_type type)
{
	*health = (struct lb_health_config){
		.type = type,
		.via = has_way(type) ? LB_VIA_DATAPATH : LB_VIA_DIRECT,
		.interval_ms = INTERVAL_DEFAULT_MS,
		.rise = 2,
		.fall = 3,
		.status_low = 200,
		.status_high = 399,
		.path = "/",
	};
}

__u32 lb_health_timeout(const struct lb_health_config *health)
{
	if (health->timeout_ms)
		return health->timeout_ms;
	return health->interval_ms < TIMEOUT_DEFAULT_MS ? health->interval_ms : TIMEOUT_DEFAULT_MS;
}

bool lb_health_is_on(const struct lb_health_config *health)
{
	return health->type != LB_CHECK_NONE || health->is_passive;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_duration(const char *text, __u32 *out, struct lb_error *err)
{
	if (!text || !lb_duration_parse(text, out))
		return 0;
	return lb_fail(err, -EBADMSG, "'%.64s' is no duration, expected as 2s or 500ms", text);
}

static int read_text(const char *text, char out[LB_CHECK_TEXT_SIZE], struct lb_error *err)
{
	if (!text)
		return 0;
	if (strlen(text) >= LB_CHECK_TEXT_SIZE)
		return lb_fail(err, -EBADMSG, "'%.32s...' is too long, at most %d characters", text,
			       LB_CHECK_TEXT_SIZE - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int read_small(const __u32 *number, __u16 *out, struct lb_error *err)
{
	if (!number)
		return 0;
	if (*number > 0xffff)
		return lb_fail(err, -EBADMSG, "%u is too large", *number);
	*out = (__u16)*number;
	return 0;
}

static int read_status(const char *text, struct lb_health_config *out, struct lb_error *err)
{
	if (!text || !lb_status_range_parse(text, &out->status_low, &out->status_high))
		return 0;
	return lb_fail(err, -EBADMSG, "'%.32s' is no HTTP status, expected as 200 or 200-399",
		       text);
}

int lb_health_read(const struct lb_shape_health *shape, struct lb_health_config *out,
		   const char **key, struct lb_error *err)
{
	int ret;

	lb_health_config_init(out, shape->type);
	if (shape->verify)
		out->is_verified = *shape->verify == LB_YES;
	if (shape->passive)
		out->is_passive = *shape->passive == LB_YES;
	if (shape->via)
		out->via = *shape->via;
	if (shape->on_all_down)
		out->on_all_down = *shape->on_all_down;
#define READ(name, call)                                                                           \
	do {                                                                                       \
		*key = name;                                                                       \
		ret = call;                                                                        \
		if (ret)                                                                           \
			return ret;                                                                \
	} while (0)
	READ("interval", read_duration(shape->interval, &out->interval_ms, err));
	READ("timeout", read_duration(shape->timeout, &out->timeout_ms, err));
	READ("slow-start", read_duration(shape->slow_start, &out->slow_start_ms, err));
	READ("rise", read_small(shape->rise, &out->rise, err));
	READ("fall", read_small(shape->fall, &out->fall, err));
	READ("port", read_small(shape->port, &out->port, err));
	READ("status", read_status(shape->status, out, err));
	READ("path", read_text(shape->path, out->path, err));
	READ("host", read_text(shape->host, out->host, err));
	READ("body", read_text(shape->body, out->body, err));
	READ("ca", read_text(shape->ca, out->ca, err));
	READ("send", read_text(shape->send, out->send, err));
	READ("expect", read_text(shape->expect, out->expect, err));
	READ("command", read_text(shape->command, out->command, err));
#undef READ
	return 0;
}

/* ---- what may stand there ------------------------------------------------------------------- */

static int check_duration(const char *what, __u32 ms, __u32 low, __u32 high, struct lb_error *err)
{
	char value[LB_ADDR_TEXT_SIZE], from[LB_ADDR_TEXT_SIZE], to[LB_ADDR_TEXT_SIZE];

	if (ms >= low && ms <= high)
		return 0;
	return lb_fail(err, -ERANGE, "%s %s is out of range, expected %s to %s", what,
		       lb_duration_format(ms, value), lb_duration_format(low, from),
		       lb_duration_format(high, to));
}

static int check_streak(const char *what, __u16 count, struct lb_error *err)
{
	if (count >= 1 && count <= STREAK_MAX)
		return 0;
	return lb_fail(err, -ERANGE, "%s %u is out of range, expected 1 to %u", what, count,
		       STREAK_MAX);
}

/* A request line or a header must not be split by what stands in it. */
static bool is_clean(const char *text, bool may_have_blanks)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f ||
		    (*text == ' ' && !may_have_blanks))
			return false;
	}
	return true;
}

static bool is_http(enum lb_check_type type)
{
	return type == LB_CHECK_HTTP || type == LB_CHECK_HTTPS;
}

static int check_http(const struct lb_health_config *health, const char **key, struct lb_error *err)
{
	*key = "path";
	if (health->path[0] != '/' || !is_clean(health->path, false))
		return lb_fail(err, -EINVAL, "path '%s' must begin with '/' and have no blanks",
			       health->path);
	*key = "host";
	if (!is_clean(health->host, false) || strpbrk(health->host, "/:@?#[]"))
		return lb_fail(err, -EINVAL, "host '%s' is no host's name", health->host);
	*key = "status";
	if (health->status_low < 100 || health->status_high > 599 ||
	    health->status_low > health->status_high)
		return lb_fail(err, -ERANGE, "status %u-%u is out of range, expected 100 to 599",
			       health->status_low, health->status_high);
	*key = "ca";
	if (health->ca[0] && !health->is_verified)
		return lb_fail(err, -EINVAL, "ca has no meaning without 'verify: true'");
	*key = "verify";
	if (health->is_verified && (health->type != LB_CHECK_HTTPS || !health->host[0]))
		return lb_fail(err, -EINVAL,
			       "verify is for https with a host, whose name the certificate has");
	return 0;
}

/* Each of these belongs to some types only; elsewhere it would be ignored without a word. */
static int check_strays(const struct lb_health_config *health, const char **key,
			struct lb_error *err)
{
	const bool is_dns = health->type == LB_CHECK_DNS, is_exec = health->type == LB_CHECK_EXEC;
	const bool has_talk = health->type == LB_CHECK_TCP || health->type == LB_CHECK_UDP;
	const struct {
		const char *key;
		bool is_given, is_used;
	} keys[] = {
		{ "via", health->via != LB_VIA_DIRECT, has_way(health->type) },
		{ "path", strcmp(health->path, "/"), is_http(health->type) },
		{ "host", health->host[0], is_http(health->type) || is_dns },
		{ "status", health->status_low != 200 || health->status_high != 399,
		  is_http(health->type) },
		{ "body", health->body[0], is_http(health->type) },
		{ "verify", health->is_verified, health->type == LB_CHECK_HTTPS },
		{ "ca", health->ca[0], health->type == LB_CHECK_HTTPS },
		{ "send", health->send[0], has_talk },
		{ "expect", health->expect[0], has_talk },
		{ "command", health->command[0], is_exec },
		{ "port", health->port, health->type != LB_CHECK_PING },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		*key = keys[i].key;
		if (keys[i].is_given && !keys[i].is_used)
			return lb_fail(err, -EINVAL, "%s has no meaning for checks of type %s",
				       keys[i].key, lb_check_type_name(health->type));
	}
	return 0;
}

/* Labels of at most 63 characters with dots between, or the root. */
static bool is_dns_name(const char *name)
{
	if (!name[0] || !strcmp(name, "."))
		return true;
	for (size_t length; *name; name += length + (name[length] == '.')) {
		length = strcspn(name, ".");
		if (length == 0 || length > 63)
			return false;
	}
	return true;
}

int lb_health_check(const struct lb_health_config *health, const char **key, struct lb_error *err)
{
	int ret;

	*key = "type";
	if ((unsigned int)health->type >= LB_CHECK_TYPES)
		return lb_fail(err, -EINVAL, "type %d is unknown", (int)health->type);
	*key = "on-all-down";
	if ((unsigned int)health->on_all_down > LB_ALL_DOWN_REJECT)
		return lb_fail(err, -EINVAL, "on-all-down %d is unknown", (int)health->on_all_down);
	*key = "via";
	if ((unsigned int)health->via > LB_VIA_DATAPATH)
		return lb_fail(err, -EINVAL, "via %d is unknown", (int)health->via);
	if (health->type == LB_CHECK_NONE)
		return 0;
	*key = "interval";
	ret = check_duration(*key, health->interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, err);
	if (ret)
		return ret;
	*key = "timeout";
	ret = check_duration(*key, lb_health_timeout(health), TIMEOUT_MIN_MS, health->interval_ms,
			     err);
	if (ret)
		return ret;
	*key = "slow-start";
	ret = check_duration(*key, health->slow_start_ms, 0, SLOW_START_MAX_MS, err);
	if (ret)
		return ret;
	*key = "rise";
	ret = check_streak(*key, health->rise, err);
	if (ret)
		return ret;
	*key = "fall";
	ret = check_streak(*key, health->fall, err) ?: check_strays(health, key, err);
	if (!ret && is_http(health->type))
		ret = check_http(health, key, err);
	if (ret)
		return ret;
	*key = "host";
	if (health->type == LB_CHECK_DNS && !is_dns_name(health->host))
		return lb_fail(err, -EINVAL, "host '%s' is no DNS name", health->host);
	*key = "command";
	if (health->type == LB_CHECK_EXEC && !health->command[0])
		return lb_fail(err, -EINVAL, "checks of type exec need a command");
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A double-quoted scalar of YAML. */
static void print_text(FILE *out, const char *key, const char *text, const char *standard)
{
	if (!strcmp(text, standard))
		return;
	(void)fprintf(out, "      %s: \"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			(void)fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			(void)fputc(*text, out);
	}
	(void)fputs("\"\n", out);
}

static void print_duration(FILE *out, const char *key, __u32 ms, __u32 standard)
{
	char text[LB_ADDR_TEXT_SIZE];

	if (ms != standard)
		(void)fprintf(out, "      %s: %s\n", key, lb_duration_format(ms, text));
}

static void print_number(FILE *out, const char *key, __u32 value, __u32 standard)
{
	if (value != standard)
		(void)fprintf(out, "      %s: %u\n", key, value);
}

void lb_health_print(FILE *out, const struct lb_health_config *health)
{
	struct lb_health_config standard;

	if (!lb_health_is_on(health))
		return;
	lb_health_config_init(&standard, health->type);
	(void)fprintf(out, "    health:\n      type: %s\n", lb_check_type_name(health->type));
	print_duration(out, "interval", health->interval_ms, standard.interval_ms);
	print_duration(out, "timeout", health->timeout_ms, standard.timeout_ms);
	print_number(out, "rise", health->rise, standard.rise);
	print_number(out, "fall", health->fall, standard.fall);
	print_number(out, "port", health->port, standard.port);
	if (health->via != standard.via)
		(void)fprintf(out, "      via: %s\n", lb_via_name(health->via));
	print_text(out, "path", health->path, standard.path);
	print_text(out, "host", health->host, "");
	if (health->status_low != standard.status_low ||
	    health->status_high != standard.status_high)
		(void)fprintf(out, "      status: %u-%u\n", health->status_low,
			      health->status_high);
	print_text(out, "body", health->body, "");
	if (health->is_verified)
		(void)fputs("      verify: true\n", out);
	print_text(out, "ca", health->ca, "");
	print_text(out, "send", health->send, "");
	print_text(out, "expect", health->expect, "");
	print_text(out, "command", health->command, "");
	if (health->is_passive)
		(void)fputs("      passive: true\n", out);
	if (health->on_all_down != standard.on_all_down)
		(void)fprintf(out, "      on-all-down: %s\n",
			      lb_all_down_name(health->on_all_down));
	print_duration(out, "slow-start", health->slow_start_ms, standard.slow_start_ms);
}
