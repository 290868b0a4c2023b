// SPDX-License-Identifier: GPL-2.0-only
/*
 * lbd: a parent that only starts the worker, with the rights to open maps, and starts it anew when
 * it asks for that or dies. All else is the worker's, which has no such rights.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "lbd.h"

#define PAUSE_MS 1000
#define ADMIN "127.0.0.1:9406"

static int usage(FILE *out, int code)
{
	(void)fprintf(out, "Usage: lbd [-n NAME] [-a ADDR:PORT|PATH|none]\n"
			   "Checks backends and keeps their health, beside 'lbctl'; stays in the "
			   "foreground.\n"
			   "  -n NAME  in the network namespace that 'ip netns' calls NAME\n"
			   "  -a ...   where metrics, figures and the dashboard are read by "
			   "HTTP (" ADMIN ")\n"
			   "  -V       version\n"
			   "  -h       this help\n");
	return code;
}

/* One for each instance, until all of its processes are gone. */
static int claim(const char *netns)
{
	struct lb_error err;
	struct lb *lb;
	int fd, ret = lb_open(&lb, netns, &err);

	if (!ret) {
		fd = lb_daemon_claim(lb, &err);
		lb_close(lb);
		if (fd >= 0)
			return 0;
	}
	say("%s", err.text);
	return -1;
}

static void block_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
	(void)sigaddset(set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, set, NULL);
}

/* Passes signals on until the worker has ended; its status. */
static int wait_for(pid_t worker, const sigset_t *set, bool *is_ending)
{
	siginfo_t info;
	int status;

	for (;;) {
		int signal_number = sigwaitinfo(set, &info);

		if (signal_number == SIGTERM || signal_number == SIGINT)
			*is_ending = true;
		if (signal_number > 0 && signal_number != SIGCHLD)
			(void)kill(worker, signal_number == SIGINT ? SIGTERM : signal_number);
		if (waitpid(worker, &status, WNOHANG) == worker)
			return status;
	}
}

static void pause_a_moment(const sigset_t *set, bool *is_ending)
{
	const struct timespec pause = { .tv_sec = PAUSE_MS / 1000 };
	int signal_number = sigtimedwait(set, NULL, &pause);

	*is_ending |= signal_number == SIGTERM || signal_number == SIGINT;
}

static int supervise(const char *netns, const char *admin)
{
	bool is_ending = false, has_run = false;
	sigset_t set;

	block_signals(&set);
	while (!is_ending) {
		pid_t worker = fork();
		int status;

		if (worker == 0)
			_exit(worker_run(netns, admin));
		if (worker < 0) {
			say("no worker can be started: %s", strerror(errno));
			return EXIT_REFUSED;
		}
		status = wait_for(worker, &set, &is_ending);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
			return EXIT_OK;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_AGAIN) {
			has_run = true;
			continue;
		}
		if (WIFEXITED(status) && !has_run)
			return EXIT_REFUSED; /* it has said why */
		if (WIFSIGNALED(status))
			say("the worker was ended by signal %d (%s), starting it anew",
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
		has_run = true;
		pause_a_moment(&set, &is_ending);
	}
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *netns = NULL, *admin = ADMIN;
	struct lb_error err;
	int letter, code;

	while ((letter = getopt(argc, argv, "n:a:Vh")) != -1) {
		if (letter == 'n')
			netns = optarg;
		else if (letter == 'a')
			admin = optarg;
		else if (letter == 'V')
			return printf("lbd %s\n", LB_VERSION) < 0;
		else
			return usage(letter == 'h' ? stdout : stderr,
				     letter == 'h' ? EXIT_OK : EXIT_USAGE);
	}
	if (optind < argc)
		return usage(stderr, EXIT_USAGE);
	if (claim(netns))
		return EXIT_REFUSED;
	if (rights_of_parent(&err)) {
		say("%s", err.text);
		return EXIT_REFUSED;
	}
	code = supervise(netns, admin);
	lb_probe_remove();
	return code;
}
