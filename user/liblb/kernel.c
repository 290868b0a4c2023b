// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pinned maps: made together in a directory that gets its name last, opened together, removed
 * together. Their ABI version is in the path and in lb_meta.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "internal.h"
#include "clock.skel.h"
#include "lb.skel.h"

#define CLOCK_PIN "lb_clock"

/* Fixed, so that every balancer sends a five-tuple to the same slot. Odd multipliers, no meaning.
 */
static const struct lb_hash_key tuple_key = {
	.seed = 0x6c62272e07bb0142ull,
	.word = { 0x9ae16a3b2f90404full, 0xc949c7defebe8ca9ull, 0xb492b66fbe98f273ull,
		  0xd6e8feb86659fd93ull, 0xa0761d6478bd642full },
};

static const char *const map_names[LB_MAP_COUNT] = {
	[LB_MAP_META] = "lb_meta",
	[LB_MAP_CONTROL] = "lb_control",
	[LB_MAP_SERVICE_HASH] = "lb_service_hash",
	[LB_MAP_BACKEND_HASH] = "lb_backend_hash",
	[LB_MAP_ZONES] = "lb_zones",
	[LB_MAP_RANGES] = "lb_ranges",
	[LB_MAP_SERVICES] = "lb_services",
	[LB_MAP_BACKENDS] = "lb_backends",
	[LB_MAP_ENDPOINTS] = "lb_endpoints",
	[LB_MAP_SOURCES] = "lb_sources",
	[LB_MAP_SLOTS] = "lb_slots",
	[LB_MAP_TOTALS] = "lb_totals",
	[LB_MAP_BASES] = "lb_bases",
	[LB_MAP_HEALTH] = "lb_health",
	[LB_MAP_FLOWS] = "lb_flows",
	[LB_MAP_PORTS] = "lb_ports",
	[LB_MAP_CACHE] = "lb_cache",
	[LB_MAP_CACHE_FATES] = "lb_cache_fates",
	[LB_MAP_PROBES] = "lb_probes",
	[LB_MAP_BACKEND_CPU] = "lb_backend_cpu",
	[LB_MAP_SERVICE_CPU] = "lb_service_cpu",
	[LB_MAP_COUNTERS] = "lb_counters",
	[LB_MAP_ROUTES] = "lb_routes",
	[LB_MAP_SEED] = "lb_seed",
	[LB_MAP_FRAGMENTS] = "lb_fragments",
	[LB_MAP_TRACE] = "lb_trace",
	[LB_MAP_ICMP_BUDGET] = "lb_icmp_budget",
	[LB_MAP_HISTORY] = "lb_history",
	[LB_MAP_SERVERS] = "lb_servers",
	[LB_MAP_EGRESS] = "lb_egress",
	[LB_MAP_FROM] = "lb_from",
	[LB_MAP_CACHE_SOCKS] = "lb_cache_socks",
};

const char *lb_map_name(enum lb_map_id id)
{
	return map_names[id];
}

static int map_memory(struct lb_map *map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	const long page = sysconf(_SC_PAGESIZE);

	if (bpf_obj_get_info_by_fd(map->fd, &info, &size))
		return -errno;
	map->length = (size_t)((info.value_size + 7) & ~7u) * info.max_entries;
	map->length = (map->length + page - 1) / page * page;
	map->memory = mmap(NULL, map->length, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (map->memory == MAP_FAILED) {
		map->memory = NULL;
		return -errno;
	}
	return 0;
}

static void point_at_memory(struct lb *lb)
{
	lb_meta_take(lb);
	lb->control = lb->maps[LB_MAP_CONTROL].memory;
	lb->buckets[LB_LOOKUP_SERVICES] = lb->maps[LB_MAP_SERVICE_HASH].memory;
	lb->buckets[LB_LOOKUP_ENDPOINTS] = lb->maps[LB_MAP_BACKEND_HASH].memory;
	lb->zones = lb->maps[LB_MAP_ZONES].memory;
	lb->ranges = lb->maps[LB_MAP_RANGES].memory;
	lb->services = lb->maps[LB_MAP_SERVICES].memory;
	lb->backends = lb->maps[LB_MAP_BACKENDS].memory;
	lb->endpoints = lb->maps[LB_MAP_ENDPOINTS].memory;
	lb->sources = lb->maps[LB_MAP_SOURCES].memory;
	lb->lines = lb->maps[LB_MAP_SLOTS].memory;
	lb->totals = lb->maps[LB_MAP_TOTALS].memory;
	lb->bases = lb->maps[LB_MAP_BASES].memory;
	lb->health = lb->maps[LB_MAP_HEALTH].memory;
	lb->flows = lb->maps[LB_MAP_FLOWS].memory;
	lb->ports = lb->maps[LB_MAP_PORTS].memory;
	lb->cache = lb->maps[LB_MAP_CACHE].memory;
	lb->cache_fates = lb->maps[LB_MAP_CACHE_FATES].memory;
	lb->probes = lb->maps[LB_MAP_PROBES].memory;
}

void lb_kernel_close(struct lb *lb)
{
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		if (lb->maps[i].memory)
			munmap(lb->maps[i].memory, lb->maps[i].length);
		if (lb->is_loaded && lb->maps[i].fd > 0)
			close(lb->maps[i].fd);
		lb->maps[i] = (struct lb_map){};
	}
	if (lb->clock_fd >= 0)
		close(lb->clock_fd);
	lb->clock_fd = -1;
	lb->is_loaded = false;
	point_at_memory(lb);
}

static int open_maps(struct lb *lb, const char *dir, struct lb_error *err)
{
	char path[PATH_MAX];

	lb->is_loaded = true; /* so that closing closes what was opened */
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, map_names[i]);
		lb->maps[i].fd = bpf_obj_get(path);
		/* -ENOENT would mean that nothing is pinned at all. */
		if (lb->maps[i].fd < 0)
			return lb_fail(
				err, errno == ENOENT ? -EPROTO : -errno,
				"%s: %s; if pins were removed by hand, 'rm -r %s' and attach anew",
				path, strerror(errno), dir);
		if (i < LB_MAP_MMAPPED && map_memory(&lb->maps[i]))
			return lb_fail(err, -EPROTO, "%s: cannot be mapped into memory: %s", path,
				       strerror(errno));
	}
	snprintf(path, sizeof(path), "%s/" CLOCK_PIN, dir);
	lb->clock_fd = bpf_obj_get(path);
	if (lb->clock_fd < 0)
		return lb_fail(err, errno == ENOENT ? -EPROTO : -errno, "%s: %s", path,
			       strerror(errno));
	point_at_memory(lb);
	return 0;
}

static int open_pinned(struct lb *lb, struct lb_error *err)
{
	int ret = open_maps(lb, lb->pin_dir, err);

	if (!ret && lb->meta->abi_version != LB_ABI_VERSION)
		ret = lb_fail(
			err, -EPROTO,
			"%s: pinned maps of ABI version %u, this lbctl has version %d: detach with "
			"the lbctl that attached, then attach with this one",
			lb->pin_dir, lb->meta->abi_version, LB_ABI_VERSION);
	if (!ret && lb->meta->namespace_cookie != lb->cookie) {
		lb_kernel_remove(lb, NULL);
		lb_notice(lb, "dropped the maps of an earlier namespace %s", lb->instance);
		return -ENOENT;
	}
	if (ret)
		lb_kernel_close(lb);
	return ret;
}

/*
 * Who reads takes no lock: another command may remove the pins, or make them anew, between the
 * first and the last that is opened. The directory's inode tells, and what was opened of two is not
 * used.
 */
int lb_kernel_open(struct lb *lb, struct lb_error *err)
{
	struct stat before, after;

	while (!stat(lb->pin_dir, &before)) {
		const int ret = open_pinned(lb, err);

		if (!stat(lb->pin_dir, &after) && after.st_ino == before.st_ino)
			return ret;
		lb_kernel_close(lb);
	}
	return -ENOENT;
}

void lb_remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

int lb_kernel_remove(struct lb *lb, struct lb_error *err)
{
	char trash[PATH_MAX];

	/* lbd holds the maps and sees it here. */
	if (lb->control)
		lb->control->is_gone = 1;
	/* One step out of sight: a killed command leaves all of the maps or none. */
	snprintf(trash, sizeof(trash), "%s+old", lb->pin_dir);
	lb_remove_dir(trash);
	lb_kernel_close(lb);
	if (rename(lb->pin_dir, trash))
		return lb_fail(err, -errno, "%s: %s", lb->pin_dir, strerror(errno));
	lb_remove_dir(trash);
	return 0;
}

static void set_sizes(struct lb_bpf *skeleton, const struct lb_meta *meta)
{
	bpf_map__set_max_entries(skeleton->maps.lb_service_hash,
				 2 * meta->buckets[LB_LOOKUP_SERVICES]);
	bpf_map__set_max_entries(skeleton->maps.lb_backend_hash,
				 2 * meta->buckets[LB_LOOKUP_ENDPOINTS]);
	bpf_map__set_max_entries(skeleton->maps.lb_zones, 2 * meta->services);
	bpf_map__set_max_entries(skeleton->maps.lb_ranges,
				 2 * LB_RANGES_PER_SERVICE * meta->services);
	bpf_map__set_max_entries(skeleton->maps.lb_services, meta->services);
	bpf_map__set_max_entries(skeleton->maps.lb_service_cpu, meta->services);
	bpf_map__set_max_entries(skeleton->maps.lb_totals, meta->services);
	bpf_map__set_max_entries(skeleton->maps.lb_backends, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_backend_cpu,
				 (meta->backends + LB_CPU_BLOCK - 1) / LB_CPU_BLOCK);
	bpf_map__set_max_entries(skeleton->maps.lb_bases, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_health, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_cache_fates, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_sources, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_endpoints, meta->backends);
	bpf_map__set_max_entries(skeleton->maps.lb_slots, meta->lines);
	bpf_map__set_max_entries(skeleton->maps.lb_flows, meta->flows / LB_FLOWS_PER_BUCKET);
	bpf_map__set_max_entries(skeleton->maps.lb_ports, LB_PORTS_MAX + 1);
	bpf_map__set_max_entries(skeleton->maps.lb_probes, LB_PROBE_PORTS);
	bpf_map__set_max_entries(skeleton->maps.lb_routes, LB_ROUTES);
	bpf_map__set_max_entries(skeleton->maps.lb_history, meta->histories);
	/* Twice, since old entries go when the new ones are there. */
	bpf_map__set_max_entries(skeleton->maps.lb_servers, 2 * meta->backends);
}

int lb_kernel_estimate(const struct lb *lb, const struct lb_limits *limits,
		       __u64 bytes[LB_MAP_COUNT])
{
	struct lb_bpf *skeleton = lb_bpf__open();
	struct lb_meta meta = {};

	if (!skeleton)
		return -errno;
	lb_limits_to_meta(limits, &meta);
	set_sizes(skeleton, &meta);
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		const struct bpf_map *map =
			bpf_object__find_map_by_name(skeleton->obj, map_names[i]);
		const __u64 entries = bpf_map__max_entries(map);
		const __u64 size = (bpf_map__value_size(map) + 7) & ~7u;

		/* Of a hash only the heads are there from the start. */
		if (bpf_map__type(map) == BPF_MAP_TYPE_HASH)
			bytes[i] = entries * 2 * sizeof(void *);
		else if (bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY)
			bytes[i] = entries * (size * lb->cpus + sizeof(void *));
		else
			bytes[i] = entries * size;
	}
	lb_bpf__destroy(skeleton);
	return 0;
}

static int pin_all(const char *dir, const struct lb_meta *meta, struct lb_error *err)
{
	char words[LB_TEXT_SIZE], path[PATH_MAX];
	struct clock_bpf *clock = clock_bpf__open_and_load();
	struct lb_bpf *skeleton = lb_bpf__open();
	int ret = skeleton && clock ? 0 : -errno;

	lb_program_capture(words, sizeof(words));
	snprintf(path, sizeof(path), "%s/" CLOCK_PIN, dir);
	if (!ret)
		ret = bpf_program__pin(clock->progs.lb_clock, path);
	if (!ret) {
		set_sizes(skeleton, meta);
		/* The maps are wanted here; each interface loads a program of its own. */
		bpf_program__set_autoload(skeleton->progs.lb_xdp, false);
		bpf_program__set_autoload(skeleton->progs.lb_agent, false);
		ret = lb_bpf__load(skeleton);
	}
	for (int i = 0; !ret && i < LB_MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, map_names[i]);
		ret = bpf_map__pin(bpf_object__find_map_by_name(skeleton->obj, map_names[i]), path);
	}
	lb_program_capture(NULL, 0);
	clock_bpf__destroy(clock);
	lb_bpf__destroy(skeleton);
	if (ret)
		return lb_fail(err, ret, "the kernel refuses the maps: %s%s%s", strerror(-ret),
			       words[0] ? ": " : "", words);
	return 0;
}

/* Read at each change, since the operator may have moved the host's range. */
void lb_read_port_ranges(struct lb *lb)
{
	struct lb_control *control = lb->control;
	unsigned int low = 32768, high = 60999;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (file) {
		if (fscanf(file, "%u %u", &low, &high) != 2 || low > high || high > 65535) {
			low = 32768;
			high = 60999;
		}
		fclose(file);
	}
	control->port_low[0] = 1024;
	control->port_count[0] = low > 1024 ? low - 1024 : 0;
	control->port_low[1] = high + 1 > 65535 ? 65535 : high + 1;
	control->port_count[1] = 65535 - high;
	if (!control->port_count[0] && !control->port_count[1])
		lb_notice(lb, "ip_local_port_range leaves no port to full NAT, every new "
			      "connection ends in "
			      "ports_full: narrow it, for example to '32768 60999'");
}

static void first_contents(struct lb *lb, const struct lb_meta *meta)
{
	struct timespec tick = {};

	*(struct lb_meta *)lb->maps[LB_MAP_META].memory = *meta;
	lb_meta_take(lb);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	lb->control->hz = tick.tv_nsec ? (1000000000 + tick.tv_nsec / 2) / tick.tv_nsec : 250;
	lb->control->is_settled = 1;
	lb_read_port_ranges(lb);
}

static int fill_meta(struct lb *lb, const struct lb_limits *limits, struct lb_meta *meta)
{
	lb_limits_to_meta(limits, meta);
	meta->abi_version = LB_ABI_VERSION;
	meta->namespace_cookie = lb->cookie;
	meta->tuple_key = tuple_key;
	if (getrandom(&meta->flow_key, sizeof(meta->flow_key), 0) != sizeof(meta->flow_key))
		return -EIO;
	for (int i = 0; i < LB_HASH_WORDS; i++)
		meta->flow_key.word[i] |= 1;
	return 0;
}

int lb_kernel_create(struct lb *lb, const struct lb_limits *limits, struct lb_error *err)
{
	struct lb_meta meta = {};
	char stage[PATH_MAX];
	int ret = fill_meta(lb, limits, &meta);

	if (ret)
		return lb_fail(err, ret, "no random numbers: %s", strerror(-ret));
	if ((mkdir(LB_BPFFS "/lbctl", 0700) && errno != EEXIST))
		return lb_fail(err, -errno, LB_BPFFS "/lbctl: %s", strerror(errno));
	snprintf(stage, sizeof(stage), LB_BPFFS "/lbctl/v%d", LB_ABI_VERSION);
	if (mkdir(stage, 0700) && errno != EEXIST)
		return lb_fail(err, -errno, "%s: %s", stage, strerror(errno));
	snprintf(stage, sizeof(stage), "%s+new", lb->pin_dir);
	lb_remove_dir(stage);
	if (mkdir(stage, 0700))
		return lb_fail(err, -errno, "%s: %s", stage, strerror(errno));
	ret = pin_all(stage, &meta, err) ?: open_maps(lb, stage, err);
	if (!ret) {
		first_contents(lb, &meta);
		if (rename(stage, lb->pin_dir))
			ret = lb_fail(err, -errno, "%s: %s", lb->pin_dir, strerror(errno));
	}
	if (ret) {
		lb_kernel_close(lb);
		lb_remove_dir(stage);
	}
	return ret;
}
