/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the datapath and user space: keys, values and limits of the pinned maps.
 * Any change of a struct here bumps LB_ABI_VERSION, which is part of the pin path.
 * Times are jiffies of the kernel (low 32 bits), unless a name ends in a unit.
 */
#ifndef LB_ABI_H
#define LB_ABI_H

#include "lb_addr.h"
#include "lb_assert.h"
#include "lb_cache_abi.h"
#include "lb_flow_abi.h"
#include "lb_check.h"
#include "lb_hash.h"
#include "lb_probe_abi.h"
#include "lb_reason.h"
#include "lb_server_abi.h"
#include "lb_zone_abi.h"

#define LB_ABI_VERSION 6

#define LB_NAME_SIZE 32		/* a service's name with its closing NUL */
#define LB_SERVICES_LIMIT 4096	/* a service's number fits 12 bits of a history key */
#define LB_BACKENDS_LIMIT 65534 /* an endpoint's number fits 16 bits */
#define LB_SLOTS_DEFAULT 16381
#define LB_SLOTS_MIN 251
#define LB_SLOTS_MAX 655373 /* fits 20 bits of a history key */
#define LB_SOURCES_MAX 16   /* full NAT's source addresses per backend */

enum lb_mode {
	LB_MODE_INHERIT, /* of a backend: the service's; of a service: the default, full NAT */
	LB_MODE_FULLNAT,
	LB_MODE_NAT,
	LB_MODE_LOCAL, /* to a process of this host, by assigning its socket (local.bpf.c) */
	LB_MODE_DSR,
	LB_MODE_IPIP,
	LB_MODE_GUE,
};

#define LB_GUE_PORT 6080 /* UDP, as IANA has it */

/*
 * A slot's owner: the backend's number less the service's backend_base, and one bit that says that
 * the slot has history. 32 owners to a line, since array values are rounded up to 8 bytes.
 */
#define LB_OWNER_NONE 0x7fffu
#define LB_OWNER_MASK 0x7fffu
#define LB_OWNER_HISTORY 0x8000u
#define LB_OWNERS_PER_LINE 32u
#define LB_BACKEND_WINDOW 0x7fffu /* backends reachable from one backend_base */

struct lb_line {
	__u16 owner[LB_OWNERS_PER_LINE];
};

/* What a slot was before its first change; key: lb_history_key(). */
struct lb_history {
	__u64 stamp; /* jiffies of the last move, or of the last packet to another than the owner */
	__u32 epoch; /* a record of another epoch is not read */
	__u16 before;	  /* owner before the first move */
	__u16 earlier[3]; /* reserved for several balancers: owners that may still hold flows */
	__u16 reserved[3];
};

#define LB_SLOT_BITS 20
static inline __u32 lb_history_key(__u32 service, __u32 slot)
{
	return service << LB_SLOT_BITS | slot;
}

/*
 * The look-up table: what is at an (address, port, protocol). Filled by user space so that every
 * entry fits its bucket; two halves, and lb_control.lookup says which one is in force.
 */
#define LB_BUCKET_ENTRIES 8
struct lb_bucket {
	struct {
		__u32 tag;   /* the hash, 0 for an empty entry */
		__u32 value; /* LB_IS_* | number */
	} entry[LB_BUCKET_ENTRIES];
};

#define LB_IS_SERVICE 0x40000000u
#define LB_IS_ENDPOINT 0x80000000u
#define LB_IS_ADDRESS 0xc0000000u /* a service's address, whatever the port: answered by ARP */
#define LB_IS_MASK 0xc0000000u
/* Of an address: lbctl made it this host's, so the kernel must not answer ARP for it. */
#define LB_IS_HIDDEN 0x20000000u

/*
 * lb_control.lookup: one word a table, so that one store puts a new one into force. Services and
 * endpoints have tables of their own: the services' is small and stays in the nearest cache.
 */
enum lb_lookup {
	LB_LOOKUP_SERVICES,
	LB_LOOKUP_ENDPOINTS,
	LB_LOOKUPS,
};
#define LB_LOOKUP_SEED(word) ((__u32)(word))
#define LB_LOOKUP_MASK(word) ((__u32)((word) >> 32) & 0x7fffffffu)
#define LB_LOOKUP_HALF(word) ((__u32)((word) >> 63))

/* Full NAT's source ports: two ranges beside the host's own ip_local_port_range. */
struct lb_control {
	__u64 lookup[LB_LOOKUPS];
	__u16 port_low[2];
	__u16 port_count[2];
	__u32 epoch;	  /* last epoch given to a history; user space only */
	__u32 is_settled; /* user space: a grace period has passed since the last flip */
	__u32 hz;	  /* jiffies per second */
	__u32 histories;  /* entries in lb_history, as far as user space knows */
	__u32 is_dirty;	  /* user space: the document may say more than the maps do */
	__u32 is_gone;	  /* user space: these maps were removed, whoever holds them opens anew */
	/* By half of the services' look-up table: longest first, 0 after the last. */
	__u8 zone_length[2][LB_ZONE_LENGTHS];
};

enum lb_service_flags {
	LB_S_IN_USE = 1,
	LB_S_TRACKED = 2,	/* some backend needs flows looked up first (full NAT, UDP flow) */
	LB_S_STATELESS = 4,	/* UDP: each packet by the hash alone */
	LB_S_USED = 8,		/* not in use any more, but flows may still name it */
	LB_S_CACHED = 16,	/* TCP: new connections go to lbcache while it is alive */
	LB_S_CACHE_OFF = 32,	/* beside it: only those that are there already */
	LB_S_REJECT = 64,	/* without a backend the client is told */
	LB_S_WIDE = 128,	/* several ports or addresses: found by its zone */
	LB_S_QUIC = 256,	/* UDP: the connection id may name the backend */
	LB_S_THREE_TUPLE = 512, /* UDP: ports do not count, so fragments need none */
	LB_S_ANY = 0x10000,	/* user space: all backends down counts as all up */
};

/* lb_service.mss: the most that SYNs may say, or one of these. */
#define LB_MSS_OFF 0u
#define LB_MSS_AUTO 1u /* what fits a tunnel; in other modes as if it were off */

struct lb_service {
	union lb_addr vip;
	__be16 port;
	__u8 proto;
	__u8 mode; /* enum lb_mode */
	__u32 flags;
	__u32 line;	    /* first line of the table in force: one store flips it */
	__u32 slots;	    /* table size, prime */
	__u32 backend_base; /* owner + backend_base = backend's number */
	__u32 timeout_syn;
	__u32 timeout_established;
	__u32 timeout_fin;
	__u32 timeout_udp;
	__u16 sum; /* lb_csum_of(vip) */
	__u16 mss;
	__u16 port_last; /* of a range that begins with port; 0: one port */
	__u8 vip_length; /* of a prefix of addresses, in bits of its family; 0: one address */
	__u8 cid_offset; /* of LB_S_QUIC: where in the connection id the server's number is */
	__u8 cid_length; /* in bytes, 1 to 4 */
	__u8 reserved[3];
	/* second cache line: user space only */
	char name[LB_NAME_SIZE];
	__u32 first_line; /* of the service's two tables */
	__u32 weigh_at;	  /* when its histories are worth looking through again */
	__u32 reserved2[6];
};

enum lb_backend_flags {
	LB_B_IN_USE = 1,
	LB_B_DRAIN = 2,	  /* keeps its flows, gets no new ones; user space's note, the table acts */
	LB_B_USED = 4,	  /* not in use any more, but flows may still name it */
	LB_B_ASSUMED = 8, /* had connections perhaps before these maps were made */
	LB_B_POOL = 16,	  /* its sources are the service's pool, not the route's */
	LB_B_SERVER = 32, /* has a server_id */
	LB_B_DOWN = 64,	  /* by its health, and others are up: its server_id does not count */
};

struct lb_backend {
	union lb_addr addr;
	__be16 port;
	__u16 endpoint;
	__u16 service;
	__u16 weight; /* as configured, 0 … 65,535 */
	__u8 mode;    /* enum lb_mode, never LB_MODE_INHERIT */
	__u8 flags;
	__u16 source_count;   /* full NAT's source addresses in lb_sources */
	__u16 version;	      /* goes up when the number is given to another backend */
	__u16 sum;	      /* lb_csum_of(addr) */
	__be32 tunnel_spread; /* host bits of tunnel_source, which each flow fills by itself */
	__u32 server_id;      /* in connection ids of a service with LB_S_QUIC */
	union lb_addr tunnel_source; /* ipip, gue: the outer source, of addr's family */
	__u64 reserved;
};

struct lb_sources {
	union lb_addr addr[LB_SOURCES_MAX];
};

/* Where replies come from: one entry for each distinct (address, port, protocol) of backends. */
struct lb_endpoint {
	union lb_addr addr;
	__be16 port;
	__u8 proto;
	__u8 is_in_use;
	__u16 service; /* of the nat backend that owns it */
	__u16 backend; /* its owner number in that service */
	__u8 has_nat;  /* a nat backend: replies are translated without state */
	__u8 was_used; /* not in use any more, but flows may still name it */
	__u8 reserved[6];
};

/* Next hop and counters of one backend on one CPU; mid-stream only the first half is touched. */
struct lb_hop {
	__u32 checked; /* when the kernel's routing was asked last */
	__u32 ifindex; /* 0: not known */
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__u16 mtu;     /* 65,535: as much as there is */
	__u16 version; /* of the backend that it was asked for */
};

struct lb_backend_cpu {
	struct lb_hop hop;
	__u64 packets_in; /* towards the backend */
	__u64 bytes_in;	  /* whole frames */
	__u64 packets_out;
	__u64 bytes_out;
	__u64 connections; /* flows opened */
	__u64 answered;	   /* SYN-ACKs; of full NAT's UDP flows, those that got a reply */
	__u64 refused;	   /* resets in answer to a SYN */
	__u64 unreachable; /* ICMP errors that say so of what was sent to it */
	__u64 unanswered;  /* full NAT: flows whose client asked again before an answer */
	__u64 resets;	   /* by the backend, of connections that were open */
	__u64 reserved[3];
};

/*
 * The kernel allocates each value of a per-CPU array apart and finds it by a pointer; blocks keep
 * the pointers few and in the cache.
 */
#define LB_CPU_BLOCK 32
struct lb_backend_cpu_block {
	struct lb_backend_cpu backend[LB_CPU_BLOCK];
};

/* Remembered next hops towards clients of nat, by address; one CPU's direct-mapped cache. */
#define LB_ROUTES 4096
struct lb_route {
	union lb_addr addr;
	struct lb_hop hop;
};

/*
 * What becomes of a packet that has no ports of its own, an ICMP error or a later fragment: first
 * the packet of the flow that it stands for, then what that one becomes. One CPU's scratch.
 */
struct lb_trace {
	union lb_addr src, dst;
	union lb_addr new_src, new_dst;
	__be32 ports, new_ports;
	__u32 egress;
	__u32 backend;	     /* number of the one it goes to, if it goes to one */
	__u16 l3, l4, inner; /* offsets in the frame; inner: of the transport header in an error */
	__u8 proto;
	bool is_v6;
	bool has_new_src, has_new_dst; /* an address without stays */
	bool is_reply;
	bool is_left;	     /* to the kernel to send on */
	bool is_unreachable; /* the error says that the packet did not get there */
	__u8 dst_mac[6], src_mac[6];
	__u16 service; /* whose packet it is, if has_service */
	bool has_service;
	__u8 mode; /* of the backend */
	bool has_wide;
	__u16 wide; /* whose packet it is if no exact service's, if has_wide */
	__u8 reserved[6];
};

/* Packets in pieces, by what all fragments of one share; what the first one has shown. */
#define LB_FRAGMENTS 8192
struct lb_fragment_key {
	union lb_addr src, dst;
	__be32 id;
	__u32 proto; /* after the fragment header, which need not be the transport's */
};

struct lb_fragment {
	__u32 seen;
	__be32 ports;
	__u32 end;   /* of the first fragment's bytes */
	__u32 proto; /* of the transport */
};

/* Counters of one CPU. received = sum of reason[]. */
struct lb_counters {
	__u64 received;
	__u64 reason[LB_R_SLOTS];
	__u64 dropped_at[LB_R_SLOTS]; /* jiffies of the last drop, never 0 after one */
};

/* How many ICMP errors one CPU may still make, and what the next one needs to know. */
struct lb_icmp_budget {
	__u32 filled; /* when it was filled up last */
	__u32 tokens;
	__u32 mtu; /* that the packet in hand is too large for */
	__u32 reserved;
};

struct lb_service_cpu {
	__u64 reason[LB_R_SLOTS];
};

/*
 * What struct lb_backend_cpu counts, in the same order. Of a service: what its removed backends had
 * counted, so that its sums never fall. Of a backend: what its number had counted for its earlier
 * holders.
 */
struct lb_totals {
	__u64 packets_in, bytes_in, packets_out, bytes_out, connections;
	__u64 answered, refused, unreachable, unanswered, resets;
};

/* What lbd found out about a backend; user space only. All zero: the whole weight counts. */
enum lb_health {
	LB_HEALTH_UNKNOWN,
	LB_HEALTH_UP,
	LB_HEALTH_DOWN,
};
#define LB_CUT_WHOLE 1000u

struct lb_backend_health {
	__u8 health;  /* enum lb_health */
	__u8 reason;  /* enum lb_check_reason, of the last result */
	__u16 detail; /* of it: an HTTP status, a DNS code, an exit status, an errno */
	__u16 cut;    /* how much of the weight is taken away, in parts of LB_CUT_WHOLE */
	__u16 reserved;
	__u32 took_us; /* the last result */
	__u32 reserved2;
	__u64 since_ns; /* CLOCK_MONOTONIC of the last change of health */
	__u64 reserved3;
};

/* The interfaces lbctl is attached to: by number here, and from ifindex to number in lb_ports. */
#define LB_PORTS_MAX 64
#define LB_PORT_PROBE LB_PORTS_MAX /* one more, behind which lbd's probes are; nobody lists it */
enum lb_port_flags {
	LB_P_ARP = 1,	  /* answer ARP and neighbour solicitation for services' addresses */
	LB_P_GENERIC = 2, /* generic XDP: frames may be GSO, larger than any MTU */
	LB_P_NO_PING = 4, /* echo requests for services' addresses are left to the kernel */
	LB_P_AGENT = 16,  /* role of a backend: takes outer headers off */
	LB_P_RIGID = 8,	  /* the program cannot change a packet's size: it makes no ICMP errors */
};

/* Whose outer packets a backend takes: prefixes of 16-byte addresses, as for the kernel's trie. */
#define LB_FROM_MAX 64
struct lb_from {
	__u32 length; /* of IPv4 96 more */
	__be32 addr[4];
};

struct lb_port {
	__u32 ifindex; /* 0: free */
	__u32 flags;
	__u8 mac[6];
	__u16 number;
	__u32 program_id;
	__u32 priority;
	__u8 is_dispatched; /* through libxdp's dispatcher */
	__u8 reserved[3];
	__u32 mtu;
};

/* Written once when the maps are made; compared at every opening. */
struct lb_meta {
	__u32 abi_version;
	__u32 services;
	__u32 backends;
	__u32 lines;		   /* of slots, both tables of a service together */
	__u32 flows;		   /* entries */
	__u32 buckets[LB_LOOKUPS]; /* in one half of each look-up table */
	__u32 reserved2;
	__u64 namespace_cookie;
	__u32 histories;
	__u32 reserved;
	struct lb_hash_key tuple_key; /* Maglev: the same on every balancer */
	struct lb_hash_key flow_key;  /* flow table and ports: random */
};

LB_ASSERT_SIZE(struct lb_line, 64);
LB_ASSERT_SIZE(struct lb_history, 32);
LB_ASSERT_SIZE(struct lb_bucket, 64);
LB_ASSERT_SIZE(struct lb_control, 72);
LB_ASSERT_SIZE(struct lb_service, 128);
LB_ASSERT_SIZE(struct lb_backend, 64);
LB_ASSERT_SIZE(struct lb_endpoint, 32);
LB_ASSERT_SIZE(struct lb_hop, 24);
LB_ASSERT_SIZE(struct lb_backend_cpu, 128);
LB_ASSERT_SIZE(struct lb_backend_health, 32);
LB_ASSERT_SIZE(struct lb_port, 32);
LB_ASSERT_SIZE(struct lb_cache_thread, 64);
LB_ASSERT_SIZE(struct lb_cache_fate, 64);
#undef LB_ASSERT_SIZE

#endif
