#!/usr/bin/env bash
# xt_recent: a list has one mask, that of the rule which made it, whatever --mask later rules of the list are given
#
# Versions   iptables 1.8.9 (Debian 12), legacy and nf_tables, on Linux 6.18.
#
# Behaviour  One rule records sources in a list with --mask 255.255.255.0, a later one asks that list with --mask
#            255.255.255.255. The kernel keeps the mask with the list (recent_mt_check in net/netfilter/xt_recent.c),
#            and the second rule looks up the network that the first one recorded: it matches another client of
#            that network. In the other order it does not, and an iptables-save shows each rule with its own mask.
#
# Matters    Rules that limit hosts, and ask a list that another rule keeps for networks, limit whole networks; which
#            mask holds hangs on which rule was loaded first since the list was last gone, and no save tells that.
#
# Seen       network first: 127.0.0.2 is found, though only 127.0.0.1 came before
#            host first:    127.0.0.2 is not found

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"

# found TOOL MASK MASK: packets of 127.0.0.2 that the second rule matches, after one of 127.0.0.1 was recorded.
found() {
    node
    on_node "$1" -A OUTPUT -p udp -s 127.0.0.1 -m recent --set --name clients --mask "$2" --rsource
    on_node "$1" -A OUTPUT -p udp -s 127.0.0.2 -m recent --rcheck --name clients --mask "$3" --rsource
    on_node python3 - <<'END'
import socket
for source in ("127.0.0.1", "127.0.0.2"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        sender.sendto(b"x", ("127.0.0.9", 9))
END
    packets=$(on_node "$1-save" -c | sed -n 's/^\[\([0-9]*\):.*--rcheck.*/\1/p')
    ip netns del "$netns"
    netns=
}

for tool in iptables-legacy iptables-nft; do
    found "$tool" 255.255.255.0 255.255.255.255
    expect "$tool, network first: another client is found" 1 "$packets"
    found "$tool" 255.255.255.255 255.255.255.0
    expect "$tool, host first: it is not" 0 "$packets"
done

verdict
