#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# ICMP around services: their addresses answer pings, traceroute sees the balancer, and senders
# learn of links on the way that carry less than theirs do.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

BLOB_MB=10
SMALL=1300 # MTU of the narrow place

count_of() {
	lb -s stats drops | awk -v reason="$1" '$1 == reason { print $2 }'
}

# counts REASON COMMAND…: the command succeeds, and something was counted for the reason meanwhile.
counts() {
	local reason=$1 before after

	shift
	before=$(count_of "$reason")
	"$@"
	after=$(count_of "$reason")
	[ "$after" -gt "$before" ] || {
		echo "$reason was not counted"
		return 1
	}
}

ping_vip() {
	in_ns client ping -q -c 3 -i 0.1 -W 2 "$@" "$(vip "$family")"
}

is_silent() {
	! in_ns client ping -q -c 2 -i 0.1 -W 1 "$(vip "$family")"
}

# The balancer is the hop before the service, which answers from the next one.
traceroute_vip() {
	local out

	out=$(from client 20 traceroute -n -q 1 -w 2 -T -p 80 "$(vip "$family")")
	echo "$out"
	[ "$(tail -n +2 <<<"$out" | awk '{ print $1, $2 }')" = "$(printf '1 %s\n2 %s' \
		"$(vip "$family")" "$(vip "$family")")" ]
}

forget_path_mtu() {
	local name

	for name in client "${SERVERS[@]}"; do
		ip -n "$PREFIX$name" route flush cache
		ip -n "$PREFIX$name" -6 route flush cache
	done
}

download() {
	local got

	forget_path_mtu
	got=$(from client 60 curl -sSg "http://$(vip_port "$family" 80)/blob" | sha256sum)
	[ "$got" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

upload() {
	local got

	forget_path_mtu
	got=$(from client 60 curl -sSg -T "$WORK/blob" "http://$(vip_port "$family" 81)/")
	[ "${got#* }  -" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

add_services() {
	local family=$1 mode=$2 server

	lb service add up tcp "$(vip_port "$family" 81)" mode "$mode"
	for server in "${SERVERS[@]}"; do
		lb backend add up "$(backend_of "$family" "$server" 5100)"
	done
	add_web web "$family" "$mode" 80 1 1 1
}

del_services() {
	lb service del web
	lb service del up
}

# narrow IF VALUE: the balancer's own link carries so much.
narrow() {
	ip -n "${PREFIX}lb" link set "$1" mtu "$2"
	lb -q attach "$1"
	sleep 1.1 # next hops are believed for a second
}

# The balancer makes the errors itself: its way out is the narrow place.
own_errors() {
	local family mode

	for family in 4 6; do
		for mode in fullnat nat; do
			add_services "$family" "$mode"
			narrow eth1 "$SMALL"
			check "IPv$family $mode: upload, way to the backend narrow" counts mtu_told upload
			narrow eth1 1500
			narrow eth0 "$SMALL"
			check "IPv$family $mode: download, way to the client narrow" counts mtu_told download
			narrow eth0 1500
			del_services
		done
	done
}

pings() {
	local xdp family

	for xdp in native generic; do
		attach_all "$xdp"
		for family in 4 6; do
			add_web web "$family" fullnat 80 1 1 1
			check "$xdp IPv$family: ping" counts echo_reply ping_vip
			check "$xdp IPv$family: large pings" counts echo_reply ping_vip -s 1400
			check "$xdp IPv$family: traceroute" counts ttl_told traceroute_vip
			lb -q attach eth0 ping off
			check "$xdp IPv$family: silent with 'ping off'" is_silent
			lb -q attach eth0 ping on
			lb service del web
		done
		lb -q detach all
	done
}

main() {
	start_scenario
	make_blob
	start_all_nginx
	start_all_uploads
	warm_up
	pings
	attach_all native
	warm_up
	own_errors
}

main
