#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Passive health: ways to die under 200 connections/s, with and without it, and what it must not be
# fooled by. The failed and slow requests and the time until the backend was out are printed.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
PORT=80

end_passive() {
	local status=$?

	kill "$LBD_PID" 2>/dev/null || true
	end_scenario "$status"
}

start_lbd() {
	"$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 eval "lb health log | grep -q 'to be checked'"
}

# field NAME: of s2, by 'lbctl -j health'.
field() {
	lb -q -j health list web | "$PYTHON" -c '
import json, sys
print([row[sys.argv[1]] for row in json.load(sys.stdin) if "192.0.2.12" in row["backend"]][0])' "$1"
}

is_health() {
	[ "$(field health)" = "$1" ]
}

becomes() {
	wait_for "${2:-10}" is_health "$1" || {
		lb -q health
		echo "s2 is $(field health), not $1"
		return 1
	}
}

now_ms() {
	date +%s%3N
}

# changed_at HEALTH AFTER_MS [REASONS]: when s2 became so, by the events.
changed_at() {
	lb -j health log web | "$PYTHON" -c '
import json, sys
health, after, reasons = sys.argv[1], int(sys.argv[2]), sys.argv[3].split()
for event in json.load(sys.stdin):
    if (event["event"] == "health" and event["health"] == health and event["time_ms"] >= after
            and "192.0.2.12" in event["backend"]):
        print(event["time_ms"])
        sys.exit(event["reason"] not in reasons if reasons else 0)
sys.exit(1)' "$1" "$2" "${3:-}"
}

# watch_anew WORDS…: as if s2 had never failed, which would have it wait longer each time.
watch_anew() {
	lb -q health set web none
	sleep 0.2
	lb -q health set web "$@"
	becomes up
}

# ---- ways to die, and back -----------------------------------------------------------------------

nginx_worker() {
	ps -o pid= --ppid "$(<"$(run_dir)/nginx-s2.pid")" | tr -d ' '
}

die_killed() {
	stop_label nginx-s2
}

live_killed() {
	start_nginx s2
}

# Its queue of connections fills up, then nobody answers.
die_stopped() {
	kill -STOP "$(nginx_worker)"
}

live_stopped() {
	kill -CONT "$(nginx_worker)"
}

die_cut() {
	ip -n "${PREFIX}sw" link set s2 down
}

live_cut() {
	ip -n "${PREFIX}sw" link set s2 up
}

# A firewall before the server says so to whoever begins a connection.
die_rejected() {
	in_ns s2 sysctl -qw net.ipv4.icmp_ratelimit=0 # else it says so to few of them
	in_ns s2 nft 'add table inet wall; add chain inet wall in { type filter hook input priority 0; };
		add rule inet wall in tcp dport 5001 tcp flags & (syn | ack) == syn reject with icmpx type port-unreachable'
}

live_rejected() {
	in_ns s2 nft delete table inet wall
}

# tell WHAT MS OUT_MS: and how long after the first SYN that had no good answer.
tell() {
	local first

	first=$(awk '$1 == "first_bad_ms" { print $2 }' "$WORK/load.$PORT")
	printf '%s: out after %s ms, %s ms after the first SYN without an answer or with a reset, %s\n' "$1" "$2" \
		"$(($3 - first))" \
		"$(awk '$1 == "done" || $1 == "failed" || $1 == "slow" { printf "%s%s %s", sep, $2, $1; sep = ", " }' \
			"$WORK/load.$PORT")" >>"$WORK/told"
}

# dies HOW PASSIVE REASONS: under load; out within a generous bound, for one of these reasons.
dies() {
	local how=$1 passive=$2 began out

	watch_anew http get / every 500ms timeout 450ms fall 2 rise 2 passive "$passive"
	start_load 4 "$PORT" 200
	sleep 0.5
	began=$(now_ms)
	"die_$how"
	becomes down 8 || {
		"live_$how"
		return 1
	}
	out=$(changed_at down "$began" "$3") || {
		lb health log web
		"live_$how"
		echo "s2 went down for another reason than $3"
		return 1
	}
	sleep 0.3
	"live_$how"
	becomes up 12
	stop_load "$PORT" >/dev/null || true
	tell "$how, passive $passive" "$((out - began))" "$out"
	[ "$passive" = off ] || [ "$((out - began))" -lt 5000 ]
}

# ---- what must not fool it -----------------------------------------------------------------------

# scanned KIND: handshakes that are never finished, or that nobody answers, beside those of clients.
scanned() {
	local before

	before=$(now_ms)
	start_load 4 "$PORT" 200
	for _ in 1 2 3 4; do
		in_ns client "$PYTHON" "$TESTS/servers/syns.py" 198.51.100.2 "$VIP4" "$PORT" 100 "$1"
		sleep 0.2
	done
	stop_load "$PORT"
	! changed_at down "$before" >/dev/null
}

# A scan alone, of a service without other clients, is answered. From another address: what is known as
# half open is no new attempt.
scanned_alone() {
	local before

	watch_anew http get / every 500ms timeout 450ms fall 9 passive on
	before=$(now_ms)
	in_ns client "$PYTHON" "$TESTS/servers/syns.py" 198.51.100.11 "$VIP4" "$PORT" 100 good
	sleep 0.5
	! changed_at down "$before" >/dev/null
}

# Few attempts prove nothing: some clients that find a backend dead in its last moments do not count.
few_attempts() {
	local before

	watch_anew http get / every 500ms timeout 450ms fall 9 passive on
	before=$(now_ms)
	die_cut
	connect_few &
	sleep 1
	live_cut
	wait
	! changed_at down "$before" >/dev/null
}

# Six connections, so that fewer than five are for one server of three.
connect_few() {
	local conns

	conns=$(test_tool conns)
	from client 10 "$conns" -a 198.51.100.11 -n 6 -c 6 -b 20001 "$VIP4" "$PORT" >/dev/null || true
}

# ---- without checks: a trial ---------------------------------------------------------------------

comes_back_by_trial() {
	local began out back

	start_load 4 "$PORT" 200
	watch_anew none passive on
	began=$(now_ms)
	die_killed
	becomes down 5
	out=$(changed_at down "$began" "live_refused")
	wait_for 5 eval "lb health log web | grep -q live_trial"
	live_killed
	becomes up 12
	back=$(changed_at up "$out" "live_answered")
	stop_load "$PORT" >/dev/null || true
	tell "killed, no checks, back after $((back - out)) ms more" "$((out - began))" "$out"
}

# Whoever is left alone stays, since nobody could do better.
last_one_stays() {
	local server before

	lb -q health set web none passive on
	before=$(now_ms)
	start_load 4 "$PORT" 200
	for server in s1 s2 s3; do
		stop_label "nginx-$server"
	done
	sleep 1
	[ "$(lb -q -j health list web | grep -c '"health": "down"')" = 2 ]
	for server in s1 s2 s3; do
		start_nginx "$server"
	done
	wait_for 12 eval "! lb -q -j health list web | grep -q '\"health\": \"down\"'"
	stop_load "$PORT" >/dev/null || true
}

counted() {
	lb -j backend list web | "$PYTHON" -c '
import json, sys
failed = {row["backend"].split(":")[0]: row["failed"] for row in json.load(sys.stdin)}
print(failed)
sys.exit(failed["192.0.2.12"] < 10)'
}

main() {
	LBD_PID=
	BACKLOG=16
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_passive EXIT
	start_all_nginx
	attach_all native
	add_web web 4 "${1:-fullnat}" "$PORT" 1 1 1
	warm_up
	lb -q health set web http
	start_lbd
	check "a killed server, by checks only" dies killed off refused
	check "a killed server" dies killed on live_refused
	check "a stopped server, by checks only" dies stopped off "answer_timeout connect_timeout"
	check "a stopped server" dies stopped on "live_unanswered"
	check "a cut cable, by checks only" dies cut off "connect_timeout unreachable"
	check "a cut cable" dies cut on live_unanswered
	check "a firewall that rejects" dies rejected on "live_unreachable unreachable"
	check "failed connections are counted" counted
	check "a port scan beside clients" scanned good
	check "a port scan alone" scanned_alone
	check "SYNs that nobody answers, beside clients" scanned bad
	check "a few attempts prove nothing" few_attempts
	check "without checks it comes back by a trial" comes_back_by_trial
	check "the last one stays" last_one_stays
	[ ! -s "$WORK/told" ] || cat "$WORK/told" >&2
}

main "$@"
