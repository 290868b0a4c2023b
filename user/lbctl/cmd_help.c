// SPDX-License-Identifier: GPL-2.0-only
/* lbctl help: the overview, or one object's. */
#include "lbctl.h"

static int show(const struct lbctl *ctl, struct words *words)
{
	const struct command *command;
	const char *name = word_take(words);

	(void)ctl;
	if (!name)
		return help_overview();
	command = command_find(name);
	if (!command)
		return refuse_usage("help: unknown object '%s'; 'lbctl help' lists them", name);
	command_help(command, NULL);
	return EXIT_OK;
}

const struct command cmd_help = {
	.name = "help",
	.summary = "This overview, or the words of one object",
	.verbs = (const struct verb[]){ { "", NULL, "[OBJECT]", show }, { 0 } },
};
