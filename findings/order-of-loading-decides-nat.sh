#!/usr/bin/env bash
# iptables: where both backends rewrite a connection, the one that was loaded last does, and no save tells which
#
# Versions   iptables 1.8.9 (Debian 12), legacy and nf_tables, on Linux 6.18.
#
# Behaviour  A node has a nat table of iptables-legacy and one of iptables-nft, each with a DNAT rule
#            for the same address. If the legacy table was loaded first, the rule of nf_tables takes
#            every new connection; if it was loaded second, its own rule does. Both saves are the same
#            line by line in either case. In filter both backends are asked, too, but there a DROP of
#            either drops, whatever the order.
#
# Matters    Programs of one node that use different backends, and a change of the backend without a
#            reboot, leave such nodes behind. Nodes with the same saves then send the same service to
#            different endpoints, and a reboot may change which. An answer from saves of both backends
#            has two cases wherever both rewrite.
#
# Seen       legacy first:  the datagram comes to port 1002, that of nf_tables
#            legacy second: the datagram comes to port 1001, that of legacy

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"

# loaded TOOL PORT ...: what a node with these rules, in this order, does and saves.
loaded() {
    node
    ip -n "$netns" addr add 192.0.2.1/32 dev lo
    while [ "$#" -gt 0 ]; do
        on_node "$1" -t nat -A OUTPUT -d 192.0.2.1/32 -p udp -m udp --dport 9 \
            -j DNAT --to-destination "127.0.0.1:$2"
        shift 2
    done
    port=$(port_reached)
    saves=$(on_node iptables-legacy-save -t nat; on_node iptables-nft-save -t nat 2>/dev/null)
    saves=$(grep -v '^#' <<<"$saves" | sed 's/ \[[0-9:]*\]$//')
    ip netns del "$netns"
    netns=
}

loaded iptables-legacy 1001 iptables-nft 1002
expect 'legacy first: the rule of nf_tables decides' 1002 "$port"
first=$saves
loaded iptables-nft 1002 iptables-legacy 1001
expect 'legacy second: the rule of legacy decides' 1001 "$port"
expect 'the saves are the same' "$first" "$saves"

verdict
