"""The protocols whose entries hold ports, and the words that `ipset` writes for the types of ICMP messages."""

from __future__ import annotations

from iptviz.xtables.values.numbers import read_uint

TCP, UDP = 6, 17
# ip_set_proto_with_ports in ip_set_getport.h; of all others the kernel takes the port to be 0.
WITH_PORTS = frozenset({TCP, UDP, 132, 136})
ICMP = frozenset({1, 58})


def icmp_number(protocol: int, text: str) -> int | None:
    """Return type and code of `8/0` or `echo-request` as the kernel joins them: the type is the upper byte."""
    kind, slash, code = text.partition("/")
    first, second = read_uint(kind), read_uint(code)
    if not slash:
        return _MESSAGES[protocol].get(text)
    if first is None or second is None or first > 255 or second > 255:
        return None
    return first << 8 | second


def _joined(names: str) -> dict[str, int]:
    """Read lines `TYPE/CODE NAME NAME ...`: the codes count up from the first one, and "-" has no name."""
    found: dict[str, int] = {}
    for line in names.strip().splitlines():
        first, *row = line.split()
        kind, _, code = first.partition("/")
        found |= {name: int(kind) << 8 | at for at, name in enumerate(row, int(code)) if name != "-"}
    return found


# lib/icmp.c of ipset.
_OF_ICMP = """
0/0 echo-reply
0/0 pong
3/0 network-unreachable host-unreachable protocol-unreachable port-unreachable fragmentation-needed
3/5 source-route-failed network-unknown host-unknown - network-prohibited host-prohibited
3/11 TOS-network-unreachable TOS-host-unreachable communication-prohibited host-precedence-violation
3/15 precedence-cutoff
4/0 source-quench
5/0 network-redirect host-redirect TOS-network-redirect TOS-host-redirect
8/0 echo-request
8/0 ping
9/0 router-advertisement
10/0 router-solicitation
11/0 ttl-zero-during-transit ttl-zero-during-reassembly
12/0 ip-header-bad required-option-missing
13/0 timestamp-request
14/0 timestamp-reply
17/0 address-mask-request
18/0 address-mask-reply
"""

# lib/icmpv6.c of ipset.
_OF_ICMPV6 = """
1/0 no-route communication-prohibited - address-unreachable port-unreachable
2/0 packet-too-big
3/0 ttl-zero-during-transit ttl-zero-during-reassembly
4/0 bad-header unknown-header-type unknown-option
128/0 echo-request
128/0 ping
129/0 echo-reply
129/0 pong
133/0 router-solicitation
134/0 router-advertisement
135/0 neighbour-solicitation
135/0 neighbor-solicitation
136/0 neighbour-advertisement
136/0 neighbor-advertisement
137/0 redirect
"""

_MESSAGES = {1: _joined(_OF_ICMP), 58: _joined(_OF_ICMPV6)}
