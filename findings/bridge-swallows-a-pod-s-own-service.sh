#!/usr/bin/env bash
# bridge: a pod's connection to itself through a service vanishes between PREROUTING and FORWARD, and no rule counts it
#
# Versions   Linux 6.18, iptables 1.8.9 (nf_tables, Debian 12). The legacy backend shows the same.
#
# Behaviour  A pod at a bridge sends to its service's address, and nat PREROUTING rewrites that to the
#            pod itself. With net.bridge.bridge-nf-call-iptables=1 the bridge then forwards the packet
#            itself, and drops it since it would leave by the port it came from, unless that port is
#            in hairpin mode. FORWARD and POSTROUTING are never asked: the DNAT rule has counted the
#            connection, the next rules have not, and no DROP has. With bridge-nf-call-iptables=0 the
#            node routes the packet, FORWARD is asked, and it arrives, hairpin mode or not.
#
# Matters    The setting that kube-proxy asks for is the one that loses these packets, and no rule,
#            policy or counter of a dump tells. An answer from rules alone, that the packet is
#            forwarded and masqueraded, is right for two of the three nodes here, which have the same
#            rules. `bridge -d link show` (hairpin on) and `sysctl -a` tell them apart.
#
# Seen       nf-call 1, hairpin off: lost;    DNAT 1, FORWARD 0, MASQUERADE 0
#            nf-call 1, hairpin on:  arrived; DNAT 1, FORWARD 1, MASQUERADE 1
#            nf-call 0, hairpin off: arrived; DNAT 1, FORWARD 1, MASQUERADE 1

. "$(dirname "$0")/lib.bash"
debs bookworm "${iptables_1_8_9[@]}"
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || cannot 'no br_netfilter'
command -v bridge >/dev/null || cannot 'no bridge'
node

pod=$netns-pod
ip netns add "$pod"
trap 'ip netns del "$pod"; cleanup' EXIT

on_node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1
ip -n "$netns" link add cni0 type bridge
ip -n "$netns" link add veth0 type veth peer name eth0 netns "$pod"
ip -n "$netns" link set veth0 master cni0 up
ip -n "$netns" link set cni0 up
ip -n "$netns" addr add 10.244.0.1/24 dev cni0
ip -n "$pod" link set eth0 up
ip -n "$pod" addr add 10.244.0.2/24 dev eth0
ip -n "$pod" route add default via 10.244.0.1
ip netns exec "$pod" sysctl -qw net.ipv4.conf.all.accept_local=1

on_node iptables-nft -t nat -A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 9 -j DNAT --to-destination 10.244.0.2:9
on_node iptables-nft -t nat -A POSTROUTING -s 10.244.0.2/32 -d 10.244.0.2/32 -j MASQUERADE
on_node iptables-nft -A FORWARD -p udp -m udp --dport 9

# What the pod hears of a datagram that it sends to its service.
heard() {
    ip netns exec "$pod" python3 - <<'END'
import select, socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("10.244.0.2", 9))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", ("10.96.0.10", 9))
ready, _, _ = select.select([listener], [], [], 2)
print("arrived" if ready else "lost")
END
}

counted() {
    on_node iptables-nft-save -c 2>/dev/null | sed -n 's/^\[\([0-9]*\):.* -d 10.96.*/DNAT \1/p; s/^\[\([0-9]*\):.*-A FORWARD.*/FORWARD \1/p; s/^\[\([0-9]*\):.*MASQUERADE.*/MASQUERADE \1/p' |
        sort | paste -sd' '
}

# tried NF_CALL HAIRPIN: what becomes of it, and what the rules count.
tried() {
    on_node sysctl -qw net.bridge.bridge-nf-call-iptables="$1"
    on_node bridge link set dev veth0 hairpin "$2"
    on_node iptables-nft -Z
    on_node iptables-nft -t nat -Z
    heard
    counted
}

heard >/dev/null # the bridge learns where the pod is
expect 'asked by the bridge, hairpin mode off' $'lost\nDNAT 1 FORWARD 0 MASQUERADE 0' "$(tried 1 off)"
expect 'asked by the bridge, hairpin mode on' $'arrived\nDNAT 1 FORWARD 1 MASQUERADE 1' "$(tried 1 on)"
expect 'routed, hairpin mode off' $'arrived\nDNAT 1 FORWARD 1 MASQUERADE 1' "$(tried 0 off)"

verdict
