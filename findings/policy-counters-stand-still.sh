#!/usr/bin/env bash
# iptables-save -c: the counters of a policy stay 0 on nf_tables and fall back to 0 on legacy
#
# Versions   iptables 1.8.9 (Debian 12), both backends. 1.8.11 does neither: it makes built-in
#            chains with counters, and a change elsewhere leaves legacy's counters alone.
#
# Behaviour  nf_tables: a built-in chain that `iptables -A` or `-I` made has no counter. Its line
#            reads `:OUTPUT ACCEPT [0:0]` however many packets come to the policy, while the
#            rules in it count. Once the very same rules are loaded with iptables-restore, or -P
#            was used, the policy counts. Legacy: policies count, but a change of any other chain
#            of the table, even by `iptables-restore --noflush --counters`, sets all of them to 0
#            and keeps the counters of the rules.
#
# Matters    `[0:0]` at a policy is read as "no packet ever came to the end of this chain". On
#            nf_tables that is not known for a chain whose policy nobody set. On legacy,
#            `:FORWARD DROP [0:0]` says only that nothing was dropped since the latest change of the
#            table, and kube-proxy makes one at each sync. For the same reason the packets of the
#            rules and of the policy in one chain must not be added up or compared.
#
# Seen       40 packets reach the policy of OUTPUT (20 datagrams, 20 ICMP errors):
#            nf_tables, made by -A: [0:0]; after a restore of the same rules: [40:1720]
#            legacy: [40:1720]; after a rule for another chain: [0:0]

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"

# counts BACKEND: OUTPUT's policy and rule, with counters
counts() {
    on_node "iptables-$1-save" -c -t filter | grep -E '(:|-A )OUTPUT'
}

node
on_node iptables-nft -A OUTPUT -p udp --dport 9
datagrams 20
expect 'nf_tables, chain made by -A: the rule counts, the policy does not' \
    ':OUTPUT ACCEPT [0:0]
[20:580] -A OUTPUT -p udp -m udp --dport 9' \
    "$(counts nft)"

on_node iptables-nft-save -t filter >"$work/rules"
on_node iptables-nft-restore <"$work/rules"
datagrams 20
expect 'nf_tables, the same rules restored: the policy counts' \
    ':OUTPUT ACCEPT [40:1720]
[20:580] -A OUTPUT -p udp -m udp --dport 9' \
    "$(counts nft)"
on_node iptables-nft -F

on_node iptables-legacy -A OUTPUT -p udp --dport 9
datagrams 20
expect 'legacy: rule and policy count' \
    ':OUTPUT ACCEPT [40:1720]
[20:580] -A OUTPUT -p udp -m udp --dport 9' \
    "$(counts legacy)"

on_node iptables-legacy-restore --noflush --counters <<'END'
*filter
:OTHER - [0:0]
-A OTHER -j RETURN
COMMIT
END
expect 'legacy, after a restore that names another chain: the policy starts again' \
    ':OUTPUT ACCEPT [0:0]
[20:580] -A OUTPUT -p udp -m udp --dport 9' \
    "$(counts legacy)"

verdict
