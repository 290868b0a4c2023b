// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the document to what is probed and who wants to know. A new document keeps what it can: a
 * backend that is still checked in the same way does not notice.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lbd.h"

static bool wants_link; /* some check of the document goes through the datapath */

static unsigned int chain_of(const union lb_addr *addr, __u16 port)
{
	return (unsigned int)(lb_hash_mix(addr->quads[0] ^ lb_hash_mix(addr->quads[1] + port)) %
			      CHAINS);
}

/* Equal in what is asked and how often; what results are worth is each service's own. */
static bool asks_the_same(const struct lb_health_config *a, const struct lb_health_config *b)
{
	struct lb_health_config left = *a, right = *b;

	left.rise = right.rise;
	left.fall = right.fall;
	left.slow_start_ms = right.slow_start_ms;
	left.on_all_down = right.on_all_down;
	left.is_passive = right.is_passive;
	left.port = right.port; /* in the target */
	left.via = right.via;	/* likewise */
	return !memcmp(&left, &right, sizeof(left));
}

/* memcmp needs texts without remains behind their end. */
static void copy_text(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

static struct check *keep_check(const struct lb_health_config *from)
{
	struct lb_health_config wanted;
	struct check *check;

	memset(&wanted, 0, sizeof(wanted));
	wanted.type = from->type;
	wanted.on_all_down = from->on_all_down;
	wanted.interval_ms = from->interval_ms;
	wanted.timeout_ms = lb_health_timeout(from);
	wanted.slow_start_ms = from->slow_start_ms;
	wanted.rise = from->rise;
	wanted.fall = from->fall;
	wanted.port = from->port;
	wanted.via = from->via;
	wanted.status_low = from->status_low;
	wanted.status_high = from->status_high;
	wanted.is_verified = from->is_verified;
	wanted.is_passive = from->is_passive;
	copy_text(wanted.path, from->path);
	copy_text(wanted.host, from->host);
	copy_text(wanted.body, from->body);
	copy_text(wanted.ca, from->ca);
	copy_text(wanted.send, from->send);
	copy_text(wanted.expect, from->expect);
	copy_text(wanted.command, from->command);
	for (check = lbd.checks; check; check = check->next) {
		if (memcmp(&check->config, &wanted, sizeof(wanted)))
			continue;
		check->is_kept = true;
		return check;
	}
	check = calloc(1, sizeof(*check));
	if (!check)
		return NULL;
	memcpy(&check->config, &wanted, sizeof(wanted));
	check->is_kept = true;
	check->next = lbd.checks;
	lbd.checks = check;
	return check;
}

/* Whom a check asks, and whether by the way of the service's packets. */
struct whom {
	union lb_addr addr;
	__u16 port;
	const struct lb_service_config *service; /* NULL: directly */
	enum lb_mode mode;
};

static bool is_whom(const struct target *target, const struct whom *whom)
{
	if (target->port != whom->port || !lb_addr_is_equal(&target->addr, &whom->addr))
		return false;
	return target->through && whom->service
		       ? through_is(target->through, whom->service, whom->mode)
		       : !target->through && !whom->service;
}

static struct target *find_target(const struct check *check, const struct whom *whom)
{
	struct target *target = lbd.targets[chain_of(&whom->addr, whom->port)];

	while (target &&
	       (!is_whom(target, whom) || !asks_the_same(&target->check->config, &check->config)))
		target = target->next;
	return target;
}

static struct target *add_target(const struct check *check, const struct whom *whom)
{
	struct target *target = calloc(1, sizeof(*target));
	struct target **chain = &lbd.targets[chain_of(&whom->addr, whom->port)];

	if (!target)
		return NULL;
	target->check = check;
	target->addr = whom->addr;
	target->port = whom->port;
	target->watch.fd = -1;
	if (whom->service) {
		target->through = through_new(target, whom->service, whom->mode);
		if (!target->through) {
			free(target);
			return NULL;
		}
	}
	target->next = *chain;
	*chain = target;
	lbd.target_count++;
	return target;
}

static void leave_target(struct member *member)
{
	struct member **at;

	if (!member->target)
		return;
	at = &member->target->members;
	while (*at != member)
		at = &(*at)->neighbour;
	*at = member->neighbour;
	member->target = NULL;
}

struct member *member_find(const char *service, const union lb_addr *addr, __u16 port)
{
	struct member *member = lbd.members[chain_of(addr, port)];

	while (member && (member->port != port || !lb_addr_is_equal(&member->addr, addr) ||
			  strcmp(member->service, service)))
		member = member->next;
	return member;
}

static struct member *add_member(const char *service, const union lb_addr *addr, __u16 port)
{
	struct member *member = calloc(1, sizeof(*member));
	struct member **chain = &lbd.members[chain_of(addr, port)];

	if (!member)
		return NULL;
	memcpy(member->service, service, sizeof(member->service));
	member->addr = *addr;
	member->port = port;
	member->hint = member->passive.number = ~0u;
	member->next = *chain;
	*chain = member;
	lbd.member_count++;
	return member;
}

/* Without a type there is nothing to probe. */
static int join_target(struct member *member, const struct check *check, const struct whom *whom)
{
	struct target *target = NULL;

	if (check->config.type != LB_CHECK_NONE) {
		target = find_target(check, whom);
		if (!target)
			target = add_target(check, whom);
		if (!target)
			return -ENOMEM;
		target->check = check;
	}
	if (member->target == target)
		return 0;
	leave_target(member);
	member->target = target;
	if (!target)
		return 0;
	member->neighbour = target->members;
	target->members = member;
	return 0;
}

static int load_backend(const struct lb_service_config *service,
			const struct lb_backend_config *backend, const struct check *check)
{
	const __u16 port = lb_backend_port(service, backend);
	const bool is_ping = check->config.type == LB_CHECK_PING;
	const struct whom whom = {
		.addr = backend->addr,
		.port = is_ping		     ? 0
			: check->config.port ? check->config.port
					     : port,
		.service = through_is_wanted(service, backend) ? service : NULL,
		.mode = lb_backend_mode(service, backend),
	};
	struct member *member = member_find(service->name, &backend->addr, port);

	if (!member)
		member = add_member(service->name, &backend->addr, port);
	if (!member)
		return -ENOMEM;
	member->generation = lbd.generation;
	member->check = check;
	member->has_weight = backend->weight && !backend->is_drained;
	member->is_tcp = service->proto == IPPROTO_TCP;
	member->is_heard =
		whom.mode == LB_MODE_FULLNAT || (whom.mode == LB_MODE_NAT && member->is_tcp);
	wants_link |= whom.service != NULL;
	if (join_target(member, check, &whom))
		return -ENOMEM;
	if (!member->has_verdict)
		(void)member_adopt(member);
	return 0;
}

static void drop_members(void)
{
	for (unsigned int i = 0; i < CHAINS; i++) {
		for (struct member **at = &lbd.members[i]; *at;) {
			struct member *member = *at;

			if (member->generation == lbd.generation) {
				at = &member->next;
				continue;
			}
			*at = member->next;
			leave_target(member);
			member_forget(member);
			free(member);
			lbd.member_count--;
		}
	}
}

static void drop_targets(void)
{
	for (unsigned int i = 0; i < CHAINS; i++) {
		for (struct target **at = &lbd.targets[i]; *at;) {
			struct target *target = *at;

			if (target->members) {
				at = &target->next;
				continue;
			}
			*at = target->next;
			target_end(target);
			through_free(target->through);
			free(target);
			lbd.target_count--;
		}
	}
}

static void drop_checks(void)
{
	for (struct check **at = &lbd.checks; *at;) {
		struct check *check = *at;

		if (check->is_kept) {
			at = &check->next;
			continue;
		}
		*at = check->next;
		free(check);
	}
}

/* The first probes of many backends are spread over their interval, those of few come at once. */
static void begin_targets(void)
{
	for (unsigned int i = 0; i < CHAINS; i++) {
		for (struct target *target = lbd.targets[i]; target; target = target->next) {
			const __u32 interval = target->check->config.interval_ms;

			if (!target->is_running && !target->due.place)
				target_begin(target, lbd.target_count < interval ? lbd.target_count
										 : interval);
		}
	}
}

int members_load(struct lb_error *err)
{
	struct lb_config *config;
	int ret = lb_read_intent(lbd.lb, &config, err);

	if (ret)
		return ret;
	lbd.generation++;
	wants_link = false;
	for (struct check *check = lbd.checks; check; check = check->next)
		check->is_kept = false;
	for (unsigned int i = 0; i < config->service_count && !ret; i++) {
		const struct lb_service_config *service = &config->services[i];
		const struct check *check;

		if (!lb_health_is_on(&service->health))
			continue;
		check = keep_check(&service->health);
		ret = check ? 0 : -ENOMEM;
		for (unsigned int b = 0; b < service->backend_count && !ret; b++)
			ret = load_backend(service, &service->backends[b], check);
	}
	lb_config_free(lbd.config);
	lbd.config = config;
	if (ret)
		return lb_fail(err, ret, "out of memory");
	drop_members();
	drop_targets();
	drop_checks();
	if (passive_load())
		return lb_fail(err, -ENOMEM, "out of memory");
	begin_targets();
	lbd.is_dirty = true;
	/* Only who begins anew has the rights to make the link. */
	if (wants_link && !lbd.has_link && !lbd.link_text[0] && lb_is_loaded(lbd.lb))
		lbd.exit = EXIT_AGAIN;
	return 0;
}

void members_each(void (*fn)(struct member *member, void *arg), void *arg)
{
	for (unsigned int i = 0; i < CHAINS; i++)
		for (struct member *member = lbd.members[i]; member; member = member->next)
			fn(member, arg);
}

void targets_each(void (*fn)(struct target *target))
{
	for (unsigned int i = 0; i < CHAINS; i++)
		for (struct target *target = lbd.targets[i]; target; target = target->next)
			fn(target);
}
