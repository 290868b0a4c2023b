/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The forwarding modes that leave the packet as it is, and services of several ports or addresses.
 * Each line is a feed of one flow, one of many, and a row of the report for both: feeds in
 * packets.c, rows in rows.c, the services themselves in scripts/bench.
 */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

/* clang-format off */
#define BENCH_MODES(X)                                                                             \
	/* id, family, name, service: low 32 bits of its address, port; kinds; reason; phase; is_extra */ \
	X(DSR4, 4, "dsr, IPv4", VIP, 84, 0, LB_R_FORWARDED, PHASE_V4, true)                        \
	X(DSR6, 6, "dsr, IPv6", 1, 84, KIND_V6, LB_R_FORWARDED, PHASE_V4, true)                    \
	X(IPIP4, 4, "ipip, 4 in 4", VIP, 85, KIND_MOVE, LB_R_FORWARDED, PHASE_V4, false)           \
	X(IPIP6, 6, "ipip, 6 in 6", 1, 85, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_V4, false)   \
	X(IPIP46, 4, "ipip, 4 in 6", VIP, 86, KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)           \
	X(IPIP64, 6, "ipip, 6 in 4", 1, 86, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)   \
	X(GUE4, 4, "gue, 4 in 4", VIP, 87, KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)              \
	X(GUE6, 6, "gue, 6 in 6", 1, 87, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)      \
	X(GUE46, 4, "gue, 4 in 6", VIP, 88, KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)             \
	X(GUE64, 6, "gue, 6 in 4", 1, 88, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_V4, true)     \
	X(LOCAL4, 4, "local, IPv4", VIP, 89, 0, LB_R_LOCAL, PHASE_V4, true)                        \
	X(LOCAL6, 6, "local, IPv6", 1, 89, KIND_V6, LB_R_LOCAL, PHASE_V4, true)                    \
	X(RANGE4, 4, "range of ports, 4 in 4", VIP, 5500, KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true) \
	X(RANGE6, 6, "range of ports, 6 in 6", 1, 5500, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true) \
	X(ALL4, 4, "all ports, 4 in 4", VIP_ALL, 5500, KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true) \
	X(ALL6, 6, "all ports, 6 in 6", 0xfd, 5500, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true) \
	X(PREFIX4, 4, "prefix, 4 in 4", VIP_PREFIX, 91, KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true) \
	X(PREFIX6, 6, "prefix, 6 in 6", 0xfc, 91, KIND_V6 | KIND_MOVE, LB_R_FORWARDED, PHASE_RANGE, true)

/* What the many services are made: a phase, a feed and a row each. scripts/bench knows the word. */
#define BENCH_SERVICES(X)                                                                          \
	/* id, word, name, kinds, is_extra */                                                      \
	X(IPIP, "ipip", "ipip, 4 in 4", KIND_MOVE, false)                                          \
	X(DSR, "dsr", "dsr, IPv4", 0, true)                                                        \
	X(GUE, "gue", "gue, 4 in 4", KIND_MOVE, true)                                              \
	X(RANGE, "range", "range of ports, 4 in 4", KIND_MOVE, true)
/* clang-format on */

#endif
