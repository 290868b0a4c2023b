/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one list of what a health check can find out. lbd, the command line, JSON and the docs all
 * take their words from here.
 */
#ifndef LB_CHECK_H
#define LB_CHECK_H

/* What a result says of the backend. */
enum lb_check_verdict {
	LB_CHECK_UNKNOWN, /* nothing: the fault is this host's, or there is no result yet */
	LB_CHECK_GOOD,
	LB_CHECK_BAD,
};

/* clang-format off */
#define LB_CHECK_REASONS(X)                                                                        \
	/* id, name, verdict, what happened */                                                     \
	X(NONE, unchecked, LB_CHECK_UNKNOWN, "not checked yet")                                    \
	X(OK, ok, LB_CHECK_GOOD, "answered as expected")                                           \
	X(CONNECT_TIMEOUT, connect_timeout, LB_CHECK_BAD, "no answer to the connection attempt within the timeout") \
	X(REFUSED, refused, LB_CHECK_BAD, "refused: nothing listens on the port")                  \
	X(UNREACHABLE, unreachable, LB_CHECK_BAD, "unreachable: no route, no neighbour, or the interface is down") \
	X(ANSWER_TIMEOUT, answer_timeout, LB_CHECK_BAD, "no complete answer within the timeout")   \
	X(RESET, reset, LB_CHECK_BAD, "the connection was reset")                                  \
	X(CLOSED, closed, LB_CHECK_BAD, "closed before the answer was complete")                   \
	X(STATUS, status, LB_CHECK_BAD, "HTTP status outside the expected range")                  \
	X(BODY, body, LB_CHECK_BAD, "the expected text is not in the body")                        \
	X(MISMATCH, mismatch, LB_CHECK_BAD, "the answer is not the expected one")                  \
	X(MALFORMED, malformed, LB_CHECK_BAD, "the answer is not of the protocol")                 \
	X(TLS_TIMEOUT, tls_timeout, LB_CHECK_BAD, "TLS handshake not complete within the timeout") \
	X(TLS_HANDSHAKE, tls_handshake, LB_CHECK_BAD, "TLS handshake failed")                      \
	X(TLS_EXPIRED, tls_expired, LB_CHECK_BAD, "the certificate has expired, or is not valid yet") \
	X(TLS_NAME, tls_name, LB_CHECK_BAD, "the certificate is for another name")                 \
	X(TLS_UNTRUSTED, tls_untrusted, LB_CHECK_BAD, "the certificate is signed by nobody who is trusted") \
	X(DNS_CODE, dns_code, LB_CHECK_BAD, "DNS answered with an error code")                     \
	X(DNS_EMPTY, dns_empty, LB_CHECK_BAD, "DNS knows no address of the name")                  \
	X(EXIT, exit, LB_CHECK_BAD, "the command ended with this status")                          \
	X(SIGNAL, signal, LB_CHECK_BAD, "the command was ended by this signal")                    \
	X(COMMAND_TIMEOUT, command_timeout, LB_CHECK_BAD, "the command did not end within the timeout") \
	X(LOCAL, local, LB_CHECK_UNKNOWN, "this host could not check (error number)") \
	X(LIVE_REFUSED, live_refused, LB_CHECK_BAD, "so many live connections in a row failed: reset in answer to the SYN") \
	X(LIVE_UNREACHABLE, live_unreachable, LB_CHECK_BAD, "so many live connections in a row failed: ICMP said unreachable") \
	X(LIVE_UNANSWERED, live_unanswered, LB_CHECK_BAD, "so many live connections in a row got no answer") \
	X(LIVE_TRIAL, live_trial, LB_CHECK_UNKNOWN, "gets a tenth of its weight, to see whether connections are answered again") \
	X(LIVE_ANSWERED, live_answered, LB_CHECK_GOOD, "live connections are answered")            \
	X(DIRECT, direct, LB_CHECK_GOOD, "answered as expected, but asked directly: why not through the datapath is in 'lbctl health log'") \
	X(VIA_NAT, via_nat, LB_CHECK_BAD, "answers directly, but its replies do not return through this host: is its route to the clients this balancer?") \
	X(VIA_DSR, via_dsr, LB_CHECK_BAD, "answers directly, but not at the service's address: is that on its loopback, and does the server listen there?") \
	X(VIA_TUNNEL, via_tunnel, LB_CHECK_BAD, "answers directly, but not what comes by the tunnel: does it decapsulate, and is the service's address on its loopback?") \
	X(VIA_FULLNAT, via_fullnat, LB_CHECK_BAD, "answers directly, but not through the datapath: do its answers come in where lbctl is attached?") \
	X(VIA_UNSENT, via_unsent, LB_CHECK_BAD, "answers directly, but the datapath does not send to it, for the reason that is named") \
	X(FETCH_UNCONNECTED, fetch_unconnected, LB_CHECK_BAD, "so many of lbcache's requests in a row failed: no connection") \
	X(FETCH_LATE, fetch_late, LB_CHECK_BAD, "so many of lbcache's requests in a row failed: too late") \
	X(FETCH_CUT, fetch_cut, LB_CHECK_BAD, "so many of lbcache's requests in a row failed: closed before the answer was complete") \
	X(FETCH_MALFORMED, fetch_malformed, LB_CHECK_BAD, "so many of lbcache's requests in a row failed: the answer is not of the protocol") \
	X(FETCH_UNANSWERED, fetch_unanswered, LB_CHECK_BAD, "so many of lbcache's requests in a row got no answer")
/* clang-format on */

enum lb_check_reason {
#define LB_CHECK_REASON_ID(id, name, verdict, text) LB_C_##id,
	LB_CHECK_REASONS(LB_CHECK_REASON_ID)
#undef LB_CHECK_REASON_ID
		LB_C_COUNT
};

#endif
