// SPDX-License-Identifier: GPL-2.0-only
/*
 * QUIC by connection id: packets that carry the number of a backend go to it from whatever address,
 * all others as if the service had no ids. Both families, with and without recorded flows.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "world.h"

#define BACKENDS 4
#define PORTS 40 /* of clients: by the hash they are spread over all backends */
#define FIRST_ID 0x0a00
#define WANTED 2 /* the backend whose id the packets carry */
#define NOBODY (-1)
#define PAYLOAD 40

enum kind { STATELESS, RECORDED, FULLNAT, KINDS };

static const char *const names[KINDS] = { "stateless", "recorded", "fullnat" };
static const char *const vips[2] = { "203.0.113.10", "2001:db8::10" };
static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };

/* Written alike in both families. */
static const char *backend_addr(bool is_v6, unsigned int number, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, "%s%u", is_v6 ? "2001:db8:b::" : "192.0.2.", 11 + number);
	return text;
}

/* first: the id of the first backend, the others have the next ones; the last one has none. */
static struct lb_config *make_config(unsigned int first, unsigned int drained)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 8;
	config->limits.slots = 131072;
	config->limits.flows = 8192;
	for (unsigned int i = 0; i < 2 * KINDS; i++) {
		struct lb_service_config *service;
		char name[LB_NAME_SIZE], text[LB_ADDR_TEXT_SIZE];

		snprintf(name, sizeof(name), "%s-%u", names[i / 2], i % 2);
		service = world_add_service(config, name, IPPROTO_UDP, vips[i % 2],
					    (__u16)(443 + i / 2),
					    i / 2 == FULLNAT ? LB_MODE_FULLNAT : LB_MODE_NAT);
		service->is_stateless = i / 2 == STATELESS;
		service->health.type = LB_CHECK_UDP;
		assert_int_equal(lb_cid_parse("1:2", service), 0);
		for (unsigned int b = 0; b < BACKENDS; b++) {
			world_add_backend(config, name, backend_addr(i % 2, b, text),
					  (__u16)(8000 + i / 2), 1);
			service->backends[b].has_server_id = b + 1 < BACKENDS;
			service->backends[b].server_id = b + 1 < BACKENDS ? first + b : 0;
			service->backends[b].is_drained = b == drained;
		}
	}
	return config;
}

static void commit(unsigned int first, unsigned int drained)
{
	struct lb_config *config = make_config(first, drained);

	world_commit(config);
	lb_config_free(config);
}

static struct spec spec_of(enum kind kind, bool is_v6, unsigned int port, unsigned int payload)
{
	return (struct spec){
		.is_v6 = is_v6,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(vips[is_v6]),
		.src_port = (__u16)(20000 + port),
		.dst_port = (__u16)(443 + kind),
		.proto = IPPROTO_UDP,
		.ttl = 64,
		.payload = (__u16)payload,
	};
}

static int backend_of(const struct frame *frame, bool is_v6)
{
	const __u8 last = frame_dst(frame, is_v6).bytes[15];

	return is_v6 ? (last >> 4) * 10 + (last & 15) - 11 : last - 11;
}

/* Where a datagram that begins with these bytes goes to. */
static int send_bytes(const struct spec *spec, const __u8 *bytes, unsigned int length)
{
	struct frame in, out;

	frame_build(spec, &in);
	memcpy(in.data + in.l4 + 8, bytes, length < spec->payload ? length : spec->payload);
	assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
	return backend_of(&out, spec->is_v6);
}

/* Where the hash sends it. */
static int scheduled(const struct spec *spec)
{
	struct lb_backend_config chosen;
	struct frame as_if;

	assert_int_equal(lb_schedule(world.lb, IPPROTO_UDP, &spec->src, spec->src_port, &spec->dst,
				     spec->dst_port, &chosen, NULL, NULL),
			 0);
	as_if.l3 = 0;
	memcpy(as_if.data + (spec->is_v6 ? 24 : 16), chosen.addr.bytes + (spec->is_v6 ? 0 : 12),
	       spec->is_v6 ? 16 : 4);
	return backend_of(&as_if, spec->is_v6);
}

#define ID(number) 0x51, (number) >> 8, (number)&0xff, 0x77, 0x88, 0x99, 0xaa, 0xbb
#define MINE ID(FIRST_ID + WANTED)
#define V1 0, 0, 0, 1
#define V2 0x6b, 0x33, 0x43, 0xcf

static const struct {
	const char *name;
	bool is_by_id;
	__u8 bytes[24];
} table[] = {
	{ "short header", true, { 0x40, MINE } },
	{ "short header, all other bits", true, { 0x7f, MINE } },
	{ "short header without the fixed bit", false, { 0x3f, MINE } },
	{ "short header, a number that nobody has", false, { 0x40, ID(FIRST_ID + BACKENDS) } },
	{ "short header, the number of one without", false, { 0x40, ID(0) } },
	{ "short header, the number elsewhere", false, { 0x40, 1, MINE } },
	{ "Initial", false, { 0xc0, V1, 8, MINE } },
	{ "0-RTT", false, { 0xd0, V1, 8, MINE } },
	{ "Handshake", true, { 0xe0, V1, 8, MINE } },
	{ "Handshake, an id of three bytes", true, { 0xe0, V1, 3, MINE } },
	{ "Handshake, an id of two bytes", false, { 0xe0, V1, 2, MINE } },
	{ "Handshake, no id", false, { 0xe0, V1, 0, MINE } },
	{ "Handshake without the fixed bit", false, { 0xa0, V1, 8, MINE } },
	{ "Retry", false, { 0xf0, V1, 8, MINE } },
	{ "version 2, Initial", false, { 0xd0, V2, 8, MINE } },
	{ "version 2, 0-RTT", false, { 0xe0, V2, 8, MINE } },
	{ "version 2, Handshake", true, { 0xf0, V2, 8, MINE } },
	{ "version negotiation", false, { 0xe0, 0, 0, 0, 0, 8, MINE } },
	{ "an unknown version", false, { 0xe0, 0xff, 0, 0, 29, 8, MINE } },
	{ "no QUIC", false, { 0, MINE } },
};

static void test_table(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (unsigned int port = 0; port < 2 * PORTS; port++) {
			const struct spec spec = spec_of(STATELESS, port % 2, port, PAYLOAD);
			const int wanted = table[i].is_by_id ? WANTED : scheduled(&spec);

			if (send_bytes(&spec, table[i].bytes, sizeof(table[i].bytes)) != wanted)
				fail_msg("%s, IPv%d, port %u: not to backend %d", table[i].name,
					 port % 2 ? 6 : 4, port, wanted);
		}
	}
}

/* Shorter ones, and frames that are cut although their headers say more. */
static void test_every_length(void **state)
{
	static const __u8 bytes[2][16] = { { 0x40, MINE }, { 0xe0, V1, 8, MINE } };

	(void)state;
	for (unsigned int i = 0; i < 2 * 2 * (PAYLOAD + 1); i++) {
		const unsigned int payload = i / 4, is_long = i / 2 % 2, is_v6 = i % 2;
		const unsigned int needed = (is_long ? 6 : 1) + 1 + 4;
		struct spec spec = spec_of(STATELESS, is_v6, i, payload);
		struct frame in, out;
		int to = send_bytes(&spec, bytes[is_long], sizeof(bytes[0]));

		assert_int_equal(to, payload >= needed ? WANTED : scheduled(&spec));
		spec.payload = PAYLOAD;
		frame_build(&spec, &in);
		memcpy(in.data + in.l4 + 8, bytes[is_long], sizeof(bytes[0]));
		in.length = in.l4 + 8 + payload;
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		assert_int_equal(backend_of(&out, is_v6), to);
	}
}

static const __u8 initial[] = { 0xc0, V1, 8, MINE };
static const __u8 mine[] = { 0x40, MINE };

static __u64 count_flows(void)
{
	struct lb_stats *stats;
	__u64 flows;

	assert_int_equal(lb_get_stats(world.lb, &stats, NULL), 0);
	flows = stats->flows;
	lb_stats_free(stats);
	return flows;
}

/* The id wins over what is recorded of the client's address, and is recorded in its place. */
static void test_recorded(void **state)
{
	const __u64 before = count_flows();
	unsigned int others = 0;

	(void)state;
	for (unsigned int port = 0; port < 2 * PORTS; port++) {
		const struct spec spec = spec_of(RECORDED, port % 2, port, PAYLOAD);
		const int hashed = scheduled(&spec);

		others += hashed != WANTED;
		assert_int_equal(send_bytes(&spec, initial, sizeof(initial)), hashed);
		assert_int_equal(send_bytes(&spec, mine, sizeof(mine)), WANTED);
		assert_int_equal(send_bytes(&spec, initial, sizeof(initial)), WANTED);
		assert_int_equal(send_bytes(&spec, mine, sizeof(mine)), WANTED);
	}
	assert_true(others > PORTS);
	assert_int_equal(count_flows() - before, 2 * PORTS);
}

/* A client that moves has a flow of its own towards the same backend. */
static void test_fullnat(void **state)
{
	const __u64 before = count_flows();

	(void)state;
	for (unsigned int port = 0; port < 2 * PORTS; port++) {
		const struct spec spec = spec_of(FULLNAT, port % 2, port, PAYLOAD);

		assert_int_equal(send_bytes(&spec, initial, sizeof(initial)), scheduled(&spec));
		assert_int_equal(send_bytes(&spec, mine, sizeof(mine)), WANTED);
		assert_int_equal(send_bytes(&spec, mine, sizeof(mine)), WANTED);
	}
	assert_int_equal(count_flows() - before, 2 * 2 * PORTS);
}

static void assert_all(const __u8 *bytes, unsigned int length, int wanted)
{
	for (unsigned int port = 0; port < 2 * PORTS; port++) {
		const struct spec spec = spec_of(STATELESS, port % 2, port, PAYLOAD);

		assert_int_equal(send_bytes(&spec, bytes, length),
				 wanted == NOBODY ? scheduled(&spec) : wanted);
	}
}

static void test_drained(void **state)
{
	(void)state;
	commit(FIRST_ID, WANTED);
	assert_all(mine, sizeof(mine), WANTED);
	for (unsigned int port = 0; port < 2 * PORTS; port++) {
		const struct spec spec = spec_of(STATELESS, port % 2, port, PAYLOAD);

		assert_int_not_equal(send_bytes(&spec, initial, sizeof(initial)), WANTED);
	}
	commit(FIRST_ID, BACKENDS);
}

static void set_health(unsigned int backend, bool is_down)
{
	struct lb_error err = { "" };

	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct lb_health_change change = {
			.port = 8000 + STATELESS,
			.hint = ~0u,
			.value = { .health = is_down ? LB_HEALTH_DOWN : LB_HEALTH_UP,
				   .cut = is_down ? LB_CUT_WHOLE : 0,
				   .since_ns = 1 },
		};
		char text[LB_ADDR_TEXT_SIZE];

		snprintf(change.service, sizeof(change.service), "%s-%d", names[STATELESS], is_v6);
		change.addr = world_addr(backend_addr(is_v6, backend, text));
		if (lb_set_health(world.lb, &change, 1, &err))
			fail_msg("%s", err.text);
	}
}

/* One that is down has no say, also after a commit; if all are down, all have theirs. */
static void test_down(void **state)
{
	(void)state;
	set_health(WANTED, true);
	assert_all(mine, sizeof(mine), NOBODY);
	commit(FIRST_ID, BACKENDS);
	assert_all(mine, sizeof(mine), NOBODY);
	set_health(WANTED, false);
	assert_all(mine, sizeof(mine), WANTED);
	for (unsigned int i = 0; i < BACKENDS; i++)
		set_health(i, true);
	assert_all(mine, sizeof(mine), WANTED);
	for (unsigned int i = 0; i < BACKENDS; i++)
		set_health(i, false);
}

static unsigned int count_servers(void)
{
	const int fd = world.lb->maps[LB_MAP_SERVERS].fd;
	struct lb_server_key key;
	unsigned int count = 0;

	for (int err = bpf_map_get_next_key(fd, NULL, &key); !err;
	     err = bpf_map_get_next_key(fd, &key, &key))
		count++;
	return count;
}

/* Numbers change hands: what nobody has any more is forgotten. */
static void test_renumbered(void **state)
{
	(void)state;
	commit(FIRST_ID + 1, BACKENDS);
	assert_all(mine, sizeof(mine), WANTED - 1);
	assert_int_equal(count_servers(), 2 * KINDS * (BACKENDS - 1));
	commit(FIRST_ID + 100, BACKENDS);
	assert_all(mine, sizeof(mine), NOBODY);
	assert_int_equal(count_servers(), 2 * KINDS * (BACKENDS - 1));
	commit(FIRST_ID, BACKENDS);
	assert_all(mine, sizeof(mine), WANTED);
}

static int open_world(void **state)
{
	struct lb_config *config = make_config(FIRST_ID, BACKENDS);
	char lines[2048], text[LB_ADDR_TEXT_SIZE];
	size_t used = 0;

	(void)state;
	for (unsigned int i = 0; i < 2 * BACKENDS; i++) {
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			backend_addr(i % 2, i / 2, text));
	}
	world_ip(lines);
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
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_recorded),   cmocka_unit_test(test_fullnat),
		cmocka_unit_test(test_drained),	   cmocka_unit_test(test_down),
		cmocka_unit_test(test_renumbered),
	};

	return cmocka_run_group_tests_name("quic", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
