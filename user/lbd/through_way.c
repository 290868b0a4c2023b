// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a backend is checked through the datapath, and how its probes get there: the link, the
 * source address, and a port that is theirs alone.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "through.h"

#define WAY_NS (1000 * MS)	  /* as long as a way is believed, whatever changes */
#define WAY_STILL_NS (60000 * MS) /* and where nothing is known to have changed */

static bool is_of(enum lb_check_type type, __u8 proto)
{
	if (type == LB_CHECK_UDP || type == LB_CHECK_DNS)
		return proto == IPPROTO_UDP;
	return proto == IPPROTO_TCP &&
	       (type == LB_CHECK_TCP || type == LB_CHECK_HTTP || type == LB_CHECK_HTTPS);
}

bool through_is_wanted(const struct lb_service_config *service,
		       const struct lb_backend_config *backend)
{
	const struct lb_health_config *health = &service->health;

	/* A prefix has no address of which a backend must answer rather than of another. */
	return health->via == LB_VIA_DATAPATH && is_of(health->type, service->proto) &&
	       !lb_front_is_wide(service) &&
	       (!health->port || health->port == lb_backend_port(service, backend)) &&
	       lb_backend_mode(service, backend) != LB_MODE_LOCAL;
}

static bool is_believed(const struct through *through, __u64 now)
{
	const __u64 age_ns = now - through->way_ns;

	return through->kept_fd >= 0 && !through->has_failed &&
	       (age_ns < WAY_NS ||
		(age_ns < WAY_STILL_NS && through_routes_stood(through->way_ns)));
}

static bool some_are_wanted(const struct lb_config *config)
{
	for (unsigned int i = 0; i < config->service_count; i++)
		for (unsigned int b = 0; b < config->services[i].backend_count; b++)
			if (through_is_wanted(&config->services[i],
					      &config->services[i].backends[b]))
				return true;
	return false;
}

void through_open(void)
{
	struct lb_config *config = NULL;
	struct lb_error err = { "" };

	if (!lb_is_loaded(lbd.lb) || lb_read_intent(lbd.lb, &config, &err) ||
	    !some_are_wanted(config))
		lb_probe_remove();
	else if (!lb_probe_open(lbd.lb, &err)) {
		lbd.has_link = true;
		through_watch_routes();
	} else
		memcpy(lbd.link_text, err.text, sizeof(lbd.link_text));
	lb_config_free(config);
}

static int family_of(const union lb_addr *addr)
{
	return lb_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

int through_bind_to(int fd, const union lb_addr *addr, __u16 port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	v4.sin_addr.s_addr = addr->words[3];
	memcpy(&v6.sin6_addr, addr, sizeof(v6.sin6_addr));
	return (lb_addr_is_v4(addr) ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
				    : bind(fd, (struct sockaddr *)&v6, sizeof(v6)))
		       ? -errno
		       : 0;
}

static void forget_port(struct through *through)
{
	if (through->kept_fd < 0)
		return;
	lb_probe_mark(lbd.lb, through->proto, through->kept_port, ~0u);
	(void)close(through->kept_fd);
	through->kept_fd = -1;
}

/*
 * The same port for every probe, held by a socket that does nothing: by it the datapath knows the
 * backend, and full NAT's last flow.
 */
static int keep_port(struct through *through, const union lb_addr *source)
{
	const int type = through->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, yes = 1;
	struct sockaddr_in6 own; /* the larger one; ports of both are in the same place */
	socklen_t size = sizeof(own);
	int ret;

	if (through->kept_fd >= 0 && lb_addr_is_equal(&through->way.source, source))
		return 0;
	forget_port(through);
	through->kept_fd = socket(family_of(source), type | SOCK_CLOEXEC, 0);
	if (through->kept_fd < 0)
		return -errno;
	ret = through_bind_to(through->kept_fd, source, 0);
	/* Only now, so that the port is nobody's yet. */
	if (!ret && (setsockopt(through->kept_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
		     getsockname(through->kept_fd, (struct sockaddr *)&own, &size)))
		ret = -errno;
	if (!ret) {
		through->kept_port = ntohs(own.sin6_port);
		return 0;
	}
	(void)close(through->kept_fd);
	through->kept_fd = -1;
	return ret;
}

void through_untell(struct through *through)
{
	free(through->told);
	through->told = NULL;
}

void through_tell(struct through *through, const char *why)
{
	static char told[LB_TEXT_SIZE];
	char line[LB_TEXT_SIZE];

	if (through->told && !strcmp(through->told, why))
		return;
	through_untell(through);
	through->told = strdup(why);
	(void)snprintf(line, sizeof(line), "%s: checked directly, not through the datapath: %s",
		       through->main->members->service, why);
	if (!strcmp(told, line))
		return;
	memcpy(told, line, sizeof(told));
	say_event("%s", line);
}

/* Only the next worker has the rights to make it anew. */
static void check_link(void)
{
	if (if_nametoindex(LB_PROBE_LINK) || lbd.exit >= 0)
		return;
	say_event(LB_PROBE_LINK " was removed; it is made anew");
	lbd.exit = EXIT_AGAIN;
}

int through_find_way(struct through *through, struct lb_error *err)
{
	struct member *member = through->main->members;
	struct lb_backend_health found;
	const __u64 began = now_ns();
	struct lb_probe_way way;
	int ret;

	if (!lbd.has_link)
		return lb_fail(err, -ENODEV, "%s", lbd.link_text);
	if (!member || lb_get_health(lbd.lb, member->service, &member->addr, member->port,
				     &member->hint, &found))
		return lb_fail(err, -ENOENT, "%s", "");
	if (is_believed(through, began) && through->way.number == member->hint)
		return 0;
	ret = lb_probe_way(lbd.lb, member->hint, &way, err);
	if (ret == -ENODEV)
		check_link();
	if (ret)
		return ret;
	ret = keep_port(through, &way.source);
	if (ret)
		return lb_fail(err, ret, "no port of its own: %s", strerror(-ret));
	through->way = way;
	through->way_ns = began;
	return 0;
}

/* ---- targets -------------------------------------------------------------------------------- */

struct through *through_new(struct target *target, const struct lb_service_config *service,
			    enum lb_mode mode)
{
	struct through *through = calloc(1, sizeof(*through));

	if (!through)
		return NULL;
	through->vip = service->vip;
	through->port = service->port;
	through->proto = service->proto;
	through->mode = mode;
	through->main = target;
	through->kept_fd = -1;
	through->direct.addr = target->addr;
	through->direct.port = target->port;
	through->direct.watch.fd = -1;
	through->direct.through = through;
	return through;
}

void through_free(struct through *through)
{
	if (!through)
		return;
	forget_port(through);
	through_untell(through);
	free(through);
}

bool through_is(const struct through *through, const struct lb_service_config *service,
		enum lb_mode mode)
{
	return through->port == service->port && through->proto == service->proto &&
	       through->mode == mode && lb_addr_is_equal(&through->vip, &service->vip);
}
