// SPDX-License-Identifier: GPL-2.0-only
/* Numbers for people: reading them strictly, and writing them short. Knows no object of lbctl. */
#include "number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
	uint64_t number = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*c - '0'), &number))
			return -ERANGE;
	}
	if (*c || c == text)
		return -EINVAL;
	if (number < low || number > high)
		return -ERANGE;
	*out = number;
	return 0;
}

const char *number_group(uint64_t number, char buf[NUMBER_TEXT_SIZE])
{
	char digits[NUMBER_TEXT_SIZE];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

const char *number_bytes(uint64_t number, char buf[NUMBER_TEXT_SIZE])
{
	static const char units[] = " KMGTPE";
	unsigned int unit = 0;
	double value = (double)number;

	/* 1023.5 would be written as 1024. */
	while (value >= 1023.5 && unit + 2 < sizeof(units)) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%" PRIu64, number);
	else
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%.*f%c", value < 9.95 ? 1 : 0, value,
			       units[unit]);
	return buf;
}

const char *number_share(uint64_t part, uint64_t whole, char buf[NUMBER_TEXT_SIZE])
{
	double share = whole ? 100.0 * (double)part / (double)whole : 0;

	/* A small share is not none. */
	if (part && share < 0.05)
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%.3f%%", share);
	else
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%.1f%%", share);
	return buf;
}

const char *number_duration(uint64_t ms, char buf[NUMBER_TEXT_SIZE])
{
	uint64_t s = ms / 1000;

	if (s < 60)
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 "s", s,
			       ms % 1000 / 100);
	else if (s < 3600)
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
			       s / 60 % 60);
	else
		(void)snprintf(buf, NUMBER_TEXT_SIZE, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
			       s / 3600 % 24);
	return buf;
}
