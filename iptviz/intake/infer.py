"""Which table rules belong to when the line that says so is missing: from their chains and targets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import BUILT_IN, Draft, Piece, chain_of
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import remark
from iptviz.intake.text import split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.intake.dialect import Command

# What stands in one table alone, by the kernel's word for targets and by kube-proxy's and others' for chains.
_EVIDENCE: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (table, re.compile(pattern))
    for table, pattern in (
        ("nat", rb" -j (?:DNAT|SNAT|MASQUERADE|REDIRECT|NETMAP)\b"),
        ("filter", rb" -j REJECT\b"),
        ("raw", rb" -j (?:CT|NOTRACK)\b"),
        ("mangle", rb" -j (?:TCPMSS|TPROXY|TTL|HL|DSCP|TOS|CHECKSUM|CLASSIFY|TCPOPTSTRIP)\b"),
        (
            "nat",
            (
                rb" -[Ajg] (?:KUBE-(?:SVC|SEP|XLB|EXT|SVL|FW)-"
                rb"|KUBE-(?:MARK-MASQ|MARK-DROP|POSTROUTING|PORTALS-|HOSTPORTS)"
                rb"|CNI-|FLANNEL-POSTRTG|cali-(?:nat|PREROUTING|POSTROUTING))"
            ),
        ),
        (
            "filter",
            (
                rb" -[Ajg] (?:KUBE-(?:FORWARD|FIREWALL|EXTERNAL-SERVICES|PROXY-FIREWALL|NWPLCY|POD-FW-|ROUTER-)"
                rb"|FLANNEL-FWD|DOCKER-(?:USER|FORWARD|ISOLATION)|cali-(?:FORWARD|INPUT|f[wh]-|t[wh]-))"
            ),
        ),
    )
)
# Which built-in chains stand together, when nothing else tells.
_BY_BUILT_IN: tuple[tuple[str, frozenset[bytes], frozenset[bytes]], ...] = (
    ("mangle", frozenset((b"PREROUTING", b"FORWARD")), frozenset()),
    ("filter", frozenset((b"FORWARD",)), frozenset()),
    ("nat", frozenset((b"POSTROUTING",)), frozenset()),
    ("raw", frozenset((b"PREROUTING", b"OUTPUT")), frozenset((b"INPUT",))),
    ("nat", frozenset((b"PREROUTING",)), frozenset()),
)
HOOKS_OF = {
    "filter": frozenset((b"INPUT", b"FORWARD", b"OUTPUT")),
    "nat": BUILT_IN - {b"FORWARD"},
    "mangle": BUILT_IN,
    "raw": frozenset((b"PREROUTING", b"OUTPUT")),
    "security": frozenset((b"INPUT", b"FORWARD", b"OUTPUT")),
}
"""The built-in chains of each table."""
_DEFAULT = "filter"  # as `iptables` without -t


def with_tables(draft: Draft) -> list[Draft]:
    """Return `draft`, or the tables that its lines fall into where it names none."""
    if draft.table is not None:
        return [draft]
    parts = [draft] if draft.form != DumpForm.RULES else list(_split(draft))
    for part in parts:
        built_in = part.names & BUILT_IN
        shown = _shown_by_rules(part)
        named = _table_asked_for(draft.command, shown)
        fits = named is not None and built_in <= HOOKS_OF[named]
        part.table = named if fits else shown or _table_of_chains(part)
        if not (fits or (built_in and (part.of_rules or part.form == DumpForm.LISTING))):
            first, last = part.pieces[0].line, part.pieces[-1].line
            part.gaps.append(remark("table-not-named", first, first=first, last=last, table=part.table))
    return parts


def _table_asked_for(command: Command | None, shown: str | None) -> str | None:
    """Return the table that a command names; that of one which names none, unless rules show another."""
    if command is None or command.table or not command.lists:
        return command.table if command else None
    return _DEFAULT if shown in {None, _DEFAULT} else None


def _split(draft: Draft) -> Iterator[Draft]:
    """Cut where a table must end: declarations or built-in chains come first, and targets must fit."""
    part = draft.begin_like(draft.line)
    part.gaps = draft.gaps
    table: str | None = None
    in_user_chain = False
    for piece in _single_lines(draft):
        chain = chain_of(piece.text)
        evidence = _evidence(piece.text) if piece.kind is LineKind.RULE else None
        starts = {
            LineKind.DECLARATION: part.has_rules,
            LineKind.RULE: (in_user_chain and chain in BUILT_IN)
            or bool(table and evidence and table != evidence),
        }.get(piece.kind, False)
        if starts:
            yield part
            part, table = draft.begin_like(piece.line), None
        part.add(piece)
        table = table or evidence
        in_user_chain = piece.kind is LineKind.RULE and chain not in BUILT_IN
    part.ended_by_commit = draft.ended_by_commit
    yield part


def _single_lines(draft: Draft) -> Iterator[Piece]:
    for piece in draft.pieces:
        for number, text in enumerate(split_lines(piece.text)):
            yield Piece(piece.kind, text, piece.line + number)


def _evidence(rule: bytes) -> str | None:
    """Return the one table that a rule can stand in, or None."""
    return next((table for table, pattern in _EVIDENCE if pattern.search(b" " + rule)), None)


def _shown_by_rules(draft: Draft) -> str | None:
    """Return the table that most rules point to, if any does."""
    found = [table for text, _ in draft.lines(LineKind.RULE) if (table := _evidence(text))]
    return max(set(found), key=found.count) if found else None


def _table_of_chains(draft: Draft) -> str:
    """Return the table whose built-in chains these are."""
    named = {
        chain_of(text) for kind in (LineKind.DECLARATION, LineKind.RULE) for text, _ in draft.lines(kind)
    }
    return next(
        (table for table, there, absent in _BY_BUILT_IN if there <= named and not absent & named), _DEFAULT
    )
