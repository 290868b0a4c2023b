// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of several ports or addresses: random documents of them, in which each packet must go to
 * the most specific one, by a search of this test's own; what has no ports of its own for addresses
 * of a prefix; and two connections by one client port, which are two flows. Each service is ipip
 * with backends of its own, so the outer destination tells which one it was.
 */
#include <errno.h>
#include <string.h>

#include <linux/bpf.h>

#include "world.h"

#define DOCUMENTS 40
#define SERVICES 40
#define PACKETS 600
#define ADDRESSES 20 /* the last byte of those that packets are for */
#define PORTS 70
#define FIRST_HOST 11

static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static char at_case[160];

static void packet_to(bool is_v6, __u8 host, __u16 port, __u8 proto, struct spec *spec)
{
	char text[LB_ADDR_TEXT_SIZE];

	snprintf(text, sizeof(text), is_v6 ? "2001:db8::%x" : "203.0.113.%u", host);
	*spec = (struct spec){
		.is_v6 = is_v6,
		.proto = proto,
		.ttl = 64,
		.src = world_addr(clients[is_v6]),
		.dst = world_addr(text),
		.src_port = 1024 + test_random() % 60000,
		.dst_port = port,
		.tcp_flags = proto == IPPROTO_TCP ? TCP_SYN : 0,
	};
	memcpy(spec->eth_dst, world.client.mac, 6);
	memcpy(spec->eth_src, world_client_mac, 6);
}

/* The last byte of the backend that an outer IPv4 packet is for. */
static __u8 backend_of(const struct frame *out)
{
	return out->data[14 + 19];
}

static __u32 below(__u32 most)
{
	return (__u32)(test_random() % most);
}

/* A random address or prefix, and a random port or range, as a user would write it. */
static void write_front(bool is_v6, char text[LB_FRONT_TEXT_SIZE])
{
	const __u32 bits = below(2) ? 0 : below(5); /* behind the prefix */
	const __u32 host = below(ADDRESSES - 4) >> bits << bits, low = 1 + below(PORTS - 8);
	char ports[16], length[8] = "";

	if (bits)
		snprintf(length, sizeof(length), "/%u", (is_v6 ? 128 : 32) - bits);
	if (!below(6))
		snprintf(ports, sizeof(ports), "*");
	else if (below(2))
		snprintf(ports, sizeof(ports), "%u-%u", low, low + below(PORTS - low));
	else
		snprintf(ports, sizeof(ports), "%u", low);
	snprintf(text, LB_FRONT_TEXT_SIZE, is_v6 ? "[2001:db8::%x%s]:%s" : "203.0.113.%u%s:%s",
		 host, length, ports);
}

/* What does not overlap in a way that is refused. */
static void fill_document(struct lb_config *config)
{
	for (int i = 0; i < SERVICES; i++) {
		struct lb_service_config service;
		struct lb_backend_config backend;
		char text[LB_FRONT_TEXT_SIZE];
		int ret;

		lb_service_config_init(&service);
		snprintf(service.name, sizeof(service.name), "s%d", i);
		service.proto = below(3) ? IPPROTO_TCP : IPPROTO_UDP;
		service.is_stateless = service.proto == IPPROTO_UDP;
		service.mode = LB_MODE_IPIP;
		service.slots = LB_SLOTS_MIN;
		write_front(below(2), text);
		assert_int_equal(lb_front_parse(text, &service, NULL), 0);
		lb_backend_config_init(&backend);
		snprintf(text, sizeof(text), "192.0.2.%d", FIRST_HOST + i);
		backend.addr = world_addr(text);
		service.backends = &backend;
		service.backend_count = 1;
		ret = lb_config_add_service(config, &service, NULL);
		assert_true(!ret || ret == -EEXIST);
	}
}

/* How many bits of an address are the same as those of the service's; -1 if it does not cover it.
 */
static int specific_of(const struct lb_service_config *service, const struct spec *spec)
{
	const int whole = spec->is_v6 ? 128 : 32;
	const int length = service->vip_length ? service->vip_length : whole;
	const __u16 last = service->port_last ? service->port_last : service->port;
	const __u8 free_bits = whole - length;

	if (service->proto != spec->proto || lb_addr_is_v4(&service->vip) == spec->is_v6 ||
	    spec->dst_port < service->port || spec->dst_port > last ||
	    memcmp(&service->vip, &spec->dst, 15) ||
	    service->vip.bytes[15] >> free_bits != spec->dst.bytes[15] >> free_bits)
		return -1;
	/* Address first, then port. */
	return length * 65536 + 65535 - (last - service->port);
}

static const struct lb_service_config *find_service(const struct lb_config *config,
						    const struct spec *spec)
{
	const struct lb_service_config *best = NULL;
	int most = -1;

	for (unsigned int i = 0; i < config->service_count; i++) {
		const int specific = specific_of(&config->services[i], spec);

		assert_true(specific < 0 || specific != most);
		if (specific <= most)
			continue;
		most = specific;
		best = &config->services[i];
	}
	return best;
}

/* Answers whether it was anybody's. */
static bool send_one(const struct lb_config *config, const struct spec *spec)
{
	const struct lb_service_config *wanted = find_service(config, spec);
	struct lb_backend_config chosen;
	struct frame in, out;
	int action, ret;

	snprintf(at_case, sizeof(at_case), "%s, %d, port %u, wanted %s", lb_proto_name(spec->proto),
		 spec->dst.bytes[15], spec->dst_port, wanted ? wanted->name : "nobody");
	frame_build(spec, &in);
	action = world_run(&world.client, &in, &out);
	ret = lb_schedule(world.lb, spec->proto, &spec->src, spec->src_port, &spec->dst,
			  spec->dst_port, &chosen, NULL, NULL);
	assert_ptr_equal(lb_front_find(config, spec->proto, &spec->dst, spec->dst_port), wanted);
	if (!wanted) {
		assert_int_equal(action, XDP_PASS);
		assert_int_equal(ret, -ENOENT);
		return false;
	}
	assert_int_equal(action, XDP_REDIRECT);
	assert_int_equal(backend_of(&out), wanted->backends[0].addr.bytes[15]);
	assert_int_equal(ret, 0);
	assert_int_equal(chosen.addr.bytes[15], backend_of(&out));
	return true;
}

static struct lb_config *new_config(void)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 128; /* a document and the one before it */
	config->limits.backends = 256;
	config->limits.slots = 131072;
	config->limits.flows = 8192;
	return config;
}

static void test_most_specific(void **state)
{
	unsigned int found = 0;

	(void)state;
	for (int document = 0; document < DOCUMENTS; document++) {
		struct lb_config *config = new_config();

		fill_document(config);
		world_commit(config);
		for (int i = 0; i < PACKETS; i++) {
			struct spec spec;

			packet_to(below(2), (__u8)below(ADDRESSES), (__u16)below(PORTS),
				  below(2) ? IPPROTO_TCP : IPPROTO_UDP, &spec);
			found += send_one(config, &spec);
		}
		lb_config_free(config);
	}
	at_case[0] = '\0';
	/* Both answers are met often. */
	assert_in_range(found, DOCUMENTS * PACKETS / 4, DOCUMENTS * PACKETS * 9 / 10);
}

/* ---- what has no ports, for addresses of a prefix ------------------------------------------- */

static struct lb_config *prefix_config(void)
{
	static const char *const fronts[2] = { "203.0.113.64/26:5000-5999", "[2001:db8::40]:*" };
	struct lb_config *config = new_config();

	for (int i = 0; i < 4; i++) {
		struct lb_service_config service;

		lb_service_config_init(&service);
		snprintf(service.name, sizeof(service.name), "s%d", i);
		service.proto = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		service.mode = LB_MODE_IPIP;
		service.slots = LB_SLOTS_MIN;
		assert_int_equal(lb_front_parse(fronts[i & 1], &service, NULL), 0);
		if (i & 1)
			service.vip_length = 122; /* as 2001:db8::40/122 */
		assert_int_equal(lb_config_add_service(config, &service, NULL), 0);
		world_add_backend(config, service.name, "192.0.2.11", 0, 1);
	}
	return config;
}

static void expect(const struct frame *in, struct frame *out, enum lb_reason reason)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT];

	world_reasons(before);
	world_run(&world.client, in, out);
	world_reasons(after);
	for (int i = 1; i < LB_R_COUNT; i++)
		if (after[i] != before[i] + (i == (int)reason))
			fail_msg("counted %s by %lld, wanted %s", lb_reason_name(i),
				 (long long)(after[i] - before[i]), lb_reason_name(reason));
}

static void ping(bool is_v6, __u8 host, enum lb_reason reason)
{
	struct frame in, out;
	struct spec spec;

	packet_to(is_v6, host, 0, is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, &spec);
	spec.icmp = is_v6 ? 0x8000 : 0x0800;
	frame_build(&spec, &in);
	expect(&in, &out, reason);
}

/* A datagram in two pieces: the second has no ports. */
static void send_pieces(bool is_v6, __u8 host, __u16 port, enum lb_reason first,
			enum lb_reason second)
{
	struct frame in, out;
	struct spec spec;

	packet_to(is_v6, host, port, IPPROTO_UDP, &spec);
	spec.payload = 800;
	spec.chain[0] = IPPROTO_FRAGMENT;
	spec.chain_length = is_v6;
	spec.fragment = is_v6 ? 1 : 0x2000;
	/* Of IPv4 the key has the packet's number, of both its addresses. */
	spec.src.bytes[15] = host;
	frame_build(&spec, &in);
	expect(&in, &out, first);
	spec.fragment = is_v6 ? 824 : 103;
	frame_build(&spec, &in);
	expect(&in, &out, second);
}

/* A router says of what a backend has answered that it is too large. */
static void send_error(bool is_v6, __u8 host, __u16 port, enum lb_reason reason)
{
	struct spec flow, answer, error;
	struct frame quoted, in, out;

	packet_to(is_v6, host, port, IPPROTO_TCP, &flow);
	flow.tcp_flags = TCP_ACK;
	answer = flow;
	answer.src = flow.dst;
	answer.dst = flow.src;
	answer.src_port = flow.dst_port;
	answer.dst_port = flow.src_port;
	frame_build(&answer, &quoted);
	error = flow;
	error.proto = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	error.icmp = is_v6 ? 0x0200 : 0x0304;
	error.src = world_addr(is_v6 ? "2001:db8:c::254" : "198.51.100.254");
	error.dst = flow.dst;
	frame_build_quote(&error, &quoted, is_v6 ? 60 : 40, 0, &in);
	expect(&in, &out, reason);
	if (reason == LB_R_ICMP_FORWARDED)
		assert_int_equal(backend_of(&out), 11);
}

static void test_prefix(void **state)
{
	struct lb_config *config = prefix_config();

	(void)state;
	world_commit(config);
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		snprintf(at_case, sizeof(at_case), "IPv%d", is_v6 ? 6 : 4);
		ping(is_v6, 64, LB_R_ECHO_REPLY);
		ping(is_v6, 127, LB_R_ECHO_REPLY);
		ping(is_v6, 63, LB_R_OTHER_PROTOCOL);
		ping(is_v6, 128, LB_R_OTHER_PROTOCOL);
		send_pieces(is_v6, 70, 5500, LB_R_FORWARDED, LB_R_FRAGMENT_FORWARDED);
		send_pieces(is_v6, 130, 5500, LB_R_NOT_OURS, LB_R_FRAGMENT);
		send_error(is_v6, 71, 5999, LB_R_ICMP_FORWARDED);
		send_error(is_v6, 129, 5999, LB_R_OTHER_PROTOCOL);
	}
	send_pieces(false, 71, 6000, LB_R_NOT_OURS, LB_R_FRAGMENT);
	send_error(false, 72, 4999, LB_R_OTHER_PROTOCOL);
	at_case[0] = '\0';
	lb_config_free(config);
}

static void test_neighbours(void **state)
{
	static const __u8 asker_mac[6] = { 2, 0, 0, 0, 9, 9 };
	struct lb_config *config = prefix_config();
	const union lb_addr asker = world_addr("2001:db8::77");
	__be32 v4 = world_addr("203.0.113.70").words[3];
	union lb_addr v6 = world_addr("2001:db8::70");
	struct frame in, out;

	(void)state;
	world_commit(config);
	world_set_arp(true);
	frame_build_arp(asker_mac, world_addr("203.0.113.250").words[3], v4, &in);
	expect(&in, &out, LB_R_ARP_REPLY);
	frame_build_solicit(asker_mac, &asker, &v6, &in);
	expect(&in, &out, LB_R_ARP_REPLY);
	v4 = world_addr("203.0.113.128").words[3];
	frame_build_arp(asker_mac, world_addr("203.0.113.250").words[3], v4, &in);
	expect(&in, &out, LB_R_NOT_IP);
	v6.bytes[15] = 0x80;
	frame_build_solicit(asker_mac, &asker, &v6, &in);
	expect(&in, &out, LB_R_OTHER_PROTOCOL);
	world_set_arp(false);
	lb_config_free(config);
}

/* ---- one port of a client's, many of the service's ------------------------------------------ */

#define OLD 200
#define NEW 400

static struct lb_config *flow_config(__u16 first_weight, __u16 second_weight)
{
	struct lb_config *config = new_config();
	struct lb_service_config service;

	lb_service_config_init(&service);
	snprintf(service.name, sizeof(service.name), "many");
	service.proto = IPPROTO_TCP;
	service.mode = LB_MODE_IPIP;
	service.slots = 1009;
	assert_int_equal(lb_front_parse("203.0.113.64/26:1-9999", &service, NULL), 0);
	assert_int_equal(lb_config_add_service(config, &service, NULL), 0);
	world_add_backend(config, service.name, "192.0.2.11", 0, first_weight);
	if (second_weight)
		world_add_backend(config, service.name, "192.0.2.12", 0, second_weight);
	return config;
}

static void commit_flows(__u16 first_weight, __u16 second_weight)
{
	struct lb_config *config = flow_config(first_weight, second_weight);

	world_commit(config);
	lb_config_free(config);
}

/* To the backend of connection number, which has its own port and address of the service. */
static __u8 send_flow(int number, __u8 flags)
{
	struct frame in, out;
	struct spec spec;

	packet_to(false, (__u8)(64 + number % 8), (__u16)(1 + number), IPPROTO_TCP, &spec);
	spec.src_port = 40000;
	spec.tcp_flags = flags;
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
	return backend_of(&out);
}

static void test_flows(void **state)
{
	__u8 opened[NEW];
	int moved = 0;

	(void)state;
	commit_flows(1, 0);
	for (int i = 0; i < OLD; i++)
		opened[i] = send_flow(i, TCP_SYN);
	commit_flows(1, 1);
	for (int i = OLD; i < NEW; i++)
		opened[i] = send_flow(i, TCP_SYN);
	for (int i = 0; i < NEW; i++)
		moved += opened[i] == 12;
	assert_in_range(moved, (NEW - OLD) / 4, (NEW - OLD) * 3 / 4);
	for (int i = 0; i < NEW; i++)
		assert_int_equal(send_flow(i, TCP_ACK), opened[i]);
	commit_flows(0, 1);
	for (int i = 0; i < NEW; i++)
		assert_int_equal(send_flow(i, TCP_ACK), opened[i]);
}

static int tell_case(void **state)
{
	(void)state;
	if (at_case[0])
		printf("in case: %s\n", at_case);
	return 0;
}

static int open_world(void **state)
{
	static char lines[SERVICES * 96];
	struct lb_config *config = new_config();
	size_t used = 0;

	(void)state;
	test_random_seed(11);
	for (int i = 0; i < SERVICES; i++)
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add 192.0.2.%d lladdr 02:00:00:00:0b:11 nud permanent dev b0\n",
			FIRST_HOST + i);
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
		cmocka_unit_test_teardown(test_most_specific, tell_case),
		cmocka_unit_test_teardown(test_prefix, tell_case),
		cmocka_unit_test_teardown(test_neighbours, tell_case),
		cmocka_unit_test_teardown(test_flows, tell_case),
	};

	return cmocka_run_group_tests_name("zones", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
