// SPDX-License-Identifier: GPL-2.0-only
/*
 * Echo server and client of the guest, TCP and UDP, IPv4 and IPv6. The server says first by which
 * address it sees the client, so that a test can tell full NAT from nat. Static, no dependencies.
 *
 *	peer server PORT...
 *	peer client tcp|udp ADDRESS PORT BYTES	prints the address that the server saw
 *	peer hold ADDRESS PORT SECONDS		a TCP connection, one exchange every tenth of a
 *second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 8
#define GREETING 64 /* bytes of the server's first answer, padded by NULs */
#define DATAGRAM 1200

static int die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_all(int fd, const char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
}

static void read_all(int fd, char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, data + done, size - done);

		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			die("read");
		done += (size_t)n;
	}
}

/* IPv4 without the ::ffff: of a socket for both families. */
static void greet(const struct sockaddr_in6 *peer, char text[GREETING])
{
	memset(text, 0, GREETING);
	if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
		inet_ntop(AF_INET, &peer->sin6_addr.s6_addr[12], text, GREETING);
	else
		inet_ntop(AF_INET6, &peer->sin6_addr, text, GREETING);
}

static int listen_on(int type, int port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port) };
	int fd = socket(AF_INET6, type, 0);
	int on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 64) < 0)
		die("listen");
	return fd;
}

static void serve_stream(int listener)
{
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	int fd = accept(listener, (struct sockaddr *)&peer, &length);
	char buf[4096];
	ssize_t n;

	if (fd < 0 || fork() != 0) {
		close(fd);
		return;
	}
	greet(&peer, buf);
	write_all(fd, buf, GREETING);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write_all(fd, buf, (size_t)n);
	exit(0);
}

static void serve_datagram(int fd)
{
	char buf[GREETING + DATAGRAM];
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	ssize_t n = recvfrom(fd, buf + GREETING, DATAGRAM, 0, (struct sockaddr *)&peer, &length);

	if (n < 0)
		return;
	greet(&peer, buf);
	sendto(fd, buf, GREETING + (size_t)n, 0, (struct sockaddr *)&peer, length);
}

static int serve(int count, char **ports)
{
	struct pollfd fds[16];
	nfds_t used = 0;

	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < count && used + 2 <= 16; i++) {
		fds[used++] = (struct pollfd){ listen_on(SOCK_STREAM, atoi(ports[i])), POLLIN, 0 };
		fds[used++] = (struct pollfd){ listen_on(SOCK_DGRAM, atoi(ports[i])), POLLIN, 0 };
	}
	while (poll(fds, used, -1) >= 0) {
		for (nfds_t i = 0; i < used; i++) {
			if (!(fds[i].revents & POLLIN))
				continue;
			if (i % 2 == 0)
				serve_stream(fds[i].fd);
			else
				serve_datagram(fds[i].fd);
		}
	}
	return die("poll");
}

static int connect_to(int type, const char *address, const char *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((in_port_t)atoi(port)) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = v6.sin6_port };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int is_v4 = inet_pton(AF_INET, address, &v4.sin_addr);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, type, 0);

	if (fd < 0 || (!is_v4 && !inet_pton(AF_INET6, address, &v6.sin6_addr)))
		die(address);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
		die("connect");
	return fd;
}

/* In pieces: neither side's buffers need to hold everything. */
static void exchange(int fd, size_t size)
{
	char sent[4096];
	char got[4096];

	for (size_t done = 0; done < size;) {
		size_t piece = size - done < sizeof(sent) ? size - done : sizeof(sent);

		for (size_t i = 0; i < piece; i++)
			sent[i] = (char)((done + i) * 7 % 251);
		write_all(fd, sent, piece);
		read_all(fd, got, piece);
		errno = EBADMSG;
		if (memcmp(sent, got, piece) != 0)
			die("what came back differs");
		done += piece;
	}
}

static void ask_datagram(int fd, size_t size, char greeting[GREETING])
{
	char sent[DATAGRAM];
	char got[GREETING + DATAGRAM];
	ssize_t n;

	if (size > DATAGRAM)
		size = DATAGRAM;
	memset(sent, 'u', sizeof(sent));
	write_all(fd, sent, size);
	n = read(fd, got, sizeof(got));
	if (n < 0)
		die("no answer");
	errno = EBADMSG;
	if ((size_t)n != GREETING + size || memcmp(got + GREETING, sent, size) != 0)
		die("what came back differs");
	memcpy(greeting, got, GREETING);
}

static int ask(const char *protocol, const char *address, const char *port, size_t size)
{
	int is_udp = strcmp(protocol, "udp") == 0;
	int fd = connect_to(is_udp ? SOCK_DGRAM : SOCK_STREAM, address, port);
	char greeting[GREETING];

	if (is_udp) {
		ask_datagram(fd, size, greeting);
	} else {
		read_all(fd, greeting, GREETING);
		exchange(fd, size);
	}
	printf("%.*s\n", GREETING, greeting);
	return 0;
}

static int hold(const char *address, const char *port, int seconds)
{
	int fd = connect_to(SOCK_STREAM, address, port);
	char greeting[GREETING];

	read_all(fd, greeting, GREETING);
	for (int i = 0; i < seconds * 10; i++) {
		exchange(fd, 100);
		usleep(100000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "server") == 0)
		return serve(argc - 2, argv + 2);
	if (argc == 6 && strcmp(argv[1], "client") == 0)
		return ask(argv[2], argv[3], argv[4], (size_t)atol(argv[5]));
	if (argc == 5 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], argv[3], atoi(argv[4]));
	fputs("peer: server PORT... | client tcp|udp ADDRESS PORT BYTES | hold ADDRESS PORT "
	      "SECONDS\n",
	      stderr);
	return 2;
}
