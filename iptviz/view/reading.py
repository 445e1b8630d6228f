"""What is said about the reading of a dump: lines left out, lines repaired, which of several dumps it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.intake.remark import LineNote

_SHOWN = 4


def summary(dump: Dump) -> list[str]:
    """Return a line about the reading, and one about each error that hid other files; empty for a plain dump."""
    parts = [*_choice(dump), *_of_all(dump), *_left_out(dump), *_repaired(dump)]
    more = ["-v tells why"] if dump.line_notes else []
    return [*([f"{printable(dump.source)}: {'; '.join([*parts, *more])}"] if parts else []), *_problems(dump)]


def details(dump: Dump) -> list[str]:
    """Return a line for each stretch of lines that was left out or repaired, after what concerns them all."""
    source = printable(dump.source)
    return [
        *(f"{source}: {part}" for part in (*_choice(dump), *_of_all(dump))),
        *(f"{source}:{place}: {fate}" for place, fate in _fates(dump)),
        *_problems(dump),
    ]


def objection(dump: Dump) -> str:
    """Return why a strict reader refuses the dump, or nothing."""
    parts = [*_of_all(dump), *_left_out(dump), *_repaired(dump), *_problems(dump)]
    return "; ".join([*parts, *([dump.damage] if dump.damage else [])])


def _choice(dump: Dump) -> list[str]:
    if not dump.siblings:
        return []
    return [
        f"dump {dump.number} of {dump.siblings + 1} is used ({printable(dump.describe())}; --dump N for another)"
    ]


def _left_out(dump: Dump) -> Iterator[str]:
    skipped = [note for note in dump.line_notes if note.skipped]
    if skipped:
        count = sum(note.size for note in skipped)
        are = "line was" if count == 1 else "lines were"
        yield f"{count:,} {are} not part of a dump, of {dump.line_count:,}: {_places(skipped)}"


def _repaired(dump: Dump) -> Iterator[str]:
    repaired = [note for note in dump.line_notes if not note.skipped]
    if repaired:
        count = sum(note.size for note in repaired)
        from iptviz.checks.reading import LINES

        reasons = ", ".join(LINES[reason] for reason in dict.fromkeys(note.reason for note in repaired))
        yield f"{count:,} {'line' if count == 1 else 'lines'} repaired ({reasons}): {_places(repaired)}"


def _places(notes: Iterable[LineNote]) -> str:
    places = [note.places() for note in notes]
    return ", ".join([*places[:_SHOWN], *(["..."] if len(places) > _SHOWN else [])])


def _of_all(dump: Dump) -> list[str]:
    """Return what was done to the whole text; most texts need nothing, and import no words."""
    if not dump.repairs:
        return []
    from iptviz.checks.reading import REPAIRS

    return [REPAIRS[repair] for repair in dump.repairs]


def _fates(dump: Dump) -> Iterator[tuple[str, str]]:
    """Yield lines that were left out or repaired, as `7-9`, and what became of them."""
    if dump.line_notes:
        from iptviz.checks.reading import line_text

        yield from ((note.places(), line_text(note)) for note in dump.line_notes)


def _problems(dump: Dump) -> list[str]:
    return [" ".join(map(printable, str(problem).split("\n"))) for problem in dump.problems]
