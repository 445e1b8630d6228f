"""Packets through tables of kube-proxy's nftables mode: what the kernel did with real ones, release by release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import iptviz
from iptviz.engine.condition import clauses
from iptviz.errors import DumpError
from iptviz.node.load import load_node

LISTINGS = Path(__file__).parent.parent / "nft" / "listings"
OWN = ("192.168.1.10", "10.244.0.1", "127.0.0.1")
POD, OUTSIDE, ALLOWED, DENIED, NODE = "10.244.0.9", "192.0.2.99", "198.51.100.7", "100.64.0.5", "192.168.1.10"
FRONT, API = "10.244.0.6:8080 | 10.244.1.6:8080", "10.244.0.7:8443 | 10.244.1.7:8443 | 10.244.2.7:8443"
MASKED_FRONT = "10.244.0.6:8080 m | 10.244.1.6:8080 m"
STICKY = "10.244.0.11:8080 | 10.244.1.11:8080 | 10.244.2.11:8080"
UNTOUCHED = "untouched"

ASKED: list[tuple[str, str, str, int, str]] = [
    ("pod -> front clusterIP", POD, "10.96.20.2", 80, FRONT),
    ("outside -> front clusterIP", OUTSIDE, "10.96.20.2", 80, MASKED_FRONT),
    ("node -> front clusterIP", NODE, "10.96.20.2", 80, FRONT),
    ("outside -> front nodeport", OUTSIDE, NODE, 30080, MASKED_FRONT),
    ("pod -> front nodeport", POD, NODE, 30080, MASKED_FRONT),
    ("outside -> front external IP", OUTSIDE, "192.0.2.80", 80, MASKED_FRONT),
    ("outside -> front LB IP", OUTSIDE, "203.0.113.10", 80, MASKED_FRONT),
    ("hairpin", "10.244.0.6", "10.96.20.2", 80, "10.244.0.6:8080 m | 10.244.1.6:8080"),
    ("pod -> front wrong port", POD, "10.96.20.2", 81, "REJECT"),
    ("pod -> unallocated VIP", POD, "10.96.77.77", 80, "DROP"),
    ("node -> unallocated VIP", NODE, "10.96.77.77", 80, "DROP"),
    ("pod -> api clusterIP", POD, "10.96.20.3", 443, API),
    ("outside -> api LB", OUTSIDE, "203.0.113.20", 443, "10.244.0.7:8443"),
    ("outside -> api nodeport", OUTSIDE, NODE, 30443, "10.244.0.7:8443"),
    ("pod -> api LB", POD, "203.0.113.20", 443, API),
    ("outside -> away LB", OUTSIDE, "203.0.113.30", 80, "DROP"),
    ("outside -> away nodeport", OUTSIDE, NODE, 30700, "DROP"),
    ("pod -> away LB", POD, "203.0.113.30", 80, "10.244.2.9:8080"),
    ("node -> away LB", NODE, "203.0.113.30", 80, "10.244.2.9:8080"),
    ("allowed -> admin LB", ALLOWED, "203.0.113.40", 80, "10.244.1.8:8080 m"),
    ("denied -> admin LB", DENIED, "203.0.113.40", 80, "DROP"),
    ("denied -> admin nodeport", DENIED, NODE, 30500, "10.244.1.8:8080 m"),
    ("pod -> admin LB", POD, "203.0.113.40", 80, "DROP"),
    ("node -> admin LB", NODE, "203.0.113.40", 80, "10.244.1.8:8080"),
    ("pod -> cache", POD, "10.96.20.6", 6379, "10.244.0.8:6379"),
    ("pod -> gone", POD, "10.96.20.7", 6379, "DROP"),
    ("pod -> empty clusterIP", POD, "10.96.20.8", 80, "REJECT"),
    ("outside -> empty nodeport", OUTSIDE, NODE, 30600, "REJECT"),
    ("outside -> empty external IP", OUTSIDE, "192.0.2.81", 80, "REJECT"),
    ("node -> empty clusterIP", NODE, "10.96.20.8", 80, "REJECT"),
    ("node -> 127.0.0.1 nodeport", "127.0.0.1", "127.0.0.1", 30080, UNTOUCHED),
    ("pod -> pod-side address, nodeport", POD, "10.244.0.1", 30080, UNTOUCHED),
    ("pod -> sticky", POD, "10.96.20.9", 80, STICKY),
]
"""What was asked in four namespaces, and what came of it in 1.34 to 1.36; the node's closed ports are its own."""

ELSE: dict[str, dict[str, str]] = {
    "1.29": {
        "pod -> front wrong port": UNTOUCHED, "pod -> unallocated VIP": UNTOUCHED,
        "node -> unallocated VIP": UNTOUCHED, "node -> away LB": "DROP",
        "denied -> admin LB": "10.244.1.8:8080 m", "pod -> admin LB": "10.244.1.8:8080 m",
    },
    "1.30": {"node -> away LB": "DROP"},
}  # fmt: skip
"""What was otherwise in other releases."""


def question(source: str, destination: str, port: int) -> dict[str, Any]:
    own = source in OWN
    return {
        "src": source, "dst": destination, "protocol": "udp", "sport": 40000, "dport": port, "mark": 0,
        "local_ips": OWN, "hook": "output" if own else "prerouting",
        "in_iface": None if own else "eth0", "out_iface": "lo" if destination in OWN else "eth0",
    }  # fmt: skip


def came(result: iptviz.PacketResult) -> str:
    """Return what became of a packet as the experiments tell it, where what the node sends has its address."""
    found = set()
    for one in result.outcomes:
        assert not one.when, clauses(one.when)
        masked = " m" if one.packet.snat == "MASQUERADE" and result.hook != "output" else ""
        found.add(one.verdict if one.verdict != "ACCEPT" else f"{one.packet.dnat or UNTOUCHED}{masked}")
    shares = {one.share for one in result.outcomes}
    assert len(shares) == 1, "each endpoint has the same share"
    return " | ".join(sorted(found))


@pytest.mark.parametrize(
    "name",
    ["1.29.listing", "1.30.listing", "1.34.listing", "1.34.trixie.listing", "1.36.listing", "1.36.json",
     "1.37.listing", "1.37.sid.listing"],
)  # fmt: skip
def test_each_packet_fares_as_the_kernel_let_it(name: str) -> None:
    node = load_node(str(LISTINGS / f"every-{name}"))
    release = name[:4]
    expected = {name: ELSE.get(release, {}).get(name, told) for name, _, _, _, told in ASKED}
    told = {
        name: came(iptviz.packet(node, **question(source, destination, port)))
        for name, source, destination, port, _ in ASKED
    }
    assert told == expected


@pytest.mark.parametrize("family", ["bridge", "ip", "ip6"])
def test_a_listing_that_no_packet_meets_is_called_that(family: str, tmp_path: Path) -> None:
    """A table of bridges, or one whose chains no hook leads to: to point at `packet` would lead in a circle."""
    file = tmp_path / "rules.nft"
    file.write_text(f"table {family} x {{\n\tchain unhooked {{\n\t\taccept\n\t}}\n}}\n")
    with pytest.raises(DumpError, match="no chain that IPv4 packets meet"):
        iptviz.packet(load_node(str(file)), dst="10.0.0.9")
