// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walks' moves. Time is moved by making every stamp older, with a margin of two units for the
 * real time that passes meanwhile.
 */
#include <string.h>

#include <linux/bpf.h>

#include "walk.h"

#define MARGIN 2
#define LIFE 200
#define FIRST_HOST 10

static struct walk walks[WALKS];
static int now;

static __u32 below(__u32 limit)
{
	return (__u32)(test_random() >> 33) % limit;
}

/* Every walk has its backends at ports of its own: an endpoint belongs to one service. */
static void backend_text(int backend, bool is_v6, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, is_v6 ? "2001:db8:b::%x" : "192.0.2.%u",
		 FIRST_HOST + backend);
}

static bool is_v6_walk(int number)
{
	return number % 2;
}

/* Both modes' packets have the backend as their outermost destination. */
static enum lb_mode mode_of(int number)
{
	return number / 2 % 2 ? LB_MODE_IPIP : LB_MODE_NAT;
}

void walk_make_routes(void)
{
	char lines[2 * WALK_BACKENDS * 128], text[LB_ADDR_TEXT_SIZE];
	size_t used = 0;

	for (int i = 0; i < 2 * WALK_BACKENDS; i++) {
		backend_text(i / 2, i % 2, text);
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr 02:00:00:00:0b:11 nud permanent dev b0\n", text);
	}
	world_ip(lines);
}

static void add_backend(struct lb_config *config, int number, int backend, __u16 weight)
{
	char text[LB_ADDR_TEXT_SIZE];

	backend_text(backend, is_v6_walk(number), text);
	world_add_backend(config, config->services[number].name, text,
			  mode_of(number) == LB_MODE_NAT ? 8000 + number : 0, weight);
}

struct lb_config *walk_config(void)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 64;
	config->limits.backends = 1024;
	config->limits.slots = 65536;
	config->limits.flows = 65536;
	for (int i = 0; i < WALKS; i++) {
		struct lb_service_config *service;
		char name[LB_NAME_SIZE];

		snprintf(name, sizeof(name), "walk-%d", i);
		service = world_add_service(config, name, IPPROTO_TCP,
					    is_v6_walk(i) ? "2001:db8::10" : "203.0.113.10",
					    1000 + i, mode_of(i));
		service->slots = LB_SLOTS_MIN;
		service->timeouts.established = WALK_TIMEOUT * WALK_UNIT_S;
		for (int backend = 0; backend < WALK_BACKENDS - 1; backend++)
			add_backend(config, i, backend, 1);
	}
	return config;
}

/* Sends one packet of a connection; answers the backend that it goes to. */
static int send_packet(const struct walk *walk, int tuple, __u8 flags)
{
	const bool is_v6 = is_v6_walk(walk->number);
	struct spec spec = {
		.is_v6 = is_v6,
		.src = world_addr(is_v6 ? "2001:db8:c::7" : "198.51.100.7"),
		.dst = world_addr(is_v6 ? "2001:db8::10" : "203.0.113.10"),
		.src_port = 20000 + tuple,
		.dst_port = 1000 + walk->number,
		.ttl = 64,
		.proto = IPPROTO_TCP,
		.tcp_flags = flags,
	};
	struct frame in, out;

	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
	return frame_dst(&out, is_v6).bytes[15] - FIRST_HOST;
}

static int count_ready(const struct lb_service_config *service)
{
	int count = 0;

	for (unsigned int i = 0; i < service->backend_count; i++)
		count += service->backends[i].weight && !service->backends[i].is_drained;
	return count;
}

static bool is_ready(const struct lb_backend_config *backend)
{
	return backend->weight && !backend->is_drained;
}

/* Another weight, drain, or ready; one backend always stays ready. */
static bool move_slots(struct lb_service_config *service)
{
	struct lb_backend_config *backend = &service->backends[below(service->backend_count)];

	if (is_ready(backend) && count_ready(service) > 1 && below(2)) {
		if (below(2))
			backend->is_drained = true;
		else
			backend->weight = 0;
	} else {
		backend->is_drained = false;
		backend->weight = 1 + below(4);
	}
	return true;
}

static int number_of(const struct lb_backend_config *backend)
{
	return backend->addr.bytes[15] - FIRST_HOST;
}

/* Its connections end with it. */
static bool remove_backend(struct walk *walk, struct lb_service_config *service)
{
	struct lb_backend_config *backend = &service->backends[below(service->backend_count)];
	const int gone = number_of(backend);

	if (service->backend_count < 3 || (is_ready(backend) && count_ready(service) < 2))
		return false;
	lb_config_del_backend(service, backend);
	walk->is_present[gone] = false;
	for (int i = 0; i < WALK_TUPLES; i++)
		if (walk->connection[i].backend == gone)
			walk->connection[i].is_open = false;
	return true;
}

static bool bring_backend(struct walk *walk, struct lb_config *config)
{
	const int backend = below(WALK_BACKENDS);

	if (walk->is_present[backend])
		return false;
	walk->is_present[backend] = true;
	add_backend(config, walk->number, backend, 1 + below(4));
	return true;
}

/* The change that a walk makes to the document in this step, if it makes one. */
static bool change_document(struct walk *walk, struct lb_config *config, double x)
{
	struct lb_service_config *service = &config->services[walk->number];

	if (x < 0.08)
		return move_slots(service);
	if (x < 0.10)
		return remove_backend(walk, service);
	return bring_backend(walk, config);
}

static void open_connection(struct walk *walk, struct walk_sums *sums)
{
	const int tuple = below(WALK_TUPLES);
	struct walk_connection *connection = &walk->connection[tuple];

	if (connection->is_open)
		return;
	connection->is_open = true;
	connection->backend = send_packet(walk, tuple, TCP_SYN);
	connection->seen = now;
	connection->end = now + 5 + below(LIFE);
	sums->opened++;
	sums->broken += send_packet(walk, tuple, TCP_ACK) != connection->backend;
}

/* Prefers connections that have nearly been idle too long. */
static int pick_connection(struct walk *walk)
{
	int open = -1, due = -1;

	for (int i = 0, first = below(WALK_TUPLES); i < WALK_TUPLES; i++) {
		const int at = (first + i) % WALK_TUPLES;
		struct walk_connection *connection = &walk->connection[at];

		if (now > connection->end || now - connection->seen > WALK_TIMEOUT - MARGIN)
			connection->is_open = false;
		if (!connection->is_open)
			continue;
		open = at;
		if (now - connection->seen > WALK_TIMEOUT - MARGIN - 8)
			due = at;
	}
	return due >= 0 ? due : open;
}

static void send_data(struct walk *walk, struct walk_sums *sums)
{
	const int tuple = pick_connection(walk);
	struct walk_connection *connection = &walk->connection[tuple];
	int backend;

	if (tuple < 0)
		return;
	backend = send_packet(walk, tuple, TCP_ACK);
	connection->seen = now;
	sums->sent++;
	if (backend == connection->backend)
		return;
	sums->broken++;
	connection->is_open = false;
}

static void step_all(struct lb_config *config, struct walk_sums *sums)
{
	double x[WALKS];
	bool is_changed = false;
	const int passed = 1 + below(6);

	now += passed;
	world_age(passed * WALK_UNIT_S * world.lb->control->hz);
	for (int i = 0; i < WALKS; i++) {
		x[i] = below(1000000) / 1000000.0;
		if (x[i] < 0.12)
			is_changed |= change_document(&walks[i], config, x[i]);
	}
	if (is_changed)
		world_commit(config);
	sums->commits += is_changed;
	for (int i = 0; i < WALKS; i++) {
		if (x[i] >= 0.45)
			send_data(&walks[i], sums);
		else if (x[i] >= 0.12)
			open_connection(&walks[i], sums);
	}
}

void walk_all(struct lb_config *config, int steps, void (*meddle)(int step), struct walk_sums *sums)
{
	memset(walks, 0, sizeof(walks));
	for (int i = 0; i < WALKS; i++) {
		walks[i].number = i;
		for (int backend = 0; backend < WALK_BACKENDS - 1; backend++)
			walks[i].is_present[backend] = true;
	}
	for (int step = 0; step < steps; step++) {
		if (meddle)
			meddle(step);
		step_all(config, sums);
	}
}
