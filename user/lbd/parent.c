// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent: starts the worker, passes signals on, and makes one change at a time that the worker
 * asks for, each in a child. All else is the worker's, which has not the rights to.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <microhttpd.h>

#include "change.h"
#include "lbd.h"

#define PAUSE_MS 1000
#define CHANGE_LIMIT_S 120u /* the lock is waited for five; a filter may be loaded */

static struct parent {
	int signals, requests; /* requests is -1 while nobody asks */
	pid_t worker, change;  /* 0: none */
	__u32 change_id;
	bool is_ending;
} parent;

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(parent.signals, &info, sizeof(info)) == sizeof(info)) {
		const int number = (int)info.ssi_signo;

		if (number == SIGTERM || number == SIGINT)
			parent.is_ending = true;
		if (number != SIGCHLD && parent.worker)
			(void)kill(parent.worker, number == SIGINT ? SIGTERM : number);
	}
}

/* ---- changes ----------------------------------------------------------------------------------
 */

static void answer_with(int fd, const struct change_answer *answer)
{
	/* A worker that has gone meanwhile hears nothing, and its clients see that it went. */
	(void)send(fd, answer, sizeof(*answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void answer_failure(__u32 id, const char *text)
{
	struct change_answer answer = { .id = id, .status = MHD_HTTP_INTERNAL_SERVER_ERROR };

	(void)strncat(answer.text, text, sizeof(answer.text) - 1);
	answer_with(parent.requests, &answer);
}

static void make_change(const char *netns, struct change_request *request)
{
	struct change_answer answer = { 0 };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* For the parent's to pass on; a command that has begun comes to its end. */
	(void)signal(SIGINT, SIG_IGN);
	(void)alarm(CHANGE_LIMIT_S);
	change_make(netns, request, &answer);
	answer_with(parent.requests, &answer);
	_exit(EXIT_OK);
}

static void take_request(const char *netns)
{
	struct change_request request;
	ssize_t length = recv(parent.requests, &request, sizeof(request), MSG_TRUNC | MSG_DONTWAIT);
	pid_t child;

	if (length == 0) {
		(void)close(parent.requests);
		parent.requests = -1;
	}
	if (length != sizeof(request))
		return;
	child = fork();
	if (child == 0)
		make_change(netns, &request);
	if (child < 0)
		answer_failure(request.id, "no process can be started for it");
	parent.change = child > 0 ? child : 0;
	parent.change_id = request.id;
}

static void note_change_ended(int status)
{
	parent.change = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
		return;
	say("a change by the admin port was cut off; the next command finishes it");
	if (parent.requests >= 0)
		answer_failure(parent.change_id, "the change was cut off; see 'lbctl config show' "
						 "for what is so");
}

/* ---- the worker -------------------------------------------------------------------------------
 */

/* Its status, when it has ended. */
static bool reap(int *worker_status)
{
	bool has_ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == parent.change) {
			note_change_ended(status);
		} else if (pid == parent.worker) {
			parent.worker = 0;
			*worker_status = status;
			has_ended = true;
		}
	}
	return has_ended;
}

/* Until something happens; one request at a time, the others wait in the socket. */
static void wait_a_while(const char *netns, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = parent.signals, .events = POLLIN },
		{ .fd = parent.change ? -1 : parent.requests, .events = POLLIN },
	};

	if (poll(fds, 2, timeout_ms) <= 0)
		return;
	if (fds[0].revents)
		take_signals();
	if (fds[1].revents)
		take_request(netns);
}

static int start_worker(const struct options *options)
{
	int pair[2];

	if (parent.requests >= 0)
		(void)close(parent.requests);
	parent.requests = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	parent.worker = fork();
	if (parent.worker == 0) {
		(void)close(pair[0]);
		(void)close(parent.signals);
		_exit(worker_run(options, pair[1]));
	}
	(void)close(pair[1]);
	parent.requests = pair[0];
	if (parent.worker > 0)
		return 0;
	parent.worker = 0;
	return -errno;
}

static int run_worker(const struct options *options, int *status)
{
	int ret = start_worker(options);

	while (!ret && !reap(status))
		wait_a_while(options->netns, -1);
	return ret;
}

static void pause_a_moment(const char *netns)
{
	wait_a_while(netns, PAUSE_MS);
}

static int supervise(const struct options *options)
{
	bool has_run = false;

	while (!parent.is_ending) {
		int status, ret = run_worker(options, &status);

		if (ret) {
			say("no worker can be started: %s", strerror(-ret));
			return EXIT_REFUSED;
		}
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
		pause_a_moment(options->netns);
	}
	return EXIT_OK;
}

int parent_run(const struct options *options)
{
	int code;

	parent.requests = -1;
	parent.signals = open_signals();
	code = supervise(options);
	if (parent.change)
		(void)waitpid(parent.change, NULL, 0);
	return code;
}
