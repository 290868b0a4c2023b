// SPDX-License-Identifier: GPL-2.0-only
/* Tables of slots that were swapped, by a command or by a change of health. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"
#include "tell.h"

static struct lb_table_info *now, *seen; /* seen: by a service's number */

static void note(const struct lb_table_info *table)
{
	seen[table->number] = *table;
}

int tell_tables_begin(void)
{
	unsigned int count;

	now = calloc(lb_watch_services(lbd.lb), sizeof(*now));
	seen = calloc(lb_watch_services(lbd.lb), sizeof(*seen));
	if (!now || !seen)
		return -ENOMEM;
	count = lb_list_tables(lbd.lb, now);
	for (unsigned int i = 0; i < count; i++)
		note(&now[i]);
	return 0;
}

static void tell(const struct lb_table_info *table, __u32 took_us)
{
	struct lb_event event = { .kind = LB_EVENT_TABLE, .took_us = took_us };

	memcpy(event.service, table->service, sizeof(event.service));
	event.moved = lb_table_moved(lbd.lb, table->number);
	tell_event(&event, false, "%u of %u slots moved, by %s", event.moved, table->slots,
		   took_us ? "health" : "a command");
}

void tell_tables(__u32 took_us)
{
	unsigned int count;

	if (!seen || lb_is_gone(lbd.lb))
		return;
	count = lb_list_tables(lbd.lb, now);
	for (unsigned int i = 0; i < count; i++) {
		const struct lb_table_info *table = &now[i], *before = &seen[table->number];

		if (table->version != before->version || strcmp(table->service, before->service))
			tell(table, took_us);
		note(table);
	}
}
