"""The canonical form of rules typed in many ways; the same pairs are tried on iptables in tests/kernel."""

from __future__ import annotations

import pytest

from iptviz import parse_rule
from tests.canonical import BACKENDS, Typed, typed_rules

TYPED = typed_rules()


@pytest.mark.parametrize("typed", TYPED, ids=[typed.place for typed in TYPED])
def test_a_rule_is_printed_as_iptables_save_prints_it(typed: Typed) -> None:
    rule = parse_rule(f"-A {typed.chain} {typed.text}", typed.family, typed.table)
    assert rule.parts.unknown == ()
    for backend in BACKENDS:
        if typed.printed.get(backend):
            printed = "\n".join(f"-A {typed.chain} {line}".rstrip() for line in typed.printed[backend])
            assert rule.canonical(backend) == printed


@pytest.mark.parametrize("typed", TYPED, ids=[typed.place for typed in TYPED])
def test_what_is_printed_is_its_own_canonical_form(typed: Typed) -> None:
    for backend in BACKENDS:
        for line in typed.printed.get(backend, []):
            rule = parse_rule(f"-A {typed.chain} {line}", typed.family, typed.table)
            assert rule.canonical(backend) == f"-A {typed.chain} {line}".rstrip()
