#!/usr/bin/env bash
# nft and iptables-nft: of two neighbouring fields that must differ, the kernel wants one to differ
#
# Versions   nft 1.0.6 and iptables 1.8.9 (nf_tables), Debian 12. nft 0.9.8 (Debian 11) does the
#            same; nft 1.1.3 and iptables 1.8.11 (Debian 13) do not: nft 1.1.0 and 1.0.6.1 have "do
#            mot merge payloads on negation" in their changes.
#
# Behaviour  A rule with `udp sport != 1 udp dport != 9` asks that both ports differ. nft makes one
#            comparison of neighbouring fields, which is right for ==. With != the one comparison
#            of four bytes holds as soon as either port differs. The listing shows the rule as it
#            was given, and so does iptables-save for `! --sport 1 ! --dport 9`. It takes whole
#            fields side by side in one header, of four bytes together at most, each compared with
#            one value: ports, `ip ttl` and `ip protocol`, `ip6 nexthdr` and `ip6 hoplimit`, types
#            and codes of ICMP. What stands between in the rule does not help. Addresses are too
#            long; ranges, sets and masks are not joined.
#
# Matters    What such a rule drops or accepts is more than it says, and no listing tells: not by
#            its text, not in JSON. A newer nft prints the same for what an older one has loaded.
#            `nft --debug=netlink list ruleset` shows how many comparisons there are. Two values in
#            a set (`!= { 9, 10 }`) keep two fields apart.
#
# Seen       given and listed: udp sport != 1 udp dport != 9
#            3 datagrams to port 9 sent: packets 3, where a rule for both would count none

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

on_node nft -f - <<'END'
table ip t {
	chain c {
		type filter hook output priority 0
		udp dport != 9 counter
		udp sport != { 1, 2 } udp dport != { 9, 10 } counter
		udp sport != 1 udp dport != 9 counter
		ip ttl != 1 ip protocol != udp counter
		ip saddr != 192.0.2.1 ip daddr != 127.0.0.1 counter
	}
}
END
on_node iptables-nft -A OUTPUT -p udp ! --sport 1 ! --dport 9 -j ACCEPT
datagrams 3

# The ICMP errors that come back are from 127.0.0.1 to 127.0.0.1 and no datagrams.
on_node nft list chain ip t c | grep counter | tr -d '\t' >"$work/listing"
expect 'a rule for one port, and one for sets of them, count nothing' \
    'udp dport != 9 counter packets 0 bytes 0
udp sport != { 1, 2 } udp dport != { 9, 10 } counter packets 0 bytes 0' \
    "$(sed -n 1,2p "$work/listing")"
expect 'a rule that two ports must differ counts what goes to port 9' \
    'udp sport != 1 udp dport != 9 counter packets 3 bytes 87' "$(sed -n 3p "$work/listing")"
expect 'so does one for the time to live and the protocol, which counts datagrams and errors' \
    'ip ttl != 1 ip protocol != udp counter packets 6 bytes 258' \
    "$(sed -n 4p "$work/listing" | sed 's/ 17 / udp /')"
expect 'two addresses are two comparisons' \
    'ip saddr != 192.0.2.1 ip daddr != 127.0.0.1 counter packets 0 bytes 0' \
    "$(sed -n 5p "$work/listing")"
expect 'iptables-save says the same of its own rule, which counted the same' \
    '[3:87] -A OUTPUT -p udp -m udp ! --sport 1 ! --dport 9 -j ACCEPT' \
    "$(on_node iptables-nft-save -c -t filter 2>/dev/null | grep -F -- '-A')"

expect 'the kernel has one comparison of both ports' \
    '[ payload load 4b @ transport header + 0 => reg 1 ]
[ cmp neq reg 1 0x09000100 ]' \
    "$(on_node nft --check --debug=netlink add rule ip t c udp sport != 1 udp dport != 9 |
        grep -A1 'load 4b' | sed 's/^ *//; s/ *$//')"

verdict
