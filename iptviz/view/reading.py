"""What is said about the reading of a dump: lines left out, lines repaired, which of several dumps it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump


def summary(dump: Dump) -> list[str]:
    """Return a line about the reading, and one about each error that hid other files; empty for a plain dump."""
    parts = [*_choice(dump), *_repairs(dump), *_on_lines(dump)]
    more = ["-v tells why"] if dump.line_notes else []
    return [*([f"{printable(dump.source)}: {'; '.join([*parts, *more])}"] if parts else []), *_problems(dump)]


def details(dump: Dump) -> list[str]:
    """Return a line for each stretch of lines that was left out or repaired, after what concerns them all."""
    source = printable(dump.source)
    return [
        *(f"{source}: {part}" for part in (*_choice(dump), *_repairs(dump))),
        *(f"{source}:{place}: {fate}" for place, fate in _fates(dump)),
        *_problems(dump),
    ]


def objection(dump: Dump) -> str:
    """Return why a strict reader refuses the dump, or nothing."""
    parts = [*_repairs(dump), *_on_lines(dump), *_problems(dump)]
    return "; ".join([*parts, *([dump.damage] if dump.damage else [])])


def _choice(dump: Dump) -> list[str]:
    if not dump.siblings:
        return []
    return [
        f"dump {dump.number} of {dump.siblings + 1} is used ({printable(dump.describe())}; --dump N for another)"
    ]


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


def _problems(dump: Dump) -> list[str]:
    return [" ".join(map(printable, str(problem).split("\n"))) for problem in dump.problems]
