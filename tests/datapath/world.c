// SPDX-License-Identifier: GPL-2.0-only
/* Makes the namespace and the interfaces, attaches by the library, runs frames, and removes all
 * traces. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "world.h"

#define BATCH 4096

struct world world;

const __u8 world_client_mac[6] = { 0x02, 0, 0, 0, 0x0c, 0x07 };
const __u8 world_backend_mac[6] = { 0x02, 0, 0, 0, 0x0b, 0x11 };

/* The peers stay silent, so that only the tests' own frames are counted. */
static const char interfaces[] =
	"link set lo up\n"
	"link add c0 address 02:00:00:00:0c:01 type veth peer name c0p\n"
	"link add b0 address 02:00:00:00:0b:01 type veth peer name b0p\n"
	"link add u0 address 02:00:00:00:0d:01 type veth peer name u0p\n"
	"link set c0p addrgenmode none arp off up\n"
	"link set b0p addrgenmode none arp off up\n"
	"link set u0p addrgenmode none arp off up\n"
	"link set c0 addrgenmode none up\n"
	"link set b0 addrgenmode none up\n"
	"link set u0 addrgenmode none up\n"
	"address add 198.51.100.1/24 dev c0\n"
	"address add 2001:db8:c::1/64 dev c0 nodad\n"
	"address add 192.0.2.1/25 dev b0\n"
	"address add 2001:db8:b::1/64 dev b0 nodad\n"
	"address add 192.0.2.129/25 dev u0\n"
	"address add 2001:db8:d::1/64 dev u0 nodad\n"
	"neighbour add 198.51.100.7 lladdr 02:00:00:00:0c:07 nud permanent dev c0\n"
	"neighbour add 2001:db8:c::7 lladdr 02:00:00:00:0c:07 nud permanent dev c0\n"
	"route add default via 198.51.100.7 dev c0\n"
	"route add default via 2001:db8:c::7 dev c0\n";

static void remove_files(const char *path)
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

static void remove_traces(void)
{
	static const char *const endings[] = { "", "+new", "+old" };
	char path[256];
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(path, sizeof(path), LB_BPFFS "/lbctl/v%d/inode-%llu%s", LB_ABI_VERSION,
			 (unsigned long long)st.st_ino, endings[i]);
		remove_files(path);
	}
	snprintf(path, sizeof(path), LB_RUN_DIR "/inode-%llu", (unsigned long long)st.st_ino);
	remove_files(path);
}

int world_guard(int (*body)(void))
{
	int status;
	pid_t child;

	if (unshare(CLONE_NEWNET)) {
		perror("a network namespace of its own (needs root)");
		return 1;
	}
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 3; i++) {
			char path[64];

			snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad",
				 i ? "default" : "all");
			world_sysctl(path, "0");
		}
		world_ip(interfaces);
		exit(body());
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		status = 1 << 8;
	remove_traces();
	if (WIFSIGNALED(status))
		fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void world_ip(const char *lines)
{
	FILE *ip = popen("ip -batch -", "w");

	assert_non_null(ip);
	fputs(lines, ip);
	assert_int_equal(pclose(ip), 0);
}

void world_sysctl(const char *path, const char *value)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fprintf(file, "%s\n", value);
	assert_int_equal(fclose(file), 0);
}

static void check(int ret, const struct lb_error *err)
{
	if (ret)
		fail_msg("%s (%s)", err->text, strerror(-ret));
}

static void attach_as(struct world_port *port, const char *name,
		      const struct lb_attach_options *options)
{
	struct lb_interface interface;
	struct lb_attached attached;
	struct lb_error err;
	__u32 id = 0;

	check(lb_attach(world.lb, name, options, &attached, &err), &err);
	check(lb_interface_get(name, &interface, &err), &err);
	port->name = name;
	port->ifindex = interface.ifindex;
	memcpy(port->mac, interface.mac, sizeof(port->mac));
	/* Behind a dispatcher it is the dispatcher that can be run. */
	assert_int_equal(bpf_xdp_query_id((int)port->ifindex, 0, &id), 0);
	if (port->program > 0)
		close(port->program);
	port->program = bpf_prog_get_fd_by_id(id);
	assert_true(port->program >= 0);
}

static enum lb_attach_mode attach_mode = LB_ATTACH_NATIVE;

static void attach(struct world_port *port, const char *name)
{
	const struct lb_attach_options options = {
		.mode = attach_mode,
		.priority = LB_PRIORITY_DEFAULT,
	};

	attach_as(port, name, &options);
}

static void open_library(const struct lb_config *config)
{
	struct lb_error err;

	check(lb_open(&world.lb, NULL, &err), &err);
	assert_non_null(strstr(lb_pin_dir(world.lb), "inode-"));
	check(lb_lock(world.lb, &err), &err);
	check(lb_commit(world.lb, config, &err), &err);
}

void world_attach_backend(const char *const *from, unsigned int count)
{
	struct lb_attach_options options = { .mode = LB_ATTACH_NATIVE, .is_backend = true };

	for (; options.from_count < count; options.from_count++)
		assert_int_equal(lb_prefix_parse(from[options.from_count],
						 &options.from[options.from_count]),
				 0);
	attach_as(&world.client, "c0", &options);
}

void world_open_backend(const struct lb_config *config, const char *const *from, unsigned int count)
{
	open_library(config);
	world_attach_backend(from, count);
	attach(&world.backend, "b0");
}

void world_open(const struct lb_config *config)
{
	open_library(config);
	attach(&world.client, "c0");
	attach(&world.backend, "b0");
}

void world_open_generic(const struct lb_config *config)
{
	attach_mode = LB_ATTACH_GENERIC;
	world_open(config);
}

void world_close(void)
{
	unsigned int count;

	if (!world.lb)
		return;
	if (lb_is_loaded(world.lb))
		assert_int_equal(lb_detach(world.lb, NULL, &count, NULL), 0);
	close(world.client.program);
	close(world.backend.program);
	unlink(lb_state_path(world.lb));
	lb_close(world.lb);
	world = (struct world){};
}

void world_commit(const struct lb_config *config)
{
	struct lb_error err;

	check(lb_commit(world.lb, config, &err), &err);
	while (lb_next_notice(world.lb))
		;
	world.lb->notice_count = world.lb->notice_next = 0;
}

/* In the pinned map, as lb_attach() would, which loads the program anew to compare it. */
static void set_flag(__u32 flag, bool is_on)
{
	for (int i = 0; i < LB_PORTS_MAX; i++) {
		struct lb_port *port = &world.lb->ports[i];

		if (port->ifindex == world.client.ifindex)
			port->flags = is_on ? port->flags | flag : port->flags & ~flag;
	}
}

void world_set_arp(bool is_on)
{
	set_flag(LB_P_ARP, is_on);
}

void world_set_ping(bool is_on)
{
	set_flag(LB_P_NO_PING, !is_on);
}

int world_try(const struct world_port *port, const struct frame *in, struct frame *out)
{
	struct xdp_md ctx = {
		.data_end = in->length,
		.ingress_ifindex = port->ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->length,
		    .data_out = out->data, .data_size_out = sizeof(out->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);
	int ret = bpf_prog_test_run_opts(port->program, &opts);

	if (ret)
		return ret;
	out->length = opts.data_size_out;
	out->l3 = in->l3;
	out->l4 = in->l4;
	return (int)opts.retval;
}

int world_run(const struct world_port *port, const struct frame *in, struct frame *out)
{
	int ret = world_try(port, in, out);

	if (ret < 0)
		fail_msg("the program cannot be run: %s", strerror(-ret));
	return ret;
}

__u64 world_reasons(__u64 reasons[LB_R_COUNT])
{
	struct lb_stats *stats;
	struct lb_error err;
	__u64 received;

	check(lb_get_stats(world.lb, &stats, &err), &err);
	memcpy(reasons, stats->reasons, sizeof(stats->reasons));
	received = stats->received;
	assert_true(stats->is_accounted);
	assert_int_equal(received, stats->sent + stats->passed + stats->dropped);
	lb_stats_free(stats);
	return received;
}

static void age_histories(__u32 jiffies)
{
	const int fd = world.lb->maps[LB_MAP_HISTORY].fd;
	static struct lb_history values[BATCH];
	static __u32 keys[BATCH];
	__u32 batch, count;
	void *from = NULL;
	int ret;

	do {
		count = BATCH;
		ret = bpf_map_lookup_batch(fd, from, &batch, keys, values, &count, NULL);
		from = &batch;
		assert_true(!ret || ret == -ENOENT);
		for (__u32 i = 0; i < count; i++)
			values[i].stamp -= jiffies;
		if (count)
			assert_int_equal(bpf_map_update_batch(fd, keys, values, &count, NULL), 0);
	} while (!ret);
}

void world_age(__u32 jiffies)
{
	for (__u32 i = 0; i < world.lb->meta->flows; i++)
		world.lb->flows[i].seen -= jiffies;
	age_histories(jiffies);
}

void world_forget_hops(void)
{
	const int fd = world.lb->maps[LB_MAP_BACKEND_CPU].fd;
	struct lb_backend_cpu_block *each = calloc(world.lb->cpus, sizeof(*each));

	assert_non_null(each);
	for (__u32 block = 0; !bpf_map_lookup_elem(fd, &block, each); block++) {
		for (int i = 0; i < world.lb->cpus * LB_CPU_BLOCK; i++)
			each[i / LB_CPU_BLOCK].backend[i % LB_CPU_BLOCK].hop = (struct lb_hop){};
		assert_int_equal(bpf_map_update_elem(fd, &block, each, 0), 0);
	}
	free(each);
}

union lb_addr world_addr(const char *text)
{
	union lb_addr addr = {};

	assert_int_equal(lb_addr_parse(text, &addr), 0);
	return addr;
}

struct lb_service_config *world_add_service(struct lb_config *config, const char *name, __u8 proto,
					    const char *vip, __u16 port, enum lb_mode mode)
{
	struct lb_service_config service;
	struct lb_error err;

	lb_service_config_init(&service);
	snprintf(service.name, sizeof(service.name), "%s", name);
	service.proto = proto;
	service.vip = world_addr(vip);
	service.port = port;
	service.mode = mode;
	check(lb_config_add_service(config, &service, &err), &err);
	return lb_config_find_service(config, name);
}

void world_add_backend(struct lb_config *config, const char *service, const char *addr, __u16 port,
		       __u16 weight)
{
	struct lb_backend_config backend;
	struct lb_error err;

	lb_backend_config_init(&backend);
	backend.addr = world_addr(addr);
	backend.port = port;
	backend.weight = weight;
	check(lb_config_add_backend(config, lb_config_find_service(config, service), &backend,
				    &err),
	      &err);
}

union lb_addr frame_dst(const struct frame *frame, bool is_v6)
{
	union lb_addr addr;
	__be32 v4;

	if (is_v6) {
		memcpy(&addr, frame->data + frame->l3 + 24, sizeof(addr));
		return addr;
	}
	memcpy(&v4, frame->data + frame->l3 + 16, sizeof(v4));
	lb_addr_from_v4(&addr, v4);
	return addr;
}

__u16 frame_src_port(const struct frame *frame)
{
	return frame->data[frame->l4] << 8 | frame->data[frame->l4 + 1];
}
