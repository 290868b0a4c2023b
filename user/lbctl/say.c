// SPDX-License-Identifier: GPL-2.0-only
/* How lbctl speaks: one line for a failure, notes on stderr, tables and JSON on stdout. */
#include <stdarg.h>
#include <stdio.h>

#include "lbctl.h"

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *format,
						      va_list args)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "lbctl: %s", kind);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
}

int refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
	return EXIT_REFUSED;
}

int refuse_error(const struct lb_error *err)
{
	return refuse("%s", err->text);
}

int refuse_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
	return EXIT_USAGE;
}

void note(const struct lbctl *ctl, const char *format, ...)
{
	va_list args;

	if (ctl->is_quiet)
		return;
	va_start(args, format);
	say("note: ", format, args);
	va_end(args);
}

int print_table(struct table *table)
{
	int ret = table_print(table, stdout);

	table_free(table);
	return ret ? refuse("out of memory") : EXIT_OK;
}

int print_json(json_t *json)
{
	int ret;

	if (!json)
		return refuse("out of memory");
	ret = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(json);
	(void)putchar('\n');
	return ret ? refuse("the JSON cannot be written") : EXIT_OK;
}
