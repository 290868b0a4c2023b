#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What fails around lbctl for a while — a route, a file, an interface — and how it is right again.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

serves() {
	connect_many 4 80 200
	next_ports 200
	[ "$(awk '$1 == "reply"' "$WORK/conns" | wc -l)" = 3 ]
}

# Everything else is in force all the same, and a command after the route is back is enough.
attach_without_a_route() {
	lb -q detach all
	ip -n "${PREFIX}lb" route del 192.0.2.0/24 dev eth1
	lb attach eth0 mode native >"$WORK/out" 2>&1 || {
		cat "$WORK/out"
		return 1
	}
	grep "backend 192.0.2.11: no route to it now" "$WORK/out"
	lb -q attach eth1 mode native
	ip -n "${PREFIX}lb" route add 192.0.2.0/24 dev eth1 src 192.0.2.1
	lb service set web timeout-udp 77
	warm_up
	serves
}

# A command that could not write the document has begun nothing.
write_that_fails() {
	local status=0

	mkdir "$STATE.new"
	lb service set web timeout-udp 78 2>"$WORK/err" || status=$?
	rmdir "$STATE.new"
	cat "$WORK/err"
	[ "$status" = 1 ]
	grep "cannot be written" "$WORK/err"
	lb service set web timeout-udp 79 >"$WORK/out" 2>&1
	if grep "cut off" "$WORK/out"; then
		return 1
	fi
}

interface_removed() {
	local index

	ip -n "${PREFIX}lb" link add d0 type veth peer name d1
	ip -n "${PREFIX}lb" link set d1 up
	ip -n "${PREFIX}lb" link set d0 up
	lb -q attach d0 mode native
	index=$(ip -n "${PREFIX}lb" -o link show d0 | cut -d: -f1)
	ip -n "${PREFIX}lb" link del d0
	lb status
	lb status | grep "^if$index .*native .*GONE: 'lbctl detach if$index'" >/dev/null
	lb -j status | grep '"gone": true' >/dev/null
	lb status check >"$WORK/check" || [ $? = 2 ]
	grep "if$index was removed" "$WORK/check"
	lb detach "if$index"
	lb -j status >"$WORK/status"
	[ "$(grep -c '"gone": false' "$WORK/status")" = 2 ]
	if grep '"gone": true' "$WORK/status"; then
		return 1
	fi
	serves
}

main() {
	start_scenario
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	STATE=$(find /run/lbctl -path "*${PREFIX}lb*" -name state.yaml | head -n 1)
	warm_up
	check "a document that cannot be written" write_that_fails
	check "an attached interface is removed" interface_removed
	check "attached without a route to a backend" attach_without_a_route
}

main
