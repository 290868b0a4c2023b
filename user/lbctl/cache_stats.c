// SPDX-License-Identifier: GPL-2.0-only
/* The cache's part of 'lbctl stats': asked of lbcache if a service is cached, never for long. */
#include "cache_stats.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define STATUS_LINE "status\n"

int cache_socket_path(const struct lb *lb, struct sockaddr_un *out)
{
	char *copy = strdup(lb_state_path(lb));
	int len;

	if (!copy)
		return refuse("out of memory");
	out->sun_family = AF_UNIX;
	len = snprintf(out->sun_path, sizeof(out->sun_path), "%s/lbcache.sock", dirname(copy));
	free(copy);
	if (len < 0 || (size_t)len >= sizeof(out->sun_path))
		return refuse("the control socket's path is too long");
	return EXIT_OK;
}

static bool is_any_cached(const struct lb_config *config)
{
	for (unsigned int i = 0; i < config->service_count; i++) {
		if (config->services[i].cache.is_on)
			return true;
	}
	return false;
}

/* NULL: nobody answers. Where a full queue or a stopped process would hold it, it gives up. */
static json_t *ask_status(const struct sockaddr_un *address)
{
	const struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *json = NULL;

	if (fd < 0)
		return NULL;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	    send(fd, STATUS_LINE, strlen(STATUS_LINE), MSG_NOSIGNAL) ==
		    (ssize_t)strlen(STATUS_LINE))
		json = json_loadfd(fd, 0, NULL);
	(void)close(fd);
	return json;
}

json_t *cache_stats_json(const struct lb *lb, const struct lb_config *config)
{
	static const char *const keys[] = { "requests",	 "hits",  "stale", "misses",
					    "hit_ratio", "bytes", "limit" };
	struct sockaddr_un address = { 0 };
	json_t *status, *json;

	if (!is_any_cached(config) || cache_socket_path(lb, &address))
		return NULL;
	status = ask_status(&address);
	json = json_pack("{s:b}", "running", json_object_get(status, "hit_ratio") != NULL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(status, keys[i]);

		if (value)
			(void)json_object_set(json, keys[i], value);
	}
	json_decref(status);
	return json;
}

uint64_t cache_number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

void print_cache_stats(const struct lbctl *ctl, const json_t *json)
{
	char hits[NUMBER_TEXT_SIZE], stale[NUMBER_TEXT_SIZE], misses[NUMBER_TEXT_SIZE];
	char bytes[NUMBER_TEXT_SIZE], limit[NUMBER_TEXT_SIZE];

	if (!json)
		return;
	if (!json_is_true(json_object_get(json, "running"))) {
		(void)printf("cache: not running\n");
		note(ctl,
		     "lbcache does not answer, so new connections go to the backends: start it, or "
		     "end it first if it hangs, with 'lbcache%s%s'",
		     ctl->netns ? " -n " : "", ctl->netns ? ctl->netns : "");
		return;
	}
	(void)printf("cache: hit ratio %.1f%%, hits %s, stale hits %s, misses %s, %s of %s held\n",
		     100 * json_real_value(json_object_get(json, "hit_ratio")),
		     number_group(cache_number(json, "hits"), hits),
		     number_group(cache_number(json, "stale"), stale),
		     number_group(cache_number(json, "misses"), misses),
		     number_bytes(cache_number(json, "bytes"), bytes),
		     number_bytes(cache_number(json, "limit"), limit));
}
