"""Every service port of a dump, with all its frontends and what comes of a connection to each.

Chains in kube-proxy's own form are read at once; whatever departs from it is followed by the engine.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from iptviz.kube.balance import Balance, balance_of_endpoints
from iptviz.kube.dispatching import DispatchingRules, dispatching_rules
from iptviz.kube.families import EXTERNAL_CHAIN, FIREWALL_CHAIN, SERVICE_CHAINS
from iptviz.kube.frontend_answer import FrontendAnswer, FrontendAnswers, followed
from iptviz.kube.frontends import FRONTEND_KINDS, Frontend, frontends_among
from iptviz.kube.health_checks import health_checks
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.kube.unled import unled
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.naming import Naming
    from iptviz.kube.outcome import Verdict
    from iptviz.kube.plain_chains import PlainChains


class ServicePort(NamedTuple):
    """One port of one service.

    `answers` has one entry for each frontend, the cluster IP first; what the service is said to do is what its
    first frontend does with an ordinary outside client. `source_ranges` are networks that its load balancer
    admits, empty where it admits all; `health_check` is the node port where load balancers ask for its health.
    """

    service: ServiceName
    protocol: str
    answers: tuple[FrontendAnswer, ...]
    source_ranges: tuple[str, ...]
    health_check: int | None

    @property
    def usual(self) -> FrontendAnswer:
        """The answer of the first frontend."""
        return self.answers[0]

    @property
    def name(self) -> str:
        """The name as people write it, or what stands in for it."""
        return self.service.text or self.usual.chain or self.usual.frontend.text

    @property
    def endpoints(self) -> Sequence[EndpointForm]:
        """The endpoints of the first frontend."""
        return self.usual.endpoints

    @property
    def all_endpoints(self) -> list[EndpointForm]:
        """The endpoints of every frontend, each address and port once."""
        found = {
            endpoint[:2]: endpoint
            for answer in reversed(self.answers)
            for endpoint in reversed(answer.endpoints)
        }
        return list(reversed(found.values()))

    @property
    def has_endpoints(self) -> bool:
        """Whether some frontend leads to an endpoint."""
        return any(answer.endpoints for answer in self.answers)

    @property
    def verdict(self) -> Verdict | None:
        """Who refuses connections to the first frontend, where somebody does."""
        return self.usual.verdict

    @property
    def affinity(self) -> int | None:
        """The seconds for which a client stays with its endpoint, or None."""
        return next((answer.affinity for answer in self.answers if answer.affinity is not None), None)

    @property
    def balance(self) -> Balance | None:
        """How evenly the first frontend's endpoints share; None without any, and where that is not printed."""
        return balance_of_endpoints(self.endpoints) if self.usual.shares_known else None


def leading(
    ports: Iterable[ServicePort], kinds: Collection[str]
) -> Iterator[tuple[ServicePort, FrontendAnswer]]:
    """Yield the frontends of some kinds that are known to lead to endpoints."""
    for port in ports:
        for answer in port.answers:
            known = answer.endpoints and answer.frontend.port is not None
            if answer.frontend.kind in kinds and known and not (answer.unseen or answer.taken_by):
                yield port, answer


def service_ports(
    rules: DispatchingRules, naming: Naming, plain: PlainChains | None = None
) -> list[ServicePort]:
    """Return every service port, in the order in which the dump first speaks of them.

    `plain` are the chains of its nat table that have kube-proxy's form, if somebody has them.
    """
    answers = FrontendAnswers(rules, plain)
    health = dict(_health_checks(rules.dump))
    return [
        _service_port(rules.dump, [answers.of(frontend) for frontend in frontends], health, naming)
        for frontends in _by_service(_all_frontends(rules))
    ]


def _all_frontends(rules: DispatchingRules) -> list[Frontend]:
    """Return every frontend, and the chains of service ports whose frontends an excerpt does not show."""
    shown = rules.frontends()
    return [*shown, *unled(rules.dump, {frontend.suffix for frontend in shown})]


def ports_of(
    dump: Dump, asked: Sequence[Frontend], naming: Naming
) -> tuple[DispatchingRules, list[ServicePort]]:
    """Return the service ports that some frontends are of, with all their frontends, and the rules about these.

    Those of a port share a hash or a name: rules that hold neither are not taken apart.
    """
    texts = dict.fromkeys(text for one in asked for text in (one.suffix, one.service.text) if text)
    alike = frontends_among(rule for text in texts for rule in dispatching_rules(dump, text))
    known = {one[1:4] for one in asked}
    frontends = [*asked, *(one for one in alike if one[1:4] not in known)]
    groups = [group for group in _by_service(frontends) if any(one in asked for one in group)]
    rules = DispatchingRules(dump, chain.from_iterable(groups))
    health = dict(_health_checks(dump))
    return rules, [
        _service_port(dump, [followed(rules, one) for one in group], health, naming) for group in groups
    ]


def _service_port(
    dump: Dump, answers: list[FrontendAnswer], health: dict[tuple[str, str], int], naming: Naming
) -> ServicePort:
    answers.sort(key=lambda answer: FRONTEND_KINDS.index(answer.frontend.kind))
    chains = (name for answer in answers for name in (answer.frontend.leads_to, answer.chain) if name)
    commented = (answer.service for answer in answers)
    hashed = map(naming.name_of, chains)
    name = next((name for name in chain(commented, hashed) if name is not NAMELESS), NAMELESS)
    return ServicePort(
        service=name,
        protocol=answers[0].frontend.protocol,
        answers=tuple(answers),
        source_ranges=_source_ranges(dump, answers),
        health_check=health.get((name.namespace, name.name)) if name is not NAMELESS else None,
    )


# --- which frontends are of one service port -------------------------------------------------------------------


def _by_service(frontends: list[Frontend]) -> list[list[Frontend]]:
    """Group frontends by the hash in the chain that they lead to; by name, where they lead to none."""
    suffixes: dict[tuple[str, str], str] = {}
    for frontend in frontends:
        if suffix := _suffix(frontend):
            suffixes.setdefault(_name_key(frontend), suffix)
    groups: dict[tuple[str, ...], list[Frontend]] = {}
    for frontend in frontends:
        groups.setdefault(_group_key(frontend, suffixes), []).append(frontend)
    return list(groups.values())


def _group_key(frontend: Frontend, suffixes: dict[tuple[str, str], str]) -> tuple[str, ...]:
    named, own = _name_key(frontend), _suffix(frontend)
    if not frontend.service.text and not own:
        return *named, "", frontend.text
    suffix = own or suffixes.get(named, "")
    return (suffix, frontend.protocol) if suffix else (*named, "", "")


def _name_key(frontend: Frontend) -> tuple[str, str]:
    return frontend.service.text, frontend.protocol


def _suffix(frontend: Frontend) -> str:
    """Return the hash of namespace, name, port and protocol that the chains of one service port share."""
    return frontend.suffix


# --- what is said of a service elsewhere -----------------------------------------------------------------------


def _health_checks(dump: Dump) -> Iterable[tuple[tuple[str, str], int]]:
    """Yield namespace and name of services, and the node port at which their health is asked for."""
    for frontend in health_checks(dump):
        service = frontend.service
        yield (service.namespace, service.name), frontend.port or 0


def _source_ranges(dump: Dump, answers: list[FrontendAnswer]) -> tuple[str, ...]:
    """Return the networks that the firewall chain of a load balancer lets on.

    Where the node itself is let on, so is the load balancer's own address: that is no range of the service.
    """
    nat = dump.tables.get("nat")
    chains = {chain for answer in answers if (chain := answer.frontend.leads_to).startswith(FIREWALL_CHAIN)}
    if not chains:
        return ()
    own = {f"{answer.frontend.address}/{length}" for answer in answers for length in (32, 128)}
    rules = (rule for chain in sorted(chains) for rule in (nat.rules_of(chain) if nat else ()))
    admitted = dict.fromkeys(filter(None, map(_admitted, rules)))
    return tuple(source for source in admitted if source not in own)


def _admitted(rule: Rule) -> str | None:
    if not (rule.jump or "").startswith((EXTERNAL_CHAIN, *SERVICE_CHAINS)):
        return None
    return next(
        (option.values[0] for option in rule.parts.basics if option.name == "-s" and not option.negated), None
    )
