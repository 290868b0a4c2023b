#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Services whose fragments go by three-tuple: large datagrams arrive whatever the order of their
# fragments, and all of a client's at one server. With the table of fragments the order counts.
# Servers answer by themselves, through the balancer as any router.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

SIZE=4000
EACH=3
PORT=5300

# Enough clients for every server to have some.
add_clients() {
	local n

	for n in {21..36}; do
		ip -n "${PREFIX}client" addr add "198.51.100.$n/24" dev eth0
		ip -n "${PREFIX}client" addr add "2001:db8:1::$n/64" dev eth0 nodad
	done
}

# clients FAMILY
clients() {
	if [ "$1" = 4 ]; then
		echo 198.51.100.{21..36}
	else
		echo 2001:db8:1::{21..36}
	fi | tr ' ' ,
}

set_up_servers() {
	local server

	for server in "${SERVERS[@]}"; do
		in_ns "$server" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		ip -n "$PREFIX$server" addr add "$VIP4/32" dev lo
		ip -n "$PREFIX$server" addr add "$VIP6/128" dev lo nodad
		"$LBCTL" -n "$PREFIX$server" -q attach eth0 mode native role backend \
			from 192.0.2.1,2001:db8:2::1 >/dev/null
	done
	in_ns lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
	start_all_echoes
}

end_fragments() {
	local status=$? server

	for server in "${SERVERS[@]}"; do
		[ ! -e "/run/netns/$PREFIX$server" ] ||
			"$LBCTL" -n "$PREFIX$server" -q detach all >/dev/null || true
	done
	end_scenario "$status"
}

# add_sip FAMILY MODE OPTIONS…
add_sip() {
	local server family=$1 mode=$2

	shift 2
	lb service add sip udp "$(vip_port "$family" $PORT)" mode "$mode" "$@"
	for server in "${SERVERS[@]}"; do
		lb backend add sip "$(backend_of "$family" "$server" $PORT)"
	done
}

# ask FAMILY ORDER [CLIENTS]: into $WORK/asked.
ask() {
	from client 120 "$PYTHON" "$TESTS/servers/pieces.py" "$(vip "$1")" $PORT "$2" "$SIZE" $EACH \
		"${3:-$(clients "$1")}" >"$WORK/asked"
	cat "$WORK/asked"
}

# count_of REASON
count_of() {
	lb -s stats drops | awk -v reason="$1" '$1 == reason { gsub(",", ""); sum = $2 } END { print sum + 0 }'
}

# All are answered, at least by two servers, and each client by one.
is_by_three_tuple() {
	grep -x "failed 0" "$WORK/asked"
	[ "$(awk '$1 == "client" { print $3 }' "$WORK/asked" | sort -u | wc -l)" -ge 2 ]
	[ "$(grep -c ^client "$WORK/asked")" = 16 ]
}

# arrives FAMILY ORDER: by two later fragments a datagram at least.
arrives() {
	local before after

	before=$(count_of fragment_forwarded)
	ask "$1" "$2"
	is_by_three_tuple
	after=$(count_of fragment_forwarded)
	echo "$((after - before)) later fragments sent"
	[ $((after - before)) -ge $((2 * 16 * EACH)) ]
}

# What is small is one packet, and goes to the same server as the fragments.
whole_ones_agree() {
	local SIZE=100

	ask "$1" backwards
	awk '$1 == "client" { print $2, $3 }' "$WORK/asked" >"$WORK/small"
	SIZE=4000
	ask "$1" backwards
	is_by_three_tuple
	awk '$1 == "client" { print $2, $3 }' "$WORK/asked" | diff "$WORK/small" -
}

# flow get names the server that answered, whatever the port.
is_said() {
	local client server

	while read -r _ client server _; do
		[ "$server" != 0 ] || continue
		lb flow get udp "$client:4711" "$(vip_port 4 $PORT)" |
			grep "backend $(server_address "$server"):$PORT "
		lb flow get udp "$client:815" "$(vip_port 4 $PORT)" |
			grep "backend $(server_address "$server"):$PORT "
	done < <(grep ^client "$WORK/asked")
}

# The table needs the first one first: the order decides, and one client has several servers.
table_needs_order() {
	lb service set sip fragments table
	ask 4 kernel
	grep -x "failed 0" "$WORK/asked"
	[ "$(grep -c ^client "$WORK/asked")" -gt 16 ]
	ask 4 backwards "$CLIENTS4"
	grep -x "failed $((4 * EACH))" "$WORK/asked"
	lb service set sip fragments three-tuple
}

is_shown() {
	lb config show >"$WORK/shown.yaml"
	grep 'fragments: three-tuple' "$WORK/shown.yaml"
	lb config diff "$WORK/shown.yaml" | grep -x "no difference"
	sed '/fragments: three-tuple/d' "$WORK/shown.yaml" >"$WORK/other.yaml"
	lb config diff "$WORK/other.yaml" | grep "fragments three-tuple -> table"
	lb service list sip | grep "dsr stateless three-tuple"
	lb -j service list sip | grep '"fragments": "three-tuple"'
}

# refuses WORDS COMMAND…: one line with these words, and nothing is changed.
refuses() {
	local words=$1 said

	shift
	lb config show >"$WORK/before.yaml"
	if said=$("$@" 2>&1); then
		return 1
	fi
	echo "$said"
	[ "$(wc -l <<<"$said")" = 1 ]
	grep -F "$words" <<<"$said"
	lb config show | diff "$WORK/before.yaml" -
}

refusals() {
	check "refused: nat" refuses "needs mode dsr, ipip or gue: in nat" \
		lb service set sip mode nat
	check "refused: full NAT, also of one backend" \
		refuses "backend 192.0.2.11:$PORT: fragments three-tuple needs mode dsr, ipip or gue: in fullnat" \
		lb backend set sip "192.0.2.11:$PORT" mode fullnat
	check "refused: for tcp" refuses "fragments three-tuple is for udp only, this is tcp" \
		lb service add web tcp "$VIP4:80" mode dsr fragments three-tuple
	check "refused: with quic-cid" refuses "exclude each other" \
		lb service set sip quic-cid 1:2
	check "refused: a second udp service there" refuses "service dns is at $VIP4:53" \
		lb service add dns udp "$VIP4:53"
	check "refused: an unknown word" refuses "expected table or three-tuple" \
		lb service set sip fragments five-tuple
	check "allowed: tcp there, and udp elsewhere" beside
}

beside() {
	lb service add web tcp "$VIP4:80" mode dsr
	lb service add dns udp 203.0.113.11:53
	ask 4 backwards
	is_by_three_tuple
	lb service del web
	lb service del dns
}

main() {
	local family mode

	start_scenario
	trap end_fragments EXIT
	add_clients
	set_up_servers
	attach_all native
	warm_up
	for family in 6 4; do
		for mode in gue ipip dsr; do
			add_sip "$family" "$mode" stateless on fragments three-tuple
			check "IPv$family $mode: the last fragment first" arrives "$family" backwards
			[ "$family$mode" = 4dsr ] || lb service del sip
		done
	done
	check "in any order" arrives 4 shuffled
	check "as the kernel sends them" arrives 4 kernel
	check "whole packets go to the same server" whole_ones_agree 4
	check "flow get says so" is_said
	check "shown, and the same through YAML" is_shown
	refusals
	check "with the table the order counts, and the ports" table_needs_order
	lb service set sip stateless off
	check "with recorded flows" arrives 4 backwards
	check "flow get says so of recorded ones" is_said
}

main
