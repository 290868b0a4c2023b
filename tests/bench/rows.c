// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows of the report: which traffic through lbctl stands beside which floor or yardstick, and
 * the goal. Goals are those of docs/performance.md.
 */
#include "bench.h"

#define LRU(set) (TARGET_LRU + (set))
#define RATIO COMPARE_RATIO
#define MORE COMPARE_MORE
#define NULL_4                                                                                     \
	{                                                                                          \
		FEED_NAT4_ONE, TARGET_NULL                                                         \
	}
#define PARSE_4                                                                                    \
	{                                                                                          \
		FEED_NAT4_ONE, TARGET_PARSE                                                        \
	}
#define LRU_4_ONE                                                                                  \
	{                                                                                          \
		FEED_NAT4_ONE, LRU(SET_V4)                                                         \
	}
#define LRU_4_MANY                                                                                 \
	{                                                                                          \
		FEED_NAT4_MANY, LRU(SET_V4)                                                        \
	}
#define LRU_6_ONE                                                                                  \
	{                                                                                          \
		FEED_NAT6_ONE, LRU(SET_V6)                                                         \
	}
#define LRU_6_MANY                                                                                 \
	{                                                                                          \
		FEED_NAT6_MANY, LRU(SET_V6)                                                        \
	}
#define LRU_SERVICES                                                                               \
	{                                                                                          \
		FEED_SERVICES, LRU(SET_SERVICES)                                                   \
	}
#define OURS(feed)                                                                                 \
	{                                                                                          \
		feed, TARGET_LB                                                                    \
	}

#define MODE_ROWS(id, family, name, server, port, kinds, reason, phase, is_extra)                  \
	{ name ", 1 flow", OURS(FEED_##id##_ONE), LRU_##family##_ONE, "LRU", RATIO, 0.35, phase,   \
	  is_extra },                                                                              \
		{ name ", 1 M flows",                                                              \
		  OURS(FEED_##id##_MANY),                                                          \
		  LRU_##family##_MANY,                                                             \
		  "LRU",                                                                           \
		  RATIO,                                                                           \
		  0.12,                                                                            \
		  phase,                                                                           \
		  is_extra },
#define SERVICES_ROW(id, word, name, kinds, is_extra)                                              \
	{ name ", 500 services, 1 M flows",                                                        \
	  OURS(FEED_SERVICES_##id),                                                                \
	  LRU_SERVICES,                                                                            \
	  "LRU",                                                                                   \
	  RATIO,                                                                                   \
	  0.40,                                                                                    \
	  PHASE_##id,                                                                              \
	  is_extra },

/* clang-format off */
const struct row rows[] = {
	{ "floor: parse, swap MACs, IPv4", PARSE_4, NULL_4, "nothing", MORE, 0, PHASE_V4, false },
	{ "floor: parse, swap MACs, IPv6", { FEED_NAT6_ONE, TARGET_PARSE }, { FEED_NAT6_ONE, TARGET_NULL }, "nothing", MORE, 0, PHASE_V4, false },
	{ "LRU yardstick, IPv4, 1 flow", LRU_4_ONE, PARSE_4, "parse", MORE, 0, PHASE_V4, false },
	{ "LRU yardstick, IPv4, 1 M flows", LRU_4_MANY, PARSE_4, "parse", MORE, 0, PHASE_V4, false },
	{ "not ours", OURS(FEED_NOT_OURS), { FEED_NOT_OURS, TARGET_PARSE }, "parse", MORE, 8, PHASE_V4, false },
	{ "not ours, 1 M random addresses", OURS(FEED_NOT_OURS_RANDOM), { FEED_NOT_OURS_RANDOM, TARGET_PARSE }, "parse", MORE, 8, PHASE_V4, false },
	{ "nat, IPv4, 1 flow", OURS(FEED_NAT4_ONE), LRU_4_ONE, "LRU", RATIO, 0.35, PHASE_V4, false },
	{ "nat, IPv4, 1 M flows", OURS(FEED_NAT4_MANY), LRU_4_MANY, "LRU", RATIO, 0.12, PHASE_V4, false },
	{ "nat, IPv6, 1 flow", OURS(FEED_NAT6_ONE), LRU_6_ONE, "LRU", RATIO, 0.35, PHASE_V4, false },
	{ "nat, IPv6, 1 M flows", OURS(FEED_NAT6_MANY), LRU_6_MANY, "LRU", RATIO, 0.12, PHASE_V4, false },
	{ "nat, IPv4, 1 flow, redirected", OURS(FEED_NAT4_OUT), LRU_4_ONE, "LRU", RATIO, 0, PHASE_V4, false },
	{ "nat, IPv4, 500 services, 1 M flows", OURS(FEED_SERVICES), LRU_SERVICES, "LRU", RATIO, 0.40, PHASE_V4, false },
	{ "nat, IPv4, UDP stateless, 1 M flows", OURS(FEED_UDP), LRU_4_MANY, "LRU (TCP)", RATIO, 0, PHASE_V4, false },
	{ "nat reply, IPv4, 1 flow", OURS(FEED_NAT4_REPLY_ONE), LRU_4_ONE, "LRU", RATIO, 0, PHASE_V4, false },
	{ "nat reply, IPv4, 1,000 clients", OURS(FEED_NAT4_REPLY_FEW), LRU_4_ONE, "LRU, 1 flow", RATIO, 0, PHASE_V4, false },
	{ "nat reply, IPv4, 1 M flows", OURS(FEED_NAT4_REPLY_MANY), LRU_4_MANY, "LRU", RATIO, 0, PHASE_V4, false },
	{ "nat reply, IPv6, 1 flow", OURS(FEED_NAT6_REPLY_ONE), LRU_6_ONE, "LRU", RATIO, 0, PHASE_V4, false },
	{ "nat reply, IPv6, 1 M flows", OURS(FEED_NAT6_REPLY_MANY), LRU_6_MANY, "LRU", RATIO, 0, PHASE_V4, false },
	{ "SYN flood on nat, 16 M sources", OURS(FEED_FLOOD), OURS(FEED_NAT4_MANY), "established", RATIO, 1.2, PHASE_V4, false },
	{ "fullnat, IPv4, 1 flow", OURS(FEED_FULL4_ONE), LRU_4_ONE, "LRU", RATIO, 0.8, PHASE_V4, false },
	{ "fullnat, IPv4, 1 M flows", OURS(FEED_FULL4_MANY), LRU_4_MANY, "LRU", RATIO, 0.7, PHASE_V4, false },
	{ "fullnat, IPv6, 1 flow", OURS(FEED_FULL6_ONE), LRU_6_ONE, "LRU", RATIO, 0.8, PHASE_V6, false },
	{ "fullnat, IPv6, 1 M flows", OURS(FEED_FULL6_MANY), LRU_6_MANY, "LRU", RATIO, 0.7, PHASE_V6, false },
	{ "fullnat reply, IPv4, 1 flow", OURS(FEED_FULL4_REPLY_ONE), LRU_4_ONE, "LRU", RATIO, 0.8, PHASE_V4, false },
	{ "fullnat reply, IPv4, 1 M flows", OURS(FEED_FULL4_REPLY_MANY), LRU_4_MANY, "LRU", RATIO, 0.7, PHASE_V4, false },
	{ "fullnat reply, IPv6, 1 flow", OURS(FEED_FULL6_REPLY_ONE), LRU_6_ONE, "LRU", RATIO, 0.8, PHASE_V6, false },
	{ "fullnat reply, IPv6, 1 M flows", OURS(FEED_FULL6_REPLY_MANY), LRU_6_MANY, "LRU", RATIO, 0.7, PHASE_V6, false },
	BENCH_MODES(MODE_ROWS) BENCH_SERVICES(SERVICES_ROW)
	{ "nat, IPv4, 1 flow, against ipip", OURS(FEED_NAT4_ONE), OURS(FEED_IPIP4_ONE), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "nat, IPv4, 1 M flows, against ipip", OURS(FEED_NAT4_MANY), OURS(FEED_IPIP4_MANY), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "nat, IPv6, 1 flow, against ipip", OURS(FEED_NAT6_ONE), OURS(FEED_IPIP6_ONE), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "nat, IPv6, 1 M flows, against ipip", OURS(FEED_NAT6_MANY), OURS(FEED_IPIP6_MANY), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "gue, 4 in 4, 1 flow, against ipip", OURS(FEED_GUE4_ONE), OURS(FEED_IPIP4_ONE), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "gue, 4 in 4, 1 M flows, against ipip", OURS(FEED_GUE4_MANY), OURS(FEED_IPIP4_MANY), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "gue, 6 in 6, 1 flow, against ipip", OURS(FEED_GUE6_ONE), OURS(FEED_IPIP6_ONE), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "gue, 6 in 6, 1 M flows, against ipip", OURS(FEED_GUE6_MANY), OURS(FEED_IPIP6_MANY), "ipip", RATIO, 1.15, PHASE_V4, false },
	{ "SYN flood on ipip, 16 M sources", OURS(FEED_FLOOD_IPIP), OURS(FEED_IPIP4_MANY), "established", RATIO, 1.2, PHASE_V4, false },
	{ "fullnat, IPv4, new connection", OURS(FEED_NEW4), { FEED_NEW4, TARGET_INSERT }, "LRU insert", RATIO, 1.3, PHASE_NEW, false },
	{ "fullnat, IPv6, new connection", OURS(FEED_NEW6), { FEED_NEW6, TARGET_INSERT }, "LRU insert", RATIO, 1.3, PHASE_NEW, false },
};
/* clang-format on */

const unsigned int row_count = sizeof(rows) / sizeof(rows[0]);

_Static_assert(sizeof(rows) / sizeof(rows[0]) <= BENCH_ROWS_MAX, "BENCH_ROWS_MAX");
