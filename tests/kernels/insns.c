// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints "insns PROGRAM TRANSLATED VERIFIED" for each loaded BPF program whose name begins with the
 * given prefix: once a name, the largest counts. bpftool 7.1 does not know verified_insns. Static,
 * since it runs in the bare guest.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAMS_MAX 64

struct count {
	char name[BPF_OBJ_NAME_LEN];
	__u32 translated;
	__u32 verified;
};

static long call_bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int read_info(__u32 id, struct bpf_prog_info *info)
{
	union bpf_attr attr = { .prog_id = id };
	int fd = (int)call_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	long err;

	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = (__u64)(unsigned long)info;
	err = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? -errno : 0;
	close(fd);
	return (int)err;
}

/* The same program may be loaded more than once, as itself and as the dispatcher's extension. */
static size_t add(struct count *counts, size_t used, const struct bpf_prog_info *info)
{
	__u32 translated = info->xlated_prog_len / sizeof(struct bpf_insn);
	size_t i = 0;

	while (i < used && strcmp(counts[i].name, info->name) != 0)
		i++;
	if (i == PROGRAMS_MAX)
		return used;
	if (i == used)
		memcpy(counts[used++].name, info->name, sizeof(counts[i].name));
	if (translated > counts[i].translated)
		counts[i].translated = translated;
	if (info->verified_insns > counts[i].verified)
		counts[i].verified = info->verified_insns;
	return used;
}

int main(int argc, char **argv)
{
	const char *prefix = argc > 1 ? argv[1] : "";
	struct count counts[PROGRAMS_MAX] = { 0 };
	struct bpf_prog_info info;
	union bpf_attr attr = { 0 };
	size_t used = 0;

	while (call_bpf(BPF_PROG_GET_NEXT_ID, &attr) == 0) {
		__u32 id = attr.next_id;

		if (read_info(id, &info) == 0 && strncmp(info.name, prefix, strlen(prefix)) == 0)
			used = add(counts, used, &info);
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
	}
	for (size_t i = 0; i < used; i++)
		printf("insns %s %u %u\n", counts[i].name, counts[i].translated,
		       counts[i].verified);
	return used > 0 ? 0 : 1;
}
