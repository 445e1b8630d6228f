#!/usr/bin/env bash
# nft list: the comments of iptables are missing, and with them every service name of kube-proxy
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). nft 1.1.3 (Debian 13) and
#            0.9.8 (Debian 11) leave them out too; nft 1.1.7 shows them.
#
# Behaviour  kube-proxy in iptables mode names its services nowhere but in `-m comment`. nft lists
#            such a rule with all its other matches and only a blank where the comment was. A
#            comment that nft itself set on a rule is listed, in the same chain. With -j the
#            place is kept as {"xt": {"type": "match", "name": "comment"}}, without the text.
#
# Matters    A search of `nft list ruleset` for a service's name finds nothing on a node that has
#            it. No service can be told by name from such a listing, nor a rule of a CNI by its
#            remark, and kube-proxy's node ports can no longer be told from others by "ns/name".
#            Two rules that differ only in their comment look like one rule twice. The absence of
#            a name in a listing of nft before 1.1.7 proves nothing; the chain names, which are
#            hashes of the names, can still be compared with what a service's would be.
#
# Seen       -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http
#            cluster IP" -m tcp --dport 80 -j KUBE-SVC-X
#            is listed as
#            meta l4proto tcp ip daddr 10.96.0.10  tcp dport 80 counter packets 0 bytes 0
#            jump KUBE-SVC-X

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

rule='-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http cluster IP"'
rule+=' -m tcp --dport 80 -j KUBE-SVC-X'
on_node iptables-nft-restore <<END
*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-X - [0:0]
$rule
COMMIT
END
on_node nft 'add rule ip nat KUBE-SERVICES counter return comment "set by nft"'

expect 'iptables-save shows the comment' "$rule" \
    "$(on_node iptables-nft-save -t nat | grep -F -- '--dport 80')"

on_node nft list chain ip nat KUBE-SERVICES >"$work/listing" 2>/dev/null
expect 'nft lists the rule with a blank in its place' \
    'meta l4proto tcp ip daddr 10.96.0.10  tcp dport 80 counter packets 0 bytes 0 jump KUBE-SVC-X' \
    "$(grep -F 'dport 80' "$work/listing" | tr -d '\t')"
expect 'a comment that nft set is listed' \
    'counter packets 0 bytes 0 return comment "set by nft"' \
    "$(grep -F 'return' "$work/listing" | tr -d '\t')"

on_node nft -j list chain ip nat KUBE-SERVICES >"$work/json" 2>/dev/null
expect 'JSON keeps the place and not the text' \
    "[{'xt': {'type': 'match', 'name': 'comment'}}]" \
    "$(python3 - "$work/json" <<'END'
import json, sys
rules = [x["rule"] for x in json.load(open(sys.argv[1]))["nftables"] if "rule" in x]
print([part for part in rules[0]["expr"] if "xt" in part])
END
)"

verdict
