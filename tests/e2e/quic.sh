#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# QUIC by connection id: clients that change address and port in the middle of a connection stay with
# the server that knows it, also while it drains; without ids they do not.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

PORT=4433
FIRST_ID=2560 # s1's less one
CONNECTIONS=30

id_of() {
	echo $((FIRST_ID + ${1#s}))
}

set_up_servers() {
	local name

	for name in "${SERVERS[@]}"; do
		start_in "$name" "quic-$name" "$PYTHON" "$TESTS/servers/quic_peer.py" serve "$name" $PORT \
			"$(id_of "$name")"
	done
	for name in "${SERVERS[@]}"; do
		wait_for 10 eval "in_ns $name ss -Hlun 'sport = :$PORT' | grep -q ." ||
			die "quic_peer.py in $name does not listen"
	done
}

# add_quic NAME FAMILY MODE PORT OPTIONS…
add_quic() {
	local name=$1 family=$2 server

	lb service add "$name" udp "$(vip_port "$family" "$4")" mode "$3" quic-cid 1:2 "${@:5}"
	for server in "${SERVERS[@]}"; do
		lb backend add "$name" "$(backend_of "$family" "$server" $PORT)" \
			server-id "$(id_of "$server")"
	done
}

# ask FAMILY PORT [FILE]
ask() {
	from client 20 "$PYTHON" "$TESTS/servers/quic_peer.py" ask "$(vip "$1")" "$2" $CONNECTIONS \
		"$(sources "$1")" "${@:3}"
}

# stays FAMILY MODE PORT: all connections, and every server has some.
stays() {
	add_quic "quic$3" "$1" "$2" "$3"
	ask "$1" "$3" >"$WORK/quic"
	cat "$WORK/quic"
	[ "$(grep -c ^reply "$WORK/quic")" = 3 ]
	# The servers' port is free for nat then.
	[ "$2" = nat ] || lb service del "quic$3"
}

# One server drains while its clients are about to move; its connections stay, new ones go elsewhere.
stays_while_draining() {
	local asking

	rm -f "$WORK/go" "$WORK/draining"
	ask 4 7000 "$WORK/go" >"$WORK/draining" &
	asking=$!
	wait_for 10 grep -q ^open "$WORK/draining"
	lb backend drain quic7000 "$(backend_of 4 s2 $PORT)"
	: >"$WORK/go"
	wait "$asking"
	grep "^reply s2 " "$WORK/draining"
	ask 4 7000 >"$WORK/drained"
	[ "$(grep -c "^reply s2 " "$WORK/drained")" = 0 ]
	lb backend ready quic7000 "$(backend_of 4 s2 $PORT)"
}

is_lost_without() {
	local server

	for server in "${SERVERS[@]}"; do
		lb backend set quic7000 "$(backend_of 4 "$server" $PORT)" server-id none
	done
	if ask 4 7000 >"$WORK/lost"; then
		return 1
	fi
	grep -q "unknown to" "$WORK/lost"
}

# A document with ids is the same after a way through YAML; what lists say.
is_shown() {
	lb config show >"$WORK/shown.yaml"
	grep -q 'quic-cid: "1:2"' "$WORK/shown.yaml"
	grep -q "server-id: $(id_of s3)" "$WORK/shown.yaml"
	lb config diff "$WORK/shown.yaml" | grep -x "no difference"
	sed "s/server-id: $(id_of s3)/server-id: 77/" "$WORK/shown.yaml" >"$WORK/other.yaml"
	lb config diff "$WORK/other.yaml" | grep "server-id $(id_of s3) -> 77"
	lb service list quic7000 | grep "nat quic-cid 1:2"
	lb backend list quic7000 | grep "server-id $(id_of s1)"
	lb -j backend list quic7000 | grep "\"server_id\": $(id_of s1)"
}

# refuses WORDS COMMAND…: one line with these words.
refuses() {
	local words=$1 said

	shift
	if said=$("$@" 2>&1); then
		return 1
	fi
	echo "$said"
	[ "$(wc -l <<<"$said")" = 1 ]
	grep -qF "$words" <<<"$said"
}

main() {
	start_scenario
	set_up_servers
	attach_all native
	warm_up
	check "fullnat, IPv4: clients move and stay" stays 4 fullnat 7002
	check "fullnat, IPv6: clients move and stay" stays 6 fullnat 7003
	check "nat, IPv4: clients move and stay" stays 4 nat 7000
	check "nat, IPv6: clients move and stay" stays 6 nat 7001
	check "also while their server drains" stays_while_draining
	check "shown, and the same through YAML" is_shown
	check "refused: an id twice" refuses "is the one of backend 192.0.2.11:$PORT" \
		lb backend set quic7000 "192.0.2.12:$PORT" server-id "$(id_of s1)"
	check "refused: an id too large" refuses "does not fit the 2 bytes of quic-cid 1:2, at most 65535" \
		lb backend set quic7000 "192.0.2.12:$PORT" server-id 65536
	check "refused: ids without a place" refuses "but the service no quic-cid" \
		lb service set quic7000 quic-cid off
	check "refused: for tcp" refuses "quic-cid is for udp only" \
		lb service add web tcp "$VIP4:80" quic-cid 1:2
	check "without ids clients that move are lost" is_lost_without
}

main
