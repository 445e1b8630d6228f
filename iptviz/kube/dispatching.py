"""The rules that dispatch or refuse the traffic of frontends: of one, or from an index for who asks for many."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.kube.families import DISPATCHERS, ENTRY_CHAINS, NODE_PORTS, SERVICE_CHAINS, SERVICES
from iptviz.kube.frontends import (
    asks_for_nothing_else,
    frontend_of,
    frontends_among,
    host_of,
    limited,
    port_of,
    told_apart,
    unique,
    unprinted_port,
    value_of,
)
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.protocols import LAST_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.condition import Condition
    from iptviz.kube.frontends import Frontend


def dispatching_rules(
    dump: Dump, text: str = "", tables: Iterable[str] = ("nat", "filter")
) -> Iterator[Rule]:
    """Yield the rules with `text` of the chains that dispatch or refuse a service's traffic."""
    for name in tables:
        table = dump.tables.get(name)
        if table is None:
            continue
        for chain in DISPATCHERS[name]:
            yield from table.rules_with(text, chain) if text else table.rules_of(chain)


def rules_about(dump: Dump, frontend: Frontend, table: str) -> list[Rule]:
    """Return the rules of `table` that may speak of the frontend's traffic, in the order in which they are asked.

    A port of the node is led on by the chain of node ports alone; at an address that they leave out, by none.
    """
    own = list(dispatching_rules(dump, _text_of(frontend), [table]))
    held = dump.tables.get(table)
    wide = wide_rules(held) if held and table == "nat" else ()
    return _asked(frontend, table, own, wide)


def _text_of(frontend: Frontend) -> str:
    """Return what all rules hold that may speak of a frontend: nothing for a node port that is not printed."""
    if frontend.kind != "node-port":
        return f"-d {frontend.address}"
    return "" if frontend.unprinted else f"--dport {frontend.port}"


def _asked(frontend: Frontend, table: str, own: Iterable[Rule], wide: Sequence[Rule]) -> list[Rule]:
    """Return those of a frontend's `own` rules, and of rules about everything, that its traffic may meet."""
    if frontend.kind != "node-port":
        met = [rule for rule in wide if rule.chain == SERVICES and _may_be_for(rule, frontend)]
        return sorted({*own, *met}, key=lambda rule: rule.line) if met else list(own)
    # Outside the node ports' own chain, a rule with a destination speaks of some service's address.
    if table == "filter":
        return [rule for rule in own if host_of(rule) is None and _is_of(rule, frontend)]
    before = [rule for rule in wide if rule.chain == SERVICES and _may_be_for(rule, frontend)]
    if frontend.addresses and frontend.address and not frontend.addresses.admits(frontend.address):
        return before
    ports = [rule for rule in own if rule.chain == NODE_PORTS and _is_of(rule, frontend)]
    within = [rule for rule in wide if rule.chain == NODE_PORTS and rule not in ports]
    return [*before, *(sorted({*ports, *within}, key=lambda rule: rule.line) if within else ports)]


def _is_of(rule: Rule, frontend: Frontend) -> bool:
    """Whether a rule about a node port may be about that of a frontend, be neither of them printed."""
    return unprinted_port(rule) in {None, frontend.unprinted}


def _may_be_for(rule: Rule, frontend: Frontend) -> bool:
    """Whether a rule without a single address may match; one about a network only where there is an address."""
    network = value_of(rule, "-d")
    if network is None or frontend.host_name:
        return True
    asked = parse_network(frontend.address) if frontend.address else None
    named = parse_network(network)
    return asked is not None and (named is None or named.contains(asked))


_ONE_ADDRESS = rb"(?<!!) -d [^\s/]++(?:/(?:32|128)|)(?=\s)"
_ONE_PORT = rb" --dport \d++(?=\s)"
_ABOUT_ONE = {
    chain: re.compile(rb"(?:[^\n]*?" + named + rb"[^\n]*+(?:\n|\Z)){0,999}")
    for chain, named in {SERVICES: _ONE_ADDRESS, NODE_PORTS: _ONE_PORT}.items()
}
"""Rules one after the other that each name one address, or one port: they are about one frontend."""


def wide_rules(nat: Table) -> list[Rule]:
    """Return the rules of the dispatching chains that are about no single frontend: about a network, a set, all.

    kube-proxy writes none but the jump to the node ports, which is none of them: a search of bytes.
    """
    return [
        rule
        for chain, others in _ABOUT_ONE.items()
        for span in nat.spans_between(chain, others)
        if (rule := Rule(nat, span)).jump != NODE_PORTS and unprinted_port(rule) is None
    ]


_PLAIN = re.compile(
    r"-A \S++ (?:! -s \S++ )?(?:-d (?P<address>[0-9.]++)/32 )?-p (?P<protocol>tcp|udp|sctp) "
    r'(?:-m comment --comment (?:"[^"\\]*+"|[^"\s]++) )?'
    r"-m (?:tcp|udp|sctp) --dport (?P<port>[1-9][0-9]{0,4}) -j (?P<target>[A-Z0-9-]++)(?: --reject-with \S++)?"
)
"""A rule about one port, perhaps of one address, as kube-proxy writes nearly all: it need not be taken apart."""


class _About(NamedTuple):
    """What a rule says of a frontend: one address and port, protocol, target; the last two where it is plain."""

    address: str | None
    port: int | Condition | None
    protocol: str = ""
    target: str = ""


def _about(rule: Rule) -> _About:
    plain = _PLAIN.fullmatch(rule.text)
    if plain is None or int(plain["port"]) > LAST_PORT or (plain["address"] and rule.chain == NODE_PORTS):
        return _About(host_of(rule), port_of(rule) or unprinted_port(rule))
    return _About(plain["address"], int(plain["port"]), plain["protocol"], plain["target"])


class DispatchingRules:
    """An index of the rules that dispatch or refuse, for who asks about many frontends."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.rules: dict[str, list[Rule]] = {}
        self._abouts: dict[str, list[tuple[Rule, _About]]] = {}
        self._by_address: dict[tuple[str, str], list[Rule]] = {}
        self._by_port: dict[tuple[str, int | Condition], list[Rule]] = {}
        for table in DISPATCHERS:
            self.rules[table] = list(dispatching_rules(dump, tables=[table]))
            self._abouts[table] = [(rule, _about(rule)) for rule in self.rules[table]]
            for rule, about in self._abouts[table]:
                self._enter(table, rule, about)

    def _enter(self, table: str, rule: Rule, about: _About) -> None:
        address, port = about.address, about.port
        if address is not None:
            self._by_address.setdefault((table, address), []).append(rule)
        if port is not None and (rule.chain == NODE_PORTS or (table == "filter" and address is None)):
            self._by_port.setdefault((table, port), []).append(rule)

    def about(self, frontend: Frontend, table: str) -> list[Rule]:
        """Return the rules of `table` that may speak of the frontend's traffic, in order: see `rules_about`."""
        if frontend.kind == "node-port":
            own = self._by_port.get((table, frontend.unprinted or frontend.port or 0), [])
        else:
            own = self._by_address.get((table, frontend.address or ""), [])
        return _asked(frontend, table, own, self._wide if table == "nat" else ())

    @cached_property
    def _wide(self) -> list[Rule]:
        nat = self.dump.tables.get("nat")
        return wide_rules(nat) if nat else []

    def frontends(self) -> list[Frontend]:
        """Return every frontend of the dump."""
        return limited(told_apart(unique(self._claims)))

    @cached_property
    def _claims(self) -> list[Frontend]:
        """What each rule says of a frontend."""
        rules = (rule for rules in self.rules.values() for rule in rules)
        return [frontend for rule in rules if (frontend := frontend_of(rule))]

    def contested(self) -> Iterator[tuple[Frontend, Frontend]]:
        """Yield the frontends that two services claim: of whose rule gets all connections, and of the other."""
        claims: dict[tuple[object, ...], list[Rule]] = {}
        for rule, about in self._abouts["nat"]:
            key: tuple[object, ...] | None = about[:3]
            if not about.target:
                claim = frontend_of(rule)
                key = claim[1:4] if claim and claim.unprinted is None else None
            elif not about.target.startswith(SERVICE_CHAINS + ENTRY_CHAINS):
                key = None
            if key is not None:
                claims.setdefault(key, []).append(rule)
        for rules in claims.values():
            if len(rules) > 1:
                yield from _collisions([claim for rule in rules if (claim := frontend_of(rule))])


def _collisions(claims: list[Frontend]) -> Iterator[tuple[Frontend, Frontend]]:
    """Yield who takes all connections, and each other that comes too late; a rule for some clients takes few."""
    taker: Frontend | None = None
    for claim in claims:
        if taker is None:
            taker = claim if asks_for_nothing_else(claim.rule) else None
        elif taker.claimant != claim.claimant:
            yield taker, claim


def all_frontends(dump: Dump) -> list[Frontend]:
    """Return every frontend of the dump; this takes all dispatching rules apart."""
    return frontends_among(dispatching_rules(dump))
