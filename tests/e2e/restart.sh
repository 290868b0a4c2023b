#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# One lbcache takes over from another under load: pages, listening sockets, and no request fails.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1:8080
URL=http://$FRONT
PAGES=40

get() {
	in_ns client curl -sSf --max-time 20 "$@"
}

# start LABEL WORDS…: an lbcache, whose control socket is the same for all.
start() {
	local label=$1

	shift
	start_in lb "$label" "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT" --backend 192.0.2.11:5000 \
		--metrics 127.0.0.1:9407 "$@"
}

pid_of() {
	cat "$(run_dir)/$1.pid"
}

requests() {
	in_ns lb curl -sf http://127.0.0.1:9407/metrics | awk '$1 == "lbcache_requests_total" { print $2 }'
}

# The new one counts from nothing.
has_taken_over() {
	local now

	now=$(requests) && [ -n "$now" ] && [ "$now" -lt "$1" ]
}

fill() {
	get -o /dev/null "$URL/h/page[1-$PAGES]?Cache-Control=max-age%3D600&size=20000"
	get -o /dev/null "$URL/h/mine?Cache-Control=private"
}

# load FILE WORDS…: wrk in the background.
load() {
	local file=$1

	shift
	nsenter --net="/run/netns/${PREFIX}client" timeout --foreground 30 wrk -t 1 -c 10 -d 8s "$@" \
		"$URL/h/page1?Cache-Control=max-age%3D600&size=20000" >"$WORK/$file" 2>&1 &
	LOADS+=($!)
}

no_request_fails() {
	local before file

	LOADS=()
	load kept
	# Connections that wait to be accepted go over too.
	load fresh -H 'Connection: close'
	get -N "$URL/gate" >"$WORK/gate" &
	LOADS+=($!)
	wait_for 5 grep -q first "$WORK/gate"
	sleep 1
	before=$(requests)
	start second --threads 3 --take-over
	wait_for 5 has_taken_over "$before" || {
		cat "$(run_dir)/second.log"
		return 1
	}
	kill -0 "$(pid_of first)"
	# The half body that the first one sends is finished by it.
	in_ns lb curl -sS -o /dev/null http://192.0.2.11:5000/open
	wait "${LOADS[@]}"
	[ "$(cat "$WORK/gate")" = firstother ]
	for file in kept fresh; do
		if grep -E 'Socket errors|Non-2xx' "$WORK/$file" ||
			[ "$(awk '/requests in/ { print $1 }' "$WORK/$file")" -lt 100 ]; then
			cat "$WORK/$file"
			return 1
		fi
	done
	wait_for 10 is_gone "$(pid_of first)"
}

pages_are_there() {
	local i

	for i in 1 $((PAGES / 2)) "$PAGES"; do
		get -D - -o "$WORK/page" "$URL/h/page$i?Cache-Control=max-age%3D600&size=20000" |
			grep -qi '^cache-status: lbcache; hit'
		[ "$(wc -c <"$WORK/page")" = 20000 ]
		[ "$(in_ns lb curl -sS "http://192.0.2.11:5000/count/h/page$i")" = 1 ]
	done
	# Also what is known not to be storable.
	get -D - -o /dev/null "$URL/h/mine?Cache-Control=private" |
		grep -qi '^cache-status: lbcache; fwd=bypass'
	[ "$(lb cache purge prefix "$URL/h/page")" = "$PAGES pages removed" ]
}

# Nobody to take over from is no reason not to start; one that leaves half-way harms nobody.
without_another() {
	printf 'handover\n' | in_ns lb timeout 5 "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
s.recv(10)' "$(control_path)"
	get -o /dev/null "$URL/h/still?Cache-Control=max-age%3D600"
	lb cache status >/dev/null
	stop_label second
	start third --take-over
	wait_for 5 is_listening lb 8080
	get -o /dev/null "$URL/h/other"
}

control_path() {
	echo "/run/lbctl/netns-${PREFIX}lb/lbcache.sock"
}

start_scenario
[ -x "$LBCACHE" ] || die "no $LBCACHE; run 'make' first"
start_in s1 pages-s1 "$PYTHON" "$TESTS/servers/pages.py" s1 5000
wait_for 10 is_listening s1 5000
start first --threads 2
wait_for 5 is_listening lb 8080 || die "lbcache: $(cat "$(run_dir)/first.log")"
fill
check "one takes over from another: no request fails" no_request_fails
check "its pages are there" pages_are_there
check "one that leaves half-way, and nobody to take over from" without_another
