#!/usr/bin/env bash
# nft list and iptables-translate: --ctstate with DNAT or SNAT loses its other states, and its "!"
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). iptables 1.8.11 with nft 1.1.3
#            and iptables 1.8.13 with nft 1.1.7 show the same.
#
# Behaviour  `-m conntrack --ctstate RELATED,ESTABLISHED,DNAT` matches a packet that is in one of
#            the two states or whose destination was rewritten. nft lists that rule as
#            `ct status dnat`: the states are gone. With `! --ctstate RELATED,ESTABLISHED,DNAT`,
#            which matches what is none of the three, nft lists `ct status dnat` again, so that
#            the text says nearly the opposite of the rule. iptables-save shows both rules as they
#            were given. iptables-translate gives the short form as the translation.
#
# Matters    nft turns the rules of iptables into its own words only for the listing; the kernel
#            still has the rule of iptables. Evidence bundles often hold `nft list ruleset` alone.
#            firewalld 1.3.3 with the iptables backend writes exactly such an ACCEPT at the top
#            of INPUT and FORWARD. Read from the listing, replies to the node's own connections are
#            not accepted there, although they are. A `ct status dnat` or `ct status snat` in a
#            table that iptables manages is to be taken as "at least that", never as the condition.
#
# Seen       -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
#            -A INPUT -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
#            is listed as
#            ct status dnat counter packets 0 bytes 0 accept
#            ct status dnat counter packets 0 bytes 0 drop

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

states=RELATED,ESTABLISHED,DNAT
on_node iptables-nft -A INPUT -m conntrack --ctstate "$states" -j ACCEPT
on_node iptables-nft -A INPUT -m conntrack ! --ctstate "$states" -j DROP

expect 'iptables-save shows the rules as they were given' \
    "-A INPUT -m conntrack --ctstate $states -j ACCEPT
-A INPUT -m conntrack ! --ctstate $states -j DROP" \
    "$(on_node iptables-nft-save -t filter | grep '^-A')"

expect 'nft lists one status for both, without the states and without "!"' \
    'ct status dnat counter packets 0 bytes 0 accept
ct status dnat counter packets 0 bytes 0 drop' \
    "$(on_node nft list chain ip filter INPUT 2>/dev/null | grep counter | tr -d '\t')"

expect 'iptables-translate gives the same short form' \
    "nft 'add rule ip filter INPUT ct status dnat counter drop'" \
    "$(on_node iptables-translate -A INPUT -m conntrack ! --ctstate "$states" -j DROP)"

verdict
