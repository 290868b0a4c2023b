// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check exec: a command in a shell, with no rights, in a process group that is killed when its time
 * is up. A command that was given up is waited for on the side.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lbd.h"

struct command {
	struct watch watch;    /* of a pidfd */
	struct target *target; /* NULL: given up */
	pid_t pid;
};

static _Noreturn void become(const struct target *target)
{
	char address[LB_ADDR_TEXT_SIZE], port[16];
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	rights_of_command();
	(void)snprintf(port, sizeof(port), "%u", target->port);
	(void)setenv("LB_ADDRESS", lb_addr_format(&target->addr, address), 1);
	(void)setenv("LB_PORT", port, 1);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)execl("/bin/sh", "sh", "-c", target->check->config.command, (char *)NULL);
	_exit(126);
}

static void ready(struct watch *watch, unsigned int events)
{
	struct command *command = CONTAINER_OF(watch, struct command, watch);
	struct target *target = command->target;
	int status = 0;
	const pid_t ended = waitpid(command->pid, &status, WNOHANG);
	const int error = errno;

	(void)events;
	if (ended == 0)
		return;
	watch_end(&command->watch);
	free(command);
	if (!target)
		return;
	target->own = NULL;
	if (ended < 0)
		probe_done(target, LB_C_LOCAL, (__u16)error);
	else if (WIFSIGNALED(status))
		probe_done(target, LB_C_SIGNAL, (__u16)WTERMSIG(status));
	else if (WEXITSTATUS(status))
		probe_done(target, LB_C_EXIT, (__u16)WEXITSTATUS(status));
	else
		probe_done(target, LB_C_OK, 0);
}

static void start(struct target *target)
{
	struct command *command = calloc(1, sizeof(*command));
	int fd;

	if (!command) {
		probe_done(target, LB_C_LOCAL, ENOMEM);
		return;
	}
	command->watch = (struct watch){ .fd = -1, .ready = ready };
	command->pid = fork();
	if (command->pid == 0)
		become(target);
	if (command->pid < 0) {
		const int error = errno;

		free(command);
		probe_done(target, LB_C_LOCAL, (__u16)error);
		return;
	}
	/* Here too, so that the group exists whoever comes first. */
	(void)setpgid(command->pid, command->pid);
	command->target = target;
	target->own = command;
	fd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	if (fd < 0 || watch_set(&command->watch, fd, EPOLLIN)) {
		(void)kill(-command->pid, SIGKILL);
		(void)waitpid(command->pid, NULL, 0);
		watch_end(&command->watch);
		free(command);
		target->own = NULL;
		probe_done(target, LB_C_LOCAL, EIO);
	}
}

static void end(struct target *target)
{
	struct command *command = target->own;

	target->own = NULL;
	if (!command)
		return;
	(void)kill(-command->pid, SIGKILL);
	command->target = NULL;
}

static __u8 late(const struct target *target)
{
	(void)target;
	return LB_C_COMMAND_TIMEOUT;
}

const struct probe probe_exec = { start, end, late };
