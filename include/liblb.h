/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * liblb: the control library of the load balancer. Everything lbctl can do, a program can do with
 * it.
 *
 * Functions answer 0 or a negative errno, leave their outputs alone on failure, never print, and
 * describe a failure in the caller's struct lb_error (may be NULL): one line without a newline that
 * names the object, what is wrong and the cure. Two codes have a fixed meaning: -EPROTO (the pinned
 * maps are of another ABI version), -ENOTCONN (no interface is attached). Addresses are in network
 * order, IPv4 as ::ffff:a.b.c.d; ports in this header are in host order. Handles are not
 * thread-safe.
 */
#ifndef LIBLB_H
#define LIBLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lb_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LB_VERSION "0.1.0"
#define LB_TEXT_SIZE 512
#define LB_LOCK_WAIT_S 5

struct lb_error {
	char text[LB_TEXT_SIZE];
};

/* Fills err (may be NULL) by a printf format and answers code, so that callers write: return
 * lb_fail(…). */
int lb_fail(struct lb_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- text: addresses and names ------------------------------------------------------------- */

#define LB_ADDR_TEXT_SIZE 64

/* "192.0.2.1" or "2001:db8::1" (with or without brackets); -EINVAL. */
int lb_addr_parse(const char *text, union lb_addr *out);
/* Writes the plain address, without brackets. Returns buf. */
const char *lb_addr_format(const union lb_addr *addr, char buf[LB_ADDR_TEXT_SIZE]);
/*
 * "192.0.2.1:80", "[2001:db8::1]:80"; the port is optional only if has_port is not NULL (then it
 * says whether there was one, and "*" is port 0). -EINVAL with a text that names the mistake.
 */
int lb_endpoint_parse(const char *text, union lb_addr *addr, __u16 *port, bool *has_port,
		      struct lb_error *err);
/* "192.0.2.1:80" or "[2001:db8::1]:80"; with port 0 "192.0.2.1:*". Returns buf. */
const char *lb_endpoint_format(const union lb_addr *addr, __u16 port, char buf[LB_ADDR_TEXT_SIZE]);

enum lb_check_type {
	LB_CHECK_NONE, /* backends are not checked */
	LB_CHECK_TCP,
	LB_CHECK_HTTP,
	LB_CHECK_HTTPS,
	LB_CHECK_DNS,
	LB_CHECK_UDP,
	LB_CHECK_PING,
	LB_CHECK_EXEC,
	LB_CHECK_TYPES,
};

/* What becomes of a service when all its backends are down. */
enum lb_all_down {
	LB_ALL_DOWN_ANY,    /* the default: go on with all of them */
	LB_ALL_DOWN_DROP,   /* its packets are dropped and counted as no_backend */
	LB_ALL_DOWN_REJECT, /* its clients are told: ICMP port unreachable */
};

/* The way of a check. Where there is none through the datapath, it is direct. */
enum lb_via {
	LB_VIA_DIRECT,	 /* the host's own way to the backend */
	LB_VIA_DATAPATH, /* to the service's address, and by the datapath to the backend */
};

/* How fragments behind the first one, which carry no ports, find their backend. */
enum lb_fragments {
	LB_FRAGMENTS_TABLE, /* the default: the first one, which comes before them, is noted */
	LB_FRAGMENTS_THREE_TUPLE, /* UDP: whole packets go by addresses and protocol alone, too */
};

struct lb_prefix {
	union lb_addr addr;
	__u8 length; /* of its own family: to 32 or to 128 */
};

#define LB_PREFIX_TEXT_SIZE (LB_ADDR_TEXT_SIZE + 4)

/* "192.0.2.64/26"; without a length, one address. -EINVAL, also for bits set behind the length. */
int lb_prefix_parse(const char *text, struct lb_prefix *out);
/* Writes an address alone where the prefix is one. Returns buf. */
const char *lb_prefix_format(const struct lb_prefix *prefix, char buf[LB_PREFIX_TEXT_SIZE]);
/* The bits of the address's last 32 that are behind the length, as they stand in memory. */
__be32 lb_prefix_spread(const struct lb_prefix *prefix);

struct lb_config;
struct lb_service_config;

#define LB_FRONT_TEXT_SIZE (LB_ADDR_TEXT_SIZE + 24)

/*
 * What clients connect to: "192.0.2.1:80", "192.0.2.1:5000-5999", "192.0.2.1:*" (all ports),
 * "192.0.2.0/24:80", "[2001:db8::/64]:80". Sets vip, vip_length, port and port_last. -EINVAL.
 */
int lb_front_parse(const char *text, struct lb_service_config *service, struct lb_error *err);
const char *lb_front_format(const struct lb_service_config *service, char buf[LB_FRONT_TEXT_SIZE]);
/* Whether it is more than one address and port. */
bool lb_front_is_wide(const struct lb_service_config *service);
bool lb_front_covers(const struct lb_service_config *service, const union lb_addr *addr,
		     __u16 port);
/* The most specific service that covers it: longest prefix, then narrowest range; NULL. */
const struct lb_service_config *lb_front_find(const struct lb_config *config, __u8 proto,
					      const union lb_addr *addr, __u16 port);

const char *lb_mode_name(enum lb_mode mode); /* "fullnat", "nat", …; "inherit" */
int lb_mode_parse(const char *text, enum lb_mode *out);
/* The inner packet reaches the backend as the client sent it, so its port is the service's. */
bool lb_mode_keeps_packet(enum lb_mode mode);
bool lb_mode_is_tunnel(enum lb_mode mode); /* an outer header goes before it */
const char *lb_proto_name(__u8 proto);	   /* "tcp", "udp" */
int lb_proto_parse(const char *text, __u8 *out);
const char *lb_reason_name(enum lb_reason reason);
const char *lb_reason_text(enum lb_reason reason);
enum lb_verdict lb_reason_verdict(enum lb_reason reason);

const char *lb_check_type_name(enum lb_check_type type); /* "tcp", "http" …; "none" */
int lb_check_type_parse(const char *text, enum lb_check_type *out);
const char *lb_all_down_name(enum lb_all_down what);
int lb_all_down_parse(const char *text, enum lb_all_down *out);
const char *lb_via_name(enum lb_via via); /* "direct", "datapath" */
int lb_via_parse(const char *text, enum lb_via *out);
const char *lb_health_name(__u8 health); /* "up", "down", "unknown" */
const char *lb_check_reason_name(__u8 reason);
const char *lb_check_reason_text(__u8 reason);
enum lb_check_verdict lb_check_reason_verdict(__u8 reason);
/* "2s", "500ms", "1m"; a number alone is seconds. -EINVAL, -ERANGE. */
int lb_duration_parse(const char *text, __u32 *ms);
const char *lb_duration_format(__u32 ms, char buf[LB_ADDR_TEXT_SIZE]); /* "2s", "1500ms" */
/* "60s", "10m", "2h", "1d"; a number alone is seconds. -EINVAL, -ERANGE above LB_CACHE_TTL_MAX. */
int lb_ttl_parse(const char *text, __u32 *ttl_s);
const char *lb_ttl_format(__u32 ttl_s, char buf[LB_ADDR_TEXT_SIZE]); /* in the largest unit */
/* "auto", "off", or a number from LB_MSS_LEAST to LB_MSS_MOST; as struct lb_service has it. */
int lb_mss_parse(const char *text, __u16 *out);
const char *lb_mss_format(__u16 mss, char buf[LB_ADDR_TEXT_SIZE]);
struct lb_service_config;
/* "off", or OFFSET:LENGTH in bytes of a connection id of at most 20: "1:2". */
int lb_cid_parse(const char *text, struct lb_service_config *service);
const char *lb_cid_format(const struct lb_service_config *service, char buf[LB_ADDR_TEXT_SIZE]);
const char *lb_fragments_name(enum lb_fragments fragments); /* "table", "three-tuple" */
int lb_fragments_parse(const char *text, enum lb_fragments *out);
/* "200" or "200-399". */
int lb_status_range_parse(const char *text, __u16 *low, __u16 *high);

/* ---- intent: one document ------------------------------------------------------------------ */

struct lb_backend_config {
	union lb_addr addr;
	__u16 port;	   /* 0: the service's, of a range what the client asked for */
	__u16 weight;	   /* default 1; 0 drains */
	bool is_drained;   /* 'backend drain': keeps its weight for 'backend ready' */
	enum lb_mode mode; /* LB_MODE_INHERIT: the service's */
	bool has_server_id;
	__u32 server_id; /* in QUIC's connection ids, of a service that has a cid_length */
};

struct lb_timeouts {	   /* seconds */
	__u32 syn;	   /* half-open, default 10 */
	__u32 established; /* default 900 */
	__u32 fin;	   /* closing and closed, default 30 */
	__u32 udp;	   /* default 120 */
};

#define LB_CHECK_TEXT_SIZE 256

/* How backends are checked; texts are empty where not given. */
struct lb_health_config {
	enum lb_check_type type;
	enum lb_all_down on_all_down;
	enum lb_via via;
	__u32 interval_ms;		 /* default 2,000 */
	__u32 timeout_ms;		 /* 0: lb_health_timeout() */
	__u32 slow_start_ms;		 /* 0, the default: at once */
	__u16 rise, fall;		 /* results in a row that change the health: 2 and 3 */
	__u16 port;			 /* 0: the backend's */
	__u16 status_low, status_high;	 /* http: 200 to 399 */
	bool is_passive;		 /* live connections are watched too, also without a type */
	bool is_verified;		 /* https: the certificate, for host */
	char path[LB_CHECK_TEXT_SIZE];	 /* http: "/" */
	char host[LB_CHECK_TEXT_SIZE];	 /* http: of the request and certificate; dns: asked for */
	char body[LB_CHECK_TEXT_SIZE];	 /* http: must be in the body's first 64 KiB */
	char ca[LB_CHECK_TEXT_SIZE];	 /* https: a file of trusted certificates */
	char send[LB_CHECK_TEXT_SIZE];	 /* tcp, udp */
	char expect[LB_CHECK_TEXT_SIZE]; /* tcp, udp: must be in the answer */
	char command[LB_CHECK_TEXT_SIZE]; /* exec: for /bin/sh */
};
#define LB_TUNNEL_SOURCES_MAX 2
#define LB_MSS_LEAST 88 /* as the kernel takes it for its own sockets */
#define LB_MSS_MOST 65495

#define LB_CACHE_PREFIX_SIZE 256
#define LB_CACHE_RULES_MAX 64
#define LB_CACHE_TTL_MAX 31536000u

#define LB_CACHE_DROP_SIZE 128

/* What a rule may say, by words that the command and the document share. */
enum lb_cache_option {
	LB_CACHE_TTL,	      /* s, of pages without a freshness of their own */
	LB_CACHE_NEGATIVE,    /* s, the same of 301, 308, 404, 405, 410, 414 */
	LB_CACHE_STALE,	      /* s, stale-while-revalidate where the page says nothing */
	LB_CACHE_STALE_ERROR, /* s, stale-if-error likewise */
	LB_CACHE_COOKIE,      /* 1: neither a reason to pass nor sent to the backend */
	LB_CACHE_SET_COOKIE,  /* 1: taken off, and the rest is kept */
	LB_CACHE_QUERY,	      /* 1: sorted */
	LB_CACHE_COLLAPSE,    /* 0: each miss asks the backend by itself */
	LB_CACHE_QUERY_DROP,  /* parameters that make no other page, as query_drop lists them */
	LB_CACHE_OPTIONS,
};

/* For the pages whose path begins so; of several the longest counts. */
struct lb_cache_rule {
	char prefix[LB_CACHE_PREFIX_SIZE]; /* "/static/" */
	bool is_pass;			   /* never kept, and then it says nothing else */
	__u32 said;			   /* 1 << option; the others are as without a rule */
	__u32 value[LB_CACHE_QUERY_DROP];
	char query_drop[LB_CACHE_DROP_SIZE]; /* "utm_*,fbclid" */
};

#define LB_CACHE_FILE_SIZE 256
#define LB_CACHE_CERTS_MAX 8

struct lb_cache_cert { /* files in PEM, by paths from the root */
	char file[LB_CACHE_FILE_SIZE], key[LB_CACHE_FILE_SIZE]; /* key "": in the same file */
};

struct lb_cache_config {
	bool is_on;  /* rules, ttl and certificates stay when it is off */
	__u32 ttl_s; /* 0: pages without a freshness of their own are not kept */
	struct lb_cache_rule *rules;
	unsigned int rule_count;
	struct lb_cache_cert certs[LB_CACHE_CERTS_MAX];
	unsigned int cert_count; /* 0: in clear, as are the backends; else both in TLS */
	/* Of backends: "" against these certificates; a file of more that are trusted; "off". */
	char verify[LB_CACHE_FILE_SIZE];
};

struct lb_service_config {
	char name[LB_NAME_SIZE]; /* letters, digits, '-', '_', '.' */
	__u8 proto;		 /* IPPROTO_TCP or IPPROTO_UDP */
	union lb_addr vip;
	__u8 vip_length; /* of a prefix of addresses, in bits of its family; 0: one address */
	__u16 port;
	__u16 port_last;   /* of a range of ports; 0: one */
	enum lb_mode mode; /* LB_MODE_INHERIT reads as LB_MODE_FULLNAT */
	__u32 slots;	   /* table size: a prime from 251 to 655,373; fixed once made */
	bool is_stateless; /* UDP only: each packet by the hash alone */
	enum lb_fragments fragments;
	/* UDP only: where in QUIC's connection ids the server's number is; length 0: nowhere */
	__u8 cid_offset, cid_length;
	__u16 mss; /* the most that SYNs may say; LB_MSS_AUTO, the default; LB_MSS_OFF */
	struct lb_timeouts timeouts;
	struct lb_health_config health;
	struct lb_cache_config cache;
	union lb_addr sources[LB_SOURCES_MAX]; /* full NAT; none: from the route */
	unsigned int source_count;
	/* ipip, gue: outer source addresses, at most one prefix a family; none: from the route */
	struct lb_prefix tunnel_sources[LB_TUNNEL_SOURCES_MAX];
	unsigned int tunnel_source_count;
	struct lb_backend_config *backends;
	unsigned int backend_count;
};

struct lb_limits {	/* fixed when the maps are made, at the first attach */
	__u32 services; /* default 512, at most LB_SERVICES_LIMIT */
	__u32 backends; /* default 4,096, at most LB_BACKENDS_LIMIT */
	__u32 slots;	/* of all services together, default services × 16,384 */
	__u32 flows;	/* flow table entries (full NAT: two a connection), default 524,288 */
};

enum lb_limit { /* in the order of struct lb_limits */
		LB_LIMIT_SERVICES,
		LB_LIMIT_BACKENDS,
		LB_LIMIT_SLOTS,
		LB_LIMIT_FLOWS,
		LB_LIMITS,
};

struct lb_config {
	struct lb_limits limits;
	struct lb_service_config *services;
	unsigned int service_count;
	union lb_addr redis; /* lbcache's second tier, which several balancers share */
	__u16 redis_port;    /* host order; 0: none */
};

/* An empty document with default limits; NULL when out of memory. lb_config_free takes NULL. */
struct lb_config *lb_config_new(void);
void lb_config_free(struct lb_config *config);
/* Deep copy; NULL when out of memory. */
struct lb_config *lb_config_copy(const struct lb_config *config);
/* Fills a service or backend with the defaults. */
void lb_service_config_init(struct lb_service_config *service);
void lb_backend_config_init(struct lb_backend_config *backend);

/* The defaults for checks of this type. */
void lb_health_config_init(struct lb_health_config *health, enum lb_check_type type);
/* Whether lbd has anything to find out about the backends. */
bool lb_health_is_on(const struct lb_health_config *health);
/* The timeout that counts: the one given, else one second or the interval if that is less. */
__u32 lb_health_timeout(const struct lb_health_config *health);

/* NULL when there is none. */
struct lb_cache_rule *lb_cache_find_rule(const struct lb_cache_config *cache, const char *prefix);
/* In the place of one with the same prefix, or after the others. -ENOMEM. */
int lb_cache_set_rule(struct lb_cache_config *cache, const struct lb_cache_rule *rule);
void lb_cache_del_rule(struct lb_cache_config *cache, struct lb_cache_rule *rule);
/* "stale-if-error"; what its values look like, for messages. By a name; LB_CACHE_OPTIONS: none. */
const char *lb_cache_option_name(enum lb_cache_option option);
const char *lb_cache_option_expected(enum lb_cache_option option);
enum lb_cache_option lb_cache_find_option(const char *name);
/* Has the rule say it. -EINVAL, -ERANGE. */
int lb_cache_rule_say(struct lb_cache_rule *rule, enum lb_cache_option option, const char *text);
/* As lb_cache_rule_say takes it; NULL: the rule does not say it. */
const char *lb_cache_rule_text(const struct lb_cache_rule *rule, enum lb_cache_option option,
			       char buf[LB_CACHE_DROP_SIZE]);

/* Reads and checks a YAML document; errors name file:line and what was expected. -ENOENT, -EBADMSG.
 */
int lb_config_read(struct lb_config **out, const char *path, struct lb_error *err);
int lb_config_parse(struct lb_config **out, const char *yaml, size_t length, const char *name,
		    struct lb_error *err);
/* Writes the document as YAML by rename, with fsync; mode 0644. */
int lb_config_write(const struct lb_config *config, const char *path, struct lb_error *err);
int lb_config_print(const struct lb_config *config, FILE *out);
/* Checks the whole document: -EINVAL, -EEXIST (two of the same), -ERANGE. */
int lb_config_check(const struct lb_config *config, struct lb_error *err);

/* NULL when there is none. The port of a backend counts as lb_backend_port() gives it. */
struct lb_service_config *lb_config_find_service(struct lb_config *config, const char *name);
struct lb_backend_config *lb_config_find_backend(struct lb_service_config *service,
						 const union lb_addr *addr, __u16 port);
/* The port that a backend is reached at: its own, or the service's; 0: what the client asked for.
 */
__u16 lb_backend_port(const struct lb_service_config *service,
		      const struct lb_backend_config *backend);
/* What a mode comes to where it is not given; never LB_MODE_INHERIT. */
enum lb_mode lb_service_mode(const struct lb_service_config *service);
enum lb_mode lb_backend_mode(const struct lb_service_config *service,
			     const struct lb_backend_config *backend);
/* The service's tunnel source of the backend's family; NULL: the route's. */
const struct lb_prefix *lb_tunnel_source(const struct lb_service_config *service,
					 const union lb_addr *backend);
/*
 * The smallest table size that spreads so many backends within 1 % (100 slots each, a prime); 0 if
 * none does. A service with fewer slots works, but its shares are coarse: worth a warning.
 */
__u32 lb_slots_wanted(unsigned int backends);
/* Append a copy (the service's backends too); -EEXIST, -ENOMEM, or what lb_config_check finds. */
int lb_config_add_service(struct lb_config *config, const struct lb_service_config *service,
			  struct lb_error *err);
int lb_config_add_backend(struct lb_config *config, struct lb_service_config *service,
			  const struct lb_backend_config *backend, struct lb_error *err);
/* Remove; the pointers are of this document and no longer valid afterwards. */
void lb_config_del_service(struct lb_config *config, struct lb_service_config *service);
void lb_config_del_backend(struct lb_service_config *service, struct lb_backend_config *backend);

/* ---- one instance: a network namespace ------------------------------------------------------ */

struct lb;

/*
 * Opens the instance of the namespace that `ip netns` calls netns, or of the caller's own (NULL);
 * the process then is in that namespace. Maps are opened if they exist. -EPERM: not root and not in
 * the group that may read; -ENODEV: no bpffs; -EPROTO.
 */
int lb_open(struct lb **out, const char *netns, struct lb_error *err);
void lb_close(struct lb *lb);
/* Where things are: for messages and tests. */
const char *lb_pin_dir(const struct lb *lb);
const char *lb_state_path(const struct lb *lb);
bool lb_is_loaded(const struct lb *lb); /* the maps exist: something is or was attached */
/* Lines worth telling the user that are no failure (stale state dropped, …); NULL when there is no
 * more. */
const char *lb_next_notice(struct lb *lb);

/* Takes the writers' lock, waiting at most LB_LOCK_WAIT_S; held until lb_close. -EBUSY. */
int lb_lock(struct lb *lb, struct lb_error *err);
/* The running intent; an empty document if none was ever written. */
int lb_read_intent(struct lb *lb, struct lb_config **out, struct lb_error *err);

struct lb_service_plan {
	char name[LB_NAME_SIZE];
	char action; /* '+' new, '-' removed, '~' changed, ' ' as it is */
	__u32 slots;
	__u32 moved;			      /* slots that get another owner */
	unsigned int added, removed, changed; /* backends */
};

struct lb_plan {
	struct lb_service_plan *services;
	unsigned int service_count;
	bool is_change;
};

/* What commit would do; lb_plan_free takes NULL. Works detached too (then compares documents). */
int lb_make_plan(struct lb *lb, const struct lb_config *config, struct lb_plan **out,
		 struct lb_error *err);
void lb_plan_free(struct lb_plan *plan);
/*
 * Checks the document, tries it against the limits, writes it as the running intent, and makes the
 * kernel's maps agree with it (if something is attached). Needs the lock. Repeating it is harmless,
 * and it finishes what a killed process began.
 */
int lb_commit(struct lb *lb, const struct lb_config *config, struct lb_error *err);

/* ---- interfaces ---------------------------------------------------------------------------- */

enum lb_attach_mode {
	LB_ATTACH_AUTO, /* native, else generic (lb_attached.is_fallback says so) */
	LB_ATTACH_NATIVE,
	LB_ATTACH_GENERIC,
};

#define LB_PRIORITY_DEFAULT 50

struct lb_attach_options {
	enum lb_attach_mode mode;
	__u32 priority;	   /* run order in the dispatcher; 0: LB_PRIORITY_DEFAULT, or as it is */
	bool arp;	   /* answer ARP and neighbour solicitation for services' addresses */
	bool is_arp_given; /* of an interface that is attached already: change it */
	bool no_ping;	   /* leave echo requests for services' addresses to the kernel */
	bool is_ping_given;
	/*
	 * The role of a backend: takes the outer headers of ipip and gue off what comes from the
	 * prefixes, which hold for all interfaces in that role; none given: as they are.
	 */
	bool is_backend;
	struct lb_prefix from[LB_FROM_MAX];
	unsigned int from_count;
	/*
	 * NULL: the document's. Otherwise they become the document's if the attach succeeds; -EBUSY
	 * if maps of other sizes are there.
	 */
	const struct lb_limits *limits;
};

struct lb_attached {
	char ifname[32];
	__u32 ifindex;
	char driver[32];
	bool is_native;
	bool is_fallback;  /* native was tried and refused: see kernel_message */
	bool is_alone;	   /* attached without the dispatcher: no second program can join */
	bool was_attached; /* it was already; nothing or only options changed */
	bool is_backend;   /* takes outer headers off, balances nothing */
	bool arp;
	bool no_ping;
	bool is_rigid;	/* it makes no ICMP errors: the dispatcher forbids to change packets' sizes
			 */
	bool is_joined; /* generic mode with GRO: frames that it joins are lost */
	bool is_lost;	/* status: recorded, but the kernel has another program or none there */
	bool is_gone; /* status: lost, and there is no such interface: ifname is "if" and its index
		       */
	__u32 program_id;
	__u32 replaced_id; /* the program in whose place it was put, 0 for none */
	__u32 priority;
	__u32 mtu;
	char kernel_message[LB_TEXT_SIZE]; /* why no native mode or no dispatcher, in the kernel's
					      words */
};

/*
 * Attaches to an interface; to one that is attached already it gives the options, and this
 * library's program if another build's is there, without a packet lost.
 * Needs the lock. -ENODEV no such interface, -ENETDOWN, -EBUSY another program, -EOPNOTSUPP,
 * -EMSGSIZE. */
int lb_attach(struct lb *lb, const char *ifname, const struct lb_attach_options *options,
	      struct lb_attached *out, struct lb_error *err);
/* NULL: from all. The last one also removes the maps; the intent stays. -ENOTCONN. Needs the lock.
 */
int lb_detach(struct lb *lb, const char *ifname, unsigned int *count, struct lb_error *err);
/*
 * Removes the maps and the document of a namespace that is no more; is_forgotten says whether there
 * were any. A namespace that exists is left alone.
 */
int lb_forget(const char *netns, bool *is_forgotten, struct lb_error *err);

/* ---- reading: no lock ---------------------------------------------------------------------- */

struct lb_map_usage {
	char name[16];
	__u64 used, limit; /* entries; used is ~0 where that is not counted */
	__u64 bytes;	   /* what the kernel holds for it, all CPUs together */
};

struct lb_status {
	struct lb_attached *interfaces;
	unsigned int interface_count;
	struct lb_prefix from[LB_FROM_MAX]; /* whose outer packets backends' interfaces take */
	unsigned int from_count;
	struct lb_map_usage *maps;
	unsigned int map_count;
	__u64 bytes;	      /* of all maps */
	bool has_lost;	      /* some interface lost its program */
	__u32 verified_insns; /* of the loaded program, 0 if the kernel does not say */
};

struct lb_limit_usage {
	char name[16];
	__u32 limit;  /* in force; while nothing is attached, the document's */
	__u32 wanted; /* the document's: in force from the next first attach on */
	__u64 used;   /* LB_UNKNOWN while nothing is attached */
	__u64 bytes;  /* of the maps that it sizes; an estimate while nothing is attached */
};

/* limits: the document's. */
int lb_get_limits(struct lb *lb, const struct lb_limits *limits,
		  struct lb_limit_usage out[LB_LIMITS], struct lb_error *err);
/* The default of limits.slots for so many services. */
__u32 lb_limits_slots(__u32 services);
int lb_get_status(struct lb *lb, struct lb_status **out, struct lb_error *err);
void lb_status_free(struct lb_status *status);

struct lb_traffic {
	__u64 packets_in, bytes_in, packets_out, bytes_out, connections;
	__u64 answered, refused, unreachable, unanswered, resets; /* as in struct lb_backend_cpu */
	__u64 failed;	   /* refused, unreachable or unanswered; LB_UNKNOWN where nobody sees it */
	__u64 active;	   /* flows alive now; LB_UNKNOWN where no flow is recorded (nat) */
	__u64 ports_limit; /* full NAT: source ports towards this backend; 0 otherwise */
};
#define LB_UNKNOWN (~0ull)

struct lb_backend_state {
	struct lb_backend_config config; /* port and mode resolved */
	__u32 slots;			 /* owned now */
	struct lb_backend_health health;
	struct lb_traffic traffic;
};

struct lb_service_state {
	struct lb_service_config config; /* backends NULL */
	__u32 history;			 /* slots with history */
	struct lb_traffic traffic;
	__u64 dropped;		   /* all reasons */
	__u64 reasons[LB_R_COUNT]; /* packets of this service */
	struct lb_backend_state *backends;
	unsigned int backend_count;
};

/* What lbcache says of itself. Counts of one that does not run are of its last moment. */
struct lb_cache_state {
	bool is_running; /* has looked around within the last second */
	struct lb_cache_counts counts;
};

/* Hits of all requests, stale ones too. */
double lb_cache_hit_ratio(const struct lb_cache_counts *counts);

struct lb_stats {
	__u64 received, sent, passed, dropped; /* packets */
	__u64 reasons[LB_R_COUNT];
	__u64 dropped_ms[LB_R_COUNT]; /* since the last drop; LB_UNKNOWN: none */
	struct lb_service_state *services;
	unsigned int service_count;
	__u64 flows, flows_limit; /* entries in use */
	bool is_accounted;	  /* received = sent + passed + dropped, read while traffic flows */
	bool is_cached;		  /* some service is */
	struct lb_cache_state cache;
};

/* -ENOTCONN when nothing is attached. */
int lb_get_stats(struct lb *lb, struct lb_stats **out, struct lb_error *err);
void lb_stats_free(struct lb_stats *stats);

/* ---- health: found out by lbd, kept with the maps, never in the document ----------------------
 */

/* -ENOENT: the maps have no such backend. hint speeds the next search up; set it to ~0 at first. */
int lb_get_health(const struct lb *lb, const char *service, const union lb_addr *addr, __u16 port,
		  __u32 *hint, struct lb_backend_health *out);

/* How attempts to open connections to a backend ended, since its number was first used. */
struct lb_fate {
	__u64 attempts, answered, refused, unreachable;
	struct lb_cache_fate fetches; /* of lbcache */
};

/* Of backends by number, as lb_get_health() leaves it in hint; quickest in order of number. */
int lb_get_fates(const struct lb *lb, const __u32 *hints, unsigned int count, struct lb_fate *out);

struct lb_health_change {
	char service[LB_NAME_SIZE];
	union lb_addr addr;
	__u16 port;
	__u32 hint;
	struct lb_backend_health value;
};

/*
 * Puts the health of backends into force: those whose cut changes gain or lose slots, no others do.
 * Backends that the maps do not have are left out. Needs the lock. -ENOTCONN, -ESTALE (the maps
 * were removed meanwhile), -ENOSPC (too many slots with live connections would move).
 */
int lb_set_health(struct lb *lb, const struct lb_health_change *changes, unsigned int count,
		  struct lb_error *err);
/* Notes the reason of a result that changes no health. No lock; what is not there is left out. */
void lb_note_result(struct lb *lb, const struct lb_health_change *result);

/* ---- events: what lbd tells, the last LB_EVENTS of them in a file of the instance --------------
 */

#define LB_EVENTS 8192

enum lb_event_kind {
	LB_EVENT_HEALTH = 1, /* a backend's health changed */
	LB_EVENT_RESULT,     /* the check's reason changed and the health did not */
	LB_EVENT_WEIGHT,     /* slow start: a step */
	LB_EVENT_ALL_DOWN,   /* of a service; and the end of it */
	LB_EVENT_DAEMON,     /* lbd itself */
	LB_EVENT_TABLE,	     /* of a service, swapped: moved slots; took_us if lbd built it */
	LB_EVENT_DRAINED,    /* a backend that drains has no connections any more */
	LB_EVENT_LIMIT,	     /* object is nearly full, or has refused packets; and the end of it */
	LB_EVENT_FALLBACK,   /* object works, but not in the best way */
	LB_EVENT_INTERFACE,  /* object was attached, detached, lost, or is back */
	LB_EVENT_KINDS,
};

struct lb_event {
	__u64 number;  /* 1 and up; given by lb_add_event */
	__u64 time_ms; /* CLOCK_REALTIME; given by lb_add_event if 0 */
	union lb_addr addr;
	__u32 kind;
	__u32 took_us;
	__u16 port;   /* 0: not about one backend */
	__u16 detail; /* of the reason */
	__u16 cut;
	__u8 health, was; /* enum lb_health */
	__u8 reason;	  /* enum lb_check_reason */
	__u8 reserved[3];
	__u32 moved;		    /* slots of a table */
	char service[LB_NAME_SIZE]; /* empty: not about one service */
	char object[16];	    /* empty: about nothing else that has a name */
	char text[96];
	__u64 end; /* number again, so that a torn record is seen */
};

const char *lb_event_name(__u32 kind);
typedef int (*lb_event_fn)(const struct lb_event *event, void *arg);
/*
 * Those with a number above after, in order; a non-zero answer of fn ends the walk and is returned.
 * -ENOENT: lbd has never run here.
 */
int lb_walk_events(struct lb *lb, __u64 after, lb_event_fn fn, void *arg, struct lb_error *err);
/* The file that changes with each event: for inotify. */
void lb_events_path(const struct lb *lb, char *path, size_t size);

/* ---- what only lbd calls ------------------------------------------------------------------------
 */

bool lb_daemon_is_running(const struct lb *lb);
/* Answers a descriptor that makes this the instance's lbd until it is closed. -EEXIST. */
int lb_daemon_claim(struct lb *lb, struct lb_error *err);
/* Opens what is needed later, while there are the rights to: the lock's and the events' files. */
int lb_daemon_begin(struct lb *lb, struct lb_error *err);
/* The directory in which "state.yaml" is renamed into place and "lock" is closed after a change. */
const char *lb_run_dir(const struct lb *lb);
/* The lock without waiting and without opening the maps anew. -EBUSY, -ESTALE. */
int lb_try_lock(struct lb *lb);
void lb_unlock(struct lb *lb);
bool lb_is_gone(const struct lb *lb); /* the maps were removed: close and open again */
int lb_add_event(struct lb *lb, struct lb_event *event);

/*
 * Health probes through the datapath. A socket with the mark is led into the instance's own link
 * and reaches, at the service's address, the backend that its local port is marked with.
 */
#define LB_PROBE_MARK 0x6c627072u
#define LB_PROBE_LINK "lbprobe0"

/* Makes the link, in the place of one that a killed lbd has left; needs the rights of attach. */
int lb_probe_open(struct lb *lb, struct lb_error *err);
/* Takes it away from the caller's namespace, if it is there. */
void lb_probe_remove(void);

struct lb_probe_way {
	__u32 number; /* of the backend */
	union lb_addr vip, source;
	__u16 port; /* the service's */
	__u8 proto;
	bool is_by_link; /* answers come back by the link, and the socket is to be bound to it */
};

/* To the backend of this number, as lb_get_health() leaves it in hint; or why there is none. */
int lb_probe_way(struct lb *lb, __u32 number, struct lb_probe_way *out, struct lb_error *err);
/* The backend that the port's packets go to; ~0: none. Forgets the fate. */
void lb_probe_mark(struct lb *lb, __u8 proto, __u16 port, __u32 number);
/* What became of the port's last packet; LB_R_NONE: none has come. */
enum lb_reason lb_probe_fate(const struct lb *lb, __u8 proto, __u16 port);

/* ---- what lbcache calls ------------------------------------------------------------------------
 */

/* Whether an lbcache takes the connections of cached services now. */
bool lb_cache_is_alive(const struct lb *lb);
/* Of a struct lb_cache, to be mapped by who may not open the maps; the handle's. -ENOTCONN. */
int lb_cache_descriptor(const struct lb *lb);
/* Likewise, of count struct lb_cache_fate, by number of a backend. */
int lb_cache_fates_descriptor(const struct lb *lb, __u32 *count);
/*
 * Gives a thread's listening socket the connections of cached services that are for the thread. It
 * must be bound to 127.0.0.1 or ::1, by which the datapath knows it.
 */
int lb_cache_offer(struct lb *lb, unsigned int thread, bool is_v6, int fd, struct lb_error *err);

/* A backend that new connections go to, and how many of its service's slots it has. */
struct lb_candidate {
	union lb_addr addr;
	__u16 port;
	__u32 slots, number;
};

/* Those of a service, by the table in force: weight, health and drain count. -ENOENT, -ENOTCONN. */
int lb_list_candidates(const struct lb *lb, const char *service, struct lb_candidate *list,
		       unsigned int room, unsigned int *count);
/* Another number as soon as some table in force is another one. */
__u64 lb_table_version(const struct lb *lb);

struct lb_flow_info {
	char service[LB_NAME_SIZE];
	__u8 proto;
	union lb_addr client, vip, source, backend;
	__u16 client_port, vip_port, source_port, backend_port;
	enum lb_mode mode;
	__u8 state;	     /* enum lb_flow_state */
	bool is_three_tuple; /* of all ports: client_port is 0, and vip_port of several */
	__u32 idle_ms;
	__u32 expires_ms;
};

/* Called once a flow; a non-zero answer ends the walk and is returned. */
typedef int (*lb_flow_fn)(const struct lb_flow_info *flow, void *arg);
int lb_walk_flows(struct lb *lb, lb_flow_fn fn, void *arg, struct lb_error *err);
const char *lb_flow_state_name(__u8 state, __u8 proto);

/*
 * Which backend a new connection of this five-tuple would get by the tables in force, with the same
 * hash as the datapath. -ENOENT: no such service; -EHOSTUNREACH: no backend. slot may be NULL.
 */
int lb_schedule(struct lb *lb, __u8 proto, const union lb_addr *client, __u16 client_port,
		const union lb_addr *vip, __u16 port, struct lb_backend_config *out, __u32 *slot,
		struct lb_error *err);

#ifdef __cplusplus
}
#endif

#endif
