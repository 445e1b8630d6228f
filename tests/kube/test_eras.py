"""Every feature in every era: the view equals the generator's truth, shares exactly, for every client."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence
from iptviz.compare.ports.of_rules import port_form
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.era import era_of
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from tests.conftest import part_of
from tests.kube.clients import CLIENTS, answer_shares, followed, met_by
from tests.kubectl import HERE, objects
from tests.kubeproxy import ERAS, Cluster, Service, saved
from tests.kubeproxy.eras import era
from tests.kubeproxy.features import FEATURES, POSSIBLE, cluster_with
from tests.kubeproxy.truth import frontends_of, keeps_local, met
from tests.kubeproxy.words import affinity

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.compare.ports.form import PortForm

DIFFERENT = {
    **{("affinity", f"1.{minor}"): {"affinity"} for minor in range(1, 5)},
    ("affinity, policy Local", "1.4"): {"affinity"},
}
"""Where a release did not do what the API says: affinity of 180 s."""


FIRST = dict(reversed(POSSIBLE))
"""The release from which on each feature is there: that pair is always tried, as the newest one is."""
PAIRS = part_of(product(FEATURES, ERAS), 2, {*FIRST.items(), *((feature, ERAS[-1]) for feature in FEATURES)})
"""Every feature in every second era, the next feature in the others; each in each where everything is wanted."""


@pytest.mark.parametrize(("feature", "release"), PAIRS)
def test_a_feature_of_an_era_is_seen_as_it_is_or_not_written(
    feature: str, release: str, tmp_path: Path
) -> None:
    if (feature, release) not in POSSIBLE:
        with pytest.raises(LookupError, match=f"came with 1.{FEATURES[feature].since}"):
            cluster_with(feature, release)
        return
    cluster, one = cluster_with(feature, release)
    dump = iptviz.load(saved(cluster).encode())
    _check_clients(dump, cluster, one)
    _check_service(dump, cluster, one)
    _check_era(dump, release)
    _check_against_api(dump, cluster, tmp_path / "kubectl.json", DIFFERENT.get((feature, release), set()))


def _check_clients(dump: iptviz.Dump, cluster: Cluster, one: Service) -> None:
    for target in frontends_of(cluster, one):
        (trace,) = followed(dump, f"{target}/{one.protocol}")
        for client in CLIENTS[cluster.family]:
            assert met_by(trace, client) == met(cluster, one, target, client), (target, client)


def _check_service(dump: iptviz.Dump, cluster: Cluster, one: Service) -> None:
    """The list of services says of an outside client what trace does, and what the service is set to."""
    ports = service_ports(DispatchingRules(dump), Naming(dump, ()))
    (found,) = (
        port for port in ports if (port.service.namespace, port.protocol) == (one.namespace, one.protocol)
    )
    assert (found.service.namespace, found.service.name, found.service.port_name) == (
        one.namespace, one.name, one.port_name,
    )  # fmt: skip
    frontends = frontends_of(cluster, one)
    outside = CLIENTS[cluster.family][0]
    for answer in found.answers:
        frontend = answer.frontend
        target = f":{frontend.port}" if frontend.address is None else _target(frontend.address, frontend.port)
        expected = met(cluster, one, target, outside)
        kind = frontends.pop(target)
        refused = expected.verdict is not None and kind == "load-balancer-ip"
        # Rules that refuse do not say what kind of external address they refuse.
        assert frontend.kind == kind or (refused and frontend.kind == "external-ip"), target
        assert answer_shares(answer.endpoints) == expected.shares, target
        assert (answer.verdict.kind if answer.verdict else None) == expected.verdict, target
    assert not frontends
    _check_settings(port_form(dump, found), cluster, one)


def _target(address: str, port: int | None) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _check_settings(found: PortForm, cluster: Cluster, one: Service) -> None:
    every, _ = cluster.usable(one)
    release = era(cluster.era)
    if every:
        assert found.affinity == affinity(cluster, one)
        kinds = set(frontends_of(cluster, one).values())
        policies = [
            "Local" if any(keeps_local(cluster, one, kind) for kind in some) else "Cluster" if some else None
            for some in ({"cluster-ip"}, kinds - {"cluster-ip"})
        ]
        # Up to 1.23 no rule tells a policy Cluster from one Local whose endpoints are all on the node.
        assert found.internal_policy == policies[0] or (
            found.internal_policy is None and int(cluster.era.removeprefix("1.")) < 24
        )
        assert found.external_policy == policies[1]
        assert set(found.source_ranges or ()) == set(one.source_ranges)
    assert found.health_check == (one.health_check if release.has("health checks") else None)


def _check_against_api(dump: iptviz.Dump, cluster: Cluster, path: Path, different: set[str]) -> None:
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(cluster)}))
    result = iptviz.verify(dump, [str(path)], node=HERE)
    assert {one.kind for one in result.differences} == different, result.differences


def _check_era(dump: iptviz.Dump, release: str) -> None:
    found = era_of(dump)
    assert not found.mixed, sentence(era_remark(found))
    assert era(release).minor in found.releases, sentence(era_remark(found))


def test_a_feature_stays_once_a_release_has_it() -> None:
    """What can be written of a feature is every release from the first on: a gap would be tested by nobody."""
    for feature in FEATURES:
        possible = [release for release in ERAS if (feature, release) in POSSIBLE]
        assert possible
        assert possible == list(ERAS[-len(possible) :])
