#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The scripts of tests/vtc, each with an lbcache of its own in a network namespace of its own: varnishtest
# plays the backend at 127.0.0.1:5000 and the client of 127.0.0.1:8080. "# lbcache: OPTIONS" in a script
# are the options that it needs. vtc.sh FILE… runs only these, with varnishtest's output.
set -euo pipefail
cd "$(dirname "$0")/../.."

LBCACHE=${LBCACHE:-$PWD/lbcache}
AT_ONCE=6
LIMIT_S=20

is_ready() {
	(: <>/dev/tcp/127.0.0.1/8080) 2>/dev/null
}

# Runs in the namespace: lbcache, then the script.
inside() {
	local file=$1 work=$2 options pid status=0

	ip link set lo up
	read -ra options < <(sed -n 's/^# lbcache: //p' "$file") || true
	"$LBCACHE" --listen 127.0.0.1:8080 --backend 127.0.0.1:5000 --threads 1 \
		--control "$work/socket" "${options[@]}" >"$work/lbcache.log" 2>&1 &
	pid=$!
	# shellcheck disable=SC2064  # this pid
	trap "kill $pid 2>/dev/null || true" EXIT
	for _ in $(seq 100); do
		! is_ready || break
		sleep 0.05
	done
	TMPDIR=$work varnishtest -t "$LIMIT_S" -D "control=$work/socket" -D "ask=$PWD/tests/vtc/ask" "$file" >"$work/out" 2>&1 || status=$?
	kill -0 "$pid" 2>/dev/null || {
		echo "lbcache ended: $(tail -n 1 "$work/lbcache.log")" >>"$work/out"
		status=1
	}
	return "$status"
}

# One line for one script: its name is its file's, with what it says it is about.
run_one() {
	local file=$1 name work status=0 why

	name="$(basename "$file" .vtc): $(sed -n 's/^varnishtest "\(.*\)"$/\1/p' "$file")"
	work=$(mktemp -d)
	timeout -k 5 $((LIMIT_S + 10)) unshare --net "$0" --inside "$file" "$work" || status=$?
	why=$(grep -aE '^---- |^lbcache ended' "$work/out" | head -n 1 | tr -s ' #' ' ') || true
	[ -z "${SHOW:-}" ] || cat "$work/out" >&2
	rm -rf "$work"
	case $status in
	0) echo "ok $name" ;;
	77) echo "skip $name" ;;
	*) echo "not ok $name # ${why:-exit $status}" ;;
	esac
}

main() {
	case ${1:-} in
	--inside)
		inside "$2" "$3"
		return
		;;
	--one)
		run_one "$2"
		return
		;;
	esac
	command -v varnishtest >/dev/null || {
		echo "skip vtc # no varnishtest; install it with 'scripts/setup test'"
		return
	}
	if [ $# -gt 0 ]; then
		export SHOW=1
	else
		set -- tests/vtc/*.vtc
	fi
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$AT_ONCE" "$0" --one
}

main "$@"
