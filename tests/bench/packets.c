// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which packets the bench feeds: addresses and ports of every kind of traffic (scripts/bench
 * configures the same ones), and the bytes of their frames. Documentation and benchmark ranges; the
 * flood's sources are sixteen million private addresses that never leave a namespace.
 */
#include "bench.h"

#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define CLIENTS V4(198, 18, 0, 0)
#define FLOOD_CLIENTS V4(10, 0, 0, 0)
#define VIP V4(203, 0, 113, 1)
#define VIPS V4(203, 0, 113, 2)
#define NO_VIP V4(203, 0, 113, 254)
#define VIP_ALL V4(203, 0, 113, 253)
#define VIP_PREFIX V4(203, 0, 113, 252)
#define BACKEND V4(192, 0, 2, 10)
#define CLIENT_PORT 2000
#define REPLY_FEW 1000
#define REPEAT 1000000
#define REPEAT_NEW 300000

#define TCP_ACK 0x10
#define TCP_SYN 0x02

enum feed_kind {
	KIND_V6 = 1,
	KIND_UDP = 2,
	KIND_SYN = 4,
	KIND_REPLY = 8,	  /* the client is the destination */
	KIND_TABLE = 16,  /* recorded by establish.c */
	KIND_RANDOM = 32, /* both addresses without plan */
	KIND_MANY = 64,	  /* as many flows as asked for */
	KIND_FEW = 128,
	KIND_NEW = 256, /* no flow comes twice */
	KIND_FLOOD = 512,
	KIND_MOVE = 1024, /* lbctl moves the head */
};

struct feed_plan {
	uint32_t kind;
	uint32_t server; /* low 32 bits of the address that is not the client's */
	uint16_t port;
	uint16_t services;
	enum lb_reason reason;
	const char *name;
};

#define MODE_PLANS(id, family, name, server, port, kinds, reason, phase, is_extra)                 \
	[FEED_##id##_ONE] = { kinds, server, port, 0, reason, name },                              \
	[FEED_##id##_MANY] = { (kinds) | KIND_MANY, server, port, 0, reason, name ", many" },
#define SERVICES_PLAN(id, word, name, kinds, is_extra)                                             \
	[FEED_SERVICES_##id] = { (kinds) | KIND_MANY,  VIPS, 1000, 500, LB_R_FORWARDED,            \
				 name ", 500 services" },

/* clang-format off */
static const struct feed_plan plans[FEED_COUNT] = {
	[FEED_NOT_OURS] = { 0, NO_VIP, 80, 0, LB_R_NOT_OURS, "not ours" },
	[FEED_NOT_OURS_RANDOM] = { KIND_RANDOM | KIND_MANY, NO_VIP, 80, 0, LB_R_NOT_OURS, "not ours, random" },
	[FEED_NAT4_ONE] = { 0, VIP, 80, 0, LB_R_FORWARDED, "nat v4" },
	[FEED_NAT4_MANY] = { KIND_MANY, VIP, 80, 0, LB_R_FORWARDED, "nat v4, many" },
	[FEED_NAT6_ONE] = { KIND_V6, 1, 80, 0, LB_R_FORWARDED, "nat v6" },
	[FEED_NAT6_MANY] = { KIND_V6 | KIND_MANY, 1, 80, 0, LB_R_FORWARDED, "nat v6, many" },
	[FEED_NAT4_OUT] = { 0, VIP, 81, 0, LB_R_FORWARDED, "nat v4, other interface" },
	[FEED_NAT4_REPLY_ONE] = { KIND_REPLY, BACKEND, 8080, 0, LB_R_REPLIED, "nat v4 reply" },
	[FEED_NAT4_REPLY_FEW] = { KIND_REPLY | KIND_FEW, BACKEND, 8080, 0, LB_R_REPLIED, "nat v4 reply, few" },
	[FEED_NAT4_REPLY_MANY] = { KIND_REPLY | KIND_MANY, BACKEND, 8080, 0, LB_R_REPLIED, "nat v4 reply, many" },
	[FEED_NAT6_REPLY_ONE] = { KIND_V6 | KIND_REPLY, 0x10, 8080, 0, LB_R_REPLIED, "nat v6 reply" },
	[FEED_NAT6_REPLY_MANY] = { KIND_V6 | KIND_REPLY | KIND_MANY, 0x10, 8080, 0, LB_R_REPLIED, "nat v6 reply, many" },
	[FEED_UDP] = { KIND_UDP | KIND_MANY, VIP, 53, 0, LB_R_FORWARDED, "udp stateless" },
	[FEED_SERVICES] = { KIND_MANY, VIPS, 1000, 500, LB_R_FORWARDED, "nat v4, 500 services" },
	[FEED_FLOOD] = { KIND_SYN | KIND_FLOOD, VIP, 80, 0, LB_R_FORWARDED, "nat v4, SYN flood" },
	[FEED_FULL4_ONE] = { 0, VIP, 82, 0, LB_R_FORWARDED, "fullnat v4" },
	[FEED_FULL4_MANY] = { KIND_MANY, VIP, 82, 0, LB_R_FORWARDED, "fullnat v4, many" },
	[FEED_FULL6_ONE] = { KIND_V6, 1, 82, 0, LB_R_FORWARDED, "fullnat v6" },
	[FEED_FULL6_MANY] = { KIND_V6 | KIND_MANY, 1, 82, 0, LB_R_FORWARDED, "fullnat v6, many" },
	[FEED_FULL4_REPLY_ONE] = { KIND_TABLE, 0, 0, 0, LB_R_REPLIED, "fullnat v4 reply" },
	[FEED_FULL4_REPLY_MANY] = { KIND_TABLE | KIND_MANY, 0, 0, 0, LB_R_REPLIED, "fullnat v4 reply, many" },
	[FEED_FULL6_REPLY_ONE] = { KIND_V6 | KIND_TABLE, 0, 0, 0, LB_R_REPLIED, "fullnat v6 reply" },
	[FEED_FULL6_REPLY_MANY] = { KIND_V6 | KIND_TABLE | KIND_MANY, 0, 0, 0, LB_R_REPLIED, "fullnat v6 reply, many" },
	[FEED_NEW4] = { KIND_SYN | KIND_NEW, VIP, 83, 0, LB_R_FORWARDED, "fullnat v4, new" },
	[FEED_NEW6] = { KIND_V6 | KIND_SYN | KIND_NEW, 1, 83, 0, LB_R_FORWARDED, "fullnat v6, new" },
	BENCH_MODES(MODE_PLANS) BENCH_SERVICES(SERVICES_PLAN)
	[FEED_FLOOD_IPIP] = { KIND_SYN | KIND_FLOOD | KIND_MOVE, VIP, 85, 0, LB_R_FORWARDED, "ipip, SYN flood" },
	[FEED_LIVE] = { KIND_UDP | KIND_FEW, VIP, 53, 0, LB_R_FORWARDED, "live" },
};
/* clang-format on */

struct feed feeds[FEED_COUNT];

static uint16_t checksum(const void *data, size_t length)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < length / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void write_v4(uint8_t *frame, uint8_t proto)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(FEED_FRAME - ETH_HLEN),
		.frag_off = htons(0x4000),
		.ttl = 64,
		.protocol = proto,
	};

	ip.check = checksum(&ip, sizeof(ip));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
}

/* The addresses' upper 96 bits; the feeder writes the lower 32. */
static void write_v6(uint8_t *frame, uint8_t proto, const char *src, const char *dst)
{
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = htons(FEED_FRAME - ETH_HLEN - sizeof(ip)),
		.nexthdr = proto,
		.hop_limit = 64,
	};

	inet_pton(AF_INET6, src, &ip.saddr);
	inet_pton(AF_INET6, dst, &ip.daddr);
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
}

static void write_frame(uint8_t *frame, uint32_t kind)
{
	static const uint8_t macs[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xfe };
	static const char *const client = "2001:db8:18::", *const server = "2001:db8:2::";
	static const char *const backend = "2001:db8:1::";
	uint8_t proto = kind & KIND_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	uint8_t *l4 = frame + ETH_HLEN + (kind & KIND_V6 ? sizeof(struct ipv6hdr) : 20);
	uint16_t type = htons(kind & KIND_V6 ? ETH_P_IPV6 : ETH_P_IP);

	memset(frame, 0, FEED_FRAME);
	memcpy(frame, macs, sizeof(macs));
	memcpy(frame + sizeof(macs), &type, sizeof(type));
	if (!(kind & KIND_V6))
		write_v4(frame, proto);
	else if (kind & KIND_TABLE)
		write_v6(frame, proto, backend, backend);
	else if (kind & KIND_REPLY)
		write_v6(frame, proto, backend, client);
	else
		write_v6(frame, proto, client, server);
	if (kind & KIND_UDP) {
		struct udphdr udp = {
			.len = htons((uint16_t)(frame + FEED_FRAME - l4)),
			/* None: else conntrack would compute it, which a NIC does elsewhere. */
			.check = 0,
		};

		memcpy(l4, &udp, sizeof(udp));
		return;
	}
	/* After the ports: sequence, acknowledgement, length, flags, window, checksum. */
	memcpy(l4 + 4, "\1\2\3\4\0\0\0\0\x50\0\xff\xff\x12\x34", 14);
	if (!(kind & KIND_SYN))
		memcpy(l4 + 8, "\5\6\7\10", 4);
	l4[13] = kind & KIND_SYN ? TCP_SYN : TCP_ACK;
}

static uint32_t flows_of(uint32_t kind, uint32_t many)
{
	if (kind & (KIND_NEW | KIND_FLOOD))
		return UINT32_MAX;
	if (kind & KIND_MANY)
		return many;
	return kind & KIND_FEW ? REPLY_FEW : 1;
}

static void feed_init(struct feed *feed, const struct feed_plan *plan, uint32_t flows)
{
	struct feed_config *config = &feed->config;
	uint32_t client = plan->kind & KIND_FLOOD ? FLOOD_CLIENTS : CLIENTS;

	memset(feed, 0, sizeof(*feed));
	feed->name = plan->name;
	feed->reason = plan->reason;
	feed->is_moved = !!(plan->kind & KIND_MOVE);
	feed->repeat = plan->kind & KIND_NEW ? REPEAT_NEW : REPEAT;
	write_frame(feed->frame, plan->kind);
	memcpy(config->words, feed->frame, sizeof(config->words));
	config->flows = flows_of(plan->kind, flows);
	config->services = plan->services;
	config->is_v6 = !!(plan->kind & KIND_V6);
	config->is_reply = !!(plan->kind & KIND_REPLY);
	config->is_table = !!(plan->kind & KIND_TABLE);
	config->client_bits = plan->kind & KIND_FLOOD ? 24 : 16;
	config->client_mask =
		plan->kind & KIND_RANDOM ? UINT32_MAX : (1u << config->client_bits) - 1;
	config->random_mask = plan->kind & KIND_RANDOM ? UINT32_MAX : 0;
	config->table = plan->kind & KIND_TABLE && plan->kind & KIND_V6 ? flows : 0;
	config->base.src = plan->kind & KIND_REPLY ? plan->server : client;
	config->base.dst = plan->kind & KIND_REPLY ? client : plan->server;
	config->base.src_port = plan->kind & KIND_REPLY ? plan->port : CLIENT_PORT;
	config->base.dst_port = plan->kind & KIND_REPLY ? CLIENT_PORT : plan->port;
	if (plan->kind & KIND_RANDOM)
		config->base.src = config->base.dst = 0;
}

void feeds_init(uint32_t flows)
{
	for (int i = 0; i < FEED_COUNT; i++)
		feed_init(&feeds[i], &plans[i], flows);
}
