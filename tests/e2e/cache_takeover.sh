#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Beside the datapath one lbcache takes over from another under load: no connection fails, none goes
# past the cache, and the cache stays warm; a clean end leaves no control socket behind.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
WORKERS=("--threads 2" "--threads 3" "--threads 1" "--threads 2")

# start LABEL WORDS…
start() {
	local label=$1

	shift
	start_in lb "$label" "$LBCACHE" -n "${PREFIX}lb" "$@"
}

pid_of() {
	cat "$(run_dir)/$1.pid"
}

# serves LABEL: the control socket is this one's.
serves() {
	[ "$(in_ns lb "$PYTHON" -c '
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])' "$(control_path)")" = "$(pid_of "$1")" ]
}

control_path() {
	echo "/run/lbctl/netns-${PREFIX}lb/lbcache.sock"
}

hit() {
	from client 10 curl -sSg -D - -o /dev/null "$1" | grep -qi '^cache-status: lbcache; hit'
}

figure() {
	lb -j cache status | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# One after the other with other numbers of threads, while connections and requests come.
take_over() {
	local i

	start_load 4 80 400
	nsenter --net="/run/netns/${PREFIX}client" timeout --foreground 40 wrk -t 1 -c 8 -d 7s \
		"http://[$VIP6]/" >"$WORK/wrk" 2>&1 &
	sleep 0.5
	for i in 1 2 3; do
		# shellcheck disable=SC2086  # words
		start "cache$i" ${WORKERS[$i]} --take-over
		wait_for 10 serves "cache$i" || {
			cat "$(run_dir)/cache$i.log"
			return 1
		}
		wait_for 10 is_gone "$(pid_of "cache$((i - 1))")"
		sleep 0.3
	done
	stop_load 80
	wait
	if grep -E 'Socket errors|Non-2xx' "$WORK/wrk" ||
		[ "$(awk '/requests in/ { print $1 }' "$WORK/wrk")" -lt 100 ]; then
		cat "$WORK/wrk"
		return 1
	fi
}

# The page that was rendered at the beginning is what nearly all got: on a busy machine a process may beat
# late, and the connections of that moment go past it.
is_warm() {
	local most all

	read -r most all < <(awk '$1 == "reply" { all += $3; if ($3 > most) most = $3 } END { print most + 0, all + 0 }' \
		"$WORK/load.80")
	[ "$all" -gt 100 ]
	echo "$((all - most)) of $all went past the cache" >&2
	[ $((most * 10)) -ge $((all * 9)) ] || {
		echo "$((all - most)) of $all went past the cache"
		return 1
	}
	[ "$(figure misses)" = 0 ]
	[ "$(figure hits)" -gt 0 ]
	hit "http://$VIP4/"
	hit "http://[$VIP6]/"
}

# page WORDS…: of the service with a server that can be made to wait.
page() {
	from client 30 curl -sSf "$@" "http://$VIP4:8080/h/changed"
}

# rendered COUNT [PREFIX]
rendered() {
	[ "$(from s1 10 curl -sS "http://127.0.0.1:5100/count${2:-}/h/changed")" = "$1" ]
}

is_new() {
	[ "$(page)" = "/h/changed 2" ]
}

# A change that is on its way to the server when another process takes over is heard of there.
change_under_way() {
	local change old

	old=$(pid_of cache3)
	wait_for 5 hit "http://$VIP4:8080/h/changed"
	page -X PUT -d gate >"$WORK/change" &
	change=$!
	wait_for 5 rendered 1 /post
	start cache4 --threads 2 --take-over
	wait_for 10 serves cache4
	echo "the page should have come along"
	wait_for 5 hit "http://$VIP4:8080/h/changed"
	rendered 1
	echo "the old one should wait for the change"
	! is_gone "$old" || return 1
	from s1 10 curl -sS -o /dev/null http://127.0.0.1:5100/open
	wait "$change"
	[ "$(<"$WORK/change")" = gate ]
	echo "the page should be asked for anew"
	wait_for 5 is_new
	rendered 2
	wait_for 10 is_gone "$old"
	hit "http://$VIP4:8080/h/changed"
}

# Also the rules: the keeper of the new one follows the document.
is_followed() {
	lb cache rule web / pass
	wait_for 5 eval "from client 10 curl -sSg -D - -o /dev/null http://$VIP4/ | grep -qi 'detail=rule'"
	lb cache rule web / del
	wait_for 5 hit "http://$VIP4/"
}

no_socket_stays() {
	[ -S "$(control_path)" ]
	stop_label cache4
	wait_for 5 eval "[ ! -e $(control_path) ]"
	from client 10 curl -sSf -o /dev/null "http://$VIP4/"
}

main() {
	start_scenario
	start_all_nginx
	start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5100
	attach_all native
	warm_up
	add_web web 4 nat 80 1 1 1
	add_web web6 6 fullnat 80 1 1 1
	lb service add pages tcp "$VIP4:8080" mode fullnat
	lb backend add pages 192.0.2.11:5100
	lb cache on web ttl 600s
	lb cache on pages ttl 600s
	lb cache on web6 ttl 600s
	# shellcheck disable=SC2086  # words
	start cache0 ${WORKERS[0]} --take-over
	wait_for 5 serves cache0 || die "lbcache: $(cat "$(run_dir)/cache0.log")"
	wait_for 5 hit "http://$VIP4/"
	wait_for 5 hit "http://[$VIP6]/"
	check "three take over under load: no connection and no request fails" take_over
	check "all of one page, and the cache is warm" is_warm
	check "a change under way at the old one is heard of by the new one" change_under_way
	check "the last one follows the document" is_followed
	check "a clean end removes the control socket" no_socket_stays
}

main
