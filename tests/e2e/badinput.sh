#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input: each case ends with its exit code, one line on stderr, and nothing changed.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

snapshot() {
	lb -j config show
	lb config show
	lb -j service list
	lb -j backend list
	cat "$STATE"
}

# refuses CODE WORDS COMMAND…: the command ends with CODE (2 usage, 1 refused, 12 either), says one
# line that starts with "lbctl:" and holds WORDS (a regular expression), and leaves all as it was.
refuses() {
	local code=$1 words=$2 status=0 line

	shift 2
	snapshot >"$WORK/before"
	timeout --foreground 20 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
	snapshot >"$WORK/after"
	line=$(<"$WORK/err")
	echo "exit $status: $line"
	if [[ $code != *"$status"* ]] || [ "$status" = 0 ]; then
		echo "exit $status, not $code: $line"
		return 1
	fi
	[ "$(wc -l <"$WORK/err")" = 1 ] || {
		echo "$(wc -l <"$WORK/err") lines on stderr, not one"
		return 1
	}
	[[ $line == "lbctl: "* ]] || return 1
	grep -qiE -- "$words" <<<"$line" || {
		echo "says '$line' without /$words/"
		return 1
	}
	diff "$WORK/before" "$WORK/after" || {
		echo "the state changed"
		return 1
	}
}

# bad NAME CODE WORDS ARGUMENT…: one case of the table.
bad() {
	local name=$1 code=$2 words=$3

	shift 3
	check "$name" refuses "$code" "$words" "$LBCTL" -n "${PREFIX}lb" "$@"
}

bad_arguments() {
	bad "no such command" 2 "bananas" bananas
	bad "no such word" 12 "colour" service add x tcp "$VIP4:81" colour blue
	bad "a word without its value" 2 "weight" backend add web 192.0.2.13:80 weight
	bad "address does not parse" 12 "203.0.113.256" service add x tcp 203.0.113.256:80
	bad "port does not parse" 12 "eighty|port" service add x tcp "$VIP4:eighty"
	bad "port 0" 12 "port" service add x tcp "$VIP4:0"
	bad "port 65536" 12 "port|65536" service add x tcp "$VIP4:65536"
	bad "ports turned round" 12 "99-98" service add x tcp "$VIP4:99-98"
	bad "ports half named" 12 "port" service add x tcp "$VIP4:99-"
	bad "prefix with bits behind its length" 12 "203.0.113.1/24.*bits" service add x tcp 203.0.113.1/24:81
	bad "prefix too wide" 12 "too wide.*/8" service add x tcp 128.0.0.0/1:81
	bad "prefix without a port" 12 "port" service add x tcp 203.0.113.0/24
	bad "port missing" 12 "port" service add x tcp "$VIP4"
	bad "bracket missing" 12 "" service add x tcp "[2001:db8::10:80"
	bad "protocol unknown" 12 "sctp" service add x sctp "$VIP4:81"
	bad "name too long" 12 "name|long" service add "$(printf 'x%.0s' {1..40})" tcp "$VIP4:81"
	bad "name with a slash" 12 "name" service add a/b tcp "$VIP4:81"
	bad "mode unknown" 12 "teleport" service add x tcp "$VIP4:81" mode teleport
	bad "slots not a prime" 12 "prime|slots" service add x tcp "$VIP4:81" slots 1000
	bad "slots too many" 12 "slots|prime" service add x tcp "$VIP4:81" slots 1000003
	bad "mss-clamp not a number" 12 "mss-clamp.*auto, off" service add x tcp "$VIP4:81" mss-clamp big
	bad "mss-clamp too small" 12 "mss-clamp.*88" service add x tcp "$VIP4:81" mss-clamp 40
	bad "mss-clamp of udp" 1 "mss-clamp is for tcp only" service add x udp "$VIP4:81" mss-clamp 1400
	bad "timeout not a number" 12 "soon|timeout" service add x tcp "$VIP4:81" timeout-syn soon
}

bad_objects() {
	bad "flow of two families" 2 "family" flow get tcp "[2001:db8::1]:5" "$VIP4:80"
	bad "a link-local service" 12 "link-local" service add x tcp "[fe80::1]:81"
	lb -q service add six tcp "[$VIP6]:81" slots 251
	bad "a link-local backend" 12 "link-local" backend add six "[fe80::5]:81"
	lb -q service del six
	bad "family mismatch" 12 "family|IPv6|IPv4" backend add web "[2001:db8:2::11]:80"
	bad "weight too large" 12 "65536|weight" backend add web 192.0.2.13:80 weight 65536
	bad "weight negative" 12 "weight|-1" backend add web 192.0.2.13:80 weight -1
	bad "service exists" 1 "web.*exist|already" service add web tcp "$VIP4:81"
	bad "address and port are taken" 1 "web|already" service add x tcp "$VIP4:80"
	bad "service does not exist" 1 "nosuch" backend add nosuch 192.0.2.11:80
	bad "service to set does not exist" 1 "nosuch" service set nosuch mode nat
	bad "service to delete does not exist" 1 "nosuch" service del nosuch
	lb -q service add many tcp "203.0.113.0/24:5000-5009" mode ipip
	bad "overlapping services" 1 "overlaps 203.0.113.0/24:5000-5009 of service many" \
		service add x tcp "203.0.113.0/24:5005-5014" mode ipip
	bad "a prefix in full NAT" 1 "fullnat.*203.0.113.0/24.*dsr, ipip, gue and local" \
		backend add many 192.0.2.11 mode fullnat
	bad "a backend's port where all are left" 1 "leave the backend's port out" \
		backend add many 192.0.2.11:5000
	bad "a backend of the service's own addresses" 1 "203.0.113.7.*own address" \
		backend add many 203.0.113.7
	bad "a check without a port" 1 "port of 203.0.113.0/24:5000-5009" health set many tcp
	bad "a cache of many ports" 1 "one address and port" cache on many
	lb -q service del many
	bad "backend exists" 1 "192.0.2.11:5000.*(already|exist)" backend add web 192.0.2.11:5000
	bad "backend to set does not exist" 1 "192.0.2.99" backend set web 192.0.2.99:80 weight 3
	bad "backend to drain does not exist" 1 "192.0.2.99" backend drain web 192.0.2.99:80
	bad "backend to delete does not exist" 1 "192.0.2.99" backend del web 192.0.2.99:80
	bad "namespace does not exist" 12 "nosuchns" -n nosuchns status
}

bad_health() {
	bad "log of no such service" 1 "nosuch" health log nosuch
	bad "log of two services" 2 "unexpected 'more'" health log web more
	bad "monitor of a service" 2 "unexpected 'web'" monitor web
	bad "monitor of a namespace that is none" 1 "nosuchns.*ip netns" -n nosuchns monitor
	bad "health of no such service" 1 "nosuch" health list nosuch
	bad "nothing to set" 2 "nothing to change" health set web
	bad "a setting without a check" 1 "web.*type first" health set web rise 2
	bad "check unknown" 2 "pigeon.*expected" health set web pigeon
	bad "interval not a duration" 2 "never.*2s" health set web tcp every never
	bad "timeout above the interval" 1 "timeout" health set web tcp every 1s timeout 5s
	bad "rise 0" 2 "rise '0'.*1 to 100" health set web tcp rise 0
	bad "path without a slash" 12 "path|get|slash" health set web http get healthz
	bad "status out of range" 12 "status" health set web http status 99
	bad "command missing" 1 "command" health set web exec
	bad "name missing" 1 "host|name" health set web https verify on
}

bad_interfaces() {
	bad "interface does not exist" 1 "eth9" attach eth9
	bad "interface to detach is not attached" 1 "eth2" detach eth2
	bad "interface is down" 1 "eth2.*(down|up)" attach eth2
	ip -n "${PREFIX}lb" link set dev eth3 xdpdrv obj "$(pass_program)" sec xdp.frags
	bad "interface has another XDP program" 1 "eth3.*(program|XDP)" attach eth3
	ip -n "${PREFIX}lb" -d link show dev eth3 | grep -q "prog/xdp" ||
		not_ok "another's XDP program stays" "it is gone"
	bad "attach mode unknown" 12 "warp" attach eth0 mode warp
	bad "driver refuses native mode" 1 "lo|native|support" attach lo mode native
}

bad_limits() {
	bad "limit below its range" 1 "flows 100 is out of range.*1024" attach eth3 flows 100
	bad "limit above its range" 1 "services 5000 is out of range.*4096" attach eth3 services 5000
	bad "limit not a number" 2 "slots 'many'" attach eth3 slots many
	bad "limit changed while attached" 1 "eth3.*detach all" attach eth3 backends 64
}

bad_surroundings() {
	local outside=$WORK/lbctl

	install -m 755 "$LBCTL" "$outside"
	chmod 755 "$WORK"
	check "not root" refuses 1 "root|permi|sudo" setpriv --reuid 65534 --regid 65534 \
		--clear-groups "$outside" -n "${PREFIX}lb" service add x tcp "$VIP4:81"
	check "no bpffs, inside ip netns exec" refuses 1 "-n" ip netns exec "${PREFIX}lb" \
		"$LBCTL" service add x tcp "$VIP4:81"
}

# Another version's maps, which this lbctl would misread. One of its empty directories is no harm.
other_version() {
	local pins=/sys/fs/bpf/lbctl/v99 said status

	mkdir -p "$pins/netns-${PREFIX}lb"
	for words in "service add x tcp $VIP4:81" "status" "attach eth0" "detach all"; do
		status=0
		# shellcheck disable=SC2086  # words of the command
		said=$(lb $words 2>&1) || status=$?
		echo "$said"
		[ "$status" = 1 ] && [[ $said == "lbctl: "*"ABI version 99, this lbctl has version"* ]]
		[ "$(wc -l <<<"$said")" = 1 ]
	done
	rmdir "$pins/netns-${PREFIX}lb"
	! lb config show | grep -q "203.0.113.10:81" || return 1
	[ ! -e "$pins" ]
}

# One pin is missing, as after an unlucky rm: said, and not taken for an instance without maps.
missing_pin() {
	local pin said status=0

	pin=$(find /sys/fs/bpf/lbctl -path "*/netns-${PREFIX}lb/lb_seed")
	mv "$pin" "$pin-away"
	said=$(lb service add x tcp "$VIP4:81" 2>&1) || status=$?
	mv "$pin-away" "$pin"
	echo "$said"
	[ "$status" = 1 ]
	[[ $said == "lbctl: $pin: No such file or directory; "*"attach anew" ]]
	lb status >/dev/null
}

# Exit codes of monitoring plugins: one line each.
says() {
	local code=$1 words=$2 status=0 said

	shift 2
	said=$("$@" 2>&1) || status=$?
	echo "$said (exit $status)"
	[ "$status" = "$code" ] && [[ $said == "$words"* ]] && [ "$(wc -l <<<"$said")" = 1 ]
}

status_codes() {
	says 0 "OK - interfaces attached: 2" lb status --check
	lb -q detach eth1
	lb -q attach eth1 mode generic
	says 1 "WARNING - eth1 is in generic mode" lb status --check
	ip -n "${PREFIX}lb" link set dev eth1 xdpgeneric off
	says 2 "CRITICAL - eth1 lost its program" lb status --check
	lb -q detach all
	says 2 "CRITICAL - nothing is attached" lb status --check
	says 3 "UNKNOWN - " "$LBCTL" -n nosuchns status --check
	says 3 "UNKNOWN - " setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/lbctl" status --check
	attach_all native
}

bad_documents() {
	lb config show >"$WORK/good.yaml"
	sed 's/weight:/wieght:/' "$WORK/good.yaml" >"$WORK/typo.yaml"
	bad "YAML: key misspelt" 1 "typo.yaml:[0-9]+" config apply "$WORK/typo.yaml"
	printf 'services:\n  - name: [unclosed\n' >"$WORK/syntax.yaml"
	bad "YAML: syntax" 1 "syntax.yaml:[0-9]+" config apply "$WORK/syntax.yaml"
	sed 's/weight: .*/weight: heavy/' "$WORK/good.yaml" >"$WORK/value.yaml"
	bad "YAML: value of a wrong kind" 1 "value.yaml:[0-9]+" config apply "$WORK/value.yaml"
	bad "YAML: no such file" 1 "nosuch.yaml" config apply "$WORK/nosuch.yaml"
	sed "s/$VIP4/203.0.113.1111/" "$WORK/good.yaml" >"$WORK/address.yaml"
	bad "YAML: address" 1 "203.0.113.1111" config apply "$WORK/address.yaml"
	: >"$WORK/binary.yaml"
	head -c 4096 /dev/urandom >"$WORK/binary.yaml"
	bad "YAML: garbage" 1 "binary.yaml" config apply "$WORK/binary.yaml"
	bad "YAML: a directory" 1 "" config apply "$WORK"
	for ((i = 0; i < 512; i++)); do
		printf '  - { name: n%d, protocol: tcp, address: "203.0.113.200:%d", slots: 251 }\n' $i $((1000 + i))
	done | { echo services: && cat; } >"$WORK/others.yaml"
	bad "a replacement that does not fit beside what it replaces" 1 \
		"1 services in use and 512 new ones do not fit 'limits: services: 512' together" \
		config apply "$WORK/others.yaml"
}

# Notes beyond those that are kept are counted: 20 backends, and none of them can be reached.
counts_notes() {
	local said i

	{
		echo "services:"
		echo "  - { name: far, protocol: tcp, address: \"$VIP4:83\", slots: 251, backends: ["
		for ((i = 1; i <= 20; i++)); do
			echo "    { address: \"127.0.0.$i:80\" },"
		done
		echo "  ] }"
	} >"$WORK/far.yaml"
	said=$(lb config apply "$WORK/far.yaml" 2>&1)
	lb -q config apply "$WORK/good.yaml"
	echo "$said"
	[ "$(grep -c "this host itself" <<<"$said")" = 16 ]
	grep -x "lbctl: note: and 4 more" <<<"$said"
}

# Eight writers at once: each waits for its turn.
concurrent_writers() {
	local i pids=()

	for i in 1 2 3 4 5 6 7 8; do
		lb backend add web "192.0.2.11:61$i" >"$WORK/writer.$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || {
			cat "$WORK"/writer.*
			return 1
		}
	done
	[ "$(lb config show | grep -cE '192\.0\.2\.11(:61[0-9])?"?$|port: 61[0-9]')" -ge 8 ]
	for i in 1 2 3 4 5 6 7 8; do
		lb backend del web "192.0.2.11:61$i"
	done
}

# A lock held for longer than five seconds: the second command gives up with a line.
lock_held() {
	local lock holder

	lock=$(dirname "$STATE")/lock
	[ -e "$lock" ] || {
		echo "no lock file $lock"
		return 1
	}
	flock --no-fork "$lock" sleep 60 &
	holder=$!
	wait_for 5 is_held "$lock"
	refuses 1 "another|lock|busy|wait" "$LBCTL" -n "${PREFIX}lb" service add x tcp "$VIP4:81"
	kill "$holder"
}

# A service of many ports whose mode cannot serve it is legal, since backends may have their own.
range_is_noted() {
	lb service add wide udp "$VIP4:5000-5999" >"$WORK/said" 2>&1 || {
		cat "$WORK/said"
		return 1
	}
	grep 'wide has several ports.*ipip' "$WORK/said" >/dev/null
	lb service set wide mode ipip
	lb service del wide
	lb service add wide udp "$VIP4:5000-5999" mode ipip >"$WORK/said" 2>&1
	if grep 'several ports' "$WORK/said"; then
		return 1
	fi
	lb service del wide
}

# Limits are fixed at the first attach: the fifth backend does not fit.
full_map() {
	lb -q detach all
	{
		lb config show | grep -v '^limits:\|^  \(services\|backends\|slots\|flows\):' || true
		echo "limits:"
		echo "  services: 4"
		echo "  backends: 4"
		echo "  slots: 65536"
		echo "  flows: 4096"
	} >"$WORK/small.yaml"
	lb config apply "$WORK/small.yaml"
	lb -q attach eth0
	lb backend add web 192.0.2.12:5001
	lb backend add web 192.0.2.13:5002
	lb backend add web 192.0.2.14:5003
	refuses 1 "limit|full|backends" "$LBCTL" -n "${PREFIX}lb" backend add web 192.0.2.15:5004
}

main() {
	start_scenario
	ip -n "${PREFIX}lb" link add eth2 type veth peer name peer2
	ip -n "${PREFIX}lb" link add eth3 type veth peer name peer3
	ip -n "${PREFIX}lb" link set eth3 up
	ip -n "${PREFIX}lb" link set peer3 up
	attach_all native
	lb service add web tcp "$VIP4:80"
	lb backend add web 192.0.2.11:5000 weight 10
	STATE=$(find /run/lbctl -path "*${PREFIX}lb*" -name state.yaml | head -n 1)
	[ -n "$STATE" ] || die "no state.yaml for ${PREFIX}lb under /run/lbctl"
	bad_arguments
	bad_objects
	bad_health
	bad_limits
	bad_interfaces
	bad_surroundings
	check "maps of another ABI version" other_version
	check "a pinned map is missing" missing_pin
	check "status --check: 0, 1, 2, 3" status_codes
	bad_documents
	check "notes beyond the sixteenth are counted" counts_notes
	check "a range in a mode that cannot serve it is noted" range_is_noted
	check "concurrent commands wait for each other" concurrent_writers
	check "a lock held too long" lock_held
	check "a full map" full_map
}

main
