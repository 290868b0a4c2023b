// SPDX-License-Identifier: GPL-2.0-only
/* lbctl version: of the program and of the pinned maps' layout. */
#include <stdio.h>

#include "lbctl.h"

static int show(const struct lbctl *ctl, struct words *words)
{
	int code = words_end(words);

	if (code)
		return code;
	if (ctl->is_json)
		return print_json(json_pack("{s:s, s:i}", "version", LB_VERSION, "abi_version",
					    LB_ABI_VERSION));
	(void)printf("lbctl %s, map layout %d\n", LB_VERSION, LB_ABI_VERSION);
	return EXIT_OK;
}

const struct command cmd_version = {
	.name = "version",
	.summary = "Version of lbctl and of the maps that it pins",
	.verbs = (const struct verb[]){ { "", NULL, "", show }, { 0 } },
};
