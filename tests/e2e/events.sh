#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What 'lbctl -j monitor' tells beside health: tables swapped, drains finished, limits reached, what
# falls short, interfaces lost and back. Each is made to happen to real connections, and told once.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
EVENTS=$WORK/events

end_events() {
	local status=$?

	kill "$MONITOR_PID" "$LBD_PID" 2>/dev/null || true
	end_scenario "$status"
}

# count EXPRESSION: how many events there are of which it is true; e is one, text() its text or "".
count() {
	"$PYTHON" -c '
import json, sys
events = []
for line in open(sys.argv[1]):
    if line.endswith("\n"):
        events.append(json.loads(line))
print(sum(1 for e in events if eval(sys.argv[2], {"e": e, "text": e["text"] or ""})))' "$EVENTS" "$1"
}

is_told() {
	[ "$(count "$1")" -ge 1 ]
}

# told SECONDS EXPRESSION: such an event comes within so many seconds.
told() {
	wait_for "$1" is_told "$2" || {
		tail -n 20 "$EVENTS"
		echo "no event of which: $2"
		return 1
	}
}

# told_once EXPRESSION
told_once() {
	[ "$(count "$1")" = 1 ] || {
		grep -c . "$EVENTS"
		echo "$(count "$1") events of which: $1"
		return 1
	}
}

forget() {
	: >"$EVENTS"
}

slots_of() {
	lb -j backend list web | "$PYTHON" -c '
import json, sys
print([row["slots"] for row in json.load(sys.stdin) if row["backend"] == sys.argv[1]][0])' "$1"
}

# ---- tables and drains ---------------------------------------------------------------------------

# A new backend gets slots, and no others move: so many were moved.
table_swapped() {
	forget
	lb backend add web 192.0.2.11:5299
	told 5 'e["event"] == "table" and e["service"] == "web" and "command" in text'
	is_told "e['event'] == 'table' and e['moved'] == $(slots_of 192.0.2.11:5299)"
	told_once 'e["event"] == "table"'
	# By health, and then it is known how long it took.
	lb -q health set web http get / every 300ms timeout 250ms fall 2 rise 2
	told 10 'e["event"] == "table" and "health" in text and e["took_us"] > 0 and e["moved"] > 0'
	lb backend del web 192.0.2.11:5299
}

# limit NAME: of backends there can be four, three there are.
backends_full() {
	forget
	lb backend add web 192.0.2.11:5299
	told 5 'e["event"] == "limit" and e["object"] == "backends" and "4 of 4 " in text'
	sleep 2
	told_once 'e["event"] == "limit" and e["object"] == "backends"'
	lb backend del web 192.0.2.11:5299
	told 5 'e["event"] == "limit" and e["object"] == "backends" and "no longer" in text'
}

# One connection that stays open until a file goes; the server that has it is drained.
hold_connection() {
	in_ns client timeout 60 "$PYTHON" -c '
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], 80), source_address=("198.51.100.11", 0))
s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
name = s.recv(4096).split()[-1].decode()
open(sys.argv[2] + ".new", "w").write(name)
os.rename(sys.argv[2] + ".new", sys.argv[2])
while os.path.exists(sys.argv[2]):
    time.sleep(0.05)
s.close()' "$VIP4" "$WORK/held" &
	wait_for 10 test -s "$WORK/held"
}

drain_finished() {
	local name backend

	hold_connection
	name=$(<"$WORK/held")
	backend=$(backend_of 4 "$name" "$(server_port "$name")")
	forget
	lb backend drain web "$backend"
	sleep 2.5
	if is_told 'e["event"] == "drained"'; then
		echo "told while a connection is open"
		return 1
	fi
	rm "$WORK/held"
	told 10 "e['event'] == 'drained' and e['service'] == 'web' and e['backend'] == '$backend'"
	sleep 1
	told_once 'e["event"] == "drained"'
	lb backend ready web "$backend"
}

# In nat nothing is recorded: it is over when no packet came for as long as an idle connection may live.
# The ticks last longer than two walks of the flow table, after each of which lbd looks.
quiet_drain_finished() {
	local ticks name backend

	lb backend del web "$(backend_of 4 s3 "$(server_port s3)")"
	lb service add quick tcp "$VIP4:81" mode nat timeout-established 2
	for name in s1 s2; do
		lb backend add quick "$(backend_of 4 "$name" "$EXTRA_PORT")"
	done
	: >"$WORK/ticks"
	in_ns client timeout 20 "$PYTHON" -c '
import socket, sys, time
s = socket.create_connection((sys.argv[1], 81))
for tick in range(24):
    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    name = s.recv(4096).split()[-1].decode()
    print(name, flush=True)
    time.sleep(0.5)' "$VIP4" >"$WORK/ticks" &
	ticks=$!
	wait_for 5 test -s "$WORK/ticks"
	name=$(head -n 1 "$WORK/ticks")
	backend=$(backend_of 4 "$name" "$EXTRA_PORT")
	forget
	lb backend drain quick "$backend"
	wait "$ticks"
	[ "$(wc -l <"$WORK/ticks")" = 24 ]
	[ "$(sort -u "$WORK/ticks")" = "$name" ]
	if is_told 'e["event"] == "drained"'; then
		echo "told while packets of a connection come"
		return 1
	fi
	told 30 "e['event'] == 'drained' and e['backend'] == '$backend' and 'no packet for 2 s' in text"
	is_told 'e["event"] == "drained" and e["service"] == "quick"'
	sleep 1
	told_once 'e["event"] == "drained"'
	lb service del quick
	told 5 'e["event"] == "limit" and e["object"] == "backends" and "no longer" in text'
	lb backend add web "$(backend_of 4 s3 "$(server_port s3)")"
}

all_backends_down() {
	local name

	forget
	for name in "${SERVERS[@]}"; do
		stop_label "nginx-$name"
	done
	told 10 'e["event"] == "all_down" and e["service"] == "web" and "goes on" in text'
	start_all_nginx
	told 10 'e["event"] == "all_down" and "over" in text'
	told_once 'e["event"] == "all_down" and "goes on" in text'
}

# ---- limits of the datapath ----------------------------------------------------------------------

# hold COUNT ADDRESS: so many connections from it stay open, as far as they get through.
hold() {
	touch "$WORK/many"
	in_ns client timeout 60 "$PYTHON" -c '
import os, resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
sockets = []
for number in range(int(sys.argv[2])):
    s = socket.socket()
    s.setblocking(False)
    s.bind((sys.argv[4], 20000 + number))
    s.connect_ex((sys.argv[1], 80))
    sockets.append(s)
while os.path.exists(sys.argv[3]):
    time.sleep(0.05)' "$VIP4" "$1" "$WORK/many" "$2" &
}

# A command has lbd look at once.
let_go() {
	rm "$WORK/many"
	sleep 1.5
	lb service set web timeout-syn "$1"
}

flows_full() {
	forget
	hold 4000 198.51.100.12
	told 10 'e["event"] == "limit" and e["object"] == "flows_full"'
	told 10 'e["event"] == "limit" and e["object"] == "flows" and "more with" in text'
	# That checks find no flow says nothing of the backends.
	told 10 'e["reason"] == "local" and e["health"] == "up"'
	[ "$(count 'e["event"] == "health" and e["health"] == "down"')" = 0 ]
	let_go 2
	told 10 'e["event"] == "limit" and e["object"] == "flows" and "no longer" in text'
	told_once 'e["event"] == "limit" and e["object"] == "flows_full" and "stats drops" in text'
	told_once 'e["event"] == "limit" and e["object"] == "flows" and "more with" in text'
}

# Few ports are left beside the host's own.
ports_full() {
	forget
	in_ns lb sysctl -qw net.ipv4.ip_local_port_range="1064 65500"
	lb service set web timeout-syn 3
	hold 400 198.51.100.13
	told 10 'e["event"] == "limit" and e["object"] == "ports_full"'
	told 10 'e["event"] == "limit" and e["object"] == "ports" and e["backend"] and "ADDR" in text'
	let_go 2
	told 10 'e["event"] == "limit" and e["object"] == "ports" and "no longer" in text'
	in_ns lb sysctl -qw net.ipv4.ip_local_port_range="32768 60999"
	lb service set web timeout-syn 10
}

# More packets whose hops run out than are told of in a second.
icmp_limited() {
	lb service add dns udp "$VIP4:53" mode nat
	lb backend add dns 192.0.2.11:53
	forget
	in_ns client "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
for packet in range(5000):
    try:
        s.sendto(b"x", (sys.argv[1], 53))
    except OSError:
        pass' "$VIP4"
	told 5 'e["event"] == "limit" and e["object"] == "icmp_limited" and "stats drops" in text'
	told 15 'e["event"] == "limit" and e["object"] == "icmp_limited" and "none in the last" in text'
	told_once 'e["event"] == "limit" and e["object"] == "icmp_limited" and "stats drops" in text'
	lb service del dns
}

# ---- interfaces and what falls short -------------------------------------------------------------

make_third() {
	ip -n "${PREFIX}lb" link add eth2 type veth peer name peer2
	ip -n "${PREFIX}lb" link set peer2 up
	ip -n "${PREFIX}lb" link set eth2 up
}

interface() {
	told 5 "e['event'] == 'interface' and e['object'] == 'eth2' and '$1' in text"
}

in_generic_mode() {
	forget
	make_third
	lb -q attach eth2 mode generic
	interface "attached in generic mode"
	told 5 'e["event"] == "fallback" and e["object"] == "eth2" and "generic" in text'
}

interface_lost() {
	forget
	ip -n "${PREFIX}lb" link set peer2 down
	interface "no carrier"
	ip -n "${PREFIX}lb" link set peer2 up
	interface "back"
	forget
	ip -n "${PREFIX}lb" link set dev eth2 xdpgeneric off
	interface "program was taken off"
	lb -q attach eth2 mode generic
	interface "back"
	forget
	ip -n "${PREFIX}lb" link del eth2
	interface "removed"
	make_third
	lb -q attach eth2
	interface "attached in native mode"
	lb -q detach eth2
	interface "detached"
	[ "$(lb -q -j status | grep -c '"lost": true')" = 0 ] || {
		lb status
		echo "the one that was removed is still there"
		return 1
	}
}

lbcache_gone() {
	forget
	lb cache on web
	told 5 'e["event"] == "fallback" and e["object"] == "lbcache" and "does not answer" in text'
	start_in lb lbcache "$ROOT/lbcache" -n "${PREFIX}lb" --threads 1
	told 10 'e["event"] == "fallback" and e["object"] == "lbcache" and "answers again" in text'
	forget
	kill -9 "$(<"$(run_dir)/lbcache.pid")"
	told 5 'e["event"] == "fallback" and e["object"] == "lbcache" and "does not answer" in text'
	lb cache off web
	told 5 'e["event"] == "fallback" and e["object"] == "lbcache" and "no service" in text'
}

detached() {
	forget
	lb -q detach all
	told 5 'e["event"] == "interface" and e["object"] == "eth0" and text == "detached"'
	told 5 'e["event"] == "interface" and e["object"] == "eth1" and text == "detached"'
}

main() {
	LBD_PID='' MONITOR_PID=''
	EXTRA_PORT=8080
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_events EXIT
	start_all_nginx
	lb -q attach eth0 mode native services 4 backends 4 slots 65536 flows 4096 >/dev/null
	lb -q attach eth1 mode native >/dev/null
	add_web web 4 fullnat 80 1 1 1
	lb service set web timeout-fin 1
	warm_up
	: >"$EVENTS"
	"$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 eval "lb health log | grep -q 'to be checked'"
	nsenter --net="/run/netns/${PREFIX}lb" "$LBCTL" -j monitor >>"$EVENTS" 2>&1 &
	MONITOR_PID=$!
	wait_for 10 is_watching "$MONITOR_PID"
	check "a table swapped, by a command and by health" table_swapped
	check "a drain finished" drain_finished
	check "backends full, and no longer" backends_full
	check "a drain finished where connections are not recorded" quiet_drain_finished
	check "all backends down, and no longer" all_backends_down
	check "the flow table full, and no longer" flows_full
	check "source ports used up, and no longer" ports_full
	check "more ICMP errors than are told, and no longer" icmp_limited
	check "generic mode" in_generic_mode
	check "an interface lost in each way, and back" interface_lost
	check "lbcache gone, and back" lbcache_gone
	check "detached" detached
}

main
