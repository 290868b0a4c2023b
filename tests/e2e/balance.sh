#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Real connections over weighted backends: native and generic XDP, IPv4 and IPv6, both modes.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

CONNECTIONS=3000

spread() {
	local family=$1

	connect_many "$family" 80 "$CONNECTIONS" && is_spread "$WORK/conns" 2 1 1
}

download() {
	local family=$1 got

	got=$(from client 60 curl -sSg "http://$(vip_port "$family" 80)/blob" | sha256sum)
	[ "$got" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

upload() {
	local family=$1 got

	got=$(from client 60 curl -sSg -T "$WORK/blob" "http://$(vip_port "$family" 81)/")
	[ "${got#* }  -" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs: $got"
		return 1
	}
}

parallel() {
	local family=$1 out

	out=$(from client 30 wrk -t 1 -c 200 -d 2s "http://$(vip_port "$family" 80)/")
	if grep -q "Socket errors\|Non-2xx" <<<"$out" || ! grep -q "requests in" <<<"$out"; then
		echo "$out"
		return 1
	fi
}

udp_echo() {
	from client 30 "$PYTHON" "$TESTS/servers/udp_client.py" "$(vip "$1")" 53 60 5 \
		>"$WORK/udp" || {
		tail -n 5 "$WORK/udp"
		return 1
	}
	[ "$(grep -c ^reply "$WORK/udp")" = 3 ] || {
		cat "$WORK/udp"
		echo "not all three servers answered"
		return 1
	}
}

add_services() {
	local family=$1 mode=$2 server

	lb service add up tcp "$(vip_port "$family" 81)" mode "$mode"
	lb service add dns udp "$(vip_port "$family" 53)" mode "$mode"
	for server in "${SERVERS[@]}"; do
		lb backend add up "$(backend_of "$family" "$server" 5100)"
		lb backend add dns "$(backend_of "$family" "$server" 5300)"
	done
	add_web web "$family" "$mode" 80 2 1 1
}

del_services() {
	local name

	for name in web up dns; do
		lb service del "$name"
	done
}

main() {
	local xdp family mode label

	start_scenario
	make_blob
	start_all_nginx
	start_all_uploads
	start_all_echoes
	for xdp in native generic; do
		attach_all "$xdp"
		for family in 4 6; do
			for mode in fullnat nat; do
				label="$xdp IPv$family $mode"
				check "$label: configured" add_services "$family" "$mode"
				warm_up
				check "$label: $CONNECTIONS connections spread 2:1:1" spread "$family"
				next_ports "$CONNECTIONS"
				check "$label: download of $BLOB_MB MB" download "$family"
				check "$label: upload of $BLOB_MB MB" upload "$family"
				check "$label: 200 parallel connections" parallel "$family"
				check "$label: UDP echo" udp_echo "$family"
				del_services
			done
		done
		lb -q detach all
	done
}

main
