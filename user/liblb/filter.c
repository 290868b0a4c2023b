// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts local.bpf.c at the clsact ingress of an interface and takes it off. clsact and not tcx,
 * which kernel 6.1 does not have. Filters of others stay, and with them the qdisc.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "attach.h"
#include "local.h"
#include "netlink.h"

#define FILTER_HANDLE 1
#define FILTER_PRIORITY 50

/* By macro: libbpf wants padding bytes to be zero, which a copied struct's need not be. */
#define HOOK(name, index)                                                                          \
	LIBBPF_OPTS(bpf_tc_hook, name, .ifindex = (int)(index), .attach_point = BPF_TC_INGRESS)
#define OPTIONS(name)                                                                              \
	LIBBPF_OPTS(bpf_tc_opts, name, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY)

bool lb_filter_is_attached(struct lb *lb, __u32 ifindex)
{
	HOOK(hook, ifindex);
	OPTIONS(options);

	return !bpf_tc_query(&hook, &options) && lb_xdp_is_ours(lb, options.prog_id);
}

int lb_filter_attach(struct lb *lb, __u32 ifindex, struct lb_error *err)
{
	HOOK(hook, ifindex);
	OPTIONS(options);
	char ifname[IF_NAMESIZE] = "?", words[LB_TEXT_SIZE];
	int ret;

	if (lb_filter_is_attached(lb, ifindex))
		return 0;
	ret = lb_program_load_local(lb, &options.prog_fd, err);
	if (ret)
		return ret;
	lb_program_capture(words, sizeof(words));
	ret = bpf_tc_hook_create(&hook);
	if (ret == -EEXIST) {
		ret = 0;
		words[0] = '\0';
	}
	if (!ret)
		ret = bpf_tc_attach(&hook, &options);
	lb_program_capture(NULL, 0);
	close(options.prog_fd);
	if (ret)
		return lb_fail(
			err, ret,
			"interface %s refuses the filter for local backends (clsact ingress, "
			"priority %d): %s",
			if_indextoname(ifindex, ifname) ?: "?", FILTER_PRIORITY,
			words[0] ? words : strerror(-ret));
	return 0;
}

static int count_filter(const struct nlmsghdr *message, void *data)
{
	(void)message;
	++*(unsigned int *)data;
	return MNL_CB_OK;
}

static unsigned int count_filters(struct lb *lb, __u32 ifindex)
{
	static const __u32 minors[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	unsigned int count = 0;
	char buffer[256];

	for (int i = 0; i < 2; i++) {
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		struct tcmsg *head;

		message->nlmsg_type = RTM_GETTFILTER;
		message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
		head->tcm_ifindex = (int)ifindex;
		head->tcm_parent = TC_H_MAKE(TC_H_CLSACT, minors[i]);
		if (lb_netlink_talk(lb, message, count_filter, &count))
			count++; /* not known: leave it */
	}
	return count;
}

int lb_filter_detach(struct lb *lb, __u32 ifindex)
{
	HOOK(hook, ifindex);
	OPTIONS(options);
	int ret;

	if (!lb_filter_is_attached(lb, ifindex))
		return 0;
	ret = bpf_tc_detach(&hook, &options);
	if (!ret && !count_filters(lb, ifindex)) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		ret = bpf_tc_hook_destroy(&hook);
	}
	return ret;
}
