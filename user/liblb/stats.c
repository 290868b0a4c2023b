// SPDX-License-Identifier: GPL-2.0-only
/* Reads counters, tables and flows into one picture of the instance. Takes no lock. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"
#include "lb_watch.h"

static int read_reasons(struct lb *lb, enum lb_map_id map, __u32 number, size_t size, size_t offset,
			__u64 reasons[LB_R_COUNT], __u64 *received)
{
	char *each = calloc(lb->cpus, size);
	int ret = each ? bpf_map_lookup_elem(lb->maps[map].fd, &number, each) : -ENOMEM;

	for (int i = 0; !ret && i < lb->cpus; i++) {
		const __u64 *counters = (const __u64 *)(each + i * size);

		if (received)
			*received += counters[0];
		for (int r = 0; r < LB_R_COUNT; r++)
			reasons[r] += counters[offset + r];
	}
	free(each);
	return ret;
}

static void fill_config(const struct lb *lb, const struct lb_service *service,
			struct lb_service_config *config)
{
	const __u32 hz = lb_hz(lb);

	memcpy(config->name, service->name, sizeof(config->name));
	config->proto = service->proto;
	config->vip = service->vip;
	config->port = ntohs(service->port);
	config->port_last = service->port_last;
	config->vip_length = service->vip_length;
	config->mode = service->mode;
	config->slots = service->slots;
	config->mss = service->mss;
	config->is_stateless = service->flags & LB_S_STATELESS;
	config->fragments =
		service->flags & LB_S_THREE_TUPLE ? LB_FRAGMENTS_THREE_TUPLE : LB_FRAGMENTS_TABLE;
	config->timeouts.syn = service->timeout_syn / hz;
	config->timeouts.established = service->timeout_established / hz;
	config->timeouts.fin = service->timeout_fin / hz;
	config->timeouts.udp = service->timeout_udp / hz;
}

static void to_traffic(const struct lb_totals *from, struct lb_traffic *out)
{
	out->packets_in = from->packets_in;
	out->bytes_in = from->bytes_in;
	out->packets_out = from->packets_out;
	out->bytes_out = from->bytes_out;
	out->connections = from->connections;
	out->answered = from->answered;
	out->refused = from->refused;
	out->unreachable = from->unreachable;
	out->unanswered = from->unanswered;
	out->resets = from->resets;
	out->failed = from->refused + from->unreachable + from->unanswered;
}

static void add_known(__u64 *sum, __u64 part)
{
	*sum = part == LB_UNKNOWN || *sum == LB_UNKNOWN ? LB_UNKNOWN : *sum + part;
}

static void add_traffic(struct lb_traffic *sum, const struct lb_traffic *part)
{
	sum->packets_in += part->packets_in;
	sum->bytes_in += part->bytes_in;
	sum->packets_out += part->packets_out;
	sum->bytes_out += part->bytes_out;
	sum->connections += part->connections;
	sum->answered += part->answered;
	sum->refused += part->refused;
	sum->unreachable += part->unreachable;
	sum->unanswered += part->unanswered;
	sum->resets += part->resets;
	add_known(&sum->failed, part->failed);
	add_known(&sum->active, part->active);
	sum->ports_limit += part->ports_limit;
}

/* A backend in use, as it was when the reading began. */
struct counted {
	__u32 number, service;
	struct lb_totals sum;
};

struct scratch {
	struct counted *backends; /* service by service */
	unsigned int count;
	__u32 *slots;  /* by a backend's number */
	__u64 *active; /* likewise */
};

static int compare_counted(const void *left, const void *right)
{
	const struct counted *a = left, *b = right;

	return a->service != b->service ? (a->service > b->service) - (a->service < b->service)
					: (a->number > b->number) - (a->number < b->number);
}

/* Each block of counters is read once. */
static int read_backends(struct lb *lb, struct scratch *out)
{
	__u32 *numbers = calloc(lb->meta->backends, sizeof(*numbers));
	struct lb_totals *sums = calloc(lb->meta->backends, sizeof(*sums));
	int ret = -ENOMEM;

	out->backends = calloc(lb->meta->backends, sizeof(*out->backends));
	for (__u32 i = 0; numbers && out->backends && i < lb->meta->backends; i++) {
		if (!(lb->backends[i].flags & LB_B_IN_USE))
			continue;
		numbers[out->count] = out->backends[out->count].number = i;
		out->backends[out->count++].service = lb->backends[i].service;
	}
	if (numbers && sums && out->backends)
		ret = lb_read_counters(lb, numbers, out->count, sums);
	for (unsigned int i = 0; !ret && i < out->count; i++)
		out->backends[i].sum = sums[i];
	if (!ret)
		qsort(out->backends, out->count, sizeof(*out->backends), compare_counted);
	free(numbers);
	free(sums);
	return ret;
}

static void fill_backend(struct lb *lb, const struct lb_service *service,
			 const struct counted *counted, const struct scratch *scratch,
			 struct lb_backend_state *out)
{
	const __u32 number = counted->number;
	const struct lb_backend *backend = &lb->backends[number];
	struct lb_totals sum = counted->sum;

	lb_backend_config_init(&out->config);
	out->config.addr = backend->addr;
	out->config.port = ntohs(backend->port);
	out->config.weight = backend->weight;
	out->config.mode = backend->mode;
	out->config.is_drained = backend->flags & LB_B_DRAIN;
	out->slots = scratch->slots[number];
	out->health = lb->health[number];
	lb_totals_subtract(&sum, &lb->bases[number]);
	to_traffic(&sum, &out->traffic);
	out->traffic.active = scratch->active[number];
	if (backend->mode != LB_MODE_FULLNAT &&
	    !(service->flags & LB_S_TRACKED && service->proto == IPPROTO_UDP))
		out->traffic.active = LB_UNKNOWN;
	/* Of the others answers do not pass the datapath. */
	if (backend->mode != LB_MODE_FULLNAT && backend->mode != LB_MODE_NAT)
		out->traffic.failed = LB_UNKNOWN;
	if (backend->mode == LB_MODE_FULLNAT)
		out->traffic.ports_limit =
			(__u64)backend->source_count *
			(lb->control->port_count[0] + lb->control->port_count[1]);
}

/* Slots of each backend by number, and how many have history. */
static __u32 count_slots(const struct lb *lb, const struct lb_service *service, __u32 *slots)
{
	__u32 history = 0;

	for (__u32 i = 0; i < service->slots; i++) {
		const __u16 owner = LB_READ(*lb_table_slot(lb, service, i));
		const __u32 number = service->backend_base + (owner & LB_OWNER_MASK);

		history += !!(owner & LB_OWNER_HISTORY);
		if ((owner & LB_OWNER_MASK) != LB_OWNER_NONE && number < lb->meta->backends)
			slots[number]++;
	}
	return history;
}

/* next: the first backend in scratch that is not of an earlier service; moves on. */
static int fill_service(struct lb *lb, __u32 number, const struct lb_service *service,
			const struct scratch *scratch, unsigned int *next,
			struct lb_service_state *out)
{
	unsigned int count = 0;
	int ret;

	fill_config(lb, service, &out->config);
	out->history = count_slots(lb, service, scratch->slots);
	while (*next < scratch->count && scratch->backends[*next].service < number)
		(*next)++;
	while (*next + count < scratch->count && scratch->backends[*next + count].service == number)
		count++;
	out->backends = calloc(count + 1, sizeof(*out->backends));
	if (!out->backends)
		return -ENOMEM;
	to_traffic(&lb->totals[number], &out->traffic);
	for (; out->backend_count < count; out->backend_count++) {
		struct lb_backend_state *backend = &out->backends[out->backend_count];

		fill_backend(lb, service, &scratch->backends[(*next)++], scratch, backend);
		add_traffic(&out->traffic, &backend->traffic);
	}
	ret = read_reasons(lb, LB_MAP_SERVICE_CPU, number, sizeof(struct lb_service_cpu), 0,
			   out->reasons, NULL);
	for (int r = 1; r < LB_R_COUNT; r++)
		if (lb_reason_verdict(r) == LB_DROPPED)
			out->dropped += out->reasons[r];
	return ret;
}

static __u64 count_flows(struct lb *lb, __u64 *active)
{
	const __u32 now = (__u32)lb_kernel_jiffies(lb);
	__u64 count = 0;

	for (__u32 i = 0; i < lb->meta->flows; i++) {
		const struct lb_flow *flow = &lb->flows[i];
		__u32 number;

		if (flow->tag <= LB_FLOW_BUSY || !lb_flow_is_live(lb, flow, now, NULL, NULL))
			continue;
		count++;
		number = lb_flow_backend(lb, flow);
		if (flow->kind != LB_FLOW_REPLY && flow->state != LB_FLOW_CLOSED &&
		    flow->port != LB_PORT_PROBE && number != LB_NO_BACKEND)
			active[number]++;
	}
	return count;
}

/* Reads until the sum agrees, since packets go on being counted on every CPU meanwhile. */
static int read_totals(struct lb *lb, struct lb_stats *stats)
{
	int ret = 0;

	for (int tries = 0; !ret && !stats->is_accounted && tries < 100; tries++) {
		memset(stats->reasons, 0, sizeof(stats->reasons));
		stats->received = stats->sent = stats->passed = stats->dropped = 0;
		ret = read_reasons(lb, LB_MAP_COUNTERS, 0, sizeof(struct lb_counters), 1,
				   stats->reasons, &stats->received);
		for (int r = 1; r < LB_R_COUNT; r++) {
			const enum lb_verdict verdict = lb_reason_verdict(r);

			stats->sent += verdict == LB_SENT ? stats->reasons[r] : 0;
			stats->passed += verdict == LB_PASSED ? stats->reasons[r] : 0;
			stats->dropped += verdict == LB_DROPPED ? stats->reasons[r] : 0;
		}
		stats->is_accounted =
			stats->received == stats->sent + stats->passed + stats->dropped;
	}
	return ret;
}

int lb_get_reasons(struct lb *lb, __u64 reasons[LB_R_COUNT])
{
	__u64 found[LB_R_COUNT] = {};
	int ret = lb->is_loaded ? read_reasons(lb, LB_MAP_COUNTERS, 0, sizeof(struct lb_counters),
					       1, found, NULL)
				: -ENOTCONN;

	if (!ret)
		memcpy(reasons, found, sizeof(found));
	return ret;
}

/* How long ago each reason dropped a packet. */
static int read_last_drops(struct lb *lb, __u64 dropped_ms[LB_R_COUNT])
{
	struct lb_counters *each = calloc(lb->cpus, sizeof(*each));
	const __u32 zero = 0, hz = lb_hz(lb);
	int ret = each ? bpf_map_lookup_elem(lb->maps[LB_MAP_COUNTERS].fd, &zero, each) : -ENOMEM;
	const __u64 now = lb_kernel_jiffies(lb); /* after the reading, so that none is later */

	for (int r = 0; !ret && r < LB_R_COUNT; r++) {
		__u64 at = 0;

		for (int i = 0; i < lb->cpus; i++)
			at = each[i].dropped_at[r] > at ? each[i].dropped_at[r] : at;
		dropped_ms[r] = !at ? LB_UNKNOWN : at < now ? (now - at) * 1000 / hz : 0;
	}
	free(each);
	return ret;
}

static int fill_stats(struct lb *lb, struct lb_stats *stats)
{
	struct scratch scratch = {
		.slots = calloc(lb->meta->backends, sizeof(*scratch.slots)),
		.active = calloc(lb->meta->backends, sizeof(*scratch.active)),
	};
	struct lb_service service;
	unsigned int count = 0, next = 0;
	int ret = scratch.slots && scratch.active ? read_totals(lb, stats) : -ENOMEM;

	ret = ret ?: read_backends(lb, &scratch);

	if (!ret)
		ret = read_last_drops(lb, stats->dropped_ms);
	for (__u32 i = 0; !ret && i < lb->meta->services; i++)
		count += lb->services[i].flags & LB_S_IN_USE;
	if (!ret) {
		stats->services = calloc(count + 1, sizeof(*stats->services));
		ret = stats->services ? 0 : -ENOMEM;
	}
	if (!ret) {
		stats->flows = count_flows(lb, scratch.active);
		stats->flows_limit = lb->meta->flows;
		stats->is_cached = lb_cache_is_wanted(lb);
		lb_cache_get(lb, &stats->cache);
	}
	for (__u32 i = 0; !ret && i < lb->meta->services && stats->service_count < count; i++)
		if (lb_service_get(lb, i, &service))
			ret = fill_service(lb, i, &service, &scratch, &next,
					   &stats->services[stats->service_count++]);
	free(scratch.backends);
	free(scratch.slots);
	free(scratch.active);
	return ret;
}

int lb_get_stats(struct lb *lb, struct lb_stats **out, struct lb_error *err)
{
	struct lb_stats *stats;
	int ret;

	if (!lb->is_loaded)
		return lb_fail(err, -ENOTCONN, "nothing is attached: 'lbctl attach IF' first");
	stats = calloc(1, sizeof(*stats));
	if (!stats)
		return lb_fail(err, -ENOMEM, "out of memory");
	ret = fill_stats(lb, stats);
	if (ret) {
		lb_stats_free(stats);
		return lb_fail(err, ret, "cannot read the counters: %s", strerror(-ret));
	}
	*out = stats;
	return 0;
}

void lb_stats_free(struct lb_stats *stats)
{
	if (!stats)
		return;
	for (unsigned int i = 0; i < stats->service_count; i++)
		free(stats->services[i].backends);
	free(stats->services);
	free(stats);
}
