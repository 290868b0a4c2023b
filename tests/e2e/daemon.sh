#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbd while its host is in trouble: the disk is full, and it is itself stopped for a while, both with
# clients' connections watched.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
RUN=/run/lbctl/netns-${PREFIX}lb

end_daemon() {
	local status=$?

	stop_lbd || true
	! mountpoint -q "$RUN" || umount -l "$RUN"
	end_scenario "$status"
}

is_health() {
	lb -q -j health list web | "$PYTHON" -c '
import json, sys
sys.exit([row["health"] for row in json.load(sys.stdin) if "192.0.2.12" in row["backend"]] != [sys.argv[1]])' "$1"
}

becomes() {
	wait_for 10 is_health "$1" || {
		lb -q health
		echo "s2 is not $1"
		return 1
	}
}

events() {
	lb -j health log web | grep -c '"event": "health"'
}

# Takes 300 ms for an answer.
LATE='
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("", 5500), Handler).serve_forever()'

# All of it is gone but what lbd took when it began.
disk_is_full() {
	local before output

	# Not only as long as it is: the blocks are there.
	[ "$(stat -c %b "$RUN/events")" -ge $((8192 * 208 / 512)) ] || {
		echo "the events' file has no room of its own"
		return 1
	}
	dd if=/dev/zero of="$RUN/filler" bs=4k >/dev/null 2>&1 || true
	before=$(events)
	if output=$(lb service add more tcp 203.0.113.11:80 2>&1); then
		echo "a change was accepted that cannot be written"
		return 1
	fi
	[[ "$output" == *"No space left"* ]] || {
		echo "no word of the disk: $output"
		return 1
	}
	stop_label nginx-s2
	becomes down
	start_nginx s2
	becomes up
	[ "$(events)" -ge $((before + 2)) ] || {
		echo "events were lost"
		return 1
	}
	rm "$RUN/filler"
	lb service add more tcp 203.0.113.11:80
}

start_lbd() {
	"$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	echo $! >"$WORK/lbd.pid"
	wait_for 10 has_worker
}

# Checks run in subshells, so the pid is in a file.
stop_lbd() {
	local pid

	pid=$(cat "$WORK/lbd.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	wait_for 5 is_gone "$pid"
}

worker() {
	ps -o pid= --ppid "$(<"$WORK/lbd.pid")" | tr -d ' '
}

has_worker() {
	[ -n "$(worker)" ]
}

# The disk was full before lbd began: that is said, not with each event, and health goes on without.
begins_on_a_full_disk() {
	stop_lbd
	rm -f "$RUN/events"
	dd if=/dev/zero of="$RUN/filler" bs=4k >/dev/null 2>&1 || true
	: >"$WORK/lbd.log"
	start_lbd
	wait_for 10 grep -q "events are lost" "$WORK/lbd.log"
	stop_label nginx-s2
	becomes down
	start_nginx s2
	becomes up
	[ "$(grep -c "events are lost" "$WORK/lbd.log")" = 1 ] || {
		cat "$WORK/lbd.log"
		echo "said more than once"
		return 1
	}
	rm "$RUN/filler"
	stop_label nginx-s2
	becomes down
	start_nginx s2
	becomes up
	grep -q "events are written again" "$WORK/lbd.log"
	[ "$(events)" -ge 2 ]
}

# What happened in the meantime is not held against anybody, and what is so is found out afterwards:
# one server has died, two are as they were.
stopped_for_a_while() {
	local before

	# One result that is not the backend's fault would do, and a probe is always under way.
	lb -q service add late tcp 203.0.113.11:81
	lb -q backend add late 192.0.2.11:5500
	lb -q health set late http get / every 400ms timeout 390ms fall 1 rise 1
	wait_for 10 eval "lb -q -j health list late | grep -q '\"health\": \"up\"'"
	start_load 4 80 200
	sleep 0.5
	before=$(events)
	kill -STOP "$(worker)"
	sleep 5.5
	kill -CONT "$(worker)"
	sleep 1
	if [ "$(events)" != "$before" ] || lb health log late | grep -e '-> down'; then
		lb health log
		echo "somebody's health changed"
		return 1
	fi
	lb -q service del late
	stop_load 80
	kill -STOP "$(worker)"
	stop_label nginx-s2
	sleep 5.5
	kill -CONT "$(worker)"
	becomes down
	lb -j health log web | "$PYTHON" -c '
import json, sys
before = int(sys.argv[1])
changes = [e for e in json.load(sys.stdin) if e["event"] == "health"][before:]
print([(e["backend"], e["health"]) for e in changes])
sys.exit([e["backend"] for e in changes] != ["192.0.2.12:5001"])' "$before"
	start_nginx s2
	becomes up
}

main() {
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_daemon EXIT
	mkdir -p "$RUN"
	mount -t tmpfs -o size=4m,mode=755 tmpfs "$RUN"
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	lb -q health set web http get / every 500ms timeout 450ms fall 2 rise 2 passive on
	warm_up
	start_lbd
	wait_for 10 eval "lb health log | grep -q 'to be checked'"
	becomes up
	start_in s1 late "$PYTHON" -c "$LATE"
	check "a full disk: health goes on, a change is refused" disk_is_full
	check "lbd stopped for some seconds" stopped_for_a_while
	check "a disk that is full before: said once" begins_on_a_full_disk
}

main
