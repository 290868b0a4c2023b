#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The document: apply is idempotent, a dry run changes nothing, the intent outlives detaching, and two
# balancers on one host do not see each other.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

apply_twice() {
	lb config show >"$WORK/one.yaml"
	lb config apply "$WORK/one.yaml"
	lb config show >"$WORK/two.yaml"
	lb config apply "$WORK/two.yaml"
	lb config show | diff "$WORK/one.yaml" -
}

reweighted() {
	awk '/weight: 2/ && !done { sub(/weight: 2/, "weight: 6"); done = 1 } { print }' "$WORK/one.yaml"
}

dry_run() {
	reweighted >"$WORK/new.yaml"
	! diff -q "$WORK/one.yaml" "$WORK/new.yaml" || {
		echo "the document has no 'weight: 2' to change"
		return 1
	}
	lb config apply "$WORK/new.yaml" dry-run >"$WORK/plan"
	grep -E "web.*[0-9.]+ ?%" "$WORK/plan" || {
		echo "no share of slots: $(<"$WORK/plan")"
		return 1
	}
	lb config show | diff "$WORK/one.yaml" -
}

shows_difference() {
	lb config diff "$WORK/new.yaml" >"$WORK/diff" || true
	grep -q web "$WORK/diff"
	lb config show | diff "$WORK/one.yaml" -
}

apply_changes() {
	lb config apply "$WORK/new.yaml"
	connect_many 4 80 3000
	is_spread "$WORK/conns" 6 1 1
}

outlives_detach() {
	lb config show >"$WORK/before.yaml"
	lb -q detach all
	lb config show | diff "$WORK/before.yaml" -
	in_ns lb ip -d link show | grep "prog/xdp" && return 1
	attach_all native
	lb config show | diff "$WORK/before.yaml" -
	connect_many 4 80 3000
	is_spread "$WORK/conns" 6 1 1
	[ "$(grep -c ^reply "$WORK/conns")" = 3 ]
}

# A service made while nothing is attached works from the attach on.
configured_first() {
	lb -q detach all
	lb service add early tcp "$VIP4:88"
	lb backend add early "$(backend_of 4 s1 5000)"
	attach_all native
	connect_many 4 88 50
	lb service del early
}

# limit NAME KEY: a figure of 'status'.
limit() {
	lb -j status | "$PYTHON" -c 'import json, sys
print([x[sys.argv[2]] for x in json.load(sys.stdin)["limit_usage"] if x["limit"] == sys.argv[1]][0])' "$@"
}

is_refused() {
	! "$@"
}

# Options of the first attach; refused options leave the document alone.
limits_as_options() {
	lb config show >"$WORK/limits.yaml"
	lb -q detach all
	is_refused lb attach eth0 mode native flows 2048 backends 1
	is_refused lb attach eth9 flows 2048
	lb config show | diff "$WORK/limits.yaml" -
	[ "$(limit flows used)" = None ]
	[ "$(limit flows bytes)" -gt 30000000 ]
	lb -q attach eth0 mode native services 600 flows 8192
	[ "$(limit services in_force)" = 600 ]
	[ "$(limit flows in_force)" = 8192 ]
	[ "$(limit flows bytes)" -ge $((8192 * 64)) ]
	[ "$(limit flows bytes)" -lt $((8192 * 80)) ]
	[ "$(limit backends used)" = 3 ]
	[ "$(limit slots in_force)" = $((600 * 16384)) ]
	lb status | grep -E '^flows +8,192 '
	lb -q attach eth1 mode native services 600
	connect_many 4 80 60
	lb -q detach all
	lb -q attach eth0 mode native
	[ "$(limit services in_force)" = 600 ]
	lb -q detach all
	lb config apply "$WORK/limits.yaml"
	attach_all native
}

# Commands that change something leave all as it was, one after the other.
json_is_valid() {
	local words words_of_change=(
		"service add json tcp $VIP4:99" "service set json timeout-fin 5"
		"health set json tcp every 5s" "backend add json 192.0.2.11:99" "backend set json 192.0.2.11:99 weight 3"
		"backend drain json 192.0.2.11:99" "backend ready json 192.0.2.11"
		"backend del json 192.0.2.11:99" "service del json"
	)

	for words in "${words_of_change[@]}" "version" "status check" "service list web" \
		"flow get tcp 198.51.100.11:5 $VIP4:80" "config save $WORK/saved.yaml" \
		"config check $WORK/saved.yaml" "config diff $WORK/saved.yaml" \
		"config apply $WORK/saved.yaml" "attach eth0" "detach eth1" "attach eth1" "status" "service list" "backend list" "stats" "stats services" \
		"stats backends" "stats drops" "stats maps" "flow list" "flow count" "config show"; do
		# shellcheck disable=SC2086  # words of the command
		lb -j $words | "$PYTHON" -c 'import json, sys; json.load(sys.stdin)' || {
			echo "not JSON: lbctl -j $words"
			return 1
		}
	done
}

empty_document() {
	echo "services: []" >"$WORK/empty.yaml"
	lb config apply "$WORK/empty.yaml"
	[ "$(lb -j service list | tr -d ' \n')" = "[]" ]
	lb config apply "$WORK/one.yaml"
	connect_many 4 80 60
}

second_instance() {
	local first=$PREFIX count

	PREFIX=${first%-}x-
	"$ROOT/scripts/lab" up "$PREFIX"
	attach_all native
	[ "$(lb -j service list | tr -d ' \n')" = "[]" ] || return 1
	lb service add web tcp "$VIP4:80"
	PREFIX=$first
	connect_many 4 80 60
	count=$(lb -j backend list | "$PYTHON" -c 'import json, sys; print(len(json.load(sys.stdin)))')
	forget_gone "${first%-}x-lb"
	"$ROOT/scripts/lab" down "${first%-}x-"
	next_ports 60
	connect_many 4 80 60
	[ "$count" = 3 ]
}

# A namespace that is removed under its balancer leaves maps; 'detach all' removes them, and only them.
forget_gone() {
	ip netns del "$1"
	[ -d "/sys/fs/bpf/lbctl/v$ABI/netns-$1" ]
	[ -e "/run/lbctl/netns-$1/state.yaml" ]
	is_refused lb -n "$1" status
	[[ $(lb -n "$1" detach all) == *"the namespace is gone"* ]]
	[ ! -e "/sys/fs/bpf/lbctl/v$ABI/netns-$1" ]
	[ ! -e "/run/lbctl/netns-$1" ]
	is_refused lb -n "$1" detach all
}

main() {
	ABI=$(sed -n 's/^#define LB_ABI_VERSION //p' "$ROOT/include/lb_abi.h")
	start_scenario
	start_all_nginx
	attach_all native
	add_web web 4 fullnat 80 2 1 1
	warm_up
	check "apply twice" apply_twice
	lb config show >"$WORK/one.yaml"
	check "dry run" dry_run
	check "diff" shows_difference
	check "applied document is in force" apply_changes
	next_ports 3000
	check "intent outlives detaching" outlives_detach
	next_ports 400
	check "configured before attaching" configured_first
	check "limits as options of attach" limits_as_options
	next_ports 60
	check "JSON everywhere" json_is_valid
	check "empty document and back" empty_document
	next_ports 60
	check "two balancers on one host" second_instance
}

main
