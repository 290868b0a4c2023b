// SPDX-License-Identifier: GPL-2.0-only
/* Services all of whose backends are down, and the end of that. */
#include <stdlib.h>
#include <string.h>

#include "lbd.h"
#include "tell.h"

/* Services of which it was told. */
static struct down {
	struct down *next;
	char service[LB_NAME_SIZE];
} * downs;

static struct down **find(const char *service)
{
	struct down **at = &downs;

	while (*at && strcmp((*at)->service, service))
		at = &(*at)->next;
	return at;
}

struct count {
	const char *service;
	unsigned int left;
};

static void count_left(struct member *member, void *arg)
{
	struct count *count = arg;

	if (member->has_weight && member->wanted.health != LB_HEALTH_DOWN &&
	    !strcmp(member->service, count->service))
		count->left++;
}

static const char *consequence(enum lb_all_down what)
{
	switch (what) {
	case LB_ALL_DOWN_DROP:
		return "its packets are dropped";
	case LB_ALL_DOWN_REJECT:
		return "its clients are told";
	default:
		return "it goes on with all of them";
	}
}

void tell_all_down(const struct member *changed)
{
	struct lb_event event = { .kind = LB_EVENT_ALL_DOWN };
	struct count count = { .service = changed->service };
	struct down **at = find(changed->service), *down = *at;

	members_each(count_left, &count);
	if (!count.left == (down != NULL))
		return;
	memcpy(event.service, changed->service, sizeof(event.service));
	if (down) {
		*at = down->next;
		free(down);
		tell_event(&event, true, "over: %u of its backends can be used", count.left);
		return;
	}
	down = calloc(1, sizeof(*down));
	if (!down)
		return;
	memcpy(down->service, changed->service, sizeof(down->service));
	down->next = downs;
	downs = down;
	tell_event(&event, true, "all backends are down: %s",
		   consequence(changed->check->config.on_all_down));
}
