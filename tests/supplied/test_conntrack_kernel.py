"""The kernel and conntrack list connections of all protocols, and they are read."""

from __future__ import annotations

import pytest

from iptviz.supplied.conntrack import read_connections
from tests.kernel.lab import node

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

HOSTS = {
    4: ("-s", "10.1.0.9", "-d", "10.2.0.9", "-t", "300"),
    6: ("-s", "fd00::1", "-d", "fd00::2", "-t", "300"),
}
PORTS = "--sport 1 --dport 2"
MADE = {
    4: {
        "gre": (47, "--orig-key-src 0 --orig-key-dst 5 --reply-key-src 5 --reply-key-dst 0"),
        "sctp": (132, f"{PORTS} --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2"),
        "udplite": (136, PORTS),
        "udp": (17, PORTS),
        "tcp": (6, f"{PORTS} --state ESTABLISHED"),
        "dccp": (33, f"{PORTS} --state OPEN --role client"),
        "icmp": (1, "--icmp-type 8 --icmp-code 0 --icmp-id 7"),
        "51": (51, ""),
    },
    6: {
        "icmpv6": (58, "--icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 7"),
        "tcp": (6, f"{PORTS} --state CLOSE"),
    },
}


@pytest.mark.parametrize("family", [4, 6])
def test_connections_of_all_protocols_are_read(family: int) -> None:
    with node("legacy", family) as lab:
        lab.load("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n")
        for name, (_, options) in MADE[family].items():
            lab.run("conntrack", "-I", "-p", name, *HOSTS[family], *options.split())
        listed = [
            lab.run("cat", "/proc/net/nf_conntrack"),
            *(lab.run("conntrack", "-L", "-f", f"ipv{family}", *more) for more in ((), ("-o", "extended"))),
        ]
    for text in listed:
        found = {one.protocol: one for one in read_connections(text, "list").connections}
        assert found.keys() == {number for number, _ in MADE[family].values()}
        with_ports = {number for number, one in found.items() if one.original.source_port == 1}
        assert with_ports == {6, 17, 132, 136} & found.keys()
        assert {one.original.source_port for number, one in found.items() if number not in with_ports} == {
            None
        }
