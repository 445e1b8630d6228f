"""The dumps of a file or a bundle in pseudonyms, as they are listed: its paths and nodes have some, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.intake.read import read_text
from iptviz.node.evidence import Evidence
from iptviz.node.sections import Section
from iptviz.redact.dump import Redactor
from iptviz.redact.pseudonyms import Pseudonyms
from iptviz.source.origin import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.redact.secrets import Secrets


def redacted_evidence(evidence: Iterable[Evidence], secrets: Secrets, source: str) -> Iterator[Evidence]:
    """Yield evidence as it is listed, in pseudonyms: of its text how long it is, of what nft lists all."""
    for piece in evidence:
        inside = f"file-{secrets.word('file', piece.source.inside)}" if piece.source.inside else ""
        host = f"node-{secrets.word('node', piece.node)}" if piece.node else None
        lines = b"-\n" * piece.line_count
        if piece.kind == "nft" and not piece.says_nothing:
            text = piece.file.text
            lines = Pseudonyms(None, secrets, listings=[text]).listing(text).encode()
        section = Section(0, len(lines), piece.section.line, "", host, piece.kind)
        yield Evidence(piece.kind, Source(source, inside, lines), section)


def redacted_bundle(dumps: Iterable[Dump], secrets: Secrets, source: str) -> Iterator[Dump]:
    """Yield each dump in pseudonyms, with its number, form, time and place; `source` is what all are called.

    What was left out of the text around it, or repaired, is not told: that is the original's own text.
    """
    for dump in dumps:
        text = read_text(Redactor(dump, secrets).text().encode())
        inside = f"file-{secrets.word('file', dump.origin.inside)}" if dump.origin.inside else ""
        node = f"node-{secrets.word('node', dump.node)}" if dump.node else None
        plain = text.dumps[0]._replace(form=dump.form, node=node, first_line=dump.first_line)
        redacted = Dump.of(text, plain, Source(source, inside, text.raw, dump.origin.modified))
        redacted.number, redacted.siblings = dump.number, dump.siblings
        yield redacted
