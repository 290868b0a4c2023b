// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words for addresses, modes, protocols and reasons, and back. Knows no document and no kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "liblb.h"

int lb_fail(struct lb_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	for (char *c = err->text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	}
	return code;
}

/* The text between brackets, or the text itself; -EINVAL when it is too long or half bracketed. */
static int strip_brackets(const char *text, char inner[LB_ADDR_TEXT_SIZE], bool *has_brackets)
{
	size_t len = strlen(text);

	*has_brackets = text[0] == '[';
	if (*has_brackets) {
		if (len < 2 || text[len - 1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	}
	if (len == 0 || len >= LB_ADDR_TEXT_SIZE)
		return -EINVAL;
	memcpy(inner, text, len);
	inner[len] = '\0';
	return 0;
}

int lb_addr_parse(const char *text, union lb_addr *out)
{
	char inner[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;
	bool has_brackets;
	struct in_addr v4;

	if (strip_brackets(text, inner, &has_brackets))
		return -EINVAL;
	if (!has_brackets && inet_pton(AF_INET, inner, &v4) == 1) {
		lb_addr_from_v4(out, v4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, inner, addr.bytes) != 1)
		return -EINVAL;
	/* An IPv4 address has one spelling, or a service could be there twice. */
	if (lb_addr_is_v4(&addr))
		return -EINVAL;
	*out = addr;
	return 0;
}

const char *lb_addr_format(const union lb_addr *addr, char buf[LB_ADDR_TEXT_SIZE])
{
	const char *text;

	if (lb_addr_is_v4(addr))
		text = inet_ntop(AF_INET, &addr->words[3], buf, LB_ADDR_TEXT_SIZE);
	else
		text = inet_ntop(AF_INET6, addr->bytes, buf, LB_ADDR_TEXT_SIZE);
	return text ? text : "";
}

static int parse_port(const char *text, const char *whole, __u16 *out, struct lb_error *err)
{
	unsigned int port = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && port <= 0xffff; c++)
		port = port * 10 + (unsigned int)(*c - '0');
	if (*c || c == text || port == 0 || port > 0xffff)
		return lb_fail(err, -EINVAL, "'%s': port '%s' is not a number from 1 to 65535",
			       whole, text);
	*out = (__u16)port;
	return 0;
}

static int bad_address(const char *whole, const char *host, struct lb_error *err)
{
	if (host[0] == '[' && !strchr(host, ']'))
		return lb_fail(err, -EINVAL, "'%s': the closing bracket of the address is missing",
			       whole);
	if (!strncasecmp(host, "::ffff:", 7) || !strncasecmp(host, "[::ffff:", 8))
		return lb_fail(err, -EINVAL,
			       "'%s' is an IPv4-mapped IPv6 address; write the IPv4 address",
			       whole);
	return lb_fail(err, -EINVAL, "'%s' is no address, expected as 192.0.2.1 or [2001:db8::1]",
		       host[0] ? host : whole);
}

/* Splits at the colon before the port; *port is NULL if there is none. */
static int split_endpoint(const char *text, char host[LB_ADDR_TEXT_SIZE], const char **port)
{
	const char *end, *closing = strchr(text, ']');

	if (text[0] == '[')
		end = closing ? closing + 1 : text + strlen(text);
	else if (strchr(text, ':') == strrchr(text, ':'))
		end = text + strcspn(text, ":");
	else
		end = text + strlen(text);
	if ((size_t)(end - text) >= LB_ADDR_TEXT_SIZE || (*end && *end != ':'))
		return -EINVAL;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	*port = *end ? end + 1 : NULL;
	return 0;
}

int lb_endpoint_parse(const char *text, union lb_addr *addr, __u16 *port, bool *has_port,
		      struct lb_error *err)
{
	char host[LB_ADDR_TEXT_SIZE];
	union lb_addr parsed;
	const char *number;
	__u16 parsed_port = 0;
	int ret;

	if (split_endpoint(text, host, &number))
		return lb_fail(
			err, -EINVAL,
			"'%.80s' is no address, expected as 192.0.2.1:80 or [2001:db8::1]:80",
			text);
	if (lb_addr_parse(host, &parsed))
		return bad_address(text, host, err);
	if (number && has_port && !strcmp(number, "*")) {
		parsed_port = 0;
	} else if (number) {
		ret = parse_port(number, text, &parsed_port, err);
		if (ret)
			return ret;
	} else if (!has_port) {
		return lb_fail(err, -EINVAL, "'%s' has no port, expected as %s", text,
			       lb_addr_is_v4(&parsed) ? "192.0.2.1:80" : "[2001:db8::1]:80");
	}
	*addr = parsed;
	*port = parsed_port;
	if (has_port)
		*has_port = number;
	return 0;
}

const char *lb_endpoint_format(const union lb_addr *addr, __u16 port, char buf[LB_ADDR_TEXT_SIZE])
{
	char text[LB_ADDR_TEXT_SIZE];
	bool is_v4 = lb_addr_is_v4(addr);

	lb_addr_format(addr, text);
	if (port)
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s%.46s%s:%u", is_v4 ? "" : "[", text,
			       is_v4 ? "" : "]", port);
	else
		(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%s%.46s%s:*", is_v4 ? "" : "[", text,
			       is_v4 ? "" : "]");
	return buf;
}

const char *lb_mode_name(enum lb_mode mode)
{
	switch (mode) {
	case LB_MODE_INHERIT:
		return "inherit";
	case LB_MODE_FULLNAT:
		return "fullnat";
	case LB_MODE_NAT:
		return "nat";
	case LB_MODE_LOCAL:
		return "local";
	case LB_MODE_DSR:
		return "dsr";
	case LB_MODE_IPIP:
		return "ipip";
	case LB_MODE_GUE:
		return "gue";
	}
	return "unknown";
}

bool lb_mode_keeps_packet(enum lb_mode mode)
{
	return mode == LB_MODE_DSR || lb_mode_is_tunnel(mode);
}

bool lb_mode_is_tunnel(enum lb_mode mode)
{
	return mode == LB_MODE_IPIP || mode == LB_MODE_GUE;
}

int lb_mode_parse(const char *text, enum lb_mode *out)
{
	for (enum lb_mode mode = LB_MODE_FULLNAT; mode <= LB_MODE_GUE; mode++) {
		if (!strcmp(text, lb_mode_name(mode))) {
			*out = mode;
			return 0;
		}
	}
	return -EINVAL;
}

int lb_mss_parse(const char *text, __u16 *out)
{
	unsigned int mss = 0;
	const char *c = text;

	if (!strcmp(text, "auto") || !strcmp(text, "off")) {
		*out = text[0] == 'a' ? LB_MSS_AUTO : LB_MSS_OFF;
		return 0;
	}
	for (; *c >= '0' && *c <= '9' && mss <= LB_MSS_MOST; c++)
		mss = mss * 10 + (unsigned int)(*c - '0');
	if (*c || mss < LB_MSS_LEAST || mss > LB_MSS_MOST)
		return -EINVAL;
	*out = (__u16)mss;
	return 0;
}

const char *lb_mss_format(__u16 mss, char buf[LB_ADDR_TEXT_SIZE])
{
	if (mss == LB_MSS_AUTO || mss == LB_MSS_OFF)
		return mss == LB_MSS_AUTO ? "auto" : "off";
	(void)snprintf(buf, LB_ADDR_TEXT_SIZE, "%u", mss);
	return buf;
}

const char *lb_proto_name(__u8 proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "unknown";
}

int lb_proto_parse(const char *text, __u8 *out)
{
	if (!strcmp(text, "tcp"))
		*out = IPPROTO_TCP;
	else if (!strcmp(text, "udp"))
		*out = IPPROTO_UDP;
	else
		return -EINVAL;
	return 0;
}

static const struct {
	const char *name, *text;
	enum lb_verdict verdict;
} reasons[LB_R_COUNT] = { [LB_R_NONE] = { "none", "no reason given", LB_DROPPED },
#define REASON(id, name_, verdict_, text_)                                                         \
	[LB_R_##id] = { .name = #name_, .text = (text_), .verdict = (verdict_) },
			  LB_REASONS(REASON)
#undef REASON
};

const char *lb_reason_name(enum lb_reason reason)
{
	return (unsigned int)reason < LB_R_COUNT ? reasons[reason].name : "unknown";
}

const char *lb_reason_text(enum lb_reason reason)
{
	return (unsigned int)reason < LB_R_COUNT ? reasons[reason].text : "of a newer version";
}

enum lb_verdict lb_reason_verdict(enum lb_reason reason)
{
	return (unsigned int)reason < LB_R_COUNT ? reasons[reason].verdict : LB_DROPPED;
}
