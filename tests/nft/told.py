"""What a rule set says, in a form that can be compared: where it stands, and counts of time, are left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from iptviz.nft.expressions import AnonymousSet
from iptviz.nft.read import read_ruleset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Ruleset, SetOrMap, Table
    from iptviz.nft.statements import Statement

LISTINGS = Path(__file__).parent / "listings"


def listing(name: str) -> bytes:
    """Return a file of listings."""
    return (LISTINGS / name).read_bytes()


def ruleset_of(text: str | bytes) -> Ruleset:
    """Read a text."""
    return read_ruleset(text.encode() if isinstance(text, str) else text)


def told(ruleset: Ruleset) -> dict[str, object]:
    """Return what is said of each table, chain, rule and set, by their names."""
    return {
        f"{table.family} {table.name} {name}": what
        for table in ruleset.tables.values()
        for name, what in _of_table(table)
    }


def _of_table(table: Table) -> Iterable[tuple[str, object]]:
    yield "objects", sorted(table.objects)
    for chain in table.chains.values():
        yield f"chain {chain.name}", repr(chain.base)
        for rule in chain.rules:
            yield f"chain {chain.name} {rule.number}", (said(rule.statements), rule.comment)
    for found in table.sets.values():
        yield f"set {found.name}", _of_set(found)


def said(statements: Iterable[Statement]) -> tuple[str, ...]:
    """Return statements as texts: named tuples of two classes may be equal, their texts are not."""
    return tuple(repr(_sorted(one)) for one in statements)


def _sorted(part: object) -> object:
    """Return a part of a rule with the elements of sets within it in order: theirs means nothing."""
    if isinstance(part, AnonymousSet):
        return AnonymousSet(tuple(sorted(part.elements, key=repr)))
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        made: object = part.__class__(*map(_sorted, part))  # type: ignore[arg-type]
        return made
    return part


def _of_set(found: SetOrMap) -> object:
    head = found.head
    elements = sorted(repr(_lasting(element)) for element in found.elements)
    return found.is_map, head.key_type, head.data_type, head.flags, head.timeout, head.size, elements


def _lasting(element: Element) -> Element:
    return element._replace(expires=None)


def terse(text: str) -> str:
    """Return a listing as `nft --terse` prints it, in text or JSON: sets and maps without elements."""
    if text.lstrip().startswith("{"):
        objects = json.loads(text)
        for one in objects["nftables"]:
            for kind in ("set", "map"):
                one.get(kind, {}).pop("elem", None)
        return json.dumps(objects)
    return re.sub(r"^\t\telements = \{[^{}]*\}\n", "", text, flags=re.MULTILINE)
