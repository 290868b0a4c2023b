#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Mode local: three Flask processes on the balancer's own loopback addresses serve clients outside and
# on the host; weights, drain, a restart under load, UDP, and what is left on the host afterwards.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

CONNECTIONS=1200

loopback() {
	[ "$1" = 4 ] && echo 127.0.0.1 || echo ::1
}

start_process() {
	local family=$1 name=$2 port

	port=$(server_port "$name")
	start_in lb "flask$family-$name" "$PYTHON" "$TESTS/servers/flask_app.py" "$name" "$port" \
		"$(loopback "$family")"
	wait_for 20 from lb 2 curl -sfg "http://$(at "$family" "$name")/" ||
		die "$name does not answer on $(at "$family" "$name")"
}

start_processes() {
	local family name

	for family in 4 6; do
		for name in "${SERVERS[@]}"; do
			start_process "$family" "$name"
		done
	done
	for name in "${SERVERS[@]}"; do
		start_in lb "udp4-$name" "$PYTHON" "$TESTS/servers/udp_echo.py" "$name" 53 "127.0.0.${name#s}"
	done
	start_in lb udp6-s1 "$PYTHON" "$TESTS/servers/udp_echo.py" s1 53 ::1
	wait_for 10 has_udp_processes ||
		die "the UDP processes do not listen"
}

has_udp_processes() {
	[ "$(in_ns lb ss -Hlun "sport = :53" | wc -l)" = 4 ]
}

# at FAMILY NAME: where a process listens.
at() {
	[ "$1" = 4 ] && echo "127.0.0.1:$(server_port "$2")" || echo "[::1]:$(server_port "$2")"
}

# add_local FAMILY WEIGHT…: the service web with the three processes.
add_local() {
	local family=$1 name

	shift
	lb service add web tcp "$(vip_port "$family" 80)" mode local
	for name in "${SERVERS[@]}"; do
		lb backend add web "$(at "$family" "$name")" weight "$1"
		shift
	done
}

outside() {
	connect_many "$1" 80 "$CONNECTIONS" && is_spread "$WORK/conns" 2 1 1
}

on_host() {
	local conns

	conns=$(test_tool conns)
	from lb 60 "$conns" -n 300 -c 16 "$(vip "$1")" 80 >"$WORK/host" || {
		cat "$WORK/host"
		return 1
	}
	[ "$(grep -c ^reply "$WORK/host")" = 3 ] || {
		cat "$WORK/host"
		echo "not all three processes answered"
		return 1
	}
}

sees_client() {
	local client got

	client=$(sources "$1" | cut -d, -f2)
	got=$(from client 10 curl -sSg --interface "$client" "http://$(vip_port "$1" 80)/client")
	[ "${got#* }" = "$client" ] || {
		echo "the process sees '$got', not $client"
		return 1
	}
}

download() {
	local sum

	from "$2" 60 curl -sSg -D "$WORK/headers" -o "$WORK/got" "http://$(vip_port "$1" 80)/file/20"
	sum=$(sha256sum <"$WORK/got")
	grep -q "X-SHA256: ${sum%% *}" "$WORK/headers" || {
		echo "SHA-256 differs: $sum, $(grep X-SHA256 "$WORK/headers")"
		return 1
	}
}

udp_echo() {
	from "$2" 60 "$PYTHON" "$TESTS/servers/udp_client.py" "$(vip "$1")" 53 40 4 >"$WORK/udp" || {
		tail -n 5 "$WORK/udp"
		return 1
	}
	[ "$(grep -c ^reply "$WORK/udp")" = "$3" ] || {
		cat "$WORK/udp"
		echo "not all processes answered"
		return 1
	}
}

# A process that was drained restarts under load, and nobody notices.
restart_drained() {
	local family=$1

	start_load "$family" 80 100
	sleep 0.5
	lb backend drain web "$(at "$family" s2)"
	sleep 1
	stop_label "flask$family-s2"
	sleep 0.5
	start_process "$family" s2
	lb backend ready web "$(at "$family" s2)"
	sleep 1
	stop_load 80
}

# One that restarts without a word: who came meanwhile waits instead of being refused.
restart_unasked() {
	local family=$1 pids=() pid failed=0 before after

	stop_label "flask$family-s2"
	before=$(dropped no_listener)
	for pid in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		from client 40 curl -sfg --max-time 30 -o /dev/null "http://$(vip_port "$family" 80)/" &
		pids+=($!)
	done
	wait_for 10 eval "[ \"\$(dropped no_listener)\" -gt $before ]" || {
		echo "no connection met the process that was gone"
		return 1
	}
	start_process "$family" s2
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=$((failed + 1))
	done
	after=$(dropped no_listener)
	[ "$failed" = 0 ] || {
		echo "$failed of ${#pids[@]} connections failed ($((after - before)) packets waited)"
		return 1
	}
}

dropped() {
	lb -s stats drops | awk -v reason="$1" '$1 == reason { gsub(",", "", $2); count = $2 }
		END { print count + 0 }'
}

# A connection stays with its process while that is drained, and no new one comes to it.
drain() {
	local family=$1 pid server

	rm -f "$WORK/headers"
	from client 60 curl -sSg --limit-rate 10M -D "$WORK/headers" -o "$WORK/got" \
		"http://$(vip_port "$family" 80)/file/20" &
	pid=$!
	wait_for 20 grep -q X-Server "$WORK/headers"
	server=$(sed -n 's/^X-Server: \(s[0-9]\).*/\1/p' "$WORK/headers")
	lb backend drain web "$(at "$family" "$server")"
	connect_many "$family" 80 200
	wait "$pid"
	lb backend ready web "$(at "$family" "$server")"
	grep -q "X-SHA256: $(sha256sum <"$WORK/got" | cut -d' ' -f1)" "$WORK/headers" || {
		echo "the download from the drained $server is broken"
		return 1
	}
	! grep "^reply $server " "$WORK/conns" || {
		echo "the drained $server got new connections"
		return 1
	}
}

# With a backend elsewhere the service has both, and the host's own clients get the processes.
mixed() {
	local family=$1 remote

	remote=$(backend_of "$family" s3 5002)
	lb backend add web "$remote" mode fullnat weight 4
	connect_many "$family" 80 400
	on_host "$family"
	lb backend del web "$remote"
	grep -q "^reply nginx-s3 " "$WORK/conns" || {
		cat "$WORK/conns"
		echo "the server elsewhere got no connection"
		return 1
	}
}

refused() {
	local text

	! text=$(lb backend add web "$(backend_of 4 s1 5000)" 2>&1) || return 1
	grep -q "192.0.2.11:5000 is no address of this host" <<<"$text"
	! text=$(lb backend add dns 127.0.0.1:5300 2>&1) || return 1
	grep -q "answers from its own port" <<<"$text"
	! lb config show | grep -q "192.0.2.11\|5300"
}

arp_answers() {
	ip -n "${PREFIX}client" neigh flush dev eth0
	from client 5 curl -sSf --connect-timeout 3 -o /dev/null "http://$VIP4/"
}

arp_silent() {
	! arp_answers && [ "$(dropped arp_hidden)" -gt 0 ]
}

# Nothing of ours in the tables of routes and filters; what others have stays.
is_clean() {
	local left

	left=$(
		in_ns lb ip route show table local proto 108
		in_ns lb ip -6 route show table local proto 108
		in_ns lb tc filter show dev lo ingress
		in_ns lb tc filter show dev eth0 ingress | grep lb_local || true
		in_ns lb tc qdisc show dev lo | grep clsact || true
	)
	[ -z "$left" ] || {
		echo "left behind: $left"
		return 1
	}
	left=$(in_ns lb tc filter show dev eth0 ingress)
	[[ $left == *"pref 7"* ]] || {
		echo "the filter of somebody else is gone"
		return 1
	}
}

is_accounted() {
	local text

	text=$(lb stats)
	[[ $text =~ accounted:.*ok$ ]]
}

run_family() {
	local xdp=$1 family=$2 label="$1 IPv$2"

	add_local "$family" 2 1 1
	check "$label: $CONNECTIONS connections from outside spread 2:1:1" outside "$family"
	next_ports "$CONNECTIONS"
	check "$label: clients on the host" on_host "$family"
	check "$label: the process sees the client" sees_client "$family"
	check "$label: download of 20 MB, outside" download "$family" client
	check "$label: download of 20 MB, on the host" download "$family" lb
	lb service add dns udp "$(vip_port "$family" 53)" mode local
	if [ "$family" = 4 ]; then
		lb backend add dns 127.0.0.1
		lb backend add dns 127.0.0.2
		lb backend add dns 127.0.0.3
	else
		lb backend add dns ::1
	fi
	check "$label: UDP, outside" udp_echo "$family" client $((family == 4 ? 3 : 1))
	check "$label: UDP, on the host" udp_echo "$family" lb $((family == 4 ? 3 : 1))
	if [ "$xdp" = native ]; then
		lb backend set web "$(at "$family" s1)" weight 1
		check "$label: a drained process restarts under load" restart_drained "$family"
		check "$label: a process restarts without warning" restart_unasked "$family"
		check "$label: drained during a download" drain "$family"
		next_ports 200
		check "$label: with a server elsewhere" mixed "$family"
		next_ports 400
		[ "$family" = 6 ] || check "refused where it cannot work" refused
	fi
	check "$label: accounted" is_accounted
	lb service del web
	lb service del dns
}

# On this machine's kernel each program takes the verifier at most two thirds of what it may: 6.18
# walked lb_local four times as long as 6.1 before anyone saw.
has_room() {
	"$ROOT/build/tests/insns" lb_ >"$WORK/insns"
	cat "$WORK/insns" >&2
	grep '^insns lb_local' "$WORK/insns" >/dev/null
	awk '$4 > 666666 { print; is_over = 1 } END { exit is_over }' "$WORK/insns"
}

main() {
	local xdp family

	start_scenario
	start_processes
	start_nginx s3
	sed -i 's/return 200 "s3/return 200 "nginx-s3/' "$WORK/s3/nginx.conf"
	stop_label nginx-s3
	start_in s3 nginx-s3 nginx -e "$WORK/s3/error.log" -c "$WORK/s3/nginx.conf"
	wait_for 10 is_listening s3 5002
	in_ns lb tc qdisc add dev eth0 clsact
	in_ns lb tc filter add dev eth0 ingress pref 7 bpf bytecode '1,6 0 0 0,' flowid 1:1
	for xdp in native generic; do
		attach_all "$xdp"
		warm_up
		for family in 4 6; do
			run_family "$xdp" "$family"
		done
		check "$xdp: nothing left when the services are gone" is_clean
		[ "$xdp" = native ] || continue
		add_local 4 1 1 1
		check "the verifier accepts the programs with room" has_room
		ip -n "${PREFIX}client" route replace "$VIP4/32" dev eth0
		check "ARP is not answered unless asked" arp_silent
		lb -q attach eth0 arp on
		check "ARP is answered with 'arp on'" arp_answers
		lb -q attach eth0 arp off
		ip -n "${PREFIX}client" route del "$VIP4/32" dev eth0
		lb -q detach all
		check "nothing left after detach" is_clean
		lb service del web
	done
}

main
