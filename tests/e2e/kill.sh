#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# lbctl killed at 200 random points under traffic: services that it was not changing lose nothing,
# and the next command works, finishes what was begun, and finds everything in order.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

KILLS=${KILLS:-200}
SEED=${SEED:-4711}

# A random change of the service 'churn' or of services that come and go; never of 'web'.
random_command() {
	local backend

	backend=$(backend_of 4 "s$((1 + RANDOM % 3))" $((6000 + RANDOM % 4)))
	case $((RANDOM % 8)) in
	0) echo "service add temp$((RANDOM % 3)) tcp $VIP4:$((90 + RANDOM % 3)) slots 251" ;;
	1) echo "service del temp$((RANDOM % 3))" ;;
	2 | 3) echo "backend add churn $backend weight $((RANDOM % 5))" ;;
	4) echo "backend del churn $backend" ;;
	5) echo "backend set churn $backend weight $((RANDOM % 100))" ;;
	6) echo "backend drain churn $backend" ;;
	7) echo "backend ready churn $backend" ;;
	esac
}

kill_many() {
	local i killed=0 status command

	RANDOM=$SEED
	for ((i = 0; i < KILLS; i++)); do
		read -ra command < <(random_command)
		status=0
		timeout --foreground -s KILL "$(printf '0.0%02d1' $((RANDOM % 30)))" \
			"$LBCTL" -n "${PREFIX}lb" "${command[@]}" >/dev/null 2>&1 || status=$?
		[ "$status" != 137 ] || killed=$((killed + 1))
	done
	echo "# $killed of $KILLS commands were killed before their end" >&2
	[ "$killed" -ge $((KILLS / 10)) ] || {
		echo "only $killed of $KILLS were killed in time"
		return 1
	}
}

next_command_works() {
	lb status && lb service list && lb config show >"$WORK/after.yaml" &&
		lb service add after tcp "$VIP4:99" slots 251 &&
		lb backend add after "$(backend_of 4 s1 5000)" && lb service del after
}

# The running intent applied once more changes nothing.
is_consistent() {
	lb config show >"$WORK/now.yaml"
	lb config apply "$WORK/now.yaml" &&
		lb config show | diff "$WORK/now.yaml" -
}

spread() {
	connect_many 4 80 3000 && is_spread "$WORK/conns" 2 1 1
}

churn_serves() {
	local backend

	lb service del churn
	add_web churn 4 fullnat 81 1 1 1
	connect_many 4 81 3000 && is_spread "$WORK/conns" 1 1 1
}

main() {
	start_scenario
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 2 1 1
	add_web web6 6 nat 80 2 1 1
	lb service add churn tcp "$VIP4:81"
	warm_up
	start_load 4 80 300
	mv "$WORK/load.80.pid" "$WORK/load.fullnat.pid"
	mv "$WORK/load.80" "$WORK/load.fullnat"
	start_load 6 80 300
	check "$KILLS commands killed at random points (seed $SEED)" kill_many
	check "the next command works" next_command_works
	check "the state is consistent" is_consistent
	check "no failure of a fullnat service" stop_load fullnat
	check "no failure of a nat service" stop_load 80
	check "spread as before" spread
	next_ports 3000
	next_ports 3000
	check "the churned service serves" churn_serves
}

main
