#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Backends changed by lbd's admin port: by who may use its Unix socket or has the token, in the middle of
# clients' connections, and by nobody else; whatever is refused has changed nothing.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd
RUN=/run/lbctl/netns-${PREFIX}lb
SOCKET=$RUN/lbd.sock
URL=http://127.0.0.1:9406
TOKEN=a-token.of_38~characters/and+some+more
STRANGER=54321 # neither root nor lbd's own user

start_lbd() {
	"$LBD" -n "${PREFIX}lb" "$@" >>"$WORK/lbd.log" 2>&1 &
	echo $! >"$WORK/lbd.pid"
	wait_for 10 healthy "$@"
}

healthy() {
	if [ "${1:-}" = -a ]; then
		[ -S "$2" ] && ask -o /dev/null --unix-socket "$2" http://lbd/healthz
	else
		[ -S "$SOCKET" ] && ask -o /dev/null --unix-socket "$SOCKET" http://lbd/healthz
	fi
}

# Checks run in subshells, so the pid is in a file.
stop_lbd() {
	local pid

	pid=$(cat "$WORK/lbd.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	wait_for 10 is_gone "$pid"
}

end_changes() {
	local status=$?

	[ "$status" = 0 ] || cat "$WORK/lbd.log" >&2 || true
	stop_lbd || true
	end_scenario "$status"
}

ask() {
	from lb 90 curl -sS "$@" # loading a filter takes its time
}

BY_SOCKET=(--unix-socket "$SOCKET")
BY_TCP=(--connect-to lbd:80:127.0.0.1:9406 -H 'Host: localhost')
BY=("${BY_SOCKET[@]}")
TYPE='Content-Type: application/json'

# post FILE ACTION BODY [CURL…]: prints the status; the answer is in the file.
post() {
	local file=$1 action=$2 body=$3

	shift 3
	ask -o "$file" -w '%{http_code}' "${BY[@]}" -H "$TYPE" -d "$body" "$@" \
		"http://lbd/api/v1/backend/$action"
}

# change ACTION BODY [CURL…]: must succeed, and says what lbctl -j does.
change() {
	local status

	status=$(post "$WORK/answer" "$@")
	[ "$status" = 200 ] || {
		echo "$1 $2: $status $(<"$WORK/answer")"
		return 1
	}
	"$PYTHON" -c '
import json, sys
answer, = json.load(open(sys.argv[1]))
asked = json.loads(sys.argv[3])
wanted = {"action": sys.argv[2], "service": asked["service"]}
if {key: answer[key] for key in wanted} != wanted or not answer["backend"].startswith(asked["backend"]):
    sys.exit(f"{answer} is no answer to {asked}")' "$WORK/answer" "$1" "$2"
}

show() {
	lb config show
}

# refused STATUS PATTERN ACTION BODY [CURL…]: one line says why, and all is as it was.
refused() {
	local wanted=$1 pattern=$2 before status

	shift 2
	before=$(show)
	rm -f "$WORK/answer"
	status=$(post "$WORK/answer" "$@")
	[ "$status" = "$wanted" ] || {
		echo "$* is answered $status instead of $wanted: $(<"$WORK/answer")"
		return 1
	}
	"$PYTHON" -c '
import json, re, sys
error = json.load(open(sys.argv[1]))["error"]
if "\n" in error or not re.search(sys.argv[2], error):
    sys.exit(f"the error is: {error}")' "$WORK/answer" "$pattern"
	[ "$(show)" = "$before" ] || {
		echo "$*: refused, but something has changed"
		diff <(echo "$before") <(show)
		return 1
	}
}

is_health() {
	[ "$(lb -q -j health list | grep -c "\"health\": \"$1\"")" = "$2" ]
}

# ---- changes -----------------------------------------------------------------------------------

start_download() {
	rm -f "$WORK/headers"
	from client 60 curl -sS --limit-rate 25M -D "$WORK/headers" -o "$WORK/got" "http://$VIP4/blob" \
		2>"$WORK/curl.err" &
	DOWNLOAD=$!
	wait_for 5 grep -q X-Server "$WORK/headers"
}

drains() {
	local server backend

	start_download
	server=$(awk 'tolower($1) == "x-server:" { print $2 }' "$WORK/headers" | tr -d '\r')
	backend=$(backend_of 4 "$server" "$(server_port "$server")")
	change drain "{\"service\": \"web\", \"backend\": \"$backend\"}"
	connect_many 4 80 200
	if grep "^reply $server " "$WORK/conns"; then
		echo "$server is drained and still gets new connections"
		return 1
	fi
	kill -0 "$DOWNLOAD" || {
		echo "the download was over too early to prove anything"
		return 1
	}
	wait "$DOWNLOAD"
	[ "$(sha256sum <"$WORK/got")" = "$(<"$WORK/blob.sha256")" ]
	# The port may be left out, as for lbctl.
	change ready "{\"service\": \"web\", \"backend\": \"${backend%:*}\"}"
	next_ports 200
	connect_many 4 80 200
	grep "^reply $server " "$WORK/conns" >/dev/null
}

tables() {
	lb -j health log | grep -c '"event": "table"' || true
}

has_more_tables() {
	[ "$(tables)" -gt "$1" ]
}

weighs() {
	local before

	before=$(tables)
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 4}'
	next_ports 600
	connect_many 4 80 1200
	is_spread "$WORK/conns" 4 1 1
	# lbd itself has heard of it.
	wait_for 5 has_more_tables "$before"
	change set '{"backend": "192.0.2.11:5000", "weight": 1, "service": "web"}'
}

adds_and_deletes() {
	change add '{"service": "few", "backend": "192.0.2.12:5001", "weight": 3, "mode": "fullnat"}'
	lb -j backend list few | "$PYTHON" -c '
import json, sys
row, = [row for row in json.load(sys.stdin) if row["backend"] == "192.0.2.12:5001"]
sys.exit((row["weight"], row["mode"]) != (3, "fullnat"))'
	# It is checked from now on.
	wait_for 10 is_health up 5
	change set '{"service": "few", "backend": "192.0.2.12:5001", "mode": "inherit", "weight": 0}'
	change del '{"service": "few", "backend": "192.0.2.12:5001"}'
	wait_for 10 is_health up 4
	[ "$(lb -j backend list few | grep -c '"backend"')" = 1 ]
	# What a filter on the interfaces is loaded for.
	change add '{"service": "few", "backend": "127.0.0.1:5000", "mode": "local"}'
	change del '{"service": "few", "backend": "127.0.0.1:5000"}'
	# A number that lies in connection ids.
	change add '{"service": "h3", "backend": "192.0.2.11", "server-id": 4294967295}'
	change set '{"service": "h3", "backend": "192.0.2.11", "server-id": "none"}'
	change del '{"service": "h3", "backend": "192.0.2.11"}'
}

same_as_lbctl() {
	change drain '{"service": "web", "backend": "192.0.2.13:5002"}'
	diff "$WORK/answer" <(lb -q -j backend drain web 192.0.2.13:5002)
	change ready '{"service": "web", "backend": "192.0.2.13:5002"}'
	diff "$WORK/answer" <(lb -q -j backend ready web 192.0.2.13:5002)
	# And what it refuses, in the same words.
	refused 404 "192.0.2.99:80 is not in service web" drain '{"service": "web", "backend": "192.0.2.99:80"}'
	[ "lbctl: $("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["error"])' "$WORK/answer")" = \
		"$(lb backend drain web 192.0.2.99:80 2>&1)" ]
}

# ---- who may not ---------------------------------------------------------------------------------

W='{"service": "web", "backend": "192.0.2.11:5000", "weight": 7}'

over_tcp() {
	local BY=("${BY_TCP[@]}")

	"$@"
}

# of_type TYPE COMMAND…
of_type() {
	local TYPE=Content-Type:$1

	shift
	"$@"
}

who_may_not() {
	refused 403 "web page.*Origin" set "$W" -H 'Origin: http://127.0.0.1:9406'
	refused 403 "web page.*Origin" set "$W" -H 'Origin: null'
	of_type text/plain refused 415 "application/json" set "$W"
	of_type application/jsonp refused 415 "application/json" set "$W"
	of_type '' refused 415 "application/json" set "$W"
	refused 405 "POST" set "$W" -X PUT
	refused 405 "POST" set "$W" -X GET
	refused 404 "no such change.*add, set" weigh "$W"
	refused 404 "no such change.*add, set" '' "$W"
	refused 404 "no such change.*add, set" set/ "$W" -X GET
	over_tcp refused 403 "Unix socket.*-t FILE" set "$W"
	over_tcp refused 403 "Unix socket.*-t FILE" set "$W" -H "Authorization: Bearer $TOKEN"
	over_tcp refused 403 "Unix socket.*-t FILE" set "$W" -H "Authorization: Bearer "
	BY=(--connect-to lbd:80:127.0.0.1:9406) # of this subshell
	refused 403 "not the name" set "$W"
}

# as USER [GROUP]: asks for a change at the socket.
as() {
	from lb 20 setpriv --reuid "$1" --regid "${2:-$1}" --clear-groups \
		curl -sS -w '%{http_code}' -H 'Content-Type: application/json' -d "$W" \
		--unix-socket "$SOCKET" http://lbd/api/v1/backend/set
}

by_permission() {
	local before

	before=$(show)
	[ "$(stat -c '%a %U' "$SOCKET")" = "660 root" ]
	! as nobody nogroup >"$WORK/answer" 2>&1 || {
		echo "nobody has changed something: $(<"$WORK/answer")"
		return 1
	}
	[ "$(show)" = "$before" ]
	# Its permission is what counts, but for lbd itself.
	chmod 666 "$SOCKET"
	as nobody nogroup >"$WORK/answer"
	grep "own user.*403$" <(tr -d '\n' <"$WORK/answer") >/dev/null || {
		cat "$WORK/answer"
		return 1
	}
	[ "$(show)" = "$before" ]
	as "$STRANGER" >"$WORK/answer"
	grep '^\]$' "$WORK/answer" >/dev/null
	lb -q backend set web 192.0.2.11:5000 weight 1
	chmod 660 "$SOCKET"
}

bad_requests() {
	refused 400 "unknown word 'wieght'.*weight, mode, server-id" add \
		'{"service": "web", "backend": "192.0.2.99:80", "wieght": 2}'
	refused 400 "weight '65536'.*0 to 65535" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 65536}'
	refused 400 "weight '-1'.*0 to 65535" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": -1}'
	refused 400 "'weight' is a number in quotes" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": "7"}'
	refused 400 "'weight' is neither" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 7.5}'
	refused 400 "'weight' is neither" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": null}'
	refused 400 "'weight' is neither" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": [7]}'
	refused 400 "mode '7'.*fullnat" set '{"service": "web", "backend": "192.0.2.11:5000", "mode": 7}'
	refused 400 "'service' is no text" set '{"service": 1, "backend": "192.0.2.11:5000", "weight": 7}'
	refused 400 "service's name is missing" set '{"backend": "192.0.2.11:5000", "weight": 7}'
	refused 400 "backend's address is missing" drain '{"service": "web"}'
	refused 400 "nothing to change" set '{"service": "web", "backend": "192.0.2.11:5000"}'
	refused 400 "unexpected 'weight'" drain "$W"
	refused 400 "no JSON object" set '[]'
	refused 400 "no JSON object: .*duplicate" set '{"service": "web", "service": "few", "backend": "192.0.2.11:5000", "weight": 7}'
	refused 400 "no JSON object: " set '{"service": "web", "backend": '
	refused 400 "no JSON object: " set $'\xff\xfe garbage \x01'
	refused 400 "no JSON object" set ''
	refused 400 "no JSON object: " set "$W trailing"
	refused 400 "299.0.2.11" add '{"service": "web", "backend": "299.0.2.11:80"}'
	refused 400 "IPv6|family" add '{"service": "web", "backend": "[2001:db8:2::11]:80"}'
	refused 404 "service nosuch does not exist" add '{"service": "nosuch", "backend": "192.0.2.11:80"}'
	refused 404 "192.0.2.99:80 is not in service web" del '{"service": "web", "backend": "192.0.2.99:80"}'
	refused 409 "already in service web.*backend set" add '{"service": "web", "backend": "192.0.2.11:5000"}'
	refused 400 "more in it" set "{\"service\": \"web\", \"backend\": \"$(printf '%600s' '' | tr ' ' 1)\", \"weight\": 7}"
}

large_bodies() {
	local before status

	head -c 5000 /dev/zero | tr '\0' ' ' >"$WORK/large"
	refused 413 "at most 4,096" set "@$WORK/large"
	head -c 900K /dev/zero | tr '\0' ' ' >"$WORK/large"
	refused 413 "at most 4,096" set "@$WORK/large"
	refused 413 "at most 4,096" set "@$WORK/large" -H 'Expect: 100-continue'
	refused 411 "Content-Length" set "$W" -H 'Transfer-Encoding: chunked'
	# So much is not read to its end, and the answer may get lost.
	before=$(show)
	{ echo "$W" && head -c 3M /dev/zero | tr '\0' ' '; } >"$WORK/large"
	status=$(post "$WORK/answer" set "@$WORK/large" 2>/dev/null) || true
	[ "$status" != 200 ]
	status=$(post "$WORK/answer" set "@$WORK/large" -H 'Transfer-Encoding: chunked' 2>/dev/null) || true
	[ "$status" != 200 ]
	[ "$(show)" = "$before" ]
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}' # it still answers
}

# ---- the token ---------------------------------------------------------------------------------

token_file() {
	printf '%s\n' "$1" >"$WORK/token"
	chmod "$2" "$WORK/token"
}

# no_start PATTERN: lbd does not begin with that token, and says why in one line.
no_start() {
	local output

	if output=$(timeout 5 "$LBD" -n "${PREFIX}lb" -a none -t "$WORK/token" 2>&1); then
		echo "it has begun"
		return 1
	fi
	[[ $(wc -l <<<"$output") = 1 && "$output" =~ $1 ]] || {
		echo "it says: $output"
		return 1
	}
}

bad_tokens() {
	stop_lbd
	rm -f "$WORK/token"
	no_start "token file .*No such file"
	token_file "$TOKEN" 640
	no_start "token file .*0640.*chmod 600"
	token_file "$TOKEN" 604
	no_start "token file .*0604.*chmod 600"
	token_file fifteen-letters 600
	no_start "15 characters, expected 16 to 256"
	token_file "" 600
	no_start "0 characters"
	token_file "$(printf '%300s' '' | tr ' ' x)" 600
	no_start "expected 16 to 256"
	token_file "a token with blanks in it" 600
	no_start "letters, digits"
}

by_token() {
	local almost given="Authorization: Bearer $TOKEN"

	token_file "$TOKEN" 600
	start_lbd -t "$WORK/token"
	over_tcp refused 401 "Authorization: Bearer TOKEN" set "$W"
	ask -o /dev/null -D "$WORK/headers" -d "$W" "$URL/api/v1/backend/set"
	grep -i '^www-authenticate: bearer' "$WORK/headers" >/dev/null
	for almost in "${TOKEN%?}" "${TOKEN}x" "x${TOKEN#?}" "${TOKEN%?}x" ""; do
		over_tcp refused 401 "Authorization: Bearer TOKEN" set "$W" -H "Authorization: Bearer $almost"
	done
	over_tcp refused 401 "Authorization: Bearer TOKEN" set "$W" -H "Authorization: Basic $TOKEN"
	over_tcp refused 403 "Origin" set "$W" -H "$given" -H "Origin: http://localhost"
	of_type text/plain over_tcp refused 415 "application/json" set "$W" -H "$given"
	# With it, and at the socket without.
	over_tcp change set "$W" -H "$given"
	lb -j backend list web | grep '"weight": 7' >/dev/null
	BY=(--connect-to lbd:80:127.0.0.1:9406) # of this subshell; by any name
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}' -H "$given"
}

# ---- trouble -----------------------------------------------------------------------------------

# Another command has the lock, until it is let go.
hold_lock() {
	flock --no-fork "$RUN/lock" sleep 60 &
	HOLDER=$!
	wait_for 5 is_held "$RUN/lock"
}

let_go() {
	kill "$HOLDER"
	wait "$HOLDER" 2>/dev/null || true
}

worker() {
	"$PYTHON" - "$(<"$WORK/lbd.pid")" <<-'PYTHON'
		import pathlib, sys
		for task in pathlib.Path(f"/proc/{sys.argv[1]}/task").glob("*/children"):
		    for pid in task.read_text().split():
		        if not pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:\t")[1].startswith("0\t"):
		            print(pid)
	PYTHON
}

# The other child: what makes the change.
maker() {
	ps -o pid=,uid= --ppid "$(<"$WORK/lbd.pid")" | awk '$2 == 0 { print $1 }'
}

has_maker() {
	[ -n "$(maker)" ]
}

in_turn() {
	local i pids=()

	hold_lock
	for i in 1 2 3 4 5; do
		post "$WORK/answer.$i" add "{\"service\": \"few\", \"backend\": \"192.0.2.12:61$i\"}" \
			>"$WORK/status.$i" &
		pids+=($!)
	done
	# lbd itself waits for nobody.
	wait_for 5 has_maker
	[ "$(maker | wc -l)" = 1 ]
	ask --max-time 1 "$URL/healthz" >/dev/null
	let_go
	wait "${pids[@]}"
	[ "$(cat "$WORK"/status.[1-5])" = 200200200200200 ]
	for i in 1 2 3 4 5; do
		change del "{\"service\": \"few\", \"backend\": \"192.0.2.12:61$i\"}"
	done
}

locked_too_long() {
	hold_lock
	refused 503 "held .*lock for 5 s" set "$W"
	let_go
}

is_weight() {
	lb -j backend list web | "$PYTHON" -c '
import json, sys
sys.exit([row["weight"] for row in json.load(sys.stdin)][0] != int(sys.argv[1]))' "$1"
}

# Who does not wait for the answer has asked all the same; and a connection takes several requests.
client_gone() {
	local before

	before=$(worker)
	hold_lock
	! post "$WORK/answer" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 2}' --max-time 1 \
		>/dev/null 2>&1 || {
		echo "it was answered at once"
		return 1
	}
	let_go
	wait_for 10 is_weight 2
	ask "${BY[@]}" -v -H "$TYPE" -d '{"service": "web", "backend": "192.0.2.11:5000", "weight": 5}' \
		"http://lbd/api/v1/backend/{set,drain,set}" >"$WORK/answer" 2>"$WORK/curl.err"
	[ "$(grep -c '^< HTTP/1.1 200' "$WORK/curl.err")" = 2 ]
	[ "$(grep -c '^< HTTP/1.1 400' "$WORK/curl.err")" = 1 ]
	[ "$(grep -ciE '^\* re-using existing connection' "$WORK/curl.err")" = 2 ]
	is_weight 5
	[ "$(worker)" = "$before" ]
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}'
}

# The one that was asked for is made to its end; the document and the maps agree.
worker_killed() {
	local before pid asking

	before=$(worker)
	hold_lock
	post "$WORK/answer" set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 3}' >/dev/null 2>&1 &
	asking=$!
	wait_for 5 has_maker
	pid=$(maker)
	kill -9 "$before"
	! wait "$asking" || {
		echo "an answer came from nowhere"
		return 1
	}
	let_go
	wait_for 10 is_gone "$pid"
	lb -j backend list web | grep '"weight": 3' >/dev/null
	wait_for 10 healthy
	[ "$(worker)" != "$before" ]
	next_ports 600
	connect_many 4 80 1000
	is_spread "$WORK/conns" 3 1 1
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}'
}

maker_killed() {
	local before asking

	before=$(show)
	hold_lock
	post "$WORK/answer" set "$W" >"$WORK/status" &
	asking=$!
	wait_for 5 has_maker
	kill -9 "$(maker)"
	wait "$asking"
	[ "$(<"$WORK/status")" = 500 ]
	grep "cut off" "$WORK/answer" >/dev/null
	let_go
	[ "$(show)" = "$before" ]
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}'
}

# ---- where it is -------------------------------------------------------------------------------

several_places() {
	stop_lbd
	[ ! -e "$SOCKET" ] || {
		echo "the socket is still there"
		return 1
	}
	start_lbd -a "$WORK/one" -a 127.0.0.1:9407 -a "$WORK/two"
	ask -o /dev/null --unix-socket "$WORK/two" http://lbd/healthz
	ask -o /dev/null http://127.0.0.1:9407/healthz
	[ ! -e "$SOCKET" ]
	! ask -o /dev/null "$URL/healthz" 2>/dev/null || return 1
	BY=(--unix-socket "$WORK/two") # of this subshell
	change set '{"service": "web", "backend": "192.0.2.11:5000", "weight": 1}'
	stop_lbd
	[ "$(find "$WORK" -type s)" = "" ] || {
		find "$WORK" -type s
		return 1
	}
	# A file of somebody else's is no socket of an earlier lbd.
	echo precious >"$WORK/one"
	: >"$WORK/lbd.log"
	start_lbd -a "$WORK/two" -a "$WORK/one"
	grep "no admin port at $WORK/one" "$WORK/lbd.log" >/dev/null
	stop_lbd
	[ "$(<"$WORK/one")" = precious ]
}

main() {
	[ -x "$LBD" ] || die "no $LBD; run 'make' first"
	start_scenario
	trap end_changes EXIT
	start_all_nginx
	make_blob
	attach_all native
	add_web web 4 fullnat 80 1 1 1
	add_web few 4 fullnat 81 1
	lb service add h3 udp "$VIP4:443" quic-cid 1:4
	lb -q health set web http get / every 500ms timeout 450ms
	lb -q health set few tcp every 500ms timeout 450ms
	warm_up
	start_lbd
	wait_for 20 is_health up 4
	check "drained: no new connections, a download goes on" drains
	check "a weight" weighs
	check "added, set, deleted" adds_and_deletes
	check "answers and refusals are lbctl's" same_as_lbctl
	check "who may not: TCP, web pages, forms" who_may_not
	check "who may not: by the socket's permission, lbd's own user" by_permission
	check "requests that are refused" bad_requests
	check "bodies that are too large, or of no length" large_bodies
	check "changes one by one, and lbd waits for none" in_turn
	check "who goes away meanwhile, who asks again" client_gone
	check "the lock is held too long" locked_too_long
	check "the worker is killed in the middle" worker_killed
	check "what makes the change is killed" maker_killed
	check "tokens that are none" bad_tokens
	check "who has the token" by_token
	check "several places, none left behind" several_places
}

main
