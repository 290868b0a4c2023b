/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the document share: its defaults and ranges, and where in it a fault is, so
 * that the reader can name the line. Inside liblb only.
 */
#ifndef LB_CONFIG_H
#define LB_CONFIG_H

#include "liblb.h"

#define LB_CONFIG_VERSION 1

#define LB_SERVICES_DEFAULT 512u
#define LB_BACKENDS_DEFAULT 4096u
#define LB_FLOWS_DEFAULT 524288u
#define LB_SLOTS_PER_SERVICE 16384u /* limits.slots, if not given, is this × limits.services */

#define LB_LIMIT_SLOTS_MIN 16384u
#define LB_LIMIT_SLOTS_MAX (1u << 30)
#define LB_LIMIT_FLOWS_MIN 1024u
#define LB_LIMIT_FLOWS_MAX (1u << 26)

#define LB_TIMEOUT_MAX 86400u
#define LB_TIMEOUT_ESTABLISHED_MAX (7 * 86400u)

#define LB_SERVICE_BACKENDS_MAX 32766u
#define LB_TUNNEL_PREFIX_MIN 8u /* of a tunnel source: more host bits are a mistake */
#define LB_WEIGHT_MAX 65535u

/* A place in the document; -1 and NULL where it is not in one. Numbers count from 0. */
struct lb_place {
	int service, backend, source;
	const char *section; /* "limits", "cache", or in a service "timeouts" */
	const char *key;
};

#define LB_PLACE_NONE ((struct lb_place){ -1, -1, -1, NULL, NULL })

/* lb_config_check, and where the fault is. */
int lb_config_find_fault(const struct lb_config *config, struct lb_place *place,
			 struct lb_error *err);

/* Its part about what two entries of the document may not share. */
int lb_config_find_twin(const struct lb_config *config, struct lb_place *place,
			struct lb_error *err);

/* Whether the service says which source addresses are used towards the backend, or the route does.
 */
bool lb_backend_has_pool(const struct lb_service_config *service,
			 const struct lb_backend_config *backend);

/* "service web" or, if its name cannot be printed, "service number 3". Returns buf. */
#define LB_LABEL_SIZE 64
const char *lb_service_label(const struct lb_config *config, unsigned int index,
			     char buf[LB_LABEL_SIZE]);

/*
 * lb_config_write without waiting for the disk: for the running document, which need not outlive
 * the kernel whose maps it describes.
 */
int lb_config_store(const struct lb_config *config, const char *path, struct lb_error *err);

/* 0 or -EINVAL with a text. */
int lb_name_check(const char *name, struct lb_error *err);

/* config_health.c: the health part of a service; on a fault *key names it. */
int lb_health_check(const struct lb_health_config *health, const char **key, struct lb_error *err);
void lb_health_print(FILE *out, const struct lb_health_config *health);

/* front.c: how many of 128 bits a service's address has. */
__u32 lb_front_length(const union lb_addr *vip, __u8 vip_length);

/* config_front.c: what clients see of a service; on a fault *key names it. */
int lb_front_check(const struct lb_service_config *service, const char **key, struct lb_error *err);

/* Two services of several ports or addresses of which neither is the more specific one. */
int lb_front_find_overlap(const struct lb_config *config, struct lb_place *place,
			  struct lb_error *err);

/* config_quic.c: the numbers in connection ids; the place is of this service already. */
int lb_quic_check(const struct lb_service_config *service, struct lb_place *place,
		  struct lb_error *err);

/* config_fragments.c: whether later fragments can find the service that goes by three-tuple. */
int lb_fragments_check(const struct lb_service_config *service, struct lb_place *place,
		       struct lb_error *err);
/* The same of services beside one another. */
int lb_fragments_find_company(const struct lb_config *config, struct lb_place *place,
			      struct lb_error *err);

/* config_mode.c: whether a backend's mode, family and port go with its service's. */
int lb_mode_check(const struct lb_service_config *service, const struct lb_backend_config *backend,
		  struct lb_error *err);
const char *lb_family_name(const union lb_addr *addr);
/* config_cache.c: likewise, the cache part. */
int lb_cache_check(const struct lb_service_config *service, const char **key, struct lb_error *err);
void lb_cache_print(FILE *out, const struct lb_cache_config *cache);
void lb_cache_print_redis(FILE *out, const struct lb_config *config);

/* Sets limits to the defaults; slots follow from services. */
void lb_limits_init(struct lb_limits *limits);

#endif
