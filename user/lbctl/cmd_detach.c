// SPDX-License-Identifier: GPL-2.0-only
/* lbctl detach: takes the program off one interface or all. The configuration stays. */
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

static int detach(const struct lbctl *ctl, struct words *words)
{
	const char *ifname = word_need(words, "the interface (or 'all')");
	CLEANUP(session_end) struct session session = { 0 };
	unsigned int count = 0;
	int code;

	if (!ifname)
		return EXIT_USAGE;
	code = words_end(words);
	if (!code)
		code = session_begin(&session, ctl, true);
	if (code)
		return code;
	if (lb_detach(session.lb, strcmp(ifname, "all") ? ifname : NULL, &count, &session.err))
		return refuse_error(&session.err);
	if (ctl->is_json)
		return print_json(
			json_pack("[{s:s, s:i}]", "ifname", ifname, "detached", (int)count));
	if (!ctl->is_quiet)
		(void)printf("%s: detached%s\n", ifname,
			     lb_is_loaded(session.lb) ? "" : ", nothing is attached any more");
	return EXIT_OK;
}

const struct command cmd_detach = {
	.name = "detach",
	.summary = "Take the balancer off an interface, or off all",
	.details = "The configuration stays and is in force again at the next attach.\n",
	.verbs = (const struct verb[]){ { "", NULL, "IF|all", detach }, { 0 } },
};
