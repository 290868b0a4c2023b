// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks http and https, by libcurl's multi interface in lbd's own event loop. Each check is a
 * connection of its own: an idle one that is still open proves nothing about new ones.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "lbd.h"

#define BODY_MAX 65536u
#define URL_SIZE 640
/* X509_V_ERR_… of OpenSSL, which CURLINFO_SSL_VERIFYRESULT answers. */
#define CERT_NO_RESULT 1
#define CERT_NOT_YET_VALID 9
#define CERT_HAS_EXPIRED 10
#define CERT_HOSTNAME_MISMATCH 62

struct transfer {
	struct target *target;
	CURL *easy;
	struct curl_slist *connect_to;
	curl_socket_t fd;
	char *body; /* as far as it is searched; NULL where nobody looks */
	size_t length;
};

static CURLM *multi;
static struct timer curl_timer;

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t length = size * count;

	if (transfer->body && transfer->length < BODY_MAX) {
		const size_t room = BODY_MAX - transfer->length;

		memcpy(transfer->body + transfer->length, data, length < room ? length : room);
		transfer->length += length < room ? length : room;
	}
	return length;
}

static __u8 verify_reason(CURL *easy)
{
	long result = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
	if (result == CERT_HAS_EXPIRED || result == CERT_NOT_YET_VALID)
		return LB_C_TLS_EXPIRED;
	/* libcurl compares the name itself, before it takes the chain's result over. */
	if (result == 0 || result == CERT_NO_RESULT || result == CERT_HOSTNAME_MISMATCH)
		return LB_C_TLS_NAME;
	return LB_C_TLS_UNTRUSTED;
}

static void judge_answer(struct transfer *transfer)
{
	const struct lb_health_config *config = &transfer->target->check->config;
	long status = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < config->status_low || status > config->status_high)
		probe_done(transfer->target, LB_C_STATUS, (__u16)status);
	else if (config->body[0] &&
		 !memmem(transfer->body, transfer->length, config->body, strlen(config->body)))
		probe_done(transfer->target, LB_C_BODY, 0);
	else
		probe_done(transfer->target, LB_C_OK, 0);
}

static void judge(struct transfer *transfer, CURLcode code)
{
	struct target *target = transfer->target;
	long error = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	switch (code) {
	case CURLE_OK:
		judge_answer(transfer);
		break;
	case CURLE_COULDNT_CONNECT:
		probe_failed(target, (int)error);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		probe_done(target, verify_reason(transfer->easy), 0);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		probe_done(target, LB_C_TLS_HANDSHAKE, 0);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		probe_done(target, LB_C_LOCAL, ENOENT);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		probe_done(target, LB_C_CLOSED, 0);
		break;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		probe_done(target, LB_C_RESET, 0);
		break;
	case CURLE_OUT_OF_MEMORY:
		probe_done(target, LB_C_LOCAL, ENOMEM);
		break;
	default:
		probe_done(target, LB_C_MALFORMED, 0);
	}
}

static void take_finished(void)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left))) {
		const CURLcode code = message->data.result;
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		judge(transfer, code);
	}
}

/* ---- libcurl's events in ours -----------------------------------------------------------------
 */

static void act(curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(multi, fd, what, &running);
	take_finished();
}

static void ready(struct watch *watch, unsigned int events)
{
	act(watch->fd, (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			       (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			       (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
	struct watch *watch = own;

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		/* libcurl closes it. */
		(void)epoll_ctl(lbd.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		free(watch);
		(void)curl_multi_assign(multi, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return -1;
		watch->fd = -1;
		watch->ready = ready;
		(void)curl_multi_assign(multi, fd, watch);
	}
	return watch_set(watch, fd,
			 (what & CURL_POLL_IN ? EPOLLIN : 0) |
				 (what & CURL_POLL_OUT ? EPOLLOUT : 0));
}

static void on_curl_timer(struct timer *timer)
{
	(void)timer;
	act(CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *which, long ms, void *arg)
{
	(void)which;
	(void)arg;
	if (ms < 0)
		timers_cancel(&lbd.timers, &curl_timer);
	else
		(void)timers_set(&lbd.timers, &curl_timer, now_ns() + (uint64_t)ms * MS);
	return 0;
}

int http_open(void)
{
	curl_timer.fire = on_curl_timer;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	multi = curl_multi_init();
	if (!multi)
		return -ENOMEM;
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	/* No connection is kept. */
	(void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L);
	return 0;
}

/* ---- one check --------------------------------------------------------------------------------
 */

static void write_url(const struct target *target, char url[URL_SIZE], char to[URL_SIZE])
{
	const struct lb_health_config *config = &target->check->config;
	char text[LB_ADDR_TEXT_SIZE];
	union lb_addr addr;
	__u16 port;

	through_peer(target, &addr, &port);
	lb_endpoint_format(&addr, port, text);
	(void)snprintf(to, URL_SIZE, "::%s", text);
	if (config->host[0])
		(void)snprintf(url, URL_SIZE, "%s://%s:%u%s", lb_check_type_name(config->type),
			       config->host, port, config->path);
	else
		(void)snprintf(url, URL_SIZE, "%s://%s%s", lb_check_type_name(config->type), text,
			       config->path);
}

/* Notes the socket: libcurl does not say whether it is connected while TLS is under way. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *transfer = arg;

	(void)purpose;
	transfer->fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (transfer->fd >= 0 && through_bind(transfer->target, transfer->fd)) {
		(void)close(transfer->fd);
		transfer->fd = CURL_SOCKET_BAD;
	}
	return transfer->fd;
}

static bool is_connected(const struct transfer *transfer)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return !getsockopt(transfer->fd, IPPROTO_TCP, TCP_INFO, &info, &size) &&
	       info.tcpi_state != TCP_SYN_SENT && info.tcpi_state != TCP_CLOSE;
}

static bool set_options(struct transfer *transfer)
{
	const struct lb_health_config *config = &transfer->target->check->config;
	CURL *easy = transfer->easy;
	char url[URL_SIZE], to[URL_SIZE];
	bool is_set;

	write_url(transfer->target, url, to);
	transfer->connect_to = curl_slist_append(NULL, to);
	is_set = transfer->connect_to && !curl_easy_setopt(easy, CURLOPT_URL, url);
#define SET(option, value) (is_set = is_set && !curl_easy_setopt(easy, option, value))
	SET(CURLOPT_CONNECT_TO, transfer->connect_to);
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, ""); /* not the environment's */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_USERAGENT, "lbd/" LB_VERSION);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, config->is_verified ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, config->is_verified ? 2L : 0L);
	if (config->ca[0])
		SET(CURLOPT_CAINFO, config->ca);
#undef SET
	return is_set;
}

static void start(struct target *target)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	target->own = transfer;
	if (transfer) {
		transfer->target = target;
		transfer->fd = CURL_SOCKET_BAD;
		transfer->easy = curl_easy_init();
	}
	if (transfer && target->check->config.body[0])
		transfer->body = malloc(BODY_MAX);
	if (!transfer || !transfer->easy || (target->check->config.body[0] && !transfer->body) ||
	    !set_options(transfer) || curl_multi_add_handle(multi, transfer->easy))
		probe_done(target, LB_C_LOCAL, ENOMEM);
}

static void end(struct target *target)
{
	struct transfer *transfer = target->own;

	target->own = NULL;
	if (!transfer)
		return;
	if (transfer->easy) {
		(void)curl_multi_remove_handle(multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	curl_slist_free_all(transfer->connect_to);
	free(transfer->body);
	free(transfer);
}

/* How far it had come. */
static __u8 late(const struct target *target)
{
	const struct transfer *transfer = target->own;
	curl_off_t secured = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
	if (!is_connected(transfer))
		return LB_C_CONNECT_TIMEOUT;
	if (target->check->config.type == LB_CHECK_HTTPS && !secured)
		return LB_C_TLS_TIMEOUT;
	return LB_C_ANSWER_TIMEOUT;
}

const struct probe probe_http = { start, end, late };
