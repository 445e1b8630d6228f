"""Tables while a text is read: the same table, chain or set may be told of in several places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.model import KeptChain, NamedObject, SetOrMap, Table
from iptviz.nft.text_model import ChainPieces, PrintedChain, SetPieces
from iptviz.nft.tokens import unquoted

if TYPE_CHECKING:
    from iptviz.nft.model import Ruleset
    from iptviz.nft.positions import Numbered
    from iptviz.nft.text_model import Span


class Drafts:
    """Puts what is found into the tables of a rule set."""

    def __init__(self, ruleset: Ruleset, source: Numbered) -> None:
        self.ruleset = ruleset
        self.source = source

    def table(self, family: str, name: str, place: int) -> Table:
        """Return a table, which is made where there is none."""
        key = (family, unquoted(name))
        found = self.ruleset.tables.get(key)
        if found is None:
            found = self.ruleset.tables[key] = Table(*key, self.source.line_of(place))
        return found

    def say(self, table: Table, word: str, value: str) -> None:
        """Take what a table says of itself."""
        if word == "comment":
            table.comment = unquoted(value.strip())
        else:
            table.flags = tuple(sorted(flag.strip() for flag in value.split(",")))

    def add(
        self, table: Table, kind: str, name: str, place: int, span: Span | None, handle: int | None = None
    ) -> None:  # fmt: skip
        """Take a chain, set, map or object, or what is added to it."""
        name = unquoted(name)
        if kind in {"chain", "set", "map", "meter"}:
            pieces: ChainPieces | SetPieces
            if kind == "chain":
                pieces = self.chain(table, name, place, handle)
            else:
                pieces = self.set(table, name, place, is_map=kind == "map", handle=handle)
            if span:
                pieces.add(span)
            return
        text = self.source.text[slice(*span)].strip() if span else ""
        table.objects[kind, name] = NamedObject(kind, name, text, self.source.line_of(place), handle)

    def printed(self, table: Table, name: str, place: int, span: Span, handle: int | None) -> None:
        """Take a chain that looks as nft prints it, or what such a block adds to one."""
        name = unquoted(name)
        if name in table.chains:
            self.chain(table, name, place, handle).add(span)
        else:
            table.chains[name] = PrintedChain(table, name, self.source, place, handle)

    def chain(self, table: Table, name: str, place: int, handle: int | None = None) -> ChainPieces:
        """Return the pieces of a chain, which is made where there is none; what is done to them is kept."""
        found = table.chains.get(name)
        pieces = found.reader if found is not None else ChainPieces(self.source, place)
        assert isinstance(pieces, ChainPieces)  # noqa: S101 - only those are made here
        if not isinstance(found, KeptChain):
            table.chains[name] = KeptChain(table, name, pieces, handle if found is None else found.handle)
        return pieces

    def set(
        self, table: Table, name: str, place: int, *, is_map: bool = False, handle: int | None = None
    ) -> SetPieces:  # fmt: skip
        """Return the pieces of a set or map, which is made where there is none."""
        found = table.sets.get(name)
        if found is None:
            found = SetOrMap(table, name, SetPieces(self.source, place), is_map=is_map, handle=handle)
            table.sets[name] = found
        assert isinstance(found.reader, SetPieces)  # noqa: S101 - only those are made here
        return found.reader
