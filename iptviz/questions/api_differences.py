"""What the API and a dump disagree about, a row for each: differences of service ports with the ids of v1."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from iptviz.compare.ports.compared import differences
from iptviz.compare.ports.differences import EndpointDifference, FrontendDifference, PropertyDifference
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.records import NamedTuple
from iptviz.supplied.pods import Pods

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.cluster.api import ApiCluster
    from iptviz.cluster.endpoints import ApiEndpoint
    from iptviz.compare.ports.differences import PortDifference, Value
    from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
    from iptviz.rules.form import Place
    from iptviz.supplied.pods import Pod

Why = Literal["", "not-ready", "other-node", "other-zone"]
"""Why an endpoint of the service is none for this node; empty where the service has no such endpoint."""


class Difference(NamedTuple):
    """What is `expected` by the API and what is `found` in the dump; one is empty where it is not there.

    `kind` is `missing-service`, `extra-service`, `missing-frontend`, `extra-frontend`, `missing-endpoint`,
    `extra-endpoint`, `wrong-port`, `share-differs`, `affinity`, `policy`, `source-ranges` or `health-check`. `at`
    is the frontend that is concerned, `share` what an extra endpoint gets of its connections, `rule` where it
    stands; `of` is `service` in parts. `pod` is the pod of a missing endpoint, or that which now has the address
    of an extra one; empty where it is not known. `why` says what the API has of an extra endpoint.
    """

    kind: str
    service: str
    protocol: str
    at: str
    expected: str
    found: str
    rule: Place | None
    share: Fraction | None = None
    of: ServiceName = NAMELESS
    pod: str = ""
    why: Why = ""

    @property
    def line(self) -> int | None:
        """The line of the rule (counted from 1), None without one, and in JSON."""
        return (self.rule.line or None) if self.rule is not None else None


class Comparison:
    """Compares forms of the API with forms of a dump, knowing what else the API says."""

    def __init__(self, cluster: ApiCluster, node: str | None, pods: Iterable[Pod]) -> None:
        """Take what is known: `pods` beside those of the cluster; `node` is None where it is not known."""
        self.cluster, self.node = cluster, node
        self._pods = Pods((*pods, *cluster.pods))

    def missing_service(self, wanted: PortForm) -> Difference:
        """Return the difference of a service port that the dump does not have."""
        texts = ", ".join(sorted(frontend.at for frontend in wanted.frontends))
        return Difference(
            "missing-service", wanted.name, wanted.protocol, "", texts, "", None, of=_named(wanted)
        )

    def extra_service(self, have: PortForm, reason: str) -> Difference:
        """Return the difference of a service port that the API does not have, or that is to be ignored: why."""
        why, rule = f"ignored: {reason}" if reason else "", have.usual.rule
        at = have.usual.text
        return Difference("extra-service", have.name, have.protocol, "", why, at, rule, of=have.service)

    def rows(self, wanted: PortForm, have: PortForm, skipped: Collection[str] = ()) -> Iterator[Difference]:
        """Yield all in which a service port differs from what it should be.

        What is of the `skipped` kinds may rightly be missing: frontends, or what a difference is about.
        """
        found = [one for one in differences(wanted, have) if _counts(one, wanted, skipped)]
        policies = {one.kind for one in found}
        for one in _joined(one for each in found for one in _ungoverned(each, policies, wanted)):
            at = one.frontends[0] if one.frontends else have.usual
            base = Difference("", have.name, have.protocol, "", "", "", at.rule, of=have.service)
            yield from (self._with_pod(row, one, wanted) for row in _rows(one, base))

    def _with_pod(self, row: Difference, one: PortDifference | _Shares, wanted: PortForm) -> Difference:
        """Return a row with what is known of its endpoint."""
        if not isinstance(one, EndpointDifference):
            return row
        if one.new is None and one.old is not None:
            return row._replace(pod=self._pod_of(one.old, wanted))
        if one.old is None and one.new is not None:
            why = self._why(one.new, one.frontends[0], wanted)
            return row._replace(why=why, pod="" if why else self._pod_at(one.new))
        return row

    def _pod_of(self, end: EndpointForm, wanted: PortForm) -> str:
        known = self._known(end, wanted)
        return known.pod if known and known.pod else self._pod_at(end)

    def _pod_at(self, end: EndpointForm) -> str:
        pod = self._pods.at(end.address, end.port)
        return pod.text if pod else self._targets.get(end.address, "")

    @cached_property
    def _targets(self) -> dict[str, str]:
        """The pods that endpoints of services stand for, by address."""
        ends = (end for ends in self.cluster.endpoints.values() for end in ends)
        return {end.address: end.pod for end in ends if end.pod}

    def _known(self, end: EndpointForm, wanted: PortForm) -> ApiEndpoint | None:
        """Return what the API says of an endpoint of the service, be it ready or not."""
        ends = self.cluster.endpoints.get(_key(wanted), ())
        return next((known for known in ends if known[:2] == end[:2]), None)

    def _why(self, end: EndpointForm, frontend: FrontendForm, wanted: PortForm) -> Why:
        """Return why an endpoint that the dump has is none for this node."""
        known = self._known(end, wanted)
        if known is None:
            return ""
        if not known.ready:
            return "not-ready"
        asked = _wanted_at(frontend, wanted)
        return "other-node" if asked and asked.local_only else "other-zone"


def _key(wanted: PortForm) -> tuple[str, str, str, str]:
    namespace, name, port_name, _ = wanted.service
    return namespace, name, port_name, wanted.protocol


def _named(wanted: PortForm) -> ServiceName:
    return wanted.service._replace(named_by="none")  # nothing in the dump names it


# --- which differences count -----------------------------------------------------------------------------------


def _counts(one: PortDifference, wanted: PortForm, skipped: Collection[str]) -> bool:
    """Whether a difference is one from what the API wants, and not of what it does not say."""
    if isinstance(one, FrontendDifference) and one.new is None and one.old is not None:
        # Up to 1.13 nothing was written of some frontends of a service without endpoints.
        return one.old.kind not in skipped and (wanted.has_endpoints or one.old.kind == "cluster-ip")
    if one.kind == "health check":
        return one.new is not None or one.kind not in skipped
    return one.kind in _KINDS and not (isinstance(one, EndpointDifference) and one.follows)


def _ungoverned(one: PortDifference, kinds: Collection[str], wanted: PortForm) -> Iterator[PortDifference]:
    """Yield a difference without the frontends whose policy differs: then endpoints and shares do so, too.

    Where neither side keeps to the node, the policy is one that this kube-proxy does not mind there.
    """
    if not isinstance(one, EndpointDifference):
        yield one
        return
    left = tuple(
        frontend
        for frontend in one.frontends
        if f"{'internal' if frontend.kind == 'cluster-ip' else 'external'} policy" not in kinds
        or not _keeps_to_node(frontend, _wanted_at(frontend, wanted))
    )
    if left:
        yield one._replace(frontends=left)


def _keeps_to_node(*sides: FrontendForm | None) -> bool:
    """Whether one of them uses the endpoints of the node alone, or may do so."""
    return any(side is None or side.local_only is not False for side in sides)


def _wanted_at(frontend: FrontendForm, wanted: PortForm) -> FrontendForm | None:
    """Return what the API has for a frontend of the dump."""
    place = frontend.address, frontend.port
    return next((form for form in wanted.frontends if (form.address, form.port) == place), None)


class _Shares(NamedTuple):
    """Endpoints of some frontends that get other shares than even ones."""

    ends: tuple[tuple[EndpointForm, EndpointForm], ...]
    frontends: tuple[FrontendForm, ...]
    kind: Literal["share"] = "share"


def _joined(found: Iterable[PortDifference]) -> Iterator[PortDifference | _Shares]:
    """Yield differences, those of shares at the same frontends as one."""
    shares: dict[tuple[FrontendForm, ...], list[tuple[EndpointForm, EndpointForm]]] = {}
    for one in found:
        if isinstance(one, EndpointDifference) and one.kind == "share" and one.old and one.new:
            shares.setdefault(one.frontends, []).append((one.old, one.new))
        else:
            yield one
    for frontends, ends in shares.items():
        yield _Shares(tuple(ends), frontends)


# --- rows ------------------------------------------------------------------------------------------------------


def _rows(one: PortDifference | _Shares, base: Difference) -> Iterator[Difference]:
    """Yield the rows of a difference: a frontend of another kind is missing and extra."""
    if isinstance(one, FrontendDifference):
        if one.old is not None:
            expected = f"{one.old.kind} {one.old.at}"
            yield base._replace(kind="missing-frontend", expected=expected, rule=None)
        if one.new is not None:
            yield base._replace(kind="extra-frontend", found=f"{one.new.kind} {one.new.at}")
    elif isinstance(one, EndpointDifference):
        expected, found = (end.text if end else "" for end in (one.old, one.new))
        yield _of_endpoint(one, base)._replace(expected=expected, found=found)
    elif isinstance(one, _Shares):
        wanted, had = (
            [share for end in side if (share := end.share) is not None]
            for side in zip(*one.ends, strict=True)
        )
        at = one.frontends[0].at
        yield base._replace(kind="share-differs", at=at, expected=_percents(wanted), found=_percents(had))
    elif isinstance(one, PropertyDifference):
        kind, text = _KINDS[one.kind], _TEXTS[one.kind]
        yield base._replace(kind=kind, expected=text(one.old), found=text(one.new))


def _of_endpoint(one: EndpointDifference, base: Difference) -> Difference:
    share = one.new.share if one.new else None
    return base._replace(kind=_KINDS[one.kind], at=one.frontends[0].at, share=share)


def _percents(shares: Sequence[Fraction]) -> str:
    """Return the least and the most of shares, as people write them."""
    texts = dict.fromkeys(f"{float(share):.2%}".replace("%", " %") for share in (min(shares), max(shares)))
    return " to ".join(texts)


def _seconds(count: Value) -> str:
    return "none" if count is None else f"{count} s"


def _ranges(networks: Value) -> str:
    return ", ".join(sorted(networks)) if isinstance(networks, frozenset) else ""


_KINDS = {
    "endpoint removed": "missing-endpoint",
    "endpoint added": "extra-endpoint",
    "endpoint port": "wrong-port",
    "share": "share-differs",
    "frontend removed": "missing-frontend",
    "frontend added": "extra-frontend",
    "frontend kind": "extra-frontend",
    "affinity": "affinity",
    "internal policy": "policy",
    "external policy": "policy",
    "source ranges": "source-ranges",
    "health check": "health-check",
}
"""The ids of differences in v1. Of the others the API says nothing: refusing, masquerading, who gets through."""

_TEXTS: Mapping[str, Callable[[Value], str]] = {
    "affinity": _seconds,
    "internal policy": lambda policy: f"internal {policy}",
    "external policy": lambda policy: f"external {policy}",
    "source ranges": _ranges,
    "health check": lambda port: str(port or "none"),
}
