"""The kernel judges shares: connections are opened, and counted where they leave for each endpoint."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.node.load import load_node
from tests.kernel.lab import node
from tests.kernel.statistics import LEVEL, chi_square_p
from tests.kubeproxy.cluster import Cluster, Service
from tests.nftproxy import Node, listed

if TYPE_CHECKING:
    from tests.kernel.lab import Node as Lab

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

CONNECTIONS = 20_000
ADDRESS = "10.96.20.1"
PODS = tuple(f"10.244.1.{number}" for number in range(2, 9))
SEVEN = Service("web", ADDRESS, tuple((pod, 8080) for pod in PODS), protocol="udp", namespace="shop")

# What stands for `numgen random mod 7 ...` in the shape of a release, and the shares that follow.
_EQUAL = dict.fromkeys(PODS, Fraction(1, 7))
_A, _B, _C = PODS[:3]
FORMS: dict[str, tuple[str, str, dict[str, Fraction]]] = {
    "map": ("1.36", "", _EQUAL),
    "vmap": ("1.34", "", _EQUAL),
    "an endpoint twice": (
        "1.36", f"mod 4 map {{ 0 : {_A} . 8080, 1 : {_A} . 8080, 2 : {_B} . 8080, 3 : {_C} . 8080 }}",
        {_A: Fraction(1, 2), _B: Fraction(1, 4), _C: Fraction(1, 4)},
    ),
    "weights": (
        "1.36", f"mod 10 map {{ 0-6 : {_A} . 8080, 7-9 : {_B} . 8080 }}",
        {_A: Fraction(7, 10), _B: Fraction(3, 10)},
    ),
    "a key that is missing": (
        "1.37", f"mod 5 map {{ 0 : {_A} . 8080, 2 : {_B} . 8080, 3 : {_C} . 8080 }}",
        {_A: Fraction(1, 5), _B: Fraction(1, 5), _C: Fraction(1, 5), ADDRESS: Fraction(2, 5)},
    ),
}  # fmt: skip
"""A release, what its rule is edited to, and the shares that follow from the numbers."""


def counting(addresses: tuple[str, ...]) -> str:
    rules = "\n".join(f"ip daddr {address} counter" for address in addresses)
    return f"table ip count {{ chain leaving {{ type filter hook postrouting priority 0;\n{rules}\n}}\n}}"


def counted(lab: Lab) -> dict[str, int]:
    """How many connections left for each address."""
    text = lab.run("nft", "list", "table", "ip", "count")
    return {
        address: int(packets)
        for address, packets in re.findall(r"daddr (\S+) counter packets (\d+)", text)
        if packets != "0"
    }


@pytest.mark.parametrize(("release", "edited", "expected"), FORMS.values(), ids=FORMS)
def test_endpoints_get_their_shares(release: str, edited: str, expected: dict[str, Fraction]) -> None:
    text = listed(Node(Cluster((SEVEN,))), release)
    if edited:
        text = re.sub(r"(?<=numgen random )mod 7 map .*", edited, text)
    # What no endpoint gets keeps the cluster IP, which kube-proxy would refuse.
    text = text.replace("ct state new jump cluster-ips-check", "")
    with node("nft") as lab:
        lab.run("nft", "-f", "-", stdin=text)
        listing = lab.run("nft", "list", "ruleset")
        lab.run("nft", "-f", "-", stdin=counting((*PODS, ADDRESS)))
        lab.connect((ADDRESS, 80), CONNECTIONS, source="10.244.9.9", protocol="udp")
        observed = counted(lab)
    (said,) = iptviz.trace(load_node(listing.encode()), f"{ADDRESS}:80/udp").to_dict()["services"]
    shares: dict[str, Fraction] = {}
    for one in said["endpoints"]:
        shares[one["address"]] = shares.get(one["address"], Fraction(0)) + Fraction(one["exact"])
    if leftover := Fraction(said["leftover"]["exact"]):
        shares[ADDRESS] = leftover
    assert shares == expected
    assert sum(observed.values()) == CONNECTIONS
    assert chi_square_p([observed.get(one, 0) for one in shares], list(shares.values())) > LEVEL, observed
