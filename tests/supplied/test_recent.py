"""The lists of `-m recent`, one file of /proc or several."""

from __future__ import annotations

import pytest

from iptviz.errors import DumpError
from iptviz.node.evidence import supplied_as
from iptviz.supplied.files import Supplied
from iptviz.supplied.recent import RecentEntry, read_recent_lists
from iptviz.xtables.address import parse_network

ONE = "src=10.0.0.1 ttl: 64 last_seen: 4295 oldest_pkt: 2 4290, 4295\n"
SIX = "src=fd00:0000:0000:0000:0000:0000:0000:0001 ttl: 64 last_seen: 99 oldest_pkt: 1 99\n"

CASES = {
    "one": (ONE, {"ssh": {"10.0.0.1": RecentEntry(4295, 2)}}),
    "six": (SIX, {"ssh": {"fd00::1": RecentEntry(99, 1)}}),
    "empty": ("", {"ssh": {}}),
    "tail": (
        f"==> /proc/net/xt_recent/bad <==\n{ONE}\n==> /proc/net/xt_recent/none <==\n",
        {"bad": {"10.0.0.1": RecentEntry(4295, 2)}, "none": {}},
    ),
    "names": (
        f"bad:\n{ONE}six:\n{SIX}",
        {"bad": {"10.0.0.1": RecentEntry(4295, 2)}, "six": {"fd00::1": RecentEntry(99, 1)}},
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_lists_are_read(text: str, expected: dict[str, dict[str, RecentEntry]]) -> None:
    found = read_recent_lists(text, "recent", "ssh")
    numbers = {}
    for name, entries in expected.items():
        networks = [(parse_network(address), entry) for address, entry in entries.items()]
        numbers[name] = {network.value: entry for network, entry in networks if network}
    assert {name: dict(made.entries) for name, made in found.items()} == numbers


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "src=10.0.0.300 ttl: 64 last_seen: 1 oldest_pkt: 1 1",
        "src=10.0.0.1 ttl: 64",
        "src=10.0.0.1 ttl: 64 last_seen: " + "9" * 5000 + " oldest_pkt: 1 1",
        "src=10.0.0.1 ttl: 64 last_seen: \u0661 oldest_pkt: 1 1",
        "src=10.0.0.1\0 ttl: 64 last_seen: 1 oldest_pkt: 1 1",
    ],
)
def test_a_line_that_is_no_entry_is_told(line: str) -> None:
    with pytest.raises(DumpError, match="not an entry of a recent list") as raised:
        read_recent_lists(ONE + line, "recent", "ssh")
    assert raised.value.where == "recent:2"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("KUBE-SEP-ABCDEFGHIJKLMNOP", "KUBE-SEP-ABCDEFGHIJKLMNOP"),
        ("from/node-1/KUBE-SEP-ABCDEFGHIJKLMNOP", "KUBE-SEP-ABCDEFGHIJKLMNOP"),
        ("/proc/net/xt_recent/ssh", "ssh"),
        ("clients.txt", "DEFAULT"),
        ("KUBE-SEP-short", "DEFAULT"),
    ],
)
def test_a_file_without_heading_is_the_list_that_it_is_called(path: str, name: str) -> None:
    (given,) = supplied_as("recent", Supplied(ONE, path))
    assert given.list_name == name
