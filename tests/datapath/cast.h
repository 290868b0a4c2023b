/* SPDX-License-Identifier: GPL-2.0-only */
/* Who plays in the packet table: services and backends, each in both families, and one client. */
#ifndef TEST_CAST_H
#define TEST_CAST_H

#include "world.h"

enum part {
	NAT,	   /* reachable backend */
	FULL,	   /* the same by full NAT */
	PLAIN_UDP, /* nat, UDP, each packet by the hash alone */
	EMPTY,	   /* no backend */
	SHUT,	   /* the same, and clients are told */
	FAR,	   /* backend behind the interface without a program */
	HOLE,	   /* backend with a blackhole route */
	SLIM,	   /* backend by a route with a small MTU */
	LOST,	   /* nat, backend whose link address nobody knows */
	LOST_FULL, /* the same by full NAT */
	GONE,	   /* full NAT, backend that is removed */
	BARE,	   /* full NAT without a source address */
	SELF,	   /* nat, backend that is this host itself */
	SELF_FULL, /* the same by full NAT */
	ONE_ARM,   /* backend on the clients' side */
	LOCAL,	   /* a process of the host */
	PARTS,
};

#define CAST_CLIENT_PORT 40000
#define CAST_SERVICE_PORT 80
#define CAST_BACKEND_PORT 8080
#define CAST_MTU 1280

extern const char *const cast_client[2];   /* by is_v6 */
extern const char *const cast_stranger[2]; /* a client whose link address nobody knows */
extern const char *const cast_router[2];   /* on the way, sends ICMP errors */
extern const char *const cast_source[2];   /* full NAT's source */

const char *cast_vip(enum part part, bool is_v6);
const char *cast_backend(enum part part, bool is_v6);
/* Adds the neighbours and routes that the parts need. */
void cast_make_routes(void);
/* The document with all of them; without the backends of GONE if is_gone. */
struct lb_config *cast_config(bool is_gone);

#endif
