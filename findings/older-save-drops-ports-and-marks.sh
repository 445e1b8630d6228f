#!/usr/bin/env bash
# iptables-save 1.8.7: rules that 1.8.9 wrote lose their ports and marks, in silence
#
# Versions   Rules written by iptables 1.8.9 (Debian 12), read by 1.8.7 (Debian 11), both nf_tables.
#            Rules of 1.8.11 and 1.8.13 lose the same in 1.8.7.
#
# Behaviour  1.8.9 hands ports, TCP flags and `-m mark` to the kernel in nft's own terms. 1.8.7
#            knows them only as matches of iptables and prints such a rule without them, negated
#            or not. The protocol, the addresses, the comment and the target stay. Nothing on
#            standard error, status 0. A range of ports goes further: with one rule that has
#            `--dport 30000:32767`, the whole table is replaced by a line that calls it
#            incompatible, again with status 0.
#
# Matters    kube-proxy runs from an image with an iptables of its own, so the node's older
#            iptables-save meets newer rules. The dump then says that a service takes every port of
#            its address, and that nothing is ever masqueraded, since KUBE-POSTROUTING begins with
#            a bare RETURN. The node itself works. Rules that kube-proxy always writes with a port
#            and that have none in the dump are that: the port is not known, not absent. The
#            version in the dump's first line is the reader's, which is the one to look at.
#
# Seen       written: -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
#            printed: -A KUBE-POSTROUTING -j RETURN
#            written: -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X
#            printed: -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -j KUBE-SVC-X

. "$(dirname "$0")/lib.bash"
newer=$work/newer older=$work/older
root=$newer
debs bookworm "${iptables_1_8_9[@]}"
root=$older
debs bullseye iptables=1.8.7-1 libxtables12=1.8.7-1 libip4tc2=1.8.7-1 libip6tc2=1.8.7-1 \
    libnftnl11=1.1.9-1 libmnl0=1.0.4-3 libnetfilter-conntrack3=1.0.8-3 libnfnetlink0=1.0.1-3+b1
node

cat >"$work/rules" <<'END'
*nat
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-X - [0:0]
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X
-A KUBE-SVC-X -m statistic --mode random --probability 0.50000000000 -j RETURN
COMMIT
END

root=$newer
on_node iptables-nft-restore <"$work/rules"
expect 'read by the version that wrote them' "$(grep '^-A' "$work/rules")" \
    "$(on_node iptables-nft-save -t nat | grep '^-A')"

root=$older
status=0
on_node iptables-nft-save -t nat >"$work/save" 2>"$work/errors" || status=$?
expect 'read by 1.8.7: no mark, no port, all else' \
    '-A KUBE-POSTROUTING -j RETURN
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -j KUBE-SVC-X
-A KUBE-SVC-X -m statistic --mode random --probability 0.50000000000 -j RETURN' \
    "$(grep '^-A' "$work/save")"
expect 'exit status 0' 0 "$status"
expect 'not a word on standard error' '' "$(cat "$work/errors")"
expect 'the first line names the reader' 'iptables-nft-save v1.8.7' \
    "$(head -n 1 "$work/save" | grep -o 'iptables-nft-save v[0-9.]*')"

root=$newer
on_node iptables-nft -t nat -A KUBE-SVC-X -p tcp --dport 30000:32767 -j RETURN
root=$older
expect 'one range of ports, and the table is gone' \
    "# Table \`nat' is incompatible, use 'nft' tool." \
    "$(on_node iptables-nft-save -t nat | grep -vE '^# (Generated|Completed)')"
root=$newer
on_node iptables-nft -t nat -D KUBE-SVC-X -p tcp --dport 30000:32767 -j RETURN

root=$older
on_node iptables-nft-restore <"$work/rules"
root=$newer
expect 'the other way round nothing is lost' "$(grep '^-A' "$work/rules")" \
    "$(on_node iptables-nft-save -t nat | grep '^-A')"

verdict
