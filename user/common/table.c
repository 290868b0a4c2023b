// SPDX-License-Identifier: GPL-2.0-only
/* A table of text with aligned columns and an upper-case header. Knows no object of lbctl. */
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 20
#define CELL_SIZE 256

struct table {
	char *titles; /* owned; cut into words */
	char **cells;
	size_t cell_count, cell_limit;
	unsigned int columns;
	bool is_right[COLUMNS_MAX];
	size_t width[COLUMNS_MAX];
	bool is_out_of_memory;
};

static void add_cell(struct table *table, const char *text)
{
	unsigned int column = (unsigned int)(table->cell_count % table->columns);
	char **grown;

	if (table->cell_count == table->cell_limit) {
		table->cell_limit = table->cell_limit ? 2 * table->cell_limit : 64;
		grown = realloc(table->cells, table->cell_limit * sizeof(*grown));
		if (!grown) {
			table->is_out_of_memory = true;
			return;
		}
		table->cells = grown;
	}
	table->cells[table->cell_count] = strdup(text);
	if (!table->cells[table->cell_count]) {
		table->is_out_of_memory = true;
		return;
	}
	table->cell_count++;
	if (strlen(text) > table->width[column])
		table->width[column] = strlen(text);
}

struct table *table_new(const char *columns)
{
	struct table *table = calloc(1, sizeof(*table));
	const char *titles[COLUMNS_MAX];
	char *word, *rest;

	if (!table)
		return NULL;
	table->titles = strdup(columns);
	if (!table->titles) {
		free(table);
		return NULL;
	}
	for (word = strtok_r(table->titles, " ", &rest); word && table->columns < COLUMNS_MAX;
	     word = strtok_r(NULL, " ", &rest)) {
		table->is_right[table->columns] = word[0] == '>';
		titles[table->columns++] = word + (word[0] == '>');
	}
	for (unsigned int i = 0; i < table->columns; i++)
		add_cell(table, titles[i]);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->titles);
	free(table);
}

void table_cell(struct table *table, const char *format, ...)
{
	char text[CELL_SIZE];
	va_list args;

	if (!table || table->is_out_of_memory)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add_cell(table, text);
}

int table_print(const struct table *table, FILE *out)
{
	if (!table || table->is_out_of_memory)
		return -ENOMEM;
	for (size_t i = 0; i < table->cell_count; i++) {
		unsigned int column = (unsigned int)(i % table->columns);
		bool is_last = column == table->columns - 1;
		int width = (int)table->width[column];

		if (table->is_right[column])
			(void)fprintf(out, "%*s", width, table->cells[i]);
		else
			/* No blanks at a line's end. */
			(void)fprintf(out, "%-*s", is_last ? 0 : width, table->cells[i]);
		(void)fputs(is_last ? "\n" : "  ", out);
	}
	return 0;
}
