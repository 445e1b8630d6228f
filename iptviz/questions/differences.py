"""One service port as it is and as it should be: everything in which they differ."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from iptviz.cluster.expected import ExpectedPort, FrontendKey
    from iptviz.dump.rule import Rule
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service_ports import ServicePort


class Difference(NamedTuple):
    """What is `expected` by the API and what is `found` in the dump; one is empty where it is not there.

    `kind` is `missing-service`, `extra-service`, `missing-frontend`, `extra-frontend`, `missing-endpoint`,
    `extra-endpoint`, `wrong-port`, `affinity`, `policy`, `source-ranges` or `health-check`. `at` is the
    frontend that is concerned, `share` what an extra endpoint gets of its connections, `rule` where it
    stands; `of` is `service` in parts.
    """

    kind: str
    service: str
    protocol: str
    at: str
    expected: str
    found: str
    rule: Rule | None
    share: Fraction | None = None
    of: ServiceName = NAMELESS

    @property
    def line(self) -> int | None:
        """The line of the rule (counted from 1), None without one."""
        return None if self.rule is None else self.rule.line


OF_ENDPOINTS = frozenset({"missing-endpoint", "extra-endpoint"})
"""The kinds of differences that endpoints make."""


def missing(wanted: ExpectedPort) -> Difference:
    """Return the difference of a service port that the dump does not have."""
    texts = sorted(join_endpoint(address, port) for _, address, port in wanted.frontends)
    of = ServiceName(wanted.namespace, wanted.name, wanted.port_name, "none")  # nothing in the dump names it
    return Difference(
        "missing-service", _name(wanted), wanted.protocol, "", ", ".join(texts), "", None, of=of
    )


def extra(have: ServicePort, reason: str) -> Difference:
    """Return the difference of a service port that the API does not have, or that is to be ignored: why."""
    rule = have.usual.frontend.rule
    why = f"ignored: {reason}" if reason else ""
    at = have.usual.frontend.text
    return Difference("extra-service", have.name, have.protocol, "", why, at, rule, of=have.service)


def differences_of(
    wanted: ExpectedPort, have: ServicePort, *, policy_unseen: bool = False
) -> Iterator[Difference]:
    """Yield all in which a service port differs from what it should be.

    `policy_unseen`: this kube-proxy may have picked the endpoints of an internal policy Local without a
    trace.
    """
    endpoints = (difference for answer in _telling(have) for difference in _endpoints(wanted, have, answer))
    properties = _properties(wanted, have, policy_unseen=policy_unseen)
    for difference in chain(_frontends(wanted, have), endpoints, properties):
        yield difference._replace(of=have.service)


def _name(wanted: ExpectedPort) -> str:
    return f"{wanted.namespace}/{wanted.name}" + (f":{wanted.port_name}" if wanted.port_name else "")


def _frontends(wanted: ExpectedPort, have: ServicePort) -> Iterator[Difference]:
    found = {_frontend_key(answer, wanted): answer.frontend.rule for answer in have.answers}
    for frontend in sorted(wanted.frontends - found.keys()):
        # Up to 1.13 nothing was written of some frontends of a service without endpoints.
        if wanted.endpoints or frontend[0] == "cluster-ip":
            yield Difference(
                "missing-frontend", have.name, have.protocol, "", _frontend_text(frontend), "", None
            )
    for frontend in sorted(found.keys() - wanted.frontends):
        yield Difference(
            "extra-frontend", have.name, have.protocol, "", "", _frontend_text(frontend), found[frontend]
        )


def _frontend_key(answer: FrontendAnswer, wanted: ExpectedPort) -> FrontendKey:
    """Rules that refuse do not tell external IPs from load balancers' IPs: then the API's word counts."""
    frontend = answer.frontend
    port = _port_meant(frontend, wanted) if frontend.unprinted else frontend.port
    key = frontend.kind, frontend.address or "", port or 0
    other = "load-balancer-ip", *key[1:]
    return other if frontend.rule.table.name == "filter" and other in wanted.frontends else key


def _port_meant(frontend: Frontend, wanted: ExpectedPort) -> int:
    """Return the port that the API has for a frontend whose port the dump does not print: it cannot differ."""
    own = frontend.kind, frontend.address or ""
    refusing = "load-balancer-ip" if frontend.rule.table.name == "filter" else frontend.kind
    kinds = {own, (refusing, own[1])}
    return next((port for kind, address, port in sorted(wanted.frontends) if (kind, address) in kinds), 0)


def _frontend_text(frontend: FrontendKey) -> str:
    kind, address, port = frontend
    return f"{kind} {join_endpoint(address, port)}"


def _telling(have: ServicePort) -> Iterator[FrontendAnswer]:
    """Yield the answer for the cluster IP, and one for outside clients where these meet other endpoints."""
    yield have.usual
    seen = {have.usual.endpoints}
    for answer in have.answers[1:]:
        if answer.endpoints not in seen:
            seen.add(answer.endpoints)
            yield answer


def _endpoints(wanted: ExpectedPort, have: ServicePort, answer: FrontendAnswer) -> Iterator[Difference]:
    inside = answer.frontend.kind == "cluster-ip"
    expected = wanted.used_by(wanted.internal_policy if inside else wanted.external_policy)
    found = {
        join_endpoint(end.address, end.port): None if answer.unshared else end.share
        for end in answer.endpoints
    }
    if expected == wanted.endpoints and found.keys() in wanted.rightly:
        return
    lacking = set() if expected is None or wanted.hinted or answer.unseen else expected - found.keys()
    allowed = wanted.endpoints if expected is None or wanted.hinted else expected
    others = found.keys() - allowed
    rule = answer.frontend.rule
    at = answer.frontend.at
    for end in sorted(others):
        moved = {lost for lost in lacking if lost.rpartition(":")[0] == end.rpartition(":")[0]}
        lacking -= moved
        kind = "wrong-port" if moved else "extra-endpoint"
        yield Difference(kind, have.name, have.protocol, at, ", ".join(sorted(moved)), end, rule, found[end])
    for end in sorted(lacking):
        yield Difference("missing-endpoint", have.name, have.protocol, at, end, "", rule)


def _properties(wanted: ExpectedPort, have: ServicePort, *, policy_unseen: bool) -> Iterator[Difference]:
    rule = have.usual.frontend.rule
    for kind, expected, found in _compared(wanted, have, policy_unseen=policy_unseen):
        if expected != found:
            yield Difference(kind, have.name, have.protocol, "", expected, found, rule)


def _compared(
    wanted: ExpectedPort, have: ServicePort, *, policy_unseen: bool
) -> Iterator[tuple[str, str, str]]:
    if have.endpoints:  # without any there is no rule that could show it
        yield "affinity", _seconds(wanted.affinity), _seconds(have.affinity)
        if have.internal_policy and not (policy_unseen and wanted.internal_policy == "Local"):
            yield "policy", f"internal {wanted.internal_policy}", f"internal {have.internal_policy}"
        if have.external_policy and any(answer.endpoints or answer.local_only for answer in have.answers[1:]):
            yield "policy", f"external {wanted.external_policy}", f"external {have.external_policy}"
    if any(kind == "load-balancer-ip" for kind, _, _ in wanted.frontends) and have.endpoints:
        yield "source-ranges", ", ".join(sorted(wanted.source_ranges)), ", ".join(sorted(have.source_ranges))
    if have.health_check is not None:
        yield "health-check", str(wanted.health_check or "none"), str(have.health_check)


def _seconds(count: int | None) -> str:
    return "none" if count is None else f"{count} s"
