"""A rule that nft lists, as iptables-save writes it: matches, a counter, a target.

What iptables has no words for, or what nft hides, becomes a match or a target that nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.iptables_nft.asking import asked
from iptviz.iptables_nft.doing import done, ends, unclear
from iptviz.iptables_nft.headers import again
from iptviz.iptables_nft.pieces import BASIC, Piece
from iptviz.iptables_nft.words import quoted
from iptviz.nft.json_statements import read_json_each
from iptviz.nft.statement_reader import read_each
from iptviz.nft.statements import Counter, Last, Log, SetUpdate, Unread, Verdict, VerdictMap, Xt
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.nft.model import Rule
    from iptviz.nft.statements import Statement

_HIDDEN = "-m nft --hidden {} --place {}"
"""How a match stands of which nft prints the name alone; by their places, two of one name are different."""

_QUOTED = "-m nft --text"


class Spelled(NamedTuple):
    """A rule in the words of iptables-save.

    `hides` is whether nft hides something of it, `chain` the chain that it leads to, if any.
    """

    text: str
    hides: bool
    chain: str


class _Said(NamedTuple):
    """A statement, and what returns its text."""

    statement: Statement
    text: Callable[[], str]


def spelled(rule: Rule, version: int) -> Spelled:
    """Return a rule of a table of IPv4 or IPv6 in the words of iptables-save."""
    said, comment = _read(rule)
    counters = [one.statement for one in said if isinstance(one.statement, Counter)]
    asking, doing = _parted(said)
    pieces = _Pieces(version, comment, rule.line or rule.object)
    for one in asking:
        pieces.take(one)
    words = (
        _counters(counters),
        f"-A {rule.chain}",
        *pieces.words(),
        _target(doing, version),
    )
    hides = any(isinstance(one.statement, Xt) and one.statement.name != "comment" for one in said)
    leads = (one.statement.chain for one in doing if isinstance(one.statement, Verdict))
    return Spelled(" ".join(word for word in words if word), hides, next(leads, ""))


def _read(rule: Rule) -> tuple[list[_Said], str | None]:
    """Return the statements of a rule, and its comment."""
    source = rule.source
    family = rule.table.family
    parts = read_each(source, family) if isinstance(source, str) else read_json_each(source, family)
    said: list[_Said] = []
    comment = None
    for read, text in parts:
        if isinstance(read, str):
            comment = read if comment is None else comment
        elif not isinstance(read, Last):
            said.append(_Said(read, text))
    return said, comment


def _parted(said: Sequence[_Said]) -> tuple[list[_Said], list[_Said]]:
    """Return what a rule asks, and what it does: iptables counts between the two."""
    at = next((place for place, one in enumerate(said) if isinstance(one.statement, Counter)), None)
    if at is None:
        at = next((place for place, one in enumerate(said) if _does(one.statement)), len(said))
        return list(said[:at]), list(said[at:])
    return list(said[:at]), [one for one in said[at:] if not isinstance(one.statement, Counter)]


def _does(statement: Statement) -> bool:
    if isinstance(statement, Xt):
        return statement.kind == "target"
    return ends(statement) or isinstance(statement, (VerdictMap, SetUpdate))


def _counters(counters: Sequence[Counter]) -> str:
    counted = counters[0] if counters else Counter()
    numbers = (counted.packets, counted.bytes)
    return "[{}:{}]".format(*numbers) if all(isinstance(number, int) for number in numbers) else ""


def _target(doing: Sequence[_Said], version: int) -> str:
    """Return the target; a rule of iptables has one."""
    if not doing:
        return ""
    first, *rest = doing
    if isinstance(first.statement, Log):
        rest = [one for one in rest if not isinstance(one.statement, Unread)]  # quotes within its prefix
    target = None if rest else done(first.statement, first.text(), version)
    return unclear(" ".join(one.text() for one in doing)) if target is None else target


class _Pieces:
    """What a rule asks, while its parts are put in the order of iptables-save."""

    def __init__(self, version: int, comment: str | None, place: int) -> None:
        self._version = version
        self._place = place
        self._basics: dict[str, str] = {}
        self._matches: list[tuple[str, list[str]]] = []
        if comment is not None:
            self._matches.append(("comment", [f"--comment {_comment(comment)}"]))

    def take(self, said: _Said) -> None:
        """Take a statement that asks something."""
        statement = said.statement
        if isinstance(statement, Xt) and statement.kind != "target":
            if statement.name != "comment":
                self._matches.append(("", [_HIDDEN.format(quoted(statement.name), self._place)]))
            return
        piece = asked(statement, self._version)
        if piece is not None and piece.name in self._basics:
            if self._basics[piece.name] == piece.text:
                return
            piece = again(piece, statement)
        if piece is None or not self._fits(piece):
            self._matches.append(("", [f"{_QUOTED} {quoted(said.text())}"]))
        else:
            self._add(piece)

    def _fits(self, piece: Piece) -> bool:
        """Whether iptables takes a match beside the protocol that the rule names, or would name."""
        named = self._basics.get("-p", "")
        if piece.protocol == "th":
            return named.removeprefix("-p ") in _WITH_PORTS
        if piece.protocol and not named:
            self._basics["-p"] = f"-p {piece.protocol}"
        return not piece.protocol or self._basics["-p"] == f"-p {piece.protocol}"

    def _add(self, piece: Piece) -> None:
        if piece.name in BASIC:
            self._basics[piece.name] = piece.text
            return
        name = piece.name
        if piece.protocol == "th":
            name = self._basics["-p"].removeprefix("-p ") if name == "th" else name
        option = piece.text.removeprefix("! ").split(" ", 1)[0]
        if self._matches and self._matches[-1][0] == name and name in _JOINED:
            options = self._matches[-1][1]
            if all(option not in one.split(" ") for one in options):
                options.append(piece.text)
                return
        self._matches.append((name, [piece.text]))

    def words(self) -> Iterator[str]:
        """Yield the options of the rule itself, then the matches."""
        yield from (self._basics[name] for name in BASIC if name in self._basics)
        for name, options in self._matches:
            yield " ".join((f"-m {name}", *options) if name else options)


_WITH_PORTS = frozenset({"tcp", "udp", "udplite", "sctp", "dccp"})
_JOINED = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "conntrack", "owner"})
"""The matches that ask several things at once; others stand once for each."""


def _comment(comment: str) -> str:
    return quoted(comment) if comment else '""'
