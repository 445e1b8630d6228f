"""What both nodes know alike of themselves, and which rules of both are one question."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import iptviz
from iptviz.compare.fates.connections import compared
from iptviz.compare.fates.two_nodes import SameLines, Side, hosts
from iptviz.engine.host import Host
from iptviz.ipset.saved import read_ipsets
from iptviz.paths.survey import Evidence
from iptviz.xtables.address import parse_network
from tests.compare.judged import HOST, At, asked, side

if TYPE_CHECKING:
    from iptviz.compare.fates.connections import Compared

OWN = frozenset(filter(None, map(parse_network, ("192.168.1.10", "10.0.0.1"))))
OTHER = frozenset(filter(None, map(parse_network, ("192.168.1.11",))))


def test_what_is_otherwise_of_each_node_is_left_open() -> None:
    found = hosts(
        Host(local=OWN, interfaces=frozenset({"lo"})), Host(local=OTHER, interfaces=frozenset({"lo"}))
    )
    assert (found.old.local, found.new.local) == (None, None)
    assert found.old.interfaces == frozenset({"lo"})
    assert found.set_aside == ("addresses of the node",)


def test_what_one_node_alone_is_known_to_have_is_left_open_and_contents_are_compared() -> None:
    one = Host(sysctls={"net.a": "1", "net.b": "1"})
    other = Host(sysctls={"net.a": "0", "net.c": "1"})
    found = hosts(one, other)
    assert (found.old.sysctls, found.new.sysctls) == ({"net.a": "1"}, {"net.a": "0"})
    assert found.set_aside == ("setting net.b", "setting net.c")
    assert not found.are_same
    assert hosts(one, one).are_same


RULES = "*filter\n:FORWARD ACCEPT\n-A FORWARD -m set --match-set bad src -j DROP\nCOMMIT\n"
SETS = "create bad hash:net family inet hashsize 1024 maxelem 65536\n"


def told(*entries: str | None) -> Compared:
    """What is said of one rule set on two nodes, whose set has one entry each; None: nobody shows the set."""
    sets = [
        None if each is None else read_ipsets(f"{SETS}add bad {each}\n", "ipset save") for each in entries
    ]
    found = hosts(*(HOST._replace(sets=each) for each in sets))
    lines = SameLines()
    old, new = (side(iptviz.load(RULES.encode()), lines, host) for host in found[:2])
    return compared(old, new, asked(At("10.3.0.1", "tcp", 80)), answers=False)


def test_a_set_of_other_entries_is_a_difference() -> None:
    """Of a set that both nodes show, entries are compared; of one that a node does not show it is the same one."""
    assert told("192.0.2.0/24", "192.0.2.0/24").apart is None
    found = told("192.0.2.0/24", "192.0.2.0/25").apart
    assert found is not None
    assert found.packet.source is not None
    assert ip_address(found.packet.source) in ip_network("192.0.2.128/25")
    for entries in ((None, None), ("192.0.2.0/24", None), (None, "192.0.2.0/25")):
        one = told(*entries)
        assert (one.apart, [each.kind for each in one.same]) == (None, ["set"])


def numbered(*texts: str) -> list[int]:
    lines = SameLines()
    found = []
    for text in texts:
        dump = iptviz.load(f"*filter\n{text}COMMIT\n".encode())
        line = next(at for at, one in enumerate(text.splitlines(), 2) if "limit 3/min" in one)
        found.append(Side(dump, Evidence((dump,), Host()), Host(), lines).number(line))
    return found


LIMIT = "-m limit --limit 3/min -j DROP\n"


def test_a_rule_is_the_same_wherever_it_stands_and_whatever_its_chain_is_called() -> None:
    one, other = numbered(f":A - [0:0]\n-A A {LIMIT}", f":B - [0:0]\n-A FORWARD -j B\n-A B {LIMIT}")
    assert one == other


def test_of_several_that_read_the_same_chain_and_place_tell() -> None:
    twice = f"-A FORWARD -j LOG\n-A FORWARD {LIMIT}-A FORWARD {LIMIT}"
    first, again, elsewhere = numbered(twice, twice, f"-A INPUT {LIMIT}-A FORWARD {LIMIT}")
    assert first == again
    assert first != elsewhere


def test_another_rule_is_another_question() -> None:
    one, other = numbered(f"-A FORWARD {LIMIT}", f"-A FORWARD -p tcp {LIMIT}")
    assert one != other
