#!/usr/bin/env bash
# nft list: a lower end for one field and an upper end for the next are listed as a range of the second
#
# Versions   nft 1.0.6 (Debian 12). nft 1.1.3 (Debian 13) lists what 1.0.6 loaded in the same way.
#
# Behaviour  nft loads `tcp dport 80-443` as two comparisons, >= 80 and <= 443, and turns the two
#            into a range again when it lists. It does not see of which fields they are. A rule
#            with `tcp sport >= 1024 tcp dport <= 443` is listed as `tcp dport 1024-443`, and one
#            with `udp sport >= 1 udp dport <= 9` as `udp dport 1-9`: what it asks of the source
#            port is gone, and a lower end is there that nobody asked for. `ip saddr >= A
#            ip daddr <= B` is listed as `ip daddr A-B`. With < and > it becomes `!=` of a range,
#            even for one field: `udp dport < 9 udp dport > 20` never matches, and is listed as
#            `udp dport != 9-20`, which nearly always would. With a statement between the two they
#            are listed as they are.
#
# Matters    A listing is often all there is of a node. A range that ends before it begins is the
#            trace of such a rule; others look like any range. Loaded from its own listing, the
#            rule does something else: with `nft list ruleset > file`, `nft -f file`, which is how
#            rule sets are kept over a boot.
#
# Seen       given:  udp sport >= 1 udp dport <= 9         3 datagrams to port 9: packets 3
#            listed: udp dport 1-9
#            given:  udp dport < 9 udp dport > 20           to port 9: packets 0
#            listed: udp dport != 9-20
#            given:  udp sport < 65535 udp dport > 5        to port 9: packets 3
#            listed: udp dport != 65535-5

. "$(dirname "$0")/lib.bash"
debs bookworm "${nft_1_0_6[@]}" libnftnl11=1.2.4-2 libmnl0=1.0.4-3
node

on_node nft -f - <<'END'
table ip t {
	chain c {
		type filter hook output priority 0
		udp sport >= 10 udp dport <= 9 counter
		udp sport >= 1 udp dport <= 9 counter
		udp sport < 65535 udp dport > 5 counter
		udp dport < 9 udp dport > 20 counter
		udp sport >= 10 meta mark 0 udp dport <= 9 counter
		ip saddr >= 127.0.0.1 ip daddr <= 127.0.0.9 udp dport 9 counter
	}
}
END
datagrams 3
on_node nft list chain ip t c | grep counter | tr -d '\t' >"$work/listing"

expect 'ends of two fields are one range of the second, reversed or not' \
    'udp dport 10-9 counter packets 3 bytes 87
udp dport 1-9 counter packets 3 bytes 87
udp dport != 65535-5 counter packets 3 bytes 87' \
    "$(sed -n 1,3p "$work/listing")"
expect 'what never matches is listed as what nearly always does' \
    'udp dport != 9-20 counter packets 0 bytes 0' "$(sed -n 4p "$work/listing")"
expect 'with another question between them they are listed as given' \
    'udp sport >= 10 meta mark 0x00000000 udp dport <= 9 counter packets 3 bytes 87' \
    "$(sed -n 5p "$work/listing")"
expect 'of addresses too' \
    'ip daddr 127.0.0.1-127.0.0.9 udp dport 9 counter packets 3 bytes 87' \
    "$(sed -n 6p "$work/listing")"

on_node nft list ruleset >"$work/rules"
expect 'nft does not load its own listing' 'Error: Range has zero or negative size' \
    "$(on_node nft --check -f "$work/rules" 2>&1 | grep -o 'Error:.*' | head -n 1)"

verdict
