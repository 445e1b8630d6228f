"""Every service port of a dump, with all its frontends and what comes of a connection to each.

Chains in kube-proxy's own form are read at once; whatever departs from it is followed by the engine.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.balance import Balance, balance_of
from iptviz.kube.frontend_answer import Answers, FrontendAnswer
from iptviz.kube.frontends import KINDS, DispatchingRules, Frontend
from iptviz.kube.names import FIREWALL_CHAIN, NAMELESS, ServiceName, service_of_comment
from iptviz.xtables.values.protocols import read_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.kube.frontend_answer import EndpointShare
    from iptviz.kube.naming import Naming
    from iptviz.kube.outcome import Verdict

_HEALTH_CHECK = " health check node port"


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
    def endpoints(self) -> tuple[EndpointShare, ...]:
        """The endpoints of the first frontend."""
        return self.usual.endpoints

    @property
    def all_endpoints(self) -> list[EndpointShare]:
        """The endpoints of every frontend, each address and port once."""
        found = {one[:2]: one for answer in reversed(self.answers) for one in reversed(answer.endpoints)}
        return list(reversed(found.values()))

    @property
    def verdict(self) -> Verdict | None:
        """Who refuses connections to the first frontend, where somebody does."""
        return self.usual.verdict

    @property
    def affinity(self) -> int | None:
        """The seconds for which a client stays with its endpoint, or None."""
        return next((one.affinity for one in self.answers if one.affinity is not None), None)

    @property
    def internal_policy(self) -> str | None:
        """`Local` where the cluster IP leads to this node's endpoints alone, else `Cluster`; None without one."""
        return _policy(one for one in self.answers if one.frontend.kind == "cluster-ip")

    @property
    def external_policy(self) -> str | None:
        """`Local` or `Cluster`, as far as the rules show; None where nothing is reached from outside."""
        return _policy(one for one in self.answers if one.frontend.kind != "cluster-ip")

    @property
    def balance(self) -> Balance | None:
        """How evenly the first frontend's endpoints share; None without any."""
        return balance_of([one.share for one in self.endpoints])


def _policy(answers: Iterable[FrontendAnswer]) -> str | None:
    policies = ["Local" if one.local_only else "Cluster" for one in answers]
    return None if not policies else "Local" if "Local" in policies else "Cluster"


def service_ports(rules: DispatchingRules, naming: Naming) -> list[ServicePort]:
    """Return every service port, in the order in which the dump first speaks of them."""
    answers = Answers(rules)
    health = dict(_health_checks(rules.dump))
    return [
        _service_port(rules.dump, [answers.of(one) for one in frontends], health, naming)
        for frontends in _by_service(rules.frontends())
    ]


def _service_port(
    dump: Dump, answers: list[FrontendAnswer], health: dict[tuple[str, str], int], naming: Naming
) -> ServicePort:
    answers.sort(key=lambda one: KINDS.index(one.frontend.kind))
    chains = (name for one in answers for name in (one.frontend.rule.jump, one.chain) if name)
    told = (one.service for one in answers)
    hashed = map(naming.name_of, chains)
    name = next((one for one in chain(told, hashed) if one is not NAMELESS), NAMELESS)
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
    for one in frontends:
        if suffix := _suffix(one):
            suffixes.setdefault(_name_key(one), suffix)
    groups: dict[tuple[str, ...], list[Frontend]] = {}
    for one in frontends:
        named = _name_key(one)
        key = (
            (_suffix(one) or suffixes.get(named, ""), one.protocol)
            if one.service.text or _suffix(one)
            else ()
        )
        groups.setdefault(key if key and key[0] else (*named, "", one.text if not key else ""), []).append(
            one
        )
    return list(groups.values())


def _name_key(frontend: Frontend) -> tuple[str, str]:
    return frontend.service.text, frontend.protocol


def _suffix(frontend: Frontend) -> str:
    """Return the hash of namespace, name, port and protocol that the chains of one service port share."""
    rule = frontend.rule
    return (rule.jump or "").rpartition("-")[2] if rule.table.name == "nat" else ""


# --- what is said of a service elsewhere -----------------------------------------------------------------------


def _health_checks(dump: Dump) -> Iterable[tuple[tuple[str, str], int]]:
    """Yield namespace and name of services, and the node port at which their health is asked for."""
    table = dump.tables.get("filter")
    for rule in table.rules_with(_HEALTH_CHECK) if table else ():
        name = service_of_comment((rule.comment or "").removesuffix(_HEALTH_CHECK))
        port = next((found for match in rule.matches if (found := match.option("--dport"))), None)
        number = read_port(port.values[0]) if port and port.values else None
        if name is not None and number is not None:
            yield (name.namespace, name.name), number


def _source_ranges(dump: Dump, answers: list[FrontendAnswer]) -> tuple[str, ...]:
    """Return the networks that the firewall chain of a load balancer lets on.

    Where the node itself is let on, so is the load balancer's own address: that is no range of the service.
    """
    nat = dump.tables.get("nat")
    own = {f"{one.frontend.address}/{length}" for one in answers for length in (32, 128)}
    chains = {
        one.frontend.rule.jump for one in answers if (one.frontend.rule.jump or "").startswith(FIREWALL_CHAIN)
    }
    rules = (rule for chain in sorted(filter(None, chains)) for rule in (nat.rules_of(chain) if nat else ()))
    admitted = dict.fromkeys(filter(None, map(_admitted, rules)))
    return tuple(source for source in admitted if source not in own)


def _admitted(rule: Rule) -> str | None:
    if not (rule.jump or "").startswith(("KUBE-EXT-", "KUBE-SVC-", "KUBE-XLB-")):
        return None
    return next(
        (option.values[0] for option in rule.parts.basics if option.name == "-s" and not option.negated), None
    )
