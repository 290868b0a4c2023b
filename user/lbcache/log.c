// SPDX-License-Identifier: GPL-2.0-only
/* The access log. Workers put lines into a ring and never wait; one thread writes them. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_SIZE (1u << 20)
#define LINE_MAX_SIZE 4096
#define PAUSE_MS 100
#define PATIENCE 10 /* pauses that a reader has to take what is left at the end */

struct access_log {
	int fd;
	bool is_json;
	_Atomic bool is_ending;
	_Atomic uint64_t lost; /* lines that could not be written */
	pthread_t thread;
	pthread_mutex_t lock;
	size_t head, tail; /* ever put and taken */
	char ring[RING_SIZE];
};

static void copy_out(struct access_log *log, char *buf, size_t at, size_t len)
{
	size_t from = at % RING_SIZE, part = RING_SIZE - from < len ? RING_SIZE - from : len;

	memcpy(buf, log->ring + from, part);
	memcpy(buf + part, log->ring, len - part);
}

static void copy_in(struct access_log *log, const char *buf, size_t len)
{
	size_t to = log->head % RING_SIZE, part = RING_SIZE - to < len ? RING_SIZE - to : len;

	memcpy(log->ring + to, buf, part);
	memcpy(log->ring, buf + part, len - part);
	log->head += len;
}

static void count_lost(struct access_log *log, const char *buf, size_t len)
{
	const char *end = buf + len;

	while ((buf = memchr(buf, '\n', (size_t)(end - buf)))) {
		(void)__atomic_add_fetch(&log->lost, 1, __ATOMIC_RELAXED);
		buf++;
	}
}

/* A full disk loses lines, not pages, and who does not read its pipe does not keep us from ending.
 */
static void write_all(struct access_log *log, const char *buf, size_t len)
{
	struct pollfd room = { .fd = log->fd, .events = POLLOUT };
	unsigned int patience = PATIENCE;

	while (len && patience) {
		ssize_t ret;

		if (poll(&room, 1, PAUSE_MS) <= 0) {
			patience -= log->is_ending;
			continue;
		}
		/* So much goes into a pipe that has room without waiting. */
		ret = write(log->fd, buf, len < PIPE_BUF ? len : PIPE_BUF);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			break;
		buf += ret;
		len -= (size_t)ret;
	}
	count_lost(log, buf, len);
}

static void *run(void *arg)
{
	static char buf[RING_SIZE];
	struct access_log *log = arg;
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
	bool is_ending = false;
	size_t len;

	while (!is_ending) {
		(void)pthread_mutex_lock(&log->lock);
		is_ending = log->is_ending;
		len = log->head - log->tail;
		copy_out(log, buf, log->tail, len);
		log->tail = log->head;
		(void)pthread_mutex_unlock(&log->lock);
		write_all(log, buf, len);
		if (!is_ending)
			(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

/* A pipe with a name may have no reader yet, for which to wait would be no service. */
static int open_path(const char *path)
{
	struct stat stat_buf;
	const bool is_pipe = !stat(path, &stat_buf) && S_ISFIFO(stat_buf.st_mode);

	return open(path, (is_pipe ? O_RDWR : O_WRONLY) | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

int log_open(struct access_log **out, const char *path, bool is_json)
{
	struct access_log *log = calloc(1, sizeof(*log));
	int ret;

	if (!log)
		return -ENOMEM;
	log->is_json = is_json;
	(void)pthread_mutex_init(&log->lock, NULL);
	log->fd = strcmp(path, "-") ? open_path(path) : dup(STDOUT_FILENO);
	ret = log->fd < 0 ? -errno : -pthread_create(&log->thread, NULL, run, log);
	if (ret) {
		free(log);
		return ret;
	}
	*out = log;
	return 0;
}

void log_close(struct access_log *log)
{
	if (!log)
		return;
	(void)pthread_mutex_lock(&log->lock);
	log->is_ending = true;
	(void)pthread_mutex_unlock(&log->lock);
	(void)pthread_join(log->thread, NULL);
	(void)close(log->fd);
	free(log);
}

uint64_t log_lost(const struct access_log *log)
{
	return log ? log->lost : 0;
}

static const char *source_word(uint8_t source)
{
	static const char *const words[] = {
		[FROM_NONE] = "none",		[FROM_HIT] = "hit",
		[FROM_STALE] = "stale",		[FROM_MISS] = "miss",
		[FROM_COLLAPSED] = "collapsed", [FROM_PASS] = "pass",
		[FROM_SECOND] = "second",	[FROM_REVALIDATED] = "revalidated",
	};

	return words[source];
}

/* Text in quotes: what could end them, or is no ASCII, is written as \xNN (JSON: \u00NN). */
static size_t put_quoted(char *buf, size_t size, struct text text, bool is_json)
{
	size_t at = 0;

	for (size_t i = 0; i < text.len && at + 8 < size; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			at += (size_t)snprintf(buf + at, size - at, is_json ? "\\u%04x" : "\\x%02x",
					       c);
		else
			buf[at++] = (char)c;
	}
	buf[at] = '\0';
	return at;
}

/* What the line tells of the request, which is gone when its answer is out. */
struct log_note {
	struct text method, target, host, referer, agent;
	char bytes[];
};

static struct text copy(char **at, struct text text)
{
	struct text out = { *at, text.len };

	if (text.len)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return out;
}

void log_note(const struct worker *worker, struct client *client, const char *data)
{
	const struct http_head *head = &worker->head;
	const struct text method = http_text(data, head->method_name),
			  target = http_text(data, head->target),
			  host = http_text(data, head->host),
			  referer = http_value(data, head, HTTP_REFERER),
			  agent = http_value(data, head, HTTP_USER_AGENT);
	struct log_note *note;
	char *at;

	if (!worker->server->log)
		return;
	note = malloc(sizeof(*note) + method.len + target.len + host.len + referer.len + agent.len);
	if (!note)
		return;
	at = note->bytes;
	note->method = copy(&at, method);
	note->target = copy(&at, target);
	note->host = copy(&at, host);
	note->referer = copy(&at, referer);
	note->agent = copy(&at, agent);
	client->note = note;
}

#define QUOTED_MAX 1024

/* The note's texts, ready for their quotes; "-" stands for none, as the format has it. */
struct quoted {
	char method[64], target[QUOTED_MAX], host[256], referer[QUOTED_MAX], agent[QUOTED_MAX];
};

static void quote(char *buf, size_t size, struct text text, bool is_json)
{
	if (text.len || is_json)
		(void)put_quoted(buf, size, text, is_json);
	else
		(void)snprintf(buf, size, "-");
}

static void quote_note(const struct log_note *note, bool is_json, struct quoted *out)
{
	static const struct log_note nothing;

	if (!note)
		note = &nothing;
	quote(out->method, sizeof(out->method), note->method, is_json);
	quote(out->target, sizeof(out->target), note->target, is_json);
	quote(out->host, sizeof(out->host), note->host, is_json);
	quote(out->referer, sizeof(out->referer), note->referer, is_json);
	quote(out->agent, sizeof(out->agent), note->agent, is_json);
}

/* "192.0.2.1:80" and "[2001:db8::1]:80" without port and brackets. */
static const char *cut_port(char *peer)
{
	char *end = strrchr(peer, peer[0] == '[' ? ']' : ':');

	if (end)
		*end = '\0';
	return peer + (peer[0] == '[');
}

static const char *version_of(const struct client *client)
{
	if (client->is_stream)
		return "HTTP/2.0";
	return client->is_old ? "HTTP/1.0" : "HTTP/1.1";
}

static int write_line(const struct access_log *log, const struct worker *worker,
		      const struct client *client, char *line, size_t size)
{
	char peer[ADDRESS_TEXT_SIZE], when[40];
	const char *from;
	struct quoted quoted;
	struct tm tm = { 0 };

	(void)gmtime_r(&worker->now, &tm);
	(void)address_format(&client->peer, peer);
	from = cut_port(peer);
	quote_note(client->note, log->is_json, &quoted);
	if (log->is_json) {
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
		return snprintf(line, size,
				"{\"time\":\"%s\",\"client\":\"%s\",\"service\":\"%s\","
				"\"method\":\"%s\",\"host\":\"%s\",\"target\":\"%s\","
				"\"version\":\"%s\","
				"\"status\":%u,\"bytes\":%llu,\"ms\":%llu,\"cache\":\"%s\","
				"\"referer\":\"%s\",\"agent\":\"%s\"}\n",
				when, from, client->service->name, quoted.method, quoted.host,
				quoted.target, version_of(client), client->status,
				(unsigned long long)client->sent,
				(unsigned long long)(worker->now_ms - client->began_ms),
				source_word(client->source), quoted.referer, quoted.agent);
	}
	(void)strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	return snprintf(line, size, "%s - - [%s] \"%s %s %s\" %u %llu \"%s\" \"%s\" %s\n", from,
			when, quoted.method, quoted.target, version_of(client), client->status,
			(unsigned long long)client->sent, quoted.referer, quoted.agent,
			source_word(client->source));
}

void log_answer(struct worker *worker, const struct client *client)
{
	struct access_log *log = worker->server->log;
	char line[LINE_MAX_SIZE];
	int len;

	if (!log)
		return;
	len = write_line(log, worker, client, line, sizeof(line));
	if (len <= 0 || (size_t)len >= sizeof(line))
		return;
	(void)pthread_mutex_lock(&log->lock);
	if (log->head - log->tail + (size_t)len <= RING_SIZE)
		copy_in(log, line, (size_t)len);
	else
		worker->counters.log_lost++;
	(void)pthread_mutex_unlock(&log->lock);
}
