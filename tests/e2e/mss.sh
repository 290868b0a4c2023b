#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# mss-clamp by real TCP: what each end of a connection takes for the largest segment, in full NAT and
# nat both ways, through a tunnel the one that passes the balancer. Time stamps take 12 bytes of each.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

PORT=5400
FROM4=198.51.100.2
FROM6=2001:db8:1::2

set_up_server() {
	in_ns s1 sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	ip -n "${PREFIX}s1" addr add "$VIP4/32" dev lo
	ip -n "${PREFIX}s1" addr add "$VIP6/128" dev lo nodad
	"$LBCTL" -n "${PREFIX}s1" -q attach eth0 mode native role backend from 192.0.2.1,2001:db8:2::1
	start_in s1 maxseg "$PYTHON" "$TESTS/servers/maxseg.py" serve "$PORT"
	wait_for 10 is_listening s1 "$PORT" || die "maxseg.py does not listen"
}

end_mss() {
	local status=$?

	[ ! -e "/run/netns/${PREFIX}s1" ] || "$LBCTL" -n "${PREFIX}s1" -q detach all >/dev/null || true
	end_scenario "$status"
}

server_of() {
	if [ "$1" = 4 ]; then server_address s1; else server_address6 s1; fi
}

# write_config FAMILY MODE BACKEND-FAMILY MSS
write_config() {
	cat <<-YAML
		services:
		  - name: web
		    protocol: tcp
		    address: "$(vip_port "$1" "$PORT")"
		    mode: $2
		    mss-clamp: $4
		    backends:
		      - address: "$(server_of "$3")"
	YAML
}

# takes SERVER CLIENT FAMILY MODE BACKEND-FAMILY MSS: what the two may send.
takes() {
	local wanted="$1 $2" got from=$FROM4

	shift 2
	[ "$1" = 4 ] || from=$FROM6
	write_config "$@" >"$WORK/lb.yaml"
	lb -q config apply "$WORK/lb.yaml" >/dev/null
	got=$(from client 10 "$PYTHON" "$TESTS/servers/maxseg.py" ask "$from" "$(vip "$1")" "$PORT")
	echo "server and client may send: $got"
	[ "$got" = "$wanted" ]
}

main() {
	start_scenario
	trap end_mss EXIT
	set_up_server
	attach_all native
	warm_up
	check "full NAT, IPv4: off" takes 1448 1448 4 fullnat 4 off
	check "full NAT, IPv4: 1000 both ways" takes 988 988 4 fullnat 4 1000
	check "full NAT, IPv6: 1220 both ways" takes 1208 1208 6 fullnat 6 1220
	check "nat, IPv4: 1000 both ways" takes 988 988 4 nat 4 1000
	check "nat, IPv6: auto is off" takes 1428 1428 6 nat 6 auto
	check "ipip, IPv4 by IPv4: auto" takes 1428 1448 4 ipip 4 auto
	check "ipip, IPv6 by IPv4: auto" takes 1408 1428 6 ipip 4 auto
	check "gue, IPv4 by IPv6: auto" takes 1400 1448 4 gue 6 auto
	check "gue, IPv6 by IPv6: 1300" takes 1288 1428 6 gue 6 1300
	check "ipip, IPv4 by IPv4: off" takes 1448 1448 4 ipip 4 off
	check "dsr, IPv4: 1200" takes 1188 1448 4 dsr 4 1200
}

main
