"""Both ports must differ: iptables-nft may have loaded one comparison of the two, which holds where either does.

iptables-nft 1.8.9 loads `! --sport 1 ! --dport 9` of `-m tcp` and `-m udp` as one comparison of four bytes, and
1.8.11 as two. iptables-save prints either in the same words, and tells its own version, not who loaded it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import CompiledRule, Test

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTIONS = {"source-port": "--sport", "destination-port": "--dport"}
_JOINING = ("-m tcp ", "-m udp ")


def with_both_ports(made: CompiledRule) -> CompiledRule:
    """Return a rule of nf_tables in which two ports that one match wants to differ are one test."""
    ports = [test for test in made.tests if test.kind in _OPTIONS and test.negated]
    if not _may_be_one(ports):
        return made
    value = " ".join(f"! {_OPTIONS[test.kind]} {test.value}" for test in ports)
    both = Test("both-ports", tuple(ports), value=value, quote=ports[0].part, part=ports[0].part)
    tests = [both if test is ports[0] else test for test in made.tests if test is not ports[1]]
    return CompiledRule(made.place, made.chain, tuple(tests), made.action)


def _may_be_one(ports: Sequence[Test]) -> bool:
    """Whether these are one port of either side, asked by one match."""
    return (
        len(ports) == len(_OPTIONS)
        and {test.kind for test in ports} == {*_OPTIONS}
        and ports[0].part == ports[1].part
        and ports[0].part.startswith(_JOINING)
        and all(test.operand.first == test.operand.last != 0 for test in ports)
    )
