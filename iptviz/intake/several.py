"""Which tables make one dump: several dumps may stand in one text, after one another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import BUILT_IN, HOOK_ORDER, Draft, Piece, chain_of
from iptviz.intake.index import build_index
from iptviz.intake.infer import HOOKS_OF, with_tables
from iptviz.intake.listed import OF_LISTING
from iptviz.intake.plain import DumpForm, PlainDump
from iptviz.intake.remark import add_note, remark
from iptviz.intake.repeated import count_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.intake.dialect import Command
    from iptviz.intake.lines import LineMap
    from iptviz.intake.remark import LineNote, Remark

Group = list[Draft]
_FAMILY = {b"ip6tables": "ipv6", b"iptables": "ipv4"}
_TOOL_FAMILY = re.compile(rb"ip6?tables")


def split_dumps(drafts: list[Draft], notes: list[LineNote]) -> list[PlainDump]:
    """Return the dumps that `drafts` make up, in the order of the text."""
    groups: list[Group] = []
    for draft in drafts:
        for named in with_tables(draft):
            _place(named, groups, notes)
    for group in groups:
        count_once(group, notes)
    return [_write([_settle(draft, notes) for draft in group]) for group in groups]


def _place(draft: Draft, groups: list[Group], notes: list[LineNote]) -> None:
    """Add `draft` to the last dump, or begin another; what says the same of one chain again is noted."""
    group = groups[-1] if groups else None
    if group is None or _is_foreign(draft, group, first=len(groups) == 1):
        groups.append([draft])
        return
    same = next((other for other in group if other.table == draft.table), None)
    if same is None:
        group.append(draft)
    elif draft.is_part or draft.of_diff or _is_more_of(same, draft):
        _merge(same, draft)
    elif _repeats(same, draft):
        for line in range(draft.line, _last_line(draft)):
            add_note(notes, line, "chain-repeated", skipped=True)
    else:
        groups.append([draft])


def _is_more_of(same: Draft, draft: Draft) -> bool:
    """Whether lines without a header are more of the table before: no chain is declared in both.

    Of rules, a built-in chain begins another table, unless a command asked for that chain alone.
    """
    if draft.form == DumpForm.SAVE or not draft.names.isdisjoint(same.names):
        return False
    alone = draft.form == DumpForm.LISTING or (draft.command is not None and draft.command.chain is not None)
    return alone or draft.names.isdisjoint(BUILT_IN)


def _repeats(same: Draft, draft: Draft) -> bool:
    """Whether a command asked for one chain, and it is as it stands above, whatever the counters say."""
    if draft.form == DumpForm.SAVE or len(draft.names) != 1:
        return False
    return draft.names <= same.names and _rules_of(draft, *draft.names) == _rules_of(same, *draft.names)


def _rules_of(draft: Draft, chain: bytes) -> list[bytes]:
    """Return the rules of a chain without their counters."""
    rules = (rule for rule, _ in draft.lines(LineKind.RULE) if chain_of(rule) == chain)
    return [rule[rule.index(b"-A ") :].rstrip() for rule in rules]


def _is_foreign(draft: Draft, group: Group, *, first: bool) -> bool:
    """Whether the table was written by another program than the dump so far, or for another family.

    What comes `first` in a text may be a dump whose beginning, with the name of its first table, is cut off.
    """
    if draft.inner != group[-1].inner:
        return True
    if draft.of_diff:
        return False
    cut = first and group[-1].form == DumpForm.RULES and group[-1].ended_by_commit
    if draft.form != group[-1].form and not cut:
        return True
    if draft.command and any(_is_elsewhere(draft.command, other.command) for other in group if other.command):
        return True
    tools = {other.tool for other in group if other.tool}
    if draft.tool and tools and draft.tool not in tools:
        return True
    families = {family for other in group if (family := _family(other))}
    family = _family(draft)
    return bool(family and families and family not in families)


def _is_elsewhere(one: Command, other: Command) -> bool:
    """Whether two commands ran on different nodes, as far as their prompts tell, or in different namespaces."""
    return one.namespace != other.namespace or (None not in {one.node, other.node} and one.node != other.node)


def _family(draft: Draft) -> str | None:
    found = _TOOL_FAMILY.match(draft.tool) if draft.tool else None
    if found:
        return _FAMILY[found[0]]
    if draft.family:
        return draft.family
    return draft.command.family if draft.command and not draft.tool else None


def _merge(same: Draft, part: Draft) -> None:
    """Carry the lines of `part` out after those of `same`, as `iptables-restore --noflush` does."""
    same.pieces += part.pieces
    same.names |= part.names
    told = {gap.id for gap in same.gaps} & OF_LISTING
    same.gaps += [gap for gap in part.gaps if gap.id not in told]
    same.has_rules = same.has_rules or part.has_rules
    same.has_operations = True
    same.committed = same.committed and part.committed


def _settle(draft: Draft, notes: list[LineNote]) -> Draft:
    """Carry out what changes rules above it, so that rules and declarations remain."""
    if draft.has_operations:
        from iptviz.intake.operations import Restore

        restore = Restore(notes)
        restore.carry_out(draft)
        comments = [piece for piece in draft.pieces if piece.kind is LineKind.COMMENT]
        draft.pieces = comments + restore.pieces()
    return draft


def _write(group: Group) -> PlainDump:
    """Write the tables as plain iptables-save, and note for each stretch where its lines stood."""
    texts: list[bytes] = []
    line_map: LineMap = []
    here = 1

    def add(text: bytes, there: int) -> None:
        nonlocal here
        line_map.append((here, there))
        texts.append(text)
        here += text.count(b"\n")

    for draft in group:
        before = [
            piece for piece in draft.pieces if piece.kind is LineKind.COMMENT and piece.line < draft.line
        ]
        for piece in before:
            add(piece.text, piece.line)
        add(b"*%s\n" % (draft.table or "").encode(), draft.line)
        for piece in draft.pieces[len(before) :]:
            add(piece.text, piece.line)
        if draft.committed:
            add(b"COMMIT\n", _last_line(draft))
    text = b"".join(texts)
    return PlainDump(
        text,
        build_index(text),
        line_map,
        _gaps(group),
        _group_family(group),
        group[0].form,
        next((draft.command.node for draft in group if draft.command and draft.command.node), None),
        group[0].line,
        next((draft.command.backend for draft in group if draft.command and draft.command.backend), None),
        next((draft.command.namespace for draft in group if draft.command and draft.command.namespace), None),
    )


def _last_line(draft: Draft) -> int:
    last = draft.pieces[-1] if draft.pieces else Piece(LineKind.COMMENT, b"", draft.line)
    return last.line + last.text.count(b"\n")


def _gaps(group: Group) -> tuple[Remark, ...]:
    return tuple(dict.fromkeys(gap for draft in group for gap in (*draft.gaps, *_unlisted(draft))))


def _unlisted(draft: Draft) -> Iterator[Remark]:
    """Yield that built-in chains of a table are not shown: a listing of all has them, one of a chain has not.

    Whether nat has INPUT depends on the kernel.
    """
    missing = HOOKS_OF[draft.table or ""] - draft.names - ({b"INPUT"} if draft.table == "nat" else set())
    if missing and (draft.form == DumpForm.LISTING or (draft.command and draft.command.chain)):
        names = ", ".join(name.decode() for name in HOOK_ORDER if name in missing)
        yield remark("chains-unlisted", draft.line, table=draft.table, chains=names)


def _group_family(group: Group) -> str | None:
    return next((family for draft in group if (family := _family(draft))), None)
