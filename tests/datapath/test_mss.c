// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSS that a SYN says, made smaller: in every mode, wherever the option stands, in answers
 * where they pass; and left alone where it is small enough, cannot be read, or nobody asked. The
 * whole TCP header is compared, and checksums are computed in full.
 */
#include <string.h>

#include <linux/bpf.h>

#include "world.h"

#define CLAMP 1000
#define SAID 1460
#define MTU 1500

static const char *const clients[2] = { "198.51.100.7", "2001:db8:c::7" };
static const char *const backends[2] = { "192.0.2.11", "2001:db8:b::11" };
static const char *const loopback[2] = { "127.0.0.1", "::1" };

/* A service for each, at its number's address and port 80. */
static const struct clamped {
	enum lb_mode mode;
	__u16 mss;
	__u16 outer; /* bytes, by IPv4 */
} services[] = {
	{ LB_MODE_NAT, CLAMP, 0 },	   { LB_MODE_FULLNAT, CLAMP, 0 },
	{ LB_MODE_LOCAL, CLAMP, 0 },	   { LB_MODE_DSR, CLAMP, 0 },
	{ LB_MODE_IPIP, CLAMP, 20 },	   { LB_MODE_GUE, CLAMP, 28 },
	{ LB_MODE_IPIP, LB_MSS_AUTO, 20 }, { LB_MODE_GUE, LB_MSS_AUTO, 28 },
	{ LB_MODE_NAT, LB_MSS_AUTO, 0 },   { LB_MODE_FULLNAT, LB_MSS_AUTO, 0 },
	{ LB_MODE_DSR, LB_MSS_AUTO, 0 },   { LB_MODE_IPIP, LB_MSS_OFF, 20 },
};
#define SERVICES (sizeof(services) / sizeof(services[0]))

/* Options as they stand in the header; at: where the MSS is, 0 for one that must not be found. */
static const struct layout {
	const char *name;
	__u8 bytes[40];
	__u8 length, at;
} layouts[] = {
	{ "alone", { 2, 4, SAID >> 8, SAID & 255 }, 4, 2 },
	{ "as Linux has it",
	  { 2, 4, SAID >> 8, SAID & 255, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 },
	  20,
	  2 },
	{ "at an odd byte", { 1, 2, 4, SAID >> 8, SAID & 255, 1, 1, 1 }, 8, 3 },
	{ "last", { 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 2, 4, SAID >> 8, SAID & 255 }, 16, 14 },
	{ "behind 36 no-operations",
	  { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,	     1,
	    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, SAID >> 8, SAID & 255 },
	  40,
	  38 },
	{ "none", { 0 }, 0, 0 },
	{ "behind the end", { 0, 0, 0, 0, 2, 4, SAID >> 8, SAID & 255 }, 8, 0 },
	{ "behind an option of no length", { 3, 0, 1, 1, 2, 4, SAID >> 8, SAID & 255 }, 8, 0 },
	{ "behind an option of one byte", { 3, 1, 2, 4, SAID >> 8, SAID & 255, 1, 1 }, 8, 0 },
	{ "behind an option that is too long", { 3, 9, 1, 1, 2, 4, SAID >> 8, SAID & 255 }, 8, 0 },
	{ "too short", { 2, 3, SAID >> 8, SAID & 255 }, 4, 0 },
	{ "too long", { 2, 6, SAID >> 8, SAID & 255, 0, 0, 1, 1 }, 8, 0 },
	{ "cut by the header's end", { 1, 1, 2, 4 }, 4, 0 },
};
#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

static char at_case[160];
static struct lb_config *config;

static union lb_addr vip_of(unsigned int service, bool is_v6)
{
	char text[LB_ADDR_TEXT_SIZE];

	snprintf(text, sizeof(text), is_v6 ? "2001:db8::%x" : "203.0.113.%u", 100 + service);
	return world_addr(text);
}

/* What a SYN must say afterwards. */
static __u16 wanted_mss(const struct clamped *service, bool is_v6, __u16 said)
{
	__u16 most = service->mss;

	if (most == LB_MSS_AUTO && service->outer)
		most = MTU - service->outer - (is_v6 ? 60 : 40);
	return most > LB_MSS_AUTO && most < said ? most : said;
}

static void set_layout(struct spec *spec, const struct layout *layout)
{
	memcpy(spec->tcp_options, layout->bytes, layout->length);
	spec->tcp_option_bytes = layout->length;
}

/* The last packet in the frame, whatever is around it, has the options that are wanted. */
static void expect(const struct frame *in, const struct frame *out, bool is_v6,
		   const struct layout *layout, __u16 mss)
{
	const __u32 before = out->length - in->length;
	struct frame inner = { .l3 = in->l3, .l4 = in->l4, .length = in->length };
	__u8 options[40];

	memcpy(options, layout->bytes, sizeof(options));
	if (layout->at) {
		options[layout->at] = mss >> 8;
		options[layout->at + 1] = mss & 255;
	}
	memcpy(inner.data + in->l3, out->data + in->l3 + before, in->length - in->l3);
	assert_memory_equal(inner.data + in->l4 + 20, options, layout->length);
	/* Nothing behind the options. */
	assert_memory_equal(inner.data + in->l4 + 20 + layout->length,
			    in->data + in->l4 + 20 + layout->length,
			    in->length - in->l4 - 20 - layout->length);
	assert_int_equal(frame_is_sound(&inner, is_v6, IPPROTO_TCP), true);
}

static void send_syn(unsigned int number, bool is_v6, const struct layout *layout, __u8 flags,
		     __u16 client_port, struct frame *out)
{
	const struct clamped *service = &services[number];
	struct spec spec = {
		.is_v6 = is_v6,
		.proto = IPPROTO_TCP,
		.tcp_flags = flags,
		.ttl = 64,
		.src = world_addr(clients[is_v6]),
		.dst = vip_of(number, is_v6),
		.src_port = client_port,
		.dst_port = 80,
		.payload = 11,
	};
	const bool is_syn = flags & TCP_SYN;
	struct frame in;

	memcpy(spec.eth_dst, world.client.mac, 6);
	memcpy(spec.eth_src, world_client_mac, 6);
	set_layout(&spec, layout);
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.client, &in, out),
			 service->mode == LB_MODE_LOCAL ? XDP_PASS : XDP_REDIRECT);
	expect(&in, out, is_v6, layout, is_syn ? wanted_mss(service, is_v6, SAID) : SAID);
}

static void for_each(void (*fn)(unsigned int service, bool is_v6, const struct layout *layout))
{
	for (unsigned int i = 0; i < SERVICES * 2 * LAYOUTS; i++) {
		const unsigned int number = i / (2 * LAYOUTS);
		const struct layout *layout = &layouts[i % LAYOUTS];
		const bool is_v6 = i / LAYOUTS & 1;

		snprintf(at_case, sizeof(at_case), "%s, mss %u, IPv%d, %s",
			 lb_mode_name(services[number].mode), services[number].mss, is_v6 ? 6 : 4,
			 layout->name);
		fn(number, is_v6, layout);
	}
	at_case[0] = '\0';
}

/* The same SYN once more is another way through full NAT. */
static void clamp(unsigned int service, bool is_v6, const struct layout *layout)
{
	const __u16 port = 20000 + (layout - layouts);
	struct frame out;

	send_syn(service, is_v6, layout, TCP_SYN, port, &out);
	send_syn(service, is_v6, layout, TCP_SYN, port, &out);
	send_syn(service, is_v6, layout, TCP_ACK, port, &out);
}

static void test_requests(void **state)
{
	(void)state;
	for_each(clamp);
}

/* What the backend of nat or full NAT answers. */
static void clamp_answer(unsigned int number, bool is_v6, const struct layout *layout)
{
	const struct clamped *service = &services[number];
	struct spec spec = {
		.is_v6 = is_v6,
		.proto = IPPROTO_TCP,
		.tcp_flags = TCP_SYN | TCP_ACK,
		.ttl = 64,
		.src = world_addr(backends[is_v6]),
		.src_port = 8000 + number,
		.dst_port = 30000 + (layout - layouts),
	};
	struct frame in, out;

	if (service->mode != LB_MODE_NAT && service->mode != LB_MODE_FULLNAT)
		return;
	send_syn(number, is_v6, layout, TCP_SYN, spec.dst_port, &out);
	spec.dst = world_addr(clients[is_v6]);
	if (service->mode == LB_MODE_FULLNAT) {
		spec.dst_port = frame_src_port(&out);
		spec.dst = world_addr(is_v6 ? "2001:db8:b::1" : "192.0.2.1");
	}
	memcpy(spec.eth_dst, world.backend.mac, 6);
	memcpy(spec.eth_src, world_backend_mac, 6);
	set_layout(&spec, layout);
	frame_build(&spec, &in);
	assert_int_equal(world_run(&world.backend, &in, &out), XDP_REDIRECT);
	expect(&in, &out, is_v6, layout, wanted_mss(service, is_v6, SAID));
}

static void test_answers(void **state)
{
	(void)state;
	for_each(clamp_answer);
}

/* What is small enough stays, and so does what would grow. */
static void test_small(void **state)
{
	static const __u16 said[] = { 0, 1, CLAMP - 1, CLAMP, CLAMP + 1, 65535 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct layout layout = { .bytes = { 2, 4, said[i] >> 8, said[i] & 255 },
					 .length = 4,
					 .at = 2 };
		struct spec spec = {
			.proto = IPPROTO_TCP,
			.tcp_flags = TCP_SYN,
			.ttl = 64,
			.src = world_addr(clients[0]),
			.dst = vip_of(0, false),
			.src_port = 20000,
			.dst_port = 80,
		};
		struct frame in, out;

		set_layout(&spec, &layout);
		frame_build(&spec, &in);
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		expect(&in, &out, false, &layout, wanted_mss(&services[0], false, said[i]));
	}
}

/* A header that claims more options than the frame has: nothing is read behind its end. */
static void test_cuts(void **state)
{
	const struct layout *layout = &layouts[1];
	struct frame in, out;

	(void)state;
	for (int cut = 0; cut <= layout->length; cut++) {
		struct spec spec = {
			.proto = IPPROTO_TCP,
			.tcp_flags = TCP_SYN,
			.ttl = 64,
			.src = world_addr(clients[0]),
			.dst = vip_of(0, false),
			.src_port = 20000,
			.dst_port = 80,
		};

		set_layout(&spec, layout);
		frame_build(&spec, &in);
		in.length -= cut;
		assert_int_equal(world_run(&world.client, &in, &out), XDP_REDIRECT);
		assert_int_equal(out.length, in.length);
		if (cut > layout->length - 4)
			assert_memory_equal(out.data + in.l4 + 20, in.data + in.l4 + 20,
					    in.length - in.l4 - 20);
		else
			assert_int_equal(out.data[in.l4 + 22] << 8 | out.data[in.l4 + 23], CLAMP);
	}
}

static int tell_case(void **state)
{
	(void)state;
	if (at_case[0])
		printf("in case: %s\n", at_case);
	return 0;
}

static void add_service(unsigned int number, bool is_v6)
{
	const bool is_local = services[number].mode == LB_MODE_LOCAL;
	const union lb_addr addr = vip_of(number, is_v6);
	char name[LB_NAME_SIZE], vip[LB_ADDR_TEXT_SIZE];
	struct lb_service_config *service;

	snprintf(name, sizeof(name), "s%u-%d", number, is_v6 ? 6 : 4);
	service = world_add_service(config, name, IPPROTO_TCP, lb_addr_format(&addr, vip), 80,
				    services[number].mode);
	service->slots = LB_SLOTS_MIN;
	service->mss = services[number].mss;
	/* Tunnels are by IPv4 for both, so that one overhead is wanted. */
	world_add_backend(config, name,
			  is_local ? loopback[is_v6] : backends[is_v6 && !services[number].outer],
			  lb_mode_keeps_packet(services[number].mode) ? 0 : 8000 + number, 1);
}

static int open_world(void **state)
{
	(void)state;
	world_ip("neighbour add 192.0.2.11 lladdr 02:00:00:00:0b:11 nud permanent dev b0\n"
		 "neighbour add 2001:db8:b::11 lladdr 02:00:00:00:0b:11 nud permanent dev b0\n");
	config = lb_config_new();
	assert_non_null(config);
	config->limits.services = 64;
	config->limits.backends = 64;
	config->limits.slots = 65536;
	config->limits.flows = 8192;
	for (unsigned int i = 0; i < 2 * SERVICES; i++)
		add_service(i / 2, i & 1);
	world_open(config);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close();
	lb_config_free(config);
	return 0;
}

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_requests, tell_case),
		cmocka_unit_test_teardown(test_answers, tell_case),
		cmocka_unit_test_teardown(test_small, tell_case),
		cmocka_unit_test_teardown(test_cuts, tell_case),
	};

	return cmocka_run_group_tests_name("mss", tests, open_world, close_world);
}

int main(void)
{
	return world_guard(run_group);
}
