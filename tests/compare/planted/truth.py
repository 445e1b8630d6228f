"""What is to be told of two clusters: from what each release is known to choose, never from the program's own reading."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tests.kubeproxy import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compare.planted import Fact
    from tests.kubeproxy import Cluster, Service

_LEAST = Fraction(1, 10_000)
"""Shares that differ by less are the same, rounded."""

_OUTSIDE = truth.Client("198.18.0.1")


def port_name(service: Service) -> str:
    return f"{service.namespace}/{service.name}:{service.port_name} {service.protocol}"


def port_facts(old: Cluster, new: Cluster) -> frozenset[Fact]:
    """All that the generator knows: ports, their frontends, endpoints, shares and verdicts."""
    return frozenset(_facts(old, new))


def _facts(old: Cluster, new: Cluster) -> Iterator[Fact]:
    before, after = _ports(old), _ports(new)
    for name in after.keys() - before.keys():
        yield "service added", name
    for name in before.keys() - after.keys():
        yield "service removed", name
    for name in before.keys() & after.keys():
        frontends = truth.frontends_of(old, before[name]), truth.frontends_of(new, after[name])
        yield from _frontends(name, *frontends)
        for target in frontends[0].keys() & frontends[1].keys():
            yield from _shares(name, target, _met(old, before[name], target), _met(new, after[name], target))


def _ports(cluster: Cluster) -> dict[str, Service]:
    return {port_name(one): one for one in cluster.services if truth.frontends_of(cluster, one)}


def _frontends(name: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Fact]:
    for target in new.keys() - old.keys():
        yield "frontend added", name, target, new[target]
    for target in old.keys() - new.keys():
        yield "frontend removed", name, target, old[target]


def _met(cluster: Cluster, service: Service, target: str) -> truth.Met:
    shares = dict(truth.outside_shares(cluster))[target, service.protocol]
    verdict = truth.met(cluster, service, target, _OUTSIDE).verdict
    return truth.Met(shares, verdict=None if shares else verdict)


def _shares(name: str, target: str, old: truth.Met, new: truth.Met) -> Iterator[Fact]:
    before, after = dict(old.shares), dict(new.shares)
    moved = _other_ports(before.keys() - after.keys(), after.keys() - before.keys())
    for end, other in moved.items():
        yield "endpoint port", name, target, end, other
    for end in after.keys() - before.keys() - {*moved.values()}:
        yield "endpoint added", name, target, end
    for end in before.keys() - after.keys() - moved.keys():
        yield "endpoint removed", name, target, end
    for end in before.keys() & after.keys():
        if abs(before[end] - after[end]) > _LEAST:
            yield "share", name, target, end, rounded(before[end]), rounded(after[end])
    if old.verdict != new.verdict:
        yield "verdict", name, target, old.verdict or "none", new.verdict or "none"


def _other_ports(old: set[str], new: set[str]) -> dict[str, str]:
    """Endpoints that have another port at the same address."""
    by_address = {end.rpartition(":")[0]: end for end in new}
    found = {end: by_address.get(end.rpartition(":")[0]) for end in old}
    return {end: other for end, other in found.items() if other}


def rounded(share: Fraction) -> str:
    """A share as kube-proxy meant it: a part of few endpoints."""
    meant = share.limit_denominator(100)
    return f"{meant.numerator}/{meant.denominator}"
