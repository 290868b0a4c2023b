#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbd while its host is in trouble: the clock is set, the interface towards the backends is lost and
# made anew. Clients' connections go on, and afterwards all is as before.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
CLOCK=$WORK/clock/now # what libfaketime adds to the clock of lbd alone

end_trouble() {
	local status=$?

	kill "$LBD_PID" 2>/dev/null || true
	end_scenario "$status"
}

field() {
	lb -q -j health list web | "$PYTHON" -c '
import json, sys
print([row[sys.argv[1]] for row in json.load(sys.stdin) if "192.0.2.12" in row["backend"]][0])' "$1"
}

is_health() {
	[ "$(field health)" = "$1" ]
}

becomes() {
	wait_for 10 is_health "$1" || {
		lb -q health
		echo "s2 is $(field health), not $1"
		return 1
	}
}

changes() {
	lb -j health log web | grep -c '"event": "health"'
}

# event EXPRESSION: of e, the last change of health; now is the machine's clock.
last_change() {
	lb -j health log web | "$PYTHON" -c '
import json, sys, time
events = json.load(sys.stdin)
numbers = [e["number"] for e in events]
e = [e for e in events if e["event"] == "health"][-1]
now = time.time() * 1000
print(e["time_ms"] - now, "ms from now")
sys.exit(numbers != sorted(numbers) or not eval(sys.argv[1]))' "$1"
}

# ---- the clock -----------------------------------------------------------------------------------

set_clock() {
	echo "$1" >"$CLOCK.new"
	mv "$CLOCK.new" "$CLOCK"
	sleep 1.1 # longer than two checks of one backend
}

# Nobody's health changes for it; events keep their order and have the clock's time; how long it is
# since a change is right all the same.
clock_jumps() {
	local before

	before=$(changes)
	set_clock +1d
	set_clock -1d
	set_clock +1d
	[ "$(changes)" = "$before" ] || {
		lb health log web
		echo "somebody's health changed"
		return 1
	}
	stop_label nginx-s2
	becomes down
	last_change 'e["health"] == "down" and abs(e["time_ms"] - now - 86400000) < 60000'
	[ "$(field since_ms)" -lt 60000 ]
	set_clock -1d
	start_nginx s2
	becomes up
	last_change 'e["health"] == "up" and abs(e["time_ms"] - now + 86400000) < 60000'
	[ "$(field since_ms)" -lt 60000 ]
	set_clock +0
}

# ---- the interface -------------------------------------------------------------------------------

is_told() {
	lb health log | grep "interface .*eth1 .*$1" >/dev/null
}

make_eth1() {
	ip -n "${PREFIX}lb" link add eth1 type veth peer name lb netns "${PREFIX}sw"
	in_ns lb ethtool -K eth1 tx off >/dev/null
	in_ns sw ethtool -K lb tx off gro on >/dev/null
	ip -n "${PREFIX}sw" link set dev lb xdpdrv obj "$(pass_program)" sec xdp.frags
	ip -n "${PREFIX}sw" link set lb master br0 up
	ip -n "${PREFIX}lb" link set eth1 up
	ip -n "${PREFIX}lb" addr add 192.0.2.1/24 dev eth1
}

all_down() {
	! lb -q -j health list web | grep -q '"health": "up"'
}

# With a command under way all the time: clients connect, lbd checks. The balancer has no way to any
# backend, says so, and takes the new interface for the old one's.
interface_lost() {
	start_load 4 80 100
	sleep 0.5
	ip -n "${PREFIX}lb" link del eth1
	wait_for 5 is_told "lost: it was removed"
	wait_for 10 all_down
	make_eth1
	lb -q attach eth1 mode native
	wait_for 5 is_told "attached in native mode"
	becomes up
	kill -TERM "$(<"$WORK/load.80.pid")"
	wait_for 10 eval "lb -q -j health list web | grep -c '\"health\": \"up\"' | grep -qx 3"
	connect_many 4 80 200
	next_ports 200
	[ "$(awk '$1 == "reply"' "$WORK/conns" | wc -l)" = 3 ]
	[ "$(lb -q -j status | grep -c '"lost": true')" = 0 ]
	lb -q -j status | "$PYTHON" -c '
import json, sys
names = sorted(i["ifname"] for i in json.load(sys.stdin)["interfaces"])
print(names)
sys.exit(names != ["eth0", "eth1"])'
}

make_eth0() {
	ip -n "${PREFIX}lb" link add eth0 type veth peer name eth0 netns "${PREFIX}client"
	in_ns lb ethtool -K eth0 tx off >/dev/null
	in_ns client ethtool -K eth0 tx off gro on >/dev/null
	ip -n "${PREFIX}client" link set dev eth0 xdpdrv obj "$(pass_program)" sec xdp.frags
	ip -n "${PREFIX}client" link set eth0 up
	ip -n "${PREFIX}client" addr add 198.51.100.2/24 dev eth0
	ip -n "${PREFIX}client" addr add 198.51.100.11/24 dev eth0
	ip -n "${PREFIX}client" route add default via 198.51.100.1
	ip -n "${PREFIX}lb" link set eth0 up
	ip -n "${PREFIX}lb" addr add 198.51.100.1/24 dev eth0
}

# The clients' side: no backend is worse for it, and clients are served as soon as it is there again.
clients_interface_lost() {
	local before

	before=$(changes)
	ip -n "${PREFIX}lb" link del eth0
	wait_for 5 eval "lb health log | grep 'interface .*eth0 .*lost: it was removed' >/dev/null"
	sleep 1.5 # of checks
	[ "$(changes)" = "$before" ] || {
		lb health log web
		echo "somebody's health changed"
		return 1
	}
	make_eth0
	lb -q attach eth0 mode native
	wait_for 5 eval "lb health log | grep 'interface .*eth0 .*attached in native mode' >/dev/null"
	in_ns client curl -sf -m 5 --retry 3 --interface 198.51.100.11 "http://$VIP4/" | grep '^s[123]$'
	[ "$(lb -q -j status | grep -c '"lost": true')" = 0 ]
}

main() {
	local library=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1

	LBD_PID=
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_trouble EXIT
	chmod 755 "$WORK"
	mkdir "$WORK/clock"
	echo +0 >"$CLOCK"
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	lb -q health set web http get / every 500ms timeout 450ms fall 2 rise 2 passive on
	warm_up
	LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$CLOCK FAKETIME_NO_CACHE=1 \
		FAKETIME_DONT_FAKE_MONOTONIC=1 "$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 eval "lb health log | grep -q 'to be checked'"
	becomes up
	if [ -e "$library" ]; then
		check "the clock jumps" clock_jumps
	else
		skip "the clock jumps" "no libfaketime; install it with 'scripts/setup test'"
	fi
	check "an interface is lost and made anew" interface_lost
	check "the clients' interface is lost and made anew" clients_interface_lost
}

main
