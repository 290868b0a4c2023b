#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Services on a range of ports, on all ports, and on a prefix of addresses, over real sockets: which
# server answers, and that it sees the address and port that the client asked for.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

FROM4=198.51.100.2
FROM6=2001:db8:1::2
WIDE4=203.0.113.64/26
WIDE6=2001:db8:77::/64

# The servers have all the addresses, and say so to nobody.
set_up_servers() {
	local server

	for server in "${SERVERS[@]}"; do
		in_ns "$server" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		ip -n "$PREFIX$server" addr add "$VIP4/32" dev lo
		ip -n "$PREFIX$server" route add local "$WIDE4" dev lo
		ip -n "$PREFIX$server" -6 route add local "$WIDE6" dev lo
		"$LBCTL" -n "$PREFIX$server" -q attach eth0 mode native role backend \
			from 192.0.2.1,2001:db8:2::1
		start_in "$server" "tcp-$server" "$PYTHON" "$TESTS/servers/ports.py" serve "$server" :: 6000 6009
		start_in "$server" "vip-$server" "$PYTHON" "$TESTS/servers/ports.py" serve "$server" "$VIP4" \
			5000 5011
	done
	start_in lb "local" "$PYTHON" "$TESTS/servers/ports.py" serve lb 127.0.0.1 7000 7003
	for server in "${SERVERS[@]}"; do
		wait_for 10 is_listening "$server" 6009 || die "ports.py in $server does not listen"
		wait_for 10 is_listening "$server" 5011 || die "ports.py in $server does not listen"
	done
	wait_for 10 is_listening lb 7003 || die "ports.py on the balancer does not listen"
}

end_zones() {
	local status=$? server

	for server in "${SERVERS[@]}"; do
		[ ! -e "/run/netns/$PREFIX$server" ] ||
			"$LBCTL" -n "$PREFIX$server" -q detach all >/dev/null || true
	done
	end_scenario "$status"
}

write_config() {
	cat <<-YAML
		services:
		  - {name: range, protocol: tcp, address: "$VIP4:5000-5009", mode: ipip, backends: [{address: 192.0.2.11}, {address: 192.0.2.12}]}
		  - {name: rest, protocol: tcp, address: "$VIP4:*", mode: dsr, backends: [{address: 192.0.2.13}]}
		  - {name: one, protocol: tcp, address: "$VIP4:5005", backends: [{address: "192.0.2.13:6005", mode: nat}]}
		  - {name: games, protocol: udp, address: "$VIP4:5000-5009", mode: ipip, backends: [{address: 192.0.2.11}]}
		  - {name: many, protocol: tcp, address: "$WIDE4:6000-6008", mode: ipip, backends: [{address: 192.0.2.11}, {address: 192.0.2.12}]}
		  - {name: few, protocol: tcp, address: "203.0.113.96/28:6000", mode: gue, backends: [{address: 192.0.2.13}]}
		  - {name: six, protocol: tcp, address: "[$WIDE6]:*", mode: gue, backends: [{address: 192.0.2.11}, {address: 192.0.2.12}]}
		  - {name: here, protocol: tcp, address: "203.0.113.20:7000-7002", mode: local, backends: [{address: 127.0.0.1}]}
		  - {name: here-udp, protocol: udp, address: "203.0.113.20:7000-7002", mode: local, backends: [{address: 127.0.0.1}]}
	YAML
}

# ask PROTO ADDRESS PORT
ask() {
	local from=$FROM4

	[[ $2 != *:* ]] || from=$FROM6
	from client 10 "$PYTHON" "$TESTS/servers/ports.py" ask "$1" "$from" "$2" "$3"
}

# gets SERVERS PROTO ADDRESS PORT…: each port answers, by one of the servers, as what was asked.
gets() {
	local servers=$1 proto=$2 address=$3 port got from=$FROM4

	[[ $address != *:* ]] || from=$FROM6
	shift 3
	for port in "$@"; do
		got=$(ask "$proto" "$address" "$port")
		echo "$address port $port: $got"
		[[ $got =~ ^($servers)\ $address\ $port\ $from$ ]]
	done
}

gets_nobody() {
	local got

	got=$(ask "$@")
	echo "$*: $got"
	[ "$got" = nobody ]
}

translated() {
	local got

	got=$(ask tcp "$VIP4" 5005)
	echo "$got"
	[ "$got" = "s3 192.0.2.13 6005 $FROM4" ]
}

answers_ping() {
	from client 5 ping -q -c 1 -W 2 203.0.113.120 >/dev/null
	from client 5 ping -q -c 1 -W 2 2001:db8:77::1234 >/dev/null
}

goes_as_said() {
	local said
	local -i port

	for port in 5003 5005 5010; do
		said=$(lb flow get tcp "$FROM4:40000" "$VIP4:$port")
		echo "$said"
		case $port in
		5003) [[ $said == "range: backend 192.0.2.1"[12]":5003 (ipip)"* ]] ;;
		5005) [[ $said == "one: backend 192.0.2.13:6005 (nat)"* ]] ;;
		5010) [[ $said == "rest: backend 192.0.2.13:5010 (dsr)"* ]] ;;
		esac
	done
}

comes_back() {
	lb config show >"$WORK/shown.yaml"
	lb config apply "$WORK/shown.yaml" dry-run >"$WORK/plan"
	cat "$WORK/plan"
	lb -j service list >"$WORK/list"
	grep -qF '"address": "203.0.113.64/26:6000-6008"' "$WORK/list"
	[ "$(lb config diff "$WORK/shown.yaml")" = "no difference" ]
}

main() {
	start_scenario
	trap end_zones EXIT
	set_up_servers
	attach_all native
	warm_up
	write_config >"$WORK/lb.yaml"
	lb -q config apply "$WORK/lb.yaml" >/dev/null
	check "ipip, a range of ports" gets "s1|s2" tcp "$VIP4" 5000 5001 5009
	check "dsr, all other ports" gets s3 tcp "$VIP4" 5010 5011
	check "one port within the range is a service of its own" translated
	check "udp, a range of ports" gets s1 udp "$VIP4" 5000 5005 5009
	check "udp, beside the range nobody answers" gets_nobody udp "$VIP4" 5010
	check "ipip, a prefix and a range" gets "s1|s2" tcp 203.0.113.64 6000 6001 6008
	check "ipip, the prefix's last address" gets "s1|s2" tcp 203.0.113.127 6000
	check "gue, a longer prefix in it" gets s3 tcp 203.0.113.97 6000
	check "what the longer prefix does not have is the shorter one's" gets "s1|s2" tcp 203.0.113.97 6001
	check "gue, an IPv6 prefix and all ports" gets "s1|s2" tcp 2001:db8:77::abcd 6000 6009
	check "behind the range nobody answers" gets_nobody tcp 203.0.113.70 6009
	check "local, a range of ports" gets lb tcp 203.0.113.20 7000 7001 7002
	check "local, udp" gets lb udp 203.0.113.20 7002
	check "local, behind the range nobody answers" gets_nobody tcp 203.0.113.20 7003
	check "addresses of a prefix answer ping" answers_ping
	check "lbctl flow get knows the most specific one" goes_as_said
	check "the document comes back as it was" comes_back
}

main
