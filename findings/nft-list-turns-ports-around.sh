#!/usr/bin/env bash
# nft list: `-m multiport ! --ports` is listed without its negation, and of two address types only one
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). nft 1.1.3 with iptables 1.8.11
#            (Debian 13) and 1.1.7 with 1.8.13 list the same.
#
# Behaviour  `--ports 80,443` asks that either end has one of the ports, and is listed as pairs of
#            source and destination port. `! --ports 80,443` is listed as the very same pairs,
#            without a sign that it is the opposite. Of a range, `--ports 1:20`, the two ends are
#            listed as two ports. `--dports` and `--sports`, negated or not, are right. Of `-m
#            addrtype --src-type LOCAL --dst-type UNICAST` the first is listed alone, as `fib saddr
#            type local`. The save shows all of it.
#
# Matters    Of a node whose rules are kept as `nft list ruleset`, a rule that lets web traffic
#            alone is read as one that drops web traffic; nothing marks which of the two it is. A
#            rule that seems to be for all that the node itself sends may be for a part of it.
#            Loaded from its listing such a rule does the opposite, or more. Take pairs with 0-65535
#            in a table of iptables as "one of these ports, or none of them", and ask iptables-save.
#
# Seen       given:  -p udp -m multiport ! --ports 80,443             3 datagrams to port 9: packets 3
#            given:  -p udp -m multiport --ports 1:20                 packets 3
#            given:  -p udp -m addrtype --src-type LOCAL --dst-type BROADCAST     packets 0
#            loaded from its own listing:                             packets 0, 0 and 3

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

on_node iptables-nft-restore <<'END'
*mangle
-A OUTPUT -p udp -m multiport --ports 80,443
-A OUTPUT -p udp -m multiport ! --ports 80,443
-A OUTPUT -p udp -m multiport --ports 1:20
-A OUTPUT -p udp -m multiport ! --dports 80,443
-A OUTPUT -p udp -m addrtype --src-type LOCAL --dst-type BROADCAST
COMMIT
END
datagrams 3

on_node nft list ruleset >"$work/listing" 2>/dev/null
rule() {
    sed 's/^[ \t]*//; s/ bytes.*//' "$work/listing" | grep '^meta l4proto' | sed -n "$1p"
}
pairs='meta l4proto udp udp sport . udp dport'
pairs_of_two="$pairs { 0-65535 . 80, 80 . 0-65535, 0-65535 . 443, 443 . 0-65535 } counter packets"
expect 'one of the ports' "$pairs_of_two 0" "$(rule 1)"
expect 'none of them: the same' "$pairs_of_two 3" "$(rule 2)"
expect 'a range: its ends' \
    "$pairs { 0-65535 . 1, 1 . 0-65535, 0-65535 . 20, 20 . 0-65535 } counter packets 3" \
    "$(rule 3)"
expect 'destination ports are right' 'meta l4proto udp udp dport != { 80, 443 } counter packets 3' "$(rule 4)"
expect 'one kind of address of two' 'meta l4proto udp fib saddr type local counter packets 0' "$(rule 5)"
expect 'the save has it all' \
    '-A OUTPUT -p udp -m multiport ! --ports 80,443
-A OUTPUT -p udp -m multiport --ports 1:20
-A OUTPUT -p udp -m addrtype --src-type LOCAL --dst-type BROADCAST' \
    "$(on_node iptables-nft-save -t mangle | grep -E -- '--ports 1:|! --ports|addrtype')"

on_node nft flush ruleset
sed 's/counter packets [0-9]* bytes [0-9]*/counter/' "$work/listing" | on_node nft -f -
datagrams 3
expect 'loaded from the listing, three of the rules do something else' $'0\n0\n0\n3\n3' \
    "$(on_node nft list ruleset | grep -o 'packets [0-9]*' | cut -d ' ' -f 2)"

verdict
