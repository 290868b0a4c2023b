/* SPDX-License-Identifier: GPL-2.0-only */
/* The admin port: what is read from lbd by HTTP. Nothing is changed by it. */
#ifndef LBD_ADMIN_H
#define LBD_ADMIN_H

#include <stdio.h>

/* Binds, while there are the rights to; "ADDR:PORT", "/PATH" of a socket, or "none". */
void admin_bind(const char *where);
/* Answers from now on. */
void admin_start(void);
/* The first who asks does not wait until the maps' pages and a heap for all that text are there. */
void admin_warm(void);

/* metrics.c: Prometheus' text format, 0.0.4. 0 or a negative errno. */
int metrics_print(FILE *out);

/* page.c: the dashboard and the library that draws its charts, each with a NUL at its end. */
extern const char page_text[], chart_library_text[];

#endif
