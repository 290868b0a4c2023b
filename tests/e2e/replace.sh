#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# An lbctl of another build replaces the running program under traffic: no connection fails, and
# datagrams, which nobody sends again, all arrive.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

ROUNDS=${ROUNDS:-1}

start_datagrams() {
	nsenter --net="/run/netns/${PREFIX}client" timeout --foreground 120 "$PYTHON" "$TESTS/servers/udp_steady.py" "$(vip "$1")" 53 \
		>"$WORK/steady.$1" 2>&1 &
	echo $! >"$WORK/steady.$1.pid"
}

stop_datagrams() {
	local pid

	pid=$(<"$WORK/steady.$1.pid")
	kill -TERM "$pid"
	wait_for 20 is_gone "$pid"
	echo "datagrams: $(tr '\n' ' ' <"$WORK/steady.$1")"
	grep -qx "lost 0" "$WORK/steady.$1"
	[ "$(sed -n 's/^sent //p' "$WORK/steady.$1")" -gt 1000 ]
}

program_of() {
	lb -j status | "$PYTHON" -c 'import json, sys
print([x["program_id"] for x in json.load(sys.stdin)["interfaces"] if x["ifname"] == sys.argv[1]][0])' "$1"
}

# replace_by LBCTL IF: exactly that is said, and the flags of the interface stay.
replace_by() {
	local before said

	before=$(program_of "$2")
	said=$("$1" -n "${PREFIX}lb" attach "$2")
	[[ $said == "$2: replaced program $before by $(program_of "$2"), $MODE XDP "* ]] || {
		echo "says '$said'"
		return 1
	}
}

replace_many() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		replace_by "$OTHER" eth0
		replace_by "$OTHER" eth1
		replace_by "$LBCTL" eth0
		replace_by "$LBCTL" eth1
	done
}

# The own program is left alone, and no other comes to it.
same_stays() {
	local before

	before=$(program_of eth0)
	[[ $(lb attach eth0 arp on) == "eth0: attached already, "* ]]
	[ "$(program_of eth0)" = "$before" ]
	lb -q attach eth0 arp off
}

is_other_mode_refused() {
	local other=native said

	[ "$MODE" = generic ] || other=generic
	if said=$(lb attach eth0 mode "$other" 2>&1); then
		return 1
	fi
	[[ $said == "lbctl: interface eth0 is attached in $MODE mode"* ]]
}

services() {
	local family server

	for family in 4 6; do
		add_web "web$family" "$family" "$1" "8$family" 2 1 1
		lb service add "dns$family" udp "$(vip_port "$family" 53)" mode "$1"
		for server in "${SERVERS[@]}"; do
			lb backend add "dns$family" "$(backend_of "$family" "$server" 5300)"
		done
	done
}

under_traffic() {
	local family

	for family in 4 6; do
		start_load "$family" "8$family" 200
		start_datagrams "$family"
	done
	sleep 0.5
	check "$1: replaced $((4 * ROUNDS)) times under traffic" replace_many
	for family in 4 6; do
		check "$1: IPv$family connections" stop_load "8$family"
		check "$1: IPv$family datagrams, none lost" stop_datagrams "$family"
	done
}

main() {
	local mode

	OTHER=$("$TESTS/../other-build")
	start_scenario
	start_all_nginx
	start_all_echoes
	for MODE in native generic; do
		attach_all "$MODE"
		for mode in fullnat nat; do
			[ "$MODE$mode" != genericnat ] || continue
			services "$mode"
			warm_up
			under_traffic "$MODE $mode"
			lb config apply - <<<"services: []" >/dev/null
		done
		check "$MODE: the same program stays" same_stays
		check "$MODE: the other mode is refused" is_other_mode_refused
		lb -q detach all
	done
}

main
