"""Two nodes asked in the same words: one account of fields for both, and what both know beside their rules."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from iptviz.engine.fields import FIELD_KINDS, field_of, network_region
from iptviz.engine.unknowns import Unknowns
from iptviz.paths.surroundings import DumpSurroundings
from iptviz.paths.survey import Survey
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.condition import Condition, When
    from iptviz.engine.fields import Field
    from iptviz.engine.host import Host
    from iptviz.engine.regions import Region
    from iptviz.paths.survey import Evidence
    from iptviz.xtables.address import Network

_LINE = re.compile(r"\bline (\d+)")
_COMMENT = re.compile(r'-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+) ?')


_CHOSEN = ("source", "destination")
"""What nat chooses, which depends on the packet that it chooses for, not on what was there before."""


class SameLines:
    """Rules of two nodes that are one question where they keep a state, or make something unknown.

    Such questions name the line of a rule. Two rules are the same that stand in chains of one name and read the
    same; so each gets a number that both sides have.
    """

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._lines: dict[int, int] = {}

    def number(self, rule: object, line: int) -> int:
        """Return the number of a rule, which one side has at `line`."""
        number = self._numbers.setdefault(rule, len(self._numbers) + 1)
        self._lines.setdefault(number, line)
        return number

    def shown(self, condition: Condition) -> Condition:
        """Return a condition with the lines that the first side has, or the other where that has none."""
        return _with_lines(condition, self._lines.__getitem__)


def _with_lines(condition: Condition, line: Any) -> Condition:
    """Return a condition with what `line` makes of each line in it."""
    if condition.rule is None and condition.since is None and "line " not in condition.value:
        return condition
    return condition._replace(
        rule=None if condition.rule is None else line(condition.rule),
        since=None if condition.since is None else line(condition.since),
        value=_LINE.sub(lambda found: f"line {line(int(found[1]))}", condition.value),
    )


class OneSide(Unknowns):
    """What is not known of a packet, asked by the rules of one of two nodes that share an account of fields.

    Counts of rules (nth) are questions like others: both sides have one answer to them.
    """

    def __init__(self, of: Unknowns, side: Side) -> None:
        """Share the account of `of`, of which this knows the same packet."""
        self.__dict__.update(of.__dict__)
        self.host = side.host
        self._side = side
        self._asked = {}
        self.own: dict[Condition, None] = {}
        """The questions that are about no field and were asked here."""
        self.asks_for_changed = False
        """Whether rules ask for what other rules have made of something that is not known."""

    def condition(self, condition: Condition) -> int:
        """Return where a condition holds."""
        meant = _with_lines(condition, self._side.number)
        asked = super().condition(meant)
        self.asks_for_changed |= meant.since is not None and not meant.kind.startswith(_CHOSEN)
        if field_of(meant).kind not in FIELD_KINDS and not self.diagrams.is_leaf(asked):
            self.own[meant] = None
        return asked

    def in_region(self, field: Field, region: Region) -> int:
        """Return where a field lies in `region`; the source that MASQUERADE chooses is no service's address."""
        if field.kind == "source" and field.since is not None and region in self._side.not_own:
            return self.diagrams.no
        return super().in_region(field, region)

    def leaves_open(self, field: Field) -> bool:
        """Whether nobody tells the answers apart: of no question here."""
        return field in self.open


class Side:
    """One of two nodes, as it is asked about packets of one family.

    `host` is what both nodes know alike of themselves. `services` are addresses that are no node's.
    """

    def __init__(
        self,
        dump: Dump,
        evidence: Evidence,
        host: Host,
        lines: SameLines,
        services: Iterable[Network] = (),
    ) -> None:
        self.dump = dump
        self.evidence = evidence._replace(host=host)
        self.host = host
        self.not_own: frozenset[Region] = frozenset(filter(None, map(network_region, services)))
        """Regions of one address each, which no node has."""
        self._same = lines
        self._numbers: dict[int, int] = {}

    @cached_property
    def survey(self) -> Survey:
        """What follows connections through the rules."""
        return Survey(DumpSurroundings(self.dump), self.evidence, asks_own=True)

    @property
    def granted(self) -> When:
        """What is taken for granted of tables and chains that are not shown."""
        return self.survey.granted

    def number(self, line: int) -> int:
        """Return the number that the rule at a line has on both sides."""
        if line not in self._numbers:
            self._numbers[line] = self._same.number(self._rule(line), line)
        return self._numbers[line]

    def _rule(self, line: int) -> object:
        """Return what is equal for the same rule of both sides."""
        for dump in self.evidence.dumps:
            for table in dump.tables.values():
                for rule in table.rules():
                    if rule.line == line:
                        return table.name, *_identity(rule)
        return self, line


def _identity(rule: Rule) -> tuple[object, ...]:
    """Return what a rule does, and its place among those of its table that do the same, if there are any."""
    text = without_chain(rule, rule.text)
    table = cast("Table", rule.table)
    alike = [other for other in table.rules_with(text) if other.text.endswith(text)]
    told = without_chain(rule, told_text(rule))
    if len(alike) == 1:
        return (told,)
    own = [other.number for other in alike if other.chain == rule.chain]
    # A text that was put together is not to be found as it stands.
    return told, rule.chain, own.index(rule.number) if rule.number in own else rule.number


def without_chain(rule: Rule, text: str) -> str:
    """Return a rule without its chain's name; with it, where that is written in quotes."""
    return text.partition(f"-A {rule.chain}")[2] or text


def told_text(rule: Rule) -> str:
    """Return a rule as iptables-save prints it, without its comment: what it does."""
    return _COMMENT.sub("", rule.canonical())


class Hosts(NamedTuple):
    """What two nodes know alike of themselves: `old` and `new` differ in contents of sets, lists and settings.

    `set_aside` names what is known of one alone, or otherwise of each.
    """

    old: Host
    new: Host
    set_aside: tuple[str, ...]

    @property
    def are_same(self) -> bool:
        """Whether sets, lists and settings have the same contents, too."""
        return all(getattr(self.old, name) == getattr(self.new, name) for name in _NAMED)


_OWN = ("local", "interfaces", "addresses", "routes")
_LABELS = {"local": "addresses of the node", "addresses": "addresses of interfaces"}
_NAMED = {"sets": "set", "recent": "recent list", "sysctls": "setting"}


def hosts(old: Host, new: Host) -> Hosts:
    """Return what both nodes know of themselves.

    Addresses, interfaces and routes are known where they are the same: of two nodes they are not, and rules are
    compared. Of sets, lists and settings those that both know; what differs between them is a difference.
    """
    aside: list[str] = []
    changes: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    for name in _OWN:
        mine, theirs = getattr(old, name), getattr(new, name)
        if _plain(mine) != _plain(theirs):
            aside.append(_LABELS.get(name, name))
            changes[0][name] = changes[1][name] = None
    for name, label in _NAMED.items():
        mine, theirs = getattr(old, name), getattr(new, name)
        names = sorted((mine or {}).keys() ^ (theirs or {}).keys())
        aside += [f"{label} {each}" for each in names]
        changes[0][name] = _kept(mine, theirs)
        changes[1][name] = _kept(theirs, mine)
    return Hosts(old._replace(**changes[0]), new._replace(**changes[1]), tuple(aside))


def _plain(value: Any) -> Any:
    """Return what is equal where routes are, which know their order and are no values themselves."""
    return None if value is None else getattr(value, "routes", value)


def _kept(mine: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the part of a mapping whose names the other has; None where nothing is left."""
    if mine is None or theirs is None:
        return None
    return {name: value for name, value in mine.items() if name in theirs}
