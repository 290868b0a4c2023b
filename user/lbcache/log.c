// SPDX-License-Identifier: GPL-2.0-only
/* The access log. Workers put lines into a ring and never wait; one thread writes them. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_SIZE (1u << 20)
#define LINE_MAX_SIZE 4096
#define PAUSE_MS 100

struct access_log {
	int fd;
	bool is_json, is_ending;
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

/* A full disk loses lines, not pages. */
static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t ret = write(fd, buf, len);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return;
		buf += ret;
		len -= (size_t)ret;
	}
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
		write_all(log->fd, buf, len);
		if (!is_ending)
			(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

int log_open(struct access_log **out, const char *path, bool is_json)
{
	struct access_log *log = calloc(1, sizeof(*log));
	int ret;

	if (!log)
		return -ENOMEM;
	log->is_json = is_json;
	(void)pthread_mutex_init(&log->lock, NULL);
	log->fd = strcmp(path, "-") ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640)
				    : dup(STDOUT_FILENO);
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

static const char *source_word(uint8_t source)
{
	static const char *const words[] = {
		[FROM_NONE] = "none",
		[FROM_HIT] = "hit",
		[FROM_STALE] = "stale",
		[FROM_MISS] = "miss",
		[FROM_COLLAPSED] = "collapsed",
		[FROM_PASS] = "pass",
		[FROM_REVALIDATED] = "revalidated",
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

/* A hit has no copy of its request: what it asked for is the object's key. */
static struct text target_of(const struct client *client)
{
	if (client->request)
		return http_text(client->request->data, client->request->head.target);
	return object_text(client->object, client->object->key);
}

static int write_line(const struct access_log *log, const struct worker *worker,
		      const struct client *client, char *line, size_t size)
{
	const struct request *request = client->request;
	char peer[ADDRESS_TEXT_SIZE], when[40], target[1024] = "-";
	const char *method = "-";
	struct tm tm = { 0 };
	int method_len = 1;

	(void)gmtime_r(&worker->now, &tm);
	(void)address_format(&client->peer, peer);
	if (strrchr(peer, ':'))
		*strrchr(peer, ':') = '\0';
	if (request || client->object) {
		(void)put_quoted(target, sizeof(target), target_of(client), log->is_json);
		method = client->is_heading ? "HEAD" : "GET";
		method_len = (int)strlen(method);
	}
	if (request) {
		method = request->data + request->head.method_name.at;
		method_len = request->head.method_name.len;
	}
	if (log->is_json) {
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
		return snprintf(line, size,
				"{\"time\":\"%s\",\"client\":\"%s\",\"service\":\"%s\","
				"\"method\":\"%.*s\",\"target\":\"%s\",\"status\":%u,"
				"\"bytes\":%llu,\"ms\":%llu,\"cache\":\"%s\"}\n",
				when, peer, client->service->name, method_len, method, target,
				client->status, (unsigned long long)client->sent,
				(unsigned long long)(worker->now_ms - client->began_ms),
				source_word(client->source));
	}
	(void)strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	return snprintf(line, size, "%s - - [%s] \"%.*s %s HTTP/1.%d\" %u %llu \"-\" \"-\" %s\n",
			peer, when, method_len, method, target, client->is_old ? 0 : 1,
			client->status, (unsigned long long)client->sent,
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
