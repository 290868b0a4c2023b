#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbd: every kind of check and every reason with real servers, each way to be half dead, and what the
# daemon itself lives through.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd

start_lbd() {
	"$LBD" -n "${PREFIX}lb" >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 has_begun
}

has_begun() {
	lb health log | grep "to be checked" >/dev/null
}

has_worker() {
	[ -n "$(worker)" ]
}

worker() {
	ps -o pid= --ppid "$LBD_PID" | tr -d ' '
}

stop_lbd() {
	kill "$LBD_PID"
	wait_for 5 is_gone "$LBD_PID"
}

end_health() {
	local status=$?

	kill "$LBD_PID" 2>/dev/null || true
	end_scenario "$status"
}

# field NAME SERVICE BACKEND: of 'lbctl -j health'.
field() {
	lb -q -j health list "$2" | "$PYTHON" -c '
import json, sys
for row in json.load(sys.stdin):
    if row["backend"] == sys.argv[2]:
        print(row[sys.argv[1]])' "$1" "$3"
}

is_field() {
	[ "$(field "$1" "$2" "$3")" = "$4" ]
}

# becomes HEALTH SERVICE SERVER [REASON]: within 10 s.
becomes() {
	local backend

	backend=$(backend_of 4 "$3" "$(server_port "$3")")
	wait_for 10 is_field health "$2" "$backend" "$1" || {
		lb -q health
		echo "$3 is $(field health "$2" "$backend"), not $1"
		return 1
	}
	[ -z "${4:-}" ] || [[ " $4 " == *" $(field reason "$2" "$backend") "* ]] || {
		echo "$3: reason $(field reason "$2" "$backend"), not $4"
		return 1
	}
}

all_up() {
	local server

	for server in "${SERVERS[@]}"; do
		becomes up web "$server" ok
	done
}

# all_answered COUNT NAME…: connections to web, none fails, and exactly these servers answer.
all_answered() {
	local count=$1

	shift
	connect_many 4 80 "$count"
	[ "$(awk '$1 == "reply" { print $2 }' "$WORK/conns" | sort | xargs)" = "$*" ] || {
		cat "$WORK/conns"
		echo "others than '$*' answered"
		return 1
	}
}

# ---- ways to die ---------------------------------------------------------------------------------

# Starts a bound of requests, has s2 die, and prints how many requests failed until it was out.
dies_under_load() {
	local done_count failed

	start_load 4 80 200
	sleep 0.5
	stop_label nginx-s2
	becomes down web s2 refused
	sleep 0.5
	stop_load 80 || true
	done_count=$(awk '$1 == "done" { print $2 }' "$WORK/load.80")
	failed=$(awk '$1 == "failed" { print $2 }' "$WORK/load.80")
	echo "s2 died under 200 connections/s: $failed of $((done_count + failed)) requests failed" \
		>"$WORK/died"
	[ "$failed" -lt 200 ]
}

down_gets_nothing() {
	all_answered 200 s1 s3
	[ "$(lb -j backend list web | grep -c '"weight": 1')" = 3 ] || {
		echo "the weight was not kept"
		return 1
	}
}

returns() {
	start_nginx s2
	becomes up web s2 ok
	all_answered 400 s1 s2 s3
}

stopped_process() {
	local pid

	pid=$(<"$(run_dir)/nginx-s2.pid")
	pid=$(ps -o pid= --ppid "$pid" | tr -d ' ')
	kill -STOP "$pid"
	becomes down web s2 answer_timeout || {
		kill -CONT "$pid"
		return 1
	}
	kill -CONT "$pid"
	becomes up web s2 ok
}

cable_cut() {
	ip -n "${PREFIX}sw" link set s3 down
	becomes down web s3 "connect_timeout unreachable"
	ip -n "${PREFIX}sw" link set s3 up
	becomes up web s3 ok
}

# It answers no ARP any more, and the balancer's entry for it has run out.
arp_gone() {
	ip -n "${PREFIX}s2" link set eth0 arp off
	ip -n "${PREFIX}lb" neigh flush dev eth1
	becomes down web s2 "connect_timeout unreachable"
	all_answered 200 s1 s3
	ip -n "${PREFIX}s2" link set eth0 arp on
	becomes up web s2 ok
}

own_link_lost() {
	ip -n "${PREFIX}lb" link set eth1 down
	becomes down web s1 "connect_timeout unreachable"
	becomes down web s2
	ip -n "${PREFIX}lb" link set eth1 up
	all_up
}

# ---- all down, slow start, flapping --------------------------------------------------------------

# asked STATUS: how curl ends.
asked() {
	local status=0

	from client 5 curl -sS --max-time 1 -o "$WORK/got" "http://$VIP4/" || status=$?
	[ "$status" = "$1" ] || {
		echo "curl ended with $status, not $1"
		return 1
	}
}

all_down() {
	local server

	for server in "${SERVERS[@]}"; do
		stop_label "nginx-$server"
	done
	for server in "${SERVERS[@]}"; do
		becomes down web "$server" refused
	done
	# any: the servers are still asked, and refuse by themselves.
	asked 7
	lb -q health set web on-all-down drop
	asked 28
	lb -j stats drops | grep -A 1 '"reason": "no_backend"' | grep -q '"packets": [1-9]'
	# reject: nobody is asked, and the client hears of it at once.
	lb -q health set web on-all-down reject
	asked 7
	lb -j stats drops | grep -A 1 '"reason": "rejected"' | grep -q '"packets": [1-9]'
	lb -q health set web on-all-down any
	asked 7
}

all_return() {
	start_all_nginx
	all_up
}

# The weights that a backend has had since it came up last, as events tell them.
weights_of() {
	lb -q -j health log web | "$PYTHON" -c '
import json, sys
weights = []
for event in json.load(sys.stdin):
    if event["backend"] == sys.argv[1] and event["event"] == "health":
        weights = []
    if event["backend"] == sys.argv[1] and event["event"] in ("health", "weight"):
        weights.append(event["weight_permille"])
print(*weights)' "$1"
}

has_weights() {
	[ "$(weights_of "$1")" = "$2" ]
}

slow_start() {
	lb -q health set web slow-start 2s
	stop_label nginx-s3
	becomes down web s3
	start_nginx s3
	becomes up web s3
	wait_for 10 has_weights 192.0.2.13:5002 "100 200 300 400 500 600 700 800 900 1000" || {
		weights_of 192.0.2.13:5002
		return 1
	}
	lb -q health set web slow-start 0
	is_field weight_permille web 192.0.2.13:5002 1000
}

new_backend_waits() {
	start_load 4 80 200
	sleep 0.2
	lb -q backend add web 192.0.2.13:5299
	wait_for 3 is_field health web 192.0.2.13:5299 down
	all_answered 200 s1 s2 s3
	lb backend del web 192.0.2.13:5299
	stop_load 80
}

# Each answer was seen four times.
has_flapped() {
	lb health log flap >"$WORK/flap"
	[ "$(grep -c ' status' "$WORK/flap")" -ge 4 ] && [ "$(grep -c ' ok ' "$WORK/flap")" -ge 4 ]
}

# Asked directly, and thus once a round: it answers well and badly in turn.
damped() {
	lb -q service add flap tcp 203.0.113.10:81
	lb -q backend add flap 192.0.2.11:5200
	lb -q health set flap http get /flap every 100ms fall 2 rise 2 via direct
	wait_for 20 has_flapped
	lb health log flap >"$WORK/flap"
	lb service del flap
	cat "$WORK/flap"
	if grep -e 'up -> down' -e 'down -> up' "$WORK/flap"; then
		return 1
	fi
}

# ---- kinds and reasons ---------------------------------------------------------------------------

# One line each: the check, as in the document, and the reason that it must end in.
reasons() {
	cat <<'TABLE'
type: tcp | ok
type: tcp, port: 5299 | refused
type: tcp, port: 5201, expect: hello | ok
type: tcp, port: 5201, expect: goodbye | answer_timeout
type: tcp, port: 5203, expect: hello | closed
type: tcp, port: 5204, send: hello, expect: hello | reset
type: tcp, port: 5202, send: hello, expect: hello | answer_timeout
type: http | ok
type: http, body: fine | ok
type: http, body: excellent | body
type: http, path: /500 | status 500
type: http, path: /503 | status 503
type: http, path: /503, status: 503 | ok
type: http, path: /slow | answer_timeout
type: http, path: /close | closed
type: http, path: /short | closed
type: http, path: /garbage | malformed
type: http, port: 5202 | answer_timeout
type: http, port: 5299 | refused
type: https, port: 5443 | ok
type: https, port: 5443, host: good.example, verify: on, ca: CERTS/ca.pem | ok
type: https, port: 5443, host: good.example, verify: on | tls_untrusted
type: https, port: 5444 | ok
type: https, port: 5444, host: good.example, verify: on, ca: CERTS/ca.pem | tls_expired
type: https, port: 5445, host: good.example, verify: on, ca: CERTS/ca.pem | tls_name
type: https, port: 5443, path: /500, host: good.example, verify: on, ca: CERTS/ca.pem | status 500
type: https, port: 5443, host: good.example, verify: on, ca: CERTS/none.pem | local 2
type: https, port: 5202 | tls_timeout
type: https, port: 5201 | tls_handshake
type: dns, port: 5353, host: there.example | ok
type: dns, port: 5353, host: nowhere.example | dns_code 3
type: dns, port: 5353, host: six.example | dns_empty
type: dns, port: 5299, host: there.example | refused
type: dns, port: 5354, host: there.example | answer_timeout
type: udp, port: 5300, send: ping, expect: ping | ok
type: udp, port: 5300, send: ping, expect: pong | mismatch
type: udp, port: 5299, send: ping | refused
type: udp, port: 5354, send: ping | answer_timeout
type: ping | ok
type: exec, command: "true" | ok
type: exec, command: exit 3 | exit 3
type: exec, command: kill -9 $$ | signal 9
type: exec, command: sleep 9 | command_timeout
type: exec, command: test $(id -u) != 0 | ok
type: exec, command: 'test $LB_ADDRESS:$LB_PORT = 192.0.2.11:5200' | ok
type: exec, command: '/usr/bin/python3 CERTS/new_user_namespace.py' | exit 5
TABLE
}

make_certificate() {
	local name=$1 host=$2 days=$3 dir=$WORK/certs

	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/$name.key" -subj "/CN=$host" \
		-out "$dir/$name.csr" 2>/dev/null
	openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
		-days "$days" -extfile <(echo "subjectAltName=DNS:$host") -out "$dir/$name.pem" 2>/dev/null
}

start_check_servers() {
	mkdir -p "$WORK/certs"
	chmod 755 "$WORK" "$WORK/certs"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$WORK/certs/ca.key" -subj "/CN=test" -days 2 \
		-out "$WORK/certs/ca.pem" 2>/dev/null
	install -m 755 "$TESTS/servers/new_user_namespace.py" "$WORK/certs/"
	make_certificate good good.example 2
	make_certificate other other.example 2
	make_certificate expired good.example -1
	start_in s1 checks "$PYTHON" "$TESTS/servers/check_server.py" "$WORK/certs"
	wait_for 10 is_listening s1 5200 || die "check_server does not listen"
	start_in s1 dns dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
		--port=5353 --user=root --pid-file --local=/example/ \
		--host-record=there.example,192.0.2.1 --host-record=six.example,2001:db8::1
	start_in s1 echo-s1 "$PYTHON" "$TESTS/servers/udp_echo.py" s1 5300
	# Takes datagrams and says nothing.
	start_in s1 mute "$PYTHON" -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5354))
while True: s.recv(99)'
}

# All of them at once, a service each: r1, r2, …
apply_reasons() {
	local line number=0

	lb config show >"$WORK/reasons.yaml"
	while read -r line; do
		number=$((number + 1))
		cat <<YAML
  - name: r$number
    protocol: tcp
    address: "$VIP4:$((1000 + number))"
    slots: 251
    health: {${line% | *}, interval: 3s, timeout: 2500ms}
    backends:
      - address: "192.0.2.11:5200"
YAML
	done < <(reasons) | sed "s|CERTS|$WORK/certs|" >>"$WORK/reasons.yaml"
	lb -q config apply "$WORK/reasons.yaml" >/dev/null
}

# seen_reasons: "NUMBER REASON", once for each reason that was ever a result.
seen_reasons() {
	lb -q -j health log | "$PYTHON" -c '
import json, sys
for event in json.load(sys.stdin):
    if event["reason"] and event["service"][0] == "r":
        print(event["service"][1:], event["reason"], event["detail"] or "")' | sed 's/ $//' | sort -u
}

wanted_reasons() {
	reasons | sed 's/.* | //' | awk '{ print NR, $0 }' | sort -u
}

have_all_reasons() {
	seen_reasons >"$WORK/reasons.seen"
	[ -z "$(comm -23 <(wanted_reasons) "$WORK/reasons.seen")" ]
}

# A busy host may be too late for an answer once; what counts is that the reason is found out.
is_reason() {
	grep -qx "$1 $2" "$WORK/reasons.seen" || {
		lb health log "r$1"
		return 1
	}
}

check_reasons() {
	local line number=0

	check "a check of each kind" apply_reasons
	wait_for 20 have_all_reasons || true
	while read -r line; do
		number=$((number + 1))
		check "$line" is_reason "$number" "${line#* | }"
	done < <(reasons)
	lb -q config show | "$PYTHON" -c '
import re, sys
text = sys.stdin.read()
print(re.split(r"(?m)^  - name: r1$", text)[0], end="")' >"$WORK/rest.yaml"
	lb -q config apply "$WORK/rest.yaml" >/dev/null
}

# results SERVICE: the reasons of its checks, one a line.
results() {
	lb -q -j health log "$1" | "$PYTHON" -c '
import json, sys
print("\n".join(sorted({event["reason"] for event in json.load(sys.stdin) if event["reason"]})))'
}

# Commands begin and end while connections are made and closed: no result is another one's.
commands_beside_others() {
	local number

	lb -q service add commands tcp 203.0.113.10:83
	lb -q service add refusing tcp 203.0.113.10:84
	for number in 1 2 3; do
		lb -q backend add commands "192.0.2.1$number:5000"
		lb -q backend add refusing "192.0.2.1$number:5299"
	done
	lb -q health set commands exec command 'exit 7' every 200ms timeout 190ms
	lb -q health set refusing tcp every 100ms timeout 90ms via direct
	sleep 6
	results commands >"$WORK/commands"
	results refusing >"$WORK/refusing"
	lb -q service del commands
	lb -q service del refusing
	grep -x 'exit' "$WORK/commands"
	grep -x 'refused' "$WORK/refusing"
	# A busy host may be late.
	! grep -vxE 'exit|command_timeout|unchecked' "$WORK/commands" || return 1
	! grep -vxE 'refused|connect_timeout|unreachable|unchecked' "$WORK/refusing" || return 1
	! grep 'was ended by signal' "$WORK/lbd.log" || return 1
}

# Two services ask the same of the same backend directly: it is asked once.
shared_probe() {
	local before after

	lb -q service add twin tcp 203.0.113.10:82
	lb -q backend add twin 192.0.2.11:5200
	lb -q health set probe http get / every 500ms timeout 400ms via direct
	lb -q health set twin http get / every 500ms timeout 400ms rise 7 via direct
	wait_for 5 is_field health twin 192.0.2.11:5200 up
	before=$(in_ns s1 nstat -asz TcpPassiveOpens | awk '/Passive/ { print $2 }')
	sleep 3
	after=$(in_ns s1 nstat -asz TcpPassiveOpens | awk '/Passive/ { print $2 }')
	lb service del twin
	echo "$((after - before)) connections in 3 s"
	# Every 500 ms one of web and one of these two; were they asked apart, 6 more.
	[ $((after - before)) -le 16 ]
}

# ---- the daemon ----------------------------------------------------------------------------------

unprivileged() {
	local status

	status=/proc/$(worker)/status
	grep -E '^(Uid|Cap(Eff|Bnd)|NoNewPrivs|Seccomp):' "$status"
	grep -qE '^Uid:.*[1-9]' "$status"
	[ "$(awk '/^CapEff/ { print $2 }' "$status")" = 0000008000002000 ]
	[ "$(awk '/^CapBnd/ { print $2 }' "$status")" = 0000000000000000 ]
	grep -q '^Seccomp:.2' "$status"
}

second_refused() {
	local status=0

	timeout 5 "$LBD" -n "${PREFIX}lb" >"$WORK/second" 2>&1 || status=$?
	cat "$WORK/second"
	[ "$status" = 1 ] && grep -q "another lbd runs" "$WORK/second"
}

# Killed with a backend down: it stays down, the worker comes back and brings it up.
worker_killed() {
	local old

	stop_label nginx-s2
	becomes down web s2
	old=$(worker)
	kill -9 "$old"
	all_answered 100 s1 s3
	wait_for 5 has_worker
	start_nginx s2
	becomes up web s2
	[ "$(worker)" != "$old" ]
}

# has_said LINES WORDS: after so many lines of the log.
has_said() {
	lb health log | tail -n +"$1" | grep "$2" >/dev/null
}

# Stopped for longer than fall × interval and timeout: no backend pays for it.
daemon_stopped() {
	local pid lines

	pid=$(worker)
	lines=$(lb health log | wc -l)
	kill -STOP "$pid"
	sleep 3.5
	kill -CONT "$pid"
	wait_for 5 has_said "$lines" "was away" || {
		echo "it did not notice that it was stopped"
		return 1
	}
	sleep 1
	! lb health log | tail -n +"$((lines + 1))" | grep -e '-> down'
}

reloaded() {
	local lines

	lines=$(lb health log web | wc -l)
	lb backend set web 192.0.2.11:5000 weight 3
	lb -q health set web get /other
	sleep 1
	all_up
	lb backend set web 192.0.2.11:5000 weight 1
	! lb health log web | tail -n +"$((lines + 1))" | grep -e '->'
}

# Without maps nothing is checked; with new ones it goes on by itself.
attached_anew() {
	lb -q detach all
	sleep 0.5
	attach_all native
	all_up
	all_answered 200 s1 s2 s3
}

without_daemon() {
	stop_label nginx-s2
	becomes down web s2
	stop_lbd
	all_answered 100 s1 s3
	# Taking the checks away takes their verdict away.
	lb -q health set web none
	lb -j backend list web | grep -q '"slots": 5461'
	start_nginx s2
	all_answered 200 s1 s2 s3
}

monitored() {
	local pid

	nsenter --net="/run/netns/${PREFIX}lb" "$LBCTL" -j monitor >"$WORK/monitor" 2>&1 &
	pid=$!
	wait_for 10 is_watching "$pid"
	stop_label nginx-s2
	becomes down web s2
	start_nginx s2
	becomes up web s2
	wait_for 5 grep -q '"health": *"up"' "$WORK/monitor" || true
	kill "$pid"
	"$PYTHON" -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
changes = [(e["was"], e["health"]) for e in events if e["event"] == "health"]
print(changes)
sys.exit(changes != [("up", "down"), ("down", "up")])' "$WORK/monitor"
}

main() {
	LBD_PID=
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_health EXIT
	start_all_nginx
	start_check_servers
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	lb -q health set web http get / every 500ms timeout 450ms fall 2 rise 2
	lb -q service add probe tcp 203.0.113.10:90
	lb -q backend add probe 192.0.2.11:5200
	warm_up
	start_lbd
	check "all up" all_up
	check "unprivileged, without capabilities but CAP_BPF and CAP_NET_RAW, filtered" unprivileged
	check "a second lbd refuses to start" second_refused
	check "a server dies under load" dies_under_load
	[ ! -s "$WORK/died" ] || cat "$WORK/died" >&2
	check "a backend that is down gets nothing and keeps its weight" down_gets_nothing
	next_ports 200
	check "it comes back" returns
	next_ports 400
	check "a process that is stopped" stopped_process
	check "a cable is cut" cable_cut
	check "ARP is not answered" arp_gone
	next_ports 200
	check "the balancer's own link is lost" own_link_lost
	check "monitor says what happens, in JSON" monitored
	check "a new backend passes a check first" new_backend_waits
	next_ports 200
	check "slow start" slow_start
	check "flapping is damped" damped
	check "all down: any, drop, reject" all_down
	check "all come back" all_return
	check_reasons
	check "commands beside other checks" commands_beside_others
	check "one probe for two services" shared_probe
	check "a change of the document" reloaded
	check "lbd stopped for a while" daemon_stopped
	check "the worker is killed" worker_killed
	next_ports 100
	check "maps removed and made again" attached_anew
	next_ports 200
	check "lbd ends, health stays; without checks all count" without_daemon
}

main
