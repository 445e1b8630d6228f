#!/usr/bin/env bash
# jc: 123K packets of `iptables -nvL` become 123, and an IPv6 rule's destination becomes its source
#
# Versions   jc 1.26.1 (PyPI) on what iptables 1.8.9 (Debian 12) and ip6tables 1.8.7 (Debian 11)
#            list.
#
# Behaviour  `iptables -nvL` prints counts in K, M and G from 100,000 on. jc multiplies bytes, and
#            takes the K from packets: 123K is 123, in rules and in policies. ip6tables before 1.8.9
#            leaves the column `opt` blank. jc splits at blanks, so that each later word moves into
#            the column before its own: `opt` is the interface that a packet came by, `out` is the
#            source address, `source` is the destination, and the destination is missing, or is the
#            first word of the options. Exit status 0 and nothing on standard error, in both cases.
#
# Matters    Bundles have `iptables -t nat -nvL` (sos), and jc is what turns it into JSON for a
#            script. Of two listings, the rule that went from 99999 to 100K seems to have been
#            reset; a busy chain seems idle beside a quiet one. A search for the rules of a source
#            finds those to that destination. Take bytes instead of packets, list with -x, and read
#            no IPv6 of a 1.8.7 (Debian 11, Ubuntu 22.04) in this way.
#
# Seen       listed: 123K   46M ACCEPT               jc: "pkts": 123, "bytes": 46000000
#            listed: DROP tcp  (blank)  eth0 * fd00::1 fd00::2
#            jc: "opt": "eth0", "in": "*", "out": "fd00::1", "source": "fd00::2"

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install --no-deps \
    jc==1.26.1 xmltodict==0.13.0 ruamel.yaml==0.17.40 2>"$work/pip" || cannot "no jc: $(tail -n 1 "$work/pip")"
node

# read_by_jc NUMBER MEMBER ...: members of the chain FORWARD, or of its rule of that number, as jc reads them.
read_by_jc() {
    "$work/venv/bin/jc" --iptables <"$work/listing" | python3 -c '
import json, sys
number, *names = sys.argv[1:]
chain, = (one for one in json.load(sys.stdin) if one["chain"] == "FORWARD")
found = chain["rules"][int(number)] if number.isdecimal() else chain
print(json.dumps({name: found[name] for name in names if name in found}))' "$@"
}

on_node iptables-nft-restore --counters <<'END'
*filter
:FORWARD ACCEPT [234567:45678901]
[99999:45678901] -A FORWARD -i eth0 -j DROP
[123456:45678901] -A FORWARD -i eth1 -j ACCEPT
COMMIT
END
on_node iptables-nft -nvL FORWARD >"$work/listing"
expect 'the listing' $'99999 46M DROP\n123K 46M ACCEPT' "$(awk '/eth/ { print $1, $2, $3 }' "$work/listing")"
expect 'the policy, listed with 235K packets' '{"default_packets": 235, "default_bytes": 46000000}' \
    "$(read_by_jc policy default_packets default_bytes)"
expect 'the quieter rule' '{"pkts": 99999, "bytes": 46000000}' "$(read_by_jc 0 pkts bytes)"
expect 'the busier one' '{"pkts": 123, "bytes": 46000000}' "$(read_by_jc 1 pkts bytes)"

on_node iptables-nft -nvxL FORWARD >"$work/listing"
expect 'with -x' '{"pkts": 123456, "bytes": 45678901}' "$(read_by_jc 1 pkts bytes)"

on_node ip6tables-nft -A FORWARD -i eth0 -s fd00::1 -d fd00::2 -p tcp -j DROP
on_node ip6tables-nft -nvL FORWARD >"$work/listing"
expect 'ip6tables 1.8.9' '{"in": "eth0", "out": "*", "source": "fd00::1", "destination": "fd00::2"}' \
    "$(read_by_jc 0 opt in out source destination | sed 's/"opt": null, //')"

root=$work/older
debs bullseye iptables=1.8.7-1 libxtables12=1.8.7-1 libip4tc2=1.8.7-1 libip6tc2=1.8.7-1 \
    libnftnl11=1.1.9-1 libmnl0=1.0.4-3 libnetfilter-conntrack3=1.0.8-3 libnfnetlink0=1.0.1-3+b1
on_node ip6tables-nft -nvL FORWARD >"$work/listing"
expect 'ip6tables 1.8.7: the listing' 'DROP tcp eth0 * fd00::1 fd00::2' \
    "$(awk '/eth0/ { print $3, $4, $5, $6, $7, $8 }' "$work/listing")"
status=0
seen=$(read_by_jc 0 opt in out source destination 2>"$work/errors") || status=$?
expect 'each word is in the column before its own' \
    '{"opt": "eth0", "in": "*", "out": "fd00::1", "source": "fd00::2"}' "$seen"
expect 'and nothing is said' 0 "$status$(cat "$work/errors")"

verdict
