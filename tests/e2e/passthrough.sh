#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What is not the balancer's stays the kernel's: routed traffic, the host's own connections to the
# backends, connections past the service, other XDP users and interfaces.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

fetch() {
	local from=$1 family=$2 name=$3

	[ "$(from "$from" 10 curl -sSg --connect-timeout 5 \
		"http://$(backend_of "$family" "$name" "$(server_port "$name")")/")" = "$name" ]
}

# Many at once, so that a source port shared with full NAT would show.
host_connections() {
	local conns

	conns=$(test_tool conns)
	start_load 4 80 500
	from lb 30 "$conns" -n 2000 -c 32 192.0.2.11 5000
	stop_load 80
}

pings() {
	in_ns client ping -q -c 2 -i 0.1 -W 2 192.0.2.11
	in_ns client ping -q -c 2 -i 0.1 -W 2 2001:db8:2::11
	in_ns client ping -q -c 2 -i 0.1 -W 2 -s 4000 192.0.2.12
	in_ns client ping -q -c 2 -i 0.1 -W 2 -s 4000 2001:db8:2::12
	in_ns s1 ping -q -c 2 -i 0.1 -W 2 198.51.100.11
}

is_detached() {
	lb -q detach all
	! ip -n "${PREFIX}lb" -d link show | grep "prog/xdp" || return 1
	fetch client 4 s1
	! lb -j stats
}

main() {
	local family

	start_scenario
	start_all_nginx
	attach_all native
	check "pings and fragments are routed" pings
	for family in 4 6; do
		check "IPv$family: routed connection without a service" fetch client "$family" s1
		add_web "web$family" "$family" fullnat 80 1 1 1
		check "IPv$family: routed connection past the service" fetch client "$family" s2
		check "IPv$family: the host's own connection to a backend" fetch lb "$family" s3
	done
	check "2,000 connections of the host's own beside full NAT's" host_connections
	check "detached: routed as before, nothing left behind" is_detached
}

main
