"""What the rules of kube-proxy and kubelet always say, and the iptables that saved a table did not print.

An iptables prints rules of a newer one without ports, marks and chances, and DNAT without its address; native
rules of nft lose sets, ranges and maps. What such a rule asks is not known: it gets a test that is a condition.
Sources: pkg/proxy/iptables/proxier.go and pkg/kubelet/kubelet_network_linux.go for what they always write.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from itertools import chain as joined
from typing import TYPE_CHECKING, cast

from iptviz.records import NamedTuple
from iptviz.rules.addressless import (
    ENDPOINT_CHAIN,
    MARKING_CHAIN,
    lacks_address,
    sent_by_chain,
    without_address,
)
from iptviz.rules.cut_short import may_be_cut_short, rules_cut_short
from iptviz.rules.form import CompiledRule, Test, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

PORT, NODE_PORT, MARK, CHANCE_LOST, AS_PRINTED = (
    "unprinted-port", "unprinted-node-port", "unprinted-mark", "unprinted-chance", "as-printed",
)  # fmt: skip
"""Kinds of tests, and of the conditions that they are."""

DISPATCHING = {
    "nat": ("KUBE-SERVICES", "KUBE-NODEPORTS"),
    "filter": ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS"),
}
"""The chains of kube-proxy whose rules are about one port each, by table."""

_NODE_PORTS = "KUBE-NODEPORTS"
_LEADING_ON = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-", "KUBE-EXT-", "KUBE-FW-")
BALANCING = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-")
"""What the names of chains begin with that share connections out among endpoints."""

_REFUSING = {"REJECT", "DROP", "ACCEPT"}
_ABOUT_PORTS = {"destination-port", "source-port", "multiport", "match"}
"""Tests that may be about a port; what is not understood is one."""

_HIDDEN = re.compile(r"-m nft --hidden (\S+) ")
_PROTOCOLS = {"tcp", "udp", "sctp"}
"""What an endpoint's DNAT rule loads without any option."""

_ALIKE = (*BALANCING, ENDPOINT_CHAIN)

_SERVICE = re.compile(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}(?::[a-z0-9-]{1,63})?(?=:?(?: |\Z))")


class _Marked(NamedTuple):
    """A rule that is always asked of marked packets alone; `comments`: those that tell it, if it needs any."""

    target: str
    comments: tuple[str, ...] = ()


_MARKED = {
    ("nat", "KUBE-POSTROUTING"): (
        _Marked("RETURN"),
        _Marked("MASQUERADE", ("kubernetes service traffic requiring SNAT",)),
    ),
    ("filter", "KUBE-FORWARD"): (
        _Marked("ACCEPT", ("kubernetes forwarding rules", "kubernetes forward rules")),
    ),
    ("filter", "KUBE-FIREWALL"): (_Marked("DROP"),),
}


class Unprinted:
    """What one table does not show of its rules; each answer is found once, when a rule raises the question."""

    def __init__(self, table: Table, as_printed: Callable[[Rule], CompiledRule]) -> None:
        """`as_printed` makes a rule of the table of its text alone."""
        self._table = table
        self._as_printed = as_printed
        self._dispatching = DISPATCHING.get(table.name, ())

    def completed(self, made: CompiledRule) -> CompiledRule:
        """Return a rule with what is not printed of it, as far as that is known, or as a condition."""
        made = self._with_what_is_known(made)
        known = self._readdressed(made)
        test = self._unprinted(made)
        return (
            known if test is None else CompiledRule(made.place, made.chain, (*made.tests, test), known.action)
        )

    def _made(self, rule: Rule) -> CompiledRule:
        return self._with_what_is_known(self._as_printed(rule))

    def _with_what_is_known(self, made: CompiledRule) -> CompiledRule:
        """Return a rule without what nft hides where kube-proxy always asks the same, or a chance is lost."""
        if not self._hides or not made.chain.startswith(_ALIKE):
            return made
        tests = tuple(test for test in made.tests if not self._is_known(made, test))
        return (
            made
            if len(tests) == len(made.tests)
            else CompiledRule(made.place, made.chain, tests, made.action)
        )

    def _is_known(self, made: CompiledRule, test: Test) -> bool:
        found = _HIDDEN.match(test.quote)
        if found is None:
            return False
        if made.chain.startswith(ENDPOINT_CHAIN):
            return found[1] in _PROTOCOLS and made.action.name == "DNAT"
        is_last = made.place.number == len(self._table.rules_of(made.chain))
        return found[1] == "statistic" and made.action.name.startswith(ENDPOINT_CHAIN) and not is_last

    @cached_property
    def _hides(self) -> bool:
        """Whether nft printed matches of the table by their names alone."""
        return next(self._table.rules_with("-m nft --hidden "), None) is not None

    def _unprinted(self, made: CompiledRule) -> Test | None:
        if not made.chain.startswith("KUBE-"):
            return self._narrower(made)
        return self._port(made) if made.tests else self._mark(made) or self._chance(made)

    # --- ports -------------------------------------------------------------------------------------------------

    @cached_property
    def ports(self) -> list[Rule]:
        """The rules that lead to a service or refuse one, where none of them has a port; else none."""
        found = []
        for rule in self._about_ports():
            if not _lacks_port(self._made(rule)):
                return []
            found.append(rule)
        return found

    def _about_ports(self) -> Iterator[Rule]:
        """Yield the rules that always have a port, one after the other: most dumps show that of the first."""
        for chain in self._dispatching:
            for rule in self._table.rules_with("-A ", chain):
                if self._is_about_one(self._made(rule)) and (self._table.name == "nat" or rule.comment):
                    yield rule

    def _is_about_one(self, made: CompiledRule) -> bool:
        if self._table.name == "nat":
            return (made.jump or "").startswith(_LEADING_ON)
        return made.action.name in _REFUSING and bool(made.tests)

    def _port(self, made: CompiledRule) -> Test | None:
        """Return the port that a rule asks for and does not show; that which masquerades shares its service's."""
        masks = made.jump == MARKING_CHAIN and made.chain.startswith((*BALANCING, *self._dispatching))
        own = made.chain in self._dispatching and self._is_about_one(made)
        if not (own or (masks and self._table.name == "nat")) or not _lacks_port(made) or not self.ports:
            return None
        rule = cast("Rule", made.place)
        named = _SERVICE.match(rule.comment or "")
        health = self._table.name == "filter" and made.chain == _NODE_PORTS
        chain = made.jump if own and made.jump else made.chain if made.chain.startswith(BALANCING) else ""
        value = named[0] if named and not health else chain or f"line {rule.line}"
        of_node = made.chain == _NODE_PORTS or not any(test.kind == "destination" for test in made.tests)
        return Test(NODE_PORT if of_node else PORT, value=value, part="its port, which is not printed")

    # --- marks -------------------------------------------------------------------------------------------------

    def marks(self) -> list[Rule]:
        """Return the rules that are asked of marked packets alone and show no mark."""
        chains = [chain for table, chain in _MARKED if table == self._table.name]
        rules = (rule for chain in chains for rule in self._table.rules_of(chain))
        return [rule for rule in rules if self._mark(self._made(rule)) is not None]

    def _mark(self, made: CompiledRule) -> Test | None:
        if made.tests or not any(
            self._is_marked(made, row) for row in _MARKED.get((self._table.name, made.chain), ())
        ):
            return None
        return Test(MARK, value=f"line {made.place.line}", part="its mark, which is not printed")

    def _is_marked(self, made: CompiledRule, row: _Marked) -> bool:
        """Whether a rule is one of a row: the last of KUBE-POSTROUTING lets nothing go, RETURN above lets all."""
        rule = cast("Rule", made.place)
        if made.action.name != row.target or (row.comments and rule.comment not in row.comments):
            return False
        rules = [self._made(each) for each in self._table.rules_of(made.chain)]
        place = made.place.number - 1
        if row.target == "RETURN" and place == len(rules) - 1:
            return False
        shown = any(test.kind in {"mark", "match"} for one in rules for test in one.tests)
        return not shown and not (row.target == "MASQUERADE" and place)

    # --- chances -----------------------------------------------------------------------------------------------

    @cached_property
    def chances(self) -> dict[str, list[Rule]]:
        """By chain the rules that lead to endpoints, where no chain shows a chance and several rules need one.

        Of one chain alone that may be an edit, unless the text is an excerpt.
        """
        if self._shows_chances:
            return {}
        found: dict[str, list[Rule]] = {}
        for chain in self._leading_to_several():
            ways = [rule for rule in self._table.rules_of(chain) if self._is_share(self._made(rule))]
            if len(ways) > 1:
                found[chain] = ways
        return found if len(found) > 1 or self._hides or not self._table.shown.is_whole else {}

    def _leading_to_several(self) -> list[str]:
        """Return the chains that may share connections out: endpoints' chains that are not shown count, too."""
        data, blocks = self._table.data, self._table.blocks()
        naming = Counter(joined.from_iterable(_NAMING_ENDPOINTS.findall(data, *block) for block in blocks))
        several = {name for name, count in naming.items() if count > 1}
        if not several:
            return []  # as where each service has one endpoint
        calls = self._table.calls
        names = dict.fromkeys(name for name, places in calls.leads.items() if len(places) > 1)
        for word, users in calls.users.items():
            if word.startswith(_ENDPOINT_NAME):
                names |= dict.fromkeys(users)
        return [name.decode() for name in names if name in several]

    @cached_property
    def _shows_chances(self) -> bool:
        return next(self._table.rules_with("-m statistic"), None) is not None

    def _is_share(self, made: CompiledRule) -> bool:
        return made.action.name.startswith(ENDPOINT_CHAIN) and not made.tests

    def _chance(self, made: CompiledRule) -> Test | None:
        """Return the chance of a rule; the last of a chain needs none."""
        if not made.chain.startswith(BALANCING) or not self._is_share(made) or self._shows_chances:
            return None
        ways = self.chances.get(made.chain, ())[:-1]
        if made.place not in ways:
            return None
        return Test(
            CHANCE_LOST, value=f"line {made.place.line}", part="its probability, which is not printed"
        )

    # --- the rest ----------------------------------------------------------------------------------------------

    @cached_property
    def narrower(self) -> list[Rule]:
        """The rules that may be all that is left of native ones: see `rules_cut_short`."""
        return list(rules_cut_short(self._table, self._made))

    def _narrower(self, made: CompiledRule) -> Test | None:
        if not may_be_cut_short(made) or made.place not in self.narrower:
            return None
        return Test(AS_PRINTED, value=f"line {made.place.line}", part="what else it may match")

    def addresses(self) -> list[Rule]:
        """Return the DNAT rules that show no address, by line: a search of bytes."""
        return without_address(self._table, self._made)

    def _readdressed(self, made: CompiledRule) -> CompiledRule:
        """Return a DNAT rule that shows no address with what is known of it by others."""
        if not lacks_address(made.action):
            return made
        is_endpoint = made.chain.startswith(ENDPOINT_CHAIN)
        sent = sent_by_chain(self._table, made.chain, self._made) if is_endpoint else unreadable("")
        return CompiledRule(made.place, made.chain, made.tests, made.action._replace(operand=sent))

    @property
    def found(self) -> bool:
        """Whether ports, marks or chances are lost: few rules are looked at where they are not."""
        return bool(self.ports or self.marks() or (self._table.name == "nat" and self.chances))


_ENDPOINT_NAME = ENDPOINT_CHAIN.encode()
_NAMING_ENDPOINTS = re.compile(rb"-A ((?:%b)\S*+)[^\n]*?%b" % ("|".join(BALANCING).encode(), _ENDPOINT_NAME))
"""Finds the chain of each rule that shares connections out and names an endpoint's chain."""


def _lacks_port(made: CompiledRule) -> bool:
    """Whether a rule names a protocol and no port."""
    kinds = {test.kind for test in made.tests}
    return "protocol" in kinds and kinds.isdisjoint(_ABOUT_PORTS)
