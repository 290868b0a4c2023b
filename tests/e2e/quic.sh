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
		in_ns "$name" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		ip -n "$PREFIX$name" addr add "$VIP4/32" dev lo
		ip -n "$PREFIX$name" addr add "$VIP6/128" dev lo nodad
		"$LBCTL" -n "$PREFIX$name" -q attach eth0 mode native role backend \
			from 192.0.2.1,2001:db8:2::1 >/dev/null
		start_in "$name" "quic-$name" "$PYTHON" "$TESTS/servers/quic_peer.py" serve "$name" $PORT \
			"$(id_of "$name")"
	done
	for name in "${SERVERS[@]}"; do
		wait_for 10 eval "in_ns $name ss -Hlun 'sport = :$PORT' | grep -q ." ||
			die "quic_peer.py in $name does not listen"
	done
	in_ns lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
}

# at FAMILY SERVER: an address of the balancer's own host, for the process that has the server's name.
at() {
	[ "$1" = 4 ] && echo "127.0.0.${2#s}" || echo "2001:db8:127::${2#s}"
}

set_up_processes() {
	local name family

	for name in "${SERVERS[@]}"; do
		ip -n "${PREFIX}lb" addr add "$(at 6 "$name")/128" dev lo nodad
		for family in 4 6; do
			start_in lb "quic$family-$name" "$PYTHON" "$TESTS/servers/quic_peer.py" serve \
				"$name" $PORT "$(id_of "$name")" "$(at "$family" "$name")"
		done
	done
	wait_for 10 has_processes || die "quic_peer.py in lb does not listen"
}

has_processes() {
	[ "$(in_ns lb ss -Hlun "sport = :$PORT" | wc -l)" = 6 ]
}

end_quic() {
	local status=$? name

	for name in "${SERVERS[@]}"; do
		[ ! -e "/run/netns/$PREFIX$name" ] ||
			"$LBCTL" -n "$PREFIX$name" -q detach all >/dev/null || true
	done
	end_scenario "$status"
}

# backend MODE FAMILY SERVER
backend() {
	if [ "$1" != local ]; then
		backend_of "$2" "$3" $PORT
	elif [ "$2" = 4 ]; then
		echo "$(at 4 "$3"):$PORT"
	else
		echo "[$(at 6 "$3")]:$PORT"
	fi
}

# add_quic NAME FAMILY MODE PORT OPTIONS…
add_quic() {
	local name=$1 family=$2 mode=$3 server

	lb service add "$name" udp "$(vip_port "$family" "$4")" mode "$mode" quic-cid 1:2 "${@:5}"
	for server in "${SERVERS[@]}"; do
		lb backend add "$name" "$(backend "$mode" "$family" "$server")" \
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
	lb service del "quic$3" >/dev/null 2>&1 || true # of a check that failed
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
	local family mode

	start_scenario
	trap end_quic EXIT
	set_up_servers
	set_up_processes
	attach_all native
	warm_up
	check "fullnat, IPv4: clients move and stay" stays 4 fullnat 7002
	check "fullnat, IPv6: clients move and stay" stays 6 fullnat 7003
	check "nat, IPv4: clients move and stay" stays 4 nat 7000
	check "nat, IPv6: clients move and stay" stays 6 nat 7001
	for family in 4 6; do
		for mode in dsr ipip gue local; do
			check "$mode, IPv$family: clients move and stay" stays $family $mode $PORT
		done
	done
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
