"""Which connections reach endpoints as who they are, and which rules keep kube-proxy from changing that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.matching import rule_truth
from iptviz.engine.packet import Packet
from iptviz.kube.families import POSTROUTING
from iptviz.kube.frontends import value_of
from iptviz.paths.fares import keep_sources, keeps_outside
from iptviz.paths.shared import SharedPaths
from iptviz.paths.surroundings import DumpSurroundings, pod_networks
from iptviz.paths.survey import Survey
from iptviz.rules.form import GOTO, JUMP, RETURN, TARGET
from iptviz.rules.iptables import compiled
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.paths.survey import Evidence


class Sources:
    """Tells which connections all reach endpoints as who they are, as the engine says."""

    def __init__(self, rules: DispatchingRules, evidence: Evidence) -> None:
        self._dump: Dump = rules.dump
        self._evidence = evidence
        self._outside = SharedPaths(Survey(DumpSurroundings(rules.dump), evidence, "outside"), rules)

    def outside(self, answer: FrontendAnswer) -> bool:
        """Return whether clients outside are kept as they are, at a frontend or one whose rules have its form."""
        found = self._outside.of(answer)
        return bool(keeps_outside(found.paths, found.endpoints, self._evidence.host))

    def of_itself(self, answer: FrontendAnswer, end: EndpointForm) -> bool:
        """Return whether an endpoint is that asks a frontend and meets itself."""
        ends = [one.address for one in answer.endpoints]
        chains = (answer.chain,) if answer.chain else ()
        paths = Survey(DumpSurroundings(self._dump), self._evidence, end.address).paths(
            answer.frontend, chains, ends
        )
        return keep_sources(paths.entries, frozenset({end.address}), self._evidence.host)


# --- rules that end nat POSTROUTING before kube-proxy is asked --------------------------------------------------


class Above:
    """The rules of nat POSTROUTING above the jump to KUBE-POSTROUTING, as far as they may end the table.

    None of these is a rule about some of the pods alone: they may be this node's, whose answers come by here.
    """

    def __init__(self, dump: Dump) -> None:
        self._nat = dump.tables.get("nat")
        self._pods = pod_networks(dump, ())
        self._rules = self._ending()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def ending(self, protocol: str, end: EndpointForm, source: str = "") -> Rule | None:
        """Return the first rule that ends the table for connections to an endpoint, by `source` or anybody."""
        packet = Packet(
            protocol=protocol, source=parse_network(source) if source else None,
            destination=parse_network(end.address), destination_port=end.port,
        )  # fmt: skip
        for way in self._rules:
            truths = [rule_truth(compiled(rule), packet) for rule in way]
            if all(truth.chance and not any(need.holds for need in truth.needs) for truth in truths):
                return way[-1]
        return None

    def ending_of(self, answer: FrontendAnswer) -> Rule | None:
        """Return the first rule that does so for connections of others to an endpoint of a frontend."""
        protocol = answer.frontend.protocol
        ends = answer.endpoints if self._rules else ()
        return next(filter(None, (self.ending(protocol, end) for end in ends)), None)

    def _ending(self) -> list[tuple[Rule, ...]]:
        rules = self._nat.rules_of("POSTROUTING") if self._nat else ()
        last = next((rule.number for rule in rules if rule.jump == POSTROUTING), 0)
        ways = [way for rule in rules[: max(last - 1, 0)] for way in self._ways((rule,))]
        return [way for way in ways if not any(map(self._is_about_some, way))]

    def _is_about_some(self, rule: Rule) -> bool:
        """Whether a rule is about a part of a network of pods."""
        named = parse_network(value_of(rule, "-d") or "")
        return named is not None and any(pods != named and pods.contains(named) for pods in self._pods)

    def _ways(self, way: tuple[Rule, ...]) -> Iterator[tuple[Rule, ...]]:
        """Yield the ways by jumps to rules that end the table, or the built-in chain, without another source."""
        action = compiled(way[-1]).action
        if action.kind == JUMP:
            for rule in self._nat.rules_of(action.name) if self._nat and len(way) < _DEEP else ():
                yield from self._ways((*way, rule))
        elif action.kind in {RETURN, GOTO}:
            if len(way) == 1:
                yield way
        elif action.kind == TARGET and action.name == "ACCEPT":
            yield way


_DEEP = 8
"""No program's chains in POSTROUTING lie deeper; a loop ends here."""
