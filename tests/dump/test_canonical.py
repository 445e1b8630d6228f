"""The canonical form of rules typed in many ways; the same pairs are tried on iptables in tests/kernel."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from iptviz import parse_rule
from tests.canonical import BACKENDS, Typed, typed_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPED: dict[str, list[Typed]] = defaultdict(list)
"""The rules of a file that are of one table: a test for each of thousands of rules would cost more than what it tries."""
for one in typed_rules():
    TYPED[f"{one.place.partition(':')[0]}-{one.family}-{one.table}"].append(one)


def not_printed(typed: Typed) -> Iterator[str]:
    """Yield how a rule is printed where iptables-save prints it in another way, and what of it is not understood."""
    rule = parse_rule(f"-A {typed.chain} {typed.text}", typed.family, typed.table)
    yield from (f"{typed.place}: unknown {one}" for one in rule.parts.unknown)
    for backend in BACKENDS:
        if typed.printed.get(backend):
            printed = "\n".join(f"-A {typed.chain} {line}".rstrip() for line in typed.printed[backend])
            if rule.canonical(backend) != printed:
                yield f"{typed.place}: {rule.canonical(backend)}, not {printed}"


def not_kept(typed: Typed) -> Iterator[str]:
    """Yield what becomes of lines of iptables-save that do not stay what they are."""
    for backend in BACKENDS:
        for line in typed.printed.get(backend, []):
            rule = parse_rule(f"-A {typed.chain} {line}", typed.family, typed.table)
            if rule.canonical(backend) != f"-A {typed.chain} {line}".rstrip():
                yield f"{typed.place}: {rule.canonical(backend)}, not {line}"


@pytest.mark.parametrize("section", TYPED)
def test_a_rule_is_printed_as_iptables_save_prints_it(section: str) -> None:
    assert [wrong for typed in TYPED[section] for wrong in not_printed(typed)] == []


@pytest.mark.parametrize("section", TYPED)
def test_what_is_printed_is_its_own_canonical_form(section: str) -> None:
    assert [wrong for typed in TYPED[section] for wrong in not_kept(typed)] == []
