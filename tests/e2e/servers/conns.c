/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An HTTP client that opens a new connection for each request, from several addresses, and counts
 * which server answered: the first word of the body is the server's name. With -b the source ports
 * are given, so that a run is the same each time; with -s it goes on until that time or SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES_MAX 64
#define NAMES_MAX 64
#define TIMEOUT_MS 15000
#define SLOW_MS 500

struct conn {
	int fd; /* -1: free */
	long started_ms;
	size_t length;
	bool is_sent;
	char reply[2048];
};

struct tally {
	char name[96];
	unsigned long count;
};

static struct options {
	struct sockaddr_storage sources[ADDRESSES_MAX];
	unsigned int source_count;
	struct sockaddr_storage target;
	unsigned long count; /* 0: no end */
	unsigned int concurrency;
	unsigned int base_port;
	unsigned int rate; /* connections a second, 0: as fast as it goes */
	unsigned int seconds;
	const char *path;
} opt = { .concurrency = 32, .path = "/" };

static struct conn *conns;
static struct tally replies[NAMES_MAX], errors[NAMES_MAX];
static unsigned long opened, finished, failed, slow;
static long first_bad_ms; /* when the first began whose SYN had no good answer; 0: none */
static volatile sig_atomic_t is_stopped;
static int epoll_fd;

static void on_signal(int number)
{
	(void)number;
	is_stopped = 1;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* By the clock of the day, as events have it. */
static long day_ms(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - now_ms() + ms;
}

static void note_bad(const struct conn *conn)
{
	const long began = day_ms(conn->started_ms);

	if (!first_bad_ms || began < first_bad_ms)
		first_bad_ms = began;
}

static void count_in(struct tally *tallies, const char *name)
{
	unsigned int i;

	for (i = 0; i < NAMES_MAX - 1; i++) {
		if (!tallies[i].count || !strcmp(tallies[i].name, name))
			break;
	}
	snprintf(tallies[i].name, sizeof(tallies[i].name), "%s", name);
	tallies[i].count++;
}

static void finish(struct conn *conn, const char *error)
{
	char text[96];

	if (error) {
		note_bad(conn);
		failed++;
		snprintf(text, sizeof(text), "%s%s", error,
			 conn->is_sent ? " (after sending)" : "");
		count_in(errors, text);
	} else {
		finished++;
		slow += now_ms() - conn->started_ms > SLOW_MS;
	}
	close(conn->fd);
	conn->fd = -1;
}

static socklen_t length_of(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					  : sizeof(struct sockaddr_in6);
}

static void set_port(struct sockaddr_storage *addr, unsigned int port)
{
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)addr)->sin6_port = htons((uint16_t)port);
}

static int bind_source(int fd, unsigned long number)
{
	struct sockaddr_storage source;
	int one = 1;

	if (!opt.source_count)
		return 0;
	source = opt.sources[number % opt.source_count];
	if (opt.base_port) {
		set_port(&source, opt.base_port + (unsigned int)(number / opt.source_count));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	}
	return bind(fd, (struct sockaddr *)&source, length_of(&source));
}

static void open_one(struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = conn };

	conn->fd = socket(opt.target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	conn->length = 0;
	conn->is_sent = false;
	conn->started_ms = now_ms();
	if (conn->fd < 0) {
		perror("socket");
		exit(2);
	}
	if (bind_source(conn->fd, opened++)) {
		finish(conn, "bind: address in use");
		return;
	}
	if (connect(conn->fd, (struct sockaddr *)&opt.target, length_of(&opt.target)) &&
	    errno != EINPROGRESS) {
		finish(conn, strerror(errno));
		return;
	}
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
}

static void send_request(struct conn *conn)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	socklen_t size = sizeof(int);
	char request[256];
	int length, error = 0;

	getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		finish(conn, strerror(error));
		return;
	}
	if (now_ms() - conn->started_ms > SLOW_MS)
		note_bad(conn);
	length = snprintf(request, sizeof(request),
			  "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", opt.path);
	if (send(conn->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
		finish(conn, "send");
		return;
	}
	conn->is_sent = true;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

static void read_name(struct conn *conn)
{
	char *body, name[64];

	conn->reply[conn->length] = '\0';
	body = strstr(conn->reply, "\r\n\r\n");
	if (conn->length < 12 || strncmp(conn->reply + 8, " 200", 4) || !body ||
	    sscanf(body, " %63s", name) != 1) {
		finish(conn, conn->length ? "not a 200 reply" : "closed without a reply");
		return;
	}
	count_in(replies, name);
	finish(conn, NULL);
}

static void receive(struct conn *conn)
{
	ssize_t got;

	for (;;) {
		got = recv(conn->fd, conn->reply + conn->length,
			   sizeof(conn->reply) - 1 - conn->length, 0);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0) {
			finish(conn, strerror(errno));
			return;
		}
		conn->length += (size_t)got;
		if (!got || conn->length == sizeof(conn->reply) - 1)
			break;
	}
	read_name(conn);
}

static void parse_address(const char *text, const char *port, struct sockaddr_storage *out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *info;

	if (getaddrinfo(text, port, &hints, &info)) {
		fprintf(stderr, "conns: not an address: %s\n", text);
		exit(2);
	}
	memcpy(out, info->ai_addr, info->ai_addrlen);
	freeaddrinfo(info);
}

static void parse(int argc, char **argv)
{
	char *word;
	int c;

	while ((c = getopt(argc, argv, "a:n:c:b:r:s:p:")) != -1) {
		switch (c) {
		case 'a':
			for (word = strtok(optarg, ","); word && opt.source_count < ADDRESSES_MAX;
			     word = strtok(NULL, ","))
				parse_address(word, "0", &opt.sources[opt.source_count++]);
			break;
		case 'n':
			opt.count = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			opt.concurrency = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			opt.base_port = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			opt.rate = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.seconds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			opt.path = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 2) {
		fprintf(stderr, "Usage: conns [-a SOURCE,…] [-n COUNT] [-c CONCURRENCY] [-b PORT] "
				"[-r RATE] [-s SECONDS] [-p PATH] ADDRESS PORT\n");
		exit(2);
	}
	parse_address(argv[optind], argv[optind + 1], &opt.target);
}

static bool may_open(long start_ms)
{
	long elapsed = now_ms() - start_ms;

	if (is_stopped || (opt.count && opened >= opt.count))
		return false;
	if (opt.seconds && elapsed >= opt.seconds * 1000L)
		return false;
	return !opt.rate || opened <= (unsigned long)elapsed * opt.rate / 1000;
}

static bool is_over(long start_ms)
{
	return is_stopped || (opt.count && opened >= opt.count) ||
	       (opt.seconds && now_ms() - start_ms >= opt.seconds * 1000L);
}

static void run(void)
{
	struct epoll_event events[256];
	long start_ms = now_ms();
	unsigned int i, busy;
	int n;

	do {
		busy = 0;
		for (i = 0; i < opt.concurrency; i++) {
			if (conns[i].fd < 0 && may_open(start_ms))
				open_one(&conns[i]);
			if (conns[i].fd >= 0 && now_ms() - conns[i].started_ms > TIMEOUT_MS)
				finish(&conns[i], "timed out");
			busy += conns[i].fd >= 0;
		}
		n = epoll_wait(epoll_fd, events, 256, opt.rate || !busy ? 2 : 100);
		for (i = 0; n > 0 && i < (unsigned int)n; i++) {
			struct conn *conn = events[i].data.ptr;

			if (conn->is_sent)
				receive(conn);
			else
				send_request(conn);
		}
	} while (busy || !is_over(start_ms));
}

int main(int argc, char **argv)
{
	unsigned int i;

	parse(argc, argv);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(opt.concurrency, sizeof(*conns));
	if (epoll_fd < 0 || !conns)
		return 2;
	for (i = 0; i < opt.concurrency; i++)
		conns[i].fd = -1;
	run();
	printf("done %lu\nfailed %lu\nslow %lu\nfirst_bad_ms %ld\n", finished, failed, slow,
	       first_bad_ms);
	for (i = 0; i < NAMES_MAX && replies[i].count; i++)
		printf("reply %s %lu\n", replies[i].name, replies[i].count);
	for (i = 0; i < NAMES_MAX && errors[i].count; i++)
		printf("error %lu %s\n", errors[i].count, errors[i].name);
	free(conns);
	return failed ? 1 : 0;
}
