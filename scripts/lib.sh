# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Shared by the lab, the demo and the end-to-end tests: the namespaces of one lab, what runs inside
# them, and how lbctl is called on it. Sourced, never run; knows nothing of single tests.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=/usr/bin/python3
PREFIX=${PREFIX:-lbctl-}
LBCTL=${LBCTL:-$ROOT/lbctl}

# shellcheck disable=SC2034  # read by those who source this file
{
	VIP4=203.0.113.10
	VIP6=2001:db8::10
	CLIENTS4=198.51.100.11,198.51.100.12,198.51.100.13,198.51.100.14
	CLIENTS6=2001:db8:1::11,2001:db8:1::12,2001:db8:1::13,2001:db8:1::14
	SERVERS=(s1 s2 s3)
}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "needs root; run it with sudo"
}

# Runs a command in a namespace of the lab. Not `ip netns exec`, which remounts /sys without bpffs.
in_ns() {
	local ns=$1

	shift
	nsenter --net="/run/netns/$PREFIX$ns" "$@"
}

lb() {
	"$LBCTL" -n "${PREFIX}lb" "$@"
}

# wait_for SECONDS COMMAND…: polls until the command succeeds; its output is dropped.
wait_for() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# is_held FILE: another process has the lock of it.
is_held() {
	! flock -n "$1" true
}

has_lab() {
	[ -e "/run/netns/${PREFIX}lb" ]
}

run_dir() {
	echo "/run/lbctl-lab/${PREFIX%-}"
}

server_address() {
	case $1 in
	s1 | s2 | s3) echo "192.0.2.1${1#s}" ;;
	*) return 1 ;;
	esac
}

server_address6() {
	echo "2001:db8:2::1${1#s}"
}

# The servers of the demo listen on 5000, 5001 and 5002.
server_port() {
	echo $((4999 + ${1#s}))
}

# start_in NS LABEL COMMAND…: runs a command in the background in a namespace, its pid kept by label.
start_in() {
	local ns=$1 label=$2 dir

	shift 2
	dir=$(run_dir)
	mkdir -p "$dir"
	# shellcheck disable=SC2016  # for the inner shell
	in_ns "$ns" setsid -f bash -c 'echo $$ >"$1"; shift; exec "$@"' _ "$dir/$label.pid" "$@" \
		>"$dir/$label.log" 2>&1 </dev/null
	wait_for 5 test -s "$dir/$label.pid" || die "$label did not start"
}

stop_label() {
	local file pid

	file=$(run_dir)/$1.pid
	[ -s "$file" ] || return 0
	pid=$(<"$file")
	rm -f "$file"
	kill "$pid" 2>/dev/null || return 0
	wait_for 5 is_gone "$pid" || kill -9 "$pid" 2>/dev/null || true
}

is_gone() {
	! kill -0 "$1"
}

is_listening() {
	in_ns "$1" ss -Hltn "sport = :$2" | grep -q .
}

start_flask() {
	local name=$1 port

	port=$(server_port "$name")
	start_in "$name" "flask-$name" "$PYTHON" "$ROOT/tests/e2e/servers/flask_app.py" "$name" "$port"
	wait_for 20 is_listening "$name" "$port" ||
		die "$name: Flask does not answer: $(tail -n 1 "$(run_dir)/flask-$name.log")"
}

# test_object NAME: the path of a small BPF program, built when it is not there yet.
test_object() {
	local out=$ROOT/build/lab/$1.o src=$ROOT/tests/e2e/servers/$1.bpf.c

	if [ ! "$out" -nt "$src" ]; then
		mkdir -p "${out%/*}"
		clang -O2 -g -target bpf -Wall -Wextra -Werror "-I/usr/include/$(uname -m)-linux-gnu" \
			-c "$src" -o "$out.$$"
		mv "$out.$$" "$out" # whole at once: others may build it too
	fi
	echo "$out"
}

# A real path of native XDP on veth: the peer of an interface that sends by XDP_TX needs a program.
pass_program() {
	test_object xdp_pass
}

# test_tool NAME: the path of a small client or server in C, built when it is not there yet.
test_tool() {
	local out=$ROOT/build/lab/$1 src=$ROOT/tests/e2e/servers/$1.c

	if [ ! "$out" -nt "$src" ]; then
		mkdir -p "${out%/*}"
		"${CC:-cc}" -std=gnu17 -O2 -Wall -Wextra -Wshadow -o "$out.$$" "$src"
		mv "$out.$$" "$out"
	fi
	echo "$out"
}

# The configuration of a balancer whose namespace is removed.
forget_instance() {
	[ ! -x "$LBCTL" ] || has_lab || lb -q detach all >/dev/null 2>&1 || true
}

need_bpffs() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
}
