#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbcache in TLS, by itself and beside the datapath: certificates by name, tickets, files read anew, who is
# trusted among the backends, and what becomes of its clients when it is killed.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBCACHE=${LBCACHE:-$ROOT/lbcache}
FRONT=198.51.100.1
ALONE=https://a.example:8443
WEB=https://web.example

# make_certificate FILE NAME…: FILE.pem and FILE.key, for the names, by itself.
make_certificate() {
	local file=$WORK/$1 names=DNS:$2 name

	shift 2
	for name in "$@"; do
		names+=,$name
	done
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=${names#DNS:}" \
		-addext "subjectAltName=$names" -keyout "$file.key.new" -out "$file.pem.new" 2>/dev/null
	mv "$file.key.new" "$file.key"
	mv "$file.pem.new" "$file.pem"
	cat "$WORK"/*.pem >"$WORK/all"
}

get() {
	in_ns client curl -sS --max-time 10 --cacert "$WORK/all" --resolve "*:8443:$FRONT" --resolve "*:443:$VIP4" "$@"
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

# shake WORDS…: what 'openssl s_client' says of one handshake with the lbcache by itself.
shake() {
	in_ns client timeout 5 openssl s_client -connect "$FRONT:8443" "$@" </dev/null 2>&1 || true
}

start_alone() {
	start_in lb alone "$LBCACHE" -n "${PREFIX}lb" --listen "$FRONT:8443" --backend 192.0.2.11:5000 --threads 2 \
		--ttl 60 --control "$WORK/alone.sock" --metrics 127.0.0.1:9407 \
		--cert "$WORK/both.pem" --cert "$WORK/b.pem" --key "$WORK/b.key"
	wait_for 5 is_listening lb 8443 || die "lbcache: $(cat "$(run_dir)/alone.log")"
}

figure() {
	in_ns lb curl -sSf http://127.0.0.1:9407/metrics | awk -v name="lbcache_$1" '$1 == name { print $2 }'
}

by_name() {
	shake -servername a.example | grep -q 'subject=CN = a.example'
	shake -servername www.b.example | grep -q 'subject=CN = \*.b.example'
	shake -servername WWW.B.example | grep -q 'subject=CN = \*.b.example'
	shake -servername x.www.b.example | grep -q 'subject=CN = a.example'
	shake -noservername | grep -q 'subject=CN = a.example'
	get -o /dev/null "$ALONE/h/names"
	get -o /dev/null https://www.b.example:8443/h/names
}

protocols() {
	shake -servername a.example -alpn http/1.1 | grep -q 'ALPN protocol: http/1.1'
	shake -servername a.example | grep -q 'No ALPN negotiated'
	shake -servername a.example -alpn foo | grep -q 'alert no application protocol'
}

versions() {
	shake -tls1_2 | grep -q 'Protocol *: TLSv1.2'
	shake -tls1_3 | grep -q 'New, TLSv1.3'
	shake -tls1_1 -cipher 'ALL:@SECLEVEL=0' | grep -q 'alert protocol version'
	shake -tls1_2 -cipher 'AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA' | grep -q 'alert handshake failure'
}

tickets_1_2() {
	shake -servername a.example -tls1_2 -sess_out "$WORK/session" | grep -q '^New'
	shake -servername a.example -tls1_2 -sess_in "$WORK/session" | grep -q '^Reused'
}

# Tickets come after the handshake: s_client stays for an answer.
tickets_1_3() {
	local _

	(
		printf 'GET /h/t HTTP/1.1\r\nHost: a.example:8443\r\nConnection: close\r\n\r\n'
		sleep 0.3
	) | in_ns client timeout 5 openssl s_client -connect "$FRONT:8443" -servername a.example -tls1_3 \
		-sess_out "$WORK/session13" -quiet >/dev/null 2>&1 || true
	# Whichever thread takes it, and after new files too.
	for _ in 1 2 3 4; do
		shake -servername a.example -tls1_3 -sess_in "$WORK/session13" | grep -q '^Reused'
		kill -HUP "$(<"$(run_dir)/alone.pid")"
	done
	[ "$(figure tls_resumed_total)" -ge 4 ]
}

pages() {
	get -o /dev/null "$ALONE/h/page"
	has 'cache-status: lbcache; hit' "$ALONE/h/page"
	get -r 5-8 "$ALONE/h/large?size=300000" >"$WORK/part"
	get "$ALONE/h/large?size=300000" >"$WORK/large"
	cmp "$WORK/part" <(tail -c +6 "$WORK/large" | head -c 4)
	[ "$(wc -c <"$WORK/large")" = 300000 ]
	head -c 3000000 /dev/urandom >"$WORK/body"
	get -T "$WORK/body" -H 'Expect: 100-continue' "$ALONE/echo" | cmp - "$WORK/body"
}

client_is_told() {
	local echo

	echo=$(get "$ALONE/echo" | tr -d '\r')
	grep -qx 'X-Forwarded-Proto: https' <<<"$echo"
	grep -qx 'Forwarded: for=198.51.100.2;host="a.example:8443";proto=https' <<<"$echo"
	# The scheme is part of what a page is stored by.
	get -o /dev/null "$ALONE/h/scheme"
	if purge "http://a.example:8443/h/scheme"; then
		echo "a page of https is purged as one of http"
		return 1
	fi
	purge "$ALONE/h/scheme"
}

purge() {
	"$PYTHON" - "$WORK/alone.sock" "$1" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(f"purge hard url {sys.argv[2]}\n".encode())
sys.exit(json.loads(s.makefile().read())["purged"] != 1)
PY
}

serial() {
	shake -servername www.b.example | openssl x509 -noout -serial
}

is_renewed() {
	[ "$(serial)" != "$1" ]
}

# New files while clients come all the time: nobody is refused, and the old ones are not met again.
reload() {
	local before pid _

	before=$(serial)
	in_ns client wrk -t 1 -c 8 -d 2s -H 'Connection: close' -H 'Host: a.example' \
		"https://$FRONT:8443/h/page" >"$WORK/wrk" &
	pid=$!
	for _ in 1 2 3 4 5 6; do
		make_certificate b '*.b.example'
		kill -HUP "$(<"$(run_dir)/alone.pid")"
		wait_for 2 is_renewed "$before"
		before=$(serial)
	done
	wait "$pid"
	if grep -E 'Socket errors|Non-2xx' "$WORK/wrk"; then
		return 1
	fi
	get -o /dev/null https://www.b.example:8443/h/names
}

# The key of another certificate: one line, and the old pair stays.
bad_files() {
	local before lines

	before=$(serial)
	lines=$(wc -l <"$(run_dir)/alone.log")
	cp "$WORK/b.key" "$WORK/b.key.good"
	cp "$WORK/a.key" "$WORK/b.key"
	kill -HUP "$(<"$(run_dir)/alone.pid")"
	wait_for 2 grep -q 'b.pem: the key does not belong to it; the certificates stay' "$(run_dir)/alone.log"
	[ "$(wc -l <"$(run_dir)/alone.log")" = $((lines + 1)) ]
	[ "$(serial)" = "$before" ]
	rm "$WORK/b.key"
	kill -HUP "$(<"$(run_dir)/alone.pid")"
	wait_for 2 grep -q 'b.key: No such file or directory; the certificates stay' "$(run_dir)/alone.log"
	[ "$(serial)" = "$before" ]
	mv "$WORK/b.key.good" "$WORK/b.key"
}

# refused EXIT TEXT WORDS…: lbcache ends so at once, with one such line.
refused() {
	local expected=$1 text=$2 said status=0

	shift 2
	said=$(in_ns lb timeout 5 "$LBCACHE" --control "$WORK/x.sock" --listen "$FRONT:9443" --backend 192.0.2.11:5000 "$@" \
		2>&1 | grep -v 'descriptors are too few'; exit "${PIPESTATUS[0]}") || status=$?
	if [ "$status" != "$expected" ] || [[ $said != *"$text"* ]] || [ "$(wc -l <<<"$said")" != 1 ]; then
		echo "$*: exit $status: $said"
		return 1
	fi
}

bad_starts() {
	echo nothing >"$WORK/nothing"
	refused 1 'a.pem: the key does not belong to it' --cert "$WORK/a.pem" --key "$WORK/b.key"
	refused 1 'a.pem: there is no key in it or beside it' --cert "$WORK/a.pem"
	refused 1 'nothing: there is no certificate in it' --cert "$WORK/nothing" --key "$WORK/a.key"
	refused 1 'missing: No such file' --cert "$WORK/missing"
	refused 1 'nothing: there is no certificate in it' --cert "$WORK/both.pem" --backend-tls --verify "$WORK/nothing"
	refused 2 'follows no --cert' --key "$WORK/a.key"
	refused 2 '--backend-tls needs --cert' --backend-tls
	refused 2 '--verify is for --backend-tls' --cert "$WORK/both.pem" --verify off
}

half_open() {
	start_in client half "$PYTHON" "$TESTS/servers/half_open.py" "$FRONT" 8443 40
	wait_for 5 grep -qx open "$(run_dir)/half.log"
	[ "$(figure active_connections)" -ge 40 ]
	wait_for 9 grep -q '^closed' "$(run_dir)/half.log"
	grep -qE '^closed [4-6]\.' "$(run_dir)/half.log" || {
		cat "$(run_dir)/half.log"
		return 1
	}
	[ "$(figure timeouts_total)" -ge 40 ]
}

# ---- beside the datapath, with backends in TLS -----------------------------------------------------

start_tls_nginx() {
	local name=$1 dir=$WORK/$1

	mkdir -p "$dir"
	cat >"$dir/nginx.conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path $dir;
	proxy_temp_path $dir;
	fastcgi_temp_path $dir;
	uwsgi_temp_path $dir;
	scgi_temp_path $dir;
	server {
		listen 443 ssl;
		ssl_certificate $WORK/$2.pem;
		ssl_certificate_key $WORK/$2.key;
		location / { return 200 "$name \$ssl_server_name\n"; }
	}
}
CONF
	start_in "$name" "nginx-$name" nginx -e "$dir/error.log" -c "$dir/nginx.conf"
	wait_for 10 is_listening "$name" 443 || die "nginx in $name does not listen"
}

start_joined() {
	start_in lb joined "$LBCACHE" -n "${PREFIX}lb" --threads 2
	wait_for 5 lb -q cache status || die "lbcache: $(cat "$(run_dir)/joined.log")"
}

joined_hits() {
	wait_for 5 has 'cache-status: lbcache; hit' "$WEB/" 2>/dev/null || has 'cache-status: lbcache; hit' "$WEB/"
	[[ $(get "$WEB/") =~ ^s[12]\ web.example$ ]]
}

# Each on a connection of its own; without lbcache the answers are the backends' own.
new_connections() {
	local urls=() _

	for _ in $(seq 20); do
		urls+=("$WEB/h/$RANDOM")
	done
	get -f -H 'Connection: close' "${urls[@]}" >"$WORK/answers"
	[ "$(grep -c '^s[12] web.example$' "$WORK/answers")" = 20 ]
}

killed() {
	local pid _

	in_ns client wrk -t 1 -c 4 -d 20s -H 'Connection: close' -H 'Host: web.example' "https://$VIP4/" >"$WORK/wrk" 2>&1 &
	pid=$!
	for _ in 1 2 3; do
		joined_hits
		kill -9 "$(<"$(run_dir)/joined.pid")"
		sleep 0.001
		new_connections || {
			kill "$pid"
			return 1
		}
		! has 'cache-status' "$WEB/" >/dev/null || return 1
		start_joined
	done
	kill "$pid" || cat "$WORK/wrk"
	wait "$pid" || true
}

# has_new PATTERN URL: of a page that nobody asked for before.
has_new() {
	NEW=$((${NEW:-0} + 1))
	has "$1" "$2/h/new-$BASHPID-$NEW"
}

# A backend with a certificate that nobody vouches for: not asked, said aloud, unless told otherwise.
verified() {
	lb backend add web 192.0.2.13:443
	lb backend del web 192.0.2.11:443
	lb backend del web 192.0.2.12:443
	wait_for 5 has_new 'HTTP/[0-9.]+ 502' "$WEB"
	grep -q 'backend 192.0.2.13:443 gets no requests in TLS: self-signed certificate' "$(run_dir)/joined.log"
	lb cache on web verify "$WORK/other.pem"
	wait_for 5 has 'HTTP/[0-9.]+ 200' "$WEB/h/trusted"
	lb cache on web verify on
	wait_for 5 has_new 'HTTP/[0-9.]+ 502' "$WEB"
	lb cache on web verify off
	wait_for 5 has 'HTTP/[0-9.]+ 200' "$WEB/h/off"
	# And one whose certificate is good, but for another name.
	lb cache on web verify "$WORK/other.pem"
	wait_for 5 has_new 'HTTP/[0-9.]+ 502' https://www.web.example
	lb backend add web 192.0.2.11:443
	lb backend add web 192.0.2.12:443
	lb backend del web 192.0.2.13:443
	lb cache on web verify on
}

joined_reload() {
	local before

	before=$(joined_serial)
	make_certificate web web.example DNS:www.web.example
	kill -HUP "$(<"$(run_dir)/joined.pid")"
	wait_for 3 joined_is_renewed "$before"
}

joined_serial() {
	in_ns client timeout 5 openssl s_client -connect "$VIP4:443" -servername web.example </dev/null 2>/dev/null |
		openssl x509 -noout -serial
}

joined_is_renewed() {
	[ "$(joined_serial)" != "$1" ]
}

document() {
	lb config show >"$WORK/now.yaml"
	grep -q "certificate: \"$WORK/web.pem\"" "$WORK/now.yaml"
	lb cache on web tls off
	lb config diff "$WORK/now.yaml" | grep '~ service web: cache tls' >/dev/null
	lb config apply "$WORK/now.yaml"
	lb config show | cmp - "$WORK/now.yaml"
}

joined_refused() {
	local text words expected

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
		cache on web tls $WORK/a.pem key $WORK/b.key|service web: certificate $WORK/a.pem: the key does not belong to it
		cache on web tls $WORK/missing|service web: certificate $WORK/missing: No such file
		cache on web tls $WORK/a.pem|there is no key in it or beside it
		cache on web tls a.pem|tls 'a.pem' is not possible
		cache on web key $WORK/a.key|key '$WORK/a.key' is not possible
		cache on web tls $WORK/both.pem,$WORK/both.pem key $WORK/a.key|is not possible
		cache on web verify $WORK/nothing|there is no certificate in it
		cache on web verify perhaps|verify 'perhaps' is not possible
		cache on clear verify off|'tls' has no certificate
	WORDS
	joined_hits
}

main() {
	start_scenario
	make_certificate a a.example
	make_certificate b '*.b.example'
	make_certificate web web.example DNS:www.web.example
	make_certificate other web.example
	cat "$WORK/a.pem" "$WORK/a.key" >"$WORK/both.pem"
	start_in s1 pages "$PYTHON" "$TESTS/servers/pages.py" s1 5000
	wait_for 10 is_listening s1 5000
	start_alone
	check "RFC 6066 3: the certificate goes by the name that is asked for" by_name
	check "RFC 7301 3.2: a protocol that both know, or an alert" protocols
	check "RFC 8996, RFC 9325 4: no old version, no key exchange without forward secrecy" versions
	check "RFC 5077 3: a ticket resumes a session of TLS 1.2" tickets_1_2
	check "RFC 8446 4.6.1: and of TLS 1.3, at each thread and after new files" tickets_1_3
	check "pages, ranges and bodies as in clear" pages
	check "RFC 7239 5.4: the backend is told the scheme, and so is the key" client_is_told
	check "new files are taken while clients come" reload
	check "bad ones are refused in one line, and the old ones stay" bad_files
	check "nothing half done at the start" bad_starts
	check "who begins TLS and goes no further is counted, and ended after 5 s" half_open
	stop_label alone
	start_tls_nginx s1 web
	start_tls_nginx s2 web
	start_tls_nginx s3 other
	attach_all native
	warm_up
	lb service add web tcp "$VIP4:443"
	lb backend add web 192.0.2.11:443
	lb backend add web 192.0.2.12:443
	lb service add clear tcp "$VIP4:80"
	lb -q cache on clear
	lb -q cache on web ttl 60s tls "$WORK/web.pem" key "$WORK/web.key"
	start_joined
	check "beside the datapath: pages come from memory, in TLS, from backends in TLS" joined_hits
	check "killed 3 times under load: the backends answer new connections in TLS" killed
	check "RFC 9110 4.3.4: only backends that are trusted are asked" verified
	check "the document has it" document
	check "refused in one line, and the service goes on" joined_refused
	check "SIGHUP: new files beside the datapath too" joined_reload
}

main
