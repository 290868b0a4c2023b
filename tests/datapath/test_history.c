// SPDX-License-Identifier: GPL-2.0-only
/*
 * No change of a service's backends breaks a connection that is alive: random walks against the
 * loaded program. And the same walks do see it when the history is lost, so they are not blind.
 */
#include <string.h>

#include <bpf/bpf.h>

#include "walk.h"

#define ROUNDS 10 /* of WALKS walks */
#define STEPS 200

/* Without services: the numbers of the last round's are given again in the next. */
static void remove_all(void)
{
	struct lb_config *empty = walk_config();

	while (empty->service_count)
		lb_config_del_service(empty, &empty->services[0]);
	world_commit(empty);
	lb_config_free(empty);
}

static struct walk_sums walk_rounds(int rounds, void (*meddle)(int step))
{
	struct walk_sums sums = {};

	for (int round = 0; round < rounds; round++) {
		struct lb_config *config = walk_config();

		remove_all();
		world_commit(config);
		walk_all(config, STEPS, meddle, &sums);
		lb_config_free(config);
	}
	printf("%d walks of %d steps, %u commits: %u connections opened, %u packets sent later, %u "
	       "broken\n",
	       rounds * WALKS, STEPS, sums.commits, sums.opened, sums.sent, sums.broken);
	return sums;
}

static void test_nothing_breaks(void **state)
{
	struct walk_sums sums;

	(void)state;
	sums = walk_rounds(ROUNDS, NULL);
	assert_int_equal(sums.broken, 0);
	assert_true(sums.opened > ROUNDS * WALKS * STEPS / 10);
	assert_true(sums.sent > ROUNDS * WALKS * STEPS / 4);
}

static void for_each_history(void (*harm)(int fd, __u32 key, struct lb_history *history))
{
	const int fd = world.lb->maps[LB_MAP_HISTORY].fd;
	__u32 key, next, *last = NULL;
	int ret;

	for (ret = bpf_map_get_next_key(fd, last, &key); !ret; key = next) {
		struct lb_history history;

		ret = bpf_map_get_next_key(fd, &key, &next);
		if (!bpf_map_lookup_elem(fd, &key, &history))
			harm(fd, key, &history);
	}
}

static void forget(int fd, __u32 key, struct lb_history *history)
{
	(void)history;
	bpf_map_delete_elem(fd, &key);
}

static void change_epoch(int fd, __u32 key, struct lb_history *history)
{
	history->epoch += 1000000;
	bpf_map_update_elem(fd, &key, history, 0);
}

static void lose_histories(int step)
{
	if (step == STEPS / 2)
		for_each_history(forget);
}

static void lose_epochs(int step)
{
	if (step == STEPS / 2)
		for_each_history(change_epoch);
}

static void lose_records(int step)
{
	if (step == STEPS / 2)
		memset(world.lb->flows, 0, world.lb->meta->flows * sizeof(*world.lb->flows));
}

static void test_lost_history_is_seen(void **state)
{
	(void)state;
	assert_true(walk_rounds(1, lose_histories).broken > 0);
}

static void test_lost_epochs_are_seen(void **state)
{
	(void)state;
	assert_true(walk_rounds(1, lose_epochs).broken > 0);
}

static void test_lost_records_are_seen(void **state)
{
	(void)state;
	assert_true(walk_rounds(1, lose_records).broken > 0);
}

static int open_world(void **state)
{
	struct lb_config *config = walk_config();

	(void)state;
	test_random_seed(7);
	walk_make_routes();
	world_open(config);
	lb_config_free(config);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close();
	return 0;
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_breaks),
		cmocka_unit_test(test_lost_history_is_seen),
		cmocka_unit_test(test_lost_epochs_are_seen),
		cmocka_unit_test(test_lost_records_are_seen),
	};

	return cmocka_run_group_tests_name("history", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
