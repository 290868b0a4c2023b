#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Commands beside one that attaches and detaches: each ends as if it had come before or after it.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

ROUNDS=${ROUNDS:-4}

# come_and_go: leaves everything attached. The pauses are for those who wait for the lock.
come_and_go() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		lb -q detach all || return 1
		sleep 0.1
		lb -q attach eth0 || return 1
		sleep 0.1
	done
	touch "$WORK/come_and_gone"
}

# beside WORDS…: the command, again and again, while the interface comes and goes.
beside() {
	local coming count=0 status=0

	rm -f "$WORK/come_and_gone"
	come_and_go >"$WORK/coming" 2>&1 &
	coming=$!
	while kill -0 "$coming" 2>/dev/null; do
		lb "$@" >"$WORK/out" 2>"$WORK/err" || {
			status=$?
			break
		}
		count=$((count + 1))
	done
	wait "$coming" || true
	cat "$WORK/coming"
	echo "# $count runs of '$*' beside $ROUNDS of detach and attach" >&2
	[ "$status" = 0 ] || echo "exit $status: $(<"$WORK/err")"
	[ "$status" = 0 ] && [ -e "$WORK/come_and_gone" ] && [ "$count" -ge "$ROUNDS" ]
}

spread() {
	connect_many 4 80 3000 && is_spread "$WORK/conns" 2 1 1
}

main() {
	start_scenario
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 2 1 1
	lb -q detach all
	lb -q attach eth0
	check "status beside detach and attach" beside status
	check "a list beside detach and attach" beside backend list
	check "a change beside detach and attach" beside service set web timeout-udp 77
	attach_all native
	warm_up
	check "and all is as it was" spread
}

main
