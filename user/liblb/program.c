// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the datapath's object for one interface: sizes of maps, constants, and the words in which the
 * kernel refuses it. Only this file and kernel.c know the skeleton.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "internal.h"
#include "lb.skel.h"

static char *captured;
static size_t captured_size;

/*
 * The kernel's own message is the one worth showing: the last line that is not about clean-up, with the
 * libraries' prefix cut off.
 */
static void capture(const char *format, va_list args)
{
	char line[LB_TEXT_SIZE];
	char *start = line;

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (!captured || !captured_size)
		return;
	if (!strncmp(start, "libbpf: ", 8))
		start += 8;
	if (!strncmp(start, "Kernel error message: ", 22) || !captured[0])
		snprintf(captured, captured_size, "%s", strstr(start, "Kernel error message: ") == start ? start + 22 : start);
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

int lb_program_open(struct lb *lb, __u32 port_number, bool is_generic, struct lb_bpf **out,
		    struct lb_error *err)
{
	struct lb_bpf *skeleton = lb_bpf__open();

	if (!skeleton)
		return lb_fail(err, -errno, "cannot open the datapath's object: %s",
			       strerror(errno));
	for (int i = 0; i < LB_MAP_COUNT; i++) {
		struct bpf_map *map =
			bpf_object__find_map_by_name(skeleton->obj, lb_map_name(i));
		int ret = map ? bpf_map__reuse_fd(map, lb->maps[i].fd) : -ENOENT;

		if (ret) {
			lb_bpf__destroy(skeleton);
			return lb_fail(err, ret, "cannot use the pinned map %s: %s", lb_map_name(i),
				       strerror(-ret));
		}
	}
	memcpy((void *)&skeleton->rodata->lb_tuple_key, &lb->meta->tuple_key,
	       sizeof(lb->meta->tuple_key));
	memcpy((void *)&skeleton->rodata->lb_flow_key, &lb->meta->flow_key,
	       sizeof(lb->meta->flow_key));
	skeleton->rodata->lb_flow_mask = lb->meta->flows / LB_FLOWS_PER_BUCKET - 1;
	skeleton->rodata->lb_bucket_half[LB_LOOKUP_SERVICES] =
		lb->meta->buckets[LB_LOOKUP_SERVICES];
	skeleton->rodata->lb_bucket_half[LB_LOOKUP_ENDPOINTS] =
		lb->meta->buckets[LB_LOOKUP_ENDPOINTS];
	skeleton->rodata->lb_hz = lb->control->hz;
	skeleton->rodata->lb_port_number = port_number;
	skeleton->rodata->lb_is_generic = is_generic;
	*out = skeleton;
	return 0;
}

void lb_program_close(struct lb_bpf *skeleton)
{
	lb_bpf__destroy(skeleton);
}
