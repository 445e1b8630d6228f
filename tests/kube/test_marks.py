"""Marks: which rules set bits, and which bits mean masquerade or drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.kube.marks import Marks, bits_set

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule

DUMP = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:TEST - [0:0]
{marking}{rule}
COMMIT
"""
DEFAULT = """\
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
"""


def marked(rule: str, marking: str = DEFAULT) -> tuple[Marks, Rule]:
    """Return the marks of a dump, and `rule` in it."""
    dump = iptviz.load(DUMP.format(marking=marking, rule=rule).encode())
    nat = dump.tables["nat"]
    return Marks(nat), nat.chains["TEST"].rules[0]


@pytest.mark.parametrize(
    ("target", "bits"),
    [
        ("MARK --set-xmark 0x4000/0x4000", 0x4000),
        ("MARK --set-xmark 0x8000/0x8000", 0x8000),
        ("MARK --set-xmark 0xc000/0xc000", 0xC000),
        ("MARK --set-xmark 0x4000/0x0", 0),  # flips the bit: set only if it was not
        ("MARK --set-xmark 0x0/0x4000", 0),  # clears it
        ("MARK --set-xmark 0x4000/0xffffffff", 0x4000),
        ("MARK --set-xmark 0x4000/0x8000", 0),  # flips a bit outside the mask
        ("MARK --set-xmark 0x4000", 0x4000),  # no mask: the whole mark
        ("MARK --set-xmark nonsense/0x4000", 0),
        ("ACCEPT", 0),
        ("KUBE-MARK-MASQ", 0),
        ("CONNMARK --set-xmark 0x4000/0x4000", 0),
    ],
)
def test_bits_that_are_surely_set(target: str, bits: int) -> None:
    assert bits_set(marked(f"-A TEST -j {target}")[1]) == bits


@pytest.mark.parametrize(
    ("rule", "masquerades", "drops"),
    [
        ("-A TEST -j KUBE-MARK-MASQ", True, False),
        ("-A TEST -j KUBE-MARK-DROP", False, True),
        ("-A TEST -j MARK --set-xmark 0x4000/0x4000", True, False),
        ("-A TEST -j MARK --set-xmark 0x8000/0x8000", False, True),
        ("-A TEST -j MARK --set-xmark 0x40000/0x40000", False, False),  # weave's mark
        ("-A TEST -j RETURN", False, False),
        ("-A TEST", False, False),
    ],
)
def test_rules_that_mark_for_masquerade_or_drop(rule: str, masquerades: bool, drops: bool) -> None:
    marks, marking = marked(rule)
    assert (marks.masquerades(marking), marks.drops(marking)) == (masquerades, drops)


@pytest.mark.parametrize(("bit", "masquerades"), [("0x4000", False), ("0x100", True)])
def test_the_bit_is_read_from_the_dump(bit: str, masquerades: bool) -> None:
    own = "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x100/0x100\n"
    marks, marking = marked(f"-A TEST -j MARK --set-xmark {bit}/{bit}", own)
    assert marks.masquerades(marking) is masquerades


def test_without_marking_rules_the_default_bits_count() -> None:
    marks, marking = marked("-A TEST -j MARK --set-xmark 0x4000/0x4000", "")
    assert marks.masquerades(marking)


def test_a_jump_counts_though_the_marking_chain_is_empty() -> None:
    # kube-proxy makes sure that the chain exists; the rule in it is kubelet's.
    marks, marking = marked("-A TEST -j KUBE-MARK-DROP", "")
    assert marks.drops(marking)
