#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What lbcache does where there is too much: connections of one address, idle ones near the limit, and lines
# of an access log that nobody reads.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1:8080
PAGE="/h/page?Cache-Control=max-age%3D3600"
REQUESTS=1500

# restart_cache OPTIONS…
restart_cache() {
	stop_label lbcache
	start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT" --backend 192.0.2.11:5000 \
		--metrics 127.0.0.1:9407 "$@"
	wait_for 5 is_listening lb 8080 || die "lbcache: $(cat "$(run_dir)/lbcache.log")"
	wait_for 5 is_listening lb 9407
}

# answers_to ADDRESS: the page comes, to a client there.
answers_to() {
	from client 10 curl -sSf --interface "$1" -o /dev/null "http://$FRONT$PAGE"
}

is_turned_away() {
	! answers_to "$1"
}

# metric NAME: its value now.
metric() {
	in_ns lb curl -sSf http://127.0.0.1:9407/metrics | awk -v name="lbcache_$1" '$1 == name { print $2 }'
}

# idle COUNT: so many connections from the client's own address, each answered once.
idle() {
	start_in client idle "$PYTHON" "$TESTS/servers/idle.py" "${FRONT%:*}" "${FRONT#*:}" "$PAGE" "$1"
	wait_for 20 is_said ready || {
		cat "$(run_dir)/idle.log"
		return 1
	}
}

is_said() {
	grep -qx "$1" "$(run_dir)/idle.log"
}

closed_connections() {
	grep -c '^closed' "$(run_dir)/idle.log" || true
}

connections_of_one_address() {
	local refused

	restart_cache --threads 1 --per-address 5
	idle 5
	refused=$(metric refused_total)
	is_turned_away 198.51.100.2
	[ "$(metric refused_total)" = $((refused + 1)) ]
	echo "another address should be served"
	answers_to 198.51.100.11
	[ "$(closed_connections)" = 0 ]
	stop_label idle
	echo "there should be room again"
	wait_for 5 answers_to 198.51.100.2
}

# Of 50 four fifths are 40: the 42nd has the one closed that is idle for longest, and no other.
idle_ones_go_first() {
	restart_cache --threads 1 --connections 50
	idle 41
	[ "$(closed_connections)" = 0 ]
	sleep 1.2 # whoever came just now may have asked already, and stays
	answers_to 198.51.100.2
	wait_for 5 is_said 'closed 0'
	[ "$(closed_connections)" = 1 ]
	[ "$(metric closed_idle_total)" = 1 ]
	echo "below that none should go"
	answers_to 198.51.100.2
	answers_to 198.51.100.2
	[ "$(metric closed_idle_total)" = 1 ]
	stop_label idle
}

# Each line has 3 KB, so a pipe and both buffers are full before the last request.
ask_often() {
	local long answered

	long=$(printf 'x%.0s' $(seq 1000))
	answered=$(in_ns client curl -sS --no-progress-meter --max-time 60 -Z --parallel-max 50 -A "$long" -e "$long" \
		-o /dev/null -w '%{http_code}\n' "http://$FRONT$PAGE&x=$long#[1-$REQUESTS]" | grep -c '^200$')
	[ "$answered" = "$REQUESTS" ] || {
		echo "$answered of $REQUESTS were answered"
		return 1
	}
}

lines_read() {
	wc -l <"$WORK/read"
}

# What was read and what was lost are all lines.
are_all() {
	[ $(($(lines_read) + $(metric log_lost_lines_total))) = "$REQUESTS" ]
}

# Nobody reads, and everybody is answered; then what was not lost comes, in whole lines.
lines_are_lost_and_counted() {
	local lost reader

	restart_cache --threads 2 --log "$WORK/pipe"
	ask_often
	lost=$(metric log_lost_lines_total)
	echo "$lost of $REQUESTS lines were lost"
	[ "$lost" -gt 0 ]
	[ "$lost" -lt "$REQUESTS" ]
	cat "$WORK/pipe" >"$WORK/read" &
	reader=$!
	wait_for 20 are_all || {
		echo "$(lines_read) lines were read and $(metric log_lost_lines_total) lost, of $REQUESTS"
		kill "$reader"
		return 1
	}
	! grep -vE '^198\.51\.100\.2 - - \[.*\] "GET /h/page.* 200 [0-9]+ ".*" ".*" (hit|miss|collapsed)$' "$WORK/read" || return 1
	stop_label lbcache
	wait_for 5 is_gone "$reader"
}

# A pipe that nobody reads does not keep it from ending, by itself.
it_ends_all_the_same() {
	local pid

	restart_cache --threads 2 --log "$WORK/pipe"
	ask_often
	pid=$(<"$(run_dir)/lbcache.pid")
	kill "$pid"
	wait_for 20 is_gone "$pid"
}

start_scenario
[ -x "$LBCACHE" ] || die "no $LBCACHE; run 'make' first"
mkfifo "$WORK/pipe"
start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5000
wait_for 10 is_listening s1 5000
check "an address has no more connections than it may" connections_of_one_address
check "near the limit the longest idle is closed" idle_ones_go_first
check "lines of a log that nobody reads are lost and counted" lines_are_lost_and_counted
check "it ends though nobody reads its log" it_ends_all_the_same
