#!/usr/bin/env bash
# iproute2: `ip -j route` prints a route into a tunnel with two members `dst` in one object
#
# Versions   iproute2 6.1.0 (Debian 12), on Linux 6.18.
#
# Behaviour  Of a route with `encap ip`, the object of `ip -j route` has `dst` once for the destinations of the
#            route, and once more, later, for the far end of the tunnel. Readers of JSON keep the last of two members,
#            or refuse: for most of them the route leads to the tunnel's end alone.
#
# Matters    Overlays that use light-weight tunnels. Whoever looks up a route in the parsed list finds none for
#            the network behind the tunnel.
#
# Seen       [{"dst":"10.9.0.0/16","encap":"ip","id":5,...,"dst":"10.2.0.2",...,"dev":"lo",...}]
#            parsed: 10.2.0.2

. "$(dirname "$0")/lib.bash"

node
ip -n "$netns" addr add 10.2.0.1/24 dev lo
ip -n "$netns" route add 10.9.0.0/16 encap ip id 5 dst 10.2.0.2 dev lo
printed=$(ip -n "$netns" -j route show 10.9.0.0/16)

expect 'two members of one name' $'"dst":"10.9.0.0/16"\n"dst":"10.2.0.2"' "$(grep -o '"dst":"[^"]*"' <<<"$printed")"
expect 'as Python reads them' 10.2.0.2 "$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["dst"])' <<<"$printed")"

verdict
