#!/usr/bin/env bash
# iptables-legacy-save: a rule that never matches is saved as one that always matches
#
# Versions   iptables 1.8.9 (legacy), Debian 12. 1.8.7 (legacy) does the same, and 1.8.7
#            (nf_tables) takes the rule as one that always matches from the start. 1.8.9
#            (nf_tables) and both backends of 1.8.11 save it as it was given.
#
# Behaviour  `! -o +` asks for a packet that leaves by no interface whatever; `+` alone is every
#            name. The kernel follows it: such a rule never counts a packet. iptables-legacy-save
#            leaves out an interface of `+`, which is right without "!", and leaves out the "!"
#            with it. What is printed has no condition. Restored, it matches every packet.
#
# Matters    Such a rule is rare, and then the dump is wrong about the whole chain: with -j ACCEPT
#            or -j DROP behind it, it seems to end there for everybody. A node that restores its own
#            dump at boot turns what was switched off into what always happens. In a legacy dump
#            of these versions, a rule without conditions that counted nothing, above rules that
#            counted much, is the trace of it. A newer iptables-legacy-save, run on the same
#            kernel, prints the condition: the kernel still has it.
#
# Seen       given: -A OUTPUT ! -o + -p udp --dport 9      3 datagrams sent, [0:0]
#            saved: -A OUTPUT -p udp -m udp --dport 9
#            restored from that, 3 more datagrams sent:    [3:87]

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"
node

on_node iptables-legacy -A OUTPUT ! -o + -p udp --dport 9
datagrams 3
on_node iptables-legacy-save -c -t filter >"$work/save"
expect 'saved without its condition, and never matched' \
    '[0:0] -A OUTPUT -p udp -m udp --dport 9' \
    "$(grep -F -- '-A' "$work/save")"

on_node iptables-legacy-restore <"$work/save"
datagrams 3
expect 'restored, it matches every datagram' \
    '[3:87] -A OUTPUT -p udp -m udp --dport 9' \
    "$(on_node iptables-legacy-save -c -t filter | grep -F -- '-A')"

on_node iptables-nft -A OUTPUT ! -o + -p udp --dport 9
expect 'the nf_tables backend of the same version keeps the condition' \
    '-A OUTPUT ! -o + -p udp -m udp --dport 9' \
    "$(on_node iptables-nft-save -t filter 2>/dev/null | grep '^-A')"

verdict
