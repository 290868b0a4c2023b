#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# ICMP around services: their addresses answer pings, traceroute sees the balancer, and senders
# learn of links on the way that carry less than theirs do. And datagrams in fragments.
#
#   far ── client ── eth0 lb eth1 ── switch ── s1 ── deep      client and s1 are routers here, and
#         198.51.100.200                          192.0.2.100   their way outwards is narrow
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

BLOB_MB=10
SMALL=1300 # MTU of the narrow place

FAR4=198.51.100.200
FAR6=2001:db8:3::200
DEEP4=192.0.2.100
DEEP6=2001:db8:4::100

# add_leaf NAME ROUTER IPV4 IPV6: a host behind a router, which the balancer's side knows. Its own
# link is wide, so that only the router's error tells it or its peer of the narrow way.
add_leaf() {
	local name=$1 router=$2 v4=$3 v6=$4 via4 via6

	via4=198.51.100.2 via6=2001:db8:1::2
	[ "$router" = client ] || {
		via4=192.0.2.11
		via6=2001:db8:2::11
	}
	ip netns add "$PREFIX$name"
	ip -n "$PREFIX$name" link set lo up
	ip -n "$PREFIX$router" link add leaf type veth peer name eth0 netns "$PREFIX$name"
	in_ns "$router" ethtool -K leaf tx off >/dev/null
	in_ns "$name" ethtool -K eth0 tx off >/dev/null
	in_ns "$router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	ip -n "$PREFIX$name" addr add "$v4/32" dev eth0
	ip -n "$PREFIX$name" addr add "$v6/128" dev eth0 nodad
	ip -n "$PREFIX$name" link set eth0 up
	ip -n "$PREFIX$router" link set leaf up
	ip -n "$PREFIX$router" route add "$v4/32" dev leaf mtu lock "$SMALL"
	ip -n "$PREFIX$router" route add "$v6/128" dev leaf mtu lock "$SMALL"
	ip -n "$PREFIX$name" route add "$via4/32" dev eth0
	ip -n "$PREFIX$name" route add default via "$via4" src "$v4"
	ip -n "$PREFIX$router" addr add fe80::1/64 dev leaf nodad
	ip -n "$PREFIX$name" route add default via fe80::1 dev eth0 src "$v6"
	ip -n "${PREFIX}lb" route add "$v4/32" via "$via4"
	ip -n "${PREFIX}lb" route add "$v6/128" via "$via6"
}

del_leaves() {
	local name pids

	for name in far deep; do
		[ -e "/run/netns/$PREFIX$name" ] || continue
		pids=$(ip netns pids "$PREFIX$name")
		# shellcheck disable=SC2086  # one word per pid
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
		ip netns del "$PREFIX$name"
	done
}

end_icmp() {
	local status=$?

	del_leaves
	end_scenario "$status"
}

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

	for name in client far deep "${SERVERS[@]}"; do
		ip -n "$PREFIX$name" route flush cache
		ip -n "$PREFIX$name" -6 route flush cache
	done
}

download() {
	local got who=${1:-client}

	forget_path_mtu
	got=$(from "$who" 60 curl -sSg "http://$(vip_port "$family" 80)/blob" | sha256sum)
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

# set_mtu IF VALUE: the balancer's own link carries so much.
set_mtu() {
	ip -n "${PREFIX}lb" link set "$1" mtu "$2"
	lb -q attach "$1"
}

# own_errors_of COMMAND NAME: the way out that it meets is the narrow place, in every mode.
own_errors_of() {
	local family mode

	sleep 1.1 # next hops are believed for a second
	for family in 4 6; do
		for mode in fullnat nat; do
			add_services "$family" "$mode"
			check "IPv$family $mode: $2" counts mtu_told "$1"
			del_services
		done
	done
}

# The balancer makes the errors itself.
own_errors() {
	set_mtu eth1 "$SMALL"
	own_errors_of upload "upload, way to the backend narrow"
	set_mtu eth1 1500
	set_mtu eth0 "$SMALL"
	own_errors_of download "download, way to the client narrow"
	set_mtu eth0 1500
	sleep 1.1
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

# Others make them, on either side of the balancer.
others_errors() {
	local family mode deep

	for family in 4 6; do
		deep=$DEEP4:5100
		[ "$family" = 4 ] || deep=[$DEEP6]:5100
		for mode in fullnat nat; do
			add_web web "$family" "$mode" 80 1 1 1
			lb service add up tcp "$(vip_port "$family" 81)" mode "$mode"
			lb backend add up "$deep"
			check "IPv$family $mode: download, a router of the client's is narrow" \
				counts icmp_forwarded download far
			check "IPv$family $mode: upload, a router before the backend is narrow" \
				counts icmp_replied upload
			del_services
		done
	done
}

# Datagrams of several fragments there and back, each from a port of its own.
large_datagrams() {
	from client 30 "$PYTHON" - "$(vip "$family")" <<'PY'
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
lost = 0
for number in range(40):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((sys.argv[1], 53))
        data = os.urandom(1500 + 900 * (number % 8))
        for _ in range(3):
            try:
                sock.send(data)
                back = sock.recv(65535)
                break
            except TimeoutError:
                lost += 1
        else:
            sys.exit(f"no answer to {len(data)} bytes")
        if back.partition(b" ")[2] != data:
            sys.exit(f"{len(data)} bytes came back changed")
print(f"{lost} asked again")
PY
}

fragments() {
	local family mode server

	for family in 4 6; do
		for mode in fullnat nat; do
			lb service add dns udp "$(vip_port "$family" 53)" mode "$mode"
			for server in "${SERVERS[@]}"; do
				lb backend add dns "$(backend_of "$family" "$server" 5300)"
			done
			check "IPv$family $mode: large datagrams" \
				counts fragment_forwarded counts fragment_replied large_datagrams
			lb service del dns
		done
	done
}

# Frames of 9000 bytes, which native XDP sees in several buffers.
widen() {
	local name

	for name in client lb; do
		ip -n "$PREFIX$name" link set eth0 mtu 9000
	done
	ip -n "${PREFIX}lb" link set eth1 mtu 9000
	for name in lb "${SERVERS[@]}" br0; do
		ip -n "${PREFIX}sw" link set "$name" mtu 9000
	done
	for name in "${SERVERS[@]}"; do
		ip -n "$PREFIX$name" link set eth0 mtu 9000
	done
}

# is_jumbo COMMAND…: it succeeds, and what comes in at s1 for it is few frames.
is_jumbo() {
	local before after

	before=$(in_ns s1 cat /sys/class/net/eth0/statistics/rx_packets)
	"$@"
	after=$(in_ns s1 cat /sys/class/net/eth0/statistics/rx_packets)
	[ $((after - before)) -lt $((BLOB_MB * 1048576 / 4000)) ] || {
		echo "$((after - before)) frames for $BLOB_MB MB"
		return 1
	}
}

jumbo() {
	local family mode

	widen
	lb -q attach eth0
	lb -q attach eth1
	for family in 4 6; do
		for mode in fullnat nat; do
			add_web web "$family" "$mode" 80 1
			lb service add up tcp "$(vip_port "$family" 81)" mode "$mode"
			lb backend add up "$(backend_of "$family" s1 5100)"
			check "IPv$family $mode: MTU 9000, upload" is_jumbo upload
			check "IPv$family $mode: MTU 9000, download" is_jumbo download
			check "IPv$family $mode: MTU 9000, ping" counts echo_reply ping_vip -s 8000 -M "do"
			del_services
		done
	done
}

main() {
	start_scenario
	trap end_icmp EXIT
	add_leaf far client "$FAR4" "$FAR6"
	add_leaf deep s1 "$DEEP4" "$DEEP6"
	make_blob
	start_all_nginx
	start_all_uploads
	start_all_echoes
	start_in deep upload-deep "$PYTHON" "$TESTS/servers/upload.py" deep 5100
	wait_for 10 is_listening deep 5100 || die "upload in deep does not listen"
	warm_up
	pings
	attach_all native
	warm_up
	own_errors
	others_errors
	fragments
	jumbo
}

main
