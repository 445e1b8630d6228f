"""The rules that dispatch or refuse the traffic of frontends: of one, or from an index for who asks for many."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.kube.families import (
    DISPATCHERS,
    ENTRY_CHAINS,
    MARK_MASQUERADE,
    NODE_PORTS,
    SERVICE_CHAINS,
    SERVICES,
)
from iptviz.kube.frontends import (
    asks_for_nothing_else,
    frontend_as_read,
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
from iptviz.kube.plain_rules import PlainRule, plain_rule
from iptviz.records import NamedTuple
from iptviz.rules.iptables import dump_rule
from iptviz.xtables.address import parse_network

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
    own = list(map(_about, dispatching_rules(dump, _text_of(frontend), [table])))
    held = dump.tables.get(table)
    wide = wide_rules(held) if held and table == "nat" else ()
    return [about.rule for about in _asked(frontend, table, own, tuple(map(_about, wide)))]


def _text_of(frontend: Frontend) -> str:
    """Return what all rules hold that may speak of a frontend: nothing for a node port that is not printed."""
    if frontend.kind != "node-port":
        return f"-d {frontend.address}"
    return "" if frontend.unprinted else f"--dport {frontend.port}"


def _asked(frontend: Frontend, table: str, own: Sequence[About], wide: Sequence[About]) -> Sequence[About]:
    """Return those of a frontend's `own` rules, and of rules about everything, that its traffic may meet."""
    before = [about for about in wide if about.rule.chain == SERVICES and _may_be_for(about.rule, frontend)]
    if frontend.kind != "node-port":
        return _in_order(own, before) if before else own
    # Outside the node ports' own chain, a rule with a destination speaks of some service's address.
    if table == "filter":
        return [about for about in own if about.address is None and _is_of(about, frontend)]
    if frontend.addresses and frontend.address and not frontend.addresses.admits(frontend.address):
        return before
    ports = [about for about in own if about.chain == NODE_PORTS and _is_of(about, frontend)]
    known = {about.rule for about in ports} if wide else ()
    within = [about for about in wide if about.rule.chain == NODE_PORTS and about.rule not in known]
    return [*before, *(_in_order(ports, within) if within else ports)]


def _in_order(own: Iterable[About], wide: Iterable[About]) -> list[About]:
    """Return rules, each once, as they stand one below the other."""
    abouts = {about.rule: about for about in (*own, *wide)}
    return sorted(abouts.values(), key=lambda about: about.rule.line)


def _is_of(about: About, frontend: Frontend) -> bool:
    """Whether a rule about a node port may be about that of a frontend, be neither of them printed."""
    return about.plain is not None or unprinted_port(about.rule) in {None, frontend.unprinted}


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
_USUALLY = {
    SERVICES: (rb"(?:\[\d++:\d++\] |)-A \S++(?: ! -s \S++|)", _ONE_ADDRESS),
    NODE_PORTS: (
        rb'(?:\[\d++:\d++\] |)-A \S++ -p \w++ -m comment --comment (?:"[^"\\\n]*+"|[^"\s]++) -m \w++',
        _ONE_PORT,
    ),
}
"""What stands before the address or the port as a rule: then it need not be looked for."""
_ABOUT_ONE = {
    chain: re.compile(rb"(?:(?:%b|[^\n]*?)%b[^\n]*+(?:\n|\Z)){0,999}" % (before, named))
    for chain, (before, named) in _USUALLY.items()
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


_KUBE = "KUBE-"
"""With this no target's name begins."""


class About(NamedTuple):
    """What a rule says of a frontend: one address and port; protocol and target where it is `plain`."""

    address: str | None
    port: int | Condition | None
    protocol: str
    target: str
    rule: Rule
    plain: PlainRule | None

    @property
    def chain(self) -> str:
        """The chain that holds the rule."""
        return self.rule.chain if self.plain is None else self.plain.chain

    @property
    def jump(self) -> str | None:
        """The chain that the rule jumps to, or None."""
        return self.target if self.target.startswith(_KUBE) else self.rule.jump

    @property
    def asks_for_nothing_else(self) -> bool:
        """Whether it tests nothing but destination, protocol and port, and where it marks also the source."""
        if self.plain is None:
            return asks_for_nothing_else(self.rule)
        return self.plain.source is None or self.target == MARK_MASQUERADE


def _about(rule: Rule) -> About:
    plain = plain_rule(rule)
    if plain is None:
        return About(host_of(rule), port_of(rule) or unprinted_port(rule), "", "", rule, None)
    return About(plain.address, plain.port, plain.protocol, plain.target, rule, plain)


def _place_of(frontend: Frontend) -> tuple[object, ...]:
    """Return what rules say of a frontend: of a node port none of the addresses at which it may be asked for."""
    address = None if frontend.kind == "node-port" else frontend.address
    return address, frontend.port, frontend.protocol


def _holding(dump: Dump, table: str, texts: Sequence[str]) -> list[Rule]:
    """Return the dispatching rules of a table that hold one of some texts, in the order in which they stand."""
    if "" in texts or len(texts) == 1:
        return list(dispatching_rules(dump, "" if "" in texts else texts[0], [table]))
    found = {rule for text in texts for rule in dispatching_rules(dump, text, [table])}
    places = {chain: place for place, chain in enumerate(DISPATCHERS[table])}
    return sorted(found, key=lambda rule: (places[rule.chain], rule.start))


_LEADING = SERVICE_CHAINS + ENTRY_CHAINS


class DispatchingRules:
    """An index of the rules that dispatch or refuse, for who asks about many frontends.

    `of`: about some alone, whose rules are looked for; nothing else is known then.
    """

    def __init__(self, dump: Dump, of: Iterable[Frontend] | None = None) -> None:
        self.dump = dump
        self.rules: dict[str, list[Rule]] = {}
        self._abouts: dict[str, list[About]] = {}
        self._by_address: dict[tuple[str, str], list[About]] = {}
        self._by_port: dict[tuple[str, int | Condition], list[About]] = {}
        frontends = None if of is None else tuple(of)
        self._places = None if frontends is None else set(map(_place_of, frontends))
        texts = [""] if frontends is None else list(dict.fromkeys(map(_text_of, frontends)))
        for table in DISPATCHERS:
            self.rules[table] = _holding(dump, table, texts)
            self._abouts[table] = list(map(_about, self.rules[table]))
            for about in self._abouts[table]:
                self._enter(table, about)

    def _enter(self, table: str, about: About) -> None:
        address, port = about.address, about.port
        if address is not None:
            self._by_address.setdefault((table, address), []).append(about)
        if port is not None and (about.chain == NODE_PORTS or (table == "filter" and address is None)):
            self._by_port.setdefault((table, port), []).append(about)

    def about(self, frontend: Frontend, table: str) -> list[Rule]:
        """Return the rules of `table` that may speak of the frontend's traffic, in order: see `rules_about`."""
        return [about.rule for about in self.read_about(frontend, table)]

    def read_about(self, frontend: Frontend, table: str) -> Sequence[About]:
        """Return what these rules say."""
        if frontend.kind == "node-port":
            own = self._by_port.get((table, frontend.unprinted or frontend.port or 0), [])
        else:
            own = self._by_address.get((table, frontend.address or ""), [])
        return _asked(frontend, table, own, self._wide if table == "nat" else ())

    @cached_property
    def _wide(self) -> list[About]:
        nat = self.dump.tables.get("nat")
        return list(map(_about, wide_rules(nat))) if nat else []

    def frontends(self) -> list[Frontend]:
        """Return every frontend of the dump."""
        return limited(told_apart(unique(self._claims)))

    @cached_property
    def _claims(self) -> list[Frontend]:
        """What each rule says of a frontend."""
        abouts = (about for abouts in self._abouts.values() for about in abouts)
        return [claim for about in abouts if (claim := frontend_as_read(about.rule, about.plain))]

    def contested(self) -> Iterator[tuple[Frontend, Frontend]]:
        """Yield the frontends that two services claim: of whose rule gets all connections, and of the other."""
        claims: dict[tuple[object, ...], list[About]] = {}
        for about in self._abouts["nat"]:
            key: tuple[object, ...] | None = about[:3]
            if not about.target:
                claim = frontend_of(about.rule)
                key = claim[1:4] if claim and claim.unprinted is None else None
            elif not about.target.startswith(_LEADING):
                key = None
            if key is not None and (self._places is None or key in self._places):
                claims.setdefault(key, []).append(about)
        for abouts in claims.values():
            if len(abouts) > 1:
                yield from _collisions([claim for about in abouts if (claim := frontend_of(about.rule))])


def _collisions(claims: list[Frontend]) -> Iterator[tuple[Frontend, Frontend]]:
    """Yield who takes all connections, and each other that comes too late; a rule for some clients takes few."""
    taker: Frontend | None = None
    for claim in claims:
        if taker is None:
            taker = claim if asks_for_nothing_else(dump_rule(claim.rule)) else None
        elif taker.claimant != claim.claimant:
            yield taker, claim


def all_frontends(dump: Dump) -> list[Frontend]:
    """Return every frontend of the dump; this takes all dispatching rules apart."""
    return frontends_among(dispatching_rules(dump))
