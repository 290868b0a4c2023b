// SPDX-License-Identifier: GPL-2.0-only
/* lbd: its options, its claim to be the only one, and what is taken away when it ends. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "lbd.h"

#define ADMIN "127.0.0.1:9406"
#define ADMIN_SOCKET "lbd.sock"

static int usage(FILE *out, int code)
{
	(void)fprintf(
		out,
		"Usage: lbd [-n NAME] [-a ADDR:PORT|PATH|none]... [-t FILE]\n"
		"Checks backends and keeps their health, beside 'lbctl'; stays in the "
		"foreground.\n"
		"  -n NAME  in the network namespace that 'ip netns' calls NAME\n"
		"  -a ...   where metrics, figures and the dashboard are read by HTTP, and, at "
		"the PATH of\n"
		"           a socket, backends changed (" ADMIN " and /run/lbctl/" ADMIN_SOCKET
		")\n"
		"  -t FILE  has a token: who gives it may change backends over TCP, too\n"
		"  -V       version\n"
		"  -h       this help\n");
	return code;
}

/* One for each instance, until all of its processes are gone. */
static int claim(struct options *options, struct lb_error *err)
{
	static char path[512];
	struct lb *lb;
	int fd, ret = lb_open(&lb, options->netns, err);

	if (ret)
		return ret;
	(void)snprintf(path, sizeof(path), "%s/" ADMIN_SOCKET, lb_run_dir(lb));
	if (!options->admin_count) {
		options->admin[options->admin_count++] = ADMIN;
		options->admin[options->admin_count++] = path;
	}
	fd = lb_daemon_claim(lb, err);
	lb_close(lb);
	return fd < 0 ? fd : 0;
}

/* An exit code, or -1 to go on. */
static int read_options(int argc, char **argv, struct options *options)
{
	int letter;

	while ((letter = getopt(argc, argv, "n:a:t:Vh")) != -1) {
		if (letter == 'n') {
			options->netns = optarg;
		} else if (letter == 't') {
			options->token_file = optarg;
		} else if (letter == 'V') {
			return printf("lbd %s\n", LB_VERSION) < 0;
		} else if (letter != 'a') {
			return usage(letter == 'h' ? stdout : stderr,
				     letter == 'h' ? EXIT_OK : EXIT_USAGE);
		} else if (options->admin_count == ADMIN_PORTS) {
			say("-a is given more than %d times", ADMIN_PORTS);
			return EXIT_USAGE;
		} else {
			options->admin[options->admin_count++] = optarg;
		}
	}
	return optind < argc ? usage(stderr, EXIT_USAGE) : -1;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct lb_error err;
	int code = read_options(argc, argv, &options);

	if (code >= 0)
		return code;
	if ((options.token_file && token_read(options.token_file, &err)) || claim(&options, &err) ||
	    rights_of_parent(&err)) {
		say("%s", err.text);
		return EXIT_REFUSED;
	}
	code = parent_run(&options);
	admin_remove(&options);
	lb_probe_remove();
	return code;
}
