// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cached services in the control plane: the program that steers their connections to lbcache, and
 * what lbcache is told and tells. The program is there only while some service is cached.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "local.h"

#define SEEN_NS 1000000000ll /* for figures a late thread is no dead one */

/* ---- the program ---------------------------------------------------------------------------- */

static void link_path(const struct lb *lb, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/lb_cache_link", lb->pin_dir);
}

static int attach_and_pin(int program_fd, const char *path)
{
	const int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int link, ret = 0;

	if (netns < 0)
		return -errno;
	link = bpf_link_create(program_fd, netns, BPF_SK_LOOKUP, NULL);
	if (link < 0 || bpf_obj_pin(link, path))
		ret = -errno;
	if (link >= 0)
		(void)close(link);
	(void)close(netns);
	return ret;
}

int lb_cache_attach(struct lb *lb, struct lb_error *err)
{
	char path[PATH_MAX];
	int fd, ret;

	link_path(lb, path);
	if (!access(path, F_OK))
		return 0;
	ret = lb_program_load_cache(lb, &fd, err);
	if (ret)
		return ret;
	ret = attach_and_pin(fd, path);
	(void)close(fd);
	if (ret)
		return lb_fail(err, ret,
			       "the kernel refuses the program that steers connections to lbcache "
			       "(sk_lookup): %s",
			       strerror(-ret));
	return 0;
}

void lb_cache_detach(const struct lb *lb)
{
	char path[PATH_MAX];

	link_path(lb, path);
	(void)unlink(path);
}

bool lb_cache_is_used(const struct lb *lb)
{
	const __u32 now = (__u32)lb_kernel_jiffies(lb);

	return lb->cache->threads && now - lb->cache->used <= LB_CACHE_LINGER_S * lb_hz(lb);
}

/* ---- for lbcache and lbctl ------------------------------------------------------------------ */

static bool was_seen_within(const struct lb *lb, __s64 ns)
{
	struct timespec now;

	if (!lb->is_loaded || !lb->cache->threads || clock_gettime(CLOCK_MONOTONIC_COARSE, &now))
		return false;
	return now.tv_sec * 1000000000ll + now.tv_nsec - (__s64)lb->cache->thread[0].seen_ns <= ns;
}

bool lb_cache_is_alive(const struct lb *lb)
{
	return was_seen_within(lb, LB_CACHE_DEAD_NS);
}

void lb_cache_get(const struct lb *lb, struct lb_cache_state *out)
{
	out->is_running = was_seen_within(lb, SEEN_NS);
	memcpy(&out->counts, &lb->cache->counts, sizeof(out->counts));
}

double lb_cache_hit_ratio(const struct lb_cache_counts *counts)
{
	return counts->requests ? (double)(counts->hits + counts->stale) / (double)counts->requests
				: 0;
}

int lb_cache_descriptor(const struct lb *lb)
{
	return lb->is_loaded ? lb->maps[LB_MAP_CACHE].fd : -ENOTCONN;
}

int lb_cache_fates_descriptor(const struct lb *lb, __u32 *count)
{
	if (!lb->is_loaded)
		return -ENOTCONN;
	*count = lb->meta->backends;
	return lb->maps[LB_MAP_CACHE_FATES].fd;
}

int lb_cache_offer(struct lb *lb, unsigned int thread, bool is_v6, int fd, struct lb_error *err)
{
	const __u32 key = LB_CACHE_SOCK(thread, is_v6);
	const __u64 value = (__u64)fd;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached");
	if (thread >= LB_CACHE_THREADS ||
	    bpf_map_update_elem(lb->maps[LB_MAP_CACHE_SOCKS].fd, &key, &value, BPF_ANY))
		return lb_fail(err, -errno, "the kernel does not take lbcache's sockets: %s",
			       strerror(errno));
	return 0;
}

__u64 lb_table_version(const struct lb *lb)
{
	__u64 version = 0;

	if (!lb->is_loaded)
		return 0;
	for (__u32 i = 0; i < lb->meta->services; i++) {
		const struct lb_service *service = &lb->services[i];

		if (service->flags & LB_S_IN_USE)
			version = lb_hash_mix(version ^ ((__u64)i << 32 | service->line)) +
				  service->flags;
	}
	return version;
}

static bool find(const struct lb *lb, const char *name, __u32 *number, struct lb_service *out)
{
	for (__u32 i = 0; i < lb->meta->services; i++) {
		*number = i;
		if (lb_service_get(lb, i, out) && !strcmp(out->name, name))
			return true;
	}
	return false;
}

static unsigned int list_owners(const struct lb *lb, const struct lb_service *service, __u32 number,
				__u16 *owners, struct lb_candidate *list, unsigned int room)
{
	__u32 *slots = calloc(LB_OWNER_MASK + 1, sizeof(*slots));
	unsigned int count = 0;

	if (!slots)
		return 0;
	lb_table_read(lb, service, owners);
	for (__u32 i = 0; i < service->slots; i++)
		slots[owners[i] & LB_OWNER_MASK]++;
	for (__u32 owner = 0; owner < LB_OWNER_NONE && count < room; owner++) {
		const __u32 at = service->backend_base + owner;

		if (slots[owner] && at < lb->meta->backends && lb->backends[at].service == number &&
		    lb->backends[at].flags & LB_B_IN_USE)
			list[count++] = (struct lb_candidate){ .addr = lb->backends[at].addr,
							       .port = ntohs(lb->backends[at].port),
							       .slots = slots[owner],
							       .number = at };
	}
	free(slots);
	return count;
}

int lb_list_candidates(const struct lb *lb, const char *name, struct lb_candidate *list,
		       unsigned int room, unsigned int *count)
{
	struct lb_service service;
	__u16 *owners;
	__u32 number;

	if (!lb->is_loaded)
		return -ENOTCONN;
	if (!find(lb, name, &number, &service))
		return -ENOENT;
	owners = calloc(service.slots, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	*count = list_owners(lb, &service, number, owners, list, room);
	free(owners);
	return 0;
}
