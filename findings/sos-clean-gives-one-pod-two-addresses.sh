#!/usr/bin/env bash
# sos clean: a pod gets two addresses, a host becomes a network, and pods leave the pod network
#
# Versions   sos 4.9.1 (Debian 13; Python 3.11 here) on what iptables 1.8.9 printed. sos 4.12.1
#            does the same.
#
# Behaviour  `sos clean` replaces addresses and means to keep networks together. In the rules of
#            one pod it goes wrong, because iptables-save writes the pod both as 10.244.1.17/32
#            (`-s`) and as 10.244.1.17 (`--to-destination`). The two get different pseudonyms;
#            both get the prefix of the network they were found in (/24, from the bridge's own
#            address), although one had /32 and the other none. The prefix then also stands
#            between address and port. The pod network 10.244.0.0/16 gets numbers of its own, and
#            the pod's new address does not lie in it.
#
# Matters    A cleaned dump has the lines and options of a dump, so that a tool reads it, and
#            answers wrongly: the rule that masquerades one pod's calls to itself now covers a
#            whole /24, the endpoint's two rules seem to belong to two pods, "not from the pod
#            network" is true for every pod, and a DNAT to 100.0.0.2/24:80 has no address. Listings
#            with -nvL and bundles suffer alike. Only chain names, ports, probabilities and the
#            order of the rules can be trusted. Masks on hosts, and a prefix before a port, are the
#            marks by which a cleaned dump is told.
#
# Seen       -A KUBE-SEP-A -s 10.244.1.17/32 ...  and  --to-destination 10.244.1.17:80
#            -A KUBE-SEP-A -s 100.0.0.3/24 ...    and  --to-destination 100.0.0.2/24:80
#            ! -s 10.244.0.0/16                   ->   ! -s 101.0.0.1/16

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"
debs trixie sos=4.9.1-1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install \
    pexpect==4.9.0 PyYAML==6.0.4 packaging==26.4 python-magic==0.4.27 2>"$work/pip" ||
    cannot "$(tail -n 1 "$work/pip")"
node

on_node iptables-nft-restore <<'END'
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SVC-X - [0:0]
-A KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-X -m comment --comment "default/web:http -> 10.244.1.17:80" -j KUBE-SEP-A
-A KUBE-SEP-A -s 10.244.1.17/32 -m comment --comment "default/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.1.17:80
COMMIT
END
on_node ip link add cni0 type bridge
on_node ip address add 10.244.1.1/24 dev cni0

# A report as sos lays it out, and the save beside it.
report=$work/sosreport-node1
mkdir -p "$report"/sos_commands/{networking,firewall_tables} "$report"/sos_{logs,reports}
echo 'sosreport: 4.9.1' >"$report/version.txt"
echo '{"components": {"report": {"plugins": {}}}}' >"$report/sos_reports/manifest.json"
on_node ip -o addr >"$report/sos_commands/networking/ip_-o_addr"
ln -s sos_commands/networking/ip_-o_addr "$report/ip_addr"
on_node iptables-nft -t nat -nvL >"$report/sos_commands/firewall_tables/iptables_-t_nat_-nvL"
on_node iptables-nft-save -t nat >"$report/sos_commands/firewall_tables/iptables-save_-t_nat"

mkdir "$work/cleaned"
: >"$work/sos.conf"
# sos starts helpers of its own; the namespace keeps them off the machine's network.
PYTHONPATH=$root/usr/lib/python3/dist-packages ip netns exec "$netns" \
    "$work/venv/bin/python" "$root/usr/bin/sos" clean --batch --no-update \
    --config-file "$work/sos.conf" --map-file "$work/map" --tmp-dir "$work/cleaned" "$report" \
    >"$work/sos.log" 2>&1 || cannot "sos clean: $(tail -n 1 "$work/sos.log")"

save=$(find "$work/cleaned" -name 'iptables-save_-t_nat')
listing=$(find "$work/cleaned" -name 'iptables_-t_nat_-nvL')
grep '^-A' "$save"
echo

observed() {
    python3 - "$save" "$listing" <<'END'
import ipaddress, re, sys

save, listing = (open(name).read() for name in sys.argv[1:])
host, = re.findall(r"-A KUBE-SEP-A -s (\S+)", save)
target, = re.findall(r"--to-destination (\S+):80", save)
network, = re.findall(r"! -s (\S+)", save)
listed_network, = re.findall(r"!(\S+) ", listing)
listed_target, = re.findall(r"to:(\S+):80", listing)

def at(text):
    return ipaddress.ip_interface(text)

print("the pod as source is written with a prefix of", at(host).network.prefixlen)
print("the pod as target is written with a prefix of", at(target).network.prefixlen)
print("source and target are one address:", at(host).ip == at(target).ip)
print("the pod is in the pod network:", at(host).ip in at(network).network)
print("the same in the listing:", at(listed_target).ip in at(listed_network).network)
END
}
expect 'one pod, two addresses, none in the pod network' \
    'the pod as source is written with a prefix of 24
the pod as target is written with a prefix of 24
source and target are one address: False
the pod is in the pod network: False
the same in the listing: False' \
    "$(observed)"

verdict
