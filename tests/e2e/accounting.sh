#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Every packet ends in one reason: received = sent + passed + dropped after traffic of all kinds.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

mixed_traffic() {
	local conns

	conns=$(test_tool conns)
	from client 30 "$conns" -n 500 "$VIP4" 80 >/dev/null
	from client 30 "$conns" -n 500 "$VIP6" 80 >/dev/null
	from client 30 "$PYTHON" "$TESTS/servers/udp_client.py" "$VIP4" 53 20 5 >/dev/null
	from client 10 curl -sS -o /dev/null "http://$VIP4/blob"
	in_ns client ping -q -c 3 -i 0.1 192.0.2.11 >/dev/null
	in_ns client ping -q -c 3 -i 0.1 -s 3000 2001:db8:2::12 >/dev/null
	# Nobody listens, no backend has weight, and the hop limit ends here.
	! in_ns client curl -s --connect-timeout 1 "http://192.0.2.11:9/" >/dev/null || return 1
	! in_ns client curl -s --connect-timeout 1 "http://$VIP4:82/" >/dev/null || return 1
	in_ns client "$PYTHON" - "$VIP4" <<'PY'
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    sock.sendto(b"short-lived", (sys.argv[1], 53))
PY
}

# All of one reading, since packets of the kernel's own go on.
is_accounted() {
	local received sent passed dropped

	read -r received sent passed dropped < <(lb -j stats | "$PYTHON" -c '
import json, sys
stats = json.load(sys.stdin)
print(*(stats[name] for name in ("received", "sent", "passed", "dropped")))')
	echo "received $received, sent $sent, passed $passed, dropped $dropped"
	[ "$received" = $((sent + passed + dropped)) ] && [ "$sent" -gt 5000 ] &&
		[ "$passed" -gt 6 ] && [ "$dropped" -gt 0 ]
}

# A reason that one service has is shown with its name, and a rate.
names_service() {
	lb stats drops | grep -E "^REASON +PACKETS +RATE +LAST +VERDICT +SERVICE +HINT$"
	lb stats drops | grep -E "^$1 +[0-9,]+ +[0-9,]+/s +[0-9]+\.[0-9]s ago +dropped +$2 "
}

has_reason() {
	lb -s stats drops | grep -E "^ *$1 +[1-9]"
}

# One word each of `lbctl -j stats` for a service: the sum over its backends is the service's.
services_add_up() {
	lb -j stats backends | "$PYTHON" -c '
import json, sys
rows = json.load(sys.stdin)
web = [row for row in rows if row["service"] == "web"]
assert len(web) == 3, "three backends: %r" % web
connections = sum(row["connections"] for row in web)
assert connections == 501, "501 connections to web, counted %d" % connections
'
}

main() {
	BLOB_MB=10
	start_scenario
	make_blob
	start_all_nginx
	start_all_echoes
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	add_web web6 6 nat 80 1 1 1
	lb service add empty tcp "$VIP4:82"
	lb service add dns udp "$VIP4:53"
	lb backend add dns "$(backend_of 4 s1 5300)"
	warm_up
	check "mixed traffic" mixed_traffic
	check "received = sent + passed + dropped" is_accounted
	check "reason no_backend" has_reason no_backend
	check "reason no_backend names its service" names_service no_backend empty
	check "reason ttl_told" has_reason ttl_told
	check "the backends' connections add up" services_add_up
}

main
