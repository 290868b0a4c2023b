/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one list of what can become of a packet. The datapath, the command line, JSON and the docs
 * all take their words from here. A stage of the datapath answers 0 to go on or -LB_R_<reason> to
 * stop.
 */
#ifndef LB_REASON_H
#define LB_REASON_H

#include "lb_assert.h"

/* What a reason counts as: received = sent + passed + dropped. */
enum lb_verdict {
	LB_SENT,
	LB_PASSED,
	LB_DROPPED,
};

/* clang-format off */
#define LB_REASONS(X)                                                                              \
	/* id, name, verdict, what happened and what cures it */                                   \
	X(FORWARDED, forwarded, LB_SENT, "sent to a backend")                                      \
	X(REPLIED, replied, LB_SENT, "a backend's reply, sent to the client")                      \
	X(ARP_REPLY, arp_reply, LB_SENT, "ARP or neighbour solicitation for a service's address, answered") \
	X(ECHO_REPLY, echo_reply, LB_SENT, "echo request for a service's address, answered") \
	X(MTU_TOLD, mtu_told, LB_SENT, "larger than the way out carries; its sender was told (frag needed, packet too big)") \
	X(TTL_TOLD, ttl_told, LB_SENT, "TTL or hop limit ran out here; its sender was told (time exceeded)") \
	X(REJECTED, rejected, LB_SENT, "all backends of the service are down, and it is to reject; the client was told (port unreachable)") \
	X(ICMP_FORWARDED, icmp_forwarded, LB_SENT, "ICMP error, sent to the backend whose flow it speaks of") \
	X(ICMP_REPLIED, icmp_replied, LB_SENT, "ICMP error about what was sent to a backend, sent to the client") \
	X(FRAGMENT_FORWARDED, fragment_forwarded, LB_SENT, "later fragment, sent to where its first one goes") \
	X(FRAGMENT_REPLIED, fragment_replied, LB_SENT, "later fragment of a reply, sent to the client") \
	X(LOCAL, local, LB_PASSED, "to a process of this host")                                    \
	X(CACHED, cached, LB_PASSED, "to lbcache, which answers from memory or asks a backend")    \
	X(NOT_IP, not_ip, LB_PASSED, "neither IPv4 nor IPv6")                                      \
	X(MALFORMED, malformed, LB_PASSED, "cut short or inconsistent headers; the kernel decides") \
	X(OTHER_PROTOCOL, other_protocol, LB_PASSED, "neither TCP nor UDP, nor an ICMP error about a balanced flow")                        \
	X(FRAGMENT, fragment, LB_PASSED, "later fragment of a packet whose first one was not balanced here, or comes after it")                       \
	X(NOT_OURS, not_ours, LB_PASSED, "no service has this address and port")                   \
	X(HOST_REPLY, host_reply, LB_PASSED, "from a backend, but of no balanced flow: the host's own") \
	X(LEFT_TO_KERNEL, left_to_kernel, LB_PASSED, "rewritten, and left to the kernel to resolve the next hop's link address or to fragment it") \
	X(UNWRAPPED, unwrapped, LB_PASSED, "a tunnel's packet, unwrapped for the stack")          \
	X(TUNNEL_SOURCE, tunnel_source, LB_DROPPED, "a tunnel's packet from an address that 'lbctl attach IF role backend from' does not name") \
	X(TUNNEL_INNER, tunnel_inner, LB_DROPPED, "a tunnel's packet without a whole IPv4 or IPv6 packet inside, or with unknown options") \
	X(TUNNEL_ECN, tunnel_ecn, LB_DROPPED, "a tunnel's packet that met congestion, around one that cannot say so (RFC 6040, 4.2)") \
	X(MAPPED_V6, mapped_v6, LB_DROPPED, "IPv6 packet with an IPv4-mapped address (RFC 4942, 2.2)") \
	X(NO_BACKEND, no_backend, LB_DROPPED, "the service has no backend with weight: 'lbctl backend list'") \
	X(NO_LISTENER, no_listener, LB_DROPPED, "no process listens at the local backend's address (before Linux 6.6 none with SO_REUSEPORT counts): 'ss -ltun'") \
	X(ARP_HIDDEN, arp_hidden, LB_DROPPED, "ARP for a local service's address, not answered: 'lbctl attach IF arp on' if clients are on this link") \
	X(NO_FLOW, no_flow, LB_DROPPED, "mid-stream packet of a flow that full NAT does not know (expired or never seen)") \
	X(BACKEND_GONE, backend_gone, LB_DROPPED, "the flow's backend was removed")                \
	X(FLOWS_FULL, flows_full, LB_DROPPED, "no room for a new flow: 'limits: flows' in the configuration") \
	X(PORTS_FULL, ports_full, LB_DROPPED, "full NAT's source ports to this backend are used up: 'lbctl service set NAME source ADDR,ADDR'") \
	X(NO_SOURCE, no_source, LB_DROPPED, "full NAT has no source address towards this backend: 'lbctl service set NAME source ADDR'") \
	X(TTL_EXCEEDED, ttl_exceeded, LB_DROPPED, "TTL or hop limit ran out here, and its sender may not be told")                 \
	X(NO_NEIGHBOUR, no_neighbour, LB_DROPPED, "the next hop's link address is not known (yet): 'ip neigh'") \
	X(NOT_ATTACHED, not_attached, LB_DROPPED, "the route leaves by an interface without lbctl: 'lbctl attach IF'") \
	X(FORWARDING_OFF, forwarding_off, LB_DROPPED, "forwarding is off where it came in: 'sysctl net.ipv4.conf.IF.forwarding=1' (or ipv6)") \
	X(NO_ROUTE, no_route, LB_DROPPED, "no route, a blackhole route, or this host itself: 'ip route get'")        \
	X(MTU_EXCEEDED, mtu_exceeded, LB_DROPPED, "larger than the way out carries, and its sender may not be told: lower the sender's MTU") \
	X(ICMP_LIMITED, icmp_limited, LB_DROPPED, "too large or out of hops, and its sender not told: so many are told a second") \
	X(FRAGMENT_TINY, fragment_tiny, LB_DROPPED, "first fragment without a whole transport header (RFC 1858)") \
	X(FRAGMENT_OVERLAP, fragment_overlap, LB_DROPPED, "fragment that overlaps its first one (RFC 3128, RFC 5722)") \
	X(NO_HEADROOM, no_headroom, LB_DROPPED, "the driver or the dispatcher leaves no room before the packet for an outer header: 'lbctl status', or another mode") \
	X(INTERNAL, internal, LB_DROPPED, "a map entry was missing: report it")
/* clang-format on */

enum lb_reason {
	LB_R_NONE,
#define LB_REASON_ID(id, name, verdict, text) LB_R_##id,
	LB_REASONS(LB_REASON_ID)
#undef LB_REASON_ID
		LB_R_COUNT
};

/* Counters have room for a power of two of reasons, so that a mask bounds the index. */
#define LB_R_SLOTS 64
LB_ASSERT(LB_R_COUNT <= LB_R_SLOTS, "more reasons than counters");

#endif
