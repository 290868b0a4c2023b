#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbd's admin port as it is read: metrics that promtool takes, the figures of lbctl -j, and the
# dashboard in a headless browser. Pictures of it are left in build/: dashboard.png, which the README
# shows, and dashboard-phone.png.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
URL=http://127.0.0.1:9406

ask() {
	from lb 20 curl -sS "$@"
}

answers() {
	[ "$(ask -o /dev/null -w '%{http_code}' "${@:2}")" = "$1" ]
}

start_lbd() {
	"$LBD" -n "${PREFIX}lb" "$@" >>"$WORK/lbd.log" 2>&1 &
	echo $! >"$WORK/lbd.pid"
}

# Checks run in subshells, so the pid is in a file.
stop_lbd() {
	local pid

	pid=$(cat "$WORK/lbd.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	wait_for 5 is_gone "$pid"
}

end_admin() {
	local status=$?

	stop_lbd || true
	end_scenario "$status"
}

metrics() {
	ask "$URL/metrics" >"$WORK/metrics"
	grep -q '^lb_packets_total{verdict="dropped",reason="no_backend"} ' "$WORK/metrics"
	[ "$(grep -c '^lb_backend_up{service="web",.*} 1$' "$WORK/metrics")" = 3 ]
	grep -q '^lb_backend_check_seconds{service="web",backend="192.0.2.11:5000",reason="ok"} 0\.' "$WORK/metrics"
	[ "$(grep -c '^# TYPE lb_flows ' "$WORK/metrics")" = 1 ]
}

promtool_takes_them() {
	promtool check metrics <"$WORK/metrics"
}

# The same keys and, where nothing moves, the same values.
same_as_lbctl() {
	local path words

	while read -r path words; do
		# shellcheck disable=SC2086  # words
		diff <(ask "$URL/api/v1/$path" | sed 's/"\(since\|last_ago\)_ms": [0-9]*//') \
			<(lb -q -j $words | sed 's/"\(since\|last_ago\)_ms": [0-9]*//') >"$WORK/diff" || {
			grep -vE '"(took_us|received|sent|passed|packets|(packets|bytes)_out|flows)":|^[0-9,]+c|^---' "$WORK/diff" && {
				echo "$path differs from lbctl -j $words"
				return 1
			}
		}
	done <<-'TABLE'
		health health list
		stats stats all
		service service list
		backend backend list
		config config show
		stats/services stats services
		stats/backends stats backends
		stats/drops stats drops
		health/log health log
	TABLE
}

changes_nothing() {
	local method

	for method in POST PUT DELETE PATCH; do
		answers 405 -X "$method" -d '{}' "$URL/api/v1/health"
	done
	answers 404 "$URL/../etc/passwd" --path-as-is
	answers 403 -H "Host: elsewhere.example" "$URL/api/v1/health"
	answers 200 -H "Host: localhost:9406" "$URL/healthz"
	# Only here.
	! from client 5 curl -sS -o /dev/null --max-time 2 "http://198.51.100.1:9406/healthz"
}

all_cut_off() {
	[ "$(grep -c "cut off" "$WORK/few")" -ge 20 ]
}

# More clients than there are places, none of which finishes its request: others are answered, backends checked.
slow_clients() {
	start_in lb slow "$PYTHON" "$TESTS/servers/slow_requests.py" 127.0.0.1 9406 300 "$WORK/slow"
	wait_for 10 grep -q "all there" "$WORK/slow"
	for _ in 1 2 3 4 5; do
		answers 200 --max-time 15 "$URL/healthz"
		answers 200 --max-time 15 "$URL/metrics"
		sleep 1
	done
	all_up
	stop_label slow
	# Also where nobody needs the place.
	start_in lb few "$PYTHON" "$TESTS/servers/slow_requests.py" 127.0.0.1 9406 20 "$WORK/few"
	wait_for 40 all_cut_off
	stop_label few
	# One that asks twice has the time for each.
	[ "$(ask -o /dev/null -o /dev/null -w '%{http_code}\n' "$URL/healthz" "$URL/healthz" | grep -c 200)" = 2 ]
}

unix_socket() {
	stop_lbd
	start_lbd -a "$WORK/admin"
	wait_for 10 answers 200 --unix-socket "$WORK/admin" http://localhost/healthz
	[ "$(stat -c %a "$WORK/admin")" = 660 ]
}

port_taken() {
	wait_for 5 answers 200 --unix-socket "$WORK/admin" http://localhost/healthz
	stop_lbd
	start_in lb taken "$PYTHON" -m http.server 9406 --bind 127.0.0.1
	wait_for 10 is_listening lb 9406
	start_lbd
	wait_for 10 grep -q "no admin port at 127.0.0.1:9406" "$WORK/lbd.log"
	stop_label taken
}

# A page that is asked for is in memory the second time.
has_hits() {
	from client 5 curl -sSf -o /dev/null --max-time 2 "http://$VIP4:8080/"
	ask "$URL/api/v1/stats" | "$PYTHON" -c '
import json, sys
cache = json.load(sys.stdin)["cache"]
sys.exit(not (cache["running"] and cache["hits"] > 3 and 0 < cache["hit_ratio"] < 1))'
}

# Before it runs that is said; afterwards lbd and lbctl have the same.
cache_is_there() {
	[ "$(ask "$URL/api/v1/stats" | grep -A 1 '"cache"' | tail -n 1 | tr -d ' \n')" = '"running":false' ]
}

dashboard() {
	local visitor

	command -v chromedriver >/dev/null || {
		skip "dashboard" "no chromedriver; install it with 'scripts/setup test'"
		return
	}
	start_load 4 80 100
	start_in lb lbcache "$ROOT/lbcache" -n "${PREFIX}lb" --threads 1
	wait_for 10 has_hits || true
	# Hits, now and then a page that is new, and packets that are dropped.
	lb service add shut tcp "$VIP4:81"
	# shellcheck disable=SC2016  # for the inner shell
	from client 120 bash -c 'n=0
		while curl -sf -o /dev/null "http://$1:8080/"; do
			curl -sf -o /dev/null "http://$1:8080/?$((n++ / 7))"
			curl -s -o /dev/null --max-time 0.1 "http://$1:81/"
		done' _ "$VIP4" &
	visitor=$!
	# shellcheck disable=SC2016  # for the inner shell
	from lb 200 "$PYTHON" "$TESTS/servers/browser.py" "$URL/" "$WORK/dashboard" \
		bash -c 'kill "$(<"$1")"' _ "$(run_dir)/nginx-s2.pid" 2>"$WORK/browser.err" || {
		cat "$WORK/browser.err" >&2
		not_ok "dashboard" "$(tail -n 1 "$WORK/browser.err")"
	}
	stop_load 80 >/dev/null || true
	kill "$visitor"
	cp "$WORK"/dashboard*.png "$ROOT/build/" || true
}

all_up() {
	[ "$(lb -q -j health list | grep -c '"health": "up"')" = 3 ]
}

main() {
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_admin EXIT
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 2 1 1
	lb -q health set web http get / every 500ms timeout 450ms fall 2
	lb service add pages tcp "$VIP4:8080"
	lb backend add pages 192.0.2.11:5000
	lb -q cache on pages ttl 60s
	warm_up
	start_lbd
	check "all up" wait_for 20 all_up
	check "metrics" metrics
	if command -v promtool >/dev/null; then
		check "metrics: promtool takes them" promtool_takes_them
	else
		skip "metrics: promtool takes them" "no promtool; install it with 'scripts/setup test'"
	fi
	check "the figures of lbctl -j" same_as_lbctl
	check "the cache that does not run" cache_is_there
	check "nothing changes by it, nobody else reads it" changes_nothing
	check "clients that never finish a request" slow_clients
	dashboard
	check "a socket with permissions" unix_socket
	check "a port that is taken" port_taken
}

main
