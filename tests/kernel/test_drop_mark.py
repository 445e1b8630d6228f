"""The kernel judges what becomes of connections that kube-proxy of each era wants dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.attempts import NODE, Attempt
from tests.kernel.crossroads import crossroads
from tests.kernel.lab import NOTHING
from tests.kernel.site import OUTSIDE, PODS, Site
from tests.kubeproxy import ERAS, saved
from tests.kubeproxy.features import POSSIBLE, cluster_with
from tests.kubeproxy.truth import Client, frontends_of, goes_on, met

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.attempts import Fate
    from tests.kernel.crossroads import Crossroads
    from tests.kubeproxy import Cluster, Service

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

FEATURES = (
    "source ranges", "policy Local, none local", "no endpoints, policy Local",
    "internal policy Local, none local", "both policies Local, none local",
)  # fmt: skip
SITE = Site(here=("10.244.1.5", "10.244.1.7"), there=("10.244.1.6",))
SOURCES = {OUTSIDE: "203.0.113.99", PODS: "10.244.1.77", NODE: SITE.addresses[0]}


def dropped(cluster: Cluster, one: Service) -> Iterator[tuple[str, Client, Attempt]]:
    """Yield the frontends and clients that kube-proxy wants dropped."""
    for target in frontends_of(cluster, one):
        address, _, port = target.rpartition(":")
        for kind, source in SOURCES.items():
            client = Client(source, node=kind == NODE, to_node=not address, pod=kind == PODS)
            if met(cluster, one, target, client).verdict == "DROP":
                yield target, client, Attempt(kind, source, address or SITE.addresses[0], int(port))


def went_on(fate: Fate) -> bool:
    """Whether it left as it came; else it must not have left, nor heard of a refusal."""
    if fate.arrived is None:
        assert not fate.refused, fate
        return False
    assert not fate.rewritten, fate
    assert fate.at == OUTSIDE, fate
    return True


def try_all(lab: Crossroads, feature: str, release: str) -> int:
    """Compare a feature of an era with the truth; return how many connections were to be dropped."""
    cluster, one = cluster_with(feature, release)
    lab.load("legacy", NOTHING + saved(cluster))
    tried = list(dropped(cluster, one))
    fates = lab.attempt([attempt for _, _, attempt in tried])
    for (target, client, _), fate in zip(tried, fates, strict=True):
        assert went_on(fate) is goes_on(cluster, one, target, client), (feature, release, target, fate)
    return len(tried)


def test_what_is_only_forwarded_passes_a_drop_mark() -> None:
    pairs = [(name, release) for name in FEATURES for release in ERAS if (name, release) in POSSIBLE]
    with crossroads(SITE) as lab:
        assert sum(try_all(lab, name, release) for name, release in pairs) > 150
