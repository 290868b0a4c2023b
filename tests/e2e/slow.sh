#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# 2,100 slow connections at once, by slowhttptest: heads, bodies, and answers that are hardly read. The hot
# page stays there for everybody else, and the slow ones are ended.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1:8080
HOT="http://$FRONT/h/hot?Cache-Control=max-age%3D600"
LARGE="http://$FRONT/h/large?Cache-Control=max-age%3D600&size=3000000"
EACH=700
ATTACK_S=16

figure() {
	in_ns lb curl -sSf http://127.0.0.1:9407/metrics | awk -v name="lbcache_$1" '$1 == name { print $2 }'
}

# attack WORDS…: one kind in the background, its output to a file of its own.
attack() {
	nsenter --net="/run/netns/${PREFIX}client" timeout --foreground $((ATTACK_S + 15)) \
		slowhttptest -c "$EACH" -r "$EACH" -l "$ATTACK_S" -p 30 "$@" \
		>"$WORK/attack$1" 2>&1 </dev/null &
	PIDS+=($!)
}

# load FILE SECONDS: other visitors, who ask for the hot page.
load() {
	in_ns client wrk -t 1 -c 20 -d "$2s" --timeout 5s --latency "$HOT" >"$WORK/$1"
	if grep -qE 'Socket errors|Non-2xx' "$WORK/$1"; then
		cat "$WORK/$1"
		return 1
	fi
	echo "$1: $(awk '$1 == "99%" { print $2 } /requests in/ { print $1 }' "$WORK/$1" | tr '\n' ' ')"
}

attacked() {
	[ "$(figure active_connections)" -gt "$EACH" ]
}

others_are_served() {
	PIDS=()
	load quiet 2
	attack -H -i 3 -x 8 -u "$HOT"
	attack -B -i 3 -x 8 -s 8192 -u "http://$FRONT/echo"
	attack -X -n 3 -w 16 -y 32 -z 8 -k 1 -u "$LARGE"
	wait_for 10 attacked || {
		tail -n 5 "$WORK"/attack*
		return 1
	}
	load attacked 6
	echo "$(figure active_connections) connections, $(figure timeouts_total) were too slow"
}

slow_ones_are_ended() {
	# Heads and bodies within 5 s, readers within 10 s without a byte; the attack goes on until here.
	wait_for 25 few_are_left || {
		echo "$(figure active_connections) connections are left"
		return 1
	}
	# Not all of the tool's connections need to have come about, but each kind.
	[ "$(figure timeouts_total)" -ge $((5 * EACH / 2)) ] || {
		echo "only $(figure timeouts_total) were ended as too slow"
		return 1
	}
	in_ns client curl -sSf -o /dev/null "$HOT"
}

few_are_left() {
	[ "$(figure active_connections)" -le 5 ]
}

start_scenario
[ -x "$LBCACHE" ] || die "no $LBCACHE; run 'make' first"
if ! command -v slowhttptest >/dev/null; then
	skip "slow clients" "no slowhttptest; install it with 'scripts/setup test'"
	exit
fi
start_in s1 pages-s1 "$PYTHON" "$TESTS/servers/pages.py" s1 5000
wait_for 10 is_listening s1 5000
start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT" --backend 192.0.2.11:5000 --threads 2 \
	--per-address 5000 --metrics 127.0.0.1:9407
wait_for 5 is_listening lb 8080 || die "lbcache: $(cat "$(run_dir)/lbcache.log")"
in_ns client curl -sSf -o /dev/null "$HOT" -o /dev/null "$LARGE"
check "2,100 slow clients: the hot page is served to the others" others_are_served
check "slow heads, bodies and readers are ended" slow_ones_are_ended
for pid in "${PIDS[@]}"; do
	kill "$pid" 2>/dev/null || true
done
