#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Changes under traffic: backends come, go, drain and change weight without one failed request.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

# Requests go on while s3 joins, leaves in order, and everything is weighed anew.
join_and_leave() {
	local family=$1 s3

	s3=$(backend_of "$family" s3 5002)
	start_load "$family" 80 600
	sleep 0.5
	lb backend add web "$s3"
	sleep 1
	lb backend set web "$(backend_of "$family" s1 5000)" weight 5
	sleep 0.5
	lb backend set web "$(backend_of "$family" s1 5000)" weight 1
	lb backend drain web "$s3"
	sleep 1
	lb backend del web "$s3"
	sleep 0.5
	stop_load 80
	grep -q "^reply s3 " "$WORK/load.80" || {
		echo "the added backend got no connection"
		return 1
	}
}

gone_stays_gone() {
	connect_many "$1" 80 200
	! grep "^reply s3 " "$WORK/conns"
}

# Starts a slow download in the background and waits until its server is known.
start_download() {
	rm -f "$WORK/headers"
	from client 60 curl -sSg --limit-rate 25M -D "$WORK/headers" -o "$WORK/got" \
		"http://$(vip_port "$1" 80)/blob" 2>"$WORK/curl.err" &
	DOWNLOAD=$!
	wait_for 5 grep -q X-Server "$WORK/headers"
}

download_server() {
	sed -n 's/^X-Server: \(s[0-9]\).*/\1/p' "$WORK/headers"
}

finish_download() {
	wait "$DOWNLOAD" || {
		echo "curl failed: $(cat "$WORK/curl.err")"
		return 1
	}
	[ "$(sha256sum <"$WORK/got")" = "$(<"$WORK/blob.sha256")" ] || {
		echo "SHA-256 differs"
		return 1
	}
}

drain_during_download() {
	local family=$1 server backend

	start_download "$family"
	server=$(download_server)
	backend=$(backend_of "$family" "$server" "$(server_port "$server")")
	lb backend drain web "$backend"
	connect_many "$family" 80 200
	if grep "^reply $server " "$WORK/conns"; then
		echo "$server is drained and still gets new connections"
		return 1
	fi
	kill -0 "$DOWNLOAD" || {
		finish_download
		echo "the download was over too early to prove anything"
		return 1
	}
	finish_download
	lb backend ready web "$backend"
}

ready_again() {
	connect_many "$1" 80 400
	[ "$(grep -c ^reply "$WORK/conns")" = "$2" ] || {
		cat "$WORK/conns"
		echo "not all $2 backends answer again"
		return 1
	}
}

# The table moves to and fro while one connection lives.
churn_during_download() {
	local family=$1 round server

	start_download "$family"
	for round in 1 2 3 4 5; do
		for server in "${SERVERS[@]}"; do
			lb backend set web "$(backend_of "$family" "$server" "$(server_port "$server")")" \
				weight $((1 + RANDOM % 9))
		done
		lb backend drain web "$(backend_of "$family" "s$((1 + round % 3))" \
			$((5000 + round % 3)))"
		sleep 0.1
		lb backend ready web "$(backend_of "$family" "s$((1 + round % 3))" \
			$((5000 + round % 3)))"
	done
	finish_download
}

# A server that stops answering costs its own connections, not the others'.
restart_server() {
	local family=$1

	stop_label nginx-s2
	start_nginx s2
	connect_many "$family" 80 200
}

main() {
	local family mode label

	BLOB_MB=50
	start_scenario
	make_blob
	start_all_nginx
	attach_all native
	for mode in fullnat nat; do
		for family in 4 6; do
			label="$mode IPv$family"
			add_web web "$family" "$mode" 80 1 1
			warm_up
			check "$label: backend added, weighed, drained, removed under load" \
				join_and_leave "$family"
			check "$label: a removed backend gets nothing" gone_stays_gone "$family"
			next_ports 200
			lb backend add web "$(backend_of "$family" s3 5002)"
			check "$label: drain during a download" drain_during_download "$family"
			next_ports 200
			check "$label: ready again" ready_again "$family" 3
			next_ports 400
			check "$label: weights change during a download" churn_during_download "$family"
			check "$label: a server restarts" restart_server "$family"
			next_ports 200
			lb service del web
		done
	done
}

main
