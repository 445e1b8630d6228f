"""Commands of nft, as files for `nft -f` and scripts have them: `add rule ip nat c ...`, `flush ruleset`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.nft.spans import KINDS, NAME, body_at, statements_in
from iptviz.nft.tokens import unquoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.drafts import Drafts
    from iptviz.nft.model import Table
    from iptviz.nft.text_model import Span

_FAMILY = r"(?:(?P<family>ip6?|inet|arp|bridge|netdev)[ \t]+)?"
COMMAND = re.compile(
    rf"[ \t]*(?:nft[ \t]+)?(?P<verb>add|create|insert|flush|delete|destroy)[ \t]+"
    rf"(?:(?P<all>ruleset)[ \t]*(?:ip6?|inet|arp|bridge|netdev)?"
    rf"|(?P<what>table|rule|element|{KINDS})[ \t]+{_FAMILY}(?P<table>{NAME})(?:[ \t]+(?P<name>{NAME}))?)[ \t]*"
)
_PLACE = re.compile(r"(?:handle|position|index)[ \t]+\d{1,19}[ \t]*")


def obey(drafts: Drafts, command: re.Match[str]) -> int | None:
    """Do what a command says to the tables so far; return where it ends, None where nothing can be made of it."""
    done = _VERBS[command["verb"]](drafts, command, _argument(drafts, command))
    return _end(drafts, command.end()) if done else None


def _argument(drafts: Drafts, command: re.Match[str]) -> Span | None:
    """Return where what stands in braces is, or else all that stands behind the names."""
    text = drafts.source.text
    if text.startswith("{", command.end()):
        body = body_at(text, command.end() + 1, len(text))
        return body.start, body.end
    return next(statements_in(text, command.end(), len(text)), None)


def _end(drafts: Drafts, at: int) -> int:
    """Return where the statement that goes on at a place ends."""
    text = drafts.source.text
    if text.startswith("{", at):
        return body_at(text, at + 1, len(text)).behind
    found = next(statements_in(text, at, len(text)), None)
    return found[1] if found else len(text)


def _table(drafts: Drafts, command: re.Match[str]) -> Table:
    return drafts.table(command["family"] or "ip", command["table"], command.start())


def _add(drafts: Drafts, command: re.Match[str], argument: Span | None) -> bool:
    what, name = command["what"], command["name"]
    if what == "rule" and name:
        return _rule(drafts, command, argument)
    braced = drafts.source.text.startswith("{", command.end())
    if argument is not None and not braced and drafts.source.text[slice(*argument)].strip():
        return False  # words that nothing is made of
    if what == "table":
        return name is None and bool(_table(drafts, command))
    if not what or not name:
        return False
    if what != "element":
        drafts.add(_table(drafts, command), what, name, command.start(), argument if braced else None)
    elif argument is not None and braced:
        drafts.set(_table(drafts, command), unquoted(name), command.start()).added.append(argument)
    return what != "element" or braced


def _rule(drafts: Drafts, command: re.Match[str], argument: Span | None) -> bool:
    """Add a rule at the end, or insert one at the beginning; one whose place depends on others is not."""
    if argument is None or _PLACE.match(drafts.source.text, *argument):
        return False
    pieces = drafts.chain(_table(drafts, command), unquoted(command["name"]), command.start())
    (pieces.insert if command["verb"] == "insert" else pieces.add)(argument)
    return True


def _insert(drafts: Drafts, command: re.Match[str], argument: Span | None) -> bool:
    return command["what"] == "rule" and bool(command["name"]) and _rule(drafts, command, argument)


def _flush(drafts: Drafts, command: re.Match[str], _argument: Span | None) -> bool:
    """Take away all tables, or all rules of a table or a chain, or all elements of a set."""
    if command["all"]:
        drafts.ruleset.tables.clear()
        return True
    table = drafts.ruleset.tables.get((command["family"] or "ip", unquoted(command["table"])))
    if table is None:
        return True
    names = list(table.chains) if command["what"] == "table" else [unquoted(command["name"] or "")]
    for name in names:
        if command["what"] in {"table", "chain"} and name in table.chains:
            drafts.chain(table, name, command.start()).clear()
    if command["what"] in {"set", "map"} and names[0] in table.sets:
        drafts.set(table, names[0], command.start()).empty()
    return command["what"] in {"table", "chain", "set", "map"}


def _delete(drafts: Drafts, command: re.Match[str], _argument: Span | None) -> bool:
    key = (command["family"] or "ip", unquoted(command["table"] or ""))
    table = drafts.ruleset.tables.get(key)
    if command["what"] == "table":
        drafts.ruleset.tables.pop(key, None)
        return True
    if command["what"] not in {"chain", "set", "map"} or not command["name"]:
        return False
    if table is not None:
        name = unquoted(command["name"])
        table.chains.pop(name, None) if command["what"] == "chain" else table.sets.pop(name, None)
    return True


_VERBS: dict[str, Callable[[Drafts, re.Match[str], Span | None], bool]] = {
    "add": _add,
    "create": _add,
    "insert": _insert,
    "flush": _flush,
    "delete": _delete,
    "destroy": _delete,
}
