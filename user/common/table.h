/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of text with aligned columns and an upper-case header. */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stdio.h>

#include "cleanup.h"

struct table;

/* columns: titles with blanks between; one that begins with '>' is aligned to the right. */
struct table *table_new(const char *columns);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free)

/* The next cell of the row; after the last column a new row begins. NULL table: nothing happens. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints header and rows. -ENOMEM if the table or a cell found no memory. */
int table_print(const struct table *table, FILE *out);

#endif
