#!/usr/bin/env bash
# nft list: a CONNMARK that replaces some bits of the connection's mark is listed as a statement that changes none
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). nft 1.1.3 with iptables 1.8.11
#            (Debian 13) and 1.1.7 with 1.8.13 list the same; iptables-translate prints it, too.
#
# Behaviour  `-j CONNMARK --set-xmark 0x111/0xfff` clears the bits of the mask and then sets 0x111.
#            It is listed the other way round, as `ct mark set ct mark xor 0x111 and 0xfffff000`:
#            taken word by word that clears what it has just set, and nft, where `and` binds before
#            `xor`, loads it as a mark that stays as it is. MARK, with the same options, is listed
#            in the right order. A value that is the whole mask (0x80/0x80), a mask of all bits or
#            of none are listed as what they do. With -j only the name of the target is listed.
#
# Matters    Service meshes and CNIs mark connections so, since the bits beside belong to others:
#            Istio's ambient mode has just this rule, and another that acts on connections with
#            0x111/0xfff. In the listing no rule ever gives a connection that mark, so that the
#            other one seems to be dead; loaded from its own listing it is. The options can be told:
#            `xor V and M` was --set-xmark V with the complement of M as its mask, since only
#            iptables has the words written; nft itself writes ^ and &. iptables-save says it right.
#
# Seen       given:  -A OUTPUT -p udp -j CONNMARK --set-xmark 0x111/0xfff     3 datagrams: 3 have 0x111/0xfff
#            listed: ct mark set ct mark xor 0x111 and 0xfffff000             loaded, 3 datagrams: none has

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

on_node iptables-nft-restore <<'END'
*mangle
-A OUTPUT -p udp -j CONNMARK --set-xmark 0x111/0xfff
-A OUTPUT -p udp -m connmark --mark 0x111/0xfff
-A INPUT -p tcp -j MARK --set-xmark 0x111/0xfff
-A INPUT -p tcp -j CONNMARK --set-xmark 0x80/0x80
COMMIT
END
datagrams 3

# What is listed behind the counter of a rule that holds a text.
listed() {
    grep -F -- "$1" "$work/listing" | sed 's/.*counter packets [0-9]* bytes [0-9]* *//'
}
counted() {
    on_node nft list chain ip mangle OUTPUT 2>/dev/null | grep -F '== 0x' | grep -o 'packets [0-9]*'
}

on_node nft list ruleset >"$work/listing" 2>/dev/null
expect 'the save is right' '-A OUTPUT -p udp -j CONNMARK --set-xmark 0x111/0xfff' \
    "$(on_node iptables-nft-save -t mangle | grep -F 'CONNMARK --set-xmark 0x111')"
expect 'connections get the mark' 'packets 3' "$(counted)"
expect 'the listing sets the bits and then clears them' 'ct mark set ct mark xor 0x111 and 0xfffff000' \
    "$(listed 'xor 0x111 and')"
expect 'MARK is listed in the order in which it works' 'meta mark set mark and 0xfffff000 xor 0x111' \
    "$(listed 'and 0xfffff000 xor')"
expect 'a value that is the whole mask is listed as what it does' 'ct mark set ct mark or 0x80' "$(listed 'or 0x80')"

ip netns del "$netns"
node
sed 's/counter packets [0-9]* bytes [0-9]*/counter/' "$work/listing" | on_node nft -f -
datagrams 3
on_node nft list ruleset >"$work/listing"
expect 'loaded from the listing, the rule keeps the mark as it is' 'ct mark set ct mark' \
    "$(listed 'ct mark set' | head -n 1)"
expect 'and no connection gets it' 'packets 0' "$(counted)"

verdict
