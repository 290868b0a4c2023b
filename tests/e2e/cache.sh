#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbcache by itself between a real client and real backends: what is stored, what is not, what becomes
# of slow, broken and hostile ones.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1:8080
URL=http://$FRONT

get() {
	in_ns client curl -sS --max-time 20 "$@"
}

# has FIELD-PATTERN CURL-WORDS…: the answer's head has such a line.
has() {
	local pattern=$1 head

	shift
	head=$(get -D - -o /dev/null "$@" | tr -d '\r')
	grep -qiE "^$pattern" <<<"$head" || {
		echo "no '$pattern' in: $(tr '\n' '|' <<<"$head")"
		return 1
	}
}

# rendered PATH COUNT: how often the backend made the page.
rendered() {
	local count

	count=$(in_ns lb curl -sS "http://192.0.2.11:5000/count$1")
	[ "$count" = "$2" ] || {
		echo "$1 was rendered $count times, not $2"
		return 1
	}
}

start_cache() {
	start_in lb lbcache "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT" --threads 2 "$@"
	wait_for 5 is_listening lb 8080 || die "lbcache: $(cat "$(run_dir)/lbcache.log")"
}

restart_cache() {
	stop_label lbcache
	start_cache "$@"
}

hot_page() {
	local page="/h/hot?Cache-Control=max-age%3D60"

	has 'cache-status: lbcache; fwd=uri-miss; fwd-status=200; stored' "$URL$page"
	has 'cache-status: lbcache; hit; ttl=[56][0-9]$' "$URL$page"
	has 'age: [0-9]$' "$URL$page"
	has 'x-server: s1' "$URL$page"
	[ "$(get "$URL$page")" = "/h/hot 1" ]
	rendered /h/hot 1
}

operators_ttl() {
	has 'cache-status: .*detail=no-freshness' "$URL/h/plain"
	restart_cache --backend 192.0.2.11:5000 --ttl 60 --negative 60 --pass /h/account
	get -o /dev/null "$URL/h/plain2"
	has 'cache-status: lbcache; hit' "$URL/h/plain2"
	get -o /dev/null "$URL/h/gone?status=404"
	has 'cache-status: lbcache; hit' "$URL/h/gone?status=404"
	get -o /dev/null "$URL/h/account/me"
	has 'cache-status: .*detail=rule' "$URL/h/account/me"
	get -o /dev/null "$URL/h/bad?status=500"
	has 'cache-status: .*detail=status' "$URL/h/bad?status=500"
}

client_is_told() {
	local echo

	echo=$(get -H 'X-Forwarded-For: 192.0.2.99' -H 'Connection: X-Hop' -H 'X-Hop: 1' "$URL/echo")
	grep -qx 'X-Forwarded-For: 192.0.2.99, 198.51.100.2' <<<"${echo//$'\r'/}"
	grep -qx "Forwarded: for=198.51.100.2;host=\"$FRONT\";proto=http" <<<"${echo//$'\r'/}"
	grep -qx 'X-Forwarded-Proto: http' <<<"${echo//$'\r'/}"
	grep -qx 'Via: 1.1 lbcache' <<<"${echo//$'\r'/}"
	! grep -q 'X-Hop' <<<"$echo"
}

what_is_not_stored() {
	has 'cache-status: .*detail=private' "$URL/h/p?Cache-Control=private"
	has 'cache-status: lbcache; fwd=bypass.*detail=private' "$URL/h/p?Cache-Control=private"
	has 'cache-status: .*detail=no-store' "$URL/h/n?Cache-Control=no-store"
	has 'cache-status: .*detail=set-cookie' "$URL/h/s?Cache-Control=max-age%3D9&Set-Cookie=a%3Db"
	has 'cache-status: .*detail=cookie' -H 'Cookie: a=b' "$URL/h/c?Cache-Control=max-age%3D9"
	has 'cache-status: .*detail=vary' "$URL/h/v?Cache-Control=max-age%3D9&Vary=*"
	has 'cache-status: .*detail=authorization' -u a:b "$URL/h/a?Cache-Control=max-age%3D9"
	get -o /dev/null "$URL/h/a2?Cache-Control=max-age%3D9"
	has 'cache-status: .*detail=authorization' -u a:b "$URL/h/a2?Cache-Control=max-age%3D9"
	get -o /dev/null "$URL/h/a3?Cache-Control=max-age%3D9,public"
	has 'cache-status: lbcache; hit' -u a:b "$URL/h/a3?Cache-Control=max-age%3D9,public"
}

conditional_requests() {
	local page="/h/cond?Cache-Control=max-age%3D4&ETag=%22v1%22"

	get -o /dev/null "$URL$page"
	has 'HTTP/1.1 304' -H 'If-None-Match: "x", W/"v1"' "$URL$page"
	has 'HTTP/1.1 200' -H 'If-None-Match: "v2"' "$URL$page"
	rendered /h/cond 1
	sleep 4.2
	has 'cache-status: lbcache; fwd=stale; fwd-status=304' "$URL$page"
	has 'cache-status: lbcache; hit' "$URL$page"
	[ "$(get "$URL$page")" = "/h/cond 1" ]
	rendered /h/cond 2
}

ranges() {
	local page="/h/range?Cache-Control=max-age%3D60&size=200000"

	# The first request is a range already: the whole page is fetched and stored.
	get -r 1000-1999 "$URL$page" >"$WORK/part"
	get "$URL$page" >"$WORK/whole"
	cmp <(tail -c +1001 "$WORK/whole" | head -c 1000) "$WORK/part"
	get -r -77 "$URL$page" | cmp - <(tail -c 77 "$WORK/whole")
	get -r 199990- "$URL$page" | cmp - <(tail -c 10 "$WORK/whole")
	has 'HTTP/1.1 416' -r 200000- "$URL$page"
	has 'content-type: multipart/byteranges' -r 0-9,50-59 "$URL$page"
	[ "$(get -r 0-9,50-59 "$URL$page" | grep -ac 'Content-Range: bytes ')" = 2 ]
	rendered /h/range 1
}

head_of_a_stored_get() {
	local page="/h/head?Cache-Control=max-age%3D60"

	get -o /dev/null "$URL$page"
	has 'content-length: 10' -I "$URL$page"
	has 'cache-status: lbcache; hit' -I "$URL$page"
	rendered /h/head 1
}

unsafe_methods_invalidate() {
	local page="/h/inv?Cache-Control=max-age%3D60"

	get -o /dev/null "$URL$page"
	has 'cache-status: lbcache; hit' "$URL$page"
	get -o /dev/null -X DELETE "$URL$page"
	has 'cache-status: lbcache; fwd=uri-miss' "$URL$page"
	rendered /h/inv 2
}

bodies_pass_through() {
	head -c 3000000 /dev/urandom >"$WORK/body"
	get --data-binary "@$WORK/body" "$URL/echo" | cmp - "$WORK/body"
	get -H 'Transfer-Encoding: chunked' --data-binary "@$WORK/body" "$URL/echo" |
		cmp - "$WORK/body"
	get -H 'Expect: 100-continue' --data-binary "@$WORK/body" "$URL/echo" | cmp - "$WORK/body"
}

variants() {
	local page="/h/vary?Cache-Control=max-age%3D60&vary=Accept-Language"

	[ "$(get -H 'Accept-Language: de' "$URL$page")" = de ]
	[ "$(get -H 'Accept-Language: fr' "$URL$page")" = fr ]
	has 'cache-status: lbcache; hit' -H 'Accept-Language: de' "$URL$page"
	[ "$(get -H 'Accept-Language: de' "$URL$page")" = de ]
	rendered /h/vary 2
}

# Two that wait for one stale page and differ in what it varies by: neither gets the other's.
variants_while_revalidating() {
	local page="$URL/h/vary2?Cache-Control=max-age%3D1&vary=Accept-Language&ETag=%22e%22&sleep=0.5"
	local round

	for round in 1 2; do
		get -o "$WORK/de" -H 'Accept-Language: de' "$page" &
		local first=$!
		sleep 0.2
		[ "$(get -H 'Accept-Language: fr' "$page")" = fr ]
		wait "$first"
		[ "$(cat "$WORK/de")" = de ]
		sleep 1.2
	done
	[ "$round" = 2 ]
}

# many COUNT URL: so many at the same time; all must be answered 200.
many() {
	local count=$1 url=$2 answered

	answered=$(in_ns client curl -sS --no-progress-meter --max-time 30 -Z --parallel-immediate \
		--parallel-max 300 -o /dev/null -w '%{http_code}\n' "$url#[1-$count]" | grep -c '^200$')
	[ "$answered" = "$count" ] || {
		echo "$answered of $count were answered"
		return 1
	}
}

a_cold_page_is_fetched_once() {
	many 1000 "$URL/h/cold?Cache-Control=max-age%3D60&sleep=0.5"
	rendered /h/cold 1
}

# languages FILE LANGUAGE…: 40 requests at the same time for the page in each; the bodies go to FILE.
languages() {
	local file=$1 language pids=()

	shift
	for language in "$@"; do
		nsenter --net="/run/netns/${PREFIX}client" curl -sS --no-progress-meter --max-time 30 -Z \
			--parallel-immediate --parallel-max 40 -H "Accept-Language: $language" \
			"$URL/h/tongues?Cache-Control=max-age%3D60&vary=Accept-Language&sleep=0.5#[1-40]" >"$file.$language" &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$file".* | sort | uniq -c
	for language in "$@"; do
		[ "$(sort -u "$file.$language")" = "$language" ]
	done
}

# Whoever waits and is not answered by what comes waits with those of its own variant.
each_variant_is_fetched_once() {
	languages "$WORK/tongues" de fr en es
	rendered /h/tongues 4
}

# The answer is not kept, for a reason that is not the others'.
somebodys_own_answer_lets_nobody_loose() {
	local page="$URL/h/somebody?Cache-Control=max-age%3D60&sleep=0.5" first

	get -o /dev/null -u a:b "$page" &
	first=$!
	wait_for 5 rendered /h/somebody 1
	many 40 "$page"
	wait "$first"
	rendered /h/somebody 2
}

nobody_queues_behind_what_cannot_be_stored() {
	in_ns lb curl -sS -o /dev/null http://192.0.2.11:5000/peak
	many 40 "$URL/h/mine?Cache-Control=private&sleep=0.5"
	rendered /h/mine 40
	[ "$(in_ns lb curl -sS http://192.0.2.11:5000/peak)" -ge 20 ]
}

a_body_is_sent_while_it_comes() {
	get -N "$URL/gate" >"$WORK/gate1" &
	local first=$!
	wait_for 5 grep -q first "$WORK/gate1"
	get -N "$URL/gate" >"$WORK/gate2" &
	local second=$!
	wait_for 5 grep -q first "$WORK/gate2"
	[ "$(cat "$WORK/gate1" "$WORK/gate2")" = firstfirst ]
	get -o /dev/null "$URL/open"
	wait "$first" "$second"
	[ "$(cat "$WORK/gate1" "$WORK/gate2")" = firstotherfirstother ]
	rendered /gate 1
}

bad_requests_are_refused() {
	in_ns client "$PYTHON" "$TESTS/servers/refused.py" "${FRONT%:*}" "${FRONT#*:}"
}

# A lie is no success for the client, and the next one is not told it from memory.
liars() {
	local kind code

	for kind in short chunk halfchunk both bare nothing words endless continues hints; do
		code=$(get -o "$WORK/liar" -w '%{http_code}' "$URL/liar/$kind" 2>/dev/null) || code=closed
		case $kind:$code in
		short:closed | chunk:closed | halfchunk:closed) ;;
		*:502) ;;
		*)
			echo "$kind: $code"
			return 1
			;;
		esac
		has 'cache-status: lbcache; hit' "$URL/liar/$kind" 2>/dev/null && return 1
		has 'HTTP/1.1 200' "$URL/h/honest"
	done
	[ "$(get "$URL/liar/surplus")" = abc ]
	[ "$(get "$URL/h/after")" = "/h/after 1" ]
}

stale_pages_help() {
	local page="/h/stale?Cache-Control=max-age%3D1,stale-if-error%3D60"
	local soon="/h/soon?Cache-Control=max-age%3D1,stale-while-revalidate%3D60"

	get -o /dev/null "$URL$page"
	get -o /dev/null "$URL$soon"
	sleep 1.2
	[ "$(get "$URL$soon")" = "/h/soon 1" ]
	wait_for 5 rendered /h/soon 2
	stop_label pages-s1
	has 'HTTP/1.1 200' "$URL$page"
	[ "$(get "$URL$page")" = "/h/stale 1" ]
	has 'HTTP/1.1 502' "$URL/h/never"
	start_pages s1
}

a_dead_backend_costs_nothing() {
	restart_cache --backend 192.0.2.11:5000 --backend 192.0.2.12:5999
	for i in $(seq 20); do
		has 'HTTP/1.1 200' "$URL/h/dead$i"
	done
}

old_clients() {
	has 'connection: close' -0 "$URL/h/old?Cache-Control=max-age%3D60"
	has 'connection: close' -0 "$URL/h/old?Cache-Control=max-age%3D60"
	has 'connection: keep-alive' -0 -H 'Connection: keep-alive' \
		"$URL/h/old?Cache-Control=max-age%3D60"
}

upgrades_pass_through() {
	in_ns client "$PYTHON" "$TESTS/servers/upgrade.py" "${FRONT%:*}" "${FRONT#*:}" >"$WORK/ws"
	[ "$(tr '\n' ' ' <"$WORK/ws")" = "101 ping 0 " ]
}

slow_heads_are_ended() {
	# shellcheck disable=SC2016  # for the inner shell
	in_ns client timeout 15 bash -c 'exec 3<>/dev/tcp/${1%:*}/${1#*:}
		printf "GET / HTTP/1.1\r\nHost: a\r\n" >&3
		for i in 1 2 3 4 5 6 7; do printf "X: y\r\n" >&3 || exit 0; sleep 0.8; done 2>/dev/null &
		IFS= read -r line <&3; echo "$line"' _ "$FRONT" >"$WORK/slow"
	grep -q '^HTTP/1.1 408' "$WORK/slow"
}

memory_holds() {
	local pid before after

	restart_cache --backend 192.0.2.11:5000 --memory 8M --object 1M
	pid=$(<"$(run_dir)/lbcache.pid")
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	# ten times the cap
	in_ns client curl -sS --no-progress-meter -Z --parallel-max 4 -o /dev/null \
		"$URL/h/scan[1-400]?Cache-Control=max-age%3D60&size=200000"
	after=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	echo "from $before to $after KiB"
	[ $((after - before)) -lt 16384 ]
}

# stored PATH…: all of them are answered from memory.
stored() {
	local path

	for path in "$@"; do
		has 'cache-status: lbcache; hit' "$URL$path" || return 1
	done
}

asked_for_again() {
	has 'cache-status: lbcache; fwd=uri-miss' "$URL$1"
}

purging() {
	local one="/h/purge1?Cache-Control=max-age%3D60&Cache-Tag=red,blue"
	local two="/h/purge2?Cache-Control=max-age%3D60&Surrogate-Key=blue+green"
	local three="/h/other?Cache-Control=max-age%3D60,stale-while-revalidate%3D60"

	get -o /dev/null "$URL$one" -o /dev/null "$URL$two" -o /dev/null "$URL$three"
	stored "$one" "$two" "$three"
	[ "$(lb cache purge tag blue)" = "2 pages removed" ]
	stored "$three"
	asked_for_again "$one"
	asked_for_again "$two"
	[ "$(lb cache purge "$URL$one")" = "1 pages removed" ]
	rendered /h/purge1 2
	asked_for_again "$one"
	[ "$(lb cache purge prefix "$URL/h/purge")" = "2 pages removed" ]
	asked_for_again "$two"
	# Soft: the old copy is served once more, while a new one is fetched.
	[ "$(lb cache purge "$URL$three" soft)" = "1 pages made stale" ]
	[ "$(get "$URL$three")" = "/h/other 1" ]
	wait_for 5 rendered /h/other 2
}

figures() {
	lb cache why "$URL/h/other?Cache-Control=max-age%3D60,stale-while-revalidate%3D60" |
		grep -q ' 200 '
	get -o /dev/null "$URL/h/mine2?Cache-Control=private"
	lb cache why "$URL/h/mine2?Cache-Control=private" | grep 'not stored: the response says private' >/dev/null
	lb cache why "$URL/h/unknown" | grep 'nothing is known of it' >/dev/null
	lb cache hot 3 | grep "http://" >/dev/null
	lb cache status | grep '^hit ratio [0-9]' >/dev/null
	[ "$(lb -j cache status | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["hits"] > 0)')" = True ]
}

# fails PATTERN WORDS…: lbctl refuses in one line.
fails() {
	local pattern=$1 output

	shift
	output=$(lb cache "$@" 2>&1) && {
		echo "lbctl cache $*: succeeded"
		return 1
	}
	if [ "$(wc -l <<<"$output")" != 1 ] || ! grep -q "$pattern" <<<"$output"; then
		echo "lbctl cache $*: $output"
		return 1
	fi
}

bad_words() {
	fails 'nothing is stored for url' purge http://unknown.example/
	fails 'nothing is stored for tag' purge tag unknown
	fails 'is no URL' purge /page
	fails 'is no URL' why page
	fails 'is missing' purge
	fails 'expected 1 to 1000' hot many
	stop_label lbcache
	fails 'does not run here' status
	start_cache --backend 192.0.2.11:5000
}

# Refused before anything is opened.
bad_options() {
	local words expected text

	while IFS='|' read -r words expected; do
		# shellcheck disable=SC2086  # several words
		! text=$(in_ns lb timeout 10 "$LBCACHE" --listen 127.0.0.1:8099 --backend 192.0.2.11:5000 \
			--control "$WORK/none" $words 2>&1) || {
			echo "'$words' is taken"
			return 1
		}
		[[ $text == "lbcache: $expected"* && $(wc -l <<<"$text") = 1 && ! -e $WORK/none ]] || {
			echo "'$words': $text"
			return 1
		}
	done <<-WORDS
		--user nosuch|user 'nosuch' does not exist; name another one
		--object 300M|--object is more than a quarter of --memory
		--memory 8M --object 3M|--object is more than a quarter of --memory
		--memory 5|--memory is not possible, expected bytes
	WORDS
}

it_is_nobody() {
	local file

	file=/proc/$(<"$(run_dir)/lbcache.pid")/status
	[ "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "$file")" = "65534 65534 65534 65534" ]
	grep -q '^CapEff:[[:space:]]*0*$' "$file"
	# Each thread runs under the filter of system calls.
	[ "$(cat "${file%/status}"/task/*/status | awk '/^Seccomp:/ { print $2 }' | sort -u)" = 2 ]
}

# The process named lbcache-memory that lbcache begins, a moment after it listens.
holder() {
	wait_for 5 pgrep -x -P "$(<"$(run_dir)/lbcache.pid")" lbcache-memory
	pgrep -x -P "$(<"$(run_dir)/lbcache.pid")" lbcache-memory
}

# is_as_large PID: as lbcache is, which may grow between two looks.
is_as_large() {
	[ "$(awk '/^VmSize/ { print $2 }' "/proc/$1/status")" = \
		"$(awk '/^VmSize/ { print $2 }' "/proc/$(<"$(run_dir)/lbcache.pid")/status")" ]
}

# Its memory has a second process too, or a killed one would give that back before it closes its sockets:
# with the same rights, no descriptor but the one that tells it of the end, and gone after it.
memory_is_held() {
	local pid

	pid=$(holder)
	wait_for 5 is_as_large "$pid"
	[ "$(readlink "/proc/$pid/fd/"*)" = 'anon_inode:[pidfd]' ]
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/$pid/status"
	grep -q '^Uid:[[:space:]]*65534' "/proc/$pid/status"
	kill -9 "$(<"$(run_dir)/lbcache.pid")"
	wait_for 5 is_over "$pid"
	start_cache --backend 192.0.2.11:5000
	pid=$(holder)
	stop_label lbcache
	wait_for 5 is_over "$pid"
	start_cache --backend 192.0.2.11:5000
}

is_over() {
	! grep -qv '^State:[[:space:]]*Z' <(grep '^State' "/proc/$1/status" 2>/dev/null)
}

# metric NAME: its value now.
metric() {
	in_ns lb curl -sSf http://127.0.0.1:9407/metrics >"$WORK/metrics"
	awk -v name="lbcache_$1" '$1 == name { print $2 }' "$WORK/metrics"
}

metrics() {
	local page="/h/metrics?Cache-Control=max-age%3D60" hits requests private

	get -o /dev/null "$URL$page"
	hits=$(metric hits_total)
	requests=$(metric requests_total)
	private=$(metric 'not_stored_total{reason="private"}')
	has 'cache-status: lbcache; hit' "$URL$page"
	get -o /dev/null "$URL/h/private?Cache-Control=private"
	[ "$(metric hits_total)" = $((hits + 1)) ]
	[ "$(metric requests_total)" = $((requests + 2)) ]
	[ "$(metric 'not_stored_total{reason="private"}')" = $((private + 1)) ]
	[ "$(metric hit_ratio)" != 0.000000 ]
	[ "$(metric 'service_hits_total{service="alone"}')" = $((hits + 1)) ]
	[ "$(metric 'service_requests_total{service="alone"}')" = $((requests + 2)) ]
	promtool check metrics <"$WORK/metrics"
	[ "$(in_ns lb curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:9407/)" = 404 ]
}

# logged PATTERN: a line like that comes.
logged() {
	wait_for 5 grep -qE "$1" "$WORK/access.log" || {
		echo "no line '$1' in: $(tail -n 3 "$WORK/access.log")"
		return 1
	}
}

access_log() {
	local page="/h/log?Cache-Control=max-age%3D60"

	: >"$WORK/access.log"
	restart_cache --backend 192.0.2.11:5000 --log "$WORK/access.log"
	get -o /dev/null -A 'agent "7"' -e http://a.example/ "$URL$page" -o /dev/null "$URL$page"
	get -o /dev/null -A '' "$URL$page" -X POST -d x
	get -o /dev/null -H 'Host: a b' "$URL/bad"
	logged '^198.51.100.2 - - \[.*\] "GET /h/log\?Cache-Control=max-age%3D60 HTTP/1.1" 200 [0-9]+ "http://a.example/" "agent \\x227\\x22" miss$'
	logged '"GET /h/log\?.* 200 [0-9]+ "http://a.example/" "agent \\x227\\x22" hit$'
	logged '"POST /h/log\?.* 200 [0-9]+ "-" "-" pass$'
	logged '"- - HTTP/1.1" 400 [0-9]+ "-" "-" none$'
	: >"$WORK/access.log"
	restart_cache --backend 192.0.2.11:5000 --log "$WORK/access.log" --log-json
	get -o /dev/null -A 'agent "7"' "$URL$page"
	logged '"cache":"miss"'
	"$PYTHON" -c 'import json, sys
line = json.loads(sys.stdin.readline())
sys.exit((line["agent"], line["status"], line["host"], line["client"])
	!= ("agent \"7\"", 200, sys.argv[1], "198.51.100.2"))' "$FRONT" <"$WORK/access.log"
}

pipeline() {
	from client 20 "$PYTHON" "$TESTS/servers/pipeline.py" "${FRONT%:*}" "${FRONT#*:}" "$@"
}

# has_logged COUNT AGENT: so many hits at least.
has_logged() {
	[ "$(grep -c "\"$2\" hit" "$WORK/access.log")" -ge "$1" ]
}

# One thread: what a client sends in one go has no more than its share of a turn.
others_have_their_turn() {
	local pid

	: >"$WORK/access.log"
	restart_cache --backend 192.0.2.11:5000 --log "$WORK/access.log" --threads 1
	get -o /dev/null "$URL/h/pipe?Cache-Control=max-age%3D600&ETag=%22e%22"
	pipeline order "$(<"$(run_dir)/lbcache.pid")"
	wait_for 5 has_logged 300 many
	awk '/"many" hit/ { many++ } /"one" hit/ { print many + 0, "came before"; exit many > 64 }' "$WORK/access.log"
	pipeline cut
	nsenter --net="/run/netns/${PREFIX}client" timeout 40 "$PYTHON" "$TESTS/servers/pipeline.py" "${FRONT%:*}" "${FRONT#*:}" \
		endless >/dev/null 2>&1 </dev/null &
	pid=$!
	many 300 "$URL/h/pipe?Cache-Control=max-age%3D600&ETag=%22e%22"
	wait_for 10 has_logged 1000 endless
	kill "$pid"
}

start_pages() {
	start_in "$1" "pages-$1" "$PYTHON" "$TESTS/servers/pages.py" "$1" 5000
	wait_for 10 is_listening "$1" 5000
}

start_scenario
[ -x "$LBCACHE" ] || die "no $LBCACHE; run 'make' first"
start_pages s1
start_cache --backend 192.0.2.11:5000 --metrics 127.0.0.1:9407
check "a hot page is served from memory" hot_page
check "it runs without rights" it_is_nobody
check "the backend is told who asks" client_is_told
check "what must not be stored is not" what_is_not_stored
check "conditional requests and revalidation" conditional_requests
check "ranges from a stored page" ranges
check "HEAD of a stored GET" head_of_a_stored_get
check "unsafe methods invalidate" unsafe_methods_invalidate
check "request bodies pass through" bodies_pass_through
check "variants by Vary" variants
check "variants while one is revalidated" variants_while_revalidating
check "1,000 requests for a cold page are one at the backend" a_cold_page_is_fetched_once
check "each variant of a cold page is fetched once" each_variant_is_fetched_once
check "an answer to Authorization is one fetch more for all others" somebodys_own_answer_lets_nobody_loose
check "nobody queues behind a page that cannot be stored" nobody_queues_behind_what_cannot_be_stored
check "a body is sent on while it comes" a_body_is_sent_while_it_comes
check "requests that two could read differently are refused" bad_requests_are_refused
check "a backend that lies harms nobody" liars
check "stale pages help out" stale_pages_help
check "purging by URL, prefix and tag, hard and soft" purging
check "figures, hot pages, and why" figures
check "figures for Prometheus" metrics
check "bad words get one clear line" bad_words
check "options that cannot be get one clear line" bad_options
check "HTTP/1.0 clients" old_clients
check "upgrades pass through" upgrades_pass_through
check "a slow head is ended" slow_heads_are_ended
check "the operator's rules" operators_ttl
check "a dead backend costs nothing" a_dead_backend_costs_nothing
check "the access log, combined and as JSON" access_log
check "a client that sends many requests at once leaves others their turn" others_have_their_turn
check "memory holds its cap in a scan" memory_holds
check "its memory is held until its sockets are closed" memory_is_held
