/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the contract that is about health probes through the datapath. Included by lb_abi.h,
 * whose rules hold here too.
 */
#ifndef LB_PROBE_ABI_H
#define LB_PROBE_ABI_H

#include <linux/types.h>

#include "lb_assert.h"

/*
 * By the local port that lbd has given a backend, of TCP and of UDP. The datapath notes what became
 * of the last packet.
 */
#define LB_PROBE_PORTS 65536
struct lb_probe {
	__u16 mark; /* the backend's number and one; 0: the port is nobody's */
	__u8 fate;  /* enum lb_reason; 0: no packet was seen */
	__u8 reserved;
};

struct lb_probe_port {
	struct lb_probe tcp, udp;
};

LB_ASSERT(sizeof(struct lb_probe_port) == 8, "struct lb_probe_port");

#endif
