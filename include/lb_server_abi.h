/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QUIC by connection id, a part of lb_abi.h: from the number in an id to the number of a backend,
 * which is believed only if the backend says the same.
 */
#ifndef LB_SERVER_ABI_H
#define LB_SERVER_ABI_H

#include <linux/types.h>

struct lb_server_key {
	__u32 service;
	__u32 id; /* as lb_backend.server_id */
};

#endif
