// SPDX-License-Identifier: GPL-2.0-only
/* Which backend a miss goes to, try by try. */
#include <stdlib.h>
#include <string.h>

#include "candidates.h"
#include "fetch.h"

/* What this worker knows of a backend; made when first met. */
static struct backend *find(struct worker *worker, const struct candidate *candidate)
{
	struct backend *backend;

	for (backend = worker->backends; backend; backend = backend->next) {
		if (backend->number == candidate->number &&
		    address_is_same(&backend->address, &candidate->address))
			return backend;
	}
	backend = calloc(1, sizeof(*backend));
	if (backend) {
		backend->address = candidate->address;
		backend->number = candidate->number;
		backend->next = worker->backends;
		worker->backends = backend;
	}
	return backend;
}

struct backend *backend_choose(struct worker *worker, const struct request *request,
			       unsigned int nth)
{
	const struct candidates *candidates = request->service->candidates;
	struct backend *backend = NULL;
	unsigned int at;

	if (!candidates || !candidates->count)
		return NULL;
	/* By weight, past those that failed just now, unless all did. */
	at = candidates_pick(candidates, worker->counters.fetches + worker->index + nth);
	for (unsigned int i = 0; i < candidates->count; i++) {
		backend = find(worker, &candidates->list[(at + i) % candidates->count]);
		if (backend && backend->failed_until_ms <= worker->now_ms)
			break;
	}
	return backend;
}
