// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the full-NAT flows that are measured later, as a client and a server would: SYN, SYN-ACK,
 * ACK, each through lbctl's own program. What the server sees is noted, since replies are made from
 * it.
 */
#include "bench.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/bpf.h>

#define V4_PORTS 34
#define V6_PORTS 54
#define TCP_FLAGS 13
#define TCP_SYN 0x02
#define TCP_ACK 0x10

static uint32_t read32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static uint16_t read16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return ntohs(value);
}

static void write32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static void write16(uint8_t *at, uint16_t value)
{
	value = htons(value);
	memcpy(at, &value, sizeof(value));
}

static void frame_set(uint8_t *frame, bool is_v6, const struct feed_tuple *tuple, uint8_t flags)
{
	uint8_t *ports = frame + (is_v6 ? V6_PORTS : V4_PORTS);

	write32(frame + (is_v6 ? 34 : 26), tuple->src);
	write32(frame + (is_v6 ? 50 : 30), tuple->dst);
	write16(ports, tuple->src_port);
	write16(ports + 2, tuple->dst_port);
	ports[TCP_FLAGS] = flags;
}

/* The reply to a frame as the backend has received it. */
static void tuple_reverse(const uint8_t *frame, bool is_v6, struct feed_tuple *tuple)
{
	const uint8_t *ports = frame + (is_v6 ? V6_PORTS : V4_PORTS);

	tuple->dst = read32(frame + (is_v6 ? 34 : 26));
	tuple->src = read32(frame + (is_v6 ? 50 : 30));
	tuple->dst_port = read16(ports);
	tuple->src_port = read16(ports + 2);
}

static int open_flow(struct bench *bench, const struct feed *forward, const struct feed *reply,
		     uint32_t flow, struct feed_tuple *recorded)
{
	const bool is_v6 = forward->config.is_v6;
	uint8_t frame[FEED_FRAME];
	uint32_t length = FEED_FRAME;
	struct feed_tuple tuple;
	int action;

	feed_make_tuple(&forward->config, flow, &tuple);
	memcpy(frame, forward->frame, sizeof(frame));
	frame_set(frame, is_v6, &tuple, TCP_SYN);
	action = bench_pass_one(bench, frame, &length);
	if (action != XDP_TX && action != XDP_REDIRECT)
		return action < 0 ? action : -EPROTO;
	tuple_reverse(frame, is_v6, recorded);
	memcpy(frame, reply->frame, sizeof(frame));
	frame_set(frame, is_v6, recorded, TCP_SYN | TCP_ACK);
	action = bench_pass_one(bench, frame, &length);
	if (action != XDP_TX && action != XDP_REDIRECT)
		return action < 0 ? action : -EPROTO;
	memcpy(frame, forward->frame, sizeof(frame));
	frame_set(frame, is_v6, &tuple, TCP_ACK);
	action = bench_pass_one(bench, frame, &length);
	return action == XDP_TX || action == XDP_REDIRECT ? 0 : action < 0 ? action : -EPROTO;
}

int establish(struct bench *bench, enum feed_number forward, enum feed_number reply)
{
	struct feed *feed = &feeds[forward];
	struct feed_tuple *recorded = bench_tuples(bench) + feeds[reply].config.table;

	for (uint32_t i = 0; i < feed->config.flows; i++) {
		int err = open_flow(bench, feed, &feeds[reply], i, &recorded[i]);

		if (err) {
			fprintf(stderr, "bench: %s: flow %u was not opened: %s\n", feed->name, i,
				strerror(-err));
			return err;
		}
	}
	return 0;
}
