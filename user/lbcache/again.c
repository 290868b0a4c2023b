// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares of a turn: who has had its own and could go on does so in the next turn, so that nobody
 * holds the thread for as long as the other side keeps sending or taking.
 */
#include "worker.h"

static void put(struct watch **list, struct watch *watch)
{
	watch->next_again = *list;
	if (watch->next_again)
		watch->next_again->link_again = &watch->next_again;
	watch->link_again = list;
	*list = watch;
}

void worker_again(struct worker *worker, struct watch *watch)
{
	if (!watch->link_again && watch->fd >= 0)
		put(&worker->again, watch);
}

void worker_not_again(struct watch *watch)
{
	if (!watch->link_again)
		return;
	*watch->link_again = watch->next_again;
	if (watch->next_again)
		watch->next_again->link_again = watch->link_again;
	watch->next_again = NULL;
	watch->link_again = NULL;
}

void worker_begin_again(struct worker *worker)
{
	struct watch *watch;

	while ((watch = worker->again)) {
		worker_not_again(watch);
		put(&worker->again_now, watch);
	}
}

void worker_run_again(struct worker *worker)
{
	struct watch *watch;

	while ((watch = worker->again_now)) {
		worker_not_again(watch);
		watch->on_event(worker, watch, EPOLLIN | EPOLLOUT);
	}
}
