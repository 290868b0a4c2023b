// SPDX-License-Identifier: GPL-2.0-only
/* What a network namespace that is no more left behind: pinned maps, which hold memory, and its
 * document. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static int remove_all(const char *path, unsigned int *count)
{
	if (access(path, F_OK))
		return 0;
	(*count)++;
	lb_remove_dir(path);
	return access(path, F_OK) ? 0 : -EBUSY;
}

/* In the directories of all ABI versions, also what a killed command staged. */
static int remove_pins(const char *pin_name, unsigned int *count)
{
	static const char *const endings[] = { "", "+new", "+old" };
	DIR *dir = opendir(LB_BPFFS "/lbctl");
	struct dirent *entry;
	int ret = 0;

	while (dir && !ret && (entry = readdir(dir))) {
		for (size_t i = 0; !ret && i < sizeof(endings) / sizeof(endings[0]); i++) {
			char path[PATH_MAX];

			snprintf(path, sizeof(path), LB_BPFFS "/lbctl/%s/%s%s", entry->d_name,
				 pin_name, endings[i]);
			if (entry->d_name[0] == 'v')
				ret = remove_all(path, count);
		}
	}
	if (dir)
		closedir(dir);
	return ret;
}

int lb_forget(const char *netns, bool *is_forgotten, struct lb_error *err)
{
	char path[PATH_MAX], pin_name[128];
	unsigned int count = 0;
	int ret;

	*is_forgotten = false;
	if (geteuid() != 0 || !lb_netns_is_name(netns))
		return 0;
	snprintf(path, sizeof(path), LB_NETNS_DIR "/%s", netns);
	if (!access(path, F_OK))
		return 0;
	snprintf(pin_name, sizeof(pin_name), "netns-%s", netns);
	snprintf(path, sizeof(path), LB_RUN_DIR "/%s", pin_name);
	lb_pin_name_fix(pin_name);
	ret = remove_pins(pin_name, &count) ?: remove_all(path, &count);
	if (ret)
		return lb_fail(err, ret,
			       "%s: what it left cannot be removed: see " LB_RUN_DIR
			       " and " LB_BPFFS "/lbctl",
			       netns);
	*is_forgotten = count;
	return 0;
}
