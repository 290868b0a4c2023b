#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Modes that leave the packet as it is, with native XDP on both sides: services of either family and
# backends of either family. The servers unwrap by lbctl and answer the client by a way of their own,
# which does not pass the balancer; the client is told what fits. matrix.sh has the rest.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

BLOB_MB=2
DIRECT4=192.0.2.2
DIRECT6=2001:db8:2::2

# The client's second leg, on the servers' network, for answers only.
add_direct_way() {
	local server

	ip -n "${PREFIX}sw" link add direct type veth peer name eth1 netns "${PREFIX}client"
	in_ns client ethtool -K eth1 tx off >/dev/null
	in_ns client sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
	ip -n "${PREFIX}sw" link set direct master br0 up
	ip -n "${PREFIX}client" addr add "$DIRECT4/24" dev eth1
	ip -n "${PREFIX}client" addr add "$DIRECT6/64" dev eth1 nodad
	ip -n "${PREFIX}client" link set eth1 up
	for server in "${SERVERS[@]}"; do
		ip -n "$PREFIX$server" route add 198.51.100.0/24 via "$DIRECT4"
		ip -n "$PREFIX$server" route add 2001:db8:1::/64 via "$DIRECT6"
	done
}

agent() {
	local server=$1

	shift
	"$LBCTL" -n "$PREFIX$server" "$@"
}

set_up_servers() {
	local server

	for server in "${SERVERS[@]}"; do
		in_ns "$server" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		ip -n "$PREFIX$server" addr add "$VIP4/32" dev lo
		ip -n "$PREFIX$server" addr add "$VIP6/128" dev lo nodad
		agent "$server" -q attach eth0 mode native role backend from 192.0.2.1,2001:db8:2::1
		start_in "$server" "who-$server" "$PYTHON" "$TESTS/servers/who.py" "$server" 80 \
			"$WORK/blob"
	done
	for server in "${SERVERS[@]}"; do
		wait_for 10 is_listening "$server" 80 || die "who.py in $server does not listen"
	done
}

end_tunnel() {
	local status=$? server

	for server in "${SERVERS[@]}"; do
		[ ! -e "/run/netns/$PREFIX$server" ] || agent "$server" -q detach all >/dev/null || true
	done
	end_scenario "$status"
}

client_address() {
	[ "$1" = 4 ] && echo 198.51.100.2 || echo 2001:db8:1::2
}

# is_from_client WORDS: a server said its name and then the client's own address.
is_from_client() {
	echo "answered: $1"
	[[ $1 =~ ^s[123]\ $(client_address "$family")($|\ ) ]]
}

get() {
	from client 20 curl -sSg --connect-timeout 3 --interface "$(client_address "$family")" \
		"http://$(vip_port "$family" 80)/$1" "${@:2}"
}

forget_path_mtu() {
	ip -n "${PREFIX}client" route flush cache
	ip -n "${PREFIX}client" -6 route flush cache
}

download() {
	local got

	got=$(get blob | sha256sum)
	[ "$got" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

# The client's packets are larger than fits a tunnel until the balancer tells it.
upload() {
	local got

	forget_path_mtu
	got=$(get '' -T "$WORK/blob")
	is_from_client "$got"
	[[ "$(<"$WORK/blob.sha256")" == "${got##* } "* ]] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

told() {
	lb -s stats drops | awk '$1 == "mtu_told" { print $2 }'
}

# write_config MODE SERVICE-FAMILY BACKEND-FAMILY
write_config() {
	local mode=$1 proto server address

	echo "services:"
	for proto in tcp udp; do
		echo "  - name: $proto"
		echo "    protocol: $proto"
		echo "    address: \"$(vip_port "$2" 80)\""
		echo "    mode: $mode"
		echo "    backends:"
		for server in "${SERVERS[@]}"; do
			address=$(server_address "$server")
			[ "$3" = 4 ] || address=$(server_address6 "$server")
			echo "      - address: \"$address\""
		done
	done
}

# What the outer headers take from 1,500 bytes.
inner_mtu() {
	case $1$2 in
	ipip4) echo 1480 ;;
	ipip6) echo 1460 ;;
	gue4) echo 1472 ;;
	gue6) echo 1452 ;;
	esac
}

check_mode() {
	local mode=$1 family=$2 outer=$3 before what

	what="$mode, IPv$family by IPv$outer"
	write_config "$mode" "$family" "$outer" >"$WORK/lb.yaml"
	lb -q config apply "$WORK/lb.yaml" >/dev/null
	before=$(told)
	check "$what: download" download
	check "$what: upload" upload
	[ "$mode" != dsr ] || return 0
	check "$what: the client is told what fits" knows_mtu "$before" "$(inner_mtu "$mode" "$outer")"
}

knows_mtu() {
	[ "$(told)" -gt "$1" ] || {
		echo "mtu_told was not counted"
		return 1
	}
	ip -n "${PREFIX}client" route get "$(vip "$family")" | grep -o 'mtu [0-9]*' | grep -qx "mtu $2" || {
		ip -n "${PREFIX}client" route get "$(vip "$family")"
		echo "the client's path MTU is not $2"
		return 1
	}
}

refused() {
	agent s1 -s stats drops | awk '$1 == "tunnel_source" { print $2 }'
}

# What the balancer has received from the servers is next to nothing beside the downloads.
is_one_way() {
	local bytes

	bytes=$(ip -n "${PREFIX}lb" -s link show dev eth1 | awk '/RX:/ { getline; print $1 }')
	echo "$bytes bytes came in by eth1"
	[ "$bytes" -lt $((BLOB_MB * 1000000)) ]
}

refuses_strangers() {
	local before

	agent s1 -q attach eth0 role backend from 192.0.2.99,2001:db8:2:1::/64
	before=$(refused)
	if get '' --max-time 1; then
		echo "answered all the same"
		return 1
	fi
	[ "$(refused)" -gt "${before:-0}" ] || {
		echo "tunnel_source was not counted"
		return 1
	}
	agent s1 -q attach eth0 role backend from 192.0.2.0/24
	get ''
}

# 1,300 bytes less IPv6's header do not hold the 1,280 that a client may send.
refuses_narrow_way() {
	local said

	ip -n "${PREFIX}lb" route add 2001:db8:2::99/128 dev eth1 mtu 1300
	printf 'services:\n  - {name: tcp, protocol: tcp, address: "%s", mode: ipip, backends: [{address: "%s"}]}\n' \
		"$(vip_port 6 80)" 2001:db8:2::99 >"$WORK/narrow.yaml"
	if said=$(lb config apply "$WORK/narrow.yaml" 2>&1); then
		echo "not refused"
		return 1
	fi
	echo "$said"
	[[ $said == *"carries 1300 bytes and mode ipip takes 40 of them, so 20 are missing for IPv6"* ]]
	ip -n "${PREFIX}lb" route change 2001:db8:2::99/128 dev eth1 mtu 1320
	lb config apply "$WORK/narrow.yaml"
}

main() {
	local mode family outer

	start_scenario
	trap end_tunnel EXIT
	make_blob
	add_direct_way
	set_up_servers
	attach_all native
	warm_up
	for mode in dsr ipip gue; do
		for family in 4 6; do
			for outer in 4 6; do
				check_mode "$mode" "$family" "$outer"
			done
		done
	done
	check "answers do not pass the balancer" is_one_way
	family=4
	printf 'services:\n  - {name: tcp, protocol: tcp, address: "%s", mode: ipip, backends: [{address: %s}]}\n' \
		"$(vip_port 4 80)" "$(server_address s1)" >"$WORK/lb.yaml"
	lb -q config apply "$WORK/lb.yaml" >/dev/null
	check "a backend takes tunnels from its balancers only, and counts others" refuses_strangers
	check "a way that is too narrow is refused, with what is missing" refuses_narrow_way
}

main
