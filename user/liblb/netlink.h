/* SPDX-License-Identifier: GPL-2.0-only */
/* One request to the kernel's rtnetlink and its answers; addresses as attributes. Inside liblb
 * only.
 */
#ifndef LB_NETLINK_H
#define LB_NETLINK_H

#include <libmnl/libmnl.h>

#include "internal.h"

/* Opens the socket at the first call. parse may be NULL; a request without answer needs NLM_F_ACK.
 */
int lb_netlink_talk(struct lb *lb, struct nlmsghdr *message, mnl_cb_t parse, void *data);

/* AF_INET or AF_INET6, and the bytes that stand in an attribute. */
int lb_netlink_family(const union lb_addr *addr);
size_t lb_netlink_length(const union lb_addr *addr);
const void *lb_netlink_data(const union lb_addr *addr);
void lb_netlink_read_addr(const struct nlattr *attr, union lb_addr *out);

#endif
