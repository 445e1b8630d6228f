"""A whole terminal in one text: every command in it is evidence of the node, and rules keep their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz import packet
from iptviz.errors import DumpError
from iptviz.node.load import load_all, load_node
from iptviz.view.reading import details
from tests.node import texts

if TYPE_CHECKING:
    from iptviz.node.snapshot import Snapshot

COMMANDS = (
    ("iptables-save", texts.LEGACY),
    ("ip6tables-save", texts.SIX),
    ("ip a", texts.ADDRESSES),
    ("ip route", texts.MAIN_ROUTES),
    ("ip rule", texts.RULES),
    ("ipset save", texts.IPSET_SAVE),
)
PROMPTS = {
    "[root@node-1 ~]# {}": "node-1",
    "root@node-1:~# {}": "node-1",
    "core@node-1:/var/home$ sudo {}": "node-1",
    "[root@node-1 net:scripts]# {}": "node-1",
    "node-1:~ # {}": None,
    "/ # {}": None,
    "sh-5.1# {}": None,
    "$ {}": None,
    "$ sudo -n {}": None,
    "# {}": None,
    "+ {}": None,
    "### {}": None,
    "=== {} ===": None,
    "{}": None,
    "{}:": None,
}


def typed(prompt: str, *commands: tuple[str, bytes]) -> bytes:
    return b"".join(f"{prompt}\n".format(command).encode() + output for command, output in commands)


def whole(node: Snapshot) -> bool:
    """Whether all that COMMANDS print is known."""
    return (
        [dump.family for dump in node.dumps] == ["ipv4", "ipv6"]
        and all(dump.complete for dump in node.dumps)
        and [len(node.own_addresses(family) or ()) for family in ("ipv4", "ipv6")] == [3, 3]
        and node.routes is not None
        and len(node.routes.routes) == 5
        and len(node.routing_rules) == 3
        and tuple(node.sets or ()) == ("pods-here",)
        and node.evidence_problems == []
    )


@pytest.mark.parametrize("order", ["as typed", "backwards"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_all_that_was_typed_is_of_the_node(prompt: str, order: str) -> None:
    text = typed(prompt, *(COMMANDS if order == "as typed" else reversed(COMMANDS)))
    node = load_node(text)
    assert whole(node)
    assert node.name == PROMPTS[prompt]


def test_line_ends_of_windows_change_nothing() -> None:
    assert whole(load_node(typed("root@node-1:~# {}", *COMMANDS).replace(b"\n", b"\r\n")))


@pytest.mark.parametrize("prompt", ["[root@node-1 ~]# {}", "$ {}", "{}"])
def test_rules_keep_their_lines(prompt: str) -> None:
    text = typed(prompt, *reversed(COMMANDS))
    lines = text.decode().split("\n")
    rules = [
        rule for dump in load_node(text).dumps for table in dump.tables.values() for rule in table.rules()
    ]
    assert len(rules) == 2 * 67
    assert [lines[rule.line - 1] for rule in rules] == [rule.text for rule in rules]


def test_evidence_keeps_its_lines() -> None:
    text = typed("[root@node-1 ~]# {}", *COMMANDS)
    first = {
        piece.kind: piece.file.text.split("\n")[piece.section.line - 1] for piece in load_node(text).evidence
    }
    assert first["addresses"].startswith("1: lo: ")
    assert first["routes"].startswith("default via ")
    assert first["ipsets"].startswith("create pods-here ")
    assert [piece.section.line for piece in load_node(text).evidence] == [224, 243, 249, 253]


def test_nothing_that_was_used_is_said_to_be_left_out() -> None:
    said = details(load_node(typed("[root@node-1 ~]# {}", *COMMANDS) + b"[root@node-1 ~]# exit\nlogout\n"))
    assert [line.partition(">:")[2] for line in said] == [
        "1: skipped: shell command",  # its output has lines of its own
        "112: skipped: shell command",
        "255: skipped: shell prompt",
        "256: skipped: not iptables output",
    ]


def test_a_packet_is_answered_of_it_alone() -> None:
    node = load_node(typed("[root@node-1 ~]# {}", *COMMANDS))
    result = packet(node, src="10.244.1.9", dst="10.97.13.198", protocol="tcp", dport=79, mark="0x0")
    assert [outcome.when for outcome in result.outcomes] == [()] * 4


def test_output_of_another_node_is_not_this_ones() -> None:
    text = typed("[root@node-1 ~]# {}", COMMANDS[0]) + typed("[root@node-2 ~]# {}", COMMANDS[2])
    node = load_node(text)
    assert (node.name, node.own_addresses("ipv4")) == ("node-1", None)


def test_output_of_a_pods_network_namespace_is_not_the_nodes() -> None:
    pod = ("ip netns exec cni-1 ip a", texts.POD_ADDRESSES)
    node = load_node(typed("[root@node-1 ~]# {}", COMMANDS[0], pod))
    assert node.own_addresses("ipv4") is None


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("ip addr show dev eth0", texts.ADDRESSES),
        ("ip addr show eth0", texts.ADDRESSES),
        ("ip a | grep inet", texts.ADDRESSES),
        ("ip route get 192.0.2.1", b"192.0.2.1 via 192.168.1.1 dev eth0 src 192.168.1.11 uid 0\n    cache\n"),
        ("ip route show 10.0.0.0/8", b"10.0.0.0/8 via 192.168.1.9 dev eth0\n"),
        ("ip route show default", b"default via 192.168.1.1 dev eth0\n"),
        ("ip r | head -3", texts.MAIN_ROUTES),
        ("ip route show dev cni0", b"10.244.1.0/24 proto kernel scope link src 10.244.1.1\n"),
    ],
)
def test_a_part_is_not_taken_for_all(command: str, output: bytes) -> None:
    node = load_node(typed("# {}", (command, output), COMMANDS[0]))
    assert (node.own_addresses("ipv4"), node.routes) == (None, None)
    assert [piece.partial for piece in node.evidence] == [True]


def test_routes_of_another_table_are_not_those_of_main() -> None:
    node = load_node(
        typed("# {}", ("ip route show table 100", b"default via 192.0.2.1 dev eth9\n"), COMMANDS[0])
    )
    assert node.routes is not None
    assert [route.table for route in node.routes.routes] == ["100"]


def test_both_families_of_listings_in_one_text_are_two_dumps() -> None:
    node = load_node(texts.listing("filter-vnxL.txt") + texts.listing("filter6-vnxL.txt"))
    assert [(dump.family, list(dump.tables)) for dump in node.dumps] == [
        ("ipv4", ["filter"]),
        ("ipv6", ["filter"]),
    ]


def test_a_listing_of_ipv6_without_addresses_is_known_by_its_rows() -> None:
    node = load_node(texts.listing("eks-ip6tables-filter.txt"))
    assert node.dump.family == "ipv6"
    assert packet(node, src="fd00::9", dst="fd00:10:96::79", protocol="tcp", dport=79).outcomes


@pytest.mark.parametrize("tool", ["iptables-save", "/usr/sbin/iptables-save", "iptables-nft-save -c"])
def test_rules_of_a_pods_network_namespace_are_not_the_nodes(tool: str) -> None:
    pod = b"*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
    text = typed("root@node-1:~# {}", ("iptables-save", texts.LEGACY), (f"ip netns exec cni-1 {tool}", pod))
    dumps, _ = load_all(text)
    assert [dump.namespace for dump in dumps] == [None, "cni-1"]
    assert [dump.number for dump in load_node(text).dumps] == [1]
    with pytest.raises(DumpError, match="contains only dumps of network namespaces"):
        load_node(typed("root@node-1:~# {}", (f"ip netns exec cni-1 {tool}", pod)))


@pytest.mark.parametrize("quote", ["> ", "> > ", "    ", "| "])
@pytest.mark.parametrize("prompt", ["[root@node-1 ~]# {}", "$ {}", "{}"])
def test_a_quoted_terminal_is_read_like_any(quote: str, prompt: str) -> None:
    text = typed(prompt, *COMMANDS)
    quoted = b"".join((quote.encode() + line).rstrip() + b"\n" for line in text.splitlines())
    plain, node = load_node(text), load_node(b"Hello,\n\n" + quoted + b"\nBye\n")
    assert node.own_addresses("ipv4") == plain.own_addresses("ipv4")
    assert (node.routes, node.sets) == (plain.routes, plain.sets) or node.evidence_problems
    assert [(piece.kind, piece.section.line - 2) for piece in node.evidence] == [
        (piece.kind, piece.section.line) for piece in plain.evidence
    ]
