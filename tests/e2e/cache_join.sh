#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbcache beside the datapath: a cached service's pages come from memory, at the service's own address;
# killed or hung under load, new connections go to the backends; rules, weights and drain are followed.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
ROUNDS=${ROUNDS:-4}

start_cache() {
	start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --threads 2
	wait_for 5 is_answering || die "lbcache: $(cat "$(run_dir)/lbcache.log")"
}

is_answering() {
	lb -q cache status >/dev/null 2>&1
}

cache_pid() {
	cat "$(run_dir)/lbcache.pid"
}

# head_of NS URL CURL-WORDS…: the answer's head.
head_of() {
	local ns=$1 url=$2

	shift 2
	from "$ns" 10 curl -sSg -D - -o /dev/null "$@" "$url" | tr -d '\r'
}

# has NS URL PATTERN CURL-WORDS…: the answer's head has such a line.
has() {
	local ns=$1 url=$2 pattern=$3 head

	shift 3
	head=$(head_of "$ns" "$url" "$@")
	grep -qiE "^$pattern" <<<"$head" || {
		echo "no '$pattern' in: $(tr '\n' '|' <<<"$head")"
		return 1
	}
}

# The cache may be late once on a machine with more work than processors; the next one is steered there.
hits() {
	wait_for 5 has "$1" "$2" 'cache-status: lbcache; hit' 2>/dev/null || has "$1" "$2" 'cache-status: lbcache; hit'
}

no_cache() {
	! head_of "$1" "$2" | grep -i '^cache-status'
}

# spread FAMILY PORT COUNT WEIGHT…: by the backends themselves, without a failure.
spread() {
	local family=$1 port=$2 count=$3

	shift 3
	connect_many "$family" "$port" "$count" && is_spread "$WORK/conns" "$@"
}

# All from one page, whoever rendered it. On a machine with more work than processors a thread may be
# late, and its share of the connections is the backends'; not three times in a row.
is_hot() {
	local _

	for _ in 1 2 3; do
		connect_many "$1" 80 400 || return 1
		[ "$(grep -c ^reply "$WORK/conns")" != 1 ] || return 0
		next_ports 400
	done
	grep ^reply "$WORK/conns"
	return 1
}

client_is_told() {
	local echo

	echo=$(from client 10 curl -sS --interface 198.51.100.2 "http://$VIP4:8080/echo" | tr -d '\r')
	grep -qx 'X-Forwarded-For: 198.51.100.2' <<<"$echo"
	grep -qx "Forwarded: for=198.51.100.2;host=\"$VIP4:8080\";proto=http" <<<"$echo"
}

# is_timeless: the rule is in force; a page asked for before it would be stored by the one before.
is_timeless() {
	PROBE=$((${PROBE:-0} + 1))
	has client "http://$VIP4:8080/h/page/timeless/$PROBE" 'cache-status: .*(fwd=[a-z-]*miss|fwd=bypass)(;|$)' &&
		! has client "http://$VIP4:8080/h/page/timeless/$PROBE" 'cache-status: lbcache; hit'
}

rules_are_followed() {
	local url=http://$VIP4:8080

	hits client "$url/h/page"
	lb cache rule pages /h/page/account pass
	lb cache rule pages /h/page/account/logo ttl 1h
	wait_for 5 has client "$url/h/page/account" 'cache-status: .*detail=rule'
	wait_for 5 has client "$url/h/page/account/logo" 'cache-status: lbcache; hit; ttl=3[56][0-9][0-9]'
	lb cache rule pages /h/page/account del
	echo "what was not kept for want of a time is, once there is one"
	lb cache rule pages /h/page/timeless ttl 0s
	wait_for 5 is_timeless
	wait_for 5 has client "$url/h/page/timeless" 'cache-status: .*fwd=bypass.*detail=no-freshness'
	lb cache rule pages /h/page/timeless ttl 1h
	wait_for 5 has client "$url/h/page/timeless" 'cache-status: lbcache; hit; ttl=3[56][0-9][0-9]'
	lb cache rule pages /h/page/timeless del
	wait_for 5 has client "$url/h/page/account" 'cache-status: lbcache; hit; ttl=[0-9]?[0-9]$'
}

# renderings PATH: how often the backend made it.
renderings() {
	from s1 10 curl -sSg "http://127.0.0.1:5100/count$1"
}

# page_of CURL-WORDS… URL: the body that a client gets from service pages.
page_of() {
	from client 10 curl -sSg "${@:1:$#-1}" "http://$VIP4:8080${*: -1}"
}

cookies_by_rule() {
	local url=http://$VIP4:8080 page='/h/blog/a?Set-Cookie=id%3D7' head

	has client "$url$page" 'set-cookie: id=7'
	has client "$url$page" 'cache-status: .*detail=set-cookie'
	lb cache rule pages /h/blog/ cookie ignore set-cookie strip
	wait_for 5 has client "$url$page" 'cache-status: lbcache; hit' # whoever is first is not told to wait for the mark
	head=$(head_of client "$url$page" -H 'Cookie: id=8')
	grep -i '^cache-status: lbcache; hit' <<<"$head"
	echo "the cookie should be off"
	[[ ${head,,} != *set-cookie* ]]
	echo "the backend should not see the cookie, where it fills memory"
	[ "$(page_of -H 'Cookie: id=8' '/h/blog/b?vary=Cookie')" = - ]
	echo "what is not kept has its cookie still"
	has client "$url/h/blog/c?Cache-Control=private&Set-Cookie=id%3D7" 'set-cookie: id=7'
	lb cache rule pages /h/blog/ cookie pass
	wait_for 5 has client "$url$page" 'cache-status: .*detail=cookie' -H 'Cookie: id=8'
	has client "$url$page" 'cache-status: lbcache; hit' # set-cookie stayed as it was
	lb cache rule pages /h/blog/ del
}

queries_by_rule() {
	local url=http://$VIP4:8080

	lb cache rule pages /h/q query sort query-drop 'utm_*,x-ref'
	sleep 0.3
	page_of '/h/q/1?utm_x=1&x=2'
	has client "$url/h/q/1?x=2" 'cache-status: lbcache; hit'
	has client "$url/h/q/1?x=2&x-ref=7&utm_y" 'cache-status: lbcache; hit'
	[ "$(renderings /h/q/1)" = 1 ]
	page_of '/h/q/2?x=1&B=2&A=1'
	has client "$url/h/q/2?A=1&B=2&x=1" 'cache-status: lbcache; hit'
	[ "$(renderings /h/q/2)" = 1 ]
	page_of '/h/q/2?A=1&B=3&x=1'
	[ "$(renderings /h/q/2)" = 2 ]
	echo "back to one page a query"
	lb cache rule pages /h/q query default query-drop default ttl 60s
	sleep 0.3
	page_of '/h/q/3?x=1&B=2'
	page_of '/h/q/3?B=2&x=1'
	page_of '/h/q/3?B=2&x=1&utm_x=1'
	[ "$(renderings /h/q/3)" = 3 ]
	lb cache rule pages /h/q del
}

two_at_once() {
	page_of "$1" &
	page_of "$1"
	wait $!
}

collapsing_by_rule() {
	two_at_once '/h/one?sleep=0.5'
	[ "$(renderings /h/one)" = 1 ]
	lb cache rule pages /h/each collapse off
	sleep 0.3
	two_at_once '/h/each?sleep=0.5'
	[ "$(renderings /h/each)" = 2 ]
	has client "http://$VIP4:8080/h/each?sleep=0.5" 'cache-status: lbcache; hit'
	lb cache rule pages /h/each del
}

# With the server gone a page that is not fresh any more is there still, and where the rule says 0 it is not.
stale_by_rule() {
	local url=http://$VIP4:8080

	lb cache rule pages /h/kept ttl 1s stale-if-error 1h
	lb cache rule pages /h/lost ttl 1s stale-if-error 0
	lb cache rule pages /h/kept/each ttl 1s collapse off
	lb cache rule pages /h/old ttl 1s stale 1h stale-if-error 0
	lb cache rule pages /h/none negative 1h
	sleep 0.3
	page_of /h/kept
	page_of /h/lost
	page_of /h/kept/each
	page_of /h/old
	page_of '/h/none?status=404'
	sleep 1.2
	has client "$url/h/none?status=404" 'cache-status: lbcache; hit; ttl=3[56][0-9][0-9]'
	stop_label pages
	has client "$url/h/old" 'HTTP/1.1 200'
	has client "$url/h/old" 'cache-status: lbcache; hit'
	has client "$url/h/kept" 'HTTP/1.1 200'
	has client "$url/h/kept/each" 'HTTP/1.1 200'
	has client "$url/h/lost" 'HTTP/1.1 50[24]'
	start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5100
	wait_for 10 is_listening s1 5100
	for path in /h/kept /h/lost /h/kept/each /h/old /h/none; do
		lb cache rule pages "$path" del
	done
}

# Misses go by weight, and not to a server that is drained.
misses_are_spread() {
	lb cache rule web / pass
	lb backend set web 192.0.2.11:5000 weight 2
	sleep 0.3
	spread 4 80 400 2 1 1
	lb backend drain web 192.0.2.12:5001
	sleep 0.3
	next_ports 400
	spread 4 80 400 2 0 1
	next_ports 400
	lb backend ready web 192.0.2.12:5001
	lb backend set web 192.0.2.11:5000 weight 1
	lb cache rule web / del
	sleep 0.3
}

# A backend that refuses is passed over.
misses_go_on() {
	lb backend add web 192.0.2.11:5999 weight 1
	lb cache rule web / pass
	sleep 0.3
	connect_many 4 80 100
	next_ports 100
	lb backend del web 192.0.2.11:5999
	lb cache rule web / del
	! grep -v '^reply s[123] ' <(grep ^reply "$WORK/conns")
}

has_no_files() {
	[ -z "$(ls "/proc/$1/fd" 2>/dev/null)" ]
}

# Sockets of a killed process are gone at once: no wait for the time stamps, and none for its memory.
# On a busy machine it may take a while until it gets a processor to die on.
killed() {
	local round pid

	for ((round = 0; round < ROUNDS; round++)); do
		hits client "http://$VIP4/"
		pid=$(cache_pid)
		kill -9 "$pid"
		until has_no_files "$pid"; do
			sleep 0.001
		done
		sleep 0.001
		connect_many 4 80 20 || return 1
		next_ports 20
		start_cache
	done
}

hung() {
	local round pid

	pid=$(cache_pid)
	for ((round = 0; round < ROUNDS; round++)); do
		hits client "http://$VIP4/"
		kill -STOP "$pid"
		sleep 0.06
		if ! connect_many 4 80 20; then
			kill -CONT "$pid"
			return 1
		fi
		next_ports 20
		kill -CONT "$pid"
	done
	hits client "http://$VIP4/"
}

# Other connections come all the time; those that were at the cache when it was killed may fail.
under_load() {
	local conns pid

	conns=$(test_tool conns)
	from client 600 "$conns" -a "$CLIENTS4" -r 500 -c 64 -s 600 "$VIP4" 80 >"$WORK/load" 2>&1 &
	pid=$!
	sleep 0.3
	"$@" || {
		kill "$pid"
		return 1
	}
	kill "$pid"
	wait "$pid" || true
}

# begin_download: a slow one that is at the cache; its pid is in $WORK/download.
begin_download() {
	rm -f "$WORK/headers"
	from client 30 curl -sS --limit-rate 8M -D "$WORK/headers" -o "$WORK/got" "http://$VIP4/blob" &
	echo $! >"$WORK/download"
	wait_for 10 grep -q '^.$' "$WORK/headers"
	grep -qi '^cache-status' "$WORK/headers" && return 0
	kill "$(<"$WORK/download")"
	return 1
}

# What is at the cache stays there when the service leaves it, and when the cache hangs for a while.
stays() {
	hits client "http://$VIP4/" # lbcache has joined
	wait_for 5 begin_download
	kill -STOP "$(cache_pid)"
	sleep 0.2
	kill -CONT "$(cache_pid)"
	lb cache off web
	sleep 0.2
	no_cache client "http://$VIP4/"
	wait "$(<"$WORK/download")"
	lb cache on web
	sha256sum <"$WORK/got" | cmp - "$WORK/blob.sha256"
}

# Without the kernel's memory of the client's link address, and with the service's address local.
is_found_anew() {
	ip -n "${PREFIX}lb" neigh flush dev eth0
	from client 10 curl -sS --connect-timeout 3 -o /dev/null "http://$VIP4/"
}

refused() {
	local text

	while IFS='|' read -r words expected; do
		# shellcheck disable=SC2086  # several words
		! text=$(lb $words 2>&1) || {
			echo "'$words' is taken"
			return 1
		}
		[[ $text == *"$expected"* && $(wc -l <<<"$text") = 1 ]] || {
			echo "'$words': $text"
			return 1
		}
	done <<-WORDS
		cache on nobody|service nobody does not exist
		cache on web ttl 3x|ttl '3x' is not possible
		cache on web ttl 366d|ttl '366d' is not possible
		cache rule web /nowhere del|no rule for /nowhere
		cache rule web page pass|'page' is no path
		cache rule web /page keep|unknown word 'keep', expected one of: pass, del, ttl, negative,
		cache rule web /page|what to do is missing
		cache rule web /page ttl|'ttl' has no value
		cache rule web /page stale 1q|stale '1q' is not possible, expected seconds
		cache rule web /page ttl 1s ttl 2s|'ttl' is given twice
		cache rule web /page pass ttl 1s|unexpected 'ttl', expected nothing more
		cache rule web /page ttl 1s pass|'pass' goes with no other option
		cache rule web /page cookie eat|expected ignore or pass
		cache rule web /page query-drop a,|query-drop 'a,' is not possible, expected names
		cache rule web /page ttl default|the rule for /page would say nothing
		cache on dns|tcp only
		cache off dns|service dns is not cached
	WORDS
}

document() {
	lb config show >"$WORK/now.yaml"
	grep -q 'ttl: 60s' "$WORK/now.yaml"
	lb cache off web
	lb config diff "$WORK/now.yaml" | grep -x '~ service web: cache enabled false -> true' >/dev/null
	lb config apply "$WORK/now.yaml"
	lb config show | cmp - "$WORK/now.yaml"
}

document_has_rules() {
	local rest='cookie ignore, set-cookie strip, query sort, collapse off, query-drop utm_*,x'

	# shellcheck disable=SC2086  # words
	lb cache rule web /r ttl 1h negative 5s stale 10m stale-if-error 0 ${rest//, / }
	lb cache list web | grep -E '^web +on +/r +1h +' | tee "$WORK/list"
	[[ $(<"$WORK/list") == *" negative 5s, stale 10m, stale-if-error 0s, $rest" ]]
	lb -j cache list web | "$PYTHON" -c '
import json, sys
rule = json.load(sys.stdin)[0]["rules"][0]
assert rule == {"prefix": "/r", "pass": False, "ttl_s": 3600, "negative_s": 5, "stale_s": 600,
    "stale_if_error_s": 0, "cookie": "ignore", "set_cookie": "strip", "query": "sort",
    "collapse": "off", "query_drop": "utm_*,x"}, rule'
	lb config show >"$WORK/rule.yaml"
	lb cache rule web /r negative 6s query-drop default
	lb config diff "$WORK/rule.yaml" | tee "$WORK/diff"
	grep -xF '~ service web: cache /r negative 6s -> 5s' "$WORK/diff"
	grep -xF '~ service web: cache /r query-drop none -> utm_*,x' "$WORK/diff"
	[ "$(wc -l <"$WORK/diff")" = 2 ]
	lb config apply "$WORK/rule.yaml"
	lb config show | cmp - "$WORK/rule.yaml"
	lb cache rule web /r pass
	lb config diff "$WORK/rule.yaml" | grep -xF '~ service web: cache /r pass true -> none' >/dev/null
	lb cache rule web /r del
}

is_accounted() {
	[[ $(lb stats) =~ accounted:.*ok$ ]]
}

# stats_have PATTERN: the line of the cache is such a one.
stats_have() {
	lb stats | grep -E "^cache: $1$" >/dev/null # to the end, or lbctl would meet a closed pipe
}

# object_has EXPRESSION: of the same in JSON.
object_has() {
	lb -j stats | "$PYTHON" -c "import json, sys; cache = json.load(sys.stdin)['cache']; sys.exit(not ($1))"
}

# Each service has figures of its own, which add up to those of all.
services_have_figures() {
	local before

	before=$(lb -j cache status)
	hits client "http://$VIP4/"
	hits client "http://[$VIP6]/"
	lb -j cache status | "$PYTHON" -c '
import json, sys
before, after = json.loads(sys.argv[1]), json.load(sys.stdin)
def of(status, name, key):
    return [service[key] for service in status["services"] if service["service"] == name][0]
for name in "web", "web6":
    assert of(after, name, "hits") > of(before, name, "hits"), name
    assert of(after, name, "bytes_out") > of(before, name, "bytes_out"), name
assert of(after, "pages", "hits") == of(before, "pages", "hits")
for key in "requests", "hits", "misses", "bytes_out":
    assert sum(service[key] for service in after["services"]) == after[key], key' "$before"
	lb cache status | grep -E '^web6 +[0-9.]+% +[0-9]' >/dev/null
}

# A command says who hangs and what helps, and does not wait for ever.
is_named_hung() {
	local words text pid=$1

	for words in status "why http://$VIP4/"; do
		# shellcheck disable=SC2086  # words
		! text=$(timeout 10 "$LBCTL" -n "${PREFIX}lb" cache $words 2>&1) || return 1
		[[ $text == "lbctl: lbcache (pid $pid) hangs: "*"'kill -9 $pid'"* ]] || {
			echo "cache $words: $text"
			return 1
		}
	done
}

# Hits and memory while it answers; said aloud when it hangs, and with -j as an object.
is_in_stats() {
	local pid

	pid=$(cache_pid)
	stats_have 'hit ratio [1-9][0-9]*\.[0-9]%, hits [1-9][0-9,]*, stale hits .*, misses [1-9][0-9,]*, .* of .* held'
	object_has 'cache["running"] and cache["hit_ratio"] > 0 and cache["hits"] > 0 and 0 < cache["bytes"] <= cache["limit"]'
	kill -STOP "$pid"
	if ! wait_for 5 stats_have 'not running' || ! object_has 'cache == {"running": False}' ||
		! is_named_hung "$pid"; then
		kill -CONT "$pid"
		return 1
	fi
	kill -CONT "$pid"
	hits client "http://$VIP4/" # it answers who has hung up meanwhile, and lives
}

# Under a SYN flood the kernel remembers nothing of a connection before the client's ACK brings its cookie.
with_cookies() {
	local status=0

	in_ns lb sysctl -qw net.ipv4.tcp_syncookies=2
	is_hot 4 && next_ports 400 && is_hot 6 || status=1
	in_ns lb sysctl -qw net.ipv4.tcp_syncookies=1
	next_ports 400
	return "$status"
}

# Clients that hardly read fill the cache; new ones are answered by the backends.
leaves_what_is_too_much() {
	stop_label lbcache
	start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --threads 2 --connections 64
	wait_for 5 is_answering
	hits client "http://$VIP4/"
	start_in client hold "$PYTHON" "$TESTS/servers/hold.py" "$VIP4" 80 /blob 90
	wait_for 5 lb_notes_bypass
	stats_of_bypass 1.0
	no_cache client "http://$VIP4/"
	spread 4 80 300 1 1 1
	next_ports 300
	echo "then, when they are gone, it takes all again"
	stop_label hold
	wait_for 10 stats_of_bypass 0.0
	hits client "http://$VIP4/"
	echo "it should have said so"
	grep "as many clients as '--connections' allows" "$(run_dir)/lbcache.log"
	echo "then a new one"
	stop_label lbcache
	start_cache
	hits client "http://$VIP4/"
}

lb_notes_bypass() {
	lb cache status 2>&1 | grep 'leaves 100% of new connections to the backends' >/dev/null
}

stats_of_bypass() {
	lb -j cache status | grep "\"bypass_ratio\": $1" >/dev/null
}

# In its own service, with a backend that is a process of this host.
local_service() {
	lb service add local tcp "$VIP4:81" mode local
	lb backend add local 127.0.0.1:5000
	lb cache on local ttl 60s
	hits client "http://$VIP4:81/h/local"
	hits lb "http://$VIP4:81/h/local"
	kill -STOP "$(cache_pid)"
	sleep 0.06
	if ! no_cache client "http://$VIP4:81/h/local" || ! no_cache lb "http://$VIP4:81/h/local"; then
		kill -CONT "$(cache_pid)"
		return 1
	fi
	kill -CONT "$(cache_pid)"
	lb service del local
}

is_clean() {
	local left

	lb service del web
	lb service del pages
	lb service del web6
	left=$(
		in_ns lb ip route show table local proto 108
		in_ns lb ip -6 route show table local proto 108
		in_ns lb bpftool -j net list | grep -o sk_lookup || true
		ls "$(lb -q status >/dev/null && echo /sys/fs/bpf/lbctl)"/*/"netns-${PREFIX}lb/lb_cache_link" 2>/dev/null || true
	)
	[ -z "$left" ] || {
		echo "left behind: $left"
		return 1
	}
}

# The maps go and come: lbcache joins the new ones.
joins_again() {
	lb -q detach all
	attach_all native
	hits client "http://$VIP4/"
}

main() {
	BLOB_MB=16
	make_blob
	start_scenario
	start_all_nginx
	start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5100
	start_in lb pages-lb "$PYTHON" "$TESTS/servers/pages.py" lb 5000
	attach_all native
	warm_up
	add_web web 4 nat 80 1 1 1
	add_web web6 6 fullnat 80 1 1 1
	lb service add pages tcp "$VIP4:8080" mode fullnat
	lb backend add pages 192.0.2.11:5100
	lb service add dns udp "$VIP4:53"
	lb cache on web ttl 60s
	lb -q cache on web6 ttl 60s
	lb -q cache on pages ttl 60s
	check "without lbcache the backends answer" spread 4 80 1200 1 1 1
	next_ports 1200
	check "and are found without a known neighbour" is_found_anew
	start_cache
	check "IPv4, nat: pages come from memory" hits client "http://$VIP4/"
	check "IPv4, nat: one rendering for 400 connections" is_hot 4
	next_ports 400
	check "IPv6, fullnat: pages come from memory" hits client "http://[$VIP6]/"
	check "IPv6, fullnat: one rendering for 400 connections" is_hot 6
	next_ports 400
	check "by SYN cookies too, as under a flood" with_cookies
	check "clients on the host get them too" hits lb "http://$VIP4/"
	check "stats have the hit ratio, and say when lbcache hangs" is_in_stats
	check "each service has figures of its own" services_have_figures
	check "full, it leaves new clients to the backends" leaves_what_is_too_much
	check "the backend is told the client's address" client_is_told
	check "rules are followed" rules_are_followed
	check "cookies by rule" cookies_by_rule
	check "queries by rule" queries_by_rule
	check "collapsing by rule" collapsing_by_rule
	check "stale pages and errors by rule" stale_by_rule
	check "misses go by weight, and not to what is drained" misses_are_spread
	check "misses pass over a backend that refuses" misses_go_on
	check "killed $ROUNDS times under load: no new connection fails" under_load killed
	check "hung $ROUNDS times under load: no new connection fails" under_load hung
	kill -9 "$(cache_pid)"
	check "IPv6, fullnat: killed, the backends answer" spread 6 80 1200 1 1 1
	next_ports 1200
	start_cache
	check "a connection at the cache stays there" stays
	check "with a backend on this host" local_service
	check "the document has it" document
	check "the document has each option of a rule" document_has_rules
	check "refused in one line" refused
	check "joins new maps" joins_again
	check "accounted" is_accounted
	check "nothing left when the services are gone" is_clean
}

main
