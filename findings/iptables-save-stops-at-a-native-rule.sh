#!/usr/bin/env bash
# iptables-save: one rule that nft wrote ends the dump in the middle and takes later tables with it
#
# Versions   iptables 1.8.9 (nf_tables) with nft 1.0.6 (Debian 12). iptables 1.8.11 and 1.8.13 do
#            the same; 1.8.7 prints the rule without its condition and goes on.
#
# Behaviour  A rule such as `meta skuid 0 accept` or `ip dscp 10 drop`, added with nft to a table
#            that iptables manages, makes iptables-save end with status 3 when it comes to that
#            table. What it printed until then stays printed: earlier tables whole, this table's
#            chain lines without a single rule and without COMMIT. Later tables are never begun.
#            Here the rule stands in filter, and the nat table, which nobody touched, is missing.
#            The reason stands on standard error only. iptables -S and -L end in the same way.
#
# Matters    Collectors mostly keep standard output and forget the status. Their file then holds
#            no nat table, hence no service at all, and seems to come from a node on which
#            kube-proxy never wrote anything. A dump whose last section has chains, no rules and
#            no COMMIT is cut: a table that is absent after it may well exist, and a chain that
#            is empty in it may well have rules.
#
# Seen       *mangle ... COMMIT, then *filter with three chain lines, then nothing; status 3;
#            "Parsing nftables rule failed" on standard error.

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}" "${nft_1_0_6[@]}"
node

on_node iptables-nft -t mangle -A PREROUTING -j MARK --set-mark 1
on_node iptables-nft -t filter -A INPUT -p tcp --dport 22 -j ACCEPT
on_node iptables-nft -t nat -A PREROUTING -d 10.96.0.10 -p tcp -j DNAT --to-destination 10.244.0.5
on_node iptables-nft-save >"$work/before"
on_node nft insert rule ip filter INPUT meta skuid 0 accept

status=0
on_node iptables-nft-save >"$work/after" 2>"$work/errors" || status=$?

expect 'three tables before' \
    '*mangle
COMMIT
*filter
COMMIT
*nat
COMMIT' \
    "$(grep -E '^(\*|COMMIT)' "$work/before")"
expect 'filter is not ended and nat not begun afterwards' \
    '*mangle
COMMIT
*filter' \
    "$(grep -E '^(\*|COMMIT)' "$work/after")"
expect 'no rule of filter is printed, not even those of iptables' \
    ':OUTPUT ACCEPT [0:0]' "$(tail -n 1 "$work/after")"
expect 'exit status 3' 3 "$status"
expect 'the reason is on standard error' 1 \
    "$(grep -c 'Parsing nftables rule failed' "$work/errors")"
expect 'the untouched nat table is still there' \
    '-A PREROUTING -d 10.96.0.10/32 -p tcp -j DNAT --to-destination 10.244.0.5' \
    "$(on_node iptables-nft-save -t nat | grep '^-A')"

verdict
