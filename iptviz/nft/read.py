"""Text or JSON of nft, however it was saved, into the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.errors import NothingError
from iptviz.nft.cleaned import clean
from iptviz.nft.json_parts import is_json
from iptviz.nft.text_reader import TextReader

if TYPE_CHECKING:
    from iptviz.nft.model import Ruleset


def read_ruleset(data: bytes, source: str = "") -> Ruleset:
    """Read what `nft list ruleset`, `list table`, `list chain` or `nft -j` printed, or a file for `nft -f`.

    Raises:
        DumpError: nothing of nft's language is in it; `source` is what the message calls the text.
    """
    cleaned = clean(data)
    if is_json(cleaned.text):
        from iptviz.nft.json_reader import read_json

        ruleset = read_json(cleaned.text)
    else:
        ruleset = TextReader(cleaned.text).read()
    if not ruleset.tables:
        raise NothingError("no nft tables found", where=source, hint="run nft list ruleset as root")
    ruleset.source_text = cleaned.text
    ruleset.remarks[:0] = cleaned.repairs
    ruleset.notes[:0] = cleaned.notes
    for table in ruleset.tables.values():
        table.ruleset = ruleset
    for key in cleaned.managed & ruleset.tables.keys():
        ruleset.tables[key].managed = True
    return ruleset
