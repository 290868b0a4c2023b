# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What the end-to-end scenarios share: a lab of their own, servers in it, and the lines they report.
# A scenario prints one line a check: "ok NAME", "not ok NAME # WHY" or "skip NAME # WHY".
set -euo pipefail

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PREFIX=lbt$$-
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
source "$TESTS/../../scripts/lib.sh"

WORK=$(mktemp -d)
# shellcheck disable=SC2034  # for the scenarios
BLOB_MB=100
NEXT_PORT=2000 # of the clients, below the kernel's own ports: each run takes new ones

ok() {
	echo "ok $1"
}

not_ok() {
	echo "not ok $1 # $2"
}

skip() {
	echo "skip $1 # $2"
}

# check NAME COMMAND…: one line for the command's success; its last words are the reason. The command
# runs in a subshell with errexit on, so its first failing step ends it.
check() {
	local name=$1 output status

	shift
	set +e
	output=$(
		set -e
		"$@" 2>&1
	)
	status=$?
	set -e
	if [ "$status" = 0 ]; then
		ok "$name"
	else
		printf '%s: exit %s\n%s\n' "$name" "$status" "$output" >&2
		not_ok "$name" "$(tail -n 1 <<<"${output:-exit $status}")"
	fi
}

# end_scenario [STATUS]: the trap; a scenario's own trap hands its status on.
end_scenario() {
	local status=${1:-$?}

	trap '' INT TERM # a second one does not end the clean-up
	trap - EXIT
	# Words for the log, when the scenario ends early.
	[ "$status" = 0 ] || lb stats >&2 || true
	"$ROOT/scripts/lab" down "$PREFIX"
	rm -rf "$WORK"
	exit "$status"
}

# start_scenario [--one-arm]
# shellcheck disable=SC2120
start_scenario() {
	need_root
	[ -x "$LBCTL" ] || die "no $LBCTL; run 'make' first"
	trap end_scenario EXIT
	trap 'exit 130' INT TERM
	"$ROOT/scripts/lab" up "$@" "$PREFIX"
}

# An nginx that says its name, has /blob to download and a port each as the demo's servers have, and
# beside it EXTRA_PORT if that is set.
start_nginx() {
	local name=$1 dir=$WORK/$1

	mkdir -p "$dir"
	cat >"$dir/nginx.conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	keepalive_requests 10000000;
	client_body_temp_path $dir;
	proxy_temp_path $dir;
	fastcgi_temp_path $dir;
	uwsgi_temp_path $dir;
	scgi_temp_path $dir;
	server {
		listen $(server_port "$name") backlog=${BACKLOG:-4096};
		listen [::]:$(server_port "$name") backlog=${BACKLOG:-4096};
		${EXTRA_PORT:+listen $EXTRA_PORT;}
		location / { return 200 "$name\n"; }
		location = /blob { root $WORK; add_header X-Server $name; }
	}
}
CONF
	start_in "$name" "nginx-$name" nginx -e "$dir/error.log" -c "$dir/nginx.conf"
	wait_for 10 is_listening "$name" "$(server_port "$name")" || die "nginx in $name does not listen"
}

start_all_nginx() {
	local name

	for name in "${SERVERS[@]}"; do
		start_nginx "$name"
	done
}

make_blob() {
	head -c "${BLOB_MB}M" /dev/urandom >"$WORK/blob"
	sha256sum <"$WORK/blob" >"$WORK/blob.sha256"
}

start_all_uploads() {
	local name

	for name in "${SERVERS[@]}"; do
		start_in "$name" "upload-$name" "$PYTHON" "$TESTS/servers/upload.py" "$name" 5100
		wait_for 10 is_listening "$name" 5100 || die "upload in $name does not listen"
	done
}

start_all_echoes() {
	local name

	for name in "${SERVERS[@]}"; do
		start_in "$name" "echo-$name" "$PYTHON" "$TESTS/servers/udp_echo.py" "$name" 5300
	done
	for name in "${SERVERS[@]}"; do
		wait_for 10 eval "in_ns $name ss -Hlun 'sport = :5300' | grep -q ." ||
			die "echo in $name does not listen"
	done
}

# attach_all MODE: both interfaces of the balancer.
attach_all() {
	lb -q attach eth0 mode "$1" >/dev/null
	lb -q attach eth1 mode "$1" >/dev/null
}

# is_watching PID: 'lbctl monitor' has seen what was, and waits for what comes.
is_watching() {
	readlink "/proc/$1"/fd/* | grep -x anon_inode:inotify >/dev/null &&
		grep '^State:.S' "/proc/$1/status" >/dev/null
}

# vip FAMILY, backend_of FAMILY SERVER PORT, sources FAMILY: words for the command line.
vip() {
	[ "$1" = 4 ] && echo "$VIP4" || echo "$VIP6"
}

vip_port() {
	[ "$1" = 4 ] && echo "$VIP4:$2" || echo "[$VIP6]:$2"
}

backend_of() {
	[ "$1" = 4 ] && echo "$(server_address "$2"):$3" || echo "[$(server_address6 "$2")]:$3"
}

sources() {
	[ "$1" = 4 ] && echo "$CLIENTS4" || echo "$CLIENTS6"
}

# add_web NAME FAMILY MODE PORT WEIGHT…: a service with the nginx servers, one weight each.
add_web() {
	local name=$1 family=$2 mode=$3 port=$4 server

	shift 4
	lb service add "$name" tcp "$(vip_port "$family" "$port")" mode "$mode"
	for server in "${SERVERS[@]}"; do
		[ $# -gt 0 ] || break
		lb backend add "$name" "$(backend_of "$family" "$server" "$(server_port "$server")")" \
			weight "$1"
		shift
	done
}

# connect_many FAMILY PORT COUNT: COUNT connections from ports of their own, into $WORK/conns.
connect_many() {
	local family=$1 port=$2 count=$3 conns

	conns=$(test_tool conns)
	from client 60 "$conns" -a "$(sources "$family")" -n "$count" -c 32 -b "$NEXT_PORT" \
		"$(vip "$family")" "$port" >"$WORK/conns" || {
		cat "$WORK/conns"
		echo "$(awk '$1 == "failed" { print $2 }' "$WORK/conns") of $count connections failed:" \
			"$(grep -m 1 ^error "$WORK/conns")"
		return 1
	}
}

# Each run of connect_many needs ports that no connection in TIME_WAIT holds.
next_ports() {
	NEXT_PORT=$((NEXT_PORT + ($1 + 3) / 4 + 8))
	[ "$NEXT_PORT" -lt 30000 ] || NEXT_PORT=2000
}

# is_spread FILE WEIGHT…: each server's share of the replies is within 3 points of its weight.
is_spread() {
	local file=$1

	shift
	awk -v weights="$*" '
		$1 == "reply" { got[$2] = $3; all += $3 }
		END {
			n = split(weights, weight, " ")
			for (i = 1; i <= n; i++)
				sum += weight[i]
			for (i = 1; i <= n; i++) {
				share = all ? 100 * got["s" i] / all : 0
				off = share - 100 * weight[i] / sum
				printf "s%d %.1f %% (%.1f expected)%s", i, share, \
					100 * weight[i] / sum, i < n ? ", " : "\n"
				if (off > 3 || off < -3 || !all)
					bad = 1
			}
			exit bad
		}' "$file"
}

# from NS SECONDS COMMAND…: runs a command in a namespace, bounded in time. In the scenario's process
# group, so that an interrupt ends it too.
from() {
	local ns=$1 seconds=$2

	shift 2
	in_ns "$ns" timeout --foreground "$seconds" "$@"
}

# One connection to each server through the kernel, so that neighbours are known.
warm_up() {
	local server

	for server in "${SERVERS[@]}"; do
		in_ns lb ping -q -c 1 -W 2 "$(server_address "$server")" >/dev/null
		in_ns lb ping -q -c 1 -W 2 "$(server_address6 "$server")" >/dev/null
	done
	in_ns lb ping -q -c 1 -W 2 198.51.100.2 >/dev/null
	in_ns lb ping -q -c 1 -W 2 2001:db8:1::2 >/dev/null
}

# start_load FAMILY PORT RATE: connections in the background until stop_load, which says how they went.
start_load() {
	local conns out

	conns=$(test_tool conns)
	# Opened here and not by the child: the caller may rename the file at once.
	exec {out}>"$WORK/load.$2"
	nsenter --net="/run/netns/${PREFIX}client" timeout --foreground 120 "$conns" \
		-a "$(sources "$1")" -r "$3" -c 64 "$(vip "$1")" "$2" >&"$out" 2>&1 &
	echo $! >"$WORK/load.$2.pid"
	exec {out}>&-
}

stop_load() {
	local pid

	pid=$(<"$WORK/load.$1.pid")
	kill -TERM "$pid"
	wait_for 20 is_gone "$pid"
	if ! grep -qx "failed 0" "$WORK/load.$1" || grep -qx "done 0" "$WORK/load.$1"; then
		cat "$WORK/load.$1"
		echo "under load: $(grep -E '^(done|failed|error)' "$WORK/load.$1" | tr '\n' ' ')"
		return 1
	fi
}
