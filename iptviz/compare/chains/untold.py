"""What the text of a table does not show of its rules, and how rules are compared without that."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.compare.chains.pairing import Likening
from iptviz.dump.cut import cut_rules
from iptviz.intake.plain import DumpForm
from iptviz.listing.words import QUOTED
from iptviz.rules.iptables import rule_table
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.compare.chains.forms import Fact
    from iptviz.compare.chains.pairing import Item
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table

_INTERFACE = re.compile(r"(?: !)? -[io] (?:\"[^\"]*+\"|\S++)")
_ADDRESS = re.compile(r" -[sd] (\S++)")
_COMMENT = re.compile(rf" -m comment --comment (?:{QUOTED}|\S++)")
_NOTHING_ASKED = re.compile(r" -m (?:tcp|udp|sctp)(?= -[jgm] |$)")
"""A match that nft does not list, since it asks no more than the protocol."""
_WORDS = " -m listing --text "
_LOST = re.compile(
    r" -m (?:tcp|udp|sctp) --dport \d++| -m mark (?:! )?--mark \S++"
    r"| -m statistic --mode random --probability \S++|(?<= -j DNAT) --to-destination \S++"
)


class Untold:
    """What a table of one side does not show."""

    def __init__(self, dump: Dump, table: Table) -> None:
        self._dump = dump
        self._table = table

    @cached_property
    def facts(self) -> frozenset[Fact]:
        """What is left out of its rules, or of some."""
        return frozenset(fact for fact, is_lost in _FACTS.items() if is_lost(self))

    @property
    def hides_interfaces(self) -> bool:
        """Whether it is a listing without interfaces."""
        return self._is_listing and any(gap.id == "interfaces-not-shown" for gap in self._dump.gaps)

    @property
    def names_hosts(self) -> bool:
        """Whether addresses may be names of hosts."""
        return self._is_listing

    @property
    def has_words(self) -> bool:
        """Whether there are words of a listing that cannot be read."""
        return self._is_listing and next(self._table.rules_with(_WORDS), None) is not None

    @property
    def is_cut(self) -> bool:
        """Whether lines end too early."""
        return self._width > 0

    @property
    def lost(self) -> bool:
        """Whether iptables did not print all of its rules."""
        unprinted = rule_table(self._table).unprinted
        return self._table.name in {"nat", "filter"} and (unprinted.found or bool(unprinted.addresses()))

    @property
    def lacks_comments(self) -> bool:
        """Whether it is what nft lists of the table, which some releases do without comments."""
        return (self._dump.tool or "").startswith("nft ")

    @property
    def _is_listing(self) -> bool:
        return self._dump.form == DumpForm.LISTING

    @cached_property
    def _width(self) -> int:
        """How long lines are that were cut at a column, 0 where none was."""
        return max((len(rule.text) for rule in cut_rules(self._table)), default=0)

    def ends_early(self, item: Item) -> bool:
        """Whether the line of a rule may be cut: it is as long as lines that are."""
        return 0 < self._width <= len(item.rule.text)


_FACTS: dict[Fact, Callable[[Untold], bool]] = {
    "comments": lambda untold: untold.lacks_comments,
    "interfaces": lambda untold: untold.hides_interfaces,
    "host-names": lambda untold: untold.names_hosts,
    "words": lambda untold: untold.has_words,
    "line-ends": lambda untold: untold.is_cut,
    "unprinted": lambda untold: untold.lost,
}


def likenings(old: Untold | None, new: Untold | None) -> Iterator[Likening]:
    """Yield how rules are compared of which one side does not show all, the least that is left out first.

    A side that has no such table has no rules of it.
    """
    if old is None or new is None:
        return
    facts = old.facts | new.facts
    for fact in _FACTS:
        if fact in facts:
            yield _LIKENINGS[fact](old, new)


def _without_comments(_old: Untold, _new: Untold) -> Likening:
    def key(text: str) -> str:
        return _NOTHING_ASKED.sub("", _COMMENT.sub("", text))

    return Likening(key, lambda old, new: key(old.text) in {old.text, new.text}, "comments")


def _without_interfaces(_old: Untold, _new: Untold) -> Likening:
    return Likening(lambda text: _INTERFACE.sub("", text), fact="interfaces")


def _without_hosts(_old: Untold, _new: Untold) -> Likening:
    def key(text: str) -> str:
        return _ADDRESS.sub("", _INTERFACE.sub("", text))

    return Likening(key, lambda old, new: _has_host(old.text) or _has_host(new.text), "host-names")


def _has_host(text: str) -> bool:
    return any(parse_network(address) is None for address in _ADDRESS.findall(text))


def _without_words(_old: Untold, _new: Untold) -> Likening:
    def key(text: str) -> tuple[str, str]:
        return _INTERFACE.sub("", text).partition(" -m ")[0].partition(" -j ")[0], text.rpartition(" -j ")[
            2
        ].partition(" ")[0]

    return Likening(key, lambda old, new: _WORDS in old.text or _WORDS in new.text, "words")


def _without_ends(old: Untold, new: Untold) -> Likening:
    def fits(one: Item, other: Item) -> bool:
        return (one.text.startswith(other.text) and "line-ends" in new.facts and new.ends_early(other)) or (
            other.text.startswith(one.text) and "line-ends" in old.facts and old.ends_early(one)
        )

    return Likening(lambda _text: "", fits, "line-ends")


def _without_lost(_old: Untold, _new: Untold) -> Likening:
    def key(text: str) -> str:
        return _LOST.sub("", text)

    return Likening(key, lambda old, new: key(old.text) in {old.text, new.text}, "unprinted")


_LIKENINGS: dict[Fact, Callable[[Untold, Untold], Likening]] = {
    "comments": _without_comments,
    "interfaces": _without_interfaces,
    "host-names": _without_hosts,
    "words": _without_words,
    "line-ends": _without_ends,
    "unprinted": _without_lost,
}
