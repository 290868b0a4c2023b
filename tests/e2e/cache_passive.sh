#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What fails at a backend while lbcache fetches counts as passive health: it is out soon, the log says
# why, and it comes back when it answers. Every request of the load is for a page of its own.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
LBD=$ROOT/lbd LBD_PID=

end_cache_passive() {
	local status=$?

	kill "$LBD_PID" 2>/dev/null || true
	end_scenario "$status"
}

# Pages that nobody asked for before, in the background; statuses in $WORK/load.
ask() {
	cat >"$WORK/ask.py" <<-'CODE'
		import http.client, itertools, sys, threading, time
		def ask(first):
		    for number in itertools.count():
		        try:
		            client = http.client.HTTPConnection(sys.argv[1], 80, timeout=5)
		            client.request("GET", f"/{time.monotonic_ns()}/{first}/{number}")
		            answer = client.getresponse()
		            answer.read()
		            line = f"{answer.status} {answer.getheader('Cache-Status', 'passed')}"
		        except (OSError, http.client.HTTPException) as error:
		            line = f"failed {error!r}"
		        sys.stdout.write(line + "\n")
		        time.sleep(0.03)
		for first in range(8):
		    threading.Thread(target=ask, args=[first], daemon=True).start()
		time.sleep(60)
	CODE
	start_in client ask "$PYTHON" -u "$WORK/ask.py" "$VIP4"
}

end_asking() {
	stop_label ask
	cp "$(run_dir)/ask.log" "$WORK/load"
}

health_of_s2() {
	lb -q -j health list web | "$PYTHON" -c '
import json, sys
print([row["health"] for row in json.load(sys.stdin) if "192.0.2.12" in row["backend"]][0])'
}

becomes() {
	wait_for "$2" eval "[ \"\$(health_of_s2)\" = $1 ]" || {
		lb -q health
		lb health log web
		echo "s2 is $(health_of_s2), not $1"
		return 1
	}
}

mood() {
	echo "$1" >"$WORK/mood.new"
	mv "$WORK/mood.new" "$WORK/mood"
}

server_of_s2() {
	cat "$(run_dir)/moody-s2.pid"
}

start_s2() {
	start_in s2 moody-s2 "$PYTHON" "$TESTS/servers/moody.py" s2 5001 "$WORK/mood"
	wait_for 10 is_listening s2 5001
}

die_killed() {
	stop_label moody-s2
}

live_killed() {
	start_s2
}

die_stopped() {
	kill -STOP "$(server_of_s2)"
}

live_stopped() {
	kill -CONT "$(server_of_s2)"
}

die_cut() {
	mood cut
}

die_words() {
	mood words
}

# Connections that are kept end, and nobody answers who begins one.
die_walled() {
	in_ns s2 nft 'add table inet wall; add chain inet wall in { type filter hook input priority 0; };
		add rule inet wall in tcp dport 5001 tcp flags & (syn | ack) == syn drop'
	stop_label moody-s2
}

live_walled() {
	start_s2
	in_ns s2 nft delete table inet wall
}

live_cut() {
	mood good
}

live_words() {
	mood good
}

# The last word of the log on s2's going down.
reason() {
	lb -j health log web | "$PYTHON" -c '
import json, sys
print([event["reason"] for event in json.load(sys.stdin)
       if event["event"] == "health" and event["health"] == "down" and "192.0.2.12" in event["backend"]][-1])'
}

# dies HOW REASON SECONDS
dies() {
	local how=$1 expected=$2 seconds=$3 status=0

	lb -q health set web none
	sleep 0.3
	lb -q health set web none passive on
	ask
	becomes up 5 || status=1
	"die_$how"
	becomes down "$seconds" || status=1
	"live_$how"
	[ "$status" = 0 ] || {
		end_asking
		return 1
	}
	[ "$(reason)" = "$expected" ] || status=1
	becomes up 15 || status=1
	end_asking
	grep -q 'lbcache; fwd=' "$WORK/load" || status=1
	[ "$how" != killed ] || ! grep -v '^200 ' "$WORK/load" || status=1
	[ "$status" = 0 ] || {
		cut -d' ' -f1 "$WORK/load" | sort | uniq -c
		echo "reason $(reason), expected $expected"
	}
	return "$status"
}

# What an error page means is for a check to say.
errors_are_answers() {
	local before

	before=$(lb -j health log web | grep -c '"down"' || true)
	mood 503
	ask
	sleep 2
	end_asking
	mood good
	grep -q '^503' "$WORK/load"
	[ "$(lb -j health log web | grep -c '"down"' || true)" = "$before" ]
}

# The service's address is this host's own, and the backends are asked as clients would be all the same.
checked_through() {
	lb -q health set web http get / every 300ms timeout 250ms fall 3
	wait_for 10 is_all_ok
	sleep 1
	is_all_ok
	if lb health log | grep 'checked directly'; then
		return 1
	fi
}

is_all_ok() {
	[ "$(lb -q -j health list web | grep -c '"reason": "ok"')" = 3 ]
}

main() {
	start_scenario
	trap end_cache_passive EXIT
	mood good
	start_nginx s1
	start_nginx s3
	start_s2
	attach_all native
	warm_up
	add_web web 4 nat 80 1 1 1
	lb cache on web ttl 60s
	start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --threads 2
	wait_for 5 eval "lb -q cache status >/dev/null 2>&1"
	"$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 eval "lb health log | grep 'to be checked'"
	check "killed: out, by what lbcache found, and no request fails" dies killed fetch_unconnected 3
	check "closing half-way through answers" dies cut fetch_cut 3
	check "answering what is no HTTP" dies words fetch_malformed 3
	check "stopped: no answer at all" dies stopped fetch_unanswered 10
	check "behind a wall: connections come too late" dies walled fetch_late 5
	check "an error page is an answer" errors_are_answers
	check "checks go through the datapath" checked_through
}

main
