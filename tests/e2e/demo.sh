#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The demo from start to end, and that it leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

PREFIX=lbd$$-
export PREFIX
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if CONNECTIONS=1600 timeout --foreground 120 scripts/demo >"$log" 2>&1; then
	echo "ok demo"
	# whatever the time that it takes: by lbcache's own count
	if grep -q 'lbcache asked Flask for the page 1 time' "$log"; then
		echo "ok demo's hot page is asked of Flask once"
	else
		echo "not ok demo's hot page is asked of Flask once # $(grep 'lbcache asked Flask' "$log")"
	fi
else
	status=$?
	cat "$log" >&2
	echo "not ok demo # exit $status: $(tail -n 1 "$log")"
fi
if ip netns list | grep -q "^$PREFIX" || [ -e "/run/lbctl-lab/${PREFIX%-}" ] ||
	[ -e "/run/lbctl/netns-${PREFIX}lb" ]; then
	echo "not ok demo leaves nothing behind # $(ip netns list | grep "^$PREFIX" | tr '\n' ' ')"
else
	echo "ok demo leaves nothing behind"
fi
