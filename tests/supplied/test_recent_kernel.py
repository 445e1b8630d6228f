"""The kernel writes a recent list, and it is read."""

from __future__ import annotations

import pytest

from iptviz.supplied.recent import read_recent_lists
from iptviz.xtables.address import parse_network
from tests.kernel.lab import node

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


@pytest.mark.parametrize(("family", "address"), [(4, "10.1.2.3"), (6, "fd00::7")])
def test_an_address_that_was_seen_twice_is_in_the_list(family: int, address: str) -> None:
    rules = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m recent --set --name {}\nCOMMIT\n"
    with node("legacy", family) as lab:
        lab.load(rules.format("seen"))
        for _ in range(2):
            lab.run("sh", "-c", f"echo +{address} > /proc/net/xt_recent/seen")
        one = read_recent_lists(lab.run("cat", "/proc/net/xt_recent/seen"), "recent", "seen")
        lab.load(rules.format("other"))
        several = read_recent_lists(lab.run("sh", "-c", "tail -vn +1 /proc/net/xt_recent/*"), "recent", "")
    network = parse_network(address)
    assert network is not None
    assert list(one["seen"].entries) == [network.value]
    assert one["seen"].entries[network.value].hits == 2
    assert one["seen"].entries[network.value].last_seen > 0
    assert several.keys() <= {"seen", "other"}
    assert not several["other"].entries
