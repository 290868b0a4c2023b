/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the library's files share: the handle, the opened maps, and who does what. Nothing of this
 * is for programs.
 */
#ifndef LB_INTERNAL_H
#define LB_INTERNAL_H

#include <limits.h>

#include "liblb.h"

#define LB_BPFFS "/sys/fs/bpf"
#define LB_RUN_DIR "/run/lbctl"
#define LB_NETNS_DIR "/run/netns"

enum lb_map_id {
	LB_MAP_META,
	LB_MAP_CONTROL,
	LB_MAP_SERVICE_HASH,
	LB_MAP_BACKEND_HASH,
	LB_MAP_ZONES,
	LB_MAP_RANGES,
	LB_MAP_SERVICES,
	LB_MAP_BACKENDS,
	LB_MAP_ENDPOINTS,
	LB_MAP_SOURCES,
	LB_MAP_SLOTS,
	LB_MAP_TOTALS,
	LB_MAP_BASES,
	LB_MAP_HEALTH,
	LB_MAP_FLOWS,
	LB_MAP_PORTS,
	LB_MAP_CACHE,
	LB_MAP_CACHE_FATES,
	LB_MAP_PROBES,
	LB_MAP_MMAPPED, /* the maps before this one are mapped into memory */
	LB_MAP_BACKEND_CPU = LB_MAP_MMAPPED,
	LB_MAP_SERVICE_CPU,
	LB_MAP_COUNTERS,
	LB_MAP_ROUTES,
	LB_MAP_SEED,
	LB_MAP_TRACE,
	LB_MAP_FRAGMENTS,
	LB_MAP_ICMP_BUDGET,
	LB_MAP_HISTORY,
	LB_MAP_SERVERS,
	LB_MAP_EGRESS,
	LB_MAP_FROM,
	LB_MAP_CACHE_SOCKS,
	LB_MAP_COUNT,
};

struct lb_map {
	int fd;
	void *memory;
	size_t length; /* of memory */
};

/* Addresses that are this host's only because a process here answers for them (host_route.c). */
struct lb_host_routes {
	struct lb_host_route {
		union lb_addr addr;
		__u8 prefix; /* bits of addr, IPv4 counted from 96 on */
	} * routes;
	unsigned int count;
};

#define LB_NOTICES 16

struct lb {
	char instance[128]; /* "default" or "netns-NAME" */
	char pin_name[128]; /* the same without dots, which bpffs refuses */
	char pin_dir[PATH_MAX / 2];
	char run_dir[PATH_MAX / 2];
	char state_path[PATH_MAX];
	__u64 cookie;	  /* of the network namespace */
	int lock_fd;	  /* the lock is held by it, or -1 */
	int kept_lock_fd; /* of a daemon: the lock file, open */
	int events_fd;	  /* likewise, or -1 */
	__u64 last_event;
	int clock_fd;
	int cpus;
	bool is_loaded;
	bool is_refresh; /* ask for all routes anew, not only for those of new backends */
	struct mnl_socket *netlink;	   /* opened when first needed */
	struct lb_host_routes host_routes; /* as they were read or written last */
	struct lb_map maps[LB_MAP_COUNT];
	struct lb_meta own_meta;
	/* maps in memory, NULL while nothing is loaded; meta is own_meta */
	const struct lb_meta *meta;
	struct lb_control *control;
	struct lb_bucket *buckets[LB_LOOKUPS];
	struct lb_zone *zones;
	struct lb_range *ranges;
	struct lb_service *services;
	struct lb_backend *backends;
	struct lb_endpoint *endpoints;
	struct lb_sources *sources;
	struct lb_line *lines;
	struct lb_totals *totals; /* by service */
	struct lb_totals *bases;  /* by backend */
	struct lb_backend_health *health;
	struct lb_flow *flows;
	struct lb_port *ports;
	struct lb_cache *cache;
	struct lb_cache_fate *cache_fates; /* by backend */
	struct lb_probe_port *probes;
	char notices[LB_NOTICES + 1][LB_TEXT_SIZE]; /* and a line for those left out */
	unsigned int notice_count, notice_next, notices_left_out;
};

/* instance.c */
bool lb_netns_is_name(const char *netns);
void lb_pin_name_fix(char *name); /* bpffs refuses dots */
void lb_notice(struct lb *lb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* kernel.c: the maps. lb_kernel_open answers -ENOENT where there are none. */
int lb_kernel_open(struct lb *lb, struct lb_error *err);
int lb_kernel_create(struct lb *lb, const struct lb_limits *limits, struct lb_error *err);
void lb_kernel_close(struct lb *lb);
int lb_kernel_remove(struct lb *lb, struct lb_error *err);
void lb_remove_dir(const char *path); /* with the files in it */
const char *lb_map_name(enum lb_map_id id);
/* What each map will take with these limits, roughly. */
int lb_kernel_estimate(const struct lb *lb, const struct lb_limits *limits,
		       __u64 bytes[LB_MAP_COUNT]);
/* 0 if the kernel does not say, which is a failure. */
__u64 lb_kernel_jiffies(const struct lb *lb);
/* Returns once no packet is under way any more that began before the call. */
void lb_kernel_settle(void);
void lb_read_port_ranges(struct lb *lb);

/*
 * entry.c: what others may write meanwhile, read once, so that what was checked is what is used.
 */
#define LB_READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define LB_NO_BACKEND (~0u)
/* A copy of the maps' lb_meta with the sizes that the kernel says they have. */
void lb_meta_take(struct lb *lb);
__u32 lb_hz(const struct lb *lb); /* jiffies per second, never 0 */
/* A copy of a service that is in use, with its tables and backends inside of the maps; or false. */
bool lb_service_get(const struct lb *lb, __u32 number, struct lb_service *out);
/* In use, and not as above: its table is to be built anew. */
bool lb_service_is_lost(const struct lb *lb, __u32 number);
/* Whether number is one of a service's backends, whose first is base. */
bool lb_backend_is_within(const struct lb *lb, __u32 base, __u32 number);
/* The backend's number, or LB_NO_BACKEND. The flow may be the one in the map. */
__u32 lb_flow_backend(const struct lb *lb, const struct lb_flow *flow);

/* limits.c: the sizes that limits give; the other fields stay. */
void lb_limits_to_meta(const struct lb_limits *limits, struct lb_meta *meta);
/* Whether the maps have the sizes that these limits give. */
bool lb_limits_are_in_force(const struct lb *lb, const struct lb_limits *limits);

/* status.c: what the kernel holds for a map. */
__u64 lb_map_bytes(int fd);

/* program.c: loading the datapath for one interface. */
struct bpf_object;
struct lb_bpf;
int lb_program_open(struct lb *lb, const struct lb_port *port, bool is_generic, struct lb_bpf **out,
		    struct lb_error *err);
/* Loads local.bpf.c on this instance's maps; the program's fd is the caller's. */
int lb_program_load_local(struct lb *lb, int *fd, struct lb_error *err);
struct bpf_program;
/* The one of the object that the port runs. */
struct bpf_program *lb_program_main(struct lb_bpf *skeleton, const struct lb_port *port);
/* The same with cache.bpf.c. */
int lb_program_load_cache(struct lb *lb, int *fd, struct lb_error *err);
/* The same with probe.bpf.c. */
int lb_program_load_probe(struct lb *lb, int *fd, struct lb_error *err);
void lb_program_close(struct lb_bpf *skeleton);
void lb_program_capture(char *text,
			size_t size); /* where libbpf's and libxdp's words go; NULL: nowhere */

/* interface.c: what the kernel says of an interface. */
struct lb_interface {
	__u32 ifindex;
	__u32 mtu;
	__u8 mac[6];
	bool is_up;
	bool has_gro;
	char driver[32];
};
int lb_interface_get(const char *ifname, struct lb_interface *out, struct lb_error *err);
/* A file of /proc/sys with a number; -1 if it cannot be read. */
int lb_interface_read_switch(const char *path);
bool lb_interface_switch(const char *path, int value);
void lb_interface_enable_forwarding(struct lb *lb, const char *ifname);
void lb_interface_accept_local(struct lb *lb, __u32 ifindex);

/* route.c: the kernel's routing table by rtnetlink. */
void lb_route_close(struct lb *lb);
struct lb_route_answer {
	__u32 ifindex;
	union lb_addr source;	/* that the host itself would use */
	union lb_addr next_hop; /* the gateway, or the address itself */
	bool is_local;
	__u32 mtu; /* the route's own; 0: the interface's */
};
int lb_route_get(struct lb *lb, const union lb_addr *addr, struct lb_route_answer *out);
/* Has the kernel resolve the neighbour and keep it fresh (NTF_EXT_MANAGED), or stop that. */
int lb_neighbour_manage(struct lb *lb, __u32 ifindex, const union lb_addr *addr, bool is_on);

/* agent.c: whose outer packets a backend takes. -EINVAL when nobody's. */
unsigned int lb_agent_read(const struct lb *lb, struct lb_prefix out[LB_FROM_MAX]);
int lb_agent_write(struct lb *lb, const struct lb_attach_options *options, const char *ifname,
		   struct lb_error *err);

/* plan.c: from a document to what must be in the maps. */
struct lb_backend_change {
	const struct lb_backend_config *config;
	__u32 number;
	bool is_new;
	__u16 endpoint;
	struct lb_route_answer route;
	bool has_route;
	__u16 cut;    /* of its weight, by its health */
	bool is_down; /* and others are up, or it does not matter */
	bool is_dead; /* it goes down by this change: nobody's connections to it can be kept */
};

/* reach.c: what a new backend's mode needs of the route to it; -EHOSTUNREACH. */
int lb_reach_check(const struct lb *lb, const struct lb_service_config *config,
		   const struct lb_backend_change *backend, struct lb_error *err);

/* What lb_history must gain and lose for one service. */
struct lb_histories {
	__u32 *keys;
	struct lb_history *values;
	__u32 count;
	__u32 added; /* of them, keys that were not there */
	__u32 *old_keys;
	__u32 old_count;
};

struct lb_service_change {
	const struct lb_service_config *config;
	__u32 number;
	bool is_new;
	bool is_lost;	/* there, and its entry cannot be: its table is built anew */
	bool is_placed; /* is_new, is_lost: its table has its lines */
	struct lb_service value;
	struct lb_backend_change *backends;
	__u16 *owners;	/* the new table, with history bits */
	__u16 *current; /* the table in force, with history bits */
	__u32 moved;
	unsigned int removed, changed;
	__u64 now; /* jiffies at which the histories were weighed */
	struct lb_histories histories;
	bool *quiet; /* by owner: nat, and no packet was ever sent to it when the plan was made */
	bool *kept;  /* by owner: in the maps, and in the document still */
};

struct lb_change {
	struct lb_service_change *services;
	unsigned int service_count;
	__u32 *gone_services;
	unsigned int gone_service_count;
	__u32 *gone_backends;
	unsigned int gone_backend_count;
	struct lb_endpoint *endpoints; /* all, by number, as they will be */
	bool is_change;
};

int lb_change_make(struct lb *lb, const struct lb_config *config, struct lb_change **out,
		   struct lb_error *err);
void lb_change_free(struct lb_change *change);
/* plan_documents.c: of an instance that is not loaded; fills the plan's services. */
int lb_plan_documents(struct lb *lb, const struct lb_config *config, struct lb_plan *plan,
		      struct lb_error *err);

/* number.c: numbers for new services, backends and endpoints. */
__u32 lb_lines_of(__u32 slots);
int lb_number_services(struct lb *lb, struct lb_change *change, struct lb_error *err);
int lb_number_backends(struct lb *lb, struct lb_change *change, struct lb_error *err);
int lb_number_endpoints(struct lb *lb, struct lb_change *change, struct lb_error *err);

/* apply.c */
int lb_change_apply(struct lb *lb, struct lb_change *change, struct lb_error *err);
/* Makes the maps agree with the running document, which a killed command may have left ahead of
 * them. */
int lb_apply_intent(struct lb *lb, struct lb_error *err);

/* table.c: slots and their history. */
int lb_table_make(struct lb *lb, struct lb_service_change *service, struct lb_error *err);
int lb_table_write(struct lb *lb, struct lb_service_change *service, struct lb_error *err);
/* service: as lb_service_get() answers it. */
void lb_table_read(const struct lb *lb, const struct lb_service *service, __u16 *owners);
__u16 *lb_table_slot(const struct lb *lb, const struct lb_service *service, __u32 slot);

/* history.c */
int lb_history_weigh(struct lb *lb, struct lb_service_change *service, struct lb_error *err);
int lb_history_check(struct lb *lb, const struct lb_change *change, struct lb_error *err);
int lb_history_write(struct lb *lb, const struct lb_service_change *service, struct lb_error *err);
bool lb_history_is_outdated(struct lb *lb, const struct lb_service_change *service);
void lb_history_add_late(struct lb *lb, struct lb_service_change *service);
void lb_history_forget(struct lb *lb, const struct lb_service_change *service);
void lb_history_free(struct lb_histories *list);
/* Numbers of backends that are given again must not be found in histories of earlier holders. */
int lb_history_sweep(struct lb *lb, const bool *is_given_again);

/* health.c: which part of its weight a backend of a change gets. */
struct lb_maglev_owner;
__u32 lb_health_flags(const struct lb_health_config *health); /* enum lb_service_flags */
void lb_health_plan(const struct lb *lb, struct lb_change *change);
/* Which backends count as down. */
void lb_health_mark(struct lb_service_change *service);
void lb_health_weigh(const struct lb_service_change *service, struct lb_maglev_owner *list);

/* servers.c: numbers in QUIC's connection ids; trim takes those away that no backend has. */
int lb_servers_write(struct lb *lb, const struct lb_change *change, struct lb_error *err);
void lb_servers_trim(struct lb *lb);

/* zone.c: services of several ports or addresses. */
struct lb_zones {
	struct lb_zone *zones;
	unsigned int zone_count;
	struct lb_range *ranges;
	unsigned int range_count;
	__u8 lengths[LB_ZONE_LENGTHS];
};

bool lb_service_is_wide(const struct lb_service *service);
bool lb_service_has_front(const struct lb_service *service, const struct lb_service_config *config);
void lb_service_set_front(struct lb_service *service, const struct lb_service_config *config);
/* What the services of a change come to. -ENOMEM, -ENOSPC. */
int lb_zones_make(const struct lb *lb, const struct lb_change *change, struct lb_zones *out,
		  struct lb_error *err);
void lb_zones_free(struct lb_zones *zones);
/* Into one half; and whether it is there. */
void lb_zones_write(struct lb *lb, const struct lb_zones *zones, __u32 half);
bool lb_zones_are(const struct lb *lb, const struct lb_zones *zones, __u32 half);
/* The number of the service that a packet to this address and port (host order) is for; -ENOENT. */
int lb_service_find(const struct lb *lb, __u8 proto, const union lb_addr *addr, __u16 port,
		    __u32 *number);

/* lookup.c */
int lb_lookup_write(struct lb *lb, const struct lb_change *change, enum lb_lookup table,
		    struct lb_error *err);

/* flows.c */
typedef bool (*lb_flow_test)(const struct lb_flow *flow, const void *arg);
bool lb_flows_has_service(const struct lb *lb, __u32 service);
void lb_flows_sweep(struct lb *lb, lb_flow_test is_stale, const void *arg);
bool lb_flow_is_live(const struct lb *lb, const struct lb_flow *flow, __u32 now, __u32 *idle,
		     __u32 *timeout);

/* cache.c: of an instance that is loaded. */
void lb_cache_get(const struct lb *lb, struct lb_cache_state *out);

/* linger.c: flags of a service that stay although the document does not ask for them any more. */
__u32 lb_flags_kept(const struct lb *lb, __u32 number, __u32 wanted);

/* counters.c: what backends' numbers have counted, for all their holders */
int lb_read_backend_cpu(struct lb *lb, __u32 number, struct lb_totals *sum);
/* Of many, quicker if they are in order. */
int lb_read_counters(const struct lb *lb, const __u32 *numbers, unsigned int count,
		     struct lb_totals *out);
void lb_totals_add(struct lb_totals *sum, const struct lb_totals *part);
void lb_totals_subtract(struct lb_totals *sum, const struct lb_totals *part);

#endif
