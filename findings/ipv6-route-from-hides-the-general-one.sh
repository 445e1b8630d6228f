#!/usr/bin/env bash
# Linux: an IPv6 route for some sources (`from`) hides the route to the same network for all others
#
# Versions   Linux 6.18, iproute2 6.1.0.
#
# Behaviour  Of two routes to one network, one `from` some sources and one for all, packets with other sources take
#            neither: the kernel goes on to the shorter prefix, which may be the default route, or no route. For the
#            default route itself it is as one expects: other sources take the general one. The order
#            in which the routes were made does not matter. `ip -6 route` lists both all the same.
#
# Matters    Nodes with addresses of two providers, or of two CNI networks, have such routes. Packets of pods and
#            services leave by another interface than the list of routes says.
#
# Seen       to fd10::/16, dev d1 for fd20::/64 and dev d2 for all; the default route is dev d3:
#            from fd20::5 by d1, from fd30::5 by d3
#            default, dev d1 for fd20::/64 and dev d2 for all: from fd20::5 by d1, from fd30::5 by d2

. "$(dirname "$0")/lib.bash"

# leaves_by SOURCE: the interface by which a packet from SOURCE to fd10::5 is forwarded.
leaves_by() {
    on_node ip -6 route get fd10::5 from "$1" iif d3 | sed -n 's/.* dev \([^ ]*\).*/\1/p'
}

# both: where packets of either source leave.
both() {
    printf 'from fd20::5 by %s, from fd30::5 by %s' "$(leaves_by fd20::5)" "$(leaves_by fd30::5)"
}

node
on_node sysctl -qw net.ipv6.conf.all.forwarding=1
for number in 1 2 3; do
    ip -n "$netns" link add "d$number" type veth peer name "e$number"
    ip -n "$netns" link set "d$number" up
    ip -n "$netns" link set "e$number" up
done

ip -n "$netns" -6 route add default dev d3
ip -n "$netns" -6 route add fd10::/16 from fd20::/64 dev d1
ip -n "$netns" -6 route add fd10::/16 dev d2
expect 'a network: other sources take the default route' 'from fd20::5 by d1, from fd30::5 by d3' "$(both)"

ip -n "$netns" -6 route flush table main
ip -n "$netns" -6 route add fd10::/16 dev d2
ip -n "$netns" -6 route add fd10::/16 from fd20::/64 dev d1
ip -n "$netns" -6 route add default dev d3
expect 'made in the other order: the same' 'from fd20::5 by d1, from fd30::5 by d3' "$(both)"

ip -n "$netns" -6 route flush table main
ip -n "$netns" -6 route add default dev d2
ip -n "$netns" -6 route add default from fd20::/64 dev d1
expect 'the default route: other sources take the general one' 'from fd20::5 by d1, from fd30::5 by d2' "$(both)"

verdict
