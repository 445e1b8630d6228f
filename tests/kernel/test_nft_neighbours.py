"""The kernel judges rules of which neighbouring fields must differ: an old nft loads them as one comparison."""

from __future__ import annotations

from itertools import product

import pytest

from tests.kernel.frames import Sent
from tests.kernel.test_nft_packets import compare, joins, load
from tests.kernel.universe import in_family
from tests.kernel.wire import wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULES = {
    4: [
        "tcp sport != 40000 tcp dport != 80",
        "tcp dport != 80 tcp sport != 40000",
        "tcp sport != 40000 meta mark 0x0 tcp dport != 80",
        "tcp sport != 40000 tcp sport != 40001 tcp dport != 80 tcp dport != 81",
        "tcp sport != 40000-40001 tcp dport != 80",
        "tcp sport != { 40000, 40009 } tcp dport != { 80, 88 }",
        "tcp sport != 40000 tcp dport 80",
        "ip saddr != 10.1.0.2 ip daddr != 10.2.0.2",
        "ip saddr != 10.1.0.0/24 ip daddr != 10.2.0.0/31",
        "ip ttl != 63 ip protocol != tcp",
        "ip protocol != udp ip ttl != 63",
        "ip protocol != udp ip saddr != 10.1.0.2",
        "meta l4proto != udp ip ttl != 63",
        "udp sport != 40000 ip ttl != 63 udp dport != 80",
    ],
    6: [
        "ip6 nexthdr != tcp ip6 hoplimit != 63",
        "ip6 length != 20 ip6 nexthdr != tcp",
        "ip6 length != 20 ip6 nexthdr != udp ip6 hoplimit != 63",
        "ip6 hoplimit != 63 ip6 saddr != fd10:1::2",
        "ip6 saddr != fd10:1::2 ip6 daddr != fd10:2::2",
        "udp sport != 40000 udp dport != 80",
    ],
}


@pytest.mark.parametrize("family", RULES)
def test_what_must_differ_is_answered_as_it_was_loaded(family: int) -> None:
    """Of each pair both are equal, one is, or none: each rule is asked by packets of all kinds."""
    rules = "\n".join(f"{rule} counter" for rule in RULES[family])
    head = "type filter hook forward priority 0;"
    text = f"table {'ip' if family == 4 else 'ip6'} t {{\n chain f {{\n {head}\n{rules}\n }}\n}}\n"
    with wire("nft", family) as lab:
        load(lab, text)
        before = lab.router.run("nft", "list", "ruleset")
        packets = product(("tcp", "udp"), (40000, 40001), (80, 81), (64, 60), ("10.2.0.2", "10.2.0.3"))
        for number, (protocol, sport, dport, ttl, to) in enumerate(packets):
            sent = Sent(
                in_family(to, family), protocol, sport, dport, ttl=ttl, source=in_family("10.1.0.2", family)
            )
            before, trouble = compare(lab, sent, before)
            assert not trouble, f"{number}: joined {joins()}: {trouble}\n{before}"
