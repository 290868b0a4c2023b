// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the datapath's object for one interface: sizes of maps, constants, and the words in which
 * the kernel refuses it. Only this file and kernel.c know the skeleton.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <xdp/libxdp.h>

#include "internal.h"
#include "cache.skel.h"
#include "lb.skel.h"
#include "local.skel.h"
#include "probe.skel.h"

static char *captured;
static size_t captured_size;

static void keep(const char *prefix, const char *text, size_t length)
{
	snprintf(captured, captured_size, "%s%.*s", prefix, (int)length, text);
}

/* Of the verifier's log, the last line before its statistics says what it refused. */
static void keep_verdict(char *log)
{
	static const char *const figures[] = { "\nprocessed ", "\nverification time " };
	char *end, *line;

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		end = strstr(log, figures[i]);
		if (end)
			*end = '\0';
	}
	line = strrchr(log, '\n');
	line = line ? line + 1 : log;
	keep("the kernel's verifier refuses the program: ", line, strlen(line));
}

/* The kernel's own message is the one worth showing; of the libraries' words, the first. */
static void capture(const char *format, va_list args)
{
	static const char kernel[] = "Kernel error message: ", name[] = "libbpf: ";
	static char words[65536];
	char *start = words;

	if (!captured || !captured_size)
		return;
	vsnprintf(words, sizeof(words), format, args);
	if (strstr(words, "BEGIN PROG LOAD LOG")) {
		keep_verdict(words);
		return;
	}
	if (!strncmp(start, name, strlen(name)))
		start += strlen(name);
	start[strcspn(start, "\n")] = '\0';
	if (!strncmp(start, kernel, strlen(kernel)))
		keep("", start + strlen(kernel), strlen(start) - strlen(kernel));
	else if (!captured[0])
		keep("", start, strlen(start));
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN)
		capture(format, args);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	if (level == LIBXDP_WARN)
		capture(format, args);
	return 0;
}

void lb_program_capture(char *text, size_t size)
{
	captured = text;
	captured_size = size;
	if (text && size)
		text[0] = '\0';
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

/*
 * The kernel refuses a program that calls what changes a packet's size as one of a dispatcher's
 * that does not, even if the call is never reached (6.12 does, 6.1 does not). In the bytes of the
 * object such calls become "r0 = -EINVAL", which the datapath takes for a lack of room.
 */
static void remove_resizing(char *bytes, size_t size)
{
	static const struct bpf_insn refusal = { .code = BPF_ALU64 | BPF_MOV | BPF_K,
						 .imm = -EINVAL };
	static const struct bpf_insn calls[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_adjust_head },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_adjust_tail },
	};

	for (size_t at = 0; at + sizeof(refusal) <= size; at += sizeof(refusal))
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			if (!memcmp(bytes + at, &calls[i], sizeof(calls[i])))
				memcpy(bytes + at, &refusal, sizeof(refusal));
}

static struct lb_bpf *open_rigid(void)
{
	struct lb_bpf *skeleton = calloc(1, sizeof(*skeleton));
	char *bytes = NULL;
	int ret = skeleton ? lb_bpf__create_skeleton(skeleton) : -ENOMEM;

	if (!ret) {
		bytes = malloc(skeleton->skeleton->data_sz);
		ret = bytes ? 0 : -ENOMEM;
	}
	if (!ret) {
		memcpy(bytes, skeleton->skeleton->data, skeleton->skeleton->data_sz);
		remove_resizing(bytes, skeleton->skeleton->data_sz);
		skeleton->skeleton->data = bytes;
		ret = bpf_object__open_skeleton(skeleton->skeleton, NULL);
	}
	free(bytes);
	if (!ret)
		return skeleton;
	lb_bpf__destroy(skeleton);
	errno = -ret;
	return NULL;
}

static int use_maps(struct lb *lb, struct bpf_object *object, struct lb_error *err)
{
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, lb_map_name(i));
		int ret = map ? bpf_map__reuse_fd(map, lb->maps[i].fd) : -ENOENT;

		if (ret)
			return lb_fail(err, ret, "cannot use the pinned map %s: %s", lb_map_name(i),
				       strerror(-ret));
	}
	return 0;
}

/* The constants that all programs share; each skeleton has a type of its own for them. */
#define SET_CONSTANTS(rodata, lb)                                                                  \
	do {                                                                                       \
		memcpy((void *)&(rodata)->lb_tuple_key, &(lb)->meta->tuple_key,                    \
		       sizeof((lb)->meta->tuple_key));                                             \
		memcpy((void *)&(rodata)->lb_flow_key, &(lb)->meta->flow_key,                      \
		       sizeof((lb)->meta->flow_key));                                              \
		(rodata)->lb_flow_mask = (lb)->meta->flows / LB_FLOWS_PER_BUCKET - 1;              \
		for (int table = 0; table < LB_LOOKUPS; table++)                                   \
			(rodata)->lb_bucket_half[table] = (lb)->meta->buckets[table];              \
		(rodata)->lb_hz = lb_hz(lb);                                                       \
	} while (0)

int lb_program_open(struct lb *lb, const struct lb_port *port, bool is_generic, struct lb_bpf **out,
		    struct lb_error *err)
{
	struct lb_bpf *skeleton = port->flags & LB_P_RIGID ? open_rigid() : lb_bpf__open();
	int ret;

	if (!skeleton)
		return lb_fail(err, -errno, "cannot open the datapath's object: %s",
			       strerror(errno));
	ret = use_maps(lb, skeleton->obj, err);
	if (ret) {
		lb_bpf__destroy(skeleton);
		return ret;
	}
	SET_CONSTANTS(skeleton->rodata, lb);
	skeleton->rodata->lb_port_number = port->number;
	skeleton->rodata->lb_is_generic = is_generic;
	bpf_program__set_autoload(skeleton->progs.lb_xdp, !(port->flags & LB_P_AGENT));
	bpf_program__set_autoload(skeleton->progs.lb_agent, port->flags & LB_P_AGENT);
	/* Figures and refusals, without the trace: that may not fit libbpf's buffer, and the
	 * kernel's last words are the ones of interest. */
	bpf_program__set_log_level(lb_program_main(skeleton, port), 4);
	*out = skeleton;
	return 0;
}

struct bpf_program *lb_program_main(struct lb_bpf *skeleton, const struct lb_port *port)
{
	return port->flags & LB_P_AGENT ? skeleton->progs.lb_agent : skeleton->progs.lb_xdp;
}

void lb_program_close(struct lb_bpf *skeleton)
{
	lb_bpf__destroy(skeleton);
}

/* skeleton: of a type of its own; entry: its program. The descriptor is the caller's. */
#define LOAD(lb, name, entry, port, what, fd, err)                                                 \
	({                                                                                         \
		struct name *skeleton = name##__open();                                            \
		char words[LB_TEXT_SIZE] = "";                                                     \
		int ret;                                                                           \
                                                                                                   \
		if (!skeleton)                                                                     \
			return lb_fail(err, -errno, "cannot open the object of %s: %s", what,      \
				       strerror(errno));                                           \
		ret = use_maps(lb, skeleton->obj, err);                                            \
		if (!ret) {                                                                        \
			SET_CONSTANTS(skeleton->rodata, lb);                                       \
			skeleton->rodata->lb_port_number = (port);                                 \
			lb_program_capture(words, sizeof(words));                                  \
			ret = name##__load(skeleton);                                              \
			lb_program_capture(NULL, 0);                                               \
			if (ret)                                                                   \
				lb_fail(err, ret, "%s cannot be loaded: %s", what,                 \
					words[0] ? words : strerror(-ret));                        \
		}                                                                                  \
		if (!ret) {                                                                        \
			*(fd) = fcntl(bpf_program__fd(skeleton->progs.entry), F_DUPFD_CLOEXEC, 3); \
			if (*(fd) < 0)                                                             \
				ret = lb_fail(err, -errno, "%s: %s", what, strerror(errno));       \
		}                                                                                  \
		name##__destroy(skeleton);                                                         \
		ret;                                                                               \
	})

int lb_program_load_local(struct lb *lb, int *fd, struct lb_error *err)
{
	return LOAD(lb, local_bpf, lb_local, 0, "the filter for local backends", fd, err);
}

int lb_program_load_cache(struct lb *lb, int *fd, struct lb_error *err)
{
	return LOAD(lb, cache_bpf, lb_cache_steer, 0, "the program that steers to lbcache", fd,
		    err);
}

int lb_program_load_probe(struct lb *lb, int *fd, struct lb_error *err)
{
	return LOAD(lb, probe_bpf, lb_probe, LB_PORT_PROBE, "the program for health probes", fd,
		    err);
}
