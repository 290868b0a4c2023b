// SPDX-License-Identifier: GPL-2.0-only
/*
 * lbctl: a table of commands and the options before them. A new command is one file cmd_<object>.c
 * and one entry here.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lbctl.h"

const struct command *const commands[] = {
	&cmd_attach, &cmd_cache,  &cmd_detach,	&cmd_status, &cmd_service, &cmd_backend, &cmd_stats,
	&cmd_flow,   &cmd_health, &cmd_monitor, &cmd_config, &cmd_version, &cmd_help,	 NULL,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "statistics", no_argument, NULL, 's' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "netns", required_argument, NULL, 'n' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Answers the command that an option asks for, or NULL. A bad option ends the program. */
static const char *read_options(int argc, char **argv, struct lbctl *ctl)
{
	const char *instead = NULL;
	char unknown[] = "-?";
	int letter;

	opterr = 0;
	/* '+': options end at the object. */
	while ((letter = getopt_long(argc, argv, "+:jsqn:Vh", long_options, NULL)) != -1) {
		switch (letter) {
		case 'j':
			ctl->is_json = true;
			break;
		case 's':
			ctl->is_verbose = true;
			break;
		case 'q':
			ctl->is_quiet = true;
			break;
		case 'n':
			ctl->netns = optarg;
			break;
		case 'V':
			instead = "version";
			break;
		case 'h':
			instead = "help";
			break;
		case ':':
			exit(refuse_usage("option '%s' has no value, expected a namespace",
					  argv[optind - 1]));
		default:
			unknown[1] = (char)optopt;
			exit(refuse_usage("unknown option '%s', expected one of: -j, -s, -q, "
					  "-n NAME, -V, -h",
					  optopt ? unknown : argv[optind - 1]));
		}
	}
	return instead;
}

/* iproute2 takes them in one place only, and a late one must not pass for a name. */
static const char *find_late_option(char **words)
{
	for (; *words; words++) {
		if ((*words)[0] == '-' && (*words)[1] && !(*words)[2] &&
		    strchr("jsqnVh", (*words)[1]))
			return *words;
	}
	return NULL;
}

static int run(const struct lbctl *ctl, const char *instead, char **words)
{
	const struct command *command;

	if (instead)
		return command_run(ctl, command_find(instead), words);
	if (!*words) {
		(void)help_overview();
		return EXIT_USAGE;
	}
	if (find_late_option(words))
		return refuse_usage("option '%s' stands too late; options come before the object, "
				    "as in 'lbctl -j %s'",
				    find_late_option(words), *words);
	command = command_find(*words);
	if (!command)
		return refuse_usage(
			"unknown object '%s', expected one of: attach, cache, detach, status, "
			"service, backend, stats, flow, health, monitor, config, version, help",
			*words);
	return command_run(ctl, command, words + 1);
}

int main(int argc, char **argv)
{
	struct lbctl ctl = { 0 };
	const char *instead = read_options(argc, argv, &ctl);
	int code = run(&ctl, instead, argv + optind);

	/* A full disk or a closed pipe must not look like success. */
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_OK)
		code = refuse("the output cannot be written");
	return code;
}
