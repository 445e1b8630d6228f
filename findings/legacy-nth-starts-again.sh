#!/usr/bin/env bash
# iptables-legacy: every change of a table starts `-m statistic --mode nth` again, so that one endpoint may get all
#
# Versions   iptables 1.8.9 (Debian 12), legacy and nf_tables, on Linux 6.18.
#
# Behaviour  Two rules share connections out by `--mode nth --every 2`: each gets every second one. With legacy any
#            change of the table, here a new chain that nothing leads to, replaces the whole table in the
#            kernel, and the count begins anew. With one new connection between two changes the first rule
#            gets all of them. With nf_tables a change leaves other rules and their counts alone.
#
# Matters    Load balancers written by hand, and some CNI plug-ins, count so. On a node where kube-proxy syncs often,
#            shares of 1/n from nth hold for nf_tables, and for legacy only between two changes; no save shows how
#            often a table is changed.
#
# Seen       legacy:    6 connections, 6 to the first rule
#            nf_tables: 6 connections, 3 to the first rule and 3 to the second

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"

# counted TOOL: where six connections arrive, the table being changed after each.
counted() {
    node
    ip -n "$netns" addr add 192.0.2.1/32 dev lo
    on_node "$1" -t nat -A OUTPUT -d 192.0.2.1/32 -p udp -m udp --dport 9 \
        -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 127.0.0.1:1001
    on_node "$1" -t nat -A OUTPUT -d 192.0.2.1/32 -p udp -m udp --dport 9 -j DNAT --to-destination 127.0.0.1:1002
    ports=
    for number in 1 2 3 4 5 6; do
        ports+="$(port_reached) "
        on_node "$1" -t nat -N "UNUSED-$number"
    done
    ports=$(tr ' ' '\n' <<<"$ports" | sort | uniq -c | awk 'NF == 2 { print $1 " to " $2 }')
    ip netns del "$netns"
    netns=
}

counted iptables-legacy
expect 'legacy: the first rule gets all' '6 to 1001' "$ports"
counted iptables-nft
expect 'nf_tables: each gets half' $'3 to 1001\n3 to 1002' "$ports"

verdict
