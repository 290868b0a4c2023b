// SPDX-License-Identifier: GPL-2.0-only
/*
 * From words to a command's function, and help at every level, made from the same tables. Names and
 * the listed aliases only: no prefix is guessed.
 */
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

static bool is_word(const char *word, const char *name, const char *alias)
{
	return !strcmp(word, name) || (alias && !strcmp(word, alias));
}

const struct command *command_find(const char *name)
{
	for (const struct command *const *command = commands; *command; command++) {
		if (is_word(name, (*command)->name, (*command)->alias))
			return *command;
	}
	return NULL;
}

void command_help(const struct command *command, const struct verb *only)
{
	const char *lead = "Usage:";

	for (const struct verb *verb = command->verbs; verb->name; verb++) {
		if (only && verb != only)
			continue;
		(void)printf("%-6s lbctl %s%s%s%s%s\n", lead, command->name,
			     verb->name[0] ? " " : "", verb->name, verb->usage[0] ? " " : "",
			     verb->usage);
		lead = "";
	}
	(void)printf("\n%s.\n", command->summary);
	if (command->alias)
		(void)printf("'%s' is short for '%s'.\n", command->alias, command->name);
	if (command->details)
		(void)printf("\n%s", command->details);
}

static const struct verb *find_verb(const struct command *command, const char *word)
{
	for (const struct verb *verb = command->verbs; verb->name; verb++) {
		if (is_word(word, verb->name, verb->alias))
			return verb;
	}
	return NULL;
}

static int refuse_verb(const struct command *command, const char *word)
{
	char names[256] = "";
	size_t len = 0;

	for (const struct verb *verb = command->verbs; verb->name && len < sizeof(names); verb++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s, ", verb->name);
	return refuse_usage("%s: unknown word '%s', expected one of: %shelp", command->name, word,
			    names);
}

int command_run(const struct lbctl *ctl, const struct command *command, char **next)
{
	const struct verb *verb = command->verbs;
	struct words words = { next, command->name };
	char object[64];

	if (*next && !strcmp(*next, "help")) {
		command_help(command, next[1] ? find_verb(command, next[1]) : NULL);
		return EXIT_OK;
	}
	if (verb->name[0] && *next) {
		verb = find_verb(command, *next);
		if (!verb)
			return refuse_verb(command, *next);
		words.next++;
	}
	if (verb->name[0]) {
		(void)snprintf(object, sizeof(object), "%s %s", command->name, verb->name);
		words.object = object;
		if (*words.next && !strcmp(*words.next, "help") && !words.next[1]) {
			command_help(command, verb);
			return EXIT_OK;
		}
	}
	return verb->run(ctl, &words);
}

int help_overview(void)
{
	(void)printf("Usage: lbctl [-j] [-s] [-q] [-n NAME] OBJECT [COMMAND] [WORDS]\n"
		     "       lbctl OBJECT help\n\nObjects:\n");
	for (const struct command *const *command = commands; *command; command++)
		(void)printf("  %-8s  %s%s%s%s\n", (*command)->name, (*command)->summary,
			     (*command)->alias ? " (short: " : "",
			     (*command)->alias ? (*command)->alias : "",
			     (*command)->alias ? ")" : "");
	(void)printf("\nOptions, before the object:\n"
		     "  -j  JSON              -s  more figures\n"
		     "  -q  no notes          -n  in the namespace that 'ip netns' calls NAME\n"
		     "  -V  version           -h  this help\n\n"
		     "Exit codes: 0 done, 1 refused or failed, 2 not understood.\n");
	return EXIT_OK;
}
