#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Checks through the datapath, in every mode and both families: servers that answer the balancer but
# would not answer a client are down, with the reason in words, and come back when they are mended.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

LBD=$ROOT/lbd LBD_PID=
# MODE or MODE-KIND, mixed: backends of the other family. A port for each, since replies of a server's
# port belong to one service.
declare -A PORTS=([dsr]=80 [nat]=81 [fullnat]=82 [ipip]=83 [gue]=84 [dsr-udp]=85 [nat-udp]=86
	[nat-https]=443 [fullnat-https]=444 [dsr-dns]=53 [ipip-mixed]=87 [gue-mixed]=88)
declare -A BROKEN=([dsr]=via_dsr [nat]=via_nat [ipip]=via_tunnel [gue]=via_tunnel
	[dsr-udp]=via_dsr [nat-udp]=via_nat [nat-https]=via_nat [dsr-dns]=via_dsr [ipip-mixed]=via_tunnel
	[gue-mixed]=via_tunnel)

start_lbd() {
	"$LBD" -n "${PREFIX}lb" -a none >>"$WORK/lbd.log" 2>&1 &
	LBD_PID=$!
	wait_for 10 lb health log
}

end_via() {
	local status=$? server

	kill "$LBD_PID" 2>/dev/null || true
	for server in s1 s2; do
		[ ! -e "/run/netns/$PREFIX$server" ] || agent "$server" -q detach all >/dev/null || true
	done
	end_scenario "$status"
}

agent() {
	local server=$1

	shift
	"$LBCTL" -n "$PREFIX$server" "$@"
}

start_server() {
	local name=$1 dir=$WORK/$1 mode port ssl listens=''

	for mode in "${!PORTS[@]}"; do
		port=${PORTS[$mode]}
		ssl=''
		[[ $mode != *-https ]] || ssl=' ssl'
		[[ $mode == *-udp || $mode == *-dns ]] || listens+="listen $port$ssl; listen [::]:$port$ssl; "
	done
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/key.pem" \
		-subj /CN=test -days 2 -out "$dir/cert.pem" 2>/dev/null
	cat >"$dir/nginx.conf" <<CONF
user root;
worker_processes 1;
daemon off;
pid $dir/pid;
events { }
http {
	access_log off;
	client_body_temp_path $dir;
	proxy_temp_path $dir;
	fastcgi_temp_path $dir;
	uwsgi_temp_path $dir;
	scgi_temp_path $dir;
	ssl_certificate $dir/cert.pem;
	ssl_certificate_key $dir/key.pem;
	server { $listens location / { return 200 "$name\n"; } }
}
CONF
	in_ns "$name" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	start_in "$name" "nginx-$name" nginx -e "$dir/error.log" -c "$dir/nginx.conf"
	for port in 85 86; do
		start_in "$name" "echo-$name-$port" "$PYTHON" "$TESTS/servers/udp_echo.py" "$name" $port
	done
	start_in "$name" "dns-$name" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
		--user=root --pid-file --local=/example/ --host-record=there.example,192.0.2.1,2001:db8::1
	wait_for 10 is_listening "$name" 80 || die "nginx in $name does not listen"
}

# What a server needs in one mode or another: its way to clients, the address, an end of the tunnel.
mend() {
	ip -n "$PREFIX$1" route replace default via 192.0.2.1
	ip -n "$PREFIX$1" route replace default via 2001:db8:2::1
	ip -n "$PREFIX$1" addr add "$VIP4/32" dev lo
	ip -n "$PREFIX$1" addr add "$VIP6/128" dev lo nodad
	agent "$1" -q attach eth0 mode native role backend from 192.0.2.1,2001:db8:2::1
}

add_services() {
	local family other mode name proto check

	for family in 4 6; do
		for mode in "${!PORTS[@]}"; do
			name=$mode$family
			proto=tcp
			other=$family
			check=(http)
			case $mode in
			*-udp) proto=udp check=(udp send hello expect hello) ;;
			*-dns) proto=udp check=(dns host there.example) ;;
			*-https) check=(https) ;;
			*-mixed) other=$((10 - family)) ;;
			esac
			lb -q service add "$name" "$proto" "$(vip_port $family "${PORTS[$mode]}")" mode "${mode%-*}"
			lb -q backend add "$name" "$(backend_of "$other" s1 "${PORTS[$mode]}")"
			lb -q backend add "$name" "$(backend_of "$other" s2 "${PORTS[$mode]}")"
			lb -q health set "$name" "${check[@]}" every 400ms timeout 300ms rise 1 fall 2 via datapath
		done
	done
}

# all_by SERVER, then MODE=HEALTH/REASON…: whether it is so in both families.
all_by() {
	local server=$1

	shift
	lb -q -j health list | "$PYTHON" -c '
import json, sys
wanted = dict(word.split("=") for word in sys.argv[2:])
seen = 0
for row in json.load(sys.stdin):
    mode = row["service"][:-1]
    if mode in wanted and row["backend"].rsplit(":", 1)[0].strip("[]") in sys.argv[1].split(","):
        now = "%s/%s" % (row["health"], row["reason"])
        if now != wanted[mode]:
            sys.exit("%s %s is %s, not %s" % (row["service"], row["backend"], now, wanted[mode]))
        seen += 1
sys.exit(seen != 2 * len(wanted))' "$(server_address "$server"),$(server_address6 "$server")" "$@"
}

becomes() {
	wait_for 8 all_by "$@" || {
		lb -q health
		all_by "$@"
	}
}

all_up() {
	local mode words=()

	for mode in "${!PORTS[@]}"; do
		words+=("$mode=up/$2")
	done
	becomes "$1" "${words[@]}"
}

broken_is_down() {
	local mode words=()

	for mode in "${!BROKEN[@]}"; do
		words+=("$mode=down/${BROKEN[$mode]}")
	done
	becomes s2 fullnat=up/ok fullnat-https=up/ok "${words[@]}"
}

has_words() {
	lb -q health list nat4 | grep "answers directly, but its replies do not return through this host"
	lb -q health list dsr6 | grep "answers directly, but not at the service's address"
	lb -q health list gue4 | grep "answers directly, but not what comes by the tunnel"
	lb -q health log >"$WORK/log"
	grep "unknown -> down  via_nat" "$WORK/log"
}

set_all() {
	local family mode

	for family in 4 6; do
		for mode in "${!PORTS[@]}"; do
			lb -q health set "$mode$family" "$@"
		done
	done
}

direct_says_up() {
	set_all via direct
	all_up s2 ok
	set_all via datapath
}

# What reaches the near end has the service's address and is for its port.
takes_the_way() {
	from lb 1.5 tcpdump -nlqti lbprobe0 "dst host $VIP4 or dst host $VIP6" >"$WORK/dump" \
		2>"$WORK/tcpdump.log" || true
	for port in "${PORTS[@]}"; do
		grep "> $VIP4.$port:" "$WORK/dump"
		grep "> $VIP6.$port:" "$WORK/dump"
	done
}

# After tens of probes there is a flow of full NAT or of UDP for each backend, and no connection.
counts_nothing() {
	lb -q -j stats >"$WORK/stats"
	"$PYTHON" -c '
import json, sys
stats = json.load(open(sys.argv[1]))
for backend in stats["backends"]:
    if backend["connections"] or backend["failed"] or backend["active"]:
        sys.exit("%s %s has counted: %s" % (backend["service"], backend["backend"], backend))
if len(stats["backends"]) != 48 or stats["flows"] > 28:
    sys.exit("%d flow entries, not two of full NAT and one of UDP" % stats["flows"])' "$WORK/stats"
}

# A firewall in the server lets out only what goes to the kernel's own ports, as direct checks have.
answers_are_lost() {
	in_ns s2 nft 'add table inet wall; add chain inet wall out { type filter hook output priority 0; };
		add rule inet wall out tcp sport 82 tcp dport != 32768-60999 drop'
	becomes s2 fullnat=down/via_fullnat fullnat-https=up/ok nat=up/ok
	in_ns s2 nft delete table inet wall
	becomes s2 fullnat=up/ok
}

# Clients' packets would go nowhere either. Of IPv4, rp_filter is on again, and checks are direct.
nothing_is_sent() {
	local name

	lb -q detach eth1
	for name in dsr6 nat6 fullnat6 ipip6; do
		wait_for 8 is_reason "$name" via_unsent
	done
	lb -q health list dsr6 | grep "via_unsent not_attached.*the datapath does not send to it"
	lb -q attach eth1 mode native
	all_up s2 ok
}

# Where answers could not come back, checks are direct, no server goes down, and lbd says why.
says_why_direct() {
	local told

	lb -q health log >"$WORK/before"
	in_ns lb sysctl -qw net.ipv4.conf.all.rp_filter=1
	wait_for 10 is_reason nat4 direct
	wait_for 10 is_reason fullnat4 direct
	wait_for 10 is_reason gue4 direct
	is_reason nat6 ok
	in_ns lb sysctl -qw net.ipv4.conf.all.rp_filter=0
	all_up s2 ok
	# Answers of a process of this host are nobody's health.
	start_in lb impostor "$PYTHON" -m http.server --bind :: 81
	wait_for 5 is_listening lb 81
	ip -n "${PREFIX}lb" addr add "$VIP4/32" dev lo
	ip -n "${PREFIX}lb" addr add "$VIP6/128" dev lo nodad
	wait_for 8 is_reason nat4 direct
	wait_for 8 is_reason dsr4 direct
	is_reason fullnat4 ok
	is_reason nat6 ok
	sleep 1
	told=$(times_told)
	sleep 1
	[ "$(times_told)" = "$told" ] # and not again with each check
	[ "$(lb -q health log | grep -c -- "-> down")" = "$(grep -c -- "-> down" "$WORK/before")" ]
	own_address
	ip -n "${PREFIX}lb" addr del "$VIP4/32" dev lo
	ip -n "${PREFIX}lb" addr del "$VIP6/128" dev lo
	stop_label impostor
	all_up s2 ok
	lb -q health log >"$WORK/log"
	grep "checked directly, not through the datapath: rp_filter of" "$WORK/log"
	grep "checked directly, not through the datapath: accept_local of eth1 is off, and" "$WORK/log"
}

# As lbcache needs it: the service's address is the host's own, and answers from it are taken.
own_address() {
	in_ns lb sysctl -qw net.ipv4.conf.eth1.accept_local=1
	all_up s2 ok
	ip -n "${PREFIX}s2" addr del "$VIP4/32" dev lo
	ip -n "${PREFIX}s2" addr del "$VIP6/128" dev lo
	becomes s2 dsr=down/via_dsr dsr-udp=down/via_dsr ipip=down/via_tunnel nat=up/ok fullnat=up/ok
	ip -n "${PREFIX}s2" addr add "$VIP4/32" dev lo
	ip -n "${PREFIX}s2" addr add "$VIP6/128" dev lo nodad
	all_up s2 ok
	in_ns lb ip rule show pref 0 | tail -n 1 | grep 'lookup local'
	[ "$(in_ns lb ip rule show pref 0 | grep -c 'lookup local')" = 1 ]
}

times_told() {
	lb -q health log | grep -c "checked directly, not through the datapath"
}

is_reason() {
	[ "$(lb -q -j health list "$1" | "$PYTHON" -c '
import json, sys; print(*{row["reason"] for row in json.load(sys.stdin)})')" = "$2" ]
}

has_link() {
	ip -n "${PREFIX}lb" link show lbprobe0 && ip -n "${PREFIX}lb" rule | grep 0x6c627072
}

# Somebody removes the link: lbd makes it anew, and no server goes down meanwhile.
link_comes_back() {
	lb -q health log >"$WORK/before"
	ip -n "${PREFIX}lb" link del lbprobe0
	wait_for 8 has_link
	sleep 1
	all_up s1 ok
	lb -q health log >"$WORK/log"
	grep "lbprobe0 was removed; it is made anew" "$WORK/log"
	[ "$(grep -c -- "-> down" "$WORK/log")" = "$(grep -c -- "-> down" "$WORK/before")" ]
}

# Killed, lbd leaves its link; the next one takes it over and removes it when it ends.
survives_kill() {
	kill -9 "$LBD_PID"
	wait_for 5 is_gone "$LBD_PID"
	has_link
	start_lbd
	sleep 1
	all_up s1 ok
	has_link
	[ "$(ip -n "${PREFIX}lb" rule | grep -c 0x6c627072)" = 1 ]
	kill "$LBD_PID"
	wait_for 5 is_gone "$LBD_PID"
	if has_link || ip -n "${PREFIX}lb" -6 rule | grep 0x6c627072; then
		echo "the link or its rule is still there"
		return 1
	fi
}

trap end_via EXIT
start_scenario
trap end_via EXIT
attach_all native
for server in s1 s2; do
	start_server "$server"
done
ip -n "${PREFIX}s2" route del default
ip -n "${PREFIX}s2" -6 route del default
mend s1
add_services
start_lbd

check "servers that are right are up in every mode" all_up s1 ok
check "probes go to the service's address" takes_the_way
check "without return route, address or decapsulation a server is down" broken_is_down
check "the reasons are told in words" has_words
check "probes are counted as nobody's connections" counts_nothing
check "via direct says that it is up" direct_says_up
check "down again by the datapath" broken_is_down
mend s2
check "mended, it is up in every mode" all_up s2 ok
check "full NAT's answers are lost" answers_are_lost
check "the datapath does not send" nothing_is_sent
check "where it cannot be, checks are direct and lbd says why" says_why_direct
check "removed, the link is made anew" link_comes_back
check "a killed lbd's link is taken over, and removed at the end" survives_kill
