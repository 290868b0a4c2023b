// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services whose fragments go by three-tuple: whole packets of any ports, first fragments and later
 * ones, also before the first, go to one backend for each pair of addresses, with the bytes that
 * the mode makes of them. A service beside them keeps to the table of fragments.
 */
#include <string.h>

#include <linux/bpf.h>

#include "world.h"
#include "wrap.h"

#define BACKENDS 4
#define CLIENTS 40
#define TUPLES 10000

enum kind { STATELESS, RECORDED, RANGE, PREFIX, IPIP, GUE, TABLE, KINDS };

static const struct {
	const char *name;
	const char *fronts[2];
	const char *vips[2];
	enum lb_mode mode;
	bool is_stateless;
	__u16 port; /* one of the front's */
} kinds[KINDS] = {
	[STATELESS] = { "stateless",
			{ "203.0.113.10:5060", "[2001:db8::10]:5060" },
			{ "203.0.113.10", "2001:db8::10" },
			LB_MODE_DSR,
			true,
			5060 },
	[RECORDED] = { "recorded",
		       { "203.0.113.20:5060", "[2001:db8::20]:5060" },
		       { "203.0.113.20", "2001:db8::20" },
		       LB_MODE_DSR,
		       false,
		       5060 },
	[RANGE] = { "range",
		    { "203.0.113.30:5000-5999", "[2001:db8::30]:*" },
		    { "203.0.113.30", "2001:db8::30" },
		    LB_MODE_DSR,
		    true,
		    5432 },
	[PREFIX] = { "prefix",
		     { "203.0.113.64/26:5000-5999", "[2001:db8:64::/64]:5060" },
		     { "203.0.113.70", "2001:db8:64::70" },
		     LB_MODE_DSR,
		     false,
		     5060 },
	[IPIP] = { "ipip",
		   { "203.0.113.40:5060", "[2001:db8::40]:5060" },
		   { "203.0.113.40", "2001:db8::40" },
		   LB_MODE_IPIP,
		   true,
		   5060 },
	[GUE] = { "gue",
		  { "203.0.113.50:5060", "[2001:db8::50]:5060" },
		  { "203.0.113.50", "2001:db8::50" },
		  LB_MODE_GUE,
		  false,
		  5060 },
	[TABLE] = { "table",
		    { "203.0.113.60:5060", "[2001:db8::60]:5060" },
		    { "203.0.113.60", "2001:db8::60" },
		    LB_MODE_DSR,
		    true,
		    5060 },
};

enum piece { WHOLE, FIRST, LATER, LAST };

static char at_case[160];

/* ---- the document --------------------------------------------------------------------------- */

static void backend_text(bool is_v6, unsigned int number, char text[LB_ADDR_TEXT_SIZE])
{
	snprintf(text, LB_ADDR_TEXT_SIZE, is_v6 ? "2001:db8:b::%x" : "192.0.2.%u", 11 + number);
}

static void add_backends(struct lb_config *config, const char *name, bool is_v6,
			 unsigned int backends)
{
	char text[LB_ADDR_TEXT_SIZE];

	for (unsigned int b = 0; b < backends; b++) {
		backend_text(is_v6, b, text);
		world_add_backend(config, name, text, 0, 1);
	}
}

static void add_web(struct lb_config *config, enum kind kind, bool is_v6)
{
	struct lb_service_config *service;
	char name[LB_NAME_SIZE];

	snprintf(name, sizeof(name), "web-%s-%d", kinds[kind].name, is_v6);
	service = world_add_service(config, name, IPPROTO_TCP, kinds[kind].vips[is_v6], 80,
				    LB_MODE_DSR);
	service->slots = LB_SLOTS_MIN;
	add_backends(config, name, is_v6, 1);
}

/* backends: of the services of UDP; table: which of those keeps to the table of fragments. */
static struct lb_config *make_config(unsigned int backends, enum kind table)
{
	struct lb_config *config = lb_config_new();

	assert_non_null(config);
	config->limits.services = 64;
	config->limits.slots = 131072;
	config->limits.flows = 8192;
	for (int i = 0; i < 2 * KINDS; i++) {
		const enum kind kind = i / 2;
		struct lb_service_config service;

		/* The first of all is by three-tuple; the others come behind one at their address.
		 */
		if (i)
			add_web(config, kind, i % 2);
		lb_service_config_init(&service);
		snprintf(service.name, sizeof(service.name), "%s-%d", kinds[kind].name, i % 2);
		service.proto = IPPROTO_UDP;
		service.mode = kinds[kind].mode;
		service.slots = LB_SLOTS_MIN;
		service.is_stateless = kinds[kind].is_stateless;
		if (kind != table)
			service.fragments = LB_FRAGMENTS_THREE_TUPLE;
		assert_int_equal(lb_front_parse(kinds[kind].fronts[i % 2], &service, NULL), 0);
		assert_int_equal(lb_config_add_service(config, &service, NULL), 0);
		add_backends(config, service.name, i % 2, backends);
	}
	return config;
}

static void commit(unsigned int backends, enum kind table)
{
	struct lb_config *config = make_config(backends, table);

	world_commit(config);
	lb_config_free(config);
}

/* ---- packets -------------------------------------------------------------------------------- */

static union lb_addr client_addr(bool is_v6, unsigned int number)
{
	char text[LB_ADDR_TEXT_SIZE];

	snprintf(text, sizeof(text), is_v6 ? "2001:db8:c::%x" : "198.51.100.%u", number);
	return world_addr(text);
}

static struct spec spec_of(enum kind kind, bool is_v6, unsigned int client, __u16 port)
{
	struct spec spec = {
		.is_v6 = is_v6,
		.src = client_addr(is_v6, client),
		.dst = world_addr(kinds[kind].vips[is_v6]),
		.src_port = port,
		.dst_port = kinds[kind].port,
		.proto = IPPROTO_UDP,
		.ttl = 61,
		.payload = 792,
	};

	memcpy(spec.eth_dst, world.client.mac, 6);
	memcpy(spec.eth_src, world_client_mac, 6);
	return spec;
}

/* Of later ones, all that stands where a transport header would be is data. */
static void make_piece(struct spec *spec, enum piece piece)
{
	static const __u16 v4[] = { 0x4000, 0x2000, 0x2064, 0x0064 };
	static const __u16 v6[] = { 0, 1, 801, 800 };

	spec->fragment = spec->is_v6 ? v6[piece] : v4[piece];
	spec->chain[0] = IPPROTO_FRAGMENT;
	spec->chain_length = spec->is_v6 && piece != WHOLE;
	if (piece == LAST)
		spec->payload = 77;
}

static void run(const struct frame *in, struct frame *out, enum lb_reason reason, int action)
{
	__u64 before[LB_R_COUNT], after[LB_R_COUNT];
	int got;

	world_reasons(before);
	got = world_run(&world.client, in, out);
	world_reasons(after);
	for (int i = 1; i < LB_R_COUNT; i++)
		if (after[i] != before[i] + (i == (int)reason))
			fail_msg("counted %s by %lld, wanted %s", lb_reason_name(i),
				 (long long)(after[i] - before[i]), lb_reason_name(reason));
	assert_int_equal(got, action);
}

/* The last byte of the link address, and of the backend's address, in every mode. */
static int backend_of(const struct frame *out)
{
	return out->data[5] - 11;
}

/* What must come out for this backend; what a tunnel chooses for itself is taken from out. */
static void describe_out(enum kind kind, const struct spec *in, int backend,
			 const struct frame *out, struct frame *wanted)
{
	const __u8 *ip = out->data + out->l3, *udp = ip + (in->is_v6 ? 40 : 20);
	char text[LB_ADDR_TEXT_SIZE];
	struct spec output = *in;
	struct frame inner;
	struct wrap wrap;

	output.ttl--;
	memcpy(output.eth_dst, world_backend_mac, 5);
	output.eth_dst[5] = (__u8)(11 + backend);
	memcpy(output.eth_src, world.backend.mac, 6);
	frame_build(&output, &inner);
	*wanted = inner;
	if (kinds[kind].mode == LB_MODE_DSR)
		return;
	backend_text(in->is_v6, (unsigned int)backend, text);
	wrap = (struct wrap){
		.kind = kinds[kind].mode == LB_MODE_GUE ? WRAP_GUE : WRAP_IPIP,
		.is_v6 = in->is_v6,
		.src = world_addr(in->is_v6 ? "2001:db8:b::1" : "192.0.2.1"),
		.dst = world_addr(text),
		.src_port = udp[0] << 8 | udp[1],
		.dst_port = LB_GUE_PORT,
		.flow_label = in->is_v6 ? (__u32)(ip[1] & 0xf) << 16 | ip[2] << 8 | ip[3] : 0,
		.tos = in->is_v6 ? 0x01 : 0x10, /* as frame.c has it */
		.ttl = 64,
		.is_unchecked = !in->is_v6 || in->chain_length,
	};
	wrap_frame(&wrap, &inner, in->is_v6, wanted);
}

static void expect(const struct frame *out, const struct frame *wanted)
{
	if (out->length == wanted->length && !memcmp(out->data, wanted->data, out->length))
		return;
	frame_print_difference(out, wanted);
	fail_msg("the frame is not the one that must come out");
}

/* Whole packets, or pieces, that must come out whole towards this backend. */
static void send_to(enum kind kind, struct spec spec, enum piece piece, int backend,
		    struct frame *out)
{
	struct frame in, wanted;

	make_piece(&spec, piece);
	frame_build(&spec, &in);
	run(&in, out, piece < LATER ? LB_R_FORWARDED : LB_R_FRAGMENT_FORWARDED, XDP_REDIRECT);
	describe_out(kind, &spec, backend, out, &wanted);
	expect(out, &wanted);
}

static void send_in_vain(struct spec spec, enum piece piece, enum lb_reason reason, int action)
{
	struct frame in, out;

	make_piece(&spec, piece);
	frame_build(&spec, &in);
	run(&in, &out, reason, action);
	expect(&out, &in);
}

static int scheduled(const struct spec *spec)
{
	struct lb_backend_config chosen;

	assert_int_equal(lb_schedule(world.lb, IPPROTO_UDP, &spec->src, spec->src_port, &spec->dst,
				     spec->dst_port, &chosen, NULL, NULL),
			 0);
	return chosen.addr.bytes[15] - 11;
}

static void say_case(enum kind kind, bool is_v6, unsigned int client)
{
	snprintf(at_case, sizeof(at_case), "%s, IPv%d, client %u", kinds[kind].name, is_v6 ? 6 : 4,
		 client);
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* What of an outer header is the flow's: the same for all packets of a client. */
static void assert_same_way(enum kind kind, bool is_v6, const struct frame *a,
			    const struct frame *b)
{
	const __u32 ip = is_v6 ? 40 : 20;

	if (kinds[kind].mode == LB_MODE_DSR)
		return;
	if (is_v6)
		assert_memory_equal(a->data + a->l3 + 1, b->data + b->l3 + 1, 3);
	if (kinds[kind].mode == LB_MODE_GUE)
		assert_memory_equal(a->data + a->l3 + ip, b->data + b->l3 + ip, 2);
}

static void send_client(enum kind kind, bool is_v6, unsigned int client, unsigned int *met)
{
	const struct spec spec = spec_of(kind, is_v6, client, 40000);
	const int backend = scheduled(&spec);
	struct frame before, out;

	say_case(kind, is_v6, client);
	send_to(kind, spec, LATER, backend, &before);
	send_to(kind, spec, LAST, backend, &out);
	assert_same_way(kind, is_v6, &before, &out);
	for (__u16 port = 40000; port < 40003; port++) {
		const struct spec other = spec_of(kind, is_v6, client, port);

		assert_int_equal(scheduled(&other), backend);
		send_to(kind, other, WHOLE, backend, &out);
		assert_same_way(kind, is_v6, &before, &out);
	}
	send_to(kind, spec, FIRST, backend, &out);
	assert_same_way(kind, is_v6, &before, &out);
	/* Now the table has the first one, with its ports. */
	send_to(kind, spec, LATER, backend, &out);
	assert_same_way(kind, is_v6, &before, &out);
	met[backend]++;
}

static void test_pieces(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * TABLE; i++) {
		unsigned int met[BACKENDS] = {};

		for (unsigned int client = 1; client <= CLIENTS; client++)
			send_client(i / 2, i % 2, client, met);
		for (int b = 0; b < BACKENDS; b++)
			assert_true(met[b]);
	}
	at_case[0] = '\0';
}

/* The service beside them: a later fragment follows its first one, and ports count. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * CLIENTS; i++) {
		const bool is_v6 = i % 2;
		const struct spec spec = spec_of(TABLE, is_v6, 1 + i / 2, 40000);
		unsigned int met[BACKENDS] = {}, count = 0;
		struct frame out;

		say_case(TABLE, is_v6, 1 + i / 2);
		send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
		send_to(TABLE, spec, FIRST, scheduled(&spec), &out);
		send_to(TABLE, spec, LATER, scheduled(&spec), &out);
		for (__u16 port = 40000; port < 40040; port++) {
			const struct spec other = spec_of(TABLE, is_v6, 1 + i / 2, port);

			send_to(TABLE, other, WHOLE, scheduled(&other), &out);
			met[backend_of(&out)]++;
		}
		for (int b = 0; b < BACKENDS; b++)
			count += met[b] > 0;
		assert_true(count > 1);
	}
	at_case[0] = '\0';
}

/* Whatever the ports: the library and the program agree, and later fragments with both. */
static void test_library_agrees(void **state)
{
	static const enum kind asked[] = { STATELESS, RANGE, IPIP };

	(void)state;
	for (int i = 0; i < TUPLES; i++) {
		const bool is_v6 = i % 2;
		struct spec spec =
			spec_of(asked[i / 2 % 3], is_v6, 1, (__u16)(1 + test_random() % 65535));
		struct spec other;
		struct frame in, out;

		if (is_v6)
			spec.src.quads[1] = test_random();
		else
			lb_addr_from_v4(&spec.src, htonl(0x0a000000 | test_random() >> 40));
		if (asked[i / 2 % 3] == RANGE)
			spec.dst_port = (__u16)(5000 + test_random() % 1000);
		other = spec;
		other.src_port ^= 0x5555;
		assert_int_equal(scheduled(&spec), scheduled(&other));
		make_piece(&spec, i % 3 ? WHOLE : LATER);
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		assert_int_equal(backend_of(&out), scheduled(&spec));
	}
}

static int take_flow(const struct lb_flow_info *flow, void *arg)
{
	assert_true(flow->is_three_tuple);
	assert_int_equal(flow->client_port, 0);
	assert_int_equal(flow->vip_port, strcmp(flow->service, "prefix-0") ? 5060 : 0);
	(*(unsigned int *)arg)++;
	return 0;
}

static unsigned int count_flows(void)
{
	unsigned int count = 0;

	assert_int_equal(lb_walk_flows(world.lb, take_flow, &count, NULL), 0);
	return count;
}

/* Of a service that records flows, a client keeps its backend with all its pieces. */
static void test_recorded(void **state)
{
	static const enum kind asked[] = { RECORDED, PREFIX, GUE };
	const unsigned int before = count_flows();
	int kept[3][2][CLIENTS];
	unsigned int moved = 0;
	struct frame out;

	(void)state;
	commit(2, TABLE);
	for (int i = 0; i < 3 * 2 * CLIENTS; i++) {
		const enum kind kind = asked[i / 2 % 3];
		const unsigned int client = 100 + i / 6;
		struct spec spec = spec_of(kind, i % 2, client, 40000);

		say_case(kind, i % 2, client);
		kept[i / 2 % 3][i % 2][i / 6] = scheduled(&spec);
		send_to(kind, spec, WHOLE, scheduled(&spec), &out);
		/* Of a prefix, each address is another pair. */
		if (kind != PREFIX)
			continue;
		for (int again = 0; again < 3; again++) {
			spec.dst.bytes[15] ^= 1;
			send_to(kind, spec, WHOLE, scheduled(&spec), &out);
		}
	}
	assert_int_equal(count_flows() - before, (1 + 2 + 1) * 2 * CLIENTS);
	commit(BACKENDS, TABLE);
	for (int i = 0; i < 3 * 2 * CLIENTS; i++) {
		const enum kind kind = asked[i / 2 % 3];
		const struct spec spec = spec_of(kind, i % 2, 100 + i / 6, 50000);
		const int backend = kept[i / 2 % 3][i % 2][i / 6];

		say_case(kind, i % 2, 100 + i / 6);
		moved += scheduled(&spec) != backend;
		send_to(kind, spec, LATER, backend, &out);
		send_to(kind, spec, WHOLE, backend, &out);
		send_to(kind, spec, FIRST, backend, &out);
		send_to(kind, spec, LAST, backend, &out);
	}
	assert_true(moved > CLIENTS);
	assert_int_equal(count_flows() - before, (1 + 2 + 1) * 2 * CLIENTS);
	at_case[0] = '\0';
}

/* Of other addresses, of other protocols, or of one that does not show before all are together. */
static void test_others(void **state)
{
	struct frame in, out;

	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct spec spec = spec_of(STATELESS, is_v6, 150, 40000);

		spec.dst.bytes[15]++;
		send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
		spec = spec_of(PREFIX, is_v6, 150, 40000);
		spec.dst.bytes[is_v6 ? 7 : 15] += 128;
		send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
		spec = spec_of(STATELESS, is_v6, 150, 40000);
		spec.proto = IPPROTO_TCP;
		send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
		spec = spec_of(PREFIX, is_v6, 150, 40000);
		spec.proto = IPPROTO_ICMP;
		spec.icmp = 0x0800;
		send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
	}
	for (enum kind kind = STATELESS; kind < TABLE; kind++) {
		struct spec spec = spec_of(kind, true, 150, 40000);

		make_piece(&spec, LATER);
		spec.chain[1] = IPPROTO_DSTOPTS;
		spec.chain_length = 2;
		frame_build(&spec, &in);
		run(&in, &out, LB_R_FRAGMENT, XDP_PASS);
	}
}

/* What is known of the first one counts as ever. */
static void test_overlap(void **state)
{
	struct frame in, out;

	(void)state;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct spec spec = spec_of(STATELESS, is_v6, 160, 40000);

		send_to(STATELESS, spec, FIRST, scheduled(&spec), &out);
		make_piece(&spec, LATER);
		spec.fragment = is_v6 ? 793 : 0x2063;
		frame_build(&spec, &in);
		run(&in, &out, LB_R_FRAGMENT_OVERLAP, XDP_DROP);
	}
}

/* A router says of what a backend has answered that it is too large: quoted are the real ports. */
static void test_errors(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * TABLE; i++) {
		const bool is_v6 = i % 2;
		const struct spec flow = spec_of(i / 2, is_v6, 170, 40000);
		struct spec answer = flow, error = flow;
		struct frame quoted, in, out, wanted;

		say_case(i / 2, is_v6, 170);
		answer.src = flow.dst;
		answer.dst = flow.src;
		answer.src_port = flow.dst_port;
		answer.dst_port = flow.src_port;
		frame_build(&answer, &quoted);
		error.proto = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		error.icmp = is_v6 ? 0x0200 : 0x0304;
		error.src = world_addr(is_v6 ? "2001:db8:c::254" : "198.51.100.254");
		frame_build_quote(&error, &quoted, is_v6 ? 48 : 28, 0, &in);
		run(&in, &out, LB_R_ICMP_FORWARDED, XDP_REDIRECT);
		assert_int_equal(backend_of(&out), scheduled(&flow));
		if (kinds[i / 2].mode != LB_MODE_DSR)
			continue;
		error.ttl--;
		memcpy(error.eth_dst, out.data, 6);
		memcpy(error.eth_src, world.backend.mac, 6);
		frame_build_quote(&error, &quoted, is_v6 ? 48 : 28, 0, &wanted);
		expect(&out, &wanted);
	}
	at_case[0] = '\0';
}

/* The option of a service that is in use, taken away and given back. */
static void test_set(void **state)
{
	struct frame out;

	(void)state;
	for (enum kind kind = STATELESS; kind < TABLE; kind++) {
		commit(BACKENDS, kind);
		for (int i = 0; i < 4; i++) {
			const enum kind asked = i / 2 ? TABLE : kind;
			const struct spec spec = spec_of(asked, i % 2, 180, 40000);

			say_case(asked, i % 2, 180);
			if (asked == kind)
				send_in_vain(spec, LATER, LB_R_FRAGMENT, XDP_PASS);
			else
				send_to(asked, spec, LATER, scheduled(&spec), &out);
		}
	}
	commit(BACKENDS, TABLE);
	for (int i = 0; i < 2 * TABLE; i++) {
		const struct spec spec = spec_of(i / 2, i % 2, 180, 40000);

		say_case(i / 2, i % 2, 180);
		send_to(i / 2, spec, LATER, scheduled(&spec), &out);
	}
	at_case[0] = '\0';
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
	struct lb_config *config = make_config(BACKENDS, TABLE);
	char lines[2048], text[LB_ADDR_TEXT_SIZE];
	size_t used = 0;

	(void)state;
	test_random_seed(5);
	for (unsigned int i = 0; i < 2 * BACKENDS; i++) {
		backend_text(i % 2, i / 2, text);
		used += (size_t)snprintf(
			lines + used, sizeof(lines) - used,
			"neighbour add %s lladdr %02x:%02x:%02x:%02x:%02x:%02x nud permanent "
			"dev b0\n",
			text, world_backend_mac[0], world_backend_mac[1], world_backend_mac[2],
			world_backend_mac[3], world_backend_mac[4], 11 + i / 2);
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
		cmocka_unit_test_teardown(test_pieces, tell_case),
		cmocka_unit_test_teardown(test_table, tell_case),
		cmocka_unit_test_teardown(test_library_agrees, tell_case),
		cmocka_unit_test_teardown(test_recorded, tell_case),
		cmocka_unit_test_teardown(test_others, tell_case),
		cmocka_unit_test_teardown(test_overlap, tell_case),
		cmocka_unit_test_teardown(test_errors, tell_case),
		cmocka_unit_test_teardown(test_set, tell_case),
	};

	return cmocka_run_group_tests_name("fragments", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
