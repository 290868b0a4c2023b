#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbcache before backends that take their time: heads and bodies that trickle, one that has stopped while a
# stale page is there, and a long request.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1:8080
URL=http://$FRONT

get() {
	in_ns client curl -sS --max-time 20 "$@"
}

# begin NAME CURL-WORDS…: in the background; its status and body go to files.
begin() {
	local name=$1

	shift
	nsenter --net="/run/netns/${PREFIX}client" curl -sS --max-time 110 -o "$WORK/$name" -w '%{http_code}' "$@" \
		>"$WORK/$name.status" 2>"$WORK/$name.err" </dev/null &
	echo $! >"$WORK/$name.pid"
}

# ended NAME STATUS
ended() {
	wait_for 110 is_gone "$(<"$WORK/$1.pid")"
	[ "$(<"$WORK/$1.status")" = "$2" ] || {
		echo "$1: $(<"$WORK/$1.status") $(<"$WORK/$1.err")"
		return 1
	}
}

# is_asked PATH COUNT
is_asked() {
	[ "$(in_ns lb curl -sS "http://192.0.2.11:5000/count$1")" = "$2" ]
}

# The first one waits until it is late, the next one does not, and what came at last is there for others.
late_page() {
	[ "$(get "$URL/late")" = 1 ]
	sleep 1.5
	[ "$(get -D "$WORK/head" "$URL/late")" = 1 ]
	grep -qi '^cache-status: lbcache; hit; ttl=-' "$WORK/head" || {
		cat "$WORK/head"
		return 1
	}
	[ "$(get "$URL/late")" = 1 ]
	is_asked /late 2
	sleep 4
	[ "$(get "$URL/late")" = 2 ]
}

# Its connections are taken, and nothing comes.
stopped_backend() {
	local pid

	[ "$(get "$URL/stopped")" = 1 ]
	sleep 1.5
	pid=$(<"$(run_dir)/pages.pid")
	kill -STOP "$pid"
	[ "$(get "$URL/stopped")" = 1 ] || {
		kill -CONT "$pid"
		return 1
	}
	kill -CONT "$pid"
}

slow_body() {
	ended drip 200
	[ "$(wc -c <"$WORK/drip")" = 150 ]
	lb cache why "$URL/drip" | grep 'slower than 240 bytes' >/dev/null
	ended drip2 200
	[ "$(wc -c <"$WORK/drip2")" = 150 ]
	is_asked /drip 1
}

events() {
	ended events 200
	[ "$(wc -c <"$WORK/events")" = 150 ]
}

# 70 s of it: the response's time begins when it is whole.
long_request() {
	ended upload 200
	[ "$(<"$WORK/upload")" = 140000 ]
}

start_scenario
start_in s1 pages "$PYTHON" "$TESTS/servers/slow_pages.py" 5000
wait_for 10 is_listening s1 5000
start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT" --threads 2 --backend 192.0.2.11:5000
wait_for 5 is_listening lb 8080 || die "lbcache: $(cat "$(run_dir)/lbcache.log")"
check "a stopped backend: the stale page is served" stopped_backend
begin head "$URL/head"
begin drip "$URL/drip"
begin drip2 "$URL/drip"
begin events "$URL/events"
head -c 140000 /dev/zero >"$WORK/zeros"
begin upload --limit-rate 2000 -H Expect: --data-binary "@$WORK/zeros" "$URL/upload"
check "a backend that is late: the stale page is served, and the fetch goes on" late_page
check "a head that trickles is ended" ended head 504
check "a body that trickles is not kept for others, and goes on for its readers" slow_body
check "a stream that is not stored may be as slow as it likes" events
check "a request that takes longer than a response may" long_request
