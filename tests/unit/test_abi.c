// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pinned maps and every struct in them, field by field, as the datapath's own type information
 * (BTF) has them, against the committed snapshot. After an intended change: bump LB_ABI_VERSION,
 * then write the snapshot anew from the top directory with 'build/tests/test_abi write'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "lb_abi.h"
#include "lb.skel.h"

#define SNAPSHOT "abi.txt" /* beside this file */
#define TYPES_MAX 64
#define MAPS_MAX 64

static __u32 pending[TYPES_MAX];
static unsigned int pending_count;

/* Past const and volatile, and past typedefs of structs; a typedef of a number keeps its name. */
static __u32 strip(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (btf_is_mod(type)) {
		id = type->type;
		type = btf__type_by_id(btf, id);
	}
	return id;
}

static void remember(__u32 id)
{
	for (unsigned int i = 0; i < pending_count; i++)
		if (pending[i] == id)
			return;
	assert_true(pending_count < TYPES_MAX);
	pending[pending_count++] = id;
}

static void print_members(FILE *out, const struct btf *btf, const struct btf_type *type, int depth,
			  __u32 base);

static void print_type(FILE *out, const struct btf *btf, __u32 id, int depth, __u32 base)
{
	const struct btf_type *type;

	id = strip(btf, id);
	type = btf__type_by_id(btf, id);
	if (btf_is_array(type)) {
		const struct btf_array *array = btf_array(type);

		print_type(out, btf, array->type, depth, base);
		fprintf(out, " [%u]", array->nelems);
	} else if (btf_is_composite(type) && !type->name_off) {
		fprintf(out, "{\n");
		print_members(out, btf, type, depth + 1, base);
		fprintf(out, "%*s}", 2 * depth, "");
	} else {
		fprintf(out, "%s%s",
			btf_is_struct(type)  ? "struct "
			: btf_is_union(type) ? "union "
					     : "",
			btf__name_by_offset(btf, type->name_off));
		if (btf_is_composite(type))
			remember(id);
	}
}

static void print_members(FILE *out, const struct btf *btf, const struct btf_type *type, int depth,
			  __u32 base)
{
	const struct btf_member *member = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, member++) {
		const __u32 offset = base + btf_member_bit_offset(type, i) / 8;

		fprintf(out, "%*s%4u %s: ", 2 * depth, "", offset,
			btf__name_by_offset(btf, member->name_off));
		print_type(out, btf, member->type, depth, offset);
		fprintf(out, "\n");
	}
}

static void print_map(FILE *out, const struct bpf_map *map, const struct btf *btf)
{
	const __u32 value = bpf_map__btf_value_type_id(map);

	fprintf(out, "map %s: %s, key %u, value %u ", bpf_map__name(map),
		libbpf_bpf_map_type_str(bpf_map__type(map)), bpf_map__key_size(map),
		bpf_map__value_size(map));
	if (value)
		print_type(out, btf, value, 0, 0);
	fprintf(out, "\n");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(bpf_map__name(*(struct bpf_map *const *)a),
		      bpf_map__name(*(struct bpf_map *const *)b));
}

static void print_abi(FILE *out)
{
	struct lb_bpf *skeleton = lb_bpf__open();
	struct bpf_map *map, *maps[MAPS_MAX];
	unsigned int count = 0;
	const struct btf *btf;

	assert_non_null(skeleton);
	btf = bpf_object__btf(skeleton->obj);
	pending_count = 0;
	fprintf(out, "abi version %d\n", LB_ABI_VERSION);
	bpf_object__for_each_map(map, skeleton->obj)
	{
		assert_true(count < MAPS_MAX);
		if (!bpf_map__is_internal(map))
			maps[count++] = map;
	}
	/* The object has them in the order of their first use. */
	qsort(maps, count, sizeof(maps[0]), compare_names);
	for (unsigned int i = 0; i < count; i++)
		print_map(out, maps[i], btf);
	/* Printing a struct may bring more of them. */
	for (unsigned int i = 0; i < pending_count; i++) {
		const struct btf_type *type = btf__type_by_id(btf, pending[i]);

		fprintf(out, "\n%s %s, %u bytes\n", btf_is_union(type) ? "union" : "struct",
			btf__name_by_offset(btf, type->name_off), type->size);
		print_members(out, btf, type, 0, 0);
	}
	lb_bpf__destroy(skeleton);
}

static FILE *open_snapshot(const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*s" SNAPSHOT, (int)(strrchr(__FILE__, '/') - __FILE__ + 1),
		 __FILE__);
	return fopen(path, mode);
}

static void test_snapshot(void **state)
{
	char *now = NULL, *line, *rest;
	size_t size = 0;
	FILE *memory = open_memstream(&now, &size), *file = open_snapshot("re");
	char wanted[512];

	(void)state;
	assert_non_null(memory);
	assert_non_null(file); /* run from the top directory */
	print_abi(memory);
	fclose(memory);
	rest = now;
	while ((line = strsep(&rest, "\n")) && (rest || *line)) {
		if (!fgets(wanted, sizeof(wanted), file))
			fail_msg("the snapshot ends before: %s", line);
		wanted[strcspn(wanted, "\n")] = '\0';
		if (strcmp(line, wanted))
			fail_msg("is '%s', was '%s': an ABI change needs a new LB_ABI_VERSION and "
				 "'build/tests/test_abi write'",
				 line, wanted);
	}
	assert_null(fgets(wanted, sizeof(wanted), file));
	fclose(file);
	free(now);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
	};

	if (argc > 1 && !strcmp(argv[1], "write")) {
		FILE *file = open_snapshot("we");

		if (!file) {
			perror(SNAPSHOT);
			return 1;
		}
		print_abi(file);
		return fclose(file) ? 1 : 0;
	}
	return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}
