// SPDX-License-Identifier: GPL-2.0-only
/*
 * Full NAT's flow table under pressure: nearly full, flooded, closed and re-used. An established
 * flow keeps its source port and its backend, no two share a source port, and half-open ones give
 * way to their like.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "world.h"

#define ENTRIES 16384
#define FILL 90 /* percent */
#define BACKENDS 3
#define REFUSED_LIMIT 25 /* one attempt in so many may find no room while the table fills */
#define REOPEN_LIMIT 5	 /* the same in a table that is full of closed and half-open flows */

struct connection {
	union lb_addr client, source;
	union lb_addr backend;
	__u16 port, source_port;
	__u8 proto;
};

static struct connection connections[ENTRIES];
static unsigned int count;

static const char *const vips[2] = { "203.0.113.10", "2001:db8::10" };
static const char *const backends[2][BACKENDS] = {
	{ "192.0.2.11", "192.0.2.12", "192.0.2.13" },
	{ "2001:db8:b::11", "2001:db8:b::12", "2001:db8:b::13" },
};

/* drained: number of a backend that gets no new connections, or -1. */
static struct lb_config *make_config(int drained)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 8;
	config->limits.backends = 64;
	config->limits.slots = 131072;
	config->limits.flows = ENTRIES;
	for (int i = 0; i < 4; i++) {
		const bool is_v6 = i & 1;
		struct lb_service_config *service;
		char name[LB_NAME_SIZE];

		snprintf(name, sizeof(name), "service-%d", i);
		service = world_add_service(config, name, i & 2 ? IPPROTO_UDP : IPPROTO_TCP,
					    vips[is_v6], 80, LB_MODE_FULLNAT);
		service->slots = LB_SLOTS_MIN;
		for (int b = 0; b < BACKENDS; b++) {
			world_add_backend(config, name, backends[is_v6][b], 8080, 1);
			service->backends[b].is_drained = b == drained;
		}
	}
	return config;
}

static void commit(int drained)
{
	struct lb_config *config = make_config(drained);

	world_commit(config);
	lb_config_free(config);
}

static struct connection random_connection(__u8 proto)
{
	struct connection connection = { .proto = proto, .port = 1024 + test_random() % 60000 };

	if (test_random() & 1) {
		connection.client.quads[0] = test_random();
		connection.client.quads[1] = test_random();
	} else {
		lb_addr_from_v4(&connection.client, (__be32)test_random());
	}
	return connection;
}

static int from_client(const struct connection *connection, __u8 flags, struct frame *out)
{
	const bool is_v6 = !lb_addr_is_v4(&connection->client);
	const struct spec spec = {
		.is_v6 = is_v6,
		.src = connection->client,
		.dst = world_addr(vips[is_v6]),
		.src_port = connection->port,
		.dst_port = 80,
		.proto = connection->proto,
		.tcp_flags = flags,
		.ttl = 64,
	};
	struct frame in;

	frame_build(&spec, &in);
	return world_run(&world.client, &in, out);
}

/* The backend's packet; true if it reaches the connection's client. */
static bool from_backend(const struct connection *connection, __u8 flags)
{
	const bool is_v6 = !lb_addr_is_v4(&connection->client);
	const struct spec spec = {
		.is_v6 = is_v6,
		.src = connection->backend,
		.dst = connection->source,
		.src_port = 8080,
		.dst_port = connection->source_port,
		.proto = connection->proto,
		.tcp_flags = flags,
		.ttl = 64,
	};
	struct frame in, out;
	union lb_addr dst;

	frame_build(&spec, &in);
	if (world_run(&world.backend, &in, &out) != XDP_REDIRECT)
		return false;
	dst = frame_dst(&out, is_v6);
	return lb_addr_is_equal(&dst, &connection->client) &&
	       (out.data[out.l4 + 2] << 8 | out.data[out.l4 + 3]) == connection->port;
}

static void note(struct connection *connection, const struct frame *out)
{
	const bool is_v6 = !lb_addr_is_v4(&connection->client);

	connection->backend = frame_dst(out, is_v6);
	connection->source = world_addr(is_v6 ? "2001:db8:b::1" : "192.0.2.1");
	connection->source_port = frame_src_port(out);
}

/* The handshake; false if the first packet finds no room. */
static bool establish(struct connection *connection)
{
	struct frame out;

	if (from_client(connection, TCP_SYN, &out) != XDP_REDIRECT)
		return false;
	note(connection, &out);
	assert_true(from_backend(connection, TCP_SYN | TCP_ACK));
	assert_int_equal(from_client(connection, TCP_ACK, &out), XDP_REDIRECT);
	return true;
}

static bool is_as_it_was(const struct connection *connection)
{
	struct connection now = *connection;
	struct frame out;

	if (from_client(connection, TCP_ACK, &out) != XDP_REDIRECT)
		return false;
	note(&now, &out);
	return now.source_port == connection->source_port &&
	       lb_addr_is_equal(&now.backend, &connection->backend) &&
	       from_backend(connection, TCP_ACK);
}

static unsigned int count_lost(void)
{
	unsigned int lost = 0;

	for (unsigned int i = 0; i < count; i++)
		lost += !is_as_it_was(&connections[i]);
	return lost;
}

static unsigned int count_entries(__u8 state)
{
	unsigned int entries = 0;

	for (__u32 i = 0; i < world.lb->meta->flows; i++)
		entries += world.lb->flows[i].tag > LB_FLOW_BUSY &&
			   (!state || world.lb->flows[i].state == state);
	return entries;
}

struct owned_port {
	union lb_addr source, backend;
	__u16 source_port;
	__u8 proto;
};

static struct owned_port ports[ENTRIES];
static unsigned int port_count;

static int note_port(const struct lb_flow_info *flow, void *arg)
{
	struct owned_port *port = &ports[port_count++];

	(void)arg;
	memset(port, 0, sizeof(*port));
	port->source = flow->source;
	port->backend = flow->backend;
	port->source_port = flow->source_port;
	port->proto = flow->proto;
	return 0;
}

static int compare_ports(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct owned_port));
}

static void assert_ports_are_unique(void)
{
	port_count = 0;
	assert_int_equal(lb_walk_flows(world.lb, note_port, NULL, NULL), 0);
	qsort(ports, port_count, sizeof(ports[0]), compare_ports);
	for (unsigned int i = 1; i < port_count; i++)
		assert_memory_not_equal(&ports[i - 1], &ports[i], sizeof(ports[0]));
}

/* Half of the connections on IPv4, half on IPv6, one after the other until nine tenths are taken.
 */
static void test_fill(void **state)
{
	unsigned int tried = 0;

	(void)state;
	while (count < ENTRIES / 2 * FILL / 100 && tried < ENTRIES) {
		connections[count] = random_connection(IPPROTO_TCP);
		tried++;
		count += establish(&connections[count]);
		if (count % 1024 == 0)
			assert_int_equal(count_lost(), 0);
	}
	printf("%u connections in %u entries, %u refused on the way\n", count, ENTRIES,
	       tried - count);
	assert_int_equal(count, ENTRIES / 2 * FILL / 100);
	assert_true((tried - count) * REFUSED_LIMIT <= tried);
	assert_int_equal(count_lost(), 0);
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), 2 * count);
	assert_ports_are_unique();
}

static void test_flood(void **state)
{
	const unsigned int room = ENTRIES - count_entries(0);
	unsigned int forwarded = 0;
	struct frame out;

	(void)state;
	for (int i = 0; i < 10 * ENTRIES; i++) {
		const struct connection attacker = random_connection(IPPROTO_TCP);

		forwarded += from_client(&attacker, TCP_SYN, &out) == XDP_REDIRECT;
	}
	printf("%u of %u half-open ones got room, %u entries for them\n", forwarded, 10 * ENTRIES,
	       room);
	/* They evict one another. */
	assert_true(forwarded > 2 * room);
	assert_int_equal(count_lost(), 0);
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), 2 * count);
	assert_ports_are_unique();
}

/* The same from sources that go on with what no backend has answered: still no established flow. */
static void test_flood_of_acks(void **state)
{
	struct frame out;

	(void)state;
	for (int i = 0; i < ENTRIES; i++) {
		const struct connection attacker = random_connection(IPPROTO_TCP);

		if (from_client(&attacker, TCP_SYN, &out) == XDP_REDIRECT)
			from_client(&attacker, TCP_ACK, &out);
	}
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), 2 * count);
	assert_int_equal(count_lost(), 0);
}

static void close_connection(const struct connection *connection)
{
	struct frame out;

	assert_int_equal(from_client(connection, TCP_FIN | TCP_ACK, &out), XDP_REDIRECT);
	assert_true(from_backend(connection, TCP_FIN | TCP_ACK));
	assert_int_equal(from_client(connection, TCP_ACK, &out), XDP_REDIRECT);
}

/* What is closed makes room: as many new ones find theirs. */
static void test_closed_are_reusable(void **state)
{
	const unsigned int half = count / 2;
	unsigned int refused = 0;

	(void)state;
	for (unsigned int i = 0; i < half; i++)
		close_connection(&connections[i]);
	assert_int_equal(count_entries(LB_FLOW_CLOSED), 2 * half);
	for (unsigned int i = 0; i < half; i++) {
		do
			connections[i] = random_connection(IPPROTO_TCP);
		while (!establish(&connections[i]) && ++refused < half);
	}
	printf("%u closed, as many opened, %u refused on the way\n", half, refused);
	assert_true(refused * REOPEN_LIMIT <= half);
	assert_int_equal(count_lost(), 0);
	assert_ports_are_unique();
}

static int backend_number(const struct connection *connection)
{
	const bool is_v6 = !lb_addr_is_v4(&connection->client);

	for (int i = 0; i < BACKENDS; i++) {
		const union lb_addr addr = world_addr(backends[is_v6][i]);

		if (lb_addr_is_equal(&addr, &connection->backend))
			return i;
	}
	return -1;
}

/* The old backend is drained: connections stay, a closed one's client port gets another backend. */
static void test_reused_port_is_scheduled_anew(void **state)
{
	const int drained = backend_number(&connections[0]);
	unsigned int reopened = 0;

	(void)state;
	while (count > ENTRIES / 8)
		close_connection(&connections[--count]);
	commit(drained);
	assert_int_equal(count_lost(), 0);
	for (unsigned int i = 0; i < 300; i++) {
		struct connection *connection = &connections[i];
		const int before = backend_number(connection);

		close_connection(connection);
		assert_true(establish(connection));
		assert_int_not_equal(backend_number(connection), drained);
		reopened += before == drained;
	}
	assert_true(reopened > 50);
	assert_int_equal(count_lost(), 0);
	commit(-1);
}

/* Only a client that goes on after the backend's answer makes a UDP flow established. */
static void test_udp(void **state)
{
	struct connection connection = random_connection(IPPROTO_UDP);
	const unsigned int before = count_entries(LB_FLOW_ESTABLISHED);
	struct frame out;

	(void)state;
	while (from_client(&connection, 0, &out) != XDP_REDIRECT)
		connection = random_connection(IPPROTO_UDP);
	note(&connection, &out);
	assert_int_equal(from_client(&connection, 0, &out), XDP_REDIRECT);
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), before);
	assert_true(from_backend(&connection, 0));
	assert_true(from_backend(&connection, 0));
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), before);
	assert_int_equal(from_client(&connection, 0, &out), XDP_REDIRECT);
	assert_int_equal(count_entries(LB_FLOW_ESTABLISHED), before + 2);
	for (int i = 0; i < 2 * ENTRIES; i++) {
		const struct connection attacker = random_connection(IPPROTO_UDP);

		from_client(&attacker, 0, &out);
	}
	assert_true(is_as_it_was(&connection));
	assert_int_equal(count_lost(), 0);
	assert_ports_are_unique();
}

/* After the timeout an established flow is gone, in both directions; before it, it is not. */
static void test_expiry(void **state)
{
	const __u32 hz = world.lb->control->hz;
	struct frame out;

	(void)state;
	world_age(890 * hz);
	assert_int_equal(count_lost(), 0);
	/* One direction is enough to keep both alive. */
	world_age(500 * hz);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(from_client(&connections[i], TCP_ACK, &out), XDP_REDIRECT);
	world_age(500 * hz);
	for (unsigned int i = 0; i < count; i++)
		assert_true(from_backend(&connections[i], TCP_ACK));
	world_age(500 * hz);
	assert_int_equal(count_lost(), 0);
	world_age(910 * hz);
	assert_int_equal(from_client(&connections[0], TCP_ACK, &out), XDP_DROP);
	assert_false(from_backend(&connections[1], TCP_ACK));
	assert_int_equal(count_lost(), count);
}

/* Established flows that have expired make room for as many new ones, in a table full of them. */
static void test_expired_make_room(void **state)
{
	const unsigned int wanted = ENTRIES / 2 * FILL / 100;
	unsigned int refused = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (count = 0; count < wanted; count++) {
			do
				connections[count] = random_connection(IPPROTO_TCP);
			while (!establish(&connections[count]) && ++refused < wanted);
		}
		assert_int_equal(count_lost(), 0);
		world_age(910 * world.lb->control->hz);
	}
	printf("%u times %u opened among the expired, %u refused on the way\n", 3, wanted, refused);
	assert_true(refused * REOPEN_LIMIT <= 3 * wanted);
}

static int open_world(void **state)
{
	struct lb_config *config = make_config(-1);
	char lines[2048];
	size_t used = 0;

	(void)state;
	test_random_seed(11);
	for (int i = 0; i < 2 * BACKENDS; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			backends[i % 2][i / 2]);
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
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flood_of_acks),
		cmocka_unit_test(test_closed_are_reusable),
		cmocka_unit_test(test_reused_port_is_scheduled_anew),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_expired_make_room),
	};

	return cmocka_run_group_tests_name("flows", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
