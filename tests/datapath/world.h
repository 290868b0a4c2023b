/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network namespace with the balancer attached to two veths, and single frames through the loaded
 * program. Clients are behind the one veth, backends behind the other; a third has no program.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame.h"
#include "internal.h"

struct world_port {
	const char *name;
	__u32 ifindex;
	__u8 mac[6];
	int program; /* fd of what the kernel runs there */
};

struct world {
	struct lb *lb;
	struct world_port client, backend;
};

extern struct world world;
extern const __u8 world_client_mac[6];
extern const __u8 world_backend_mac[6];

/*
 * Runs body in a namespace of its own, in a child, and removes pins and run directory afterwards
 * however the child ended. Answers what main should.
 */
int world_guard(int (*body)(void));
/* Runs lines of `ip -batch`; asserts success. */
void world_ip(const char *lines);
void world_sysctl(const char *path, const char *value);
/* Commits the document and attaches to both; asserts success. */
void world_open(const struct lb_config *config);
/* The same in generic mode, in which the program then stays. */
void world_open_generic(const struct lb_config *config);
/* The same with the clients' interface in the role of a backend; or that interface anew. */
void world_open_backend(const struct lb_config *config, const char *const *from,
			unsigned int count);
void world_attach_backend(const char *const *from, unsigned int count);
/* Detaches, which removes the maps; harmless if nothing is open. */
void world_close(void);
void world_commit(const struct lb_config *config);
/* Sets `arp` of the clients' interface. */
void world_set_arp(bool is_on);
/* Sets `ping` of the clients' interface. */
void world_set_ping(bool is_on);

/* One frame in by port: the XDP action, and what became of the frame. */
int world_run(const struct world_port *port, const struct frame *in, struct frame *out);
/* The same for threads of a test's own, which must not assert: -errno if it cannot be run. */
int world_try(const struct world_port *port, const struct frame *in, struct frame *out);
/* Counters by reason; asserts that received = sent + passed + dropped. Answers received. */
__u64 world_reasons(__u64 reasons[LB_R_COUNT]);
/* As if so many jiffies had gone by for all flows and histories. */
void world_age(__u32 jiffies);
/* Next hops are asked for anew. */
void world_forget_hops(void);

union lb_addr world_addr(const char *text);
/* Appends and answers a service: mode, then backends by world_add_backend(). */
struct lb_service_config *world_add_service(struct lb_config *config, const char *name, __u8 proto,
					    const char *vip, __u16 port, enum lb_mode mode);
void world_add_backend(struct lb_config *config, const char *service, const char *addr, __u16 port,
		       __u16 weight);
/* Where a frame goes to and comes from, by its headers; port in host order. */
union lb_addr frame_dst(const struct frame *frame, bool is_v6);
__u16 frame_src_port(const struct frame *frame);

#endif
