// SPDX-License-Identifier: GPL-2.0-only
/* lbctl detach: takes the program off one interface or all. The configuration stays. */
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

static int print_detached(const struct lbctl *ctl, const char *ifname, unsigned int count,
			  const char *words)
{
	if (ctl->is_json)
		return print_json(
			json_pack("[{s:s, s:i}]", "ifname", ifname, "detached", (int)count));
	if (!ctl->is_quiet)
		(void)printf("%s: detached%s\n", ifname, words);
	return EXIT_OK;
}

static int detach(const struct lbctl *ctl, struct words *words)
{
	const char *ifname = word_need(words, "the interface (or 'all')");
	CLEANUP(session_end) struct session session = { 0 };
	bool is_forgotten = false;
	unsigned int count = 0;
	int code;

	if (!ifname)
		return EXIT_USAGE;
	code = words_end(words);
	if (code)
		return code;
	if (ctl->netns && !strcmp(ifname, "all") &&
	    lb_forget(ctl->netns, &is_forgotten, &session.err))
		return refuse_error(&session.err);
	if (is_forgotten)
		return print_detached(ctl, ifname, 0,
				      ", the namespace is gone; what it left is removed");
	code = session_begin(&session, ctl, true);
	if (code)
		return code;
	if (lb_detach(session.lb, strcmp(ifname, "all") ? ifname : NULL, &count, &session.err))
		return refuse_error(&session.err);
	return print_detached(ctl, ifname, count,
			      lb_is_loaded(session.lb) ? "" : ", nothing is attached any more");
}

const struct command cmd_detach = {
	.name = "detach",
	.summary = "Take the balancer off an interface, or off all",
	.details = "The configuration stays and is in force again at the next attach. 'all' in a "
		   "namespace\n"
		   "that is gone removes what it left behind.\n",
	.verbs = (const struct verb[]){ { "", NULL, "IF|all", detach }, { 0 } },
};
