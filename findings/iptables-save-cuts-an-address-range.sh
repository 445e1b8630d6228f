#!/usr/bin/env bash
# iptables-save: an address range that nft wrote comes out as one address, a set as no condition
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). iptables 1.8.11 and 1.8.13
#            show the same; 1.8.7 names the first address of the range instead of the last.
#
# Behaviour  Somebody adds a rule with nft to a table that iptables manages. iptables-save then
#            prints `ip daddr 10.0.0.1-10.0.0.9 drop` as `-d 10.0.0.9/32 -j DROP`, the range's
#            last address alone, and `ip daddr { 10.0.0.1, 10.0.0.9 } drop` as a bare `-j DROP`.
#            A pair of address and port leaves only `-p tcp`. Nothing is said on standard error
#            and the exit status is 0. Other expressions that it does not know make it write
#            "Table `filter' is incompatible", so silence seems to mean that all was understood.
#
# Matters    A dump with such a line is well-formed and false. The narrowed line is the worse one:
#            nothing in it looks odd, and a reader concludes that 10.0.0.5 passes. Above
#            kube-proxy's jump, a bare DROP seems to cut off every service of the node. Where a
#            dump has an unexpected single address or a bare verdict in a built-in chain of the
#            nf_tables backend, only `nft list ruleset` tells what stands there.
#
# Seen       nft: ip daddr 10.0.0.1-10.0.0.9 drop         save: -A INPUT -d 10.0.0.9/32 -j DROP
#            nft: ip daddr { 10.0.0.1, 10.0.0.9 } drop    save: -A INPUT -j DROP
#            nft: ip saddr . tcp dport { ... } drop       save: -A INPUT -p tcp -j DROP

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

on_node iptables-nft -P INPUT ACCEPT
on_node nft -f - <<'END'
add rule ip filter INPUT ip daddr 10.0.0.1-10.0.0.9 drop
add rule ip filter INPUT ip daddr { 10.0.0.1, 10.0.0.9 } drop
add rule ip filter INPUT ip saddr . tcp dport { 10.0.0.1 . 80 } drop
END

status=0
on_node iptables-nft-save >"$work/save" 2>"$work/errors" || status=$?

expect 'one address for the range, no address for the set, no port for the pair' \
    '-A INPUT -d 10.0.0.9/32 -j DROP
-A INPUT -j DROP
-A INPUT -p tcp -j DROP' \
    "$(grep '^-A' "$work/save")"
expect 'exit status 0' 0 "$status"
expect 'not a word on standard error' '' "$(cat "$work/errors")"
expect 'the kernel has the whole range' \
    'ip daddr 10.0.0.1-10.0.0.9 drop' \
    "$(on_node nft list chain ip filter INPUT 2>/dev/null | grep -F -- '10.0.0.1-' | tr -d '\t')"

verdict
