// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets while tables change: two threads send without a pause, the main thread commits backends
 * that come, go, drain and change weight, and services that come and go. No packet may meet
 * anything but a valid table, so each is forwarded, to a backend that is in the document before or
 * after.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "world.h"

#define HOSTS 12
#define FIRST_HOST 20
#define COMMITS 60
#define SLOTS 16381

enum part { BY_NAT, BY_FULLNAT, PARTS };

static const char *const names[PARTS] = { "nat", "full" };
static const enum lb_mode modes[PARTS] = { LB_MODE_NAT, LB_MODE_FULLNAT };
static const char *const vips[PARTS][2] = { { "203.0.113.10", "2001:db8::10" },
					    { "203.0.113.20", "2001:db8::20" } };
static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };

static int weights[HOSTS];
static __u32 listed; /* one bit a host: in the document, or not yet out of force */
static bool is_over;

struct sender {
	pthread_t thread;
	enum part part;
	__u64 sent, wrong;
	char words[128]; /* of the first wrong one */
};

static const char *host_text(unsigned int host, bool is_v6, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, is_v6 ? "2001:db8:b::%x" : "192.0.2.%u",
		 FIRST_HOST + host);
	return text;
}

static struct lb_config *make_config(int round)
{
	struct lb_config *config = lb_config_new();
	char text[LB_ADDR_TEXT_SIZE], name[LB_NAME_SIZE];

	assert_non_null(config);
	config->limits.services = 8;
	config->limits.backends = 64; /* few, so that numbers are given again */
	config->limits.slots = 8 * 16384;
	config->limits.flows = 65536;
	/* In front of the others, so that they change their place in the document. */
	if (round % 3 == 1)
		world_add_service(config, "guest", IPPROTO_TCP, "203.0.113.99", 80, LB_MODE_NAT);
	for (int i = 0; i < 2 * PARTS; i++) {
		struct lb_service_config *service;

		snprintf(name, sizeof(name), "%s%d", names[i / 2], i % 2 ? 6 : 4);
		service = world_add_service(config, name, IPPROTO_TCP, vips[i / 2][i % 2], 80,
					    modes[i / 2]);
		service->slots = SLOTS;
		service->timeouts.syn = 1;
		for (unsigned int host = 0; host < HOSTS; host++)
			if (weights[host] >= 0)
				world_add_backend(config, name, host_text(host, i % 2, text),
						  8000 + i / 2, weights[host]);
	}
	return config;
}

/* NULL, or what is wrong with what became of one opening packet. */
static const char *send_one(struct sender *sender, bool is_v6, __u64 random)
{
	const struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(vips[sender->part][is_v6]),
		.src_port = 1024 + random % 60000,
		.dst_port = 80,
		.ttl = 64,
		.proto = IPPROTO_TCP,
		.tcp_flags = random >> 32 & 1 && sender->part == BY_NAT ? TCP_ACK : TCP_SYN,
	};
	const __u32 before = __atomic_load_n(&listed, __ATOMIC_SEQ_CST);
	struct frame in, out;
	union lb_addr dst;

	frame_build(&spec, &in);
	if (world_try(&world.client, &in, &out) != XDP_REDIRECT)
		return "not forwarded";
	dst = frame_dst(&out, is_v6);
	if (dst.bytes[15] < FIRST_HOST || dst.bytes[15] >= FIRST_HOST + HOSTS)
		return "sent to nobody's address";
	if (!((before | __atomic_load_n(&listed, __ATOMIC_SEQ_CST)) >>
		      (dst.bytes[15] - FIRST_HOST) &
	      1))
		return "sent to a backend that is gone";
	return NULL;
}

static void *send_all(void *arg)
{
	struct sender *sender = arg;
	__u64 random = 1 + sender->part;

	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		const char *wrong;

		random = lb_hash_mix(random + 0x9e3779b97f4a7c15ull);
		wrong = send_one(sender, random & 1, random >> 8);
		sender->sent++;
		if (wrong && !sender->wrong++)
			snprintf(sender->words, sizeof(sender->words), "packet %llu: %s",
				 (unsigned long long)sender->sent, wrong);
	}
	return NULL;
}

/* The first host stays, so that there is a backend at every instant. */
static void change_weights(void)
{
	const unsigned int host = 1 + test_random() % (HOSTS - 1);
	static const int choices[] = { -1, -1, 0, 1, 3, 40 };

	weights[host] = choices[test_random() % 6];
}

static __u32 listed_now(void)
{
	__u32 bits = 0;

	for (int host = 0; host < HOSTS; host++)
		bits |= (weights[host] >= 0) << host;
	return bits;
}

static void test_no_packet_without_a_table(void **state)
{
	struct sender senders[PARTS] = { { .part = BY_NAT }, { .part = BY_FULLNAT } };
	__u64 reasons[LB_R_COUNT], received, sent = 0;

	(void)state;
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	for (int round = 0; round < COMMITS; round++) {
		struct lb_config *config;

		change_weights();
		config = make_config(round);
		__atomic_or_fetch(&listed, listed_now(), __ATOMIC_SEQ_CST);
		world_commit(config);
		__atomic_store_n(&listed, listed_now(), __ATOMIC_SEQ_CST);
		lb_config_free(config);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
	received = world_reasons(reasons);
	for (int i = 0; i < PARTS; i++) {
		printf("  %s: %llu packets during %d commits, %llu wrong\n", names[i],
		       (unsigned long long)senders[i].sent, COMMITS,
		       (unsigned long long)senders[i].wrong);
		sent += senders[i].sent;
	}
	for (int i = 0; i < LB_R_COUNT; i++)
		if (reasons[i] && i != LB_R_FORWARDED)
			print_error("  %s %llu\n", lb_reason_name(i),
				    (unsigned long long)reasons[i]);
	for (int i = 0; i < PARTS; i++)
		if (senders[i].wrong)
			fail_msg("%s, %s", names[i], senders[i].words);
	assert_true(sent > COMMITS);
	assert_int_equal(received, sent);
	assert_int_equal(reasons[LB_R_FORWARDED], sent);
}

static int open_world(void **state)
{
	static char lines[HOSTS * 2 * 128];
	char text[LB_ADDR_TEXT_SIZE];
	struct lb_config *config;
	size_t used = 0;

	(void)state;
	test_random_seed(5);
	for (unsigned int i = 0; i < 2 * HOSTS; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			host_text(i / 2, i % 2, text));
	world_ip(lines);
	for (int host = 0; host < HOSTS; host++)
		weights[host] = host < HOSTS / 2 ? 1 : -1;
	listed = listed_now();
	config = make_config(0);
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
		cmocka_unit_test(test_no_packet_without_a_table),
	};

	return cmocka_run_group_tests_name("flip", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
