"""In what the chains, rules and sets of two listings of nft differ, by what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.compare.chains.forms import ChainChange, ChainChanges, Explained, RuleChange, RuleForm, Uncompared
from iptviz.kube.nftables.names import ENDPOINT, is_of_service, read_chain
from iptviz.kube.nftables.own import NAME
from iptviz.nft.canonical import base_key, element_key, is_hidden, is_state, rule_key, set_key
from iptviz.nft.expressions import Concatenation
from iptviz.nft.statements import Verdict
from iptviz.records import NamedTuple
from iptviz.rules.native.place import NftPlace, TableName
from iptviz.rules.native.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.compare.chains.forms import Kind, Side
    from iptviz.nft.expressions import Element
    from iptviz.nft.model import Chain, Rule, SetOrMap, Table
    from iptviz.node.listing import NftListing


class Spot(NamedTuple):
    """A place that is no rule: the head of a chain or set, or an element of a set; `Place`."""

    table: TableName
    chain: str
    text: str
    line: int
    number: int = 0
    comment: str | None = None
    counters: None = None


class Scope(NamedTuple):
    """What of two listings is compared.

    `shared`: tables of both families of addresses, too. `explained` are service ports that differ anyway.
    `proxy`: kube-proxy's own table; without it, it is told why not: its services are kept in another mode on one
    side (None), or other releases wrote it (`eras`).
    """

    explained: Explained
    shared: bool = True
    proxy: bool = True
    why_not: Literal["eras"] | None = None


_BOTH: tuple[Side, Side] = ("old", "new")


def native_changes(old: NftListing, new: NftListing, scope: Scope) -> ChainChanges:
    """Return in what the tables of two listings differ that packets of their family meet.

    Never a difference: counters, handles, comments, the order of tables, chains and elements, elements that rules
    put into sets, and how a rule is spelt.
    """
    chains: list[ChainChange] = []
    uncompared: list[Uncompared] = []
    for name in dict.fromkeys((*new.tables, *old.tables)):
        mine, theirs = old.tables.get(name), new.tables.get(name)
        family, _, own = name.partition(" ")
        if family == "inet" and not scope.shared:
            continue
        if own == NAME and family != "inet" and not scope.proxy:
            if scope.why_not:
                uncompared.append(Uncompared(name, _BOTH, scope.why_not))
            continue
        hidden = tuple(
            side
            for side, table in zip(_BOTH, (mine, theirs), strict=True)
            if table is not None and _hides_rules(table)
        )
        if hidden:
            uncompared.append(Uncompared(name, hidden, "by-name"))
        else:
            chains += _Tables(name, mine, theirs, scope.explained).changes()
    cut = tuple(side for side, listing in zip(_BOTH, (old, new), strict=True) if not listing.complete)
    if cut:
        chains = [one for one in chains if one.kind == "changed"]
        uncompared += [Uncompared("nft", cut, "cut")]
    return ChainChanges(tuple(chains), (), tuple(uncompared), ())


def _hides_rules(table: Table) -> bool:
    return any('"xt"' in rule.text or "xt " in rule.text for rule in _rules(table)) and any(
        map(is_hidden, _rules(table))
    )


def _rules(table: Table) -> Iterator[Rule]:
    for chain in table.chains.values():
        yield from chain.rules


class _Tables:
    """A table of both sides, or of one."""

    def __init__(self, name: str, old: Table | None, new: Table | None, explained: Explained) -> None:
        self._name = TableName(name)
        self._old, self._new = old, new
        self._explained = explained
        first = new or old
        self._is_proxy = first is not None and first.name == NAME and first.family != "inet"

    def changes(self) -> Iterator[ChainChange]:
        """Yield what differs of chains, then of sets, in the order of the new side."""
        old, new = self._old, self._new
        chains = dict.fromkeys((*(new.chains if new else ()), *(old.chains if old else ())))
        for name in filter(self._shows_chain, chains):
            both = [table.chains.get(name) if table is not None else None for table in (old, new)]
            found = self._chain(name, both[0], both[1])
            if found is not None:
                yield found
        sets = dict.fromkeys((*(new.sets if new else ()), *(old.sets if old else ())))
        for name in filter(self._shows_set, sets):
            either = [table.sets.get(name) if table is not None else None for table in (old, new)]
            held = self._set(name, either[0], either[1])
            if held is not None:
                yield held

    def _shows_chain(self, name: str) -> bool:
        """Whether neither side shows a part of a chain."""
        both = [table for table in (self._old, self._new) if table is not None and name in table.chains]
        return not any(table.is_open(table.chains[name].line) for table in both)

    def _shows_set(self, name: str) -> bool:
        """Whether neither side shows a part of a set or map, or no elements of any."""
        both = [table for table in (self._old, self._new) if table is not None and name in table.sets]
        return not any(table.hides(name) or table.is_open(table.sets[name].line) for table in both)

    # --- chains ----------------------------------------------------------------------------------------------

    def _chain(self, name: str, old: Chain | None, new: Chain | None) -> ChainChange | None:
        of_service = self._is_proxy and is_of_service(name)
        mine, theirs = (tuple(chain.rules) if chain is not None else () for chain in (old, new))
        if of_service and not mine and not theirs:
            return None  # what an update leaves for a while
        rules = tuple(self._rules(mine, theirs, in_order=not of_service))
        head = self._head(old, new)
        rules = (*([head] if head else []), *rules)
        policies = [_policy(chain) for chain in (old, new)]
        told = ChainChange(
            self._name.name, name, _kind(old, new), _line(old), _line(new), policies[0], policies[1], rules,
            inert=not rules and None in {old, new} and not any(policies),
            unlisted=len(rules) if of_service and self._is_explained(name) else None,
        )  # fmt: skip
        return told if told.kind != "changed" or rules or told.policy_changed else None

    def _head(self, old: Chain | None, new: Chain | None) -> RuleChange | None:
        """Return that a chain is hooked in elsewhere."""
        if old is None or new is None or base_key(old) == base_key(new):
            return None
        before, after = (self._spot(chain.name, _head_text(chain), chain.line) for chain in (old, new))
        return RuleChange("changed", before, after)

    def _rules(self, old: Sequence[Rule], new: Sequence[Rule], *, in_order: bool) -> Iterator[RuleChange]:
        if [rule.text for rule in old] == [rule.text for rule in new]:
            return
        mine, theirs = list(map(rule_key, old)), list(map(rule_key, new))
        if not in_order:
            order_old = sorted(range(len(old)), key=lambda place: repr(mine[place]))
            order_new = sorted(range(len(new)), key=lambda place: repr(theirs[place]))
            old, new = [old[place] for place in order_old], [new[place] for place in order_new]
            mine, theirs = sorted(mine, key=repr), sorted(theirs, key=repr)
        if mine == theirs:
            return
        from difflib import SequenceMatcher  # most chains are alike

        gone: list[int] = []
        come: list[int] = []
        for tag, first, last, start, end in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
            if tag != "equal":
                gone += range(first, last)
                come += range(start, end)
        for place in list(gone):  # what stands elsewhere now
            other = next((at for at in come if theirs[at] == mine[place]), None)
            if other is not None:
                gone.remove(place)
                come.remove(other)
                yield RuleChange("moved", self._form(old[place]), self._form(new[other]), None)
        yield from (RuleChange("removed", self._form(old[place]), None) for place in gone)
        yield from (RuleChange("added", None, self._form(new[place])) for place in come)

    def _form(self, rule: Rule) -> RuleForm:
        return RuleForm(NftPlace(rule, self._name), rule.text)

    def _is_explained(self, name: str) -> bool:
        """Whether a chain, or a set of clients, is one of a service port that differs."""
        own = read_chain(name)
        if own is None:
            return False
        return own.service.text in self._explained.names or (
            own.kind != ENDPOINT and own.suffix in self._explained.suffixes
        )

    # --- sets ------------------------------------------------------------------------------------------------

    def _set(self, name: str, old: SetOrMap | None, new: SetOrMap | None) -> ChainChange | None:
        if self._is_proxy and is_of_service(name) and self._is_explained(name):
            return None
        either = new or old
        rules: list[RuleChange] = []
        if old is not None and new is not None and set_key(old) != set_key(new):
            before, after = (self._spot(name, _set_text(one), one.line) for one in (old, new))
            rules.append(RuleChange("changed", before, after))
        if either is not None and not any(one is not None and is_state(one) for one in (old, new)):
            rules += self._elements(name, old, new)
        kind = _kind(old, new)
        word = "map" if either is not None and either.is_map else "set"
        if kind == "changed" and not rules:
            return None
        return ChainChange(
            self._name.name, f"{word} {name}", kind, _line(old), _line(new), None, None, tuple(rules),
        )  # fmt: skip

    def _elements(self, name: str, old: SetOrMap | None, new: SetOrMap | None) -> Iterator[RuleChange]:
        mine, theirs = (_by_key(found) for found in (old, new))
        for kind, those, other in (("removed", mine, theirs), ("added", theirs, mine)):
            for key, (line, element) in those.items():
                if key not in other:
                    form = self._spot(name, words_of(element), line)
                    yield self._element_change(kind, form, element)  # type: ignore[arg-type]

    def _element_change(self, kind: Kind, form: RuleForm, element: Element) -> RuleChange:
        explained = self._is_proxy and self._is_of_explained(element)
        old, new = (form, None) if kind == "removed" else (None, form)
        return RuleChange(kind, old, new, explained=explained)

    def _is_of_explained(self, element: Element) -> bool:
        """Whether an element is of a service port that differs: by its chain, its comment, or an address."""
        if (
            isinstance(element.data, Verdict)
            and element.data.chain
            and self._is_explained(element.data.chain)
        ):
            return True
        parts = element.key.parts if isinstance(element.key, Concatenation) else (element.key,)
        addresses = self._explained.addresses
        return element.comment in self._explained.names or any(words_of(part) in addresses for part in parts)

    def _spot(self, chain: str, text: str, line: int) -> RuleForm:
        return RuleForm(Spot(self._name, chain, text, line), text)


def _by_key(found: SetOrMap | None) -> dict[str, tuple[int, Element]]:
    return {} if found is None else {element_key(element): (line, element) for line, element in found.lines}


def _kind(old: object, new: object) -> Literal["added", "removed", "changed"]:
    return "added" if old is None else "removed" if new is None else "changed"


def _line(found: Chain | SetOrMap | None) -> int | None:
    return (found.line or None) if found is not None else None


def _policy(chain: Chain | None) -> str | None:
    base = chain.base if chain is not None else None
    return base.policy.upper() if base is not None else None


def _head_text(chain: Chain) -> str:
    base = chain.base
    if base is None:
        return "no base chain"
    devices = f" devices {', '.join(base.devices)}" if base.devices else ""
    return f"type {base.type} hook {base.hook}{devices} priority {base.priority}"


def _set_text(found: SetOrMap) -> str:
    head = found.head
    data = f" : {' . '.join(head.data_type)}" if head.data_type else ""
    flags = f"; flags {','.join(head.flags)}" if head.flags else ""
    timeout = f"; timeout {head.timeout // 1000} s" if head.timeout is not None else ""
    size = f"; size {head.size}" if head.size is not None else ""
    rest = "".join(f"; {one}" for one in head.rest)
    return f"type {' . '.join(head.key_type)}{data}{flags}{timeout}{size}{rest}"
