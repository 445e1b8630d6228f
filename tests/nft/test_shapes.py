"""What the generator of kube-proxy's tables writes is, line by line, what listings of each shape show."""

from __future__ import annotations

import re

import pytest

from tests.kubeproxy.cluster import Cluster
from tests.nft.told import listing
from tests.nftproxy import SHAPES, Node, listed
from tests.nftproxy.every import every_service

ORDERED_OTHERWISE = re.compile(r"numgen random mod 7 ")
"""The generator counts endpoints of this node first."""
_BLOCK = re.compile(r"^\t((?:set|map|chain) \S+) \{\n(.*?)^\t\}$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> dict[str, list[str]]:
    """Return the lines of each set, map and chain; elements are in order, as theirs means nothing."""
    joined = re.sub(r",\n\s+", ", ", text).replace("timeout 10800s", "timeout 3h")
    return {
        name: [_in_order(line.strip()) for line in body.splitlines() if not ORDERED_OTHERWISE.search(line)]
        for name, body in _BLOCK.findall(joined)
    }


def _in_order(line: str) -> str:
    return re.sub(r"\{ (.*) \}", lambda found: ", ".join(sorted(found[1].split(", "))), line)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_line_of_a_shape_is_as_it_is_listed(shape: str) -> None:
    written = blocks(listed(Node(Cluster(every_service())), shape))
    assert written == blocks(listing(f"every-{shape}.listing").decode())


def test_a_node_that_has_node_ports_at_all_addresses_has_no_set_of_them() -> None:
    for family, loopback in ((4, "ip daddr != 127.0.0.0/8"), (6, "ip6 daddr != ::1")):
        text = listed(Node(Cluster((), family=family), every_address=True), "1.37")
        assert "nodeport-ips" not in text
        assert text.count(f"fib daddr type local {loopback} meta l4proto . th dport vmap @") == 2
