// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check ping: an ICMP echo. One raw socket a family, opened while lbd may; an answer is found by
 * its sequence number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lbd.h"

#define WAITING 65536u
#define LINUX_ICMP_FILTER 1 /* of linux/icmp.h, which netinet's hides */

/* The same layout in both families. */
struct echo {
	__u8 type, code;
	__u16 checksum;
	__be16 id, sequence;
	__u64 nonce;
};

static struct target *waiting[WAITING]; /* by sequence number */
static struct watch sockets[2];
static __u16 own_id, last_sequence;
static __u64 own_nonce;

static __u16 checksum(const struct echo *echo)
{
	const __u16 *words = (const __u16 *)echo;
	__u32 sum = 0;

	for (size_t i = 0; i < sizeof(*echo) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16) ~(sum + (sum >> 16));
}

static bool is_from(const struct target *target, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;

	if (from->ss_family == AF_INET)
		return v4->sin_addr.s_addr == target->addr.words[3];
	return !memcmp(&v6->sin6_addr, &target->addr, sizeof(v6->sin6_addr));
}

static void take(const void *data, size_t length, __u8 type, const struct sockaddr_storage *from)
{
	struct echo echo;
	struct target *target;

	if (length < sizeof(echo))
		return;
	memcpy(&echo, data, sizeof(echo));
	if (echo.type != type || echo.id != htons(own_id) || echo.nonce != own_nonce)
		return;
	target = waiting[ntohs(echo.sequence)];
	if (target && is_from(target, from))
		probe_done(target, LB_C_OK, 0);
}

static void ready(struct watch *watch, unsigned int events)
{
	const bool is_v4 = watch == &sockets[0];
	struct sockaddr_storage from;
	char packet[1024];

	(void)events;
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(watch->fd, packet, sizeof(packet), 0,
				       (struct sockaddr *)&from, &size);
		size_t header = 0;

		if (got < 0)
			return;
		/* IPv4 raw sockets show the IP header, IPv6 ones do not. */
		if (is_v4)
			header = (size_t)((struct iphdr *)packet)->ihl * 4;
		if ((size_t)got >= header)
			take(packet + header, (size_t)got - header,
			     is_v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY, &from);
	}
}

void ping_open(void)
{
	const __u32 not_wanted = ~(1u << ICMP_ECHOREPLY);
	struct icmp6_filter filter;
	int v4 = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
	int v6 = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	own_id = (__u16)random_below(65536);
	own_nonce = (__u64)random_below(~0u) << 32 | random_below(~0u);
	sockets[0].fd = sockets[1].fd = -1;
	sockets[0].ready = sockets[1].ready = ready;
	if (v4 >= 0) {
		(void)setsockopt(v4, SOL_RAW, LINUX_ICMP_FILTER, &not_wanted, sizeof(not_wanted));
		(void)watch_set(&sockets[0], v4, EPOLLIN);
	}
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	if (v6 >= 0) {
		(void)setsockopt(v6, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
		(void)watch_set(&sockets[1], v6, EPOLLIN);
	}
}

static void start(struct target *target)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const bool is_v4 = lb_addr_is_v4(&target->addr);
	const int fd = sockets[!is_v4].fd;
	struct echo echo = { .type = is_v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
			     .id = htons(own_id),
			     .nonce = own_nonce };
	ssize_t sent;

	if (fd < 0) {
		probe_done(target, LB_C_LOCAL, EPERM);
		return;
	}
	do
		last_sequence++;
	while (waiting[last_sequence]);
	waiting[last_sequence] = target;
	target->own = &waiting[last_sequence];
	echo.sequence = htons(last_sequence);
	echo.checksum = is_v4 ? checksum(&echo) : 0; /* ICMPv6: by the kernel */
	v4.sin_addr.s_addr = target->addr.words[3];
	memcpy(&v6.sin6_addr, &target->addr, sizeof(v6.sin6_addr));
	sent = is_v4 ? sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&v4, sizeof(v4))
		     : sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&v6, sizeof(v6));
	if (sent < 0)
		probe_failed(target, errno);
}

static void end(struct target *target)
{
	struct target **place = target->own;

	if (place)
		*place = NULL;
	target->own = NULL;
}

static __u8 late(const struct target *target)
{
	(void)target;
	return LB_C_ANSWER_TIMEOUT;
}

const struct probe probe_ping = { start, end, late };
