// SPDX-License-Identifier: GPL-2.0-only
/* HTTP's dates: IMF-fixdate, and the two obsolete forms that must still be read. */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int number_at(const char *c, unsigned int digits, int *out)
{
	int number = 0;

	for (unsigned int i = 0; i < digits; i++) {
		/* asctime pads a day with a blank */
		if (i == 0 && digits == 2 && c[0] == ' ')
			continue;
		if (c[i] < '0' || c[i] > '9')
			return -EINVAL;
		number = number * 10 + (c[i] - '0');
	}
	*out = number;
	return 0;
}

static int month_at(const char *c, int *out)
{
	for (int i = 0; i < 12; i++) {
		if (!memcmp(months + i * 3, c, 3)) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int time_at(const char *c, struct tm *tm)
{
	if (c[2] != ':' || c[5] != ':' || c[0] == ' ' || c[3] == ' ' || c[6] == ' ' ||
	    number_at(c, 2, &tm->tm_hour) || number_at(c + 3, 2, &tm->tm_min) ||
	    number_at(c + 6, 2, &tm->tm_sec))
		return -EINVAL;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -EINVAL : 0;
}

/* "06 Nov 1994 08:49:37 GMT", with '-' between and two digits of the year in RFC 850. */
static int dated(const char *c, size_t len, char separator, unsigned int digits, struct tm *tm)
{
	size_t time = 7 + digits + 1;

	if (len != time + 12 || c[2] != separator || c[6] != separator || c[0] == ' ' ||
	    number_at(c, 2, &tm->tm_mday) || month_at(c + 3, &tm->tm_mon) || c[7] == ' ' ||
	    number_at(c + 7, digits, &tm->tm_year) || c[time - 1] != ' ' ||
	    memcmp(c + time + 8, " GMT", 4))
		return -EINVAL;
	return time_at(c + time, tm);
}

/* "Sun Nov  6 08:49:37 1994" */
static int from_asctime(struct text text, struct tm *tm)
{
	const char *c = text.at;

	if (text.len != 24 || c[3] != ' ' || c[7] != ' ' || c[10] != ' ' || c[19] != ' ' ||
	    month_at(c + 4, &tm->tm_mon) || number_at(c + 8, 2, &tm->tm_mday) ||
	    number_at(c + 20, 4, &tm->tm_year))
		return -EINVAL;
	return time_at(c + 11, tm);
}

/* RFC 9110 5.6.7: a two-digit year more than 50 years ahead is in the past. */
static int century(int year, time_t now)
{
	struct tm tm;
	int here;

	if (!gmtime_r(&now, &tm))
		return 1900 + year;
	here = tm.tm_year + 1900;
	year += here / 100 * 100;
	return year > here + 50 ? year - 100 : year;
}

int http_date_parse(struct text text, time_t now, time_t *out)
{
	const char *comma = text.len ? memchr(text.at, ',', text.len) : NULL;
	struct tm tm = { 0 };
	time_t when;
	int ret;

	if (!comma) {
		ret = from_asctime(text, &tm);
	} else {
		size_t skip = (size_t)(comma - text.at) + 2;

		if (text.len < skip + 20 || comma[1] != ' ')
			return -EINVAL;
		ret = dated(comma + 2, text.len - skip, ' ', 4, &tm);
		if (ret) {
			ret = dated(comma + 2, text.len - skip, '-', 2, &tm);
			if (!ret)
				tm.tm_year = century(tm.tm_year, now);
		}
	}
	if (ret || tm.tm_mday < 1 || tm.tm_mday > 31)
		return -EINVAL;
	tm.tm_year -= 1900;
	when = timegm(&tm);
	if (when == (time_t)-1)
		return -EINVAL;
	*out = when;
	return 0;
}

const char *http_date_format(time_t when, char buf[HTTP_DATE_SIZE])
{
	struct tm tm = { 0 };

	(void)gmtime_r(&when, &tm);
	(void)snprintf(buf, HTTP_DATE_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		       days + tm.tm_wday * 3, tm.tm_mday, months + tm.tm_mon * 3,
		       tm.tm_year % 8100 + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return buf;
}
