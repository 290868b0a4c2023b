#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The units as 'make install' leaves them, under a systemd of its own in the balancer's namespace: they
# start with all their hardening, check backends and serve pages, and are brought back when they die or hang.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

INIT=/lib/systemd/systemd
GROUP=64321 # that of lbd's socket, by its number
MACHINE='' # its pid
CONSOLE='' # the writing end of its terminal

# PID 1 of namespaces of its own. Around the unit only what every unit waits for, empty. The tree is
# installed where no hardening hides it.
write_machine() {
	local target unit

	for unit in lbd lbcache; do
		mkdir -p "$WORK/units/$unit.service.d"
		: >"$WORK/$unit.log"
		printf '[Service]\nStandardError=append:%s\nTimeoutStartSec=15\n' "$WORK/$unit.log" \
			>"$WORK/units/$unit.service.d/test.conf"
	done
	for target in sysinit basic shutdown network; do
		printf '[Unit]\nDefaultDependencies=no\n' >"$WORK/units/$target.target"
	done
	cp "$WORK/units/basic.target" "$WORK/units/machine.target"
	mkfifo "$WORK/console"
	{ grep -v ^lbd: /etc/group && echo "lbd:x:$GROUP:"; } >"$WORK/group"
	cat >"$WORK/machine" <<-MACHINE
		set -e
		mount --make-rprivate /
		mount --bind "$WORK/group" /etc/group
		mount -t tmpfs opt /opt
		make -s -C "$ROOT" install PREFIX=/opt/lb
		cp /opt/lb/lib/systemd/system/*.service "$WORK/units/"
		mount -t tmpfs run /run
		umount -l /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mount -t bpf bpf /sys/fs/bpf # here this is the default instance, and not the host's
		[ -e /dev/console ] || touch /dev/console
		mount --bind "\$(tty)" /dev/console
		export container=test SYSTEMD_UNIT_PATH="$WORK/units"
		exec $INIT --system --unit=machine.target --log-target=console --show-status=no
	MACHINE
}

start_machine() {
	write_machine
	in_ns lb script -qefc "unshare --fork --pid --mount --uts --ipc --cgroup --mount-proc \
		bash $WORK/machine" /dev/null <"$WORK/console" >"$WORK/machine.log" 2>&1 &
	exec {CONSOLE}>"$WORK/console" # nobody types, and nobody hangs up
	wait_for 90 find_machine || {
		cat "$WORK/machine.log" >&2
		die "systemd did not start"
	}
}

# Of the processes in the balancer's namespace the one that is systemd, when it answers.
find_machine() {
	local pid

	for pid in $(ip netns pids "${PREFIX}lb"); do
		[[ $(tr '\0' ' ' <"/proc/$pid/cmdline") != "$INIT --system "* ]] || MACHINE=$pid
	done
	[ -n "$MACHINE" ] && inside systemctl is-active machine.target
}

inside() {
	nsenter -t "$MACHINE" --net --mount --pid --uts --ipc --cgroup "$@"
}

end_machine() {
	local status=$?

	[ -z "$MACHINE" ] || kill -9 "$MACHINE" 2>/dev/null || true
	[ -z "$CONSOLE" ] || exec {CONSOLE}>&-
	end_scenario "$status"
}

lb() {
	if [ -n "$MACHINE" ] && [ -e "/proc/$MACHINE" ]; then
		inside /opt/lb/sbin/lbctl "$@"
	fi
}

is_health() {
	[ "$(lb -j health list | grep -c "\"health\": \"$1\"")" = "$2" ]
}

# value PROPERTY [UNIT]
value() {
	inside systemctl show --value -p "$1" "${2:-lbd}"
}

# main_pid [UNIT]: of the first process; fails if there is none.
main_pid() {
	local pid

	pid=$(value MainPID "${1:-lbd}")
	[ "$pid" -gt 1 ] && echo "$pid"
}

started() {
	local server

	lb -q attach eth0
	lb -q attach eth1
	lb service add web tcp "$VIP4:80"
	for server in "${SERVERS[@]}"; do
		lb backend add web "$(backend_of 4 "$server" "$(server_port "$server")")"
	done
	lb health set web tcp every 200ms timeout 100ms
	inside systemctl start lbd || {
		cat "$WORK/lbd.log"
		inside systemctl status --no-pager lbd
		return 1
	}
	[ "$(value ActiveState) $(value SubState)" = "active running" ]
	wait_for 10 is_health up 3
}

# The parent and the worker: no new privileges, a filter, and the worker not root.
is_confined() {
	local pid

	pid=$(main_pid)
	inside grep -qx $'NoNewPrivs:\t1' "/proc/$pid/status"
	inside grep -qx $'Seccomp:\t2' "/proc/$pid/status"
	# shellcheck disable=SC2016  # for the inner shell
	inside bash -c 'for pid in $(pgrep -P "$1"); do
		! grep -q "^Uid:.0" "/proc/$pid/status" || exit 1
		found=1
	done; [ -n "$found" ]' _ "$pid"
}

# drains_as GROUP: a user of that group asks for it at the socket.
drains_as() {
	inside setpriv --reuid 54321 --regid "$1" --clear-groups curl -sSf --unix-socket /run/lbctl/lbd.sock \
		-H 'Content-Type: application/json' -d '{"service": "web", "backend": "192.0.2.11"}' \
		http://lbd/api/v1/backend/drain
}

is_drained() {
	lb config show | grep -c 'drain' || true
}

# With the unit's rights, by who is in the group.
changes_backends() {
	[ "$(inside stat -c '%a %u %g' /run/lbctl/lbd.sock)" = "660 0 $GROUP" ]
	! drains_as 54321 || {
		echo "somebody outside the group has changed something"
		return 1
	}
	[ "$(is_drained)" = 0 ]
	drains_as "$GROUP"
	[ "$(is_drained)" = 1 ]
	lb backend ready web 192.0.2.11
	# What a filter is loaded for.
	inside curl -sSf --unix-socket /run/lbctl/lbd.sock -H 'Content-Type: application/json' \
		-d '{"service": "web", "backend": "127.0.0.1:5000", "mode": "local"}' http://lbd/api/v1/backend/add
	lb backend del web 127.0.0.1:5000
}

sees_death() {
	stop_label nginx-s2
	wait_for 10 is_health down 1
	start_nginx s2
	wait_for 10 is_health up 3
}

# is_another PID [UNIT]
is_another() {
	[ "$(main_pid "${2:-lbd}")" != "$1" ] && [ "$(value ActiveState "${2:-lbd}")" = active ]
}

reloads() {
	local before

	before=$(main_pid)
	inside systemctl reload lbd
	sleep 0.5
	[ "$(main_pid)" = "$before" ] && [ "$(value ActiveState)" = active ]
}

killed_comes_back() {
	local before

	before=$(main_pid)
	inside kill -9 "$before"
	wait_for 15 is_another "$before"
	wait_for 10 is_health up 3
	stop_label nginx-s3
	wait_for 10 is_health down 1
}

# The worker hangs, so nobody tells the watchdog.
hung_comes_back() {
	local before

	printf '[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n' >"$WORK/units/lbd.service.d/soon.conf"
	inside systemctl daemon-reload
	inside systemctl restart lbd
	before=$(main_pid)
	inside pkill -STOP -P "$before"
	wait_for 20 is_another "$before"
	wait_for 10 is_health down 1
	grep -q "watchdog" "$WORK/machine.log"
}

stops() {
	inside systemctl stop lbd
	[ "$(value ActiveState) $(value Result)" = "inactive success" ]
	! inside test -e /run/lbctl/lbd.sock || return 1
	is_health up 2
}

# ---- lbcache -----------------------------------------------------------------------------------

is_hit() {
	from client 5 curl -sS -D - -o /dev/null "http://$VIP4/" | grep -i '^cache-status: lbcache; hit' >/dev/null
}

# Not by its second process, which the unit alone confines: that one has no capabilities at all.
cache_started() {
	local pid

	lb -q cache on web ttl 60s
	inside systemctl start lbcache || {
		cat "$WORK/lbcache.log"
		inside systemctl status --no-pager lbcache
		return 1
	}
	wait_for 10 is_hit
	pid=$(main_pid lbcache)
	inside grep -qx $'CapEff:\t0000000000000000' "/proc/$pid/status"
	inside grep -qx $'Seccomp:\t2' "/proc/$pid/status"
	for pid in $(inside pgrep -P "$pid"); do
		inside grep -qx $'Seccomp:\t2' "/proc/$pid/status"
	done
}

cache_killed_comes_back() {
	local before

	before=$(main_pid lbcache)
	inside kill -9 "$before"
	wait_for 15 is_another "$before" lbcache
	wait_for 10 is_hit
}

cache_hung_comes_back() {
	local before

	printf '[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n' >"$WORK/units/lbcache.service.d/soon.conf"
	inside systemctl daemon-reload
	inside systemctl restart lbcache
	wait_for 10 is_hit
	before=$(main_pid lbcache)
	sleep 3
	[ "$(main_pid lbcache)" = "$before" ] # it tells the watchdog
	inside kill -STOP "$before"
	wait_for 20 is_another "$before" lbcache
	wait_for 10 is_hit
}

cache_stops() {
	inside systemctl stop lbcache
	[ "$(value ActiveState lbcache) $(value Result lbcache)" = "inactive success" ]
	! is_hit || return 1
	from client 5 curl -sS -o /dev/null "http://$VIP4/"
}

# ---- lbcache by itself, at a socket of systemd's -------------------------------------------------

page() {
	from client 5 curl -sS --max-time 10 -D - -o /dev/null "http://192.0.2.1:8081/" | grep -i '^cache-status: lbcache; '
}

socket_started() {
	local before

	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=192.0.2.1:8081\n' >"$WORK/units/pages.socket"
	cat >"$WORK/units/pages.service" <<-UNIT
		[Unit]
		DefaultDependencies=no
		StartLimitIntervalSec=0
		[Service]
		Type=notify
		ExecStart=/opt/lb/sbin/lbcache --listen systemd --ttl 60 --control /run/pages.sock \
			--backend $(backend_of 4 s1 "$(server_port s1)")
		Restart=always
		RestartSec=200ms
		StandardError=append:$WORK/pages.log
	UNIT
	inside systemctl daemon-reload
	inside systemctl start pages.socket
	[ "$(value ActiveState pages)" = inactive ]
	before=$(main_pid pages || true)
	page # the first client starts it
	wait_for 5 is_another "$before" pages
	page | grep hit >/dev/null
}

# Who comes while there is none waits for the next one.
socket_outlives_it() {
	local before

	for _ in 1 2 3 4 5; do
		before=$(main_pid pages)
		inside kill -9 "$before"
		page
		wait_for 5 is_another "$before" pages # it answers before it says that it is ready
	done
	inside systemctl restart pages
	page
	inside systemctl stop pages.socket pages
	! page || return 1
}

main() {
	[ -x "$INIT" ] || {
		skip "the systemd unit" "no $INIT here"
		return
	}
	start_scenario
	trap end_machine EXIT
	start_all_nginx
	start_machine
	check "the unit starts and checks backends" started
	check "it is confined" is_confined
	check "backends are changed at its socket, by its group" changes_backends
	check "a server that dies and returns is seen" sees_death
	check "reload" reloads
	check "killed, it comes back" killed_comes_back
	check "hung, the watchdog brings it back" hung_comes_back
	check "stopped, health stays" stops
	check "lbcache's unit serves pages, confined" cache_started
	check "lbcache killed, it comes back" cache_killed_comes_back
	check "lbcache hung, the watchdog brings it back" cache_hung_comes_back
	check "lbcache stopped, the backends answer" cache_stops
	check "lbcache at a socket of systemd's, by itself" socket_started
	check "killed, its clients wait at the socket" socket_outlives_it
}

main
