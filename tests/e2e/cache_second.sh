#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Two lbcaches with one Redis: what one has rendered the other need not; purging; what is no page; and
# Redis killed or stopped under load costs no request.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
ONE=http://198.51.100.1:8080
TWO=http://198.51.100.1:8081
KEEP='Cache-Control=max-age%3D60'

redis() {
	in_ns lb redis-cli -h 127.0.0.1 -p 6390 "$@"
}

start_redis() {
	start_in lb redis redis-server --bind 127.0.0.1 --port 6390 --save '' --dir "$WORK"
	wait_for 10 eval "redis ping 2>/dev/null | grep -q PONG"
}

# start_node LABEL PORT METRICS WORDS…
start_node() {
	local label=$1 port=$2 metrics=$3

	shift 3
	start_in lb "$label" "$LBCACHE" -n "${PREFIX}lb" --listen "198.51.100.1:$port" --threads 1 \
		--backend 192.0.2.11:5000 --redis 127.0.0.1:6390 --metrics "127.0.0.1:$metrics" "$@"
	wait_for 5 is_listening lb "$port" || die "lbcache: $(cat "$(run_dir)/$label.log")"
}

# get URL WORDS…: both nodes are the same site.
get() {
	from client 20 curl -sS -H 'Host: shop' "$@"
}

# says PATTERN URL WORDS…: in Cache-Status
says() {
	local pattern=$1 head

	shift
	head=$(get -D - -o /dev/null "$@" | tr -d '\r')
	grep -qiE "^cache-status: lbcache; $pattern" <<<"$head" || {
		echo "no '$pattern' in: $(tr '\n' '|' <<<"$head")"
		return 1
	}
}

rendered() {
	in_ns lb curl -sS "http://192.0.2.11:5000/count/h/$1"
}

# metric PORT NAME
metric() {
	in_ns lb curl -sS "http://127.0.0.1:$1/metrics" | awk -v name="lbcache_second_tier_$2" '$1 == name { print $2 }'
}

# kept PATH: Redis has it.
kept() {
	[ -n "$(redis --scan --pattern "lbcache:*:alone:http://shop/h/$1*")" ]
}

# give PATH: the first node has it rendered, and Redis has it.
give() {
	says 'fwd=uri-miss.*stored' "$ONE/h/$1?$KEEP"
	wait_for 5 kept "$1"
}

rendered_once() {
	local key

	give once
	says 'hit; detail=second-tier; ttl=[56][0-9]' "$TWO/h/once?$KEEP"
	says 'hit; ttl=[56][0-9]' "$TWO/h/once?$KEEP"
	[ "$(get "$TWO/h/once?$KEEP")" = "/h/once 1" ]
	[ "$(rendered once)" = 1 ]
	[ "$(metric 9408 hits_total)" = 1 ]
	[ "$(metric 9407 kept_total)" = 1 ]
	key=$(redis --scan --pattern '*shop/h/once*')
	[ "$(redis pttl "$key")" -le 60000 ]
	[ "$(redis pttl "$key")" -gt 40000 ]
	lb -j cache status | "$PYTHON" -c '
import json, sys
second = json.load(sys.stdin)["second_tier"]
assert second["kept"] == 1 and second["resting_threads"] == 0, second'
}

variants() {
	says 'fwd=uri-miss.*stored' -H 'X-A: 1' "$ONE/h/vary?$KEEP&Vary=X-A"
	wait_for 5 kept vary
	sleep 0.1
	says 'fwd=.*-miss.*stored' -H 'X-A: 2' "$TWO/h/vary?$KEEP&Vary=X-A"
	says 'hit; detail=second-tier' -H 'X-A: 1' "$TWO/h/vary?$KEEP&Vary=X-A"
	[ "$(rendered vary)" = 2 ]
}

not_kept() {
	get -o /dev/null "$ONE/h/private?Cache-Control=private"
	get -o /dev/null "$ONE/h/large?$KEEP&size=1100000"
	give last
	! kept private && ! kept large
}

# One page is removed by name, all when their names are not known; POST removes one too.
purged() {
	local before

	give mine
	lb cache purge "http://shop/h/mine?$KEEP"
	wait_for 5 eval '! kept mine'
	give prefix
	lb cache purge prefix http://shop/h/none
	says 'fwd=uri-miss.*stored' "$TWO/h/prefix?$KEEP"
	[ "$(rendered prefix)" = 2 ]
	give post
	get -o /dev/null -X POST -d x "$ONE/h/post?$KEEP"
	before=$(rendered post)
	sleep 0.2
	says 'fwd=uri-miss' "$TWO/h/post?$KEEP"
	[ "$(rendered post)" = $((before + 1)) ]
	# A page that varies has names that nobody can list.
	says 'fwd=uri-miss.*stored' -H 'X-A: 1' "$ONE/h/other?$KEEP&Vary=X-A"
	wait_for 5 kept other
	sleep 0.1
	lb cache purge "http://shop/h/other?$KEEP&Vary=X-A"
	says 'fwd=.*miss.*stored' -H 'X-A: 1' "$TWO/h/other?$KEEP&Vary=X-A"
}

# Redis is slow to write: who asks meanwhile does not bring the page back from there for good.
purged_in_turn() {
	local pid

	give turn
	redis client pause 60000 WRITE
	lb cache purge "http://shop/h/turn?$KEEP" >"$WORK/purged" 2>&1 &
	pid=$!
	wait_for 5 eval "redis client list | grep 'cmd=eval' >/dev/null"
	says 'hit' "$ONE/h/turn?$KEEP"
	redis client unpause
	wait "$pid"
	if grep 'not reached' "$WORK/purged"; then
		return 1
	fi
	says 'fwd=uri-miss' "$ONE/h/turn?$KEEP"
}

# What is no page of ours is not served.
foreign() {
	local key

	give changed
	key=$(redis --scan --pattern '*shop/h/changed*')
	[ "$(wc -l <<<"$key")" = 1 ]
	redis setrange "$key" $(($(redis strlen "$key") - 3)) X >/dev/null
	says 'fwd=uri-miss' "$TWO/h/changed?$KEEP"
	give words
	key=$(redis --scan --pattern '*shop/h/words*')
	redis set "$key" "HTTP/1.1 200 OK" >/dev/null
	says 'fwd=uri-miss' "$TWO/h/words?$KEEP"
	give list
	key=$(redis --scan --pattern '*shop/h/list*')
	redis del "$key" >/dev/null
	redis rpush "$key" 1 >/dev/null
	says 'fwd=uri-miss' "$TWO/h/list?$KEEP"
	give swapped
	redis rename "$(redis --scan --pattern '*shop/h/swapped*')" \
		"$(redis --scan --pattern '*shop/h/last*' | sed 's|h/last|h/never|')" >/dev/null
	says 'fwd=uri-miss' "$TWO/h/never?$KEEP"
}

rests() {
	[ "$(metric 9407 resting_threads)" = "$1" ]
}

# Pages that nobody has, one after the other on one connection; SIGTERM ends between two.
write_load() {
	cat >"$WORK/load.py" <<-'CODE'
		import http.client, itertools, signal, sys, time
		is_over = []
		signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
		client = http.client.HTTPConnection(sys.argv[1], timeout=5)
		for number in itertools.count():
		    if is_over:
		        break
		    client.request("GET", f"{sys.argv[2]}-{number}?Cache-Control=max-age%3D60")
		    answer = client.getresponse()
		    answer.read()
		    print(answer.status)
		    time.sleep(0.005)
	CODE
}

# away BEGIN END: under load of pages that nobody has.
away() {
	local number=$((ROUND = ROUND + 1)) log

	log=$(run_dir)/one.log
	start_in client load "$PYTHON" -u "$WORK/load.py" "${ONE#http://}" "/h/load$number"
	sleep 0.5
	"$1"
	wait_for 5 rests 1
	sleep 0.5
	says 'fwd=uri-miss.*stored' "$ONE/h/meanwhile$number?$KEEP"
	says 'hit' "$ONE/h/meanwhile$number?$KEEP"
	"$2"
	wait_for 10 rests 0
	sleep 0.3
	stop_label load
	[ "$(grep -c '^200$' "$(run_dir)/load.log")" -gt 30 ]
	if grep -v '^200$' "$(run_dir)/load.log"; then
		return 1
	fi
	[ "$(grep -c 'Redis does not answer' "$log")" = "$number" ]
	[ "$(grep -c 'Redis answers again' "$log")" = "$number" ]
	give "after$number"
}

kill_redis() {
	kill -9 "$(<"$(run_dir)/redis.pid")"
}

stop_redis() {
	kill -STOP "$(<"$(run_dir)/redis.pid")"
}

go_on_redis() {
	kill -CONT "$(<"$(run_dir)/redis.pid")"
}

# Purging says that it does not reach what is away.
purge_says_so() {
	give known
	kill_redis
	lb cache purge "http://shop/h/known?$KEEP" 2>&1 | grep 'second tier was not reached' >/dev/null
	start_redis
}

# is_kept PATH: through the datapath the page is rendered, and Redis has it.
is_kept() {
	says 'fwd=uri-miss.*stored' "http://$VIP4/h/$1?$KEEP"
	wait_for 2 eval "redis --scan --pattern 'lbcache:*:shop:http://shop/h/$1*' | grep . >/dev/null"
}

has_second() {
	lb -j cache status | "$PYTHON" -c '
import json, sys
sys.exit((json.load(sys.stdin)["second_tier"] is not None) != (sys.argv[1] == "on"))' "$1"
}

# Beside the datapath the document says it, and a change is followed while lbcache runs.
by_document() {
	stop_label one
	attach_all native
	lb -q service add shop tcp "$VIP4:80"
	lb -q backend add shop 192.0.2.11:5000
	lb -q cache on shop ttl 60s
	start_in lb joined "$LBCACHE" -n "${PREFIX}lb" --threads 1
	wait_for 5 eval "lb -q cache status >/dev/null 2>&1"
	[ "$(lb cache redis)" = off ]
	has_second off
	says 'fwd=uri-miss.*stored' "http://$VIP4/h/before?$KEEP"
	lb cache redis 127.0.0.1:6390
	[ "$(lb cache redis)" = 127.0.0.1:6390 ]
	[ "$(lb -j cache redis | tr -d ' \n')" = '{"redis":"127.0.0.1:6390"}' ]
	wait_for 2 has_second on
	is_kept one
	lb config show >"$WORK/with.yaml"
	grep -A 1 '^cache:$' "$WORK/with.yaml" | grep '^  redis: "127.0.0.1:6390"$'
	# Another one, which is none: the page comes all the same.
	lb cache redis '[::1]:6391'
	sleep 0.2
	says 'fwd=uri-miss.*stored' "http://$VIP4/h/two?$KEEP"
	lb config diff "$WORK/with.yaml" | grep -F '~ cache: redis [::1]:6391 -> 127.0.0.1:6390'
	lb -q config apply "$WORK/with.yaml"
	sleep 0.2
	is_kept three
	lb cache redis off
	wait_for 2 has_second off
	says 'fwd=uri-miss.*stored' "http://$VIP4/h/four?$KEEP"
	sleep 0.2
	[ -z "$(redis --scan --pattern '*shop/h/four*')$(redis --scan --pattern '*shop/h/two*')" ]
	[ -z "$(redis --scan --pattern '*shop/h/before*')" ]
	if lb cache redis nowhere 2>"$WORK/said"; then
		return 1
	fi
	grep "cache redis: .*nowhere.*'off'" "$WORK/said"
}

main() {
	start_scenario
	write_load
	start_redis
	start_in s1 pages-s1 "$PYTHON" "$TESTS/servers/pages.py" s1 5000
	wait_for 10 is_listening s1 5000
	start_node one 8080 9407
	start_node two 8081 9408 --control "$WORK/two.sock"
	ROUND=0
	check "rendered by one, served by the other" rendered_once
	check "variants are found" variants
	check "what is private or too large is not kept there" not_kept
	check "purged there too" purged
	check "purged there first" purged_in_turn
	check "what is no page is not served" foreign
	ROUND=0
	check "killed under load: no request fails, and it is asked again later" away kill_redis start_redis
	ROUND=1
	check "stopped under load: no request fails, and it is asked again later" away stop_redis go_on_redis
	check "a purge says what it did not reach" purge_says_so
	check "by the document, followed while it runs" by_document
}

main
