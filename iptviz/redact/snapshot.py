"""A whole node in pseudonyms: its dumps, and of the evidence beside them what answers make use of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.gaps import OF_FORM
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.intake.read import read_text
from iptviz.node.evidence import READERS, Evidence
from iptviz.node.sections import Section
from iptviz.node.snapshot import Snapshot
from iptviz.redact.beside import Beside
from iptviz.redact.dump import other_text
from iptviz.source.origin import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iptviz.redact.pseudonyms import Pseudonyms

SOURCE = "redacted"
"""What redacted input is called in an answer: a file's name may tell what it holds."""


def texts_beside(node: Snapshot) -> Iterator[str]:
    """Yield the texts of a node whose ranges of addresses must stay ranges, but for that of its first dump."""
    for dump in node.dumps[1:]:
        yield bytes(dump).decode(errors="replace")
    for piece in _used(node):
        if piece.kind in _TRANSLATIONS:
            yield piece.file.text


def hidden(node: Snapshot, pseudonyms: Pseudonyms, text: str | None = None) -> Snapshot:
    """Return a node in pseudonyms; `text` is its first dump, where that is written already."""
    dumps = [
        _dump(dump, other_text(pseudonyms, dump) if number or text is None else text)
        for number, dump in enumerate(node.dumps)
    ]
    beside = Beside(pseudonyms)
    readable, broken = _parted(_used(node))
    hidden_evidence = filter(None, (_evidence(piece, beside) for piece in readable))
    shown = Snapshot(dumps, hidden_evidence, nothing=node.nothing)
    shown.evidence_problems += [DumpError("evidence that cannot be read", where=SOURCE)] * bool(broken)
    return shown


def listings_of(node: Snapshot) -> list[str]:
    """Return what nft printed of a node itself."""
    return [piece.file.text for piece in _used(node) if piece.kind == "nft"]


def _parted(pieces: Iterable[Evidence]) -> tuple[list[Evidence], list[Evidence]]:
    """Return pieces that can be read, and those that cannot: what is wrong is said in words of the text."""
    parted: tuple[list[Evidence], list[Evidence]] = ([], [])
    for piece in pieces:
        try:
            READERS[piece.kind](piece)
        except DumpError:
            parted[1].append(piece)
        else:
            parted[0].append(piece)
    return parted


def _dump(dump: Dump, text: str) -> Dump:
    """Return a dump whose redacted text is `text`, with all that its form says."""
    read = read_text(text.encode())
    gaps = tuple(gap for gap in dump.gaps if gap.id in OF_FORM)  # no line of the text shows them
    plain = read.dumps[0]._replace(
        form=dump.form, family=dump.family, backend=dump.backend, gaps=(*read.dumps[0].gaps, *gaps)
    )
    made = Dump.of(read, plain, Source(SOURCE, "", read.raw))
    made.number, made.siblings = dump.number, dump.siblings
    return made


def _used(node: Snapshot) -> Iterator[Evidence]:
    """Yield the evidence of which answers make use: of tables of nft they do where only some are listed, too."""
    return (
        piece for piece in node.evidence if piece.is_used or (piece.kind == "nft" and piece.namespace is None)
    )


_TRANSLATIONS: Mapping[str, Callable[[Beside, str], str]] = {
    "addresses": Beside.addresses,
    "routes": Beside.routes,
    "rules": Beside.routes,
    "ipsets": Beside.ipset,
    "recent": Beside.recent,
    "sysctls": Beside.sysctls,
    "ipvs": Beside.ipvs,
    "pods": Beside.pods,
    "conntrack": Beside.connections,
}
"""How the text of each kind goes into pseudonyms; what is not here tells of tables, or is not used."""


def _evidence(piece: Evidence, beside: Beside) -> Evidence | None:
    """Return a piece in pseudonyms; None where nothing of it is used, or it cannot be read."""
    if piece.kind == "nft":
        return _written(piece, beside.listing(piece.file.text), "nft list table" if piece.partial else "")
    if piece.kind == "table names":
        names = sorted({table.name for table in READERS[piece.kind](piece)})
        return _written(piece, "".join(f"{beside.table(name)}\n" for name in names))
    translate = _TRANSLATIONS.get(piece.kind)
    if translate is None or piece.table not in _USUAL_TABLES:
        return None
    named = f"==> {piece.list_name} <==\n" if piece.kind == "recent" else ""
    return _written(piece, translate(beside, named + piece.file.text))


_USUAL_TABLES = ("", "all", "local", "main", "default")


def _written(piece: Evidence, text: str, command: str | None = None) -> Evidence:
    """Return a piece with another text; of the command that printed it, what decides how it is read."""
    data = text.encode()
    words = ("ip", *(["-6"] if piece.of_six else []), *([f"table {piece.table}"] if piece.table else []))
    inside = "ip6_tables_names" if piece.kind == "table names" and "ip6_" in piece.source.inside else ""
    told = " ".join(words) if command is None else command
    section = Section(0, len(data), 1, told, None, piece.kind)
    return Evidence(piece.kind, Source(SOURCE, inside, data, damage=piece.source.damage), section)
