"""What is said about the reading of a node's dumps: which of them are used, lines left out, lines repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.node.snapshot import Snapshot


def summary(node: Snapshot) -> list[str]:
    """Return a line about the reading of each dump, and one about each error that hid other files."""
    choice = _choice(node)
    return [*([choice] if choice else []), *filter(None, map(_in_short, _parts(node))), *_problems(node)]


def details(node: Snapshot) -> list[str]:
    """Return a line for each stretch of lines that was left out or repaired, after what concerns them all."""
    choice = _choice(node)
    parts = _parts(node)
    return [
        *([choice] if choice else []),
        *(f"{printable(dump.source)}: {part}" for dump in parts for part in _repairs(dump)),
        *(f"{printable(dump.source)}:{place}: {fate}" for dump in parts for place, fate in _fates(dump)),
        *_problems(node),
    ]


def objection(node: Snapshot) -> str:
    """Return why a strict reader refuses the dumps, or nothing."""
    of_dumps = [
        part
        for dump in _parts(node)
        for part in (*_repairs(dump), *_on_lines(dump), *([dump.damage] if dump.damage else []))
    ]
    return "; ".join([*of_dumps, *_problems(node)])


def _parts(node: Snapshot) -> list[Dump]:
    """Return the dumps one by one, each text once."""
    parts = (part for dump in node.dumps for part in (dump, *dump.others))
    return list({part.origin.name: part for part in reversed(list(parts))}.values())[::-1]


def _choice(node: Snapshot) -> str:
    """Say which dumps are used, where others are not."""
    used = [part for dump in node.dumps for part in (dump, *dump.others)]
    if not used:
        return ""
    total = node.dump.siblings + 1
    if len(used) >= total:
        return ""
    where = printable(node.dump.origin.bundle)
    if len(used) == 1:
        what = printable(used[0].describe())
        return f"{where}: using dump {used[0].number} of {total} ({what}; --dump N for another)"
    numbers = ", ".join(str(number) for number in sorted(part.number for part in used))
    return f"{where}: using dumps {numbers} of {total} (list them: iptviz sources; --dump N for another)"


def _in_short(dump: Dump) -> str:
    parts = [*_repairs(dump), *_on_lines(dump), *(["-v for details"] if dump.line_notes else [])]
    return f"{printable(dump.source)}: {'; '.join(parts)}" if parts else ""


def _repairs(dump: Dump) -> list[str]:
    """Return what was done to the text; a plain dump, to which nothing was, imports no words."""
    if not dump.repairs:
        return []
    from iptviz.checks.wording import sentences

    return sentences(dump.repairs)


def _on_lines(dump: Dump) -> list[str]:
    """Return what was done to lines; here, too, a plain dump imports nothing."""
    if not dump.line_notes:
        return []
    from iptviz.checks.reading import on_lines
    from iptviz.checks.wording import sentences

    return sentences(on_lines(dump))


def _fates(dump: Dump) -> Iterator[tuple[str, str]]:
    """Yield lines that were left out or repaired, as `7-9`, and what became of them."""
    if dump.line_notes:
        from iptviz.checks.reading import line_text

        yield from ((note.places(), line_text(note)) for note in dump.line_notes)


def _problems(node: Snapshot) -> list[str]:
    return [" ".join(map(printable, str(problem).split("\n"))) for problem in node.problems]
