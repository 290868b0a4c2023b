// SPDX-License-Identifier: GPL-2.0-only
/* Words for checks, health and events, durations, and back. Knows no document and no kernel. */
#include <errno.h>
#include <string.h>

#include "liblb.h"

static const char *const types[LB_CHECK_TYPES] = {
	[LB_CHECK_NONE] = "none",   [LB_CHECK_TCP] = "tcp",   [LB_CHECK_HTTP] = "http",
	[LB_CHECK_HTTPS] = "https", [LB_CHECK_DNS] = "dns",   [LB_CHECK_UDP] = "udp",
	[LB_CHECK_PING] = "ping",   [LB_CHECK_EXEC] = "exec",
};

const char *lb_check_type_name(enum lb_check_type type)
{
	return (unsigned int)type < LB_CHECK_TYPES ? types[type] : "unknown";
}

int lb_check_type_parse(const char *text, enum lb_check_type *out)
{
	for (int type = 0; type < LB_CHECK_TYPES; type++) {
		if (!strcmp(text, types[type])) {
			*out = type;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const all_downs[] = {
	[LB_ALL_DOWN_ANY] = "any",
	[LB_ALL_DOWN_DROP] = "drop",
	[LB_ALL_DOWN_REJECT] = "reject",
};

const char *lb_all_down_name(enum lb_all_down what)
{
	return (unsigned int)what <= LB_ALL_DOWN_REJECT ? all_downs[what] : "unknown";
}

int lb_all_down_parse(const char *text, enum lb_all_down *out)
{
	for (int what = 0; what <= LB_ALL_DOWN_REJECT; what++) {
		if (!strcmp(text, all_downs[what])) {
			*out = what;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const vias[] = {
	[LB_VIA_DIRECT] = "direct",
	[LB_VIA_DATAPATH] = "datapath",
};

const char *lb_via_name(enum lb_via via)
{
	return (unsigned int)via <= LB_VIA_DATAPATH ? vias[via] : "unknown";
}

int lb_via_parse(const char *text, enum lb_via *out)
{
	for (int via = 0; via <= LB_VIA_DATAPATH; via++) {
		if (!strcmp(text, vias[via])) {
			*out = via;
			return 0;
		}
	}
	return -EINVAL;
}

const char *lb_health_name(__u8 health)
{
	return health == LB_HEALTH_UP ? "up" : health == LB_HEALTH_DOWN ? "down" : "unknown";
}

static const struct {
	const char *name, *text;
	enum lb_check_verdict verdict;
} reasons[LB_C_COUNT] = {
#define REASON(id, name_, verdict_, text_)                                                         \
	[LB_C_##id] = { .name = #name_, .text = (text_), .verdict = (verdict_) },
	LB_CHECK_REASONS(REASON)
#undef REASON
};

const char *lb_check_reason_name(__u8 reason)
{
	return reason < LB_C_COUNT ? reasons[reason].name : "unknown";
}

const char *lb_check_reason_text(__u8 reason)
{
	return reason < LB_C_COUNT ? reasons[reason].text : "of a newer version";
}

enum lb_check_verdict lb_check_reason_verdict(__u8 reason)
{
	return reason < LB_C_COUNT ? reasons[reason].verdict : LB_CHECK_UNKNOWN;
}

const char *lb_event_name(__u32 kind)
{
	static const char *const names[LB_EVENT_KINDS] = {
		[LB_EVENT_HEALTH] = "health",	  [LB_EVENT_RESULT] = "result",
		[LB_EVENT_WEIGHT] = "weight",	  [LB_EVENT_ALL_DOWN] = "all_down",
		[LB_EVENT_DAEMON] = "daemon",	  [LB_EVENT_TABLE] = "table",
		[LB_EVENT_DRAINED] = "drained",	  [LB_EVENT_LIMIT] = "limit",
		[LB_EVENT_FALLBACK] = "fallback", [LB_EVENT_INTERFACE] = "interface",
	};

	return kind < LB_EVENT_KINDS && names[kind] ? names[kind] : "unknown";
}

/* Digits; the end is what follows them. -EINVAL none, -ERANGE more than 32 bits. */
static int parse_digits(const char *text, const char **end, __u64 *out)
{
	*out = 0;
	for (*end = text; **end >= '0' && **end <= '9'; (*end)++) {
		*out = *out * 10 + (__u64)(**end - '0');
		if (*out > 0xffffffffu)
			return -ERANGE;
	}
	return *end == text ? -EINVAL : 0;
}

int lb_duration_parse(const char *text, __u32 *ms)
{
	static const struct {
		const char *name;
		__u64 ms;
	} units[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 }, { "h", 3600000 } };
	const char *end;
	__u64 number;
	int ret = parse_digits(text, &end, &number);

	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (number * units[i].ms > 0xffffffffu)
			return -ERANGE;
		*ms = (__u32)(number * units[i].ms);
		return 0;
	}
	return -EINVAL;
}

const char *lb_duration_format(__u32 ms, char buf[LB_ADDR_TEXT_SIZE])
{
	if (ms % 1000)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%ums", ms);
	else
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%us", ms / 1000);
	return buf;
}

int lb_status_range_parse(const char *text, __u16 *low, __u16 *high)
{
	const char *end;
	__u64 first, last;

	if (parse_digits(text, &end, &first) || (*end && *end != '-'))
		return -EINVAL;
	last = first;
	if (*end && (parse_digits(end + 1, &end, &last) || *end))
		return -EINVAL;
	if (first > 0xffff || last > 0xffff)
		return -ERANGE;
	*low = (__u16)first;
	*high = (__u16)last;
	return 0;
}
