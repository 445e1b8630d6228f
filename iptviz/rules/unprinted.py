"""What the rules of kube-proxy and kubelet always say, and the iptables that saved a table did not print.

An iptables prints rules of a newer one without ports, marks and chances, and DNAT without its address; native
rules of nft lose sets, ranges and maps. What such a rule asks is not known: it gets a test that is a condition.
Sources: pkg/proxy/iptables/proxier.go and pkg/kubelet/kubelet_network_linux.go for what they always write.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from iptviz.rules.form import (
    JUMP,
    RETURN,
    TARGET,
    Action,
    CompiledRule,
    Rewriting,
    Test,
    is_unreadable,
    unreadable,
)
from iptviz.xtables.address import parse_network, split_endpoint
from iptviz.xtables.values.protocols import WITH_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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

_NODE_PORTS, _MARKING = "KUBE-NODEPORTS", "KUBE-MARK-MASQ"
_LEADING_ON = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-", "KUBE-EXT-", "KUBE-FW-")
BALANCING = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-")
"""What the names of chains begin with that share connections out among endpoints."""

_ENDPOINT = "KUBE-SEP-"
_REFUSING = {"REJECT", "DROP", "ACCEPT"}
_ABOUT_PORTS = {"destination-port", "source-port", "multiport", "match"}
"""Tests that may be about a port; what is not understood is one."""

_SERVICE = re.compile(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}(?::[a-z0-9-]{1,63})?(?=:?(?: |\Z))")
_WAY = re.compile(r" -> (\S+)\Z")


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
        self._made = as_printed
        self._dispatching = DISPATCHING.get(table.name, ())

    def completed(self, made: CompiledRule) -> CompiledRule:
        """Return a rule with what is not printed of it, as far as that is known, or as a condition."""
        if not made.chain.startswith("KUBE-"):
            return self._with(made, self._narrower(made))
        if made.chain.startswith(_ENDPOINT) and lacks_address(made.action):
            return _acting(made, made.action._replace(operand=self._by_comment(made.chain)))
        test = self._port(made) if made.tests else self._mark(made) or self._chance(made)
        return self._with(made, test)

    @staticmethod
    def _with(made: CompiledRule, test: Test | None) -> CompiledRule:
        if test is not None:
            return CompiledRule(made.place, made.chain, (*made.tests, test), made.action)
        return _acting(made, _unsent(made.action)) if lacks_address(made.action) else made

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
        """Yield the rules that always have a port."""
        for chain in self._dispatching:
            for rule in self._table.rules_of(chain):
                if self._is_about_one(self._made(rule)) and (self._table.name == "nat" or rule.comment):
                    yield rule

    def _is_about_one(self, made: CompiledRule) -> bool:
        if self._table.name == "nat":
            return (made.jump or "").startswith(_LEADING_ON)
        return made.action.name in _REFUSING and bool(made.tests)

    def _port(self, made: CompiledRule) -> Test | None:
        """Return the port that a rule asks for and does not show; that which masquerades shares its service's."""
        masks = made.jump == _MARKING and made.chain.startswith((*BALANCING, *self._dispatching))
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
        for name, places in self._table.calls.leads.items():
            if len(places) > 1 and name.startswith(_BALANCING_NAMES):
                chain = name.decode()
                ways = [rule for rule in self._table.rules_of(chain) if self._is_share(self._made(rule))]
                if len(ways) > 1:
                    found[chain] = ways
        return found if len(found) > 1 or self._is_excerpt(found) else {}

    def _is_excerpt(self, chains: Iterable[str]) -> bool:
        """Whether the text is no whole dump: iptables-save declares the chains of a table and commits it."""
        return not self._table.committed or not all(self._table.chains[name].declared for name in chains)

    @cached_property
    def _shows_chances(self) -> bool:
        return next(self._table.rules_with("-m statistic"), None) is not None

    def _is_share(self, made: CompiledRule) -> bool:
        return made.action.kind == JUMP and made.action.name.startswith(_ENDPOINT) and not made.tests

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

    # --- native rules ------------------------------------------------------------------------------------------

    @cached_property
    def narrower(self) -> list[Rule]:
        """The rules that may be all that is left of native ones, above kube-proxy's jump in a built-in chain.

        What the chain's policy does anyway changes nothing.
        """
        if self._table.saving.backend != "nf_tables":
            return []
        return [rule for chain in _HOOKS for rule in self._cut_short(chain)]

    def _cut_short(self, hook: str) -> Iterator[Rule]:
        """Yield such rules of a built-in chain: a search of bytes."""
        jump = next(self._table.rules_with("-j KUBE-", hook), None)
        if jump is None:
            return
        policy = self._table.chains[hook].policy
        for begins in (f"-A {hook} -j ", f"-A {hook} -p "):
            for rule in self._table.rules_with(begins, hook):
                if rule.line < jump.line and self._is_bare(rule, policy):
                    yield rule

    def _is_bare(self, rule: Rule, policy: str | None) -> bool:
        made = self._made(rule)
        return _may_be_narrower(made) and not rule.matches and made.action.name != policy

    def _narrower(self, made: CompiledRule) -> Test | None:
        if not _may_be_narrower(made) or made.place not in self.narrower:
            return None
        return Test(AS_PRINTED, value=f"line {made.place.line}", part="what it may ask besides")

    @property
    def found(self) -> bool:
        """Whether ports, marks or chances are lost: few rules are looked at where they are not."""
        return bool(self.ports or self.marks() or (self._table.name == "nat" and self.chances))

    # --- addresses ---------------------------------------------------------------------------------------------

    def addresses(self) -> list[Rule]:
        """Return the DNAT rules that show no address, by line: a search of bytes."""
        places = (
            found.start()
            for start, end in self._table.blocks()
            for found in _WRONG_BYTES.finditer(self._table.data, start, end)
        )
        rules = dict.fromkeys(map(self._table.rule_at, places))
        return [rule for rule in rules if lacks_address(self._made(rule).action)]

    def _by_comment(self, chain: str) -> Rewriting:
        """Return where an endpoint's chain sends connections, as comments or its hairpin rule tell."""
        for rule in self._table.rules_to(chain):
            told = _WAY.search(rule.comment or "")
            address, port = split_endpoint(told[1]) if told else ("", None)
            network = parse_network(address) if address and "/" not in address else None
            if network is not None and port is not None:
                return Rewriting(address, network, str(port), port)
        return self._by_hairpin(chain) or unreadable(chain)

    def _by_hairpin(self, chain: str) -> Rewriting | None:
        """Return the address by the rule that marks what the endpoint sends to itself; its port is not known."""
        for rule in self._table.rules_of(chain):
            made = self._made(rule)
            sources = [test.operand for test in made.tests if test.kind == "source" and not test.negated]
            if made.jump == _MARKING and sources and sources[0][0] is not None:
                address = next(option.values[0] for option in rule.parts.basics if option.name == "-s")
                return Rewriting(address.partition("/")[0], sources[0][0], "?", None)
        return None


_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_BALANCING_NAMES = tuple(name.encode() for name in BALANCING)
_WRONG = (
    rb"\[unsupported revision\]|--to-destination (?:(?:0\.0\.0\.0|\[::\]|):0|--| )|-j DNAT(?:$| --(?!to-))"
)
"""What stands in a DNAT rule whose address could not be printed."""

_WRONG_BYTES, _WRONG_TEXT = re.compile(_WRONG, re.MULTILINE), re.compile(_WRONG.decode())


def _lacks_port(made: CompiledRule) -> bool:
    """Whether a rule names a protocol and no port."""
    kinds = {test.kind for test in made.tests}
    return "protocol" in kinds and kinds.isdisjoint(_ABOUT_PORTS)


_VERDICTS = {"ACCEPT", "DROP", "RETURN", "DNAT"}
"""What ends a native rule that iptables-nft-save prints cut short; another one makes it refuse the table."""


def _may_be_narrower(made: CompiledRule) -> bool:
    """Whether a rule ends a table and asks for what is left of a native one: nothing, a protocol with ports."""
    tests = made.tests
    left = [test.operand for test in tests if test.kind == "protocol" and not test.negated]
    is_left = len(left) == len(tests) <= 1 and all(one in WITH_PORTS for one in left)
    return is_left and made.action.kind in {TARGET, RETURN} and made.action.name in _VERDICTS


def shows_no_address(rule: Rule) -> bool:
    """Whether a DNAT rule does not show its address, be that known by others."""
    return (
        _WRONG_TEXT.search(rule.text) is not None and rule.target is not None and rule.target.name == "DNAT"
    )


def lacks_address(action: Action) -> bool:
    """Whether an action is a DNAT of which neither address nor port can be read."""
    if action.name != "DNAT" or action.kind != TARGET:
        return False
    sent = action.operand
    if not isinstance(sent, Rewriting):
        return True
    if sent.network is not None:
        return sent.network.value == 0 and sent.ports == "0"
    is_none = not sent.addresses and sent.ports in {"", "0"}
    return is_none or sent.addresses.startswith("--") or is_unreadable(sent.addresses)


def _unsent(action: Action) -> Action:
    return action._replace(operand=unreadable(""))


def _acting(made: CompiledRule, action: Action) -> CompiledRule:
    return CompiledRule(made.place, made.chain, made.tests, action)
