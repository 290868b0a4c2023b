#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Every way to forward: each mode, by native and generic XDP, for services and backends of either
# family; then the same over tagged links. A cell is connections, 10 MB each way and datagrams of many
# sizes, and what the backend has to see as its client. Answers of backends that send them by
# themselves pass the balancer here as any router.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

BLOB_MB=10
FROM4=198.51.100.2
FROM6=2001:db8:1::2
ENDS=(client:eth0 lb:eth0 lb:eth1 s1:eth0 s2:eth0 s3:eth0)

# Modes with the families of service and backend that they serve.
CELLS=(
	"nat 4 4" "nat 6 6" "fullnat 4 4" "fullnat 6 6" "local 4 4" "local 6 6"
	"dsr 4 4" "dsr 4 6" "dsr 6 4" "dsr 6 6"
	"ipip 4 4" "ipip 4 6" "ipip 6 4" "ipip 6 6"
	"gue 4 4" "gue 4 6" "gue 6 4" "gue 6 6"
)
WRITTEN=("nat 4 4" "nat 6 6" "fullnat 4 4" "fullnat 6 6")
ONE_EACH=("nat 4 4" "fullnat 6 6" "local 4 4" "dsr 6 6" "ipip 4 6" "gue 6 4")

set_up_servers() {
	local server

	for server in "${SERVERS[@]}"; do
		in_ns "$server" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		ip -n "$PREFIX$server" addr add "$VIP4/32" dev lo
		ip -n "$PREFIX$server" addr add "$VIP6/128" dev lo nodad
		start_in "$server" "cell-$server" "$PYTHON" "$TESTS/servers/cell.py" serve "$server" 80 \
			"$WORK/blob"
	done
	start_in lb cell-l1 "$PYTHON" "$TESTS/servers/cell.py" serve l1 80 "$WORK/blob" 127.0.0.1 ::1
	start_in lb cell-l2 "$PYTHON" "$TESTS/servers/cell.py" serve l2 80 "$WORK/blob" 127.0.0.2
	in_ns lb sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
	for server in "${SERVERS[@]}" lb; do
		wait_for 10 is_listening "$server" 80 || die "cell.py in $server does not listen"
	done
}

# The configuration goes with it.
detach_everywhere() {
	local server

	for server in "${SERVERS[@]}"; do
		[ ! -e "/run/netns/$PREFIX$server" ] ||
			"$LBCTL" -n "$PREFIX$server" -q detach all >/dev/null || true
	done
	lb -q detach all >/dev/null || true
}

end_matrix() {
	local status=$?

	detach_everywhere
	end_scenario "$status"
}

# attach_everywhere XDP: balancer, and backends that unwrap.
attach_everywhere() {
	local server

	attach_all "$1"
	for server in "${SERVERS[@]}"; do
		"$LBCTL" -n "$PREFIX$server" -q attach eth0 mode "$1" role backend \
			from 192.0.2.1,2001:db8:2::1 >/dev/null
	done
	warm_up
}

# backends MODE FAMILY
backends() {
	local server

	if [ "$1$2" = local4 ]; then
		printf '127.0.0.1\n127.0.0.2\n'
	elif [ "$1" = local ]; then
		echo ::1
	else
		for server in "${SERVERS[@]}"; do
			if [ "$2" = 4 ]; then server_address "$server"; else server_address6 "$server"; fi
		done
	fi
}

# write_config MODE SERVICE-FAMILY BACKEND-FAMILY
write_config() {
	local proto address

	echo "services:"
	for proto in tcp udp; do
		echo "  - name: $proto"
		echo "    protocol: $proto"
		echo "    address: \"$(vip_port "$2" 80)\""
		echo "    mode: $1"
		echo "    backends:"
		for address in $(backends "$1" "$3"); do
			echo "      - address: \"$address\""
		done
	done
}

# What a backend sees as its client: full NAT's source or the client itself.
seen_client() {
	case $1$2 in
	fullnat4) echo 192.0.2.1 ;;
	fullnat6) echo 2001:db8:2::1 ;;
	*4) echo "$FROM4" ;;
	*6) echo "$FROM6" ;;
	esac
}

# cell MODE SERVICE-FAMILY BACKEND-FAMILY. The last datagram is larger than any link and comes in
# pieces, except to local processes, whom the kernel forgets while it puts them together.
cell() {
	local seen client from=$FROM4 proto least=2 largest=4000

	[ "$2" = 4 ] || from=$FROM6
	[ "$1" != local ] || largest=1432
	[ "$1$2" != local6 ] || least=1
	write_config "$@" >"$WORK/lb.yaml"
	lb -q config apply "$WORK/lb.yaml" >/dev/null
	ip -n "${PREFIX}client" route flush cache # the path MTU of another mode
	ip -n "${PREFIX}client" -6 route flush cache
	seen=$(from client 30 "$PYTHON" "$TESTS/servers/cell.py" visit "$from" "$(vip "$2")" 80 \
		"$WORK/blob" "$largest")
	client=$(seen_client "$1" "$2")
	echo "$seen"
	! grep -v " $client\$" <<<"$seen" || {
		echo "a client that is not $client was seen"
		return 1
	}
	for proto in tcp udp; do
		[ "$(grep -c "^$proto " <<<"$seen")" -ge "$least" ] || {
			echo "one server got all of $proto"
			return 1
		}
	done
}

# run_cells LABEL CELL…
run_cells() {
	local label=$1 mode front back

	shift
	while read -r mode front back; do
		check "$label: $mode, IPv$front by IPv$back" cell "$mode" "$front" "$back"
	done < <(printf '%s\n' "$@")
}

# offload on|off: whether the ends leave checksums to their devices. Between the switch and the
# servers they are finished, so that these see for themselves what became of one. A program of XDP at
# the other end would make frames of what is not finished.
offload() {
	local end

	for end in client:eth0 s1:eth0 s2:eth0 s3:eth0 sw:lb; do
		in_ns "${end%:*}" ethtool -K "${end#*:}" tx "$1" tso off gso off >/dev/null
	done
	for end in client:eth0 sw:lb; do
		if [ "$1" = on ]; then
			ip -n "$PREFIX${end%:*}" link set dev "${end#*:}" xdpdrv off
		else
			ip -n "$PREFIX${end%:*}" link set dev "${end#*:}" xdpdrv obj "$(pass_program)" \
				sec xdp.frags
		fi
	done
}

# As from senders on this machine.
run_offloaded() {
	attach_everywhere generic
	offload on
	run_cells "generic, checksums left to the device" "${WRITTEN[@]}" "${ONE_EACH[@]}"
	offload off
	detach_everywhere
}

# What GRO joins would be lost.
says_gro() {
	local said

	in_ns lb ethtool -K eth0 gro on
	said=$(lb attach eth0 mode generic 2>&1)
	lb -q detach eth0 >/dev/null
	in_ns lb ethtool -K eth0 gro off
	echo "$said"
	grep -q "eth0: GRO joins frames .*'ethtool -K eth0 gro off'" <<<"$said"
	said=$(lb attach eth0 mode generic 2>&1)
	lb -q detach eth0 >/dev/null
	! grep GRO <<<"$said"
}

# Modes that write into the packet cannot make one family of the other.
refuses_mixed() {
	local mode pair said

	for mode in nat fullnat local; do
		for pair in "4 6" "6 4"; do
			# shellcheck disable=SC2086  # two words
			write_config "$mode" $pair >"$WORK/mixed.yaml"
			if said=$(lb config apply "$WORK/mixed.yaml" 2>&1); then
				echo "$mode $pair was not refused"
				return 1
			fi
			echo "$said"
			[[ $said == *"mode $mode cannot bridge address families"* ]]
		done
	done
}

# No device puts a tag in by itself: it is to be in the frame, where XDP sees it. What has two of them
# is longer than links are without being asked, though the packet in it is not.
make_links_tagged() {
	local end name port

	for end in "${ENDS[@]}"; do
		in_ns "${end%:*}" ethtool -K "${end#*:}" txvlan off tx-vlan-stag-hw-insert off >/dev/null
		in_ns "${end%:*}" tc qdisc add dev "${end#*:}" clsact
		ip -n "$PREFIX${end%:*}" link set "${end#*:}" mtu 1504
		keep_packets "${end%:*}" -4
		keep_packets "${end%:*}" -6
	done
	for name in lb "${SERVERS[@]}"; do
		port=$name
		in_ns sw ethtool -K "$port" txvlan off tx-vlan-stag-hw-insert off >/dev/null
		ip -n "${PREFIX}sw" link set "$port" mtu 1504
	done
	ip -n "${PREFIX}sw" link set br0 mtu 1504
}

# keep_packets NS FAMILY: of 1,500 bytes at most, whatever the device takes. What is forwarded by IPv4
# goes by a route's MTU if that is locked; what is sent would then lack path MTU discovery.
keep_packets() {
	local route lock

	[ "$1" != lb ] || lock=lock

	while read -r route; do
		# shellcheck disable=SC2086  # words
		ip -n "$PREFIX$1" "$2" route change ${route% pref medium} mtu ${lock:-} 1500
	done < <(ip -n "$PREFIX$1" "$2" route show)
}

# tag_links "" | 2: one tag or two at all ends.
tag_links() {
	local end object

	object=$(test_object vlan)
	for end in "${ENDS[@]}"; do
		in_ns "${end%:*}" tc filter replace dev "${end#*:}" egress pref 9 handle 1 bpf da \
			obj "$object" sec "tc/tag$1"
		in_ns "${end%:*}" tc filter replace dev "${end#*:}" ingress pref 9 handle 1 bpf da \
			obj "$object" sec "tc/untag$1"
	done
}

main() {
	local xdp

	start_scenario
	trap end_matrix EXIT
	make_blob
	set_up_servers
	for xdp in native generic; do
		attach_everywhere "$xdp"
		run_cells "$xdp" "${CELLS[@]}"
		detach_everywhere
	done
	run_offloaded
	check "generic: GRO is said to be on" says_gro
	check "mixed families are refused where a mode cannot bridge them" refuses_mixed
	make_links_tagged
	tag_links ""
	for xdp in generic native; do
		attach_everywhere "$xdp"
		run_cells "$xdp, 802.1Q" "${ONE_EACH[@]}"
		detach_everywhere
	done
	tag_links 2
	attach_everywhere native
	run_cells "native, QinQ" "${ONE_EACH[@]}"
}

main
