#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbcache's clients in HTTP/2: pages, bodies, RFC 9113 frame by frame, floods, slow ones, and a drain.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1
URL=https://a.example:8443
SLOW=(slow_head slow_begin slow_body slow_reader)

get() {
	in_ns client curl -sS --max-time 10 --cacert "$WORK/a.pem" --resolve "a.example:8443:$FRONT" --http2 "$@"
}

# has PATTERN CURL-WORDS…: the answer's head has such a line.
has() {
	local pattern=$1 head

	shift
	head=$(get -D - -o /dev/null "$@" | tr -d '\r')
	grep -qiE "^$pattern" <<<"$head" || {
		echo "no '$pattern' in: $(tr '\n' '|' <<<"$head")"
		return 1
	}
}

# frames CASE…: what h2_client.py does and expects.
frames() {
	from client 20 "$PYTHON" "$TESTS/servers/h2_client.py" "$FRONT" 8443 "$@"
}

# start LABEL WORDS…
start() {
	local label=$1

	shift
	start_in lb "$label" "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT:8443" --backend 192.0.2.11:5000 --threads 2 \
		--ttl 60 --control "$WORK/h2.sock" --cert "$WORK/a.pem" --key "$WORK/a.key" --log "$WORK/$label.log" "$@"
}

figure() {
	in_ns lb curl -sSf http://127.0.0.1:9407/metrics | awk -v name="lbcache_$1" '$1 == name { print $2 }'
}

count_of() {
	get "$URL/count$1"
}

protocols() {
	has 'HTTP/2 200' "$URL/h/protocol"
	has 'HTTP/1.1 200' --http1.1 "$URL/h/protocol"
	# An upgrade is not passed on: the backend's 101 would come.
	has 'HTTP/1.1 200' --http1.1 -H 'Connection: upgrade' -H 'Upgrade: h2c' "$URL/h/upgrade"
	! get --http1.1 -H 'Connection: upgrade' -H 'Upgrade: h2c' "$URL/echo" | grep -i '^upgrade'
}

pages() {
	get -o /dev/null "$URL/h/page?ETag=%22v1%22"
	has 'cache-status: lbcache; hit' "$URL/h/page?ETag=%22v1%22"
	has 'cache-status: lbcache; hit' --http1.1 "$URL/h/page?ETag=%22v1%22"
	[ "$(count_of /h/page)" = 1 ]
	has 'HTTP/2 304' -H 'If-None-Match: "v1"' "$URL/h/page?ETag=%22v1%22"
	[ "$(get -I "$URL/h/page?ETag=%22v1%22" | grep -ci '^content-length: 10')" = 1 ]
	get "$URL/h/large?size=300000" >"$WORK/large"
	[ "$(wc -c <"$WORK/large")" = 300000 ]
	get "$URL/h/large?size=300000" | cmp - "$WORK/large"
	get -r 5-8 "$URL/h/large?size=300000" | cmp - <(tail -c +6 "$WORK/large" | head -c 4)
	get -r 0-1,5-8 -D "$WORK/head" "$URL/h/large?size=300000" >"$WORK/parts"
	grep -qi '^content-type: multipart/byteranges' "$WORK/head"
	[ "$(grep -ac '^Content-Range: bytes' "$WORK/parts")" = 2 ]
	has 'HTTP/2 416' -r 400000- "$URL/h/large?size=300000"
	has 'HTTP/2 204' "$URL/h/nothing?status=204"
}

large_bodies() {
	head -c 1000000 /dev/urandom >"$WORK/body"
	get -T "$WORK/body" -H 'Expect: 100-continue' "$URL/echo" | cmp - "$WORK/body"
	get -T - "$URL/echo" <"$WORK/body" >"$WORK/back"
	cmp "$WORK/back" "$WORK/body"
	get --data-binary "@$WORK/body" "$URL/post" | cmp - "$WORK/body"
}

backend_is_told() {
	local echo

	echo=$(get "$URL/echo" | tr -d '\r')
	grep -qx 'Host: a.example:8443' <<<"$echo"
	grep -qx 'Via: 2.0 lbcache' <<<"$echo"
	grep -qx 'Forwarded: for=198.51.100.2;host="a.example:8443";proto=https' <<<"$echo"
}

# A hundred at once on one connection, and as many in HTTP/1, ask once.
collapsed() {
	from client 10 h2load -n 200 -c 2 -m 100 -t 1 -H ':authority: a.example:8443' \
		"https://$FRONT:8443/h/cold?sleep=0.3" >"$WORK/h2load"
	grep -q '200 succeeded, 0 failed' "$WORK/h2load"
	[ "$(count_of /h/cold)" = 1 ]
}

# From h2load and nghttp, which know more of HTTP/2 than curl.
others() {
	get -o /dev/null "$URL/h/hot?size=10000"
	from client 10 h2load -n 4000 -c 8 -m 50 -t 1 -H ':authority: a.example:8443' \
		"https://$FRONT:8443/h/hot?size=10000" >"$WORK/h2load"
	grep -q '4000 succeeded, 0 failed' "$WORK/h2load" || {
		cat "$WORK/h2load"
		return 1
	}
	[ "$(count_of /h/hot)" = 1 ]
	from client 10 nghttp -nas -H ':authority: a.example:8443' "https://$FRONT:8443/h/hot?size=10000" >"$WORK/nghttp"
	grep -qE ' 200 +9K ' "$WORK/nghttp"
}

is_logged() {
	wait_for 5 grep -qE '"GET /h/page\?ETag=%22v1%22 HTTP/2.0" 200 [0-9]+ "-" "curl[^"]*" hit$' "$WORK/one.log"
	wait_for 5 grep -qE '"POST /post HTTP/2.0" 200' "$WORK/one.log"
	wait_for 5 grep -qE '"GET /h/protocol HTTP/1.1" 200' "$WORK/one.log"
	[ "$(figure h2_streams_total)" -gt 4000 ]
	[ "$(figure h2_connections_total)" -gt 20 ]
}

begin_slow() {
	local name

	for name in "${SLOW[@]}"; do
		nsenter --net="/run/netns/${PREFIX}client" timeout 20 "$PYTHON" "$TESTS/servers/h2_client.py" "$FRONT" 8443 \
			"$name" >"$WORK/$name" 2>&1 &
		echo $! >"$WORK/$name.pid"
	done
}

slow() {
	local name

	for name in "${SLOW[@]}"; do
		wait_for 15 is_gone "$(<"$WORK/$name.pid")"
		[ ! -s "$WORK/$name" ] || {
			echo "$name: $(tail -n 1 "$WORK/$name")"
			return 1
		}
	done
	[ "$(figure timeouts_total)" = ${#SLOW[@]} ]
}

# No stream and no connection stays behind when all clients are gone.
all_gone() {
	[ "$(figure active_connections)" = 0 ]
}

serves() {
	[ "$("$PYTHON" -c '
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])' "$WORK/h2.sock")" = "$(<"$(run_dir)/$1.pid")" ]
}

# While answers are under way on one connection, and others come and go: none is lost.
drained() {
	local pid load go

	mkfifo "$WORK/go"
	nsenter --net="/run/netns/${PREFIX}client" timeout 20 "$PYTHON" "$TESTS/servers/h2_client.py" "$FRONT" 8443 drain \
		<"$WORK/go" >"$WORK/drain" 2>&1 &
	pid=$!
	exec {go}>"$WORK/go"
	wait_for 5 grep -q asked "$WORK/drain"
	nsenter --net="/run/netns/${PREFIX}client" timeout 20 curl -sS -f -Z --parallel-max 20 --cacert "$WORK/a.pem" \
		--resolve "a.example:8443:$FRONT" --http2 -w '%{http_code}\n' -o /dev/null "$URL/h/load?x=[1-800]" \
		>"$WORK/load" 2>"$WORK/load.err" &
	load=$!
	sleep 0.2
	start two --take-over
	wait_for 5 serves two
	echo >&"$go"
	wait "$pid" || {
		cat "$WORK/drain"
		return 1
	}
	wait "$load" || true
	[ "$(grep -c '^200$' "$WORK/load")" = 800 ] || {
		echo "$(grep -c '^200$' "$WORK/load") of 800: $(sort "$WORK/load.err" | uniq -c | head -n 3)"
		return 1
	}
	wait_for 10 is_gone "$(<"$(run_dir)/one.pid")"
	has 'HTTP/2 200' "$URL/h/protocol"
}

main() {
	start_scenario
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a.example \
		-addext subjectAltName=DNS:a.example -keyout "$WORK/a.key" -out "$WORK/a.pem" 2>/dev/null
	: >"$WORK/one.log"
	: >"$WORK/two.log"
	start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5000
	wait_for 10 is_listening s1 5000
	start one --metrics 127.0.0.1:9407
	wait_for 5 is_listening lb 8443 || die "lbcache: $(cat "$(run_dir)/one.log")"
	begin_slow
	check "RFC 9113 3.2, 3.3: by ALPN, and in no other way" protocols
	check "pages, ranges, 304 and HEAD, the same as in HTTP/1" pages
	check "bodies of requests, as fast as the backend takes them" large_bodies
	check "RFC 9110 7.6.3: the backend is told" backend_is_told
	check "200 requests for a cold page ask once" collapsed
	check "h2load and nghttp" others
	check "the access log and the figures" is_logged
	check "RFC 9113 3.4, 4, 5.1.1, 6: what ends the connection" frames preface frames
	check "RFC 9113 5.1.2: a hundred streams at once" frames streams
	check "RFC 9113 6.9: windows of the client, and of a backend that takes nothing" frames windows upload_window
	check "RFC 9113 8.1: bodies, their lengths, and answers before their end" frames bodies lengths early
	check "RFC 9113 8.2.1: names and values" frames field_names
	check "RFC 9113 8.2.2: fields of a connection" frames connection_fields
	check "RFC 9113 8.2.3: cookies in pieces" frames cookies
	check "RFC 9113 8.3, 8.3.1: pseudo-fields" frames pseudo_fields request_fields
	check "RFC 9113 8.5, RFC 8441: CONNECT" frames connect
	check "RFC 9113 10.5.1: too many fields, too long ones" frames too_large
	check "RFC 9113 10.5: floods of frames and of resets" frames floods rapid_reset
	check "a page that is still being fetched, and one that breaks off" frames gate broken
	check "slow heads, bodies and readers" slow
	check "all streams are gone" all_gone
	check "RFC 9113 6.8: another lbcache takes over, and no request is lost" drained
}

main
