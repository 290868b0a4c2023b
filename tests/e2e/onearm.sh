#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# One interface: packets leave as they came (XDP_TX), and the balancer answers for the services'
# addresses by ARP and neighbour discovery when asked.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

spread() {
	connect_many "$1" 80 3000 && is_spread "$WORK/conns" 1 1 1
}

# The client believes the address to be on its own link.
make_on_link() {
	ip -n "${PREFIX}client" route replace "$VIP4/32" dev eth0
	ip -n "${PREFIX}client" route replace "$VIP6/128" dev eth0
}

is_answered() {
	from client 5 curl -sSg --connect-timeout 3 "http://$(vip_port "$1" 80)/"
}

is_silent() {
	! is_answered "$1"
}

main() {
	local family

	start_scenario --one-arm
	start_all_nginx
	lb -q attach eth0 mode native
	warm_up
	for family in 4 6; do
		for mode in fullnat nat; do
			add_web web "$family" "$mode" 80 1 1 1
			check "IPv$family $mode: 3000 connections, routed address" spread "$family"
			next_ports 3000
			lb service del web
		done
		add_web "web$family" "$family" fullnat 80 1 1 1
	done
	make_on_link
	for family in 4 6; do
		check "IPv$family: silent for on-link addresses unless asked" is_silent "$family"
	done
	lb -q attach eth0 arp on
	ip -n "${PREFIX}client" neigh flush dev eth0
	for family in 4 6; do
		check "IPv$family: answers for on-link addresses with 'arp on'" is_answered "$family"
	done
}

main
